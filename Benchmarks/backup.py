"""Backups; see Benchmarks/backup."""
import argparse
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "EndToEnd"))

from beside import BINARY, compare, load, varve
from server import Server

SCRATCH = os.path.join(os.environ.get("BENCH_DIR", "/tmp/varve-bench"), "backup")
START = 1_700_000_000
HOSTS = 100


def block(first, steps):
    """Rows of all hosts at some steps of time."""
    return "".join(
        f"cpu,host=h{host} a={(step * 7919 + host) % 10007 / 16},b={(step * 104729 + host * 31) % 65521 / 8},"
        f"c={(step + host) % 97}i,d={(step * 31 + host * 17) % 1009}i {(START + step * 10) * 10**9}\n"
        for step in range(first, first + steps) for host in range(HOSTS)).encode()


def steps(first, count):
    """All rows of so many steps of time from the first on, block by block."""
    return (block(step, min(100, first + count - step)) for step in range(first, first + count, 100))


def back_up(server, place):
    """Bytes of the backup, bytes sent, seconds."""
    text = varve("backup", "--to", place, "--connect", server.url)
    found = re.search(r"files, (\d+) bytes, (\d+) sent .* in ([\d.]+) s", text)
    return int(found[1]), int(found[2]), float(found[3])


def back_up_elsewhere(url):
    """A whole backup to a place of its own."""
    place = os.path.join(SCRATCH, "whole")
    os.makedirs(place)
    varve("backup", "--to", "file://" + place, "--connect", url)
    shutil.rmtree(place)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(os.path.join(SCRATCH, "place"))
    place = "file://" + os.path.join(SCRATCH, "place")
    server = Server(BINARY, os.path.join(SCRATCH, "data"))
    try:
        count = options.rows // HOSTS
        load(server, steps(0, count))
        varve("compact", "--connect", server.url)
        total, sent, seconds = back_up(server, place)
        print(f"whole backup: {total / 1e6:.1f} MB in {seconds:.2f} s, {sent / 1e6 / seconds:.0f} MB/s")
        load(server, steps(count, count // 100))
        for form, command in [("in the log", None), ("in chunks", "flush")]:
            if command:
                varve(command, "--connect", server.url)
            _, sent, seconds = back_up(server, place)
            print(f"1 % more rows, {form}: {sent / 1e6:.2f} MB sent, {sent * 100 / total:.2f} %, in {seconds:.2f} s")
        newest = count + count // 100

        def live(number):
            return [block(newest + number * 6000 + 20 * piece, 20) for piece in range(300)]

        compare(server, live, options.seconds, options.pairs, "backups", back_up_elsewhere, server.url)
        back_up(server, place)
        server.stop()
        text = varve("restore", "--from", place, "--data", os.path.join(SCRATCH, "restored"))
        found = re.search(r"files, (\d+) bytes in ([\d.]+) s", text)
        print(f"restore: {int(found[1]) / 1e6:.1f} MB in {found[2]} s, {int(found[1]) / 1e6 / float(found[2]):.0f} MB/s")
        print(varve("backup", "verify", "--from", place, "--scratch", os.path.join(SCRATCH, "scratch")), end="")
    finally:
        server.close()
    shutil.rmtree(SCRATCH)


main()
