"""What the end-to-end tests share: a context a test, clients, and expectations."""

import os
import subprocess
import time
import urllib.error
import urllib.request

import psycopg

from server import Server

HOUR = 1_700_000_000_000_000_000


class Skipped(Exception):
    """The machine does not have what the test needs."""


class Context:
    def __init__(self, binary, directory):
        self.binary, self.directory, self.servers, self.others = binary, directory, [], []

    def path(self, name):
        return os.path.join(self.directory, name)

    def server(self, *flags, name="data", **options):
        server = Server(self.binary, self.path(name), *flags, **options)
        self.servers.append(server)
        return server

    def run(self, *arguments, code=0, stdin=None, environment=None):
        """Runs the command; gives its standard output and standard error."""
        done = subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, input=stdin, timeout=120,
            env={**os.environ, **(environment or {})})
        assert done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    free_ports = ["--line-protocol", "127.0.0.1:0", "--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0"]

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def closing(self, other):
        """Something that is closed with the test."""
        self.others.append(other)

    def close(self):
        for one in self.others + self.servers:
            one.close()


def psql(server, *commands, code=0):
    arguments = ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.ports["postgres"]), "-U", "varve", "-d", "varve"]
    for command in commands:
        arguments += ["-c", command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env={**os.environ, "PGTZ": "UTC"})
    assert done.returncode == code, f"psql {commands}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def connect(server, **options):
    return psycopg.connect(
        host="127.0.0.1", port=server.ports["postgres"], user="varve", dbname="varve", autocommit=True, **options)


def request(url, body=None, headers=None, method=None):
    """Status, headers and body, whatever the status is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method), timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def expect(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def expect_error(sqlstate, body):
    """What `body` fails with, of which the SQLSTATE must be this one; None: any."""
    try:
        body()
    except psycopg.Error as error:
        expect(error.sqlstate, sqlstate or error.sqlstate)
        return error
    raise AssertionError(f"nothing failed; SQLSTATE {sqlstate} was expected")


def until(claim, seconds=30):
    """Waits for what other processes do."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def metrics(server):
    """Samples by name and labels."""
    samples = {}
    for line in request(server.http("/metrics"))[2].decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in samples, f"{name} twice"
            samples[name] = float(value)
    return samples


def flip(path, offset):
    """Turns one bit of a file around."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
