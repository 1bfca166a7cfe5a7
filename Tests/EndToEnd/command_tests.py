"""The command line."""

import json
import os
import threading

from support import HOUR, connect, expect, flip, request


def test_settings_come_from_flags_then_environment_then_file(context):
    path = context.write("varve.toml", 'http = "127.0.0.1:1"\nseal-age = "5m"\nsync = "off"\n')
    output, _ = context.run(
        "serve", "--print-config", "--config", path, "--sync", "interval=20",
        environment={"VARVE_SEAL_AGE": "7m", "VARVE_SYNC": "always"})
    assert f'http = "127.0.0.1:1"  # {path} line 1' in output, output
    assert 'seal-age = "7m"  # VARVE_SEAL_AGE' in output, output
    assert 'sync = "interval=20"  # --sync' in output, output
    again, _ = context.run("serve", "--print-config", "--config", context.write("again.toml", output))
    expect([line.split("  #")[0] for line in again.split("\n")], [line.split("  #")[0] for line in output.split("\n")])
    help_, _ = context.run("serve", "--help")
    for name in [line.split(" = ")[0] for line in output.split("\n") if " = " in line and not line.startswith("#")]:
        assert f"--{name}" in help_, name


def test_wrong_usage_and_failed_commands_have_their_exit_codes(context):
    context.run("nonsense", code=64)
    context.run("serve", "--nonsense", code=64)
    context.run("import", "--precision", "parsec", "x", code=64)
    _, error = context.run("serve", "--http", "0.0.0.0:0", code=1)
    assert "--insecure" in error, error
    _, error = context.run("sql", "--data", context.path("nowhere"), "SELECT 1", code=1)
    assert "nowhere" in error, error
    assert not os.path.exists(context.path("nowhere"))
    _, error = context.run("sql", "--connect", "postgres://127.0.0.1:1", "SELECT 1", code=1)
    assert "cannot connect" in error, error


def test_an_import_reports_what_it_rejects(context):
    lines = context.write("a.lp", f"cpu,host=a v=1 {HOUR}\nbad line\ncpu,host=a v=\"x\" {HOUR + 1}\ncpu,host=b v=3 {HOUR + 2}")
    output, error = context.run(
        "import", "--data", context.path("data"), "--rejects", context.path("rejects"), lines, code=1)
    expect(output, "lines read: 4, rows written: 2, lines rejected: 2\n")
    assert f"{lines}:2:" in error and f"{lines}:3:" in error, error
    with open(context.path("rejects")) as rejects:
        expect(len(rejects.read().splitlines()), 2)
    table = context.write("t.csv", "time,host,v\n2024-01-01T00:00:00Z,a,1.5\n2024-01-01T00:01:00Z,\"b,c\",\n")
    output, _ = context.run("import", "--data", context.path("data"), "--table", "t", "--tags", "host", table)
    expect(output, "lines read: 2, rows written: 2, lines rejected: 0\n")
    output, _ = context.run("sql", "--data", context.path("data"), "--format", "json", "SELECT host, v FROM t ORDER BY time")
    expect(json.loads(output), [{"host": "a", "v": 1.5}, {"host": "b,c", "v": None}])


def test_an_import_goes_through_a_server(context):
    server = context.server()
    url = f"tcp://127.0.0.1:{server.ports['line-protocol']}"
    text = "".join(f"cpu,host=h{i % 7} v={i},s=\"a\\\"b\" {1_700_000_000 + i}\n" for i in range(50_000))
    lines = context.write("a.lp", text + "bad\ncpu,host=h0 v=\"no\" 1\n")
    output, error = context.run("import", "--connect", url, "--precision", "s", lines, code=1)
    expect(output, "lines read: 50002, rows written: 50000, lines rejected: 2\n")
    assert f"{lines}:50001:" in error and f"{lines}:50002:" in error, error
    expect(connect(server).execute("SELECT count(*), sum(v) FROM cpu").fetchone(), (50_000, sum(range(50_000))))
    output, _ = context.run(
        "sql", "--connect", server.url, "--format", "csv", "SELECT s FROM cpu WHERE host = 'h1' ORDER BY time LIMIT 1")
    expect(output, 's\n"a""b"\n')


