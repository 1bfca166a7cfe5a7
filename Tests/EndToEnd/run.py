"""The end-to-end tests: a real server, real clients. run.py BINARY [NAME…]

Each function `test_…` of a module `…_tests` is a claim; it gets a context of its own. NAME is a test, all tests of a module
(`archive_tests`), or a module whose tests are left out (`-s3_tests`).
"""

import glob
import importlib
import os
import shutil
import sys
import tempfile
import time
import traceback

from support import Context, Skipped


def collect():
    """The tests by name, module by module."""
    found = {}
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "*_tests.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, value in vars(module).items():
            if name.startswith("test_"):
                assert name not in found, f"two tests are named {name}"
                found[name] = value
    return found


def chosen(tests, words):
    """What the words of the command name."""
    left_out = [word[1:] for word in words if word.startswith("-")]
    wanted = [word for word in words if not word.startswith("-")]
    modules = {value.__module__ for value in tests.values()}
    for word in left_out + wanted:
        if word not in modules and word not in tests:
            sys.exit(f"there is no test and no module of tests {word}")
    return [name for name, value in tests.items()
            if value.__module__ not in left_out and (not wanted or name in wanted or value.__module__ in wanted)]


def main():
    binary = os.path.abspath(sys.argv[1])
    tests = collect()
    names = chosen(tests, sys.argv[2:])
    passed, skipped, failed = 0, 0, []
    for name in names:
        directory = tempfile.mkdtemp(prefix="varve-test-")
        context = Context(binary, directory)
        begin = time.monotonic()
        try:
            tests[name](context)
            passed += 1
            print(f"passed {name[5:].replace('_', ' ')} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Skipped as reason:
            skipped += 1
            print(f"skipped {name[5:].replace('_', ' ')}: {reason}", flush=True)
        except Exception:
            failed.append(name)
            print(f"FAILED {name[5:].replace('_', ' ')}", flush=True)
            traceback.print_exc()
            for server in context.servers:
                print(f"--- log of the server in {server.data}\n{server.read_log()[-4000:]}", flush=True)
        finally:
            context.close()
            shutil.rmtree(directory)
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    for name in failed:
        print(f"  {name}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
