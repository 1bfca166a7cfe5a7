"""A `varve serve` process for tests: on free ports of loopback, in a directory of its own."""

import os
import select
import signal
import socket
import subprocess
import time


class Server:
    def __init__(self, binary, data, *flags, ports=None, environment=None):
        self.binary = binary
        self.data = data
        self.flags = flags
        self.environment = environment or {}
        self.ports = ports or {"line-protocol": 0, "http": 0, "postgres": 0}
        self.start()

    def start(self, timeout=60):
        arguments = [self.binary, "serve", "--data", self.data]
        for name, port in self.ports.items():
            arguments += [f"--{name}", f"127.0.0.1:{port}"]
        self.log = open(self.data.rstrip("/") + ".log", "ab")
        self.process = subprocess.Popen(
            arguments + list(self.flags), stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, **self.environment})
        listening = {}
        deadline = time.monotonic() + timeout
        text = b""
        while len(listening) < 3:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the server did not start; its log:\n{self.read_log()}")
            text += piece
            for line in text.decode().split("\n")[:-1]:
                word, name, address = line.split(" ")
                assert word == "listening", line
                listening[name] = int(address.rsplit(":", 1)[1])
        self.ports = listening

    def read_log(self):
        with open(self.data.rstrip("/") + ".log") as log:
            return log.read()

    def stop(self):
        """In order; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.wait()

    def wait(self, timeout=60):
        code = self.process.wait(timeout)
        self.process.stdout.close()
        self.log.close()
        return code

    def close(self):
        if self.process.poll() is None:
            self.kill()

    def lines(self):
        return LineConnection(self.ports["line-protocol"])

    @property
    def url(self):
        return f"postgres://127.0.0.1:{self.ports['postgres']}"

    def http(self, path):
        return f"http://127.0.0.1:{self.ports['http']}{path}"


class LineConnection:
    """A line protocol connection with `#sync`."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def sync(self, token="t1"):
        """The answer: rows, rejected, sequence, and the lines about errors."""
        self.send(f"#sync {token}\n")
        return self.answer(token)

    def answer(self, token):
        first = self.file.readline().decode()
        assert first.startswith(f"{token} ok "), f"answer to {token}: {first!r}"
        fields = dict(pair.split("=") for pair in first.split()[2:])
        errors = [self.file.readline().decode().rstrip("\n") for _ in range(min(int(fields["rejected"]), 100))]
        if int(fields["rejected"]) > 100:
            errors.append(self.file.readline().decode().rstrip("\n"))
        return int(fields["rows"]), int(fields["rejected"]), int(fields["sequence"]), errors

    def end(self):
        """Half-closes; gives the summary and what follows."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.file.read().decode()

    def close(self):
        self.file.close()
        self.socket.close()
