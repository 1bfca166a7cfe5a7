"""Tables of Varve as foreign tables of a PostgreSQL 15 that the test starts."""

import datetime

import psycopg

from differential.postgres import PostgreSQL, program
from support import Skipped, connect, expect

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def foreign(context, count):
    """A connection to a PostgreSQL that has Varve's tables in the schema `far`."""
    if program("postgres") is None:
        raise Skipped("PostgreSQL 15 is not installed")
    server = context.server()
    with connect(server) as connection:
        connection.execute(
            "CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint, ok boolean, note text) WITH (varve.tags = 'host')")
        connection.execute(
            "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 minute', 'h' || i % 5, i / 4.0, i, i % 2 = 0, "
            f"CASE WHEN i % 3 > 0 THEN 'note ' || i END FROM generate_series(0, {count - 1}) AS g(i)")
    postgres = PostgreSQL(context.path("postgres"))
    context.closing(postgres)
    connection = postgres.connect()
    context.closing(connection)
    try:
        connection.execute("CREATE EXTENSION postgres_fdw")
    except psycopg.Error as error:
        raise Skipped(f"no postgres_fdw: {error}")
    connection.execute(
        "CREATE SERVER varve FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
        f"(host '127.0.0.1', port '{server.ports['postgres']}', dbname 'varve', fetch_size '100')")
    connection.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER varve OPTIONS (user 'varve', password_required 'false')")
    connection.execute("CREATE SCHEMA far")
    connection.execute("IMPORT FOREIGN SCHEMA public FROM SERVER varve INTO far")
    return server, connection


def test_postgres_imports_the_schema_and_reads(context):
    _, connection = foreign(context, 1000)
    expect(
        connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'far.cpu'::regclass AND attnum > 0 "
            "ORDER BY attnum").fetchall(),
        [("time", "timestamp with time zone", True), ("host", "text", False), ("usage", "double precision", False), ("n", "bigint", False),
         ("ok", "boolean", False), ("note", "text", False)])
    expect(connection.execute("SELECT count(*), sum(n), min(time), max(usage) FROM far.cpu").fetchone(), (1000, 499500, START, 249.75))
    expect(
        connection.execute("SELECT host, count(*), avg(usage) FROM far.cpu WHERE n < 100 AND host IN ('h1', 'h2') GROUP BY host ORDER BY host").fetchall(),
        [("h1", 20, 12.125), ("h2", 20, 12.375)])
    expect(
        connection.execute("SELECT time, host, usage, n, ok, note FROM far.cpu ORDER BY time LIMIT 2 OFFSET 3").fetchall(),
        [(START + datetime.timedelta(minutes=i), f"h{i % 5}", i / 4, i, i % 2 == 0, f"note {i}" if i % 3 else None) for i in (3, 4)])
    plan = "\n".join(row[0] for row in connection.execute("EXPLAIN (VERBOSE) SELECT n FROM far.cpu WHERE host = 'h1' AND n > 7 ORDER BY n LIMIT 3"))
    assert "Remote SQL: SELECT n FROM public.cpu WHERE ((n > 7)) AND ((host = 'h1')) ORDER BY n ASC NULLS LAST LIMIT 3" in plan, plan
    expect(connection.execute("SELECT count(*) FROM far.cpu WHERE note IS NULL AND time >= $1".replace("$1", "%s"), (START,)).fetchone(), (334,))


def test_postgres_joins_with_its_own_tables_and_reads_again(context):
    _, connection = foreign(context, 500)
    connection.execute("CREATE TABLE site (host text, name text)")
    connection.execute("INSERT INTO site VALUES ('h1', 'north'), ('h2', 'south')")
    expect(
        connection.execute("SELECT s.name, count(*) FROM far.cpu c JOIN site s USING (host) GROUP BY 1 ORDER BY 1").fetchall(),
        [("north", 100), ("south", 100)])
    # The foreign table on the inner side, once a row and with more rows than one FETCH gives: its cursor goes back to the start, or begins anew.
    for setting in ("enable_hashjoin", "enable_mergejoin", "enable_material"):
        connection.execute(f"SET {setting} = off")
    expect(
        connection.execute("SELECT s.name, count(*) FROM site s LEFT JOIN far.cpu c ON c.n % 2 = length(s.name) % 2 AND c.n < 400 GROUP BY 1 ORDER BY 1").fetchall(),
        [("north", 200), ("south", 200)])
    expect(
        connection.execute("SELECT s.name, x.n FROM site s, LATERAL (SELECT n FROM far.cpu c WHERE c.host = s.host ORDER BY n DESC LIMIT 1) x ORDER BY 1").fetchall(),
        [("north", 496), ("south", 497)])


def test_postgres_analyzes_and_writes(context):
    server, connection = foreign(context, 300)
    connection.execute("ANALYZE far.cpu")
    expect(connection.execute("SELECT reltuples::int FROM pg_class WHERE oid = 'far.cpu'::regclass").fetchone(), (300,))
    connection.execute("INSERT INTO far.cpu (time, host, usage, n) VALUES ('2025-01-01Z', 'new', 1.5, 7), ('2025-01-02Z', 'new', 2.5, 8)")
    with connection.transaction():
        connection.execute("INSERT INTO far.cpu (time, host, n) VALUES ('2025-01-03Z', 'new', 9)")
        try:
            with connection.transaction():
                connection.execute("INSERT INTO far.cpu (time, host, n) VALUES ('2025-01-04Z', 'new', 10)")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    with connect(server) as own:
        expect(own.execute("SELECT n, usage FROM cpu WHERE host = 'new' ORDER BY time").fetchall(), [(7, 1.5), (8, 2.5), (9, None)])
