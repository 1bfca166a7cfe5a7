"""The figures of ingest, each beside what is asked of it; see Benchmarks/ingest."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

from bench import BASE, BINARY, start, stop


class Server:
    """A server of ours in a directory of its own, for one figure."""

    def __init__(self, *flags):
        self.directory = os.path.join(BASE, "run", "ingest")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.process, self.ports = start(self.directory, *flags)
        self.url = f"postgres://127.0.0.1:{self.ports['postgres']}"

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            stop(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, *flags):
        """The figures of a load, which must be verified."""
        command = [
            BINARY, "bench", "--format", "json", "--connect", self.url,
            "--line-protocol", f"127.0.0.1:{self.ports['line-protocol']}", "--http", f"127.0.0.1:{self.ports['http']}",
            *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)[0]

    def compact(self):
        """Seals and compacts all there is; seconds."""
        begin = time.monotonic()
        subprocess.run([BINARY, "compact", "--connect", self.url], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - begin

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[1])
        raise SystemExit(f"/metrics has no {name}")

    def memory(self, name="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name + ":")) * 1024

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


failures = []


def show(name, value, asked="", good=True):
    mark = "" if not asked else "ok" if good else "MISSED"
    print(f"{name:52} {value:>26}   {asked:22} {mark}", flush=True)
    if asked and not good:
        failures.append(name)


def millions(number):
    return f"{number / 1e6:.2f} M/s"


def run_load(*flags, server_flags=()):
    with Server(*server_flags) as server:
        return server.load(*flags)


def rates(options, *variants):
    """The median rows a second of each variant, in alternating runs."""
    found = [[] for _ in variants]
    for _ in range(options.pairs):
        for rows, variant in zip(found, variants):
            rows.append(variant())
    return [statistics.median(rows) for rows in found]


def protocols(options):
    flags = ["--duration", f"{options.seconds}s", "--series", "4000"]
    tcp, http = rates(
        options, lambda: run_load(*flags)["rows_per_second"],
        lambda: run_load(*flags, "--protocol", "http")["rows_per_second"])
    show("cpu lines over TCP, 4,000 series", f"{millions(tcp)} rows", "≥ 2.75 M/s", tcp >= 2.75e6)
    show("the same over HTTP, share of TCP's", f"{millions(http)} rows, {http / tcp:.0%}", "≥ 60 %", http >= 0.6 * tcp)


def random_order(options):
    flags = ["--duration", f"{options.seconds}s", "--series", "100000", "--order", "random"]
    [rate] = rates(options, lambda: run_load(*flags)["rows_per_second"])
    show("100,000 series in random order", f"{millions(rate)} rows", "≥ 1 M/s", rate >= 1e6)


def million_series(options):
    for schema in ["cpu", "narrow"]:
        with Server() as server:
            before = server.memory()
            figures = server.load(
                "--schema", schema, "--series", "1M", "--rows", "1M", "--table", "created", "--no-verify")
            seconds, index = figures["seconds"], server.metric("varve_series_bytes") / 1e6
            show(f"a million {schema} series created", f"{seconds:.2f} s", "< 10 s", seconds < 10)
            show(f"index memory of a {schema} series", f"{index:.0f} bytes", "≤ 300 bytes", index <= 300)
            show("  memory of the process, with rows", f"{(server.memory() - before) / 1e6:,.0f} MB more")


def late_rows(options):
    """In order against 5 % late by up to an hour: the same rows, and the time until all is compacted."""
    def measured(*flags):
        with Server() as server:
            figures = server.load(
                "--rows", f"{2_000_000 * options.seconds}", "--series", "4000", "--no-verify", *flags)
            seconds = figures["seconds"] + server.compact()
            return figures["rows"] / seconds, figures["rows"] / server.processor_seconds()

    in_order, late = [], []
    for _ in range(options.pairs):
        in_order.append(measured())
        late.append(measured("--late", "5%", "--late-by", "1h"))
    rate, processor = (
        statistics.median(run[part] for run in late) / statistics.median(run[part] for run in in_order)
        for part in (0, 1))
    plain = statistics.median(run[0] for run in in_order)
    show("in order, until compacted", f"{millions(plain)} rows")
    show("5 % late by up to 1 h, share of that rate", f"{rate:.0%}", "≥ 85 %", rate >= 0.85)
    show("  the same by the server's processor time", f"{processor:.0%}")


def small_writer(options):
    figures = run_load("--duration", f"{2 * options.seconds}s", "--series", "4000", "--probe")
    p99 = figures["probe_p99_milliseconds"]
    show("a line and its #sync under full load, p99", f"{p99:.1f} ms", "≤ 20 ms", p99 <= 20)
    show("  p50, p99.9, longest", ", ".join(f"{figures[f'probe_{part}_milliseconds']:.1f}" for part in ("p50", "p999", "max"))
         + " ms")
    show("  the load beside", f"{millions(figures['rows_per_second'])} rows")


def idle_connections(options):
    def measured(idle):
        with Server("--connections", "12000") as server:
            figures = server.load(
                "--duration", f"{options.seconds}s", "--series", "4000", "--idle", str(idle), "--no-verify")
            return figures["rows_per_second"], server.memory("VmHWM")

    without, beside = [], []
    for _ in range(options.pairs):
        without.append(measured(0))
        beside.append(measured(10_000))
    loss = 1 - statistics.median(run[0] for run in beside) / statistics.median(run[0] for run in without)
    show("10,000 idle connections beside, loss of rate", f"{loss:.1%}", "≤ 5 %", loss <= 0.05)
    memory = [statistics.median(run[1] for run in runs) / 1e6 for runs in (without, beside)]
    show("  peak memory without and with them", f"{memory[0]:,.0f} and {memory[1]:,.0f} MB")


FIGURES = {
    "protocols": protocols, "random": random_order, "series": million_series, "late": late_rows,
    "writer": small_writer, "idle": idle_connections}


def main():
    parser = argparse.ArgumentParser(description="The figures of ingest, each beside what is asked of it.")
    parser.add_argument("--seconds", type=int, default=8, help="length of a run (8)")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each kind, of which the median counts (3)")
    parser.add_argument("--only", action="append", choices=FIGURES, help="this figure; all if none is named")
    options = parser.parse_args()
    os.makedirs(BASE + "/run", exist_ok=True)
    print(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} busy in the minute before; an idle machine has 0", flush=True)
    # Memory that the machine has not used lately, and the disk's cache, are slower the first time.
    run_load("--duration", f"{options.seconds}s", "--no-verify")
    for name, figure in FIGURES.items():
        if not options.only or name in options.only:
            figure(options)
    if failures:
        sys.exit(f"{len(failures)} figures missed what is asked: {'; '.join(failures)}")


if __name__ == "__main__":
    main()
