"""ClickHouse, in this process, with its postgresql() table function and database engine. Its package is large (180 MB to fetch, 560 MB on disk):
`Tools/clickhouse` brings it and runs these; without it they are skipped."""

import decimal
import json

from object_reader_tests import DAY, Archived
from support import Skipped, connect, expect


class Clicked:
    def __init__(self, context):
        try:
            import chdb
        except ImportError:
            raise Skipped("no chdb; Tools/clickhouse brings it")
        self.chdb = chdb
        self.server = context.server()
        with connect(self.server) as connection:
            connection.execute(
                "CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint, big numeric(20,0), ok boolean, note text) "
                "WITH (varve.tags = 'host')")
            connection.execute(
                "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 minute', 'h' || i % 5, i / 4.0, i, i, i % 2 = 0, "
                "CASE WHEN i % 3 > 0 THEN 'note ' || i END FROM generate_series(0, 49999) AS g(i)")
            connection.execute("CREATE TABLE devices (id text PRIMARY KEY, site text, price numeric(10,2), since date, small smallint, n int)")
            connection.execute("INSERT INTO devices VALUES ('h1', 'north', 1.5, '2024-02-29', -7, 1), ('h2', NULL, NULL, NULL, NULL, NULL)")
        self.address = f"'127.0.0.1:{self.server.ports['postgres']}', 'varve'"

    def query(self, text):
        answer = self.chdb.query(text, "JSONCompact").bytes()
        return json.loads(answer)["data"] if answer else []

    def table(self, name):
        return f"postgresql({self.address}, '{name}', 'varve', '')"


def test_clickhouse_describes_and_reads(context):
    clicked = Clicked(context)
    expect([row[:2] for row in clicked.query(f"DESCRIBE {clicked.table('cpu')}")], [
        ["time", "DateTime64(6)"], ["host", "Nullable(String)"], ["usage", "Nullable(Float64)"], ["n", "Nullable(Int64)"],
        ["big", "Nullable(Decimal(20, 0))"], ["ok", "Nullable(UInt8)"], ["note", "Nullable(String)"]])
    cpu = clicked.table("cpu")
    expect(clicked.query(f"SELECT toInt32(count()), toInt32(sum(n)), min(time), max(usage), toInt32(sum(big)) FROM {cpu}"),
           [[50_000, 1_249_975_000, "2024-01-01 00:00:00.000000", 12499.75, 1_249_975_000]])
    expect(clicked.query(f"SELECT host, toInt32(count()) FROM {cpu} WHERE n < 100 AND host IN ('h1', 'h2') AND time >= '2024-01-01 00:10:00' "
                         "GROUP BY host ORDER BY host"), [["h1", 18], ["h2", 18]])
    expect(clicked.query(f"SELECT toInt32(n), note FROM {cpu} WHERE note IS NOT NULL ORDER BY time DESC LIMIT 2"), [[49_999, "note 49999"], [49_997, "note 49997"]])
    expect(clicked.query(f"SELECT * FROM {clicked.table('devices')} ORDER BY id"),
           [["h1", "north", 1.5, "2024-02-29", -7, 1], ["h2", None, None, None, None, None]])


def test_clickhouse_writes(context):
    clicked = Clicked(context)
    clicked.query(f"INSERT INTO FUNCTION {clicked.table('devices')} VALUES ('h3', 'süd\t\\\\', 2.25, '2024-03-01', 3, 4)")
    clicked.query(f"INSERT INTO FUNCTION {clicked.table('cpu')} SELECT toDateTime64('2025-01-01 00:00:00', 6, 'UTC') + number, 'w', number / 8, number, "
                  "number, number % 2, toString(number) FROM numbers(10000)")
    with connect(clicked.server) as connection:
        expect(connection.execute("SELECT site, price::text FROM devices WHERE id = 'h3'").fetchone(), ("süd\t\\", "2.25"))
        expect(connection.execute("SELECT count(*), sum(n)::bigint, max(note) FROM cpu WHERE host = 'w'").fetchone(), (10_000, 49_995_000, "9999"))


def test_clickhouse_reads_parquet(context):
    clicked = Clicked(context)
    path = context.path("cpu.parquet")
    context.run("export", "--connect", clicked.server.url, "--table", "cpu", "-o", path)
    cpu = f"file('{path}', Parquet)"
    expect([row[:2] for row in clicked.query(f"DESCRIBE {cpu}")], [
        ["time", "Nullable(DateTime64(6, 'UTC'))"], ["host", "Nullable(String)"], ["usage", "Nullable(Float64)"], ["n", "Nullable(Int64)"],
        ["big", "Nullable(Decimal(20, 0))"], ["ok", "Nullable(Bool)"], ["note", "Nullable(String)"]])
    for query in [
        "SELECT toInt32(count()), toInt32(count(note)), toInt32(sum(n)), min(time), max(usage), toInt32(sum(big)), toInt32(countIf(ok)) FROM {}",
        "SELECT host, toInt32(count()), avg(usage) FROM {} WHERE time >= '2024-01-10 00:00:00' AND time < '2024-01-11 00:00:00' GROUP BY host ORDER BY host",
        "SELECT toInt32(n), note FROM {} WHERE note = 'note 40000'",
    ]:
        expect(clicked.query(query.format(cpu)), clicked.query(query.format(clicked.table("cpu"))))


def test_clickhouse_reads_objects(context):
    try:
        import chdb
    except ImportError:
        raise Skipped("no chdb; Tools/clickhouse brings it")
    archived = Archived(context)
    source = f"file('{archived.files}', Parquet)"

    def query(text):
        settings = "SETTINGS use_hive_partitioning = 1, schema_inference_mode = 'union', session_timezone = 'UTC', output_format_json_quote_64bit_integers = 0"
        return json.loads(chdb.query(f"{text.replace('FROM m', f'FROM {source}')} {settings}", "JSONCompact").bytes())["data"]

    for text, answer in archived.answers:
        plain = [[int(value) if isinstance(value, decimal.Decimal) else value for value in row] for row in answer]
        expect((text, query(text)), (text, plain))
    for condition in ["time >= '2024-01-02' AND time < '2024-01-03'", "varve_date = '2024-01-02'"]:
        expect([tuple(row) for row in query(DAY.format(condition))], archived.day)
    expect(query("SELECT count(DISTINCT _file) FROM m WHERE varve_date = '2024-01-02'"), [[1]])
