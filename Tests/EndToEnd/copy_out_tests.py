"""COPY … TO STDOUT over the PostgreSQL protocol."""

import csv
import json
import os
import re
import threading
import time

import psycopg

import copy_out_cases
from support import connect, expect, expect_error, psql

TABLE = "CREATE TABLE m (time timestamptz, host text, v double precision, n bigint, s text) WITH (varve.tags = 'host')"


def fill(connection, count):
    connection.execute(TABLE)
    connection.execute(
        "INSERT INTO m SELECT timestamptz '2024-01-01' + n * interval '1 second', 'h' || n % 7, n / 4.0, n, "
        f"CASE WHEN n % 5 > 0 THEN 'text ' || n END FROM generate_series(0, {count - 1}) AS g(n)")


def copied(connection, statement):
    with connection.cursor().copy(statement) as copy:
        return b"".join(copy)


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def test_copy_gives_what_postgresql_15_gives(context):
    server = context.server()
    with open(copy_out_cases.EXPECTED) as file:
        cases = json.load(file)
    different = []
    with connect(server, options="-c timezone=UTC") as connection:
        for case in cases:
            expected = {key: case[key] for key in ("messages", "error") if key in case}
            actual = copy_out_cases.run(connection, case["statement"])
            if actual != expected:
                different.append(f"{case['statement']}\n  PostgreSQL {expected}\n  Varve      {actual}")
    assert len(cases) > 400 and not different, f"{len(different)} differ\n" + "\n".join(different[:20])


def test_copy_gives_tables_and_queries_to_psycopg_in_text_and_binary(context):
    server = context.server()
    with connect(server, options="-c timezone=UTC") as connection:
        fill(connection, 5000)
        expected = connection.execute("SELECT time, host, v, n, s FROM m ORDER BY time").fetchall()
        types = ["timestamptz", "text", "float8", "int8", "text"]
        for form in ("", "(FORMAT binary)"):
            for source in ("m (time, host, v, n, s)", "m", "(SELECT * FROM m)", "(SELECT time, host, v, n, s FROM m ORDER BY time)"):
                cursor = connection.cursor()
                with cursor.copy(f"COPY {source} TO STDOUT {form}") as copy:
                    copy.set_types(types)
                    rows = list(copy.rows())
                expect(sorted(rows), sorted(expected))


def test_what_copy_gives_copy_takes(context):
    server = context.server()
    with connect(server) as connection:
        fill(connection, 3000)
        rows = "SELECT * FROM m ORDER BY time, host"
        expected = connection.execute(rows).fetchall()
        for form in ("", "(FORMAT csv, HEADER, FORCE_QUOTE (s))", "(FORMAT binary)"):
            data = copied(connection, f"COPY m TO STDOUT {form}")
            connection.execute("TRUNCATE m")
            with connection.cursor().copy(f"COPY m FROM STDIN {form.replace(', FORCE_QUOTE (s)', '')}") as copy:
                copy.write(data)
            expect(connection.execute(rows).fetchall(), expected)


def test_psql_copies_to_a_file(context):
    server = context.server()
    with connect(server) as connection:
        fill(connection, 100)
    for command, lines in [
            ("\\copy m to '{}' csv header", 101), ("\\copy (select host, count(*) from m group by host) to '{}'", 7),
            ("\\copy m (time, v) to '{}' with (format csv, delimiter ';')", 100)]:
        path = context.path("out")
        expect(psql(server, command.format(path)).strip(), f"COPY {lines - (1 if 'header' in command else 0)}")
        with open(path, newline="") as file:
            expect(sum(1 for _ in csv.reader(file)), lines)
        os.remove(path)
    output = psql(server, "COPY (SELECT 1, NULL, 'x') TO STDOUT", "SELECT 'behind'")
    assert output.startswith("1\t\\N\tx\n") and "behind" in output, output


def test_a_copy_that_fails_or_is_refused_leaves_the_connection_in_order(context):
    server = context.server()
    with connect(server) as connection:
        fill(connection, 10)
        expect_error("22012", lambda: copied(connection, "COPY (SELECT 1 / (n - n) FROM m) TO STDOUT"))
        expect_error("42P01", lambda: copied(connection, "COPY nothing TO STDOUT"))
        expect(connection.execute("SELECT count(*) FROM m").fetchone(), (10,))
        with connection.transaction():
            expect(copied(connection, "COPY (SELECT count(*) FROM m) TO STDOUT"), b"10\n")
        with connect(server) as other:
            other.execute("BEGIN READ ONLY")
            expect(copied(other, "COPY (SELECT count(*) FROM m) TO STDOUT"), b"10\n")


def test_a_long_copy_is_not_held_in_memory_and_can_be_cancelled(context):
    server = context.server()
    with connect(server) as connection:
        fill(connection, 200_000)
        copied(connection, "COPY (SELECT 1) TO STDOUT")
        before = resident_bytes(server)
        product = "COPY (SELECT a.time, a.host, a.s, b.n FROM m a CROSS JOIN (SELECT n FROM m LIMIT 1000) b) TO STDOUT"
        size = 0
        with connection.cursor() as cursor:
            error = None
            try:
                with cursor.copy(product) as copy:
                    for message in copy:
                        size += len(message)
                        if size > 100 << 20:
                            break
                    # The client does not read; what the server holds must stay bounded.
                    time.sleep(1)
                    assert resident_bytes(server) - before < 80 << 20, resident_bytes(server) - before
                    connection.cancel()
                    for message in copy:
                        size += len(message)
            except psycopg.Error as raised:
                error = raised
            expect(getattr(error, "sqlstate", None), "57014")
        expect(connection.execute("SELECT 1").fetchone(), (1,))
        connection.execute("SET statement_timeout = '300ms'")
        expect_error("57014", lambda: copied(connection, product))


def test_many_copies_run_beside_each_other(context):
    server = context.server()
    with connect(server) as connection:
        fill(connection, 20_000)
        expected = sorted(copied(connection, "COPY m TO STDOUT").splitlines())
    results = []

    def one():
        with connect(server) as connection:
            results.append(sorted(copied(connection, "COPY m TO STDOUT").splitlines()) == expected)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(results, [True] * 8)
