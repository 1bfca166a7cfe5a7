"""Loads a server in every way at once for some minutes: no row may be lost, and memory must stay flat; see Tools/soak."""

import argparse
import itertools
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from server import LineConnection, Server

HOUR = 1_700_000_000_000_000_000
# Rows that wait for a chunk file, pages read and queues reach their limits within the first seconds.
SERVER_FLAGS = ["--memory", "512MB", "--seal-size", "32MB", "--page-cache", "32MB", "--seal-age", "5s"]
LOADS = [
    ["--schema", "cpu", "--series", "2000"], ["--schema", "iot", "--series", "500", "--late", "5%", "--order", "random"],
    ["--schema", "narrow", "--series", "20000", "--protocol", "http", "--batch", "2000"],
    ["--schema", "cpu", "--series", "300", "--duplicates", "5%", "--late", "5%", "--protocol", "http"],
    ["--schema", "narrow", "--series", "1000", "--churn", "1%", "--connections", "16", "--probe"]]


class Soak:
    def __init__(self, binary, server, seconds, rate, seed):
        self.binary, self.server, self.rate = binary, server, rate
        self.random = random.Random(seed)
        self.begin = time.monotonic()
        self.seconds = seconds
        self.problems, self.memory = [], []
        self.rounds = self.rows = self.visits = self.breaks = 0
        self.written = []

    @property
    def is_over(self):
        return time.monotonic() - self.begin >= self.seconds or bool(self.problems)

    def guarded(self, body):
        """A thread that goes on until the end; what fails in it is a problem."""
        def run():
            try:
                body()
            except Exception as error:
                if self.server.process.poll() is None:
                    self.problems.append(f"{body.__name__}: {error!r}")
                else:
                    self.problems.append(f"the server ended with code {self.server.process.returncode}")
        return threading.Thread(target=run)

    def load(self):
        for number, flags in enumerate(itertools.cycle(LOADS)):
            left = self.seconds - (time.monotonic() - self.begin)
            if self.is_over or left < 1:
                return
            # Within the first half each kind of load has had its turn.
            seconds = min(10, self.seconds / 2 / len(LOADS), left)
            table = f"load_{number}"
            command = [
                self.binary, "bench", "--format", "json", "--connect", self.server.url,
                "--line-protocol", f"127.0.0.1:{self.server.ports['line-protocol']}",
                "--http", f"127.0.0.1:{self.server.ports['http']}", "--table", table, "--rate", str(self.rate),
                "--duration", f"{int(seconds * 1000)}ms", "--seed", str(self.random.randrange(1 << 32)), *flags]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                self.problems.append(f"{' '.join(command)}: {done.stdout}{done.stderr}")
                return
            self.rows += json.loads(done.stdout)[0]["rows"]
            self.rounds += 1
            for name in [table] + ([table + "_probe"] if "--probe" in flags else []):
                self.sql(f"DROP TABLE {name}")

    def visit(self):
        """Clients that come, write a few lines, and go."""
        generator = random.Random(self.random.random())
        while not self.is_over:
            count = generator.randint(1, 20)
            connection = LineConnection(self.server.ports["line-protocol"])
            first = len(self.written)
            values = [generator.randint(-1000, 1000) for _ in range(count)]
            connection.send("".join(
                f"visits,client=c{first % 50} v={value}i {HOUR + first + row}\n" for row, value in enumerate(values)))
            if generator.random() < 0.5:
                rows, rejected, _, _ = connection.sync()
                answer = (rows, rejected)
            else:
                words = connection.end().split()
                answer = (int(words[2].split("=")[1]), int(words[3].split("=")[1]))
            connection.close()
            if answer != (count, 0):
                raise AssertionError(f"{count} lines were answered with {answer}")
            self.written += values
            self.visits += 1

    def break_off(self):
        """Clients that do what no client should."""
        generator = random.Random(self.random.random())
        lines, http = self.server.ports["line-protocol"], self.server.ports["http"]
        while not self.is_over:
            kind = generator.randrange(6)
            client = socket.create_connection(("127.0.0.1", http if kind >= 4 else lines), 10)
            try:
                if kind == 0:
                    client.sendall(b"broken,client=a v=1i 1700000000000000000\nbroken,client=")
                elif kind == 1:
                    client.sendall(generator.randbytes(generator.randint(1, 100_000)))
                elif kind == 2:
                    client.sendall(b"x" * 2_000_000)
                elif kind == 3:
                    # Asks, and does not read the answers.
                    client.sendall(b"".join(b"#sync t%d\n" % number for number in range(2_000)))
                elif kind == 4:
                    client.sendall(b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbroken,client=b v=1")
                else:
                    client.sendall(b"NONSENSE\r\n\r\n" + generator.randbytes(1_000))
                time.sleep(generator.uniform(0, 0.05))
                if generator.random() < 0.5:
                    # A reset instead of an end.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass  # The server may end such a connection first.
            client.close()
            self.breaks += 1

    def watch(self):
        while not self.is_over:
            with open(f"/proc/{self.server.process.pid}/status") as status:
                resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024
            self.memory.append((time.monotonic() - self.begin, resident))
            time.sleep(0.2)

    def sql(self, query):
        done = subprocess.run(
            [self.binary, "sql", "--connect", self.server.url, "--format", "csv", query], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{query}: {done.stderr}")
        return done.stdout.splitlines()

    def check(self):
        found = self.sql("SELECT count(*), sum(v), min(to_ns(time)), max(to_ns(time)) FROM visits")[1]
        expected = f"{len(self.written)},{sum(self.written)},{HOUR},{HOUR + len(self.written) - 1}"
        if found != expected:
            self.problems.append(f"the table of visits has {found}, not {expected}")
        # What memory grew to in the first half, it must do with in the second.
        half = self.seconds / 2
        before = max(resident for at, resident in self.memory if at < half)
        after = max(resident for at, resident in self.memory if at >= half)
        print(f"memory: up to {before / 1e6:.0f} MB in the first half, {after / 1e6:.0f} MB in the second", flush=True)
        if after > before * 1.1 + 24e6:
            self.problems.append("memory is not flat")

    def run(self):
        threads = [self.guarded(body) for body in (self.load, self.visit, self.break_off, self.watch)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(10 / len(threads))
            if self.memory:
                print(
                    f"{time.monotonic() - self.begin:.0f} s: {self.rounds} loads of {self.rows} rows, {self.visits} visits, "
                    f"{self.breaks} broken clients, {self.memory[-1][1] / 1e6:.0f} MB", flush=True)
        if not self.problems:
            self.check()


def main():
    parser = argparse.ArgumentParser(description="Load a server in every way at once; nothing may be lost or grow.")
    parser.add_argument("--binary", default=".build/release/varve")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rate", type=int, default=100_000, help="rows a second of the main load (100000)")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    directory = tempfile.mkdtemp(prefix="varve-soak-")
    print(f"soak: {arguments.minutes} minutes, seed {seed}, in {directory}", flush=True)
    binary = os.path.abspath(arguments.binary)
    server = Server(binary, os.path.join(directory, "data"), *SERVER_FLAGS, "--log-level", "error")
    soak = Soak(binary, server, arguments.minutes * 60, arguments.rate, seed)
    try:
        soak.run()
        if not soak.problems:
            if server.stop() != 0:
                soak.problems.append("the server did not stop in order")
            done = subprocess.run([binary, "verify", "--data", server.data], capture_output=True, text=True)
            if done.returncode != 0:
                soak.problems.append(f"verify: {done.stdout}{done.stderr}")
    finally:
        server.close()
    for problem in soak.problems[:20]:
        print(f"PROBLEM: {problem}", flush=True)
    if soak.problems:
        print(f"soak: FAILED, repeat with --seed {seed}; the data is kept in {directory}")
        sys.exit(1)
    shutil.rmtree(directory)
    print("soak: passed")


if __name__ == "__main__":
    main()
