"""COPY … FROM STDIN over the PostgreSQL protocol."""

import json
import socket
import struct
import threading
import time
from datetime import datetime, timedelta, timezone

import copy_cases
from support import connect, expect, expect_error, psql

TABLE = "CREATE TABLE m (time timestamptz, host text, v double precision, n bigint, s text) WITH (varve.tags = 'host')"
START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def rows(count, first=0):
    return [
        (START + timedelta(seconds=i), f"h{i % 7}", i / 4, None if i % 5 == 0 else i, f"text\t{i}\n\\") for i in
        range(first, first + count)]


def stored(connection, columns="time, host, v, n, s"):
    return connection.execute(f"SELECT {columns} FROM m ORDER BY time, host").fetchall()


def copy_text(connection, data, sql="COPY m FROM STDIN"):
    with connection.cursor().copy(sql) as copy:
        copy.write(data)


def test_copy_makes_of_data_what_postgresql_15_makes_of_it(context):
    server = context.server()
    with open(copy_cases.EXPECTED) as file:
        cases = json.load(file)
    different = []
    with connect(server, options="-c timezone=UTC") as connection:
        connection.execute(f"CREATE TABLE t ({copy_cases.COLUMNS}) WITH (varve.tags = 'host')")
        for case in cases:
            expected = {key: case[key] for key in ("rows", "error") if key in case}
            actual = copy_cases.run(connection, case["options"], case["data"].encode("latin-1"))
            if actual != expected:
                different.append(f"{case['options']} {case['data']!r}\n  PostgreSQL {expected}\n  Varve {actual}")
    assert len(cases) > 600 and not different, "\n".join(different[:20])


def test_copy_takes_rows_of_psycopg_in_text_and_binary(context):
    server = context.server()
    expected = rows(1000)
    with connect(server) as connection:
        connection.execute(TABLE)
        for form in ("", "(FORMAT binary)"):
            connection.execute("TRUNCATE m")
            cursor = connection.cursor()
            with cursor.copy(f"COPY m (time, host, v, n, s) FROM STDIN {form}") as copy:
                if form:
                    copy.set_types(["timestamptz", "text", "float8", "int8", "text"])
                for row in expected:
                    copy.write_row(row)
            expect(cursor.statusmessage, "COPY 1000")
            expect(stored(connection), sorted(expected))


def test_psql_copies_csv_and_goes_on_behind_it(context):
    server = context.server()
    path = context.write(
        "m.csv", 'time,host,v,s\n2024-01-01 00:00:00Z,a,1.5,"one, ""two"""\n2024-01-01 00:00:01Z,b,,"line\nbreak"\n')
    output = psql(
        server, TABLE, f"\\copy m (time, host, v, s) FROM '{path}' CSV HEADER", "SELECT host, v, s FROM m ORDER BY time")
    assert "COPY 2" in output and '| one, "two"' in output and "b    |     | line" in output, output
    output = psql(server, f"\\copy m (time, v) FROM '{path}' CSV", code=1)
    assert 'CONTEXT:  COPY m, line 1: "time,host,v,s"' in output, output


