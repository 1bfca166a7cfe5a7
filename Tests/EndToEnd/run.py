"""The end-to-end tests: a real server, real clients. run.py BINARY [NAME…]"""

import os
import shutil
import sys
import tempfile
import time
import traceback

import tests

def main():
    binary = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or [name for name in dir(tests) if name.startswith("test_")]
    passed, skipped, failed = 0, 0, []
    for name in names:
        directory = tempfile.mkdtemp(prefix="varve-test-")
        context = tests.Context(binary, directory)
        begin = time.monotonic()
        try:
            getattr(tests, name)(context)
            passed += 1
            print(f"passed {name[5:].replace('_', ' ')} ({time.monotonic() - begin:.1f} s)", flush=True)
        except tests.Skipped as reason:
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
