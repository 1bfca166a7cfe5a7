"""Queries that take long, and sessions that do nothing for long."""

import socket
import struct
import threading

from support import HOUR, connect, expect, expect_error


# Far longer than any test, in little memory.
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000) a(n), LATERAL generate_series(a.n, a.n + 999) b(m)"
# The same with its rows.
ENDLESS_ROWS = ENDLESS.replace("count(*)", "a.n")


def test_a_running_query_can_be_cancelled(context):
    server = context.server()
    with connect(server) as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        expect_error("57014", lambda: connection.execute(ENDLESS))
        timer.join()
        expect(connection.execute("SELECT 1").fetchone(), (1,))


def test_a_cancel_with_a_wrong_key_cancels_nothing(context):
    server = context.server()
    with connect(server) as connection, socket.create_connection(("127.0.0.1", server.ports["postgres"])) as stranger:
        thread = threading.Thread(target=lambda: stranger.sendall(
            struct.pack("!iiii", 16, 80877102, connection.info.backend_pid, 12345)))
        thread.start()
        expect(connection.execute("SELECT count(*) FROM generate_series(1, 300000)").fetchone(), (300_000,))
        thread.join()


def test_a_statement_timeout_ends_a_long_query_and_only_that(context):
    server = context.server()
    with connect(server) as connection, connect(server) as other:
        connection.execute("SET statement_timeout = '300ms'")
        error = expect_error("57014", lambda: connection.execute(ENDLESS))
        assert "timeout" in error.diag.message_primary and "statement_timeout" in error.diag.message_hint, error
        expect(connection.execute("SELECT 1").fetchone(), (1,))
        # Also of a query whose rows are fetched in parts, and of one in a transaction, which then is failed.
        expect_error("57014", lambda: connection.execute(ENDLESS.replace("count(*)", "a.n")).fetchall())
        connection.execute("BEGIN")
        expect_error("57014", lambda: connection.execute(ENDLESS))
        expect_error("25P02", lambda: connection.execute("SELECT 1"))
        connection.execute("ROLLBACK")
        # The setting is this session's.
        expect(other.execute("SELECT count(*) FROM generate_series(1, 300000)").fetchone(), (300_000,))
        connection.execute("SET statement_timeout = 0")
        expect(connection.execute("SELECT count(*) FROM generate_series(1, 300000)").fetchone(), (300_000,))


def test_a_session_that_waits_keeps_its_moment_and_holds_up_nobody(context):
    server = context.server()
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} v={i} {HOUR + i * 10**9}\n" for i in range(1000)))
    lines.sync()
    with connect(server) as waiting, connect(server) as active:
        waiting.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        expect(waiting.execute("SELECT count(*) FROM cpu").fetchone(), (1000,))
        for batch in range(3):
            lines.send("".join(f"cpu,host=new v={i} {HOUR + (batch * 100 + i) * 10**9}\n" for i in range(100)))
            lines.sync(f"b{batch}")
            active.execute("CALL flush()")
        expect(active.execute("SELECT count(*) FROM cpu").fetchone(), (1300,))
        expect(waiting.execute("SELECT count(*), sum(v) FROM cpu").fetchone(), (1000, sum(range(1000))))
        active.execute("DROP TABLE cpu")
        expect(waiting.execute("SELECT count(*) FROM cpu").fetchone(), (1000,))
        waiting.execute("COMMIT")
        expect_error("42P01", lambda: waiting.execute("SELECT count(*) FROM cpu"))
