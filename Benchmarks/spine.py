"""The figures behind README's table; see Benchmarks/spine."""
import argparse
import glob
import os
import random
import shutil
import subprocess
import time

from bench import BASE, BINARY, ROOT, directory_bytes, load, peers, prepare, start, stop


def measure(dataset):
    """Ingest by both ways, recovery of the whole log after a kill, seal, size."""
    figures = {}
    for mode in ("http", "tcp"):
        directory = os.path.join(BASE, "run", "spine-" + mode)
        shutil.rmtree(directory, ignore_errors=True)
        process, ports = start(directory)
        loaded = load(f"{BASE}/data/{dataset}.lp", ports["line-protocol" if mode == "tcp" else "http"], mode)
        figures[mode] = {"rows_per_s": loaded["rows_per_s"], "MB_per_s": loaded["MB_per_s"], "loader_cpu_s": loaded["cpu_s"]}
        if mode == "tcp":
            process.kill()
        else:
            stop(process)
        process.wait()
    log = directory_bytes(directory + "/wal")
    began = time.time()
    process, _ = start(directory)
    figures["restart after kill -9"] = {"seconds": round(time.time() - began, 2), "log_MB": round(log / 1e6, 1)}
    stop(process)
    began = time.time()
    subprocess.run([BINARY, "flush", "--data", directory], check=True, stdout=subprocess.DEVNULL)
    figures["open and seal"] = {"seconds": round(time.time() - began, 2)}
    status = subprocess.run([BINARY, "status", "--data", directory], check=True, capture_output=True, text=True).stdout
    return figures, status


def long_log(megabytes=1000):
    """Restart with a log of about a gigabyte. It takes noise, which does not compress, and a head of several gigabytes
    to keep so much from being sealed: in normal running the log is cut at twice --seal-size."""
    noise = f"{BASE}/data/noise.lp"
    if not os.path.exists(noise):
        draw = random.Random(1).random
        with open(noise, "w") as out:
            for row in range(500_000):
                fields = ",".join(f"f{k}={draw()!r}" for k in range(10))
                out.write(f"noise,host=h{row % 100} {fields} {1_700_000_000_000_000_000 + row // 100 * 10 ** 10}\n")
    directory = os.path.join(BASE, "run", "spine-log")
    shutil.rmtree(directory, ignore_errors=True)
    flags = ["--memory", "16GB", "--seal-size", "4GB", "--seal-idle", "0s"]
    process, ports = start(directory, *flags)
    while directory_bytes(directory + "/wal") < megabytes * 1e6:
        load(noise, ports["line-protocol"], "tcp")
    process.kill()
    process.wait()
    log = directory_bytes(directory + "/wal")
    began = time.time()
    process, _ = start(directory, *flags)
    seconds = time.time() - began
    process.kill()
    process.wait()
    shutil.rmtree(directory, ignore_errors=True)
    return {"seconds": round(seconds, 2), "log_MB": round(log / 1e6, 1), "MB_per_s": round(log / 1e6 / seconds)}


def nab_size():
    """What `varve status` says of the real sensor series of NAB, a table a file; None where they are absent."""
    data = os.path.abspath(os.environ.get("VARVE_TEST_DATA", os.path.join(ROOT, "..", "shared", "data")))
    files = sorted(glob.glob(data + "/nab/real*/*.csv"))
    if not files:
        return None
    directory = os.path.join(BASE, "run", "spine-nab")
    shutil.rmtree(directory, ignore_errors=True)
    for file in files:
        table = os.path.splitext(os.path.basename(file))[0][:63]
        subprocess.run([BINARY, "import", "--data", directory, "--table", table, "--time-column", "timestamp", file],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run([BINARY, "flush", "--data", directory], check=True, stdout=subprocess.DEVNULL)
    status = subprocess.run([BINARY, "status", "--data", directory], check=True, capture_output=True, text=True).stdout
    return next(line for line in status.splitlines() if line.startswith("chunks:"))


def main():
    parser = argparse.ArgumentParser(description="Ingest, seal, size, query and recovery figures.")
    parser.add_argument("--dataset", default="cpu100", choices=["cpu100", "cpu4k", "iot", "tiny"])
    parser.add_argument("--peer", action="append", default=[], help="also measure this peer of peers.py, in the same run")
    parser.add_argument("--skip-queries", action="store_true")
    parser.add_argument("--long-log", action="store_true", help="also a restart with a log of 1 GB (takes 6 GB of memory)")
    options = parser.parse_args()
    prepare(options.dataset)
    figures, status = measure(options.dataset)
    if options.long_log:
        figures["restart, a long log"] = long_log()
    flags = ["--no-queries"] if options.skip_queries else []
    serve = f"{BINARY} serve --data {{dir}} --line-protocol 127.0.0.1:{{lp}} --http 127.0.0.1:{{http}} --postgres 127.0.0.1:{{pg}}"
    peers("bench", "varve", options.dataset, *flags, VARVE_CMD=serve, VARVE_INGEST="tcp")
    for peer in options.peer:
        peers("bench", peer, options.dataset, *flags)
    print(f"\n== varve, {options.dataset}")
    for name, values in figures.items():
        print(f"{name:24}", "  ".join(f"{key}={value:,}" for key, value in values.items()))
    print(status)
    print("NAB, 24 files as tables of day partitions:", nab_size() or "skipped, no test data")
    peers("report")


if __name__ == "__main__":
    main()
