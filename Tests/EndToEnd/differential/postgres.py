"""A PostgreSQL 15 server of one test: in a directory of its own, on a free port of loopback."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

import psycopg


def program(name):
    """The path of one of PostgreSQL 15's programs; None where it is not installed."""
    found = glob.glob(f"/usr/lib/postgresql/15/bin/{name}")
    return found[0] if found else None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PostgreSQL:
    def __init__(self, directory, *settings):
        self.directory = directory
        self.port = free_port()
        os.makedirs(directory)
        # The server refuses to run as root.
        self.prefix = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            self.prefix = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
            self.open_path(os.path.dirname(directory))
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        os.chmod(directory, 0o700)
        self.run(program("initdb"), "-D", directory, "-A", "trust", "-U", "varve", "--locale=C.UTF-8", "-E", "UTF8", "-N")
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={directory}",
                    "timezone=UTC", "fsync=off", "jit=off", "log_timezone=UTC", *settings]
        arguments = [part for setting in settings for part in ("-c", setting)]
        self.log = open(directory + ".log", "ab")
        self.process = subprocess.Popen(
            self.prefix + [program("postgres"), "-D", directory, *arguments], stdout=self.log, stderr=self.log, cwd="/")
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.05)

    @staticmethod
    def open_path(path):
        """Lets the server's user pass through the directories of the test."""
        while path not in ("/", "/tmp"):
            os.chmod(path, os.stat(path).st_mode | 0o011)
            path = os.path.dirname(path)

    def run(self, *command):
        subprocess.run(self.prefix + list(command), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def connect(self, **options):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="varve", dbname="postgres", autocommit=True, **options)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
