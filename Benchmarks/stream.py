"""How fast rows leave the server; see Benchmarks/stream."""
import argparse
import os
import re
import shutil
import socket
import struct
import time

from bench import BASE, check_folder, load, prepare, start, stop

check_folder()

NARROW = "SELECT time, hostname, usage_user FROM cpu"
# Name, statement, whether its values are asked for in binary.
ANSWERS = [
    ("rows, 3 columns, binary", NARROW, True),
    ("rows, 3 columns, text", NARROW, False),
    ("rows, all columns, binary", "SELECT * FROM cpu", True),
    ("rows, all columns, text", "SELECT * FROM cpu", False),
    ("COPY, all columns, binary", "COPY cpu TO STDOUT (FORMAT binary)", False),
    ("COPY, all columns, csv", "COPY cpu TO STDOUT (FORMAT csv)", False),
    ("COPY, all columns, text", "COPY cpu TO STDOUT", False),
    ("a series of ten million", "SELECT n FROM generate_series(1, 10000000) AS g(n)", True),
]
READY = b"Z\x00\x00\x00\x05I"


class Receiver:
    """One connection that counts bytes; of an answer it looks at the end alone."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.memory = memoryview(bytearray(1 << 20))
        parameters = b"user\0varve\0database\0varve\0\0"
        self.socket.sendall(struct.pack("!ii", len(parameters) + 8, 3 << 16) + parameters)
        self.receive()

    @staticmethod
    def message(kind, body):
        return kind + struct.pack("!i", len(body) + 4) + body

    def receive(self):
        """Up to the server's readiness: the bytes, and the last of them."""
        count, tail = 0, b""
        while not tail.endswith(READY):
            received = self.socket.recv_into(self.memory)
            if received == 0:
                raise SystemExit("the server closed the connection")
            count += received
            tail = (tail + bytes(self.memory[max(0, received - 256):received]))[-256:]
        return count, tail

    def ask(self, sql, is_binary):
        """How many rows and bytes came."""
        formats = struct.pack("!hh", 1, 1) if is_binary else struct.pack("!h", 0)
        self.socket.sendall(
            self.message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
            + self.message(b"B", b"\0\0" + struct.pack("!hh", 0, 0) + formats)
            + self.message(b"E", b"\0" + struct.pack("!i", 0)) + self.message(b"S", b""))
        count, tail = self.receive()
        tag = re.search(rb"C....(?:SELECT|COPY) (\d+)\x00Z....I$", tail, re.DOTALL)
        if not tag:
            raise SystemExit(f"{sql} did not end well: {tail!r}")
        return int(tag.group(1)), count


def memory(process, name):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.MULTILINE).group(1)) / 1024


def main():
    parser = argparse.ArgumentParser(description="Rows a second over the wire, of answers of millions of rows.")
    parser.add_argument("--dataset", default="cpu100", choices=["cpu100", "cpu4k", "tiny"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="only answers whose name has this in it")
    options = parser.parse_args()
    prepare(options.dataset)
    directory = os.path.join(BASE, "run", "stream")
    shutil.rmtree(directory, ignore_errors=True)
    process, ports = start(directory)
    try:
        load(f"{BASE}/data/{options.dataset}.lp", ports["line-protocol"], "tcp")
        receiver = Receiver(ports["postgres"])
        # At rest, and read once: neither sealing nor the disk is measured.
        time.sleep(10)
        receiver.ask("SELECT * FROM cpu", True)
        before = memory(process, "VmRSS")
        with open(f"/proc/{process.pid}/clear_refs", "w") as peak:
            peak.write("5")
        print(f"{'answer':28}{'rows':>10}{'seconds':>9}{'M rows/s':>10}{'MB/s':>8}")
        for name, sql, is_binary in ANSWERS:
            if options.only not in name:
                continue
            best = None
            for _ in range(options.repeat):
                began = time.perf_counter()
                rows, count = receiver.ask(sql, is_binary)
                taken = time.perf_counter() - began
                best = min(best or taken, taken)
            print(f"{name:28}{rows:10}{best:9.2f}{rows / best / 1e6:10.2f}{count / best / 1e6:8.0f}")
        print(f"the server's memory grew by at most {memory(process, 'VmHWM') - before:.0f} MB over {before:.0f} MB")
    finally:
        stop(process)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
