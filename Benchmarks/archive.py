"""The archive; see Benchmarks/archive."""
import argparse
import csv
import io
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "EndToEnd"))

import psycopg

from beside import BINARY, compare, load, varve
from server import Server

SCRATCH = os.path.join(os.environ.get("BENCH_DIR", "/tmp/varve-bench"), "archive")
START = 1_704_067_200  # 2024-01-01
HOSTS = 10


def block(table, first, steps, seconds):
    """Rows of all hosts at some steps of time."""
    return "".join(
        f"{table},host=h{host} a={(step * 7919 + host) % 10007 / 16},b={20 + (step * 104729 + host * 31) % 521 / 8},"
        f"c={(step + host) % 97}i,d={(step * 31 + host * 17) % 1009}i {(START + step * seconds) * 10**9}\n"
        for step in range(first, first + steps) for host in range(HOSTS)).encode()


def steps(table, count, seconds):
    """All rows of so many steps of time, block by block."""
    return (block(table, step, min(1000, count - step), seconds) for step in range(0, count, 1000))


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


def live(number):
    """Rows of another table, of other times each turn."""
    return [block("live", number * 60_000 + 200 * piece, 200, 1) for piece in range(300)]


def there_and_back(url):
    """The month goes to the archive, and comes back."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT archive_run('month', INTERVAL '1 day', delete_unneeded => true)")
        connection.execute("SELECT archive_restore('month')")


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
            rows = load(server, steps(table, days * 86_400 // seconds, seconds))
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
            median, read = ask(
                connection, "SELECT time, a, c FROM month WHERE host = 'h3' AND time >= '2024-01-15' "
                "AND time < '2024-01-16' ORDER BY time", 20)
            print(f"one host's day, two of four fields: {median:.1f} ms, {read}")
        compare(server, live, options.seconds, options.pairs, "runs there and back", there_and_back, server.url)
        varve("archive", "run", "--older-than", "1 day", "--table", "month", "--connect", server.url)
        server.stop()
        print(varve("archive", "verify", "--data", server.data, "--archive", place), end="")
    finally:
        server.close()
    shutil.rmtree(SCRATCH)


main()
