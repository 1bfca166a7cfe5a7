"""What the server promises its clients, asked of a running one. Each function is a claim."""

import gzip
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import psycopg

from server import LineConnection, Server

HOUR = 1_700_000_000_000_000_000


class Skipped(Exception):
    """The machine does not have what the test needs."""


class Context:
    def __init__(self, binary, directory):
        self.binary, self.directory, self.servers = binary, directory, []

    def path(self, name):
        return os.path.join(self.directory, name)

    def server(self, *flags, name="data", **options):
        server = Server(self.binary, self.path(name), *flags, **options)
        self.servers.append(server)
        return server

    def run(self, *arguments, code=0, stdin=None, environment=None):
        """Runs the command; gives its standard output and standard error."""
        done = subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, input=stdin, timeout=120,
            env={**os.environ, **(environment or {})})
        assert done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def close(self):
        for server in self.servers:
            server.close()


def psql(server, *commands, code=0):
    arguments = ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.ports["postgres"]), "-U", "varve", "-d", "varve"]
    for command in commands:
        arguments += ["-c", command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env={**os.environ, "PGTZ": "UTC"})
    assert done.returncode == code, f"psql {commands}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def connect(server, **options):
    return psycopg.connect(
        host="127.0.0.1", port=server.ports["postgres"], user="varve", dbname="varve", autocommit=True, **options)


