"""What the benchmarks against the peers share: the bench folder, a server of ours, and its loader."""
import json
import os
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.abspath(os.environ.get("VARVE_BENCH", os.path.join(ROOT, "..", "shared", "bench")))
BASE = os.environ.setdefault("BENCH_DIR", os.path.join(tempfile.gettempdir(), "varve-bench"))
RESULTS = os.environ.setdefault("BENCH_RESULTS", os.path.join(BASE, "results"))
BINARY = os.path.join(ROOT, ".build", "release", "varve")


def peers(*arguments, **environment):
    command = [sys.executable, os.path.join(BENCH, "peers.py"), *arguments]
    subprocess.run(command, check=True, env={**os.environ, **environment})


def start(directory, *flags):
    """A server on free ports: the process, and its ports by listener."""
    command = [BINARY, "serve", "--data", directory, "--log-format", "text", *flags]
    for listener in ("line-protocol", "http", "postgres"):
        command += ["--" + listener, "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ports = {}
    while len(ports) < 3:
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the server did not come up")
        _, listener, address = line.split()
        ports[listener] = int(address.rsplit(":", 1)[1])
    return process, ports


def stop(process):
    process.send_signal(signal.SIGTERM)
    if process.wait(120) != 0:
        raise SystemExit("the server ended with an error")


def load(file, port, mode):
    command = [BASE + "/lpload", "--file", file, "--port", str(port), "--mode", mode,
               "--path", "/write?db=varve", "--conns", "4", "--batch", "10000"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if mode == "tcp" and result["acked_rows"] != result["rows"]:
        raise SystemExit(f"{result['acked_rows']} of {result['rows']} rows acknowledged")
    return result


def directory_bytes(path):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


def check_folder():
    if not os.path.exists(os.path.join(BENCH, "peers.py")):
        raise SystemExit(f"no peers.py in {BENCH}; set VARVE_BENCH to the bench folder")


def prepare(*datasets):
    """Builds the bench folder's tools, and makes the data that is not there yet."""
    check_folder()
    os.makedirs(BASE + "/run", exist_ok=True)
    peers("build")
    for dataset in datasets:
        if not os.path.exists(f"{BASE}/data/{dataset}.lp"):
            peers("gen", dataset)
