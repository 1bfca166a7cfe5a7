"""Rows a second of COPY … FROM STDIN; see Benchmarks/copy."""
import argparse
import calendar
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import time

from bench import BASE, peers, start, stop

POSTGRES = "/usr/lib/postgresql/15/bin/"
TAGS = 10
BLOCK = 256 * 1024


# ---------------------------------------------------------------- data
def rows(dataset):
    """Time as text, tags, fields."""
    path = f"{BASE}/data/{dataset}.csv"
    if not os.path.exists(path):
        peers("gen", dataset)
    with open(path) as file:
        names = next(file).rstrip("\n").split(",")
        yield names
        for line in file:
            yield line.rstrip("\n").split(",")


def binary_rows(lines):
    """PostgreSQL's binary format. Tags and times are encoded once for each value."""
    known_times, known_tags = {}, {}
    fields = struct.Struct("!" + "iq" * 10)
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for values in lines:
        when = known_times.get(values[0])
        if when is None:
            seconds = calendar.timegm(time.strptime(values[0], "%Y-%m-%dT%H:%M:%SZ")) - 946_684_800
            when = known_times[values[0]] = struct.pack("!hiq", 21, 8, seconds * 1_000_000)
        key = ",".join(values[1:1 + TAGS])
        tags = known_tags.get(key)
        if tags is None:
            tags = known_tags[key] = b"".join(
                struct.pack("!i", len(value.encode())) + value.encode() for value in values[1:1 + TAGS])
        numbers = []
        for value in values[1 + TAGS:]:
            numbers += (8, int(value))
        yield when + tags + fields.pack(*numbers)
    yield b"\xff\xff"


def text_rows(lines, delimiter):
    for values in lines:
        yield (delimiter.join(values) + "\n").encode()


def prepare(dataset, form):
    """The data as CopyData messages in a file: its path, the columns and the number of rows."""
    path = f"{BASE}/data/{dataset}.copy-{form}"
    lines = rows(dataset)
    names = next(lines)
    if not os.path.exists(path + ".rows"):
        count = 0
        with open(path, "wb") as out:
            pending = bytearray()

            def counted():
                nonlocal count
                for values in lines:
                    count += 1
                    yield values

            encoded = binary_rows(counted()) if form == "binary" else text_rows(counted(), "," if form == "csv" else "\t")
            for piece in encoded:
                pending += piece
                if len(pending) >= BLOCK:
                    out.write(b"d" + struct.pack("!i", len(pending) + 4) + pending)
                    pending.clear()
            if pending:
                out.write(b"d" + struct.pack("!i", len(pending) + 4) + pending)
        with open(path + ".rows", "w") as out:
            out.write(str(count))
    with open(path + ".rows") as file:
        return path, names, int(file.read())


# ---------------------------------------------------------------- the client
class Refused(Exception):
    """An error of the server."""


class Client:
    """As much of the protocol as it takes."""

    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        body = struct.pack("!i", 196608) + b"user\0" + user.encode() + b"\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.input = self.socket.makefile("rb")
        self.until(b"Z")

    def message(self):
        kind = self.input.read(1)
        return kind, self.input.read(struct.unpack("!i", self.input.read(4))[0] - 4)

    def until(self, wanted):
        messages = []
        while True:
            kind, body = self.message()
            if kind == b"E":
                raise Refused(body.replace(bytes(1), b" ").decode())
            messages.append((kind, body))
            if kind == wanted:
                return messages

    def query(self, sql):
        self.socket.sendall(b"Q" + struct.pack("!i", len(sql) + 5) + sql.encode() + b"\0")

    def run(self, sql):
        self.query(sql)
        return self.until(b"Z")

    def value(self, sql):
        row = next(body for kind, body in self.run(sql) if kind == b"D")
        return row[6:].decode()

    def copy(self, sql, path):
        self.query(sql)
        self.until(b"G")
        with open(path, "rb") as file:
            self.socket.sendfile(file)
        self.socket.sendall(b"c" + struct.pack("!i", 4))
        return next(body for kind, body in self.until(b"Z") if kind == b"C")[:-1].decode()