def test_admin_commands_work_on_a_closed_directory(context):
    server = context.server("--compaction", "off")
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} v={i} {HOUR + i * 10**9}\n" for i in range(5000)))
    lines.sync()
    _, error = context.run("flush", "--data", server.data, code=1)
    assert "server" in error, error
    output, _ = context.run("status", "--data", server.data, "--format", "json")
    expect((json.loads(output)[0]["table"], json.loads(output)[0]["rows"]), ("cpu", 5000))
    output, _ = context.run("sql", "--data", server.data, "--read-only", "--format", "csv", "SELECT count(*) FROM cpu")
    expect(output, "count\n5000\n")
    expect(server.stop(), 0)
    context.run("flush", "--data", server.data)
    output, _ = context.run("status", "--data", server.data, "--format", "json")
    expect((json.loads(output)[0]["rows"], json.loads(output)[0]["rows in memory"]), (5000, 0))
    context.run("verify", "--data", server.data)
    for folder in ["wal", "chunks", "manifest", "series"]:
        for name in os.listdir(os.path.join(server.data, folder)):
            output, _ = context.run("inspect", os.path.join(server.data, folder, name))
            assert output.strip(), name
    chunk = os.path.join(server.data, "chunks", os.listdir(os.path.join(server.data, "chunks"))[0])
    flip(chunk, 200)
    output, _ = context.run("verify", "--data", server.data, code=1)
    assert os.path.basename(chunk) in output, output
    output, error = context.run("sql", "--data", server.data, "SELECT max(v) FROM cpu WHERE v < 9999", code=1)
    assert os.path.basename(chunk) in error, error


def test_admin_commands_go_through_a_server(context):
    server = context.server("--compaction", "off")
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} v={i} {HOUR + i * 10**9}\n" for i in range(5000)))
    _, _, sequence, _ = lines.sync()
    output, _ = context.run("status", "--connect", server.url, "--format", "json")
    status = json.loads(output)[0]
    expect((status["table"], status["rows"], status["rows in memory"]), ("cpu", 5000, 5000))
    output, _ = context.run("flush", "--connect", server.url)
    expect(output, f"flushed up to commit {sequence}\n")
    status = json.loads(context.run("status", "--connect", server.url, "--format", "json")[0])[0]
    expect((status["rows"], status["rows in memory"], status["chunks"]), (5000, 0, 1))
    output, _ = context.run("status", "--connect", server.url)
    seals = next(line.split("|") for line in output.splitlines() if line.strip().startswith("seal "))
    expect([cell.strip() for cell in seals[:4]], ["seal", "1", "0", "5000"])
    lines.send(f"cpu,host=h1 v=1 {HOUR}\n")
    lines.sync("t2")
    output, _ = context.run("verify", "--connect", server.url, "--verbose")
    assert output.rstrip().endswith("5000 rows in chunks, 1 commits in the log; all sound"), output
    for kind in ["chunk ", "manifest ", "series file ", "log segment "]:
        assert any(line.startswith(kind + server.data) for line in output.splitlines()), output
    chunk = os.path.join(server.data, "chunks", os.listdir(os.path.join(server.data, "chunks"))[0])
    flip(chunk, 200)
    output, _ = context.run("verify", "--connect", server.url, code=1)
    assert f"DAMAGED {chunk}" in output and "1 problems" in output, output
    flip(chunk, 200)
    context.run("verify", "--connect", server.url)
    # It went on serving.
    lines.send(f"cpu,host=h1 v=1 {HOUR + 1}\n")
    expect(lines.sync("t3")[0], 1)
    for command in ["flush", "verify", "status"]:
        _, error = context.run(command, "--connect", "tcp://127.0.0.1:9009", code=1)
        assert "postgres://HOST:PORT" in error, error
        context.run(command, "--connect", server.url, "--data", server.data, code=64)


