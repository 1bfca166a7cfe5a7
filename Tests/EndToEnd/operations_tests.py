"""What is seen of running statements, how they are ended, and what is told of them."""

import json
import select
import socket
import struct
import threading
import time

from long_query_tests import ENDLESS, ENDLESS_ROWS
from support import HOUR, connect, expect, expect_error, metrics, request, until

SESSIONS = "SELECT protocol, state, query FROM varve.queries WHERE pid <> pg_backend_pid()"


def in_background(body):
    """Runs it on a thread; gives a function that waits for its end and gives what it came to."""
    outcome = []

    def run():
        try:
            outcome.append(body())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join(30)
        assert outcome, "it does not end"
        return outcome[0]

    return join


def test_sessions_are_seen_and_ended_by_others(context):
    server = context.server()
    with connect(server) as admin, connect(server, application_name="runner") as runner:
        expect(runner.execute("SELECT pg_backend_pid()").fetchone(), (runner.info.backend_pid,))
        ended = in_background(lambda: runner.execute(ENDLESS))
        find = "SELECT pid, state, query, client_addr FROM pg_stat_activity WHERE application_name = 'runner' AND state = 'active' AND query LIKE '%generate_series%'"
        until(lambda: admin.execute(find).fetchall())
        pid, state, query, address = admin.execute(find).fetchone()
        expect((pid, query, address), (runner.info.backend_pid, ENDLESS, "127.0.0.1"))
        expect(admin.execute("SELECT pg_cancel_backend(%s::int)", (pid,)).fetchone(), (True,))
        expect(ended().sqlstate, "57014")
        expect(runner.execute("SELECT 1").fetchone(), (1,))
        runner.execute("BEGIN")
        expect(admin.execute("SELECT state, wait FROM varve.queries WHERE pid = %s", (pid,)).fetchone(), ("idle in transaction", None))
        ended = in_background(lambda: runner.execute(ENDLESS))
        until(lambda: admin.execute(find).fetchall())
        expect(admin.execute("SELECT pg_terminate_backend(%s::int)", (pid,)).fetchone(), (True,))
        expect(ended().sqlstate, "57P01")
        until(lambda: not admin.execute("SELECT 1 FROM varve.queries WHERE pid = %s", (pid,)).fetchall())
        expect(admin.execute("SELECT pg_terminate_backend(%s::int)", (pid,)).fetchone(), (False,))
    # One that only sits there.
    with connect(server) as admin, connect(server) as idle:
        idle.execute("SELECT 1")
        admin.execute("SELECT pg_terminate_backend(%s::int)", (idle.info.backend_pid,))
        expect_error("57P01", lambda: idle.execute("SELECT 1"))


def test_a_client_that_does_not_read_can_be_terminated(context):
    server = context.server()
    with connect(server) as admin, socket.create_connection(("127.0.0.1", server.ports["postgres"])) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        startup = struct.pack("!i", 196608) + b"user\0varve\0\0"
        deaf.sendall(struct.pack("!i", len(startup) + 4) + startup)
        text = ENDLESS_ROWS.encode() + b"\0"
        deaf.sendall(b"Q" + struct.pack("!i", len(text) + 4) + text)
        find = "SELECT pid FROM varve.queries WHERE wait = 'client'"
        until(lambda: admin.execute(find).fetchall())
        admin.execute("SELECT pg_terminate_backend(pid) FROM varve.queries WHERE wait = 'client'")
        until(lambda: not admin.execute("SELECT 1 FROM varve.queries WHERE pid <> pg_backend_pid()").fetchall())