def request(url, body=None, headers=None, method=None):
    """Status, headers and body, whatever the status is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method), timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def expect(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


# Line protocol over TCP


def test_a_synced_line_is_there_for_psql(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a usage=1.5,n=3i {HOUR}\ncpu,host=b usage=2.5 {HOUR + 1}\n")
    rows, rejected, sequence, errors = lines.sync("hello-1_A")
    expect((rows, rejected, errors), (2, 0, []))
    assert sequence > 0
    output = psql(server, "SELECT host, usage, n FROM cpu ORDER BY host")
    assert "a    |   1.5 | 3" in output and "(2 rows)" in output, output


def test_a_bad_line_is_reported_and_the_rest_goes_on(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a usage=1 {HOUR}\nnonsense\ncpu,host=a usage=\"text\" {HOUR + 1}\ncpu,host=a usage=2 {HOUR + 2}\n")
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (2, 2))
    assert errors[0].startswith("t1 error line=2 column=") and "code=syntax" in errors[0], errors
    assert errors[1].startswith("t1 error line=3 column=") and "code=type_conflict" in errors[1], errors
    lines.send(f"cpu,host=a usage=3 {HOUR + 3}\nbad\n")
    rows, rejected, _, errors = lines.sync("t2")
    expect((rows, rejected), (1, 1))
    assert errors[0].startswith("t2 error line=7 "), errors


def test_the_half_close_is_answered_with_the_whole_connections_sum(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\nbad\n")
    lines.sync()
    lines.send(f"cpu v=2 {HOUR + 1}\ncpu v=3 {HOUR + 2}")
    answer = lines.end()
    assert answer.startswith("end ok rows=3 rejected=1 sequence="), answer


def test_a_stamp_in_the_future_is_rejected(context):
    server = context.server("--max-future", "1h")
    lines = server.lines()
    now = time.time_ns()
    lines.send(f"cpu v=1 {now + 1800 * 10**9}\ncpu v=2 {now + 7200 * 10**9}\ncpu v=3\n")
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (2, 1))
    assert "code=timestamp_in_future" in errors[0], errors


def test_a_huge_line_and_a_binary_stream_harm_nobody(context):
    server = context.server()
    lines = server.lines()
    lines.send(b"cpu v=\"" + b"x" * 10_000_000 + b"\" 1\n" + f"cpu v=1 {HOUR}\n".encode())
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (1, 1))
    assert "code=line_too_long" in errors[0], errors
    stranger = server.lines()
    stranger.send(b"x" + random.Random(1).randbytes(1_000_000).replace(b"#sync", b""))
    answer = stranger.end()
    assert answer.startswith("end ok rows=0 rejected="), answer[:200]
    lines.send(f"cpu v=2 {HOUR + 1}\n")
    expect(lines.sync("t2")[0], 1)


def test_a_client_that_reads_nothing_holds_up_nobody(context):
    server = context.server()
    deaf = socket.create_connection(("127.0.0.1", server.ports["line-protocol"]))
    deaf.settimeout(1)
    bad = b"".join(b"bad line %d\n#sync t%d\n" % (i, i) for i in range(1000))
    try:
        for _ in range(400):
            deaf.sendall(bad)
    except (TimeoutError, OSError):
        pass
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\n")
    expect(lines.sync()[0], 1)
    idle = connect(server)
    idle.execute("SELECT 1")
    expect(idle.execute("SELECT count(*) FROM cpu").fetchone(), (1,))
    deaf.close()


def test_the_wrong_protocol_on_each_port_gets_an_answer_it_can_show(context):
    server = context.server()

    def talk(port, text):
        with socket.create_connection(("127.0.0.1", server.ports[port]), 10) as connection:
            connection.sendall(text)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert talk("line-protocol", http).startswith(b"HTTP/1.1 4"), talk("line-protocol", http)
    answer = talk("postgres", http)
    assert answer.startswith(b"HTTP/1.1 4") or answer[:1] == b"E", answer
    assert b"400" in talk("http", f"cpu v=1 {HOUR}\n\n".encode())
    done = subprocess.run(
        ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.ports["line-protocol"]), "-U", "varve", "-c", "SELECT 1"],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PGCONNECT_TIMEOUT": "5"})
    assert done.returncode != 0 and done.stderr, done
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\n")
    expect(lines.sync()[0], 1)


# HTTP


def test_http_writes_are_durable_at_204(context):
    server = context.server()
    expect(request(server.http("/write?db=varve&precision=s"), b"cpu,host=a v=1 1700000000\n")[0], 204)
    body = gzip.compress(b"cpu,host=a v=2 1700000001000\n")
    expect(request(server.http("/api/v2/write?org=o&bucket=varve&precision=ms"), body, {"Content-Encoding": "gzip"})[0], 204)
    server.kill()
    server.start()
    expect(connect(server).execute("SELECT v FROM cpu ORDER BY time").fetchall(), [(1.0,), (2.0,)])


def test_http_names_the_bad_lines_and_stores_the_good_ones(context):
    server = context.server()
    status, _, body = request(server.http("/api/v2/write?bucket=varve"), f"cpu v=1 {HOUR}\nbad\ncpu v=2 {HOUR + 1}\n".encode())
    expect(status, 400)
    answer = json.loads(body)
    assert answer["code"] and answer["message"], answer
    expect([error["line"] for error in answer["errors"]], [2])
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (2,))


def test_http_answers_ping_health_metrics_and_queries(context):
    server = context.server("--max-body", "1MB")
    expect(request(server.http("/ping"))[0], 204)
    status, _, body = request(server.http("/health"))
    expect((status, json.loads(body)["status"]), (200, "pass"))
    expect(request(server.http("/write"), f"cpu,host=a v=1 {HOUR}\n".encode())[0], 204)
    status, headers, body = request(server.http("/metrics"))
    assert status == 200 and b'varve_table_rows{table="cpu"} 1' in body, body
    expect(json.loads(request(server.http("/query?q=SELECT+host,v+FROM+cpu"))[2]), [{"host": "a", "v": 1.0}])
    expect(request(server.http("/query?format=csv&q=SELECT+host,v+FROM+cpu"))[2], b"host,v\na,1\n")
    status, _, body = request(server.http("/query?q=SELECT+nothing+FROM+cpu"))
    expect((status, json.loads(body)["code"]), (400, "42703"))
    expect(request(server.http("/write"), b"cpu v=1\n" * 200_000)[0], 413)


# SQL over the PostgreSQL protocol


def test_psql_lists_tables_and_shows_times(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"weather,site=north celsius=7.5,ok=t,note=\"cold\",n=1i,u=2u {HOUR}\n")
    lines.sync()
    output = psql(server, "\\dt")
    assert "weather" in output, output
    output = psql(server, "\\timing", "SELECT time, site, celsius, ok, note, n, u FROM weather")
    assert "2023-11-14 22:13:20+00 | north |     7.5 | t  | cold | 1 | 2" in output and "Time: " in output, output
    output = psql(server, "SELECT nothing FROM weather", code=1)
    assert 'ERROR:  column "nothing" does not exist' in output and "LINE 1: SELECT nothing FROM weather" in output, output


def test_psycopg_sends_parameters_and_prepares_at_the_server(context):
    server = context.server()
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} usage={i}.5,n={i}i {HOUR + i * 10**9}\n" for i in range(1000)))
    lines.sync()
    with connect(server) as connection:
        for host in range(10):
            row = connection.execute(
                "SELECT count(*), min(n), max(usage) FROM cpu WHERE host = %s AND n >= %s", (f"h{host}", 100), prepare=True
            ).fetchone()
            expect(row, (90, 100 + host, 990.5 + host))
        with connection.cursor(binary=True) as cursor:
            cursor.execute("SELECT time, usage, n, host FROM cpu WHERE n = %b", (5,))
            time_, usage, n, host = cursor.fetchone()
            expect((time_.timestamp(), usage, n, host), (1700000005.0, 5.5, 5, "h5"))
        try:
            connection.execute("SELECT n / 0 FROM cpu WHERE n = %s", (1,)).fetchall()
            raise AssertionError("a division by zero gave a value")
        except psycopg.Error as error:
            expect(error.sqlstate, "22012")
        try:
            connection.execute("SELECT usage, nothing FROM cpu")
            raise AssertionError("an unknown column gave a value")
        except psycopg.Error as error:
            expect((error.sqlstate, error.diag.statement_position), ("42703", "15"))


def test_inserts_become_visible_at_commit_and_not_at_rollback(context):
    server = context.server()
    with connect(server) as one, connect(server) as two:
        one.execute("CREATE TABLE m (time timestamptz, host text, v double precision) WITH (varve.tags = 'host')")
        one.execute("BEGIN")
        one.execute("INSERT INTO m VALUES ('2024-01-01', 'a', 1), ('2024-01-01', 'b', 2)")
        expect(two.execute("SELECT count(*) FROM m").fetchone(), (0,))
        one.execute("COMMIT")
        expect(two.execute("SELECT sum(v) FROM m").fetchone(), (3.0,))
        one.execute("BEGIN")
        one.execute("INSERT INTO m VALUES ('2024-01-02', 'a', 1)")
        one.execute("ROLLBACK")
        expect(two.execute("SELECT count(*) FROM m").fetchone(), (2,))
        one.execute("DROP TABLE m")
        try:
            two.execute("SELECT count(*) FROM m")
            raise AssertionError("a dropped table answers")
        except psycopg.Error as error:
            expect(error.sqlstate, "42P01")


def test_a_running_query_can_be_cancelled(context):
    server = context.server()
    with connect(server) as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        begin = time.monotonic()
        try:
            connection.execute("SELECT sum(a * b) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b")
            raise AssertionError("the query ended")
        except psycopg.Error as error:
            expect(error.sqlstate, "57014")
        assert time.monotonic() - begin < 20
        timer.join()
        expect(connection.execute("SELECT 1").fetchone(), (1,))


def test_names_from_line_protocol_keep_their_case(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"My\\ Table,Host=a The\\ Value=1 {HOUR}\n")
    lines.sync()
    with connect(server) as connection:
        expect(connection.execute('SELECT "Host", "The Value" FROM "My Table"').fetchall(), [("a", 1.0)])
        try:
            connection.execute('SELECT host FROM "My Table"')
            raise AssertionError("an unquoted name found a quoted one")
        except psycopg.Error as error:
            expect(error.sqlstate, "42703")
            assert "Host" in (error.diag.message_hint or ""), error.diag.message_hint


# Life and death


def test_everything_is_there_after_a_stop_in_order(context):
    server = context.server()
    lines = server.lines()
    for batch in range(20):
        lines.send("".join(f"cpu,host=h{i} v={i} {HOUR + batch * 10**9}\n" for i in range(500)))
    # Not synced: a stop in order makes durable what was received.
    time.sleep(1)
    expect(server.stop(), 0)
    server.start()
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (10_000,))


def test_a_restart_after_kill_binds_the_same_ports_at_once(context):
    server = context.server()
    lines = server.lines()
    session = connect(server)
    lines.send(f"cpu v=1 {HOUR}\n")
    lines.sync()
    ports = dict(server.ports)
    server.kill()
    server.start()
    expect(server.ports, ports)
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (1,))
    del session


def test_a_second_signal_ends_the_server_at_once(context):
    server = context.server()
    with connect(server) as connection:
        thread = threading.Thread(
            target=lambda: swallow(lambda: connection.execute(
                "SELECT sum(a * b) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b")))
        thread.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        expect(server.wait(5), 128 + signal.SIGTERM)
        thread.join()


def swallow(body):
    try:
        body()
    except psycopg.Error:
        pass


def test_no_acknowledged_row_is_lost_to_kill(context):
    import crash_test
    seed = random.SystemRandom().randrange(1 << 32)
    assert crash_test.run(context.binary, 2, seed), f"seed {seed}"


def test_a_second_server_on_the_directory_is_refused(context):
    server = context.server()
    _, error = context.run(
        "serve", "--data", server.data, "--line-protocol", "127.0.0.1:0", "--http", "127.0.0.1:0", "--postgres",
        "127.0.0.1:0", code=1)
    assert f"process {server.process.pid}" in error, error


def test_a_full_disk_loses_nothing_and_is_got_over(context):
    mount = context.path("small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", mount], capture_output=True).returncode != 0:
        raise Skipped("mounting a tmpfs needs root")
    try:
        server = context.server(name="small/data")
        random_ = random.Random(3)
        acknowledged = 0

        def write():
            """One row of half a megabyte that nothing compresses; the status."""
            text = "".join(random_.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", k=500_000))
            body = f"big,host=a i={acknowledged}i,text=\"{text}\" {HOUR + acknowledged}\n".encode()
            return request(server.http("/write"), body)

        expect(write()[0], 204)
        acknowledged += 1
        status = os.statvfs(mount)
        with open(os.path.join(mount, "filler"), "wb") as filler:
            left = status.f_bavail * status.f_frsize - 2_000_000
            while left > 0:
                left -= filler.write(bytes(min(left, 1 << 20)))
        for _ in range(1000):
            code, headers, body = write()
            if code != 204:
                break
            acknowledged += 1
        expect(code, 503)
        assert "Retry-After" in headers and b"disk_full" in body, (headers, body)
        expect(connect(server).execute("SELECT count(*) FROM big").fetchone(), (acknowledged,))
        expect(write()[0], 503)
        os.remove(os.path.join(mount, "filler"))
        for _ in range(100):
            code, _, body = write()
            if code == 204:
                acknowledged += 1
                break
            time.sleep(0.2)
        expect((code, body), (204, b""))
        expect(connect(server).execute("SELECT count(*), max(i) FROM big").fetchone(), (acknowledged, acknowledged - 1))
        server.kill()
        server.start()
        expect(connect(server).execute("SELECT count(*), max(i) FROM big").fetchone(), (acknowledged, acknowledged - 1))
        expect(server.stop(), 0)
    finally:
        context.close()
        subprocess.run(["umount", mount], check=True)


def test_a_directory_that_is_not_ours_is_left_alone(context):
    os.mkdir(context.path("home"))
    context.write("home/letter.txt", "dear")
    _, error = context.run("serve", "--data", context.path("home"), code=1)
    assert "letter.txt" in error, error
    expect(os.listdir(context.path("home")), ["letter.txt"])


# The command line


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
    server = context.server()
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
    with open(chunk, "r+b") as file:
        file.seek(200)
        byte = file.read(1)
        file.seek(200)
        file.write(bytes([byte[0] ^ 1]))
    output, _ = context.run("verify", "--data", server.data, code=1)
    assert os.path.basename(chunk) in output, output
    output, error = context.run("sql", "--data", server.data, "SELECT sum(v) FROM cpu", code=1)
    assert os.path.basename(chunk) in error, error


def test_the_prompt_takes_statements_over_several_lines(context):
    server = context.server()
    output, error = context.run(
        "sql", "--connect", server.url, "--format", "csv",
        stdin="SELECT 1 AS one,\n ';' AS semicolon; SELECT 2 AS two;\nSELECT nothing;\n\\timing\nSELECT 3 AS three\n")
    assert output.startswith("one,semicolon\n1,;\ntwo\n2\nTiming is on.\nthree\n3\nTime: "), output
    assert "nothing" in error and "LINE 1" in error, error