def test_compaction_makes_deletes_real_and_says_what_it_did(context):
    server = context.server("--compaction", "off")
    lines = server.lines()
    for part in range(3):
        lines.send("".join(f"cpu,host=h{i % 10} v={i}i {HOUR + (part * 1000 + i) * 10**9}\n" for i in range(1000)))
        lines.sync(f"t{part}")
        context.run("flush", "--connect", server.url)
    query = "SELECT count(*), sum(v), max(v) FROM cpu"
    with connect(server) as connection:
        expect(connection.execute("DELETE FROM cpu WHERE host IN ('h1', 'h2')").rowcount, 600)
        left = connection.execute(query).fetchone()
        expect(left[0], 2400)
        expect(connection.execute("SELECT count(*), sum(rows) FROM varve.chunks").fetchone(), (3, 3000))
    output, _ = context.run("compact", "--connect", server.url, "--table", "cpu")
    assert "3 chunks" in output and "1 chunk," in output, output
    with connect(server) as connection:
        expect(connection.execute(query).fetchone(), left)
        expect(connection.execute("SELECT rows, level, overlapping FROM varve.chunks").fetchone(), (2400, 2, False))
    text = request(server.http("/metrics"))[2].decode()
    assert 'varve_compactions_total{result="ok"} 1' in text and "varve_write_amplification 1." in text, text
    _, error = context.run("compact", "--data", server.data, code=1)
    assert "server" in error, error
    expect(server.stop(), 0)
    # At rest: no log, and one chunk that holds what is left.
    context.run("compact", "--data", server.data)
    expect(os.listdir(os.path.join(server.data, "wal")), [])
    expect(len(os.listdir(os.path.join(server.data, "chunks"))), 1)
    context.run("verify", "--data", server.data)
    output, _ = context.run("sql", "--data", server.data, "--read-only", "--format", "csv", query)
    expect(output.splitlines()[1], ",".join(str(value) for value in left))


def test_verifying_a_server_that_is_written_finds_no_damage(context):
    server = context.server()
    stop = threading.Event()

    def write():
        lines = server.lines()
        sent = 0
        while not stop.is_set():
            lines.send("".join(f"cpu,host=h{i % 10} v={i} {HOUR + (sent + i) * 10**9}\n" for i in range(200)))
            lines.sync(f"t{sent}")
            sent += 200
            if sent % 1000 == 0:
                context.run("flush", "--connect", server.url)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(2):
            output, _ = context.run("verify", "--connect", server.url)
            assert output.rstrip().endswith("all sound"), output
    finally:
        stop.set()
        thread.join()


def test_on_a_directory_that_a_server_holds_each_command_says_how_to_go_on(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\n")
    lines.sync()
    file = context.write("a.lp", f"cpu v=2 {HOUR + 1}\n")
    for arguments in [["flush"], ["verify"], ["sql", "SELECT 1"], ["import", file]]:
        _, error = context.run(arguments[0], "--data", server.data, *arguments[1:], code=1)
        assert f"process {server.process.pid}" in error and "--connect" in error, (arguments, error)
    _, error = context.run("repair", "--data", server.data, code=1)
    assert f"process {server.process.pid}" in error and "stop the server" in error, error
    # What only reads works beside it.
    output, _ = context.run("status", "--data", server.data, "--format", "json")
    expect(json.loads(output)[0]["rows"], 1)
    output, _ = context.run("sql", "--data", server.data, "--read-only", "--format", "csv", "SELECT count(*) FROM cpu")
    expect(output, "count\n1\n")
    _, error = context.run("import", "--connect", server.url, file, code=1)
    assert "tcp://HOST:PORT" in error, error
    _, error = context.run("import", "--connect", server.http("/"), file, code=1)
    assert "tcp://HOST:PORT" in error, error
