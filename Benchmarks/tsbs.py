"""The query types of TSBS beside the peers; see Benchmarks/tsbs."""
import argparse
import glob
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time

from bench import BASE, BENCH, BINARY, RESULTS, check_folder, load, peers, prepare, start, stop
from tsbs_answers import Answers

check_folder()
sys.path.insert(0, BENCH)
import peers as peer_tools
import queries as definitions

WARM_UP = 2
NOTHING = {"nothing": [("SELECT 1", None)] * (100 + WARM_UP)}
# These answer within the process that asks.
IN_PROCESS = ("duckdb", "clickhouse")


class Client:
    """One connection; answers are received whole, as text, and not parsed."""

    def __init__(self, port):
        import psycopg
        self.connection = psycopg.connect(host="127.0.0.1", port=port, user="varve", dbname="varve", autocommit=True)

    def ask(self, sql):
        result = self.connection.pgconn.exec_(sql.encode())
        if result.status not in (1, 2):
            raise SystemExit(f"{result.error_message.decode()}{sql}")
        return result

    def rows(self, sql):
        """The names of the columns, and the rows."""
        result = self.ask(sql)
        names = [result.fname(column).decode() for column in range(result.nfields)]
        return names, [tuple(None if (value := result.get_value(row, column)) is None else value.decode()
                      for column in range(result.nfields)) for row in range(result.ntuples)]


def texts(dataset, count):
    """By type: the queries, those to warm up last, and what each asks for."""
    found = definitions.instances(dataset, count + WARM_UP)
    return {name: [(definitions.render("tsql", each), each) for each in all] for name, all in found.items()}


def percentiles(milliseconds):
    ordered = sorted(milliseconds)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def measure(client, queries, count):
    """By type: the median and the 95th percentile, in ms."""
    figures = {}
    for name, asked in queries.items():
        for sql, _ in asked[count:]:
            client.ask(sql)
        taken = []
        for sql, _ in asked[:count]:
            began = time.perf_counter()
            client.ask(sql)
            taken.append((time.perf_counter() - began) * 1e3)
        figures[name] = percentiles(taken)
    return figures


def measure_under_load(client, ports, queries, count, rows_per_second):
    """The same while `varve bench` writes to a table of its own at half of the speed that was reached.

    Writer, server and client want the same processors. What that alone costs a client is told by a query of nothing,
    and what the queries cost the writer by the speed it kept.
    """
    asked_rate = int(rows_per_second / 2)
    command = [BINARY, "bench", "--connect", f"postgres://127.0.0.1:{ports['postgres']}",
               "--line-protocol", f"127.0.0.1:{ports['line-protocol']}", "--http", f"127.0.0.1:{ports['http']}",
               "--table", "load", "--rate", str(asked_rate), "--duration", "3600s"]
    idle = measure(client, NOTHING, 100)["nothing"]
    writer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        rows, began = rows_of_load(client), time.monotonic()
        figures = measure(client, queries, count)
        nothing = measure(client, NOTHING, 100)["nothing"]
        rate = (rows_of_load(client) - rows) / (time.monotonic() - began)
        if writer.poll() is not None:
            raise SystemExit("the load ended before the queries did")
        print(f"under load: {rate / 1e6:.2f} M rows/s written, {rate / asked_rate:.0%} of half speed;"
              f" SELECT 1 takes {idle[0]:.3f} ms, p95 {idle[1]:.3f}, under load {nothing[0]:.3f} and {nothing[1]:.3f}")
        return figures
    finally:
        writer.terminate()
        writer.wait()


def rows_of_load(client):
    return int(client.rows("SELECT count(*) FROM load")[1][0][0])


def verify(client, dataset, queries, count):
    answers = Answers(f"{BASE}/data/{dataset}.csv", definitions.DATASETS[dataset])
    wrong = 0
    for name, asked in queries.items():
        differences = [(sql, difference) for sql, wanted in asked[:count]
                       if (difference := answers.difference(wanted, *client.rows(sql)))]
        print(f"{dataset} {name:24} {len(asked[:count]) - len(differences)} of {len(asked[:count])} answers are right")
        for sql, difference in differences[:2]:
            print(f"   {sql}\n   {difference}")
        wrong += len(differences)
    return wrong


def stored(folder, dataset):
    """By peer: its p50 by type. A second form of a store is a peer of its own."""
    found = {}
    for file in glob.glob(f"{folder}/{dataset}-*.json"):
        with open(file) as opened:
            result = json.load(opened)
        if result["peer"] == "varve":
            continue
        for peer, queries in ((result["peer"], result.get("queries")),
                              (result["peer"] + "-compressed", (result.get("second") or {}).get("queries"))):
            if queries:
                found[peer] = {name: each["p50_ms"] for name, each in queries.items() if "p50_ms" in each}
    return found


