"""DuckDB with its own postgres reader, which attaches a server as a database: it reads through COPY in binary, in transactions of REPEATABLE READ, and
pushes filters down. What it makes of tables is held against what psycopg is told."""

import datetime
import decimal
import glob
import os

from support import Skipped, connect, expect

TABLE = ("CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint, big numeric(20,0), ok boolean, note text) "
         "WITH (varve.tags = 'host')")
DEVICES = "CREATE TABLE devices (id text PRIMARY KEY, site text, price numeric(10,2), since date, small smallint, n int, seen timestamptz, ok boolean)"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def extension():
    """The extension's file, which its package brings: nothing is fetched."""
    try:
        import duckdb_extension_postgres_scanner as package
    except ImportError:
        raise Skipped("no duckdb_extension_postgres_scanner")
    return glob.glob(os.path.join(os.path.dirname(package.__file__), "extensions", "*", "postgres_scanner.duckdb_extension"))[0]


class Attached:
    """A server with 50,000 readings and three devices, seen from DuckDB as `v`, and from psycopg."""

    def __init__(self, context):
        file = extension()
        import duckdb

        self.server = context.server()
        self.own = connect(self.server, options="-c timezone=UTC")
        context.closing(self.own)
        self.own.execute(TABLE)
        self.own.execute(
            "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 minute', 'h' || i % 5, i / 4.0, i, i, i % 2 = 0, "
            "CASE WHEN i % 3 > 0 THEN 'note ' || i END FROM generate_series(0, 49999) AS g(i)")
        self.own.execute(DEVICES)
        self.own.execute(
            "INSERT INTO devices VALUES ('h1', 'north', 1.5, '2024-02-29', -7, 1, '2024-01-01 00:00:00.000001Z', true), "
            "('h2', 'süd', -99999999.99, '1969-12-31', 8, NULL, NULL, false), ('h3', NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
        self.duck = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 4})
        context.closing(self.duck)
        self.duck.execute("SET TimeZone = 'UTC'")
        self.duck.execute(f"LOAD '{file}'")
        self.address = f"host=127.0.0.1 port={self.server.ports['postgres']} user=varve dbname=varve"
        self.duck.execute(f"ATTACH '{self.address}' AS v (TYPE postgres)")

    def rows(self, query):
        return self.duck.execute(query).fetchall()

    def same(self, query):
        """Both give these rows, which name the tables as DuckDB does."""
        expected = self.own.execute(query.replace("v.", "")).fetchall()
        expect((query, self.rows(query)), (query, expected))
        return expected