def measure(client, names, form, path, count):
    options = {"binary": "FORMAT binary", "csv": "FORMAT csv", "text": "FORMAT text"}[form]
    began = time.monotonic()
    tag = client.copy(f"COPY cpu ({', '.join(names)}) FROM STDIN ({options})", path)
    seconds = time.monotonic() - began
    if tag != f"COPY {count}" or client.value("SELECT count(*) FROM cpu") != str(count):
        raise SystemExit(f"{tag}: not all of {count} rows arrived")
    return count / seconds


def columns(names):
    return ", ".join(
        f"{name} {'timestamptz not null' if i == 0 else 'text' if i <= TAGS else 'bigint'}" for i, name in enumerate(names))


# ---------------------------------------------------------------- the servers
def varve(names, form, path, count, _):
    directory = os.path.join(BASE, "run", "copy-varve")
    shutil.rmtree(directory, ignore_errors=True)
    process, ports = start(directory)
    client = Client(ports["postgres"], "varve")
    client.run(f"CREATE TABLE cpu ({columns(names)}) WITH (varve.tags = '{', '.join(names[1:1 + TAGS])}')")
    rate = measure(client, names, form, path, count)
    client.socket.close()
    stop(process)
    return rate


def postgres(names, form, path, count, with_index):
    directory = os.path.join(BASE, "run", "copy-postgres")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    as_user = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to be root.
        for parent in (BASE, os.path.dirname(directory)):
            os.chmod(parent, 0o755)
        shutil.chown(directory, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    os.chmod(directory, 0o700)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": directory}
    subprocess.run(
        [*as_user, POSTGRES + "initdb", "-D", directory, "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8"],
        check=True, **quiet)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The settings of the bench folder, of which none weakens durability.
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": directory, "shared_buffers": "6GB",
        "max_wal_size": "8GB", "min_wal_size": "1GB", "checkpoint_timeout": "15min", "wal_compression": "lz4",
        "timezone": "UTC"}
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process = subprocess.Popen([*as_user, POSTGRES + "postgres", "-D", directory, *flags], **quiet)
    try:
        client = None
        while client is None:
            if process.poll() is not None:
                raise SystemExit("postgresql did not come up")
            try:
                client = Client(port, "postgres")
            except (OSError, Refused):
                time.sleep(0.05)
        client.run(f"CREATE TABLE cpu ({columns(names)})")
        if with_index:
            client.run("CREATE INDEX ON cpu (hostname, time DESC)")
        client.run("CHECKPOINT")
        rate = measure(client, names, form, path, count)
        client.socket.close()
        return rate
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="cpu100", choices=["cpu100", "cpu4k"])
    parser.add_argument("--format", default="binary", choices=["binary", "csv", "text"])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--only-varve", action="store_true")
    arguments = parser.parse_args()
    path, names, count = prepare(arguments.dataset, arguments.format)
    size = os.path.getsize(path)
    print(f"{arguments.dataset}: {count} rows, {size / count:.0f} bytes a row as {arguments.format}", flush=True)
    ratios, ours = [], []
    for _ in range(arguments.pairs):
        rate = varve(names, arguments.format, path, count, arguments.index)
        ours.append(rate)
        line = f"varve {rate / 1e6:.3f} M rows/s, {rate * size / count / 1e6:.0f} MB/s"
        if not arguments.only_varve:
            other = postgres(names, arguments.format, path, count, arguments.index)
            ratios.append(rate / other)
            line += f"; postgresql {other / 1e6:.3f} M rows/s; ratio {rate / other:.2f}"
        print(line, flush=True)
    print(f"median: varve {statistics.median(ours) / 1e6:.3f} M rows/s" + (
        f", {statistics.median(ratios):.2f} times postgresql" if ratios else ""))


if __name__ == "__main__":
    main()
