"""COPY … FROM STDIN into dimension tables: the same data goes to a PostgreSQL 15 that the test starts, and rows, errors and their contexts are the same."""

import io
import struct

import psycopg

from differential.postgres import PostgreSQL, program
from support import Skipped, connect, expect, expect_error, psql

TABLE = ("CREATE TABLE d (id int PRIMARY KEY, name text NOT NULL, price numeric(6,2), since date, seen timestamptz, ok boolean, small smallint, "
         "ratio double precision, kind text DEFAULT 'plain')")
COLUMNS = "(id, name, price, since, seen, ok, small, ratio)"
LINES = "1\ta\t1.005\t2024-02-29\t2024-01-01 12:00:00+02\tt\t-5\t0.1\n2\tb\\tc\\\\\t\\N\t\\N\t\\N\t\\N\t\\N\tNaN\n"
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def binary(*rows, end=True):
    body = SIGNATURE
    for row in rows:
        body += struct.pack("!h", len(row))
        for value in row:
            body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return body + (b"\xff\xff" if end else b"")


def whole(number, size=4):
    return number.to_bytes(size, "big", signed=True)


CASES = [
    (f"COPY d {COLUMNS} FROM STDIN", LINES),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "\\.\nbehind"),
    (f"COPY d {COLUMNS} FROM STDIN", ""),
    ("COPY d FROM STDIN", "1\ta\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\tx\n"),
    ("COPY d (name, id) FROM STDIN", "z\t3\ny\t-4\n"),
    ("COPY d (id, name) FROM STDIN CSV HEADER", 'id,name\r\n1,"a, ""b"""\r\n2,"line\r\nbreak"\r\n'),
    ("COPY d (id, name) FROM STDIN (FORMAT csv, HEADER match)", "id,nome\n1,a\n"),
    ("COPY d (id, name, kind) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (name), FORCE_NULL (kind))", '1,,""\n2,"",x\n'),
    ("COPY d (id, name, kind) FROM STDIN (DELIMITER ';', NULL 'nil')", "1;a;nil\n2;nix;\n"),
    # Errors, and where they are.
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t12345.678\t\\N\t\\N\t\\N\t\\N\t\\N\n"),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t1\t2023-02-29\t\\N\t\\N\t\\N\t\\N\n"),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t1\t\\N\tyesterdayish\t\\N\t\\N\t\\N\n"),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t1\t\\N\t\\N\tmaybe\t\\N\t\\N\n"),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t1\t\\N\t\\N\t\\N\t40000\t\\N\n"),
    (f"COPY d {COLUMNS} FROM STDIN", LINES + "3\tc\t1\t\\N\t\\N\t\\N\t\\N\t1e999\n"),
    ("COPY d (id, name) FROM STDIN", "1\ta\nx\tb\n"),
    ("COPY d (id, name) FROM STDIN", "1\ta\n2\n"),
    ("COPY d (id, name) FROM STDIN", "1\ta\n2\tb\tc\n"),
    ("COPY d (id, name) FROM STDIN", "1\ta\n2\t\\N\n"),
    ("COPY d (id, name) FROM STDIN", "1\ta\n\\N\tb\n"),
    ("COPY d (name) FROM STDIN", "a\n"),
    ("COPY d (id, name) FROM STDIN CSV", '1,"a\n'),
    ("COPY d (id, name) FROM STDIN", "1\ta\n1\tb\n"),
    ("COPY d (id, name) FROM STDIN", "9\ta\n7\tb\n8\tc\n"),
    ("COPY d (id, name) FROM STDIN", b"1\ta\xff\n"),
    # Of the statement itself.
    ("COPY d (id, nothing) FROM STDIN", ""),
    ("COPY d (id, id) FROM STDIN", ""),
    ("COPY d (id) FROM STDIN (FORMAT csv, FORCE_NULL (name))", ""),
    # Binary.
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a\n"], [whole(2), b""])),
    ("COPY d (id, price, since, ok, small, name) FROM STDIN (FORMAT binary)", binary(
        [whole(1), struct.pack("!hhhhhh", 2, 0, 0, 3, 12, 3450), whole(-365), b"\1", whole(-9, 2), "ü".encode()], [whole(2), None, None, None, None, b"x"])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a"], [whole(2, 2), b"b"])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a"], [whole(2, 8), b"b"])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a"], [whole(2)])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a\0b"])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a"], [whole(1), b"b"])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), None])),
    ("COPY d (id, name) FROM STDIN BINARY", binary([whole(1), b"a"])[:-9]),
    ("COPY d (id, name) FROM STDIN BINARY", b"no binary at all, surely"),
]