def test_duckdb_lists_tables_and_reads_whole_ones(context):
    attached = Attached(context)
    expect(
        attached.rows("SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'v' AND table_name = 'cpu' ORDER BY column_index"),
        [("time", "TIMESTAMP WITH TIME ZONE"), ("host", "VARCHAR"), ("usage", "DOUBLE"), ("n", "BIGINT"), ("big", "DECIMAL(20,0)"), ("ok", "BOOLEAN"),
         ("note", "VARCHAR")])
    expect([row[0] for row in attached.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'v' AND schema_name = 'public' ORDER BY 1")],
           ["cpu", "devices"])
    expect(attached.rows("SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = 'v' AND constraint_type = 'PRIMARY KEY'"), [(["id"],)])
    expect(attached.same("SELECT count(*), sum(n)::bigint, min(time), max(usage) FROM v.cpu"), [(50_000, 1_249_975_000, START, 12499.75)])
    expect(len(attached.same("SELECT * FROM v.cpu ORDER BY time")), 50_000)
    expect(attached.same("SELECT * FROM v.devices ORDER BY id")[1][2], decimal.Decimal("-99999999.99"))


def test_duckdb_pushes_filters_down_and_joins(context):
    attached = Attached(context)
    for query, count in [
        ("SELECT * FROM v.cpu WHERE host = 'h1' AND n < 100 ORDER BY time", 20),
        ("SELECT * FROM v.cpu WHERE time >= '2024-01-20' AND time < '2024-01-21' AND host IN ('h1', 'h4') ORDER BY time", 576),
        ("SELECT * FROM v.cpu WHERE note IS NULL AND n BETWEEN 10 AND 20 ORDER BY time", 3),
        ("SELECT * FROM v.cpu WHERE (usage < 1 OR usage > 12499) AND ok ORDER BY time", 3),
        ("SELECT * FROM v.cpu WHERE host LIKE 'h2%' AND big = 7 ORDER BY time", 1),
        ("SELECT host, count(*), min(n), avg(usage) FROM v.cpu WHERE n >= 1000 GROUP BY host ORDER BY host", 5),
        ("SELECT d.site, count(*), sum(c.n)::bigint FROM v.cpu c JOIN v.devices d ON c.host = d.id WHERE c.n < 5000 GROUP BY 1 ORDER BY 2, 3", 3),
        ("SELECT id, c.n FROM v.devices LEFT JOIN v.cpu c ON c.host = id AND c.n < 2 ORDER BY id", 3),
        ("SELECT * FROM v.devices WHERE since > '1970-01-01' AND ok", 1),
        ("SELECT id FROM v.devices WHERE price < 0 OR seen IS NOT NULL ORDER BY 1", 2),
    ]:
        expect((query, len(attached.same(query))), (query, count))
    expect(attached.rows("SELECT count(*) FROM (SELECT * FROM v.cpu LIMIT 7)"), [(7,)])
    # Rows of another server's table beside DuckDB's own.
    attached.duck.execute("CREATE TABLE named AS SELECT 'h' || i AS host, i * 10 AS limit_ FROM range(3) r(i)")
    expect(attached.rows("SELECT host, count(*) FROM v.cpu JOIN named USING (host) WHERE n <= limit_ GROUP BY 1 ORDER BY 1"), [("h0", 1), ("h1", 2), ("h2", 4)])
    # Statements of Varve's own, through the reader.
    expect(
        attached.rows("SELECT * FROM postgres_query('v', 'SELECT host, last(n, time) FROM cpu GROUP BY host ORDER BY host LIMIT 2')"),
        [("h0", 49_995), ("h1", 49_996)])
    expect(attached.rows(f"SELECT count(*) FROM postgres_scan('{attached.address}', 'public', 'cpu') WHERE n < 10"), [(10,)])
    expect(attached.rows(f"SELECT n FROM postgres_scan_pushdown('{attached.address}', 'public', 'cpu') WHERE n = 5 AND NOT ok"), [(5,)])


def test_duckdbs_transaction_reads_one_snapshot_and_its_own_rows(context):
    attached = Attached(context)
    attached.duck.execute("BEGIN")
    count = "SELECT count(*) FROM v.cpu WHERE host = 'new'"
    expect(attached.rows(count), [(0,)])
    attached.own.execute("INSERT INTO cpu (time, host, n) VALUES ('2025-01-01Z', 'new', 1)")
    expect(attached.rows(count), [(0,)])
    attached.duck.execute("INSERT INTO v.cpu (time, host, n) VALUES ('2025-01-02 00:00:00Z', 'new', 2), ('2025-01-03 00:00:00Z', 'new', 3)")
    expect(attached.rows(count), [(2,)])
    expect(attached.own.execute("SELECT count(*) FROM cpu WHERE host = 'new'").fetchone(), (1,))
    attached.duck.execute("COMMIT")
    expect(attached.rows(count), [(3,)])
    attached.duck.execute("BEGIN")
    attached.duck.execute("INSERT INTO v.cpu (time, host, n) VALUES ('2025-01-04 00:00:00Z', 'new', 4)")
    attached.duck.execute("ROLLBACK")
    expect(attached.rows(count), [(3,)])


def test_duckdb_writes_series_and_dimension_tables(context):
    attached = Attached(context)
    attached.duck.execute(
        "INSERT INTO v.cpu SELECT TIMESTAMPTZ '2025-06-01 00:00:00Z' + i * INTERVAL 1 SECOND, 'w', i / 8.0, i, i, i % 2 = 0, 'x' || i FROM range(20000) r(i)")
    expect(attached.same("SELECT count(*), sum(n)::bigint, max(note), sum(usage) FROM v.cpu WHERE host = 'w'")[0][:3], (20_000, 199_990_000, "x9999"))
    attached.duck.execute("INSERT INTO v.devices VALUES ('h4', 'east', 3.25, DATE '2025-01-01', 4, 4, TIMESTAMPTZ '2025-01-01 00:00:00Z', true)")
    expect(attached.same("SELECT * FROM v.devices WHERE id = 'h4'")[0][2], decimal.Decimal("3.25"))
    attached.duck.execute("CREATE TABLE v.made (id INTEGER PRIMARY KEY, t VARCHAR)")
    attached.duck.execute("INSERT INTO v.made SELECT i, 'x' || i FROM range(5000) r(i)")
    expect(attached.same("SELECT count(*), min(id), max(t) FROM v.made"), [(5000, 0, "x999")])
    try:
        attached.duck.execute("INSERT INTO v.made VALUES (5000, 'y'), (4999, 'z')")
        raise AssertionError("a key was taken twice")
    except Exception as error:
        assert 'duplicate key value violates unique constraint "made_pkey"' in str(error), error
    attached.duck.execute("CALL postgres_execute('v', 'UPDATE made SET t = upper(t) WHERE id < 10')")
    expect(attached.same("SELECT count(*), count(*) FILTER (WHERE t LIKE 'X%') FROM v.made"), [(5000, 10)])
