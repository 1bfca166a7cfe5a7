"""`varve bench`: what it says of a load is true, and what goes wrong is said."""

import json
import os
import signal
import subprocess
import time

from support import HOUR, connect, expect


def bench(context, *flags, code=0):
    """The figures of a load, and what it said beside."""
    output, error = context.run("bench", "--format", "json", *flags, code=code)
    return json.loads(output)[0] if output else None, error


def target(server):
    return [
        "--connect", server.url, "--line-protocol", f"127.0.0.1:{server.ports['line-protocol']}",
        "--http", f"127.0.0.1:{server.ports['http']}"]


def begun(context, server, *flags, table="cpu"):
    """A load that has written rows already."""
    process = subprocess.Popen(
        [context.binary, "bench", *target(server), "--table", table, *flags], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    with connect(server) as connection:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if connection.execute("SELECT rows FROM varve.tables WHERE rows > 0 AND table_name = %s", [table]).fetchone():
                return process
            time.sleep(0.05)
    raise AssertionError(process.communicate(timeout=60))


def test_loads_of_each_kind_are_verified(context):
    server = context.server()
    kinds = [
        [], ["--protocol", "http", "--batch", "1500"], ["--schema", "iot", "--order", "random"],
        ["--schema", "narrow", "--order", "series"], ["--late", "5%", "--schema", "iot"],
        ["--late", "10%", "--duplicates", "10%", "--late-by", "2m"],
        ["--late", "10%", "--duplicates", "10%", "--protocol", "http", "--order", "random"],
        ["--churn", "10%", "--schema", "narrow"], ["--connections", "1", "--batch", "1", "--rows", "500"],
        ["--connections", "40", "--series", "100"]]
    for protocol in ["copy", "insert"]:
        kinds += [
            ["--protocol", protocol, "--idle", "20", "--probe"], ["--protocol", protocol, "--schema", "iot", "--batch", "1500"],
            ["--protocol", protocol, "--schema", "narrow", "--late", "10%", "--duplicates", "10%", "--late-by", "2m"],
            ["--protocol", protocol, "--connections", "1", "--batch", "1", "--rows", "500"]]
    for number, flags in enumerate(kinds):
        rows = 500 if "500" in flags else 20_000
        figures, error = bench(
            context, *target(server), "--rows", str(rows), "--series", "100", "--table", f"t{number}", *flags)
        expect((figures["verification"], figures["rejected"]), ("passed", 0))
        # On a slow machine progress is told there.
        assert "varve" not in error, error
        twice = figures["rows"] - rows
        assert (1500 < twice < 2500) if "--duplicates" in flags else twice == 0, figures
        with connect(server) as connection:
            expect(connection.execute(f"SELECT count(*) FROM t{number}").fetchone(), (rows,))


def test_a_load_of_the_present_has_the_times_at_which_it_is_written(context):
    server = context.server()
    figures, _ = bench(
        context, *target(server), "--table", "present", "--live", "--rate", "2k", "--series", "100", "--duration", "2s")
    with connect(server) as connection:
        rows, span, past = connection.execute(
            "SELECT count(*), extract(epoch FROM max(time) - min(time)), extract(epoch FROM now() - min(time))"
            " FROM present").fetchone()
    expect(rows, figures["rows"])
    # A row of each series each twentieth of a second, from when the load began.
    assert abs(float(span) - (rows / 2000 - 0.05)) < 0.06 and float(past) >= 1, (rows, span, past)
    _, error = context.run("bench", "--live", code=64)
    assert "--live needs --rate" in error, error


def test_a_benchmark_brings_a_server_of_its_own(context):
    folder = context.path("temporary")
    os.mkdir(folder)
    output, error = context.run(
        "bench", "--duration", "1s", "--rate", "20k", "--series", "100", "--probe", "--idle", "50", "--format", "line",
        "--", "--sync", "off", environment={"TMPDIR": folder})
    figures = dict(line.strip().split(" = ") for line in output.splitlines() if line)
    expect((figures["verification"], figures["idle_connections"]), ("passed", "50"))
    assert "varve" not in error, error
    # As many as the schedule had until then, but for what a slow machine leaves behind.
    assert 1_000 <= int(figures["rows"]) <= 30_000, figures
    assert int(figures["probes"]) > 5 and float(figures["probe_p50_milliseconds"]) > 0, figures
    assert float(figures["server_processor_seconds"]) > 0 and float(figures["server_peak_megabytes"]) > 10, figures
    expect(os.listdir(folder), [])
    _, error = context.run(
        "bench", "--rows", "10", "--series", "4", "--", "--nonsense", code=1, environment={"TMPDIR": folder})
    assert "did not start" in error and "--nonsense" in error, error
    expect(os.listdir(folder), [])


def test_a_table_that_exists_is_not_written_without_being_asked(context):
    server = context.server()
    flags = [*target(server), "--rows", "1000", "--series", "10"]
    bench(context, *flags)
    _, error = bench(context, *flags, code=1)
    assert "'cpu'" in error and "--append" in error, error
    figures, _ = bench(context, *flags, "--append", "--start", "2020-01-01")
    expect((figures["rows"], figures["verification"]), (1000, "none"))
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*), min(time)::text FROM cpu").fetchone(), (2000, "2020-01-01 00:00:00+00"))