def run(connection, statement, data):
    """The rows there are then, or the error's SQLSTATE, text and context. A row of 7 was there before."""
    connection.execute("TRUNCATE d")
    connection.execute("INSERT INTO d (id, name) VALUES (7, 'old')")
    cursor = connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            copy.write(data)
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.context, connection.execute("SELECT count(*) FROM d").fetchone()
    return cursor.statusmessage, connection.execute("SELECT * FROM d ORDER BY id").fetchall()


def test_copy_into_a_dimension_table_does_what_postgresql_15_does(context):
    if program("postgres") is None:
        raise Skipped("PostgreSQL 15 is not installed")
    postgres = PostgreSQL(context.path("postgres"))
    context.closing(postgres)
    theirs = postgres.connect()
    context.closing(theirs)
    ours = connect(context.server(), options="-c timezone=UTC")
    context.closing(ours)
    different = []
    for connection in (theirs, ours):
        connection.execute(TABLE)
    for statement, data in CASES:
        expected, actual = run(theirs, statement, data), run(ours, statement, data)
        if repr(actual) != repr(expected):
            different.append(f"{statement} {data!r}\n  PostgreSQL {expected}\n  Varve      {actual}")
    assert not different, "\n".join(different)


def test_copy_into_a_dimension_table_is_its_transactions(context):
    server = context.server()
    with connect(server) as connection, connect(server) as other:
        connection.execute(TABLE)
        count = "SELECT count(*) FROM d"

        def copy(first, number):
            with connection.cursor().copy("COPY d (id, name) FROM STDIN") as copy:
                for row in range(first, first + number):
                    copy.write_row((row, f"n{row}"))

        with connection.transaction(force_rollback=True):
            copy(0, 100)
            expect(connection.execute(count).fetchone(), (100,))
            expect(other.execute(count).fetchone(), (0,))
        expect(connection.execute(count).fetchone(), (0,))
        with connection.transaction():
            connection.execute("INSERT INTO d (id, name) VALUES (1000, 'before')")
            connection.execute("DELETE FROM d WHERE id = 1000")
            copy(1000, 1)
            # No other session writes the table meanwhile.
            other.execute("SET lock_timeout = 50")
            expect_error("55P03", lambda: other.execute("INSERT INTO d (id, name) VALUES (5, 'x')"))
            expect(other.execute("SELECT count(*) FROM d").fetchone(), (0,))
        expect(connection.execute(count).fetchone(), (1,))
        # All or nothing, however much came before the error; then the table is free again.
        expect_error("23505", lambda: copy(0, 1001))
        expect(other.execute("INSERT INTO d (id, name) VALUES (5, 'x')").rowcount, 1)
        copy(2000, 30_000)
        expect(connection.execute(count).fetchone(), (30_002,))
        connection.execute("SET default_transaction_read_only = on")
        expect_error("25006", lambda: copy(9, 1))
        connection.execute("RESET default_transaction_read_only")
        connection.execute("SET varve.query_memory_limit = '1MB'")
        expect_error("53200", lambda: copy(100_000, 100_000))
        connection.execute("RESET varve.query_memory_limit")
    server.kill()
    server.start()
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*), max(id) FROM d").fetchone(), (30_002, 31_999))
    path = context.write("d.csv", "id,name\n50000,psql\n")
    assert "COPY 1" in psql(server, f"\\copy d (id, name) FROM '{path}' CSV HEADER")


def test_rows_copied_out_of_a_dimension_table_can_be_copied_in(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        connection.execute(TABLE.replace("TABLE d", "TABLE e"))
        with connection.cursor().copy(f"COPY d {COLUMNS} FROM STDIN") as copy:
            copy.write(LINES)
        for form in ("text", "csv", "binary"):
            out = io.BytesIO()
            with connection.cursor().copy(f"COPY d TO STDOUT (FORMAT {form})") as copy:
                for piece in copy:
                    out.write(piece)
            connection.execute("TRUNCATE e")
            with connection.cursor().copy(f"COPY e FROM STDIN (FORMAT {form})") as copy:
                copy.write(out.getvalue())
            # The last column as text: NaN is not NaN in Python.
            rows = [connection.execute(f"SELECT {COLUMNS[1:-1]}::text, kind FROM {table} ORDER BY id").fetchall() for table in "de"]
            expect(rows[1], rows[0])
            expect(len(rows[0]), 2)
