"""The archive; see Benchmarks/archive."""
import argparse
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "EndToEnd"))

import psycopg

from server import Server

BINARY = os.path.abspath(os.environ.get("VARVE", ".build/release/varve"))
SCRATCH = os.path.join(os.environ.get("BENCH_DIR", "/tmp/varve-bench"), "archive")
START = 1_704_067_200  # 2024-01-01
HOSTS = 10


def block(table, first, steps, seconds):
    """Rows of all hosts at some steps of time."""
    return "".join(
        f"{table},host=h{host} a={(step * 7919 + host) % 10007 / 16},b={20 + (step * 104729 + host * 31) % 521 / 8},"
        f"c={(step + host) % 97}i,d={(step * 31 + host * 17) % 1009}i {(START + step * seconds) * 10**9}\n"
        for step in range(first, first + steps) for host in range(HOSTS)).encode()


def load(server, table, days, seconds):
    lines = server.lines()
    for step in range(0, days * 86_400 // seconds, 1000):
        lines.send(block(table, step, min(1000, days * 86_400 // seconds - step), seconds))
    written, rejected, _, _ = lines.sync()
    lines.close()
    assert rejected == 0, "no row is refused"
    return written


def varve(*arguments):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"varve {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def archive(server, table):
    """What the run says, and seconds."""
    begin = time.monotonic()
    text = varve("archive", "run", "--older-than", "1 day", "--table", table, "--delete-unneeded", "--format", "csv",
                 "--connect", server.url)
    return next(csv.DictReader(io.StringIO(text))), time.monotonic() - begin


def ask(connection, query, times):
    """The median of milliseconds, and what EXPLAIN ANALYZE said of the archive before."""
    plan = "\n".join(row[0] for row in connection.execute("EXPLAIN ANALYZE " + query))
    taken = []
    for _ in range(times):
        begin = time.monotonic()
        connection.execute(query).fetchall()
        taken.append((time.monotonic() - begin) * 1e3)
    found = re.search(r"Archive: (.*)", plan)
    return sorted(taken)[len(taken) // 2], found[1] if found else "nothing of the archive"


def ingest(server, first, seconds):
    """Rows a second that one connection has acknowledged, and the next step."""
    lines, step, count = server.lines(), first, 0
    pieces = [block("live", first + 200 * i, 200, 1) for i in range(60)]
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        lines.send(pieces[(step - first) // 200 % len(pieces)])
        step += 200
        count += lines.sync()[0]
    lines.close()
    return count / (time.monotonic() - begin), first + 200 * len(pieces)


class Runs(threading.Thread):
    """The month goes to the archive and back, until it is told to stop."""

    def __init__(self, server):
        super().__init__()
        self.server, self.going, self.count = server, True, 0
        self.start()

    def run(self):
        while self.going:
            varve("archive", "restore", "--table", "month", "--connect", self.server.url)
            archive(self.server, "month")
            self.count += 1

    def stop(self):
        self.going = False
        self.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--archive")
    options = parser.parse_args()
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(SCRATCH)
    place = options.archive or "file://" + os.path.join(SCRATCH, "objects")
    server = Server(BINARY, os.path.join(SCRATCH, "data"), "--archive", place, "--archive-cache", "0")
    try:
        for table, days, seconds in [("year", options.days, 60), ("month", 31, 10)]:
            rows = load(server, table, days, seconds)
            varve("compact", "--table", table, "--connect", server.url)
            run, taken = archive(server, table)
            before, after = int(run["bytes"]), int(run["object_bytes"])
            print(
                f"{table}: {rows / 1e6:.1f} M rows, {before / 1e6:.1f} MB of chunks to {run['objects']} objects of "
                f"{after / 1e6:.1f} MB ({after / before:.2f} times) in {taken:.1f} s, {before / 1e6 / taken:.0f} MB/s")
        with psycopg.connect(server.url, autocommit=True) as connection:
            median, read = ask(
                connection, "SELECT time_bucket('1 hour', time) AS hour, avg(a), max(c) FROM year GROUP BY 1", 20)
            print(f"means by hour over {options.days} days: {median:.1f} ms, {read}")
            connection.execute("SET varve.rows_per_part = 100000000")
            median, _ = ask(
                connection, "SELECT time_bucket('1 hour', time) AS hour, avg(a), max(c) FROM year GROUP BY 1", 20)
            print(f"the same, not cut into parts: {median:.1f} ms")
            connection.execute("RESET varve.rows_per_part")
            median, read = ask(
                connection, "SELECT time, a, c FROM month WHERE host = 'h3' AND time >= '2024-01-15' "
                "AND time < '2024-01-16' ORDER BY time", 20)
            print(f"one host's day, two of four fields: {median:.1f} ms, {read}")
        nxt, rates = 0, []
        for number in range(options.pairs):
            # In turn, and the other way round every second time: what changes meanwhile changes both.
            rate, count = {}, 0
            for beside in [False, True] if number % 2 == 0 else [True, False]:
                runs = Runs(server) if beside else None
                rate[beside], nxt = ingest(server, nxt, options.seconds)
                if runs:
                    runs.stop()
                    count = runs.count
            rates.append((rate[False], rate[True]))
            print(
                f"ingest: {rate[False] / 1e3:.0f} k rows/s alone, {rate[True] / 1e3:.0f} k beside {count} runs "
                f"({100 - rate[True] * 100 / rate[False]:.1f} % less)")
        ratio = sorted(beside / alone for alone, beside in rates)[len(rates) // 2]
        print(f"ingest beside archiving, median: {100 - ratio * 100:.1f} % less")
        server.stop()
        print(varve("archive", "verify", "--data", server.data, "--archive", place), end="")
    finally:
        server.close()
    shutil.rmtree(SCRATCH)


main()