def test_idle_connections_are_ended_by_their_timeouts(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = '1s'")
        time.sleep(1.5)
        expect(connection.execute("SELECT 1").fetchone(), (1,))  # Idle outside of a transaction.
        connection.execute("BEGIN")
        for _ in range(4):  # Busy now and then, for longer than the timeout in all.
            time.sleep(0.4)
            connection.execute("SELECT 1")
        until(lambda: connection.pgconn.socket and closed_by_server(connection))
        expect(expect_error(None, lambda: connection.execute("SELECT 1")).sqlstate, "25P03")
    with connect(server) as connection, connect(server) as other:
        connection.execute("SET idle_session_timeout = '1s'")
        connection.execute("BEGIN")
        time.sleep(1.5)
        connection.execute("COMMIT")
        until(lambda: closed_by_server(connection))
        expect(expect_error(None, lambda: connection.execute("SELECT 1")).sqlstate, "57P05")
        expect(other.execute("SELECT count(*) FROM varve.queries").fetchone(), (1,))


def closed_by_server(connection):
    return select.select([connection.pgconn.socket], [], [], 0)[0]


def test_a_statement_timeout_ends_sorts_joins_aggregates_and_output(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute("SET statement_timeout = '200ms'")
        connection.execute("SET varve.query_memory_limit = '4GB'")
        series = "generate_series(1, 100000) a(n), LATERAL generate_series(a.n, a.n + 2999) b(m)"
        for query in [
            f"SELECT a.n FROM {series} ORDER BY b.m * a.n DESC, a.n",
            f"SELECT b.m % 1000000, count(*) FROM {series} GROUP BY 1 ORDER BY 2",
            f"SELECT count(DISTINCT a.n * b.m) FROM {series}",
            f"SELECT DISTINCT a.n * b.m FROM {series}",
            "SELECT count(*) FROM generate_series(1, 100000) a(n) JOIN generate_series(1, 100000) b(m) ON a.n < b.m",
            "SELECT count(*) FROM generate_series(1, 50000000) a(n) JOIN generate_series(1, 50000000) b(m) ON a.n = b.m",
            f"SELECT a.n, b.m FROM {series}",
            "SELECT (SELECT max(b.m) FROM generate_series(1, 1000) b(m) WHERE b.m > a.n) FROM generate_series(1, 10000000) a(n)",
        ]:
            before = time.monotonic()
            error = expect_error("57014", lambda: connection.execute(query).fetchall())
            assert "timeout" in str(error), error
            assert time.monotonic() - before < 20, query
        connection.execute("SET statement_timeout = 0")
        expect(connection.execute("SELECT 1").fetchone(), (1,))


def test_slow_statements_are_logged_with_their_plan(context):
    server = context.server("--log-min-duration-statement", "1h", "--log-format", "json")
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} v={i} {HOUR + i * 10**9}\n" for i in range(1000)))
    lines.sync()
    with connect(server, application_name="analyst") as connection:
        expect(connection.execute("SHOW log_min_duration_statement").fetchone(), ("1h",))
        connection.execute("SELECT 'quick'")
        connection.execute("SET log_min_duration_statement = 0")
        connection.execute("SELECT host, avg(v) FROM cpu WHERE v > %s GROUP BY host ORDER BY host", (10.5,)).fetchall()
        expect_error("22012", lambda: connection.execute("SELECT 1 / (v - v) FROM cpu"))
        expect_error("42703", lambda: connection.execute("SELECT nothing FROM cpu"))
        connection.execute("SET log_min_duration_statement = -1")
        connection.execute("SELECT 'unheard'")
    expect(json.loads(request(server.http("/query?q=SELECT+3"))[2]), [{"?column?": 3}])
    told = [json.loads(line) for line in server.read_log().splitlines() if '"slow statement"' in line]
    texts = [line["statement"] for line in told]
    assert not any("quick" in text or "unheard" in text for text in texts), texts
    line = next(line for line in told if line["statement"].startswith("SELECT host, avg"))
    expect((line["kind"], line["rows"], line["application"], line["protocol"]), ("select", "10", "analyst", "postgres"))
    expect(line["parameters"], "$1 = '10.5'")
    assert float(line["milliseconds"]) > 0 and line["client"].startswith("127.0.0.1:"), line
    assert "Series Scan on cpu" in line["plan"] and "Rows Read: 1000" in line["plan"] and "rows=10 " in line["plan"], line
    line = next(line for line in told if line.get("sqlstate") == "22012")
    assert "Series Scan" in line["plan"], line


def test_statements_are_counted_in_metrics(context):
    server = context.server()
    with connect(server) as connection:
        before = metrics(server)
        for _ in range(3):
            connection.execute("SELECT n FROM generate_series(1, 10) n", prepare=True)
        connection.execute("CREATE TABLE t (time timestamptz, v float8)")
        connection.execute("INSERT INTO t VALUES ('2024-01-01', 1), ('2024-01-02', 2)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write("2024-01-03\t3\n")
        expect_error("22012", lambda: connection.execute("SELECT 1 / 0"))
        connection.execute("SET statement_timeout = '50ms'")
        expect_error("57014", lambda: connection.execute(ENDLESS))
        connection.execute("SET varve.query_memory_limit = '64kB'")
        connection.execute("SET statement_timeout = 0")
        expect_error("53200", lambda: connection.execute("SELECT n FROM generate_series(1, 1000000) n ORDER BY -n"))
        connection.execute("BEGIN")
        after = metrics(server)
    grown = {name: after[name] - before.get(name, 0) for name in after}

    def statements(kind, result):
        return grown[f'varve_statements_total{{kind="{kind}",result="{result}"}}']

    expect((statements("select", "ok"), statements("select", "error")), (3, 3))
    expect((statements("insert", "ok"), statements("copy", "ok"), statements("definition", "ok")), (1, 1, 1))
    expect(grown['varve_statement_rows_total{kind="select"}'], 30)
    expect(grown['varve_statement_rows_total{kind="insert"}'], 2)
    expect(grown['varve_statement_rows_total{kind="copy"}'], 1)
    expect(grown['varve_statement_seconds_count{kind="select"}'], 3)
    expect([grown[f'varve_statement_errors_total{{class="{name}"}}'] for name in ("22", "53", "57")], [1, 1, 1])
    expect([grown[f'varve_statements_ended_total{{reason="{name}"}}'] for name in ("timeout", "memory", "cancelled")], [1, 1, 0])
    assert grown['varve_plan_cache_total{result="miss"}'] > 0 and grown['varve_sent_bytes_total{listener="postgres"}'] > 0
    expect(after['varve_sessions_open{protocol="postgres",state="idle in transaction"}'], 1)


def test_queries_over_http_are_sessions_too(context):
    server = context.server()
    with connect(server) as admin:
        answer = in_background(lambda: request(server.http("/query"), ENDLESS.encode(), {"User-Agent": "curl/test", "Content-Type": "text/plain"}))
        until(lambda: admin.execute("SELECT 1 FROM varve.queries WHERE protocol = 'http' AND state = 'active'").fetchall())
        expect(
            admin.execute("SELECT query, application_name FROM varve.queries WHERE protocol = 'http'").fetchall(),
            [(ENDLESS, "curl/test")])
        admin.execute("SELECT pg_cancel_backend(pid) FROM varve.queries WHERE protocol = 'http'")
        status, _, body = answer()
        expect((status, json.loads(body)["code"]), (504, "57014"))
        until(lambda: not admin.execute(SESSIONS).fetchall())
