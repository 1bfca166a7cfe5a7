"""Rollups beside a load; see Benchmarks/rollups."""
import argparse
import os
import statistics
import threading
import time
from datetime import datetime, timezone

import psycopg

from bench import BASE
from ingest import Server as IngestServer

BUCKETS = ("1 minute", "1 hour", "1 day")


class Server(IngestServer):
    def connect(self):
        return psycopg.connect(self.url, user="varve", dbname="varve", autocommit=True)

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as opened:
            fields = opened.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """Looks ten times a second how far the rollup of minutes reaches; by how much each bucket's end was past then."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.connection = server.connect()
        self.ends = {}
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            reached, = self.connection.execute(
                "SELECT materialized_to FROM varve.rollups WHERE name = 'by_minute'").fetchone()
            if reached is not None and reached not in self.ends:
                self.ends[reached] = (datetime.now(timezone.utc) - reached).total_seconds()

    def finish(self, began):
        self.over.set()
        self.join()
        return [seconds for end, seconds in self.ends.items() if end >= began]


def create_rollups(connection):
    for bucket in BUCKETS:
        name = "by_" + bucket.split()[1]
        connection.execute(
            f"CREATE MATERIALIZED VIEW {name} WITH (continuous) AS SELECT time_bucket('{bucket}', time) AS bucket,"
            " hostname, avg(usage_user) AS mean, max(usage_system) AS top, min(usage_idle) AS least, count(*) AS rows"
            " FROM cpu GROUP BY 1, 2")


def steady(options, rate, with_rollups):
    """Rows a second, the server's processor time, and the seconds after which buckets were final."""
    with Server() as server, server.connect() as connection:
        flags = ("--series", str(options.series), "--live", "--rate", str(rate))
        server.load(*flags, "--rows", str(options.series))
        if with_rollups:
            create_rollups(connection)
        watch = Watch(server) if with_rollups else None
        began, spent = datetime.now(timezone.utc), server.processor_seconds()
        figures = server.load(*flags, "--append", "--duration", f"{options.seconds}s")
        spent = server.processor_seconds() - spent
        final = []
        if with_rollups:
            time.sleep(5)
            final = watch.finish(began)
            rows, = connection.execute("SELECT count(*) FROM cpu").fetchone()
            for bucket in BUCKETS:
                counted, = connection.execute(f"SELECT sum(rows) FROM by_{bucket.split()[1]}").fetchone()
                if counted != rows:
                    raise SystemExit(f"{counted} rows in the rollup of {bucket}, {rows} in the table")
        return figures["rows_per_second"], spent, final


def main():
    parser = argparse.ArgumentParser(description="What rollups cost, and how soon they are final.")
    parser.add_argument("--seconds", type=int, default=75)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--series", type=int, default=4000)
    options = parser.parse_args()
    os.makedirs(BASE + "/run", exist_ok=True)
    with Server() as server:
        full = server.load("--series", str(options.series), "--step", "1ms", "--duration", "5s")["rows_per_second"]
    rate = int(full / 2)
    print(f"full speed {full / 1e6:.2f} M rows/s, half of it {rate / 1e6:.2f}; {options.seconds} s each")
    kept, costs, finals = [], [], []
    for _ in range(options.pairs):
        without, cost, _ = steady(options, rate, with_rollups=False)
        speed, cost_with, final = steady(options, rate, with_rollups=True)
        print(f"without rollups {without / 1e6:.2f} M rows/s, {cost:.1f} s of the server's processors;"
              f" with three {speed / 1e6:.2f} M rows/s, {cost_with:.1f} s")
        kept.append(speed / without)
        costs.append(cost_with / cost)
        finals += final
    print(f"ingest with three rollups: {statistics.median(kept):.1%} of the rows a second without (asked: 90 %),"
          f" {statistics.median(costs):.2f} times the processor time")
    if finals:
        print(f"a bucket of a minute is final {min(finals):.1f} to {max(finals):.1f} s after its end"
              f" ({len(finals)} buckets; asked: 5 s)")


if __name__ == "__main__":
    main()
