"""How soon a commit reaches those who follow a query; see Benchmarks/subscribe."""
import argparse
import multiprocessing
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import bench

AIM_MILLISECONDS = 50
PROBE = re.compile(rb'"n":(\d+)')


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def background(port, rate, written):
    """Rows of a hundred hosts, in pieces of twenty milliseconds."""
    connection = connect(port)
    piece, number, begin = max(1, rate // 50), 0, time.monotonic()
    while True:
        connection.sendall("".join(
            f"probe,host=h{(number + row) % 100} v={row}.5,w={number + row}i {time.time_ns() + row}\n"
            for row in range(piece)).encode())
        number += piece
        written.value = number
        rest = begin + number / rate - time.monotonic()
        if rest > 0:
            time.sleep(rest)


class Subscriber:
    def __init__(self, port):
        sql = "SELECT n FROM probe WHERE host = 'probe' AND n IS NOT NULL"
        self.socket = connect(port)
        self.socket.sendall(
            f"GET /subscribe?q={urllib.parse.quote(sql)} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        self.text = b""
        self.arrivals = {}
        while b"event: ready" not in self.text:
            self.receive()

    def receive(self):
        piece = self.socket.recv(65536)
        now = time.monotonic()
        if not piece:
            raise SystemExit("the server ended a subscription")
        self.text += piece
        # An event is whole at its empty line.
        end = self.text.rfind(b"\n\n")
        if end < 0:
            return
        for found in PROBE.finditer(self.text[:end]):
            self.arrivals.setdefault(int(found.group(1)), now)
        if b"event: ready" not in self.text or self.text.count(b"\n\n") > 1:
            self.text = b"event: ready" + self.text[end:]


def follow(subscribers, wanted, done):
    selector = selectors.DefaultSelector()
    for subscriber in subscribers:
        selector.register(subscriber.socket, selectors.EVENT_READ, subscriber)
    deadline = None
    while any(len(each.arrivals) < wanted for each in subscribers):
        if done.is_set():
            deadline = deadline or time.monotonic() + 10
            if time.monotonic() > deadline:
                return
        for key, _ in selector.select(0.1):
            key.data.receive()


def part(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main():
    parser = argparse.ArgumentParser(description="How soon a commit reaches those who follow a query.")
    parser.add_argument("--subscribers", type=int, default=20)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--load", type=int, default=20_000, help="rows a second that others write meanwhile")
    parser.add_argument("--pause", type=float, default=10, help="milliseconds between two probes")
    parser.add_argument("--binary", default=bench.BINARY)
    options = parser.parse_args()
    bench.BINARY = options.binary
    if not os.path.exists(bench.BINARY):
        subprocess.run([os.path.join(bench.ROOT, "Tools", "build")], check=True)
    directory = tempfile.mkdtemp(prefix="varve-subscribe-")
    process, ports = bench.start(directory)
    loader = None
    try:
        lines = connect(ports["line-protocol"])
        answers = lines.makefile("rb")
        lines.sendall(b"probe,host=probe n=0i,v=0,w=0i\n#sync first\n")
        answers.readline()
        subscribers = [Subscriber(ports["http"]) for _ in range(options.subscribers)]
        written = multiprocessing.Value("q", 0)
        if options.load:
            loader = multiprocessing.Process(
                target=background, args=(ports["line-protocol"], options.load, written), daemon=True)
            loader.start()
            time.sleep(1)
        done = threading.Event()
        reader = threading.Thread(target=follow, args=(subscribers, options.probes, done))
        reader.start()
        sent, acknowledged = {}, {}
        begin, rows = time.monotonic(), written.value
        for number in range(1, options.probes + 1):
            sent[number] = time.monotonic()
            lines.sendall(f"probe,host=probe n={number}i\n#sync t{number}\n".encode())
            if not answers.readline().startswith(f"t{number} ok rows=1 ".encode()):
                raise SystemExit("a probe was not stored")
            acknowledged[number] = time.monotonic()
            time.sleep(options.pause / 1000)
        rate = (written.value - rows) / (time.monotonic() - begin)
        done.set()
        reader.join()
    finally:
        if loader:
            loader.kill()
        bench.stop(process)
        shutil.rmtree(directory)
    missing = sum(options.probes - len(each.arrivals) for each in subscribers)
    whole = [each.arrivals[n] - sent[n] for each in subscribers for n in each.arrivals]
    behind = [max(0, each.arrivals[n] - acknowledged[n]) for each in subscribers for n in each.arrivals]
    print(f"{options.subscribers} subscribers, {options.probes} commits each, {rate:.0f} rows/s beside them")
    for name, values in [("sent to event", whole), ("acknowledged to event", behind)]:
        print(f"{name:22} p50 {part(values, 0.5):7.2f} ms   p99 {part(values, 0.99):7.2f} ms   "
              f"max {max(values) * 1000:7.2f} ms")
    if missing:
        sys.exit(f"{missing} events did not come")
    if part(whole, 0.99) > AIM_MILLISECONDS:
        sys.exit(f"p99 is above {AIM_MILLISECONDS} ms")


if __name__ == "__main__":
    main()
