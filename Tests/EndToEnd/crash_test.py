"""Kills a server with SIGKILL while it takes rows, restarts it, and checks every acknowledged row.

The writers keep the journal: for each of their batches, whether it was sent and whether it was acknowledged. After a
restart the store must hold

- each row of each acknowledged batch, once, with its values;
- of a batch that was sent but not acknowledged, anything from none to all of its rows, with their values;
- nothing else.

Usage: crash_test.py [--binary FILE] [--seed S] N
"""

import argparse
import csv
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from server import Server

WRITERS = 3


class Writer(threading.Thread):
    """Sends batches over one connection and waits for each acknowledgement or for the end."""

    def __init__(self, port, writer, first_batch, journal, random):
        super().__init__(daemon=True)
        self.port, self.writer, self.next_batch = port, writer, first_batch
        self.journal, self.random = journal, random
        self.problem = None

    def run(self):
        from server import LineConnection
        try:
            connection = LineConnection(self.port)
        except OSError:
            return
        try:
            while True:
                batch, count = self.next_batch, self.random.randint(1, 400)
                self.journal[(self.writer, batch)] = (count, False)
                self.next_batch += 1
                connection.send(text(self.writer, batch, count))
                rows, rejected, _, errors = connection.sync(f"b{batch}")
                if (rows, rejected) != (count, 0):
                    self.problem = f"batch {batch} of writer {self.writer}: {rows} of {count} rows, {errors}"
                    return
                self.journal[(self.writer, batch)] = (count, True)
        except (OSError, AssertionError):
            pass  # The server was killed: what was sent is in the journal, without an acknowledgement.


def value(writer, batch, row):
    return (writer * 1_000_003 + batch * 1009 + row) % 1_000_000_007


def text(writer, batch, count):
    # Times go back and forth, so that rows land in several partitions, out of order.
    lines = []
    for row in range(count):
        stamp = 1_700_000_000_000_000_000 + (batch % 7) * 86_400_000_000_000 + (batch * 1000 + row) * 1_000_000
        lines.append(
            f"crash,writer={writer},half={row % 2} batch={batch}i,row={row}i,value={value(writer, batch, row)}i,"
            f"text=\"{writer}-{batch}-{row}\" {stamp}\n")
    return "".join(lines)


def check(binary, server, journal):
    output = subprocess.run(
        [binary, "sql", "--connect", server.url, "--format", "csv", "SELECT writer, batch, row, value, text FROM crash"],
        check=False, capture_output=True, text=True)
    if output.returncode != 0:
        if "does not exist" in output.stderr and not any(done for _, done in journal.values()):
            return 0, []
        return 0, [f"the check's query failed: {output.stderr}"]
    found, problems = {}, []
    for row in csv.DictReader(io.StringIO(output.stdout)):
        writer, batch, number = int(row["writer"]), int(row["batch"]), int(row["row"])
        found.setdefault((writer, batch), []).append(number)
        if int(row["value"]) != value(writer, batch, number) or row["text"] != f"{writer}-{batch}-{number}":
            problems.append(f"row {number} of batch {batch} of writer {writer} has wrong values: {row}")
    total = 0
    for key, numbers in found.items():
        total += len(numbers)
        count, _ = journal.get(key, (0, False))
        if len(set(numbers)) != len(numbers):
            problems.append(f"batch {key} has rows twice")
        if any(number >= count for number in numbers):
            problems.append(f"batch {key} has rows that were never sent")
    for key, (count, done) in journal.items():
        if done and len(found.get(key, [])) != count:
            problems.append(f"batch {key} was acknowledged with {count} rows, {len(found.get(key, []))} are there")
    return total, problems


def run(binary, rounds, seed, keep_on_failure=True):
    """True if nothing was lost or invented."""
    generator = random.Random(seed)
    directory = tempfile.mkdtemp(prefix="varve-crash-")
    print(f"crash test: {rounds} rounds, seed {seed}, in {directory}", flush=True)
    # A small memory makes sealing, the manifest and the log's end part of what is interrupted.
    server = Server(binary, os.path.join(directory, "data"), "--memory", "64MB", "--seal-age", "1s")
    journal, next_batch, problems = {}, 0, []
    try:
        for round_number in range(1, rounds + 1):
            writers = [
                Writer(server.ports["line-protocol"], index, next_batch, journal, random.Random(generator.random()))
                for index in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(generator.uniform(0.1, 2.5))
            server.kill()
            for writer in writers:
                writer.join()
                if writer.problem:
                    problems.append(writer.problem)
            next_batch = max(writer.next_batch for writer in writers)
            if generator.random() < 0.3:
                # A start that is killed in its turn.
                second = subprocess.Popen(
                    [binary, "serve", "--data", server.data, "--line-protocol", "127.0.0.1:0", "--http", "127.0.0.1:0",
                     "--postgres", "127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(generator.uniform(0.0, 0.15))
                second.kill()
                second.wait()
            begin = time.monotonic()
            server.start()
            seconds = time.monotonic() - begin
            rows, found = check(binary, server, journal)
            problems += found
            acknowledged = sum(count for count, done in journal.values() if done)
            print(
                f"round {round_number}: {acknowledged} rows acknowledged, {rows} found, start took {seconds:.2f} s, "
                f"{len(problems)} problems", flush=True)
            if problems:
                break
        if not problems and server.stop() != 0:
            problems.append("the server did not stop in order")
        if not problems:
            verified = subprocess.run([binary, "verify", "--data", server.data], capture_output=True, text=True)
            if verified.returncode != 0:
                problems.append(f"verify: {verified.stdout}{verified.stderr}")
    finally:
        server.close()
    for problem in problems[:20]:
        print(f"PROBLEM (seed {seed}): {problem}", flush=True)
    if problems and keep_on_failure:
        print(f"the data is kept in {directory}", flush=True)
    else:
        shutil.rmtree(directory)
    return not problems


def main():
    parser = argparse.ArgumentParser(description="Kill a server again and again; no acknowledged row may be lost.")
    parser.add_argument("--binary", default=".build/release/varve")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("rounds", type=int, metavar="N")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    good = run(os.path.abspath(arguments.binary), arguments.rounds, seed)
    print("crash test: " + ("passed" if good else f"FAILED, repeat with --seed {seed}"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