def test_rejected_rows_end_a_load_with_the_servers_words(context):
    server = context.server()
    lines = server.lines()
    lines.send(f'cpu,hostname=x usage_user="much" {HOUR}\n')
    lines.sync()
    for protocol in ["tcp", "http"]:
        figures, error = bench(
            context, *target(server), "--append", "--rows", "1M", "--batch", "1000", "--protocol", protocol, code=1)
        assert figures["rejected"] > 0 and figures["rows"] == 0, figures
        assert f"rejected {figures['rejected']} rows" in error and "usage_user" in error, error
    for protocol in ["copy", "insert"]:
        figures, error = bench(
            context, *target(server), "--append", "--rows", "1M", "--batch", "1000", "--protocol", protocol, code=1)
        # Each connection's first batch at most.
        assert 1000 <= figures["rejected"] <= 4000 and figures["rows"] == 0, figures
        assert f"rejected {figures['rejected']} rows" in error and '"region"' in error and "does not exist" in error, error


def test_a_difference_is_found_and_named(context):
    server = context.server()
    process = begun(context, server, "--duration", "4s", "--rate", "5k", "--series", "10", table="watched")
    lines = server.lines()
    # A row of somebody else's, with a value where the sums are.
    lines.send(f"watched,hostname=stranger usage_user=7i {HOUR}\n")
    lines.sync()
    _, error = process.communicate(timeout=60)
    expect(process.returncode, 1)
    for what in ["count(*)", 'count(DISTINCT "hostname")', 'sum("usage_user")']:
        assert f"verification failed: {what} is " in error, error
    assert 'sum("usage_system")' not in error, error


def test_the_end_of_the_server_ends_a_load_with_an_error(context):
    for protocol in ["tcp", "http", "copy", "insert"]:
        server = context.server(name=protocol)
        process = begun(context, server, "--duration", "60s", "--protocol", protocol)
        server.kill()
        output, error = process.communicate(timeout=60)
        expect((process.returncode, output), (1, ""))
        assert "connection" in error and ("broke" in error or "closed" in error), error


def own_server(context):
    """A load with a server of its own, which is up, and the server's process."""
    process = subprocess.Popen(
        [context.binary, "bench", "--duration", "60s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": context.directory})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            found = [int(child) for child in children.read().split()]
        if found and threads(process.pid):
            return process, found[0]
        time.sleep(0.05)
    raise AssertionError(process.communicate(timeout=60))


def threads(process):
    """Their names; a load's begin once the server is up."""
    names = []
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/comm") as file:
            names.append(file.read())
    return [name for name in names if name.startswith("varve-load")]


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as stat:
            # Whoever adopted it may not have taken note of its end.
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_server_and_its_load_do_not_outlive_each_other(context):
    process, server = own_server(context)
    os.kill(server, signal.SIGKILL)
    output, error = process.communicate(timeout=60)
    expect((process.returncode, output), (1, ""))
    assert "the server ended with signal 9" in error, error
    expect([name for name in os.listdir(context.directory) if name.startswith("varve-bench")], [])
    process, server = own_server(context)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while is_running(server):
        assert time.monotonic() < deadline, "the server goes on alone"
        time.sleep(0.05)


def test_an_interrupted_load_is_reported_and_verified(context):
    server = context.server()
    process = begun(context, server, "--duration", "60s", "--late", "10%", "--format", "json")
    process.terminate()
    output, error = process.communicate(timeout=60)
    expect(process.returncode, 0)
    assert "ending the load" in error, error
    figures = json.loads(output)[0]
    expect(figures["verification"], "passed")
    assert figures["rows"] > 0 and figures["seconds"] < 55, figures


def test_loads_that_cannot_be_are_wrong_usage_or_refused(context):
    for flags in [
            ["--rows", "0"], ["--batch", "9G"], ["--duration", "900000d"], ["--connections", "1M"], ["--rows", "many"], ["--late", "150%"], ["--connect", "postgres://127.0.0.1:1"],
            ["--line-protocol", "127.0.0.1:1"], ["--order", "series", "--duration", "1s"], ["--append"],
            ["--late-by", "1m"], ["--start", "soon"], ["--protocol", "smoke"],
            ["--protocol", "copy", "--line-protocol", "127.0.0.1:1", "--append"],
            ["--connect", "postgres://127.0.0.1:1", "--line-protocol", "127.0.0.1:1", "--", "--sync", "off"]]:
        context.run("bench", *flags, code=64)
    for flags, words in [
            (["--start", "2020-01-01", "--rows", "1G", "--series", "10"], "future"),
            (["--series", "2", "--connections", "3"], "fewer than 3"), (["--table", "a b"], "not a name")]:
        _, error = context.run("bench", *flags, code=1)
        assert words in error, error
    _, error = context.run(
        "bench", "--connect", "postgres://127.0.0.1:1", "--line-protocol", "127.0.0.1:1", code=1)
    assert "cannot connect" in error, error
