"""The figures of ingest, each beside what is asked of it; see Benchmarks/ingest."""
import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from bench import BASE, BINARY, RESULTS, peers, prepare, start, stop


class Server:
    """A server of ours in a directory of its own, for one figure."""

    def __init__(self, *flags):
        self.directory = os.path.join(BASE, "run", "ingest")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.flags = flags
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

    def restart(self):
        """Ends the process as a crash does, and starts it again; seconds until it listens."""
        self.process.kill()
        self.process.wait()
        begin = time.monotonic()
        self.process, self.ports = start(self.directory, *self.flags)
        self.url = f"postgres://127.0.0.1:{self.ports['postgres']}"
        return time.monotonic() - begin

    def connections(self, listener, count):
        return [socket.create_connection(("127.0.0.1", self.ports[listener]), 60) for _ in range(count)]

    def refused_line(self, line):
        """Code and message that a line is rejected with."""
        [connection] = self.connections("line-protocol", 1)
        with connection, connection.makefile() as answers:
            connection.sendall(f"{line}\n#sync t\n".encode())
            if "rejected=1" not in answers.readline():
                raise SystemExit(f"the line was taken: {line}")
            answer = answers.readline()
            return answer.split("code=")[1].split()[0], answer

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


def sql_protocols(options):
    flags = ["--duration", f"{options.seconds}s", "--series", "4000", "--protocol"]
    copy, insert = rates(
        options, lambda: run_load(*flags, "copy")["rows_per_second"],
        lambda: run_load(*flags, "insert")["rows_per_second"])
    show("cpu rows by COPY, binary", f"{millions(copy)} rows")
    show("the same by prepared INSERTs of many rows", f"{millions(insert)} rows")


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


def ten_million_series(options):
    with Server("--max-series", "10000000") as server:
        before = server.memory()
        figures = server.load(
            "--schema", "narrow", "--series", "10M", "--rows", "10M", "--table", "created", "--no-verify")
        show("ten million narrow series created", f"{figures['seconds']:.1f} s")
        show("  index memory of a series", f"{server.metric('varve_series_bytes') / 1e7:.0f} bytes", "≤ 300 bytes",
             server.metric("varve_series_bytes") / 1e7 <= 300)
        peak = server.memory("VmHWM") - before
        show("  memory of the process, at its peak", f"{peak / 1e6:,.0f} MB more", "≤ 8,000 MB", peak <= 8e9)
        code, error = server.refused_line("created,sensor=one_more value=1 1700000000000000000")
        show("  one more series", code, "limit_exceeded", code == "limit_exceeded" and "--max-series" in error)
        show("  opening again, the rows in the log", f"{server.restart():.1f} s")
        server.compact()
        show("  opening again, the rows in chunks", f"{server.restart():.1f} s")
        show("  memory of the process then", f"{server.memory() / 1e6:,.0f} MB")


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
    alone = run_load("--duration", f"{options.seconds}s", "--series", "4", "--rate", "4", "--probe")
    show("a line and its #sync, alone, p50 and p99",
         ", ".join(f"{alone[f'probe_{part}_milliseconds']:.1f}" for part in ("p50", "p99")) + " ms")
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
        beside.append(measured(options.idle))
    loss = 1 - statistics.median(run[0] for run in beside) / statistics.median(run[0] for run in without)
    show(f"{options.idle:,} idle connections beside, loss of rate", f"{loss:.1%}", "≤ 5 %", loss <= 0.05)
    memory = [statistics.median(run[1] for run in runs) / 1e6 for runs in (without, beside)]
    show("  peak memory without and with them", f"{memory[0]:,.0f} and {memory[1]:,.0f} MB")


def idle_memory(options):
    line = b"idle,host=h%d v=1 1700000000000000000\n"
    body = line % 0
    kinds = {
        "line-protocol": lambda number: (line % number + b"#sync t\n", b"t ok rows=1 rejected=0 "),
        "http": lambda number: (b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
                                b"HTTP/1.1 204 ")}
    for listener, write in kinds.items():
        with Server("--connections", "12000") as server:
            def written(number, connection):
                request, answer = write(number)
                connection.sendall(request)
                if not connection.recv(4096).startswith(answer):
                    raise SystemExit("a write was not acknowledged")

            [first] = server.connections(listener, 1)
            written(0, first)
            before = server.memory()
            connections = server.connections(listener, options.idle)
            # Each loop has accepted all of its own once the last ones are answered.
            for connection in connections[-8:]:
                written(0, connection)
            fresh = server.memory() - before
            for number, connection in enumerate(connections):
                written(number, connection)
            used = server.memory() - before
            show(f"an idle {listener} connection, fresh", f"{fresh / options.idle:,.0f} bytes")
            show("  once it has written a row", f"{used / options.idle:,.0f} bytes")
            for connection in [first, *connections]:
                connection.close()


def beside(options, peer):
    """Both load the same file in turns, by the bench folder's loader; ours over TCP, each row durable when acknowledged."""
    prepare("cpu100")
    serve = f"{BINARY} serve --data {{dir}} --line-protocol 127.0.0.1:{{lp}} --http 127.0.0.1:{{http}} --postgres 127.0.0.1:{{pg}}"

    def loaded(name, **environment):
        peers("bench", name, "cpu100", "--no-queries", **environment)
        with open(f"{RESULTS}/cpu100-{name}.json") as file:
            return json.load(file)["load"]["rows_per_s"]

    pairs = [(loaded("varve", VARVE_CMD=serve, VARVE_INGEST="tcp"), loaded(peer)) for _ in range(options.pairs)]
    for ours, other in pairs:
        show(f"cpu100 over TCP, and {peer}", f"{millions(ours)}, {millions(other)}")
    ratio = statistics.median(ours / other for ours, other in pairs)
    show(f"  times {peer}, median of {len(pairs)} pairs", f"{ratio:.1f}", "≥ 10" if peer == "victoriametrics" else "", ratio >= 10)


FIGURES = {
    "protocols": protocols, "sql": sql_protocols, "random": random_order, "series": million_series,
    "ten-million": ten_million_series, "late": late_rows, "writer": small_writer, "idle": idle_connections,
    "idle-memory": idle_memory}


def main():
    parser = argparse.ArgumentParser(description="The figures of ingest, each beside what is asked of it.")
    parser.add_argument("--seconds", type=int, default=8, help="length of a run (8)")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each kind, of which the median counts (3)")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections (10000)")
    parser.add_argument("--only", action="append", choices=FIGURES, help="this figure; all if none is named")
    parser.add_argument("--peer", action="append", default=[], help="also load this peer of peers.py, in turns with ours")
    options = parser.parse_args()
    os.makedirs(BASE + "/run", exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.idle + 100:
        sys.exit(f"{options.idle} connections need more than the {hard} files this process may open")
    print(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} busy in the minute before; an idle machine has 0", flush=True)
    # Memory that the machine has not used lately, and the disk's cache, are slower the first time.
    run_load("--duration", f"{options.seconds}s", "--no-verify")
    for name, figure in FIGURES.items():
        if not options.only or name in options.only:
            figure(options)
    for peer in options.peer:
        beside(options, peer)
    if failures:
        sys.exit(f"{len(failures)} figures missed what is asked: {'; '.join(failures)}")


if __name__ == "__main__":
    main()
