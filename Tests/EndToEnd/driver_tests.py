"""Drivers and libraries of Python that read and write SQL: psycopg 3 and 2, asyncpg, pg8000, SQLAlchemy, pandas."""

import asyncio
import datetime
import decimal
import io
import re
import uuid

import psycopg

from support import Skipped, connect, expect, expect_error

TABLE = ("CREATE TABLE cpu (time timestamptz, host text, region text, usage double precision, n bigint, ok boolean, note text) "
         "WITH (varve.tags = 'host, region')")
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
ROWS = [(START, "h1", "eu", 1.5, 1, True, "a"), (START, "h2", "us", 3.5, None, True, None),
        (START + datetime.timedelta(minutes=1), "h1", "eu", 2.5, 2, False, "b")]


def needed(name):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise Skipped(f"no {name}")


def filled(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        connection.cursor().executemany("INSERT INTO cpu VALUES (%s, %s, %s, %s, %s, %s, %s)", ROWS)
    return server


def many(connection, count):
    connection.execute("CREATE TABLE m (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    connection.execute(
        f"INSERT INTO m SELECT timestamptz '2024-01-01' + n * interval '1 second', 'h' || n % 3, n FROM generate_series(1, {count}) AS g(n)")


# ---------------------------------------------------------------- psycopg 3
def test_psycopg_reads_binary_and_in_pipelines(context):
    server = filled(context)
    with connect(server) as connection:
        for binary in (False, True):
            with connection.cursor(binary=binary) as cursor:
                expect(cursor.execute("SELECT * FROM cpu ORDER BY time, host").fetchall(), ROWS)
                cursor.execute(
                    "SELECT %s::timestamptz, %s::interval, %s::numeric, %s::date, %s::bytea, %s::int[], %s::text[]",
                    (START, datetime.timedelta(days=1, seconds=2), decimal.Decimal("1.50"), datetime.date(2024, 2, 29), b"a\0b", [1, None], ["x", ""]))
                expect(cursor.fetchone(), (
                    START, datetime.timedelta(days=1, seconds=2), decimal.Decimal("1.50"), datetime.date(2024, 2, 29), b"a\0b", [1, None], ["x", ""]))
        with connection.pipeline():
            cursors = [connection.execute("SELECT count(*) FROM cpu WHERE host = %s", (host,)) for host in ("h1", "h2", "none")]
        expect([cursor.fetchone()[0] for cursor in cursors], [2, 1, 0])


def test_psycopg_reads_through_a_named_cursor(context):
    server = context.server()
    with connect(server) as connection:
        many(connection, 5000)
        with connection.transaction():
            for binary in (False, True):
                with connection.cursor("a cursor", binary=binary) as cursor:
                    cursor.itersize = 700
                    cursor.execute("SELECT v, host FROM m WHERE v > %s ORDER BY time", (10,))
                    expect([column.name for column in cursor.description], ["v", "host"])
                    expect(cursor.fetchmany(3), [(11, "h2"), (12, "h0"), (13, "h1")])
                    expect(cursor.fetchone(), (14, "h2"))
                    expect([row[0] for row in cursor], list(range(15, 5001)))
                    expect(cursor.fetchall(), [])
        with connection.transaction(), connection.cursor("c", scrollable=False) as cursor:
            cursor.execute("SELECT 1 UNION ALL SELECT 2")
            expect(len(cursor.fetchall()), 2)
        error = expect_error("25P01", lambda: connection.execute("DECLARE c CURSOR FOR SELECT 1"))
        assert "transaction" in error.diag.message_primary


def test_two_cursors_of_a_transaction_are_read_in_turns(context):
    server = context.server()
    with connect(server) as connection:
        many(connection, 100)
        with connection.transaction():
            connection.execute("DECLARE a NO SCROLL CURSOR FOR SELECT v FROM m ORDER BY v")
            connection.execute("DECLARE b CURSOR FOR SELECT v FROM m ORDER BY v DESC")
            expect(connection.execute("FETCH 2 FROM a").fetchall(), [(1,), (2,)])
            expect(connection.execute("FETCH 2 FROM b").fetchall(), [(100,), (99,)])
            cursor = connection.execute("MOVE 90 FROM a")
            expect(cursor.statusmessage, "MOVE 90")
            cursor = connection.execute("FETCH ALL FROM a")
            expect((cursor.statusmessage, cursor.fetchone()), ("FETCH 8", (93,)))
            expect(connection.execute("SELECT name FROM pg_cursors ORDER BY name").fetchall(), [("a",), ("b",)])
            connection.execute("CLOSE a")
            expect_error("34000", lambda: connection.execute("FETCH a"))


# ---------------------------------------------------------------- asyncpg
def with_asyncpg(server, body):
    asyncpg = needed("asyncpg")

    async def main():
        connection = await asyncpg.connect(host="127.0.0.1", port=server.ports["postgres"], user="varve", database="varve")
        try:
            return await body(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def test_asyncpg_reads_and_writes(context):
    server = filled(context)

    async def body(connection):
        expect([tuple(row) for row in await connection.fetch("SELECT * FROM cpu ORDER BY time, host")], ROWS)
        expect(await connection.fetchval("SELECT count(*) FROM cpu WHERE host = $1 AND time >= $2", "h1", START), 2)
        expect(len(await connection.fetch("SELECT * FROM cpu WHERE host = ANY($1::text[])", ["h1", "none"])), 2)
        statement = await connection.prepare("SELECT usage FROM cpu WHERE host = $1 ORDER BY time")
        expect([(await statement.fetch(host))[0]["usage"] for host in ("h1", "h2")], [1.5, 3.5])
        expect(statement.get_attributes()[0].type.name, "float8")
        await connection.executemany(
            "INSERT INTO cpu (time, host, region, usage) VALUES ($1, $2, $3, $4)", [(START, f"x{i}", "eu", float(i)) for i in range(50)])
        expect(await connection.fetchval("SELECT sum(usage) FROM cpu WHERE host LIKE 'x%'"), 1225.0)
        async with connection.transaction():
            hosts = [row["host"] async for row in connection.cursor("SELECT host FROM cpu ORDER BY host", prefetch=7)]
            cursor = await connection.cursor("SELECT host FROM cpu ORDER BY host")
            expect([[row["host"] for row in await cursor.fetch(2)] for _ in range(2)], [hosts[:2], hosts[2:4]])
        expect(len(hosts), 53)

    with_asyncpg(server, body)


def test_asyncpg_moves_its_cursors_and_reads_them_in_turns(context):
    server = context.server()
    with connect(server) as connection:
        many(connection, 3000)

    async def body(connection):
        async with connection.transaction():
            up = await connection.cursor("SELECT v FROM m ORDER BY v")
            down = await connection.cursor("SELECT v FROM m WHERE v < $1 ORDER BY v DESC", 10)
            # A cursor is a portal of the protocol; forward() is MOVE on it.
            expect((await up.forward(10), (await up.fetchrow())["v"]), (10, 11))
            expect([row["v"] for row in await down.fetch(3)], [9, 8, 7])
            expect([row["v"] for row in await up.fetch(3)], [12, 13, 14])
            expect((await down.forward(100), await down.fetch(3), await down.fetchrow()), (6, [], None))
            await connection.execute("INSERT INTO m (time, host, v) VALUES ('2025-01-01Z', 'late', 1)")
            expect((await up.forward(2980), [row["v"] for row in await up.fetch(100)]), (2980, list(range(2995, 3001))))
            expect((await up.forward(5), await up.fetch(1)), (0, []))
        async with connection.transaction():
            statement = await connection.prepare("SELECT v FROM m WHERE host = $1 ORDER BY v")
            seen = []
            async for row in statement.cursor("h1", prefetch=10):
                seen.append(row["v"])
                if len(seen) == 25:
                    break
            expect(seen, list(range(1, 75, 3)))

    with_asyncpg(server, body)


def test_asyncpgs_pool_gives_connections_again(context):
    asyncpg = needed("asyncpg")
    server = filled(context)

    async def main():
        async with asyncpg.create_pool(
                host="127.0.0.1", port=server.ports["postgres"], user="varve", database="varve", min_size=2, max_size=2) as pool:
            expect(await asyncio.gather(*[pool.fetchval("SELECT $1::int + 1", i) for i in range(50)]), list(range(1, 51)))
            async with pool.acquire() as connection:
                await connection.execute("SET timezone = 'Asia/Tokyo'")
            expect(await pool.fetchval("SHOW timezone"), "UTC")

    asyncio.run(main())


def test_asyncpg_knows_the_types_in_binary(context):
    server = filled(context)

    async def body(connection):
        for query, expected in [
                ("SELECT timestamptz '2024-01-01 12:00:00+00'", START + datetime.timedelta(hours=12)),
                ("SELECT interval '1 day 2 hours'", datetime.timedelta(days=1, hours=2)), ("SELECT 1.50::numeric", decimal.Decimal("1.50")),
                ("SELECT date '2024-02-29'", datetime.date(2024, 2, 29)), ("SELECT '\\x6100'::bytea", b"a\0"), ("SELECT ARRAY[1, 2, NULL]", [1, 2, None]),
                ("SELECT array_agg(host ORDER BY host) FROM cpu", ["h1", "h1", "h2"]), ("SELECT ARRAY[1.5::float8]", [1.5]),
                ("SELECT ARRAY[timestamptz '2024-01-01']", [START]), ("SELECT NULL::int", None), ("SELECT true", True), ("SELECT 1::smallint", 1),
                ("SELECT ARRAY[1::numeric]", [decimal.Decimal(1)]), ("SELECT sum(n) FROM cpu", decimal.Decimal(3))]:
            value = await connection.fetchval(query)
            assert value == expected and type(value) is type(expected), f"{query}: {value!r}"
        for value, cast in [(START, "timestamptz"), (datetime.timedelta(days=-1, seconds=3), "interval"), (decimal.Decimal("-0.001"), "numeric"),
                            ([1, None], "bigint[]"), (["a", None, ""], "text[]"), (b"\0", "bytea"), (datetime.date(1, 1, 1), "date")]:
            expect(await connection.fetchval(f"SELECT $1::{cast}", value), value)

    with_asyncpg(server, body)


def test_asyncpg_copies(context):
    server = filled(context)

    async def body(connection):
        await connection.copy_records_to_table(
            "cpu", records=[(START, "c1", "eu", 1.0, 2, True, "n")], columns=["time", "host", "region", "usage", "n", "ok", "note"])
        out = io.BytesIO()
        expect(await connection.copy_from_query("SELECT host, n FROM cpu WHERE usage > $1 ORDER BY host", 1.2, output=out, format="csv"), "COPY 3")
        expect(out.getvalue(), b"h1,1\nh1,2\nh2,\n")
        out = io.BytesIO()
        expect(await connection.copy_from_table("cpu", columns=["host"], output=out, header=True, format="csv"), "COPY 4")
        expect(sorted(out.getvalue().split()), [b"c1", b"h1", b"h1", b"h2", b"host"])

    with_asyncpg(server, body)


# ---------------------------------------------------------------- SQLAlchemy
def engine(server, driver):
    sqlalchemy = needed("sqlalchemy")
    needed(driver)
    return sqlalchemy, sqlalchemy.create_engine(f"postgresql+{driver}://varve@127.0.0.1:{server.ports['postgres']}/varve")


def reflects(server, driver):
    sqlalchemy, connected = engine(server, driver)
    inspector = sqlalchemy.inspect(connected)
    expect([name for name in inspector.get_schema_names() if name != "information_schema"], ["public", "varve"])
    expect((inspector.get_table_names(), inspector.get_view_names(), inspector.get_sequence_names()), (["cpu"], [], []))
    assert "tables" in inspector.get_view_names(schema="varve")
    expect([(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns("cpu")], [
        ("time", "TIMESTAMP", False), ("host", "TEXT", True), ("region", "TEXT", True), ("usage", "DOUBLE PRECISION", True), ("n", "BIGINT", True),
        ("ok", "BOOLEAN", True), ("note", "TEXT", True)])
    expect((inspector.get_indexes("cpu"), inspector.get_foreign_keys("cpu"), inspector.get_unique_constraints("cpu"), inspector.get_check_constraints("cpu")),
           ([], [], [], []))
    expect((inspector.get_pk_constraint("cpu")["constrained_columns"], inspector.get_table_comment("cpu"), inspector.get_enums()), ([], {"text": None}, []))
    assert inspector.has_table("cpu") and not inspector.has_table("gpu")
    metadata = sqlalchemy.MetaData()
    metadata.reflect(connected)
    table = metadata.tables["cpu"]
    with connected.connect() as connection:
        query = sqlalchemy.select(table.c.host, sqlalchemy.func.avg(table.c.usage)).group_by(table.c.host).order_by(table.c.host)
        expect([tuple(row) for row in connection.execute(query)], [("h1", 2.0), ("h2", 3.5)])
        streamed = connection.execution_options(stream_results=True, max_row_buffer=2).execute(sqlalchemy.select(table.c.host).order_by(table.c.host))
        expect([row[0] for row in streamed], ["h1", "h1", "h2"])
    with connected.begin() as connection:
        connection.execute(sqlalchemy.insert(table), [dict(time=START, host=f"s{k}", region="eu", usage=float(k)) for k in range(3)])
    with connected.connect() as connection:
        expect(connection.execute(sqlalchemy.text("SELECT sum(usage) FROM cpu WHERE host LIKE 's%'")).scalar(), 3.0)
    connected.dispose()


def test_sqlalchemy_reflects_through_psycopg(context):
    reflects(filled(context), "psycopg")


def test_sqlalchemy_reflects_through_psycopg2(context):
    reflects(filled(context), "psycopg2")


def test_sqlalchemy_reflects_through_pg8000(context):
    reflects(filled(context), "pg8000")


def test_sqlalchemy_reflects_and_changes_a_dimension_table(context):
    server = filled(context)
    with connect(server) as connection:
        connection.execute("CREATE TABLE devices (id text PRIMARY KEY, site text NOT NULL, floor int)")
    sqlalchemy, connected = engine(server, "psycopg")
    inspector = sqlalchemy.inspect(connected)
    expect(inspector.get_pk_constraint("devices")["constrained_columns"], ["id"])
    expect([(column["name"], column["nullable"]) for column in inspector.get_columns("devices")], [("id", False), ("site", False), ("floor", True)])
    metadata = sqlalchemy.MetaData()
    metadata.reflect(connected)
    devices, cpu = metadata.tables["devices"], metadata.tables["cpu"]
    expect([column.name for column in devices.primary_key], ["id"])
    with connected.begin() as connection:
        connection.execute(sqlalchemy.insert(devices), [dict(id="h1", site="north", floor=1), dict(id="h2", site="south", floor=None)])
        with connection.begin_nested() as savepoint:
            connection.execute(sqlalchemy.update(devices).values(site="west"))
            savepoint.rollback()
        connection.execute(sqlalchemy.update(devices).where(devices.c.id == "h2").values(floor=3))
    with connected.connect() as connection:
        query = sqlalchemy.select(devices.c.site, devices.c.floor, sqlalchemy.func.count()).join(cpu, cpu.c.host == devices.c.id).group_by(
            devices.c.site, devices.c.floor).order_by(devices.c.site)
        expect([tuple(row) for row in connection.execute(query)], [("north", 1, 2), ("south", 3, 1)])
    connected.dispose()


# ---------------------------------------------------------------- pandas
def test_pandas_reads_and_appends(context):
    pandas = needed("pandas")
    server = filled(context)
    sqlalchemy, connected = engine(server, "psycopg")
    frame = pandas.read_sql("SELECT time, host, usage FROM cpu ORDER BY time, host", connected)
    expect((list(frame.columns), frame.usage.tolist(), str(frame.time.dt.tz)), (["time", "host", "usage"], [1.5, 3.5, 2.5], "UTC"))
    expect(len(pandas.read_sql_table("cpu", connected, columns=["time", "host"])), 3)
    indexed = pandas.read_sql(sqlalchemy.text("SELECT * FROM cpu WHERE host = :host"), connected, params={"host": "h1"}, index_col="time")
    expect(indexed.n.tolist(), [1, 2])
    frame.assign(host="pd", region="x")[["time", "host", "region", "usage"]].to_sql("cpu", connected, if_exists="append", index=False)
    expect(len(pandas.read_sql("SELECT * FROM cpu WHERE host = 'pd'", connected)), 2)
    chunks = list(pandas.read_sql("SELECT * FROM cpu ORDER BY host", connected, chunksize=2))
    expect([len(chunk) for chunk in chunks], [2, 2, 1])
    try:
        pandas.DataFrame({"a": [1]}).to_sql("fresh", connected, index=False)
        raise AssertionError("a table without time was made")
    except sqlalchemy.exc.DBAPIError as error:
        assert re.search("time|PRIMARY KEY", str(error.orig)), error
    connected.dispose()


# ---------------------------------------------------------------- psycopg2, pg8000
def test_psycopg2_reads_copies_and_fetches_in_parts(context):
    psycopg2 = needed("psycopg2")
    server = filled(context)
    connection = psycopg2.connect(host="127.0.0.1", port=server.ports["postgres"], user="varve", dbname="varve")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM cpu ORDER BY time, host")
        expect(cursor.fetchall(), ROWS)
        out = io.StringIO()
        cursor.copy_to(out, "cpu", columns=("host", "n"), null="")
        expect(sorted(out.getvalue().splitlines()), ["h1\t1", "h1\t2", "h2\t"])
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT host FROM cpu ORDER BY host) TO STDOUT CSV HEADER", out)
        expect(out.getvalue(), "host\nh1\nh1\nh2\n")
    with connection, connection.cursor("part") as cursor:
        cursor.itersize = 2
        cursor.execute("SELECT host FROM cpu ORDER BY host")
        expect([row[0] for row in cursor], ["h1", "h1", "h2"])
    connection.close()


def test_pg8000_reads_and_writes(context):
    pg8000 = needed("pg8000.dbapi")
    server = filled(context)
    connection = pg8000.connect(user="varve", host="127.0.0.1", port=server.ports["postgres"], database="varve")
    cursor = connection.cursor()
    cursor.execute("SELECT host, usage FROM cpu WHERE host = %s ORDER BY time", ("h1",))
    expect([tuple(row) for row in cursor.fetchall()], [("h1", 1.5), ("h1", 2.5)])
    out = io.BytesIO()
    cursor.execute("COPY (SELECT 1, 'x') TO STDOUT", stream=out)
    expect(out.getvalue(), b"1\tx\n")
    connection.commit()
    connection.close()
