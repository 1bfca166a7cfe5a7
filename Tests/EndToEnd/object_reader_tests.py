"""Objects of an archive, a folder a day, as PyArrow, DuckDB, ClickHouse and Spark read them: the numbers are those that psycopg was told."""

import datetime
import json
import os
import warnings

from support import connect, expect

# In words that all of them have; `varve_date` is in the keys alone.
QUERIES = [
    "SELECT count(*), count(v), count(host), cast(sum(n) AS bigint), max(v), min(n) FROM m",
    "SELECT host, count(*), cast(sum(n) AS bigint), max(v) FROM m GROUP BY host ORDER BY host NULLS LAST",
    "SELECT site, count(*) FROM m WHERE ok AND host = 'h3' GROUP BY site ORDER BY site",
    "SELECT n, s, v FROM m WHERE n BETWEEN 70000 AND 70040 ORDER BY n", "SELECT count(*), max(s) FROM m WHERE s IS NULL OR s = 'text 77777'",
    "SELECT cast(sum(big) AS numeric(38,0)), cast(max(big) AS numeric(20,0)) FROM m WHERE n < 1000",
]
DAY = "SELECT count(*), min(n), max(n) FROM m WHERE {} ORDER BY 1"


class Archived:
    """A table of some days as objects, and what SQL says of it."""

    def __init__(self, context):
        server = context.server()
        with connect(server, options="-c timezone=UTC") as connection:
            connection.execute(
                "CREATE TABLE m (time timestamptz, host text, site text, v double precision, n bigint, big numeric(20,0), ok boolean, s text, seen timestamptz) "
                "WITH (varve.tags = 'host,site')")
            connection.execute(
                "INSERT INTO m SELECT timestamptz '2024-01-01' + i * interval '3 seconds', CASE WHEN i % 7 > 0 THEN 'h' || i % 7 END, 's' || i % 2, "
                "CASE WHEN i % 11 > 0 THEN i / 4.0 END, i, 18446744073709551615 - i, i % 2 = 0, CASE WHEN i % 5 > 0 THEN 'text ' || i END, "
                "timestamptz '1969-12-31' + i * interval '1 second' FROM generate_series(0, 99999) AS g(i)")
            connection.execute("INSERT INTO m (time, host, n) VALUES ('1969-12-31 23:59:59.999999', 'h1', -5)")
            self.answers = [(query, connection.execute(query).fetchall()) for query in QUERIES]
            self.day = connection.execute(DAY.format("time >= '2024-01-02' AND time < '2024-01-03'")).fetchall()
            self.moments = connection.execute("SELECT time, seen FROM m WHERE n IN (-5, 0, 99999) ORDER BY n").fetchall()
        lines = server.lines()
        lines.send("ns,host=a v=1i 1700000000123456789\nns,host=a v=2i 1700000001000000000\nns,host=b v=3i 1700000002000000001\n")
        lines.sync()
        server.stop()
        there = ("--data", context.path("data"), "--archive", "file://" + context.path("archive"))
        context.run("archive", "run", *there, "--older-than", "2024-01-05", "--delete-unneeded")
        keys = json.loads(context.run("archive", "list", *there, "--format", "json")[0])
        self.table, self.other = (
            os.path.dirname(os.path.dirname(os.path.join(context.path("archive"), next(key["object"] for key in keys if key["table_name"] == name))))
            for name in ("m", "ns"))
        # Readers leave out names that begin with an underscore.
        days = ["1969-12-31", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
        expect(sorted(os.listdir(self.table)), ["_objects.json"] + ["varve_date=" + day for day in days])
        self.files = os.path.join(self.table, "*", "*.parquet")


def test_pyarrow_reads_objects(context):
    import pyarrow.compute
    import pyarrow.dataset
    import pyarrow.parquet
    archived = Archived(context)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = pyarrow.dataset.dataset(archived.table, partitioning="hive")
        # The object of 1969 has all columns of the table, though its row has one.
        expect(sorted((field.name, str(field.type)) for field in data.schema), sorted([
            ("time", "timestamp[us, tz=UTC]"), ("host", "string"), ("site", "string"), ("v", "double"), ("n", "int64"), ("big", "decimal128(20, 0)"),
            ("ok", "bool"), ("s", "string"), ("seen", "timestamp[us, tz=UTC]"), ("varve_date", "string")]))
        expect(data.count_rows(), archived.answers[0][1][0][0])
        field = pyarrow.dataset.field
        for condition in [field("varve_date") == "2024-01-02",
                          (field("time") >= datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc))
                          & (field("time") < datetime.datetime(2024, 1, 3, tzinfo=datetime.timezone.utc))]:
            found = data.to_table(filter=condition, columns=["n"]).column("n")
            expect([(len(found), pyarrow.compute.min(found).as_py(), pyarrow.compute.max(found).as_py())], archived.day)
        # The others' folders are not looked into.
        expect(len(list(data.get_fragments(filter=field("varve_date") == "2024-01-02"))), 1)
        moments = data.to_table(filter=field("n").isin([-5, 0, 99999])).sort_by("n")
        expect(list(zip(moments.column("time").to_pylist(), moments.column("seen").to_pylist())), archived.moments)
        for fragment in data.get_fragments():
            file = pyarrow.parquet.ParquetFile(fragment.path, page_checksum_verification=True)
            expect(file.read().num_rows, file.metadata.num_rows)
            words = file.metadata.metadata[b"varve.columns"].decode().split(" ")
            expect([word.split(":")[0] for word in words], ["time", "tag", "tag"] + ["field"] * 6)
            group = file.metadata.row_group(0)
            assert all(group.column(index).has_column_index and group.column(index).has_offset_index for index in range(group.num_columns))
            expect([group.sorting_columns[-1].column_index] if group.sorting_columns else [], [0] if group.sorting_columns else [])
        rests = pyarrow.dataset.dataset(archived.other, partitioning="hive").to_table(columns=["v", "time_nanos"]).sort_by("v")
        expect(rests.column("time_nanos").to_pylist(), [789, 0, 1])


def test_duckdb_reads_objects(context):
    import duckdb
    archived = Archived(context)
    duck = duckdb.connect()
    context.closing(duck)
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute(f"CREATE VIEW m AS SELECT * FROM read_parquet('{archived.files}', hive_partitioning = true, union_by_name = true)")
    for query, answer in archived.answers:
        expect((query, duck.execute(query).fetchall()), (query, answer))
    for condition in ["time >= '2024-01-02' AND time < '2024-01-03'", "varve_date = '2024-01-02'"]:
        expect(duck.execute(DAY.format(condition)).fetchall(), archived.day)
    expect(duck.execute("SELECT time, seen FROM m WHERE n IN (-5, 0, 99999) ORDER BY n").fetchall(), archived.moments)
    plan = duck.execute("EXPLAIN ANALYZE " + DAY.format("varve_date = '2024-01-02'")).fetchall()[0][1]
    assert "Scanning Files: 1/5" in plan, plan
    expect(duck.execute(f"SELECT time_nanos FROM read_parquet('{archived.other}/*/*.parquet') ORDER BY v").fetchall(), [(789,), (0,), (1,)])