def peer_figures(dataset, rerun):
    """By peer its p50 by type, and which of them ran in this run."""
    baseline = stored(os.path.join(BENCH, "results", "raw"), dataset)
    for peer in rerun:
        peers("bench", peer, dataset)
    ran = {peer: figures for peer, figures in (stored(RESULTS, dataset) if rerun else {}).items()
           if any(peer.startswith(name) for name in rerun)}
    figures = {}
    for peer, all in baseline.items():
        figures[peer] = {}
        for name, milliseconds in all.items():
            ratios = [ran[other][name] / baseline[other][name] for other in ran
                      if name in ran[other] and name in baseline.get(other, {})]
            figures[peer][name] = milliseconds * (statistics.geometric_mean(ratios) if ratios else 1)
    return {**figures, **ran}, set(ran)


def best(figures, name, over_a_wire=False):
    candidates = [(all[name], peer) for peer, all in figures.items()
                  if name in all and not (over_a_wire and peer.startswith(IN_PROCESS))]
    return min(candidates, default=(math.nan, "-"))


def table(dataset, own, loaded, figures, ran):
    print(f"\n== {dataset}: p50 in ms, one client; ratios are the peer's time over ours"
          f" ({', '.join(sorted(ran)) or 'no peer'} in this run, * stored)")
    head = f"{'query':24}{'varve':>9}{'p95':>9}{'best peer':>11}{'ratio':>8}  {'':24}{'over a wire':>12}{'ratio':>8}"
    print(head + (f"{'  p95 under load':>16}{'÷ idle':>8}" if loaded else ""))
    for name, (median, high) in own.items():
        peer, who = best(figures, name)
        wire, _ = best(figures, name, over_a_wire=True)
        line = (f"{name:24}{median:9.3f}{high:9.3f}{peer:11.3f}{peer / median:8.2f}  "
                f"{who + ('' if who in ran else ' *'):24}{wire:12.3f}{wire / median:8.2f}")
        if loaded:
            line += f"{loaded[name][1]:16.3f}{loaded[name][1] / high:8.2f}"
        print(line)
    behind = [name for name, (median, _) in own.items() if median >= best(figures, name)[0]]
    print(f"behind the best peer: {', '.join(behind) or 'none'}")


def run(dataset, options):
    queries = texts(dataset, options.instances)
    if options.types:
        queries = {name: asked for name, asked in queries.items() if name in options.types.split(",")}
    directory = os.path.join(BASE, "run", "tsbs")
    shutil.rmtree(directory, ignore_errors=True)
    process, ports = start(directory)
    try:
        loaded = load(f"{BASE}/data/{dataset}.lp", ports["line-protocol"], "tcp")
        if options.compact:
            subprocess.run([BINARY, "compact", "--connect", f"postgres://127.0.0.1:{ports['postgres']}"], check=True)
        peer_tools.wait_stable(directory, process.pid, quiet=10)
        client = Client(ports["postgres"])
        if options.verify:
            return verify(client, dataset, queries, options.instances)
        own = measure(client, queries, options.instances)
        under_load = None
        if options.under_load:
            under_load = measure_under_load(client, ports, queries, options.instances, loaded["rows_per_s"])
    finally:
        stop(process)
        shutil.rmtree(directory, ignore_errors=True)
    figures, ran = peer_figures(dataset, options.peer)
    table(dataset, own, under_load, figures, ran)
    return 0


def main():
    parser = argparse.ArgumentParser(description="The query types of TSBS over the wire, beside the peers.")
    parser.add_argument("--dataset", action="append", choices=["cpu100", "cpu4k", "tiny"])
    parser.add_argument("--peer", action="append", default=[], help="also measure this peer of peers.py, in the same run")
    parser.add_argument("--instances", type=int, default=25)
    parser.add_argument("--types", help="only these query types, with commas between")
    parser.add_argument("--compact", action="store_true", help="with the chunks in their smallest form")
    parser.add_argument("--verify", action="store_true", help="hold every answer against the rows instead of timing it")
    parser.add_argument("--under-load", action="store_true", help="once more beside a load at half speed")
    parser.add_argument("--write-queries", metavar="FOLDER", help="only write the queries, for query-benchmark")
    options = parser.parse_args()
    datasets = options.dataset or ["cpu100", "cpu4k"]
    if options.write_queries:
        for dataset in datasets:
            with open(os.path.join(options.write_queries, dataset + ".queries"), "w") as out:
                for name, asked in texts(dataset, options.instances).items():
                    for sql, _ in asked[:options.instances]:
                        out.write(f"{name}\t{sql}\n")
        return
    prepare(*datasets)
    wrong = sum(run(dataset, options) for dataset in datasets)
    if wrong:
        raise SystemExit(f"{wrong} answers are wrong")


if __name__ == "__main__":
    main()
