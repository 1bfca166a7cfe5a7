"""Backups; see Benchmarks/backup."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "EndToEnd"))

from server import Server

BINARY = os.path.abspath(os.environ.get("VARVE", ".build/release/varve"))
SCRATCH = os.path.join(os.environ.get("BENCH_DIR", "/tmp/varve-bench"), "backup")
START = 1_700_000_000
HOSTS = 100


def block(first, steps):
    """Rows of all hosts at some steps of time."""
    return "".join(
        f"cpu,host=h{host} a={(step * 7919 + host) % 10007 / 16},b={(step * 104729 + host * 31) % 65521 / 8},"
        f"c={(step + host) % 97}i,d={(step * 31 + host * 17) % 1009}i {(START + step * 10) * 10**9}\n"
        for step in range(first, first + steps) for host in range(HOSTS)).encode()


def load(server, first, steps):
    lines = server.lines()
    for step in range(first, first + steps, 100):
        lines.send(block(step, min(100, first + steps - step)))
    written, rejected, _, _ = lines.sync()
    lines.close()
    assert rejected == 0, "no row is refused"
    return written


def varve(*arguments):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"varve {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def back_up(server, place):
    """Bytes of the backup, bytes sent, seconds."""
    text = varve("backup", "--to", place, "--connect", server.url)
    found = re.search(r"files, (\d+) bytes, (\d+) sent .* in ([\d.]+) s", text)
    return int(found[1]), int(found[2]), float(found[3])


def ingest(server, first, seconds):
    """Rows a second that one connection has acknowledged, and the next step."""
    lines, step, count = server.lines(), first, 0
    pieces = [block(first + 20 * i, 20) for i in range(60)]
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        lines.send(pieces[(step - first) // 20 % len(pieces)])
        step += 20
        count += lines.sync()[0]
    lines.close()
    return count / (time.monotonic() - begin), first + 20 * len(pieces)


class Backups(threading.Thread):
    """One whole backup after the other, each to a place of its own."""

    def __init__(self, server):
        super().__init__()
        self.server, self.going, self.count = server, True, 0
        self.start()

    def run(self):
        while self.going:
            place = os.path.join(SCRATCH, "whole")
            os.makedirs(place)
            back_up(self.server, "file://" + place)
            shutil.rmtree(place)
            self.count += 1

    def stop(self):
        self.going = False
        self.join()


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
        steps = options.rows // HOSTS
        load(server, 0, steps)
        varve("compact", "--connect", server.url)
        total, sent, seconds = back_up(server, place)
        print(f"whole backup: {total / 1e6:.1f} MB in {seconds:.2f} s, {sent / 1e6 / seconds:.0f} MB/s")
        load(server, steps, steps // 100)
        for form, command in [("in the log", None), ("in chunks", "flush")]:
            if command:
                varve(command, "--connect", server.url)
            _, sent, seconds = back_up(server, place)
            print(f"1 % more rows, {form}: {sent / 1e6:.2f} MB sent, {sent * 100 / total:.2f} %, in {seconds:.2f} s")
        nxt, rates = steps + steps // 100 + 100, []
        for number in range(options.pairs):
            # In turn, and the other way round every second time: what changes meanwhile changes both.
            rate, count = {}, 0
            for beside in [False, True] if number % 2 == 0 else [True, False]:
                backups = Backups(server) if beside else None
                rate[beside], nxt = ingest(server, nxt, options.seconds)
                if backups:
                    backups.stop()
                    count = backups.count
            rates.append((rate[False], rate[True], count))
        for alone, beside, count in rates:
            print(
                f"ingest: {alone / 1e3:.0f} k rows/s alone, {beside / 1e3:.0f} k beside {count} backups "
                f"({100 - beside * 100 / alone:.1f} % less)")
        ratio = sorted(beside / alone for alone, beside, _ in rates)[len(rates) // 2]
        print(f"ingest beside backups, median: {100 - ratio * 100:.1f} % less")
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
