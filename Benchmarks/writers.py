#!/usr/bin/env python3
"""Many writers: what idle connections cost, and how long a small writer waits beside writers at full speed.

    Benchmarks/writers [--idle 10000] [--rounds 3] [--file FILE.lp] [-- SERVER FLAGS…]

Prints the rate of four loading connections without and with the idle ones (alternating, so that the machine's moods
hit both), the server's memory for each idle connection (fresh, and after each has written a row), and percentiles of
the answers to a writer of single lines, alone and beside the load. The load is the bench folder's loader (VARVE_BENCH).
"""
import argparse
import os
import resource
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time

import bench

NOW = 1_700_000_000_000_000_000


def resident_bytes(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(port, count):
    connections = []
    for _ in range(count):
        connections.append(socket.create_connection(("127.0.0.1", port), 30))
    return connections


def synced(connection, text):
    """Sends lines and waits until they are durable."""
    connection.sendall(text + b"#sync t\n")
    answer = b""
    while not answer.endswith(b"\n"):
        piece = connection.recv(4096)
        if not piece:
            raise SystemExit(f"the connection ended: {answer!r}")
        answer += piece
    if not answer.startswith(b"t ok rows=1 rejected=0 "):
        raise SystemExit(answer.decode())


class SmallWriter(threading.Thread):
    """One line and `#sync`, again and again; the seconds that each answer took."""

    def __init__(self, port, pause=0.002):
        super().__init__()
        self.connection = connect(port, 1)[0]
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pause, self.isOver, self.seconds, self.failure = pause, False, [], None

    def run(self):
        try:
            while not self.isOver:
                begin = time.perf_counter()
                synced(self.connection, b"small,host=a v=%d %d\n" % (len(self.seconds), NOW + len(self.seconds)))
                self.seconds.append(time.perf_counter() - begin)
                time.sleep(self.pause)
        except BaseException as failure:
            self.failure = failure

    def stop(self):
        self.isOver = True
        self.join()
        self.connection.close()
        if self.failure:
            raise self.failure
        return sorted(self.seconds)


def percentiles(seconds):
    parts = [(f"p{part:g}", seconds[min(len(seconds) - 1, int(len(seconds) * part / 100))]) for part in (50, 90, 99, 99.9)]
    return f"{len(seconds)} answers, " + ", ".join(
        f"{name} {value * 1000:.2f} ms" for name, value in parts + [("max", seconds[-1])])


class Run:
    def __init__(self, flags):
        self.directory = tempfile.mkdtemp(prefix="varve-writers-", dir=bench.BASE)
        self.process, self.ports = bench.start(os.path.join(self.directory, "data"), *flags)
        self.port = self.ports["line-protocol"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        bench.stop(self.process)
        shutil.rmtree(self.directory)


def memory(arguments):
    with Run(arguments.flags) as run:
        synced(connect(run.port, 1)[0], b"idle,host=a v=0 %d\n" % NOW)
        before = resident_bytes(run.process)
        connections = connect(run.port, arguments.idle)
        # The last one is answered once all before it have been accepted by its loop.
        for connection in connections[-8:]:
            synced(connection, b"idle,host=a v=0 %d\n" % NOW)
        fresh = resident_bytes(run.process)
        for number, connection in enumerate(connections):
            synced(connection, b"idle,host=h%d v=0 %d\n" % (number, NOW))
        used = resident_bytes(run.process)
        count = len(connections)
        print(f"{count} idle connections: {(fresh - before) / count:.0f} bytes each, "
              f"{(used - before) / count:.0f} once each has written a row (of a series of its own)")
        for connection in connections:
            connection.close()
    with Run(arguments.flags) as run:
        body = b"idle,host=a v=0 %d\n" % NOW
        write = b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        before = resident_bytes(run.process)
        connections = connect(run.ports["http"], arguments.idle)
        for connection in connections:
            connection.sendall(write)
            if not connection.recv(4096).startswith(b"HTTP/1.1 204 "):
                raise SystemExit("a write was not answered")
        print(f"{arguments.idle} idle HTTP connections: {(resident_bytes(run.process) - before) / arguments.idle:.0f} "
              "bytes each once each has written a row")
        for connection in connections:
            connection.close()


def rate(arguments, idle):
    """Rows a second of one load on a fresh server, and the server's processor seconds for a million rows."""
    with Run(arguments.flags) as run:
        connections = connect(run.port, idle)
        for connection in connections:
            synced(connection, b"idle,host=a v=0 %d\n" % NOW)
        before = processor_seconds(run.process)
        result = bench.load(arguments.file, run.port, "tcp")
        seconds = (processor_seconds(run.process) - before) / result["rows"] * 1e6
        for connection in connections:
            connection.close()
        return result["rows_per_s"], seconds


def rates(arguments):
    without, beside = [], []
    for number in range(arguments.rounds):
        without.append(rate(arguments, 0))
        beside.append(rate(arguments, arguments.idle))
        print(f"round {number + 1}: {without[-1][0]:,.0f} rows/s, {without[-1][1]:.3f} processor seconds a million rows; "
              f"beside {arguments.idle} idle connections {beside[-1][0]:,.0f}, {beside[-1][1]:.3f}")
    for index, what in enumerate(["rows/s", "processor seconds a million rows"]):
        alone, others = (statistics.median(each[index] for each in rounds) for rounds in (without, beside))
        print(f"median {what}: {alone:,.3f} alone, {others:,.3f} beside them: {others / alone:.3f}")


def latency(arguments):
    alone, beside = [], []
    for _ in range(arguments.rounds):
        with Run(arguments.flags) as run:
            small = SmallWriter(run.port)
            small.start()
            time.sleep(2)
            alone += small.stop()
            small = SmallWriter(run.port)
            small.start()
            result = bench.load(arguments.file, run.port, "tcp")
            seconds = small.stop()
            print(f"beside a load of {result['rows_per_s']:,.0f} rows/s: {percentiles(seconds)}")
            beside += seconds
    print("one line and #sync, alone:          ", percentiles(sorted(alone)))
    print("one line and #sync, beside the load:", percentiles(sorted(beside)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", default=bench.BASE + "/data/cpu100.lp")
    parser.add_argument("--only", choices=["memory", "rates", "latency"])
    parser.add_argument("flags", nargs="*", help="flags of the server, behind --")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < arguments.idle + 100:
        raise SystemExit(f"{arguments.idle} connections need more than the {hard} files this process may open")
    bench.prepare("cpu100")
    for name, measure in [("memory", memory), ("rates", rates), ("latency", latency)]:
        if arguments.only in (None, name):
            measure(arguments)


if __name__ == "__main__":
    main()
