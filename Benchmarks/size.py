"""Bytes a value on disk, as sealed and after full compaction, beside the peers; see Benchmarks/size."""
import argparse
import json
import os
import shutil
import subprocess
import sys

from bench import BASE, BENCH, BINARY, RESULTS, directory_bytes, load, peers, prepare, start, stop

DATASETS = ["cpu100", "cpu4k", "iot"]
KINDS = ["chunks", "series", "manifest"]
WRONG_USAGE = 64


def sizes(directory):
    """Bytes by kind of file; all but the log."""
    found = {name: directory_bytes(f"{directory}/{name}") for name in KINDS}
    found["all"] = directory_bytes(directory) - directory_bytes(f"{directory}/wal")
    return found


def run(command, directory):
    result = subprocess.run([BINARY, command, "--data", directory], capture_output=True, text=True)
    if result.returncode not in (0, WRONG_USAGE):
        raise SystemExit(f"varve {command}: {result.stderr.strip()}")
    return result.returncode == 0


def measure(dataset):
    """Loads the data set through a server; its sizes as sealed, and compacted (None if this binary cannot)."""
    directory = os.path.join(BASE, "run", "size-" + dataset)
    shutil.rmtree(directory, ignore_errors=True)
    # The server would compact partitions of the past at once.
    process, ports = start(directory, "--compaction", "off")
    load(f"{BASE}/data/{dataset}.lp", ports["line-protocol"], "tcp")
    stop(process)
    if not run("flush", directory):
        raise SystemExit("varve flush is not there")
    sealed = sizes(directory)
    compacted = sizes(directory) if run("compact", directory) else None
    shutil.rmtree(directory, ignore_errors=True)
    return sealed, compacted


def peer_rows(dataset, names, value_count):
    """What `peers.py bench` found in this run: a line for each form of the peer's store."""
    for name in names:
        peers("bench", name, dataset, "--no-queries")
        with open(f"{RESULTS}/{dataset}-{name}.json") as file:
            result = json.load(file)
        yield name, result["store"]["bytes"] / value_count
        if result.get("second"):
            yield result["second"]["name"], result["second"]["bytes"] / value_count


def line(dataset, name, bytes_per_value, parts=""):
    print(f"{dataset:8} {name:26} {bytes_per_value:8.3f}  {parts}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Bytes a value on disk, all files but the log.")
    parser.add_argument("--dataset", action="append", choices=DATASETS, help="all three if none is named")
    parser.add_argument("--peer", action="append", default=[], help="also measure this peer of peers.py, in the same run")
    options = parser.parse_args()
    datasets = options.dataset or DATASETS
    prepare(*datasets)
    sys.path.insert(0, BENCH)
    from queries import DATASETS as shapes

    print(f"{'data':8} {'store':26} {'B/value':>8}  {', '.join(KINDS)} MB")
    for dataset in datasets:
        value_count = shapes[dataset]["rows"] * shapes[dataset]["values_per_row"]
        sealed, compacted = measure(dataset)
        for name, found in [("varve, as sealed", sealed), ("varve, compacted", compacted)]:
            if found is None:
                print(f"{dataset:8} {name:26} this binary has no `varve compact`")
                continue
            line(dataset, name, found["all"] / value_count, ", ".join(f"{found[kind] / 1e6:.2f}" for kind in KINDS))
        for name, bytes_per_value in peer_rows(dataset, options.peer, value_count):
            line(dataset, name, bytes_per_value)


if __name__ == "__main__":
    main()
