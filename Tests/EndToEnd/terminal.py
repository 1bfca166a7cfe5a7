"""A program on a terminal of its own: keys go in, and what it shows comes out."""

import os
import pty
import re
import select
import signal
import time


class Terminal:
    UP, DOWN, RIGHT, LEFT, HOME, END, DELETE = (
        "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~")
    BACKSPACE, ENTER, ESCAPE = "\x7f", "\r", "\x1b"

    @staticmethod
    def control(letter):
        return chr(ord(letter.upper()) - 64)

    def __init__(self, arguments, environment):
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.execve(arguments[0], arguments, {**os.environ, "TERM": "xterm", **environment})
        self.shown = ""

    def send(self, *keys):
        os.write(self.descriptor, "".join(keys).encode())

    def expect(self, text, timeout=30):
        """Waits until `text` is shown, and takes away what came up to its end."""
        deadline = time.monotonic() + timeout
        while text not in self.shown:
            if not self.read(max(0, deadline - time.monotonic())):
                raise AssertionError(f"{text!r} is not shown, but ...{self.shown[-1000:]!r}")
        before, _, self.shown = self.shown.partition(text)
        return before

    def read(self, timeout):
        """Whether something came."""
        ready, _, _ = select.select([self.descriptor], [], [], timeout)
        try:
            piece = os.read(self.descriptor, 65536) if ready else b""
        except OSError:
            # What Linux says when the program has ended.
            piece = b""
        # Movements of the cursor are no text.
        self.shown += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", piece.decode(errors="replace"))
        return bool(piece)

    def wait(self, timeout=30):
        """The exit code, once the program has ended by itself."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                os.close(self.descriptor)
                self.process = None
                return os.waitstatus_to_exitcode(status)
            self.read(0.05)
        raise AssertionError(f"the program does not end; it shows {self.shown!r}")

    def close(self):
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            os.close(self.descriptor)
            self.process = None
