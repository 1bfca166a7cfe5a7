"""What ingest loses beside other work: the rows a second that one connection has acknowledged, alone and beside it, in
alternating pairs."""
import multiprocessing
import os
import subprocess
import time

BINARY = os.path.abspath(os.environ.get("VARVE", ".build/release/varve"))


def varve(*arguments):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"varve {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def load(server, blocks):
    """Sends the blocks of lines; the rows written."""
    lines = server.lines()
    for block in blocks:
        lines.send(block)
    written, rejected, _, _ = lines.sync()
    lines.close()
    assert rejected == 0, "no row is refused"
    return written


class Repeating:
    """Does `work(*arguments)` over and over until it is stopped; `count` says how often. In a process of its own: what it
    costs there is not the client's time."""

    def __init__(self, work, *arguments):
        self._going, self._count = multiprocessing.Value("b", 1), multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(target=self._run, args=(work, arguments))
        self._process.start()

    def _run(self, work, arguments):
        while self._going.value:
            work(*arguments)
            self._count.value += 1

    def stop(self):
        self._going.value = 0
        self._process.join()
        if self._process.exitcode != 0:
            raise SystemExit("what ran beside ingest failed")
        return self._count.value


def ingest(server, blocks, seconds):
    """Rows a second: the blocks in turn, each acknowledged before the next."""
    lines, count, begin = server.lines(), 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        lines.send(blocks[0])
        blocks.append(blocks.pop(0))
        count += lines.sync()[0]
    lines.close()
    return count / (time.monotonic() - begin)


def compare(server, blocks, seconds, pairs, what, work, *arguments):
    """Prints each pair and the median. `blocks(number)`: lines to send in a turn. `what`: the name of one `work`."""
    # At first there is nothing to compact yet.
    ingest(server, blocks(2 * pairs), seconds)
    rates = []
    for number in range(pairs):
        # In turn, and the other way round every second time: what changes meanwhile changes both.
        rate, count = {}, 0
        for beside in [False, True] if number % 2 == 0 else [True, False]:
            pieces = blocks(2 * number + beside)
            other = Repeating(work, *arguments) if beside else None
            rate[beside] = ingest(server, pieces, seconds)
            if other:
                count = other.stop()
        rates.append(rate[True] / rate[False])
        print(
            f"ingest: {rate[False] / 1e3:.0f} k rows/s alone, {rate[True] / 1e3:.0f} k beside {count} {what} "
            f"({100 - rates[-1] * 100:.1f} % less)", flush=True)
    print(f"ingest beside {what}, median: {100 - sorted(rates)[len(rates) // 2] * 100:.1f} % less")