def test_a_small_copy_is_all_or_nothing(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        lines = "".join(f"{START + timedelta(seconds=i)}\ta\t{i}\t{i}\tx\n" for i in range(500))
        error = expect_error("22P02", lambda: copy_text(connection, lines + f"{START}\ta\tabc\t1\tx\n"))
        expect(error.diag.context, 'COPY m, line 501, column v: "abc"')
        expect(error.diag.message_hint, None)
        expect(stored(connection), [])
        # The connection goes on.
        copy_text(connection, lines)
        expect(connection.execute("SELECT count(*) FROM m").fetchone(), (500,))


def test_a_large_copy_says_what_is_stored_before_an_error(context):
    server = context.server()
    count = 200_000
    lines = "".join(f"{START + timedelta(seconds=i)}\th{i % 10}\t{i}\t{i}\tsome text\n" for i in range(count))
    with connect(server) as connection:
        connection.execute(TABLE)
        error = expect_error("22P04", lambda: copy_text(connection, lines + f"{START}\n"))
        expect(error.diag.context, f'COPY m, line {count + 1}: "{START}"')
        there = connection.execute("SELECT count(*) FROM m").fetchone()[0]
        assert 0 < there <= count, there
        assert error.diag.message_hint.startswith(f"{there} rows of this COPY are stored; sending all of it again"), \
            error.diag.message_hint
        copy_text(connection, lines)
        expect(connection.execute("SELECT count(*), sum(n) FROM m").fetchone(), (count, count * (count - 1) // 2))


def test_copy_is_part_of_its_transaction_block(context):
    server = context.server()
    line = f"{START}\ta\t1\t1\tx\n"
    with connect(server) as one, connect(server) as two:
        one.execute(TABLE)
        one.execute("BEGIN")
        copy_text(one, line)
        expect(stored(two), [])
        one.execute("ROLLBACK")
        expect(stored(two), [])
        one.execute("BEGIN")
        one.execute("INSERT INTO m VALUES ('2024-01-01', 'a', 5, 5, 'y')")
        copy_text(one, line)
        one.execute("COMMIT")
        expect(stored(two, "v, n, s"), [(1.0, 1, "x")])
        one.execute("BEGIN")
        expect_error("22P04", lambda: copy_text(one, f"{START}\n"))
        expect_error("25P02", lambda: one.execute("SELECT 1"))
        one.execute("ROLLBACK")
        # Within the memory of a query, with the way out.
        one.execute("SET varve.query_memory_limit = '1MB'")
        one.execute("BEGIN")
        lines = "".join(f"{START + timedelta(seconds=i)}\ta\t1\t{i}\tx\n" for i in range(50_000))
        error = expect_error("53200", lambda: copy_text(one, lines))
        assert "COPY outside of a transaction block" in error.diag.message_hint, error.diag.message_hint
        one.execute("ROLLBACK")
        copy_text(one, lines)
        expect(two.execute("SELECT count(*) FROM m").fetchone(), (50_000,))


def test_copy_needs_a_writable_transaction_and_the_time(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        connection.execute("BEGIN READ ONLY")
        expect_error("25006", lambda: copy_text(connection, ""))
        connection.execute("ROLLBACK")
        error = expect_error("23502", lambda: copy_text(connection, "", "COPY m (host, v) FROM STDIN"))
        expect(error.diag.statement_position, "6")
        expect_error("42P01", lambda: copy_text(connection, "", "COPY nothing FROM STDIN"))
        expect_error("42501", lambda: copy_text(connection, "", "COPY pg_class FROM STDIN"))
        for sql in ["COPY m FROM '/etc/passwd'", "COPY m FROM PROGRAM 'x'",
                    "COPY m FROM STDIN WHERE n > 1", "COPY m FROM STDIN (ENCODING 'latin1')"]:
            error = expect_error("0A000", lambda: connection.execute(sql))
            assert error.diag.message_hint and error.diag.statement_position, (sql, error.diag.message_hint)


def test_a_time_of_the_far_future_fails_the_whole_copy(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        error = expect_error("22008", lambda: copy_text(connection, f"{START}\ta\t1\t1\tx\n2199-01-01\ta\t1\t1\tx\n"))
        expect(error.diag.context, 'COPY m, line 2, column time: "2199-01-01"')
        expect(stored(connection), [])


def test_a_copy_that_waits_can_be_cancelled_and_timed_out(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)

        def waiting():
            with connection.cursor().copy("COPY m FROM STDIN") as copy:
                copy.write(f"{START}\ta\t1\t1\tx\n")
                connection.pgconn.flush()
                # The server says by itself that it is over.
                connection.pgconn.socket and socket_wait(connection.pgconn.socket)

        def socket_wait(descriptor):
            import select
            assert select.select([descriptor], [], [], 30)[0], "the server said nothing for 30 s"

        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        error = expect_error("57014", waiting)
        timer.join()
        assert "user request" in error.diag.message_primary, error.diag.message_primary
        connection.execute("SET statement_timeout = 200")
        error = expect_error("57014", waiting)
        assert "statement timeout" in error.diag.message_primary, error.diag.message_primary
        connection.execute("SET statement_timeout = 0")
        expect(stored(connection), [])
        copy_text(connection, f"{START}\ta\t1\t1\tx\n")
        expect(len(stored(connection)), 1)


def test_a_client_that_gives_up_or_goes_leaves_nothing_of_a_small_copy(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)

        def giving_up():
            with connection.cursor().copy("COPY m FROM STDIN") as copy:
                copy.write(f"{START}\ta\t1\t1\tx\n")
                raise ValueError("enough")

        try:
            giving_up()
        except ValueError:
            pass
        expect(stored(connection), [])
        # Without CopyDone or Terminate.
        gone = Raw(server)
        gone.socket.sendall(message(b"Q", b"COPY m FROM STDIN\0"))
        gone.until(b"G")
        gone.socket.sendall(message(b"d", f"{START}\ta\t1\t1\tx\n".encode()))
        time.sleep(0.2)
        gone.input.close()
        gone.socket.close()
        time.sleep(0.3)
        expect(stored(connection), [])


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


class Raw:
    """A connection whose bytes are sent as they are given."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["postgres"]), timeout=60)
        body = struct.pack("!i", 196608) + b"user\0varve\0\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.input = self.socket.makefile("rb")
        self.until(b"Z")

    def until(self, wanted):
        kinds = b""
        while not kinds.endswith(wanted):
            kind = self.input.read(1)
            assert kind, f"closed after {kinds}"
            self.body = self.input.read(struct.unpack("!i", self.input.read(4))[0] - 4)
            kinds += kind if kind not in b"S" else b""
        return kinds


def test_copy_of_a_string_of_statements_and_of_a_pipeline(context):
    server = context.server()
    raw = Raw(server)
    raw.socket.sendall(message(b"Q", TABLE.encode() + b"\0"))
    raw.until(b"Z")
    line = b"2024-01-01 00:00:0%d+00\ta\t1\t%d\tx\n"
    raw.socket.sendall(message(b"Q", b"COPY m FROM STDIN; SELECT count(*) FROM m; COPY m FROM STDIN\0"))
    expect(raw.until(b"G"), b"G")
    second = line % (2, 2)
    data = message(b"d", line % (1, 1)) + message(b"d", second[:20]) + message(b"d", second[20:]) + message(b"c")
    for byte in data:
        raw.socket.sendall(bytes([byte]))
    expect(raw.until(b"G"), b"CTDCG")
    raw.socket.sendall(message(b"d", line % (3, 3)) + message(b"c"))
    expect(raw.until(b"Z"), b"CZ")
    # A pipeline that does not know of the COPY when it sends Sync.
    parse = message(b"P", b"\0COPY m FROM STDIN\0\0\0") + message(b"B", b"\0\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0")
    raw.socket.sendall(parse + message(b"S"))
    expect(raw.until(b"G"), b"12G")
    raw.socket.sendall(message(b"d", line % (4, 4)) + message(b"H") + message(b"c") + message(b"S"))
    expect(raw.until(b"Z"), b"CZ")
    # An error, and all that comes before Sync is passed over.
    raw.socket.sendall(parse)
    expect(raw.until(b"G"), b"12G")
    raw.socket.sendall(message(b"d", b"bad\n") + message(b"d", line % (5, 5)) + message(b"c") + parse + message(b"S"))
    expect(raw.until(b"Z"), b"EZ")
    raw.socket.sendall(message(b"Q", b"SELECT count(*) FROM m\0"))
    expect(raw.until(b"D"), b"TD")
    expect(raw.body[6:], b"4")
    raw.socket.close()


def test_many_copies_at_once_are_all_answered(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        failures = []

        def load(number):
            try:
                with connect(server) as other:
                    lines = "".join(f"{START + timedelta(seconds=i)}\tw{number}\t{i}\t{i}\tx\n" for i in range(5000))
                    cursor = other.cursor()
                    with cursor.copy("COPY m FROM STDIN") as copy:
                        for start in range(0, len(lines), 10_000):
                            copy.write(lines[start:start + 10_000])
                    expect(cursor.statusmessage, "COPY 5000")
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        expect(connection.execute("SELECT count(*), count(DISTINCT host), sum(n) FROM m").fetchone(),
               (100_000, 20, 20 * 5000 * 4999 // 2))


def test_a_stopping_server_lets_a_copy_come_to_its_end(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        cursor = connection.cursor()
        with cursor.copy("COPY m FROM STDIN") as copy:
            copy.write(f"{START}\ta\t1\t1\tx\n")
            connection.pgconn.flush()
            time.sleep(0.2)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            time.sleep(0.3)
            copy.write(f"{START}\tb\t1\t1\tx\n")
        expect(cursor.statusmessage, "COPY 2")
        stopping.join()
    server.start()
    with connect(server) as connection:
        expect(len(stored(connection)), 2)


def test_varve_sql_sends_its_input_to_a_copy(context):
    server = context.server()
    url = f"postgres://varve@127.0.0.1:{server.ports['postgres']}/varve"
    context.run("sql", "--connect", url, TABLE)
    output, _ = context.run(
        "sql", "--connect", url, "COPY m (time, host, v) FROM STDIN CSV", stdin="2024-01-01,a,1\n2024-01-02,b,2\n")
    assert "COPY 2" in output, output
    output, _ = context.run("sql", "--connect", url, "--format", "csv", "SELECT host, v FROM m ORDER BY time")
    expect(output.split(), ["host,v", "a,1", "b,2"])
    _, error = context.run("sql", "--connect", url, "COPY m (time, v) FROM STDIN", stdin="2024-01-01\n", code=1)
    assert "missing data" in error, error
