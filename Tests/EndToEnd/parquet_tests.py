"""Parquet out and in: COPY, `varve export` and `varve import`, read and written by PyArrow and DuckDB, held against what psycopg is told."""

import datetime
import decimal
import io
import math
import os
import warnings

from support import connect, expect, expect_error, psql

TABLE = ("CREATE TABLE m (time timestamptz, host text, v double precision, n bigint, big numeric(20,0), ok boolean, s text) "
         "WITH (varve.tags = 'host')")
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
ORDER = "ORDER BY time, host"


def fill(connection, count):
    connection.execute(TABLE)
    connection.execute(
        "INSERT INTO m SELECT timestamptz '2024-01-01' + i * interval '1 second', 'h' || i % 7, CASE WHEN i % 11 > 0 THEN i / 4.0 END, i, i, i % 2 = 0, "
        f"CASE WHEN i % 5 > 0 THEN 'text ' || i END FROM generate_series(0, {count - 1}) AS g(i)")


def copied(connection, statement):
    with connection.cursor().copy(statement) as copy:
        return b"".join(bytes(piece) for piece in copy)


def parquet(data):
    """The file as PyArrow has it, which must say nothing about it; checksums are looked at."""
    import pyarrow.parquet
    source = data if isinstance(data, str) else io.BytesIO(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return pyarrow.parquet.ParquetFile(source, page_checksum_verification=True)


def rows(table, names):
    columns = [table.column(name).to_pylist() for name in names]
    return list(zip(*columns))


def test_copy_gives_a_parquet_file_with_the_rows_of_a_query(context):
    server = context.server()
    with connect(server, options="-c timezone=UTC") as connection:
        fill(connection, 30_000)
        query = f"SELECT * FROM m {ORDER}"
        expected = connection.execute(query).fetchall()
        file = parquet(copied(connection, f"COPY ({query}) TO STDOUT WITH (FORMAT parquet)"))
        names = ["time", "host", "v", "n", "big", "ok", "s"]
        expect(file.schema_arrow.names, names)
        expect([str(kind) for kind in file.schema_arrow.types],
               ["timestamp[us, tz=UTC]", "string", "double", "int64", "decimal128(20, 0)", "bool", "string"])
        expect(rows(file.read(), names), expected)
        expect(len(rows(parquet(copied(connection, "COPY m TO STDOUT (FORMAT parquet)")).read(), names)), 30_000)
        expect(parquet(copied(connection, "COPY (SELECT * FROM m WHERE false) TO STDOUT (FORMAT parquet)")).metadata.num_rows, 0)


def test_each_type_of_sql_has_its_type_in_a_parquet_file(context):
    server = context.server()
    values = {
        "'2024-02-29'::date": datetime.date(2024, 2, 29),
        "timestamp '1969-12-31 23:59:59.999999'": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
        "(-7)::smallint": -7, "2147483647::int": 2147483647, "1.5::real": 1.5, "1.25::numeric(10,2)": decimal.Decimal("1.25"),
        "(-99999999999999999999)::numeric(20,0)": decimal.Decimal("-99999999999999999999"), "sum(9223372036854775807::bigint)": 9223372036854775807,
        "'a\\x00'::text": "a\\x00", "'\\x00ff'::bytea": b"\x00\xff", "'{\"a\": 1}'::jsonb": '{"a": 1}', "ARRAY[1,2]": "{1,2}",
        "interval '1 day 2 hours'": "1 day 02:00:00", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "'-0'::double precision": -0.0, "'infinity'::double precision": math.inf, "NULL::text": None, "true": True,
    }
    with connect(server) as connection:
        columns = ", ".join(f"{value} AS c{index}" for index, value in enumerate(values))
        row = parquet(copied(connection, f"COPY (SELECT {columns}) TO STDOUT (FORMAT parquet)")).read().to_pylist()[0]
        for index, (value, expected) in enumerate(values.items()):
            expect((value, row[f"c{index}"]), (value, expected))
        for statement, state, word in [
            ("COPY (SELECT 1 AS a, 2 AS a) TO STDOUT (FORMAT parquet)", "42701", "AS"),
            ("COPY (SELECT 'NaN'::numeric AS a) TO STDOUT (FORMAT parquet)", "22003", "double precision"),
            ("COPY (SELECT 1 AS a) TO STDOUT (FORMAT parquet, HEADER)", "0A000", "PARQUET"),
            ("COPY (SELECT 1 AS a) TO STDOUT (FORMAT parquet, DELIMITER ',')", "42601", "PARQUET"),
        ]:
            error = expect_error(state, lambda: copied(connection, statement))
            assert word in f"{error} {error.diag.message_hint}", f"{statement}: {error}"
        connection.execute(TABLE)
        error = expect_error("0A000", lambda: connection.execute("COPY m FROM STDIN (FORMAT parquet)"))
        assert "varve import" in error.diag.message_hint


def test_nanoseconds_are_kept_beside_microseconds(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute("CREATE TABLE t (time timestamptz, v bigint)")
    lines = server.lines()
    lines.send("t v=1i 1700000000123456789\nt v=2i 1700000001000000000\nt v=3i -1\n")
    lines.sync()
    context.run("export", "--connect", server.url, "--table", "t", "-o", context.path("t.parquet"))
    table = parquet(context.path("t.parquet")).read()
    expect(table.column_names, ["time", "v", "time_nanos"])
    expect(sorted(table.column("time_nanos").to_pylist()), [0, 789, 999])
    context.run("import", "--data", context.path("copy"), "--table", "t", context.path("t.parquet"))
    out, _ = context.run("sql", "--data", context.path("copy"), "--format", "csv", "SELECT to_ns(time), v FROM t ORDER BY time")
    expect(out.split()[1:], ["-1,3", "1700000000123456789,1", "1700000001000000000,2"])


def test_psql_saves_a_parquet_file(context):
    server = context.server()
    path = context.path("m.parquet")
    with connect(server) as connection:
        fill(connection, 2000)
        psql(server, f"\\copy (SELECT * FROM m {ORDER}) TO '{path}' WITH (FORMAT parquet)")
        expect(open(path, "rb").read(), copied(connection, f"COPY (SELECT * FROM m {ORDER}) TO STDOUT (FORMAT parquet)"))
    expect(parquet(path).metadata.num_rows, 2000)


def test_duckdb_and_pyarrow_count_as_sql_does(context):
    import duckdb
    import pyarrow.compute
    server = context.server()
    path = context.path("m.parquet")
    context.run("export", "--connect", server.url, "--query", "SELECT 1 AS one", "-o", context.path("one.parquet"))
    with connect(server, options="-c timezone=UTC") as connection:
        fill(connection, 200_000)
        context.run("export", "--connect", server.url, "--query", f"SELECT * FROM m {ORDER};", "-o", path)
        duck = duckdb.connect()
        context.closing(duck)
        duck.execute("SET TimeZone = 'UTC'")
        for query in [
            "SELECT host, count(*), count(v), sum(n)::bigint, min(time), max(time), avg(v), max(s), sum(big)::numeric(38,0) FROM m GROUP BY host ORDER BY host",
            "SELECT count(*), min(n), max(n) FROM m WHERE time >= '2024-01-02' AND time < '2024-01-02 01:00:00'",
            "SELECT count(*) FROM m WHERE s IS NULL AND ok", "SELECT n, v, s FROM m WHERE n BETWEEN 70000 AND 70020 ORDER BY n",
            "SELECT count(*) FROM m WHERE s = 'text 77777'",
        ]:
            expect(duck.execute(query.replace("FROM m", f"FROM '{path}' AS m")).fetchall(), connection.execute(query).fetchall())
        file = parquet(path)
        # Row groups and pages that a range of times cannot be in say so.
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        expect(groups[0].column(0).statistics.min, START)
        expect(sum(group.column(2).statistics.null_count for group in groups), connection.execute("SELECT count(*) FROM m WHERE v IS NULL").fetchone()[0])
        assert all(group.column(index).has_offset_index and group.column(index).has_column_index
                   for group in groups for index in range(group.num_columns))
        filtered = pyarrow.parquet.read_table(path, filters=[("n", ">=", 150_000), ("n", "<", 150_010)])
        expect(sorted(filtered.column("n").to_pylist()), list(range(150_000, 150_010)))


def test_export_is_all_or_nothing(context):
    server = context.server()
    path = context.path("m.parquet")
    with connect(server) as connection:
        fill(connection, 1000)
    export = ["export", "--connect", server.url]
    _, errors = context.run(*export, "--table", "m", "-o", path)
    assert "rows: 1000" in errors, errors
    before = open(path, "rb").read()
    _, errors = context.run(*export, "--table", "m", "-o", path, code=1)
    assert "--force" in errors, errors
    for arguments in (["--query", "SELECT n / (n - 500) FROM m"], ["--table", "nothing"]):
        context.run(*export, *arguments, "-o", path, "--force", code=1)
    expect(open(path, "rb").read(), before)
    context.run(*export, "--table", "m", "--from", "2024-01-01 00:00:10", "--to", "2024-01-01 00:00:20", "-o", path, "--force")
    expect(sorted(parquet(path).read().column("n").to_pylist()), list(range(10, 20)))
    expect([name for name in os.listdir(context.directory) if "parquet" in name], ["m.parquet"])
    out, _ = context.run(*export, "--query", "SELECT n, s FROM m WHERE n < 3 ORDER BY n", "--format", "csv", "-o", "-")
    expect(out.split("\n"), ["n,s", "0,", "1,text 1", "2,text 2", ""])
    server.stop()
    context.run("export", "--data", context.path("data"), "--table", "m", "-o", context.path("again.parquet"))
    expect(parquet(context.path("again.parquet")).metadata.num_rows, 1000)


def arrow_table(count):
    """What others write, in types of every kind."""
    import pyarrow
    kinds = {
        "us": pyarrow.timestamp("us", "UTC"), "ns": pyarrow.timestamp("ns"), "ms": pyarrow.timestamp("ms", "UTC"), "day": pyarrow.date32(),
        "host": pyarrow.string(), "note": pyarrow.string(), "v": pyarrow.float64(), "f": pyarrow.float32(), "i64": pyarrow.int64(),
        "i32": pyarrow.int32(), "i8": pyarrow.int8(), "u8": pyarrow.uint8(), "u32": pyarrow.uint32(), "u64": pyarrow.uint64(),
        "ok": pyarrow.bool_(), "price": pyarrow.decimal128(10, 2), "big": pyarrow.decimal128(20, 0)}
    moment = [START + datetime.timedelta(seconds=10 * i) for i in range(count)]
    values = {
        "us": moment, "ns": [when.replace(tzinfo=None) for when in moment], "ms": moment, "day": [when.date() for when in moment],
        "host": [f"host_{i % 20}" for i in range(count)], "note": [f"note ü {i} " * (i % 4) if i % 7 else None for i in range(count)],
        "v": [i / 8 if i % 13 else None for i in range(count)], "f": [i / 4 for i in range(count)],
        "i64": [(-1) ** i * (2 ** 62 + i) for i in range(count)], "i32": [(-1) ** i * i for i in range(count)], "i8": [i % 256 - 128 for i in range(count)],
        "u8": [i % 256 for i in range(count)], "u32": [2 ** 32 - 1 - i for i in range(count)], "u64": [2 ** 64 - 1 - i for i in range(count)],
        "ok": [i % 3 == 0 if i % 5 else None for i in range(count)], "price": [decimal.Decimal(i) / 4 for i in range(count)],
        "big": [decimal.Decimal(2 ** 63 + i) for i in range(count)]}
    return pyarrow.table({name: pyarrow.array(values[name], kind) for name, kind in kinds.items()})


def test_files_of_pyarrow_are_loaded_whatever_their_encoding_and_compression(context):
    import pyarrow.parquet
    count = 5000
    table = arrow_table(count)
    encodings = {
        "us": "DELTA_BINARY_PACKED", "ns": "DELTA_BINARY_PACKED", "ms": "PLAIN", "day": "DELTA_BINARY_PACKED", "host": "DELTA_BYTE_ARRAY",
        "note": "DELTA_LENGTH_BYTE_ARRAY", "v": "BYTE_STREAM_SPLIT", "f": "BYTE_STREAM_SPLIT", "i64": "DELTA_BINARY_PACKED", "i32": "BYTE_STREAM_SPLIT",
        "i8": "DELTA_BINARY_PACKED", "u8": "PLAIN", "u32": "DELTA_BINARY_PACKED", "u64": "BYTE_STREAM_SPLIT", "ok": "RLE", "price": "BYTE_STREAM_SPLIT",
        "big": "DELTA_BYTE_ARRAY"}
    forms = [{"compression": codec, "data_page_version": version, "row_group_size": 1700, "write_page_checksum": True}
             for codec in ("none", "snappy", "gzip", "zstd", "lz4") for version in ("1.0", "2.0")]
    forms += [{"use_dictionary": False, "column_encoding": encodings, "data_page_version": version, "data_page_size": 2000} for version in ("1.0", "2.0")]
    forms += [{"use_deprecated_int96_timestamps": True}]
    data = context.path("store")
    for number, form in enumerate(forms):
        path = context.path(f"{number}.parquet")
        pyarrow.parquet.write_table(table, path, **form)
        out, _ = context.run("import", "--data", data, "--table", f"t{number}", "--time-column", "us", "--tags", "host,i8", path)
        expect((form, out), (form, f"lines read: {count}, rows written: {count}, lines rejected: 0\n"))
    server = context.server(name="store")
    names = ["ns", "ms", "day", "host", "note", "v", "f", "i64", "i32", "u8", "u32", "u64", "ok", "price", "big"]
    expected = rows(table, names)
    with connect(server, options="-c timezone=UTC") as connection:
        for number, form in enumerate(forms):
            found = connection.execute(
                "SELECT ns::timestamp, ms, day::date, host, note, v, f, i64, i32, u8, u32, u64, ok, price::numeric(10,2), big "
                f"FROM t{number} ORDER BY time").fetchall()
            expect((form, found), (form, expected))


def test_what_cannot_be_loaded_is_told(context):
    import pyarrow
    import pyarrow.parquet
    data = context.path("data")

    def load(table, *flags, code=1, **form):
        pyarrow.parquet.write_table(table, context.path("x.parquet"), **form)
        return context.run("import", "--data", data, "--table", "t", *flags, context.path("x.parquet"), code=code)

    moments = pyarrow.array([1, None, 2 ** 62], pyarrow.timestamp("us"))
    out, errors = load(pyarrow.table({"time": moments, "v": [1.0, 2.0, 3.0]}))
    expect(out, "lines read: 3, rows written: 1, lines rejected: 2\n")
    assert "x.parquet:2:1: invalid_timestamp" in errors and "x.parquet:3:1: invalid_timestamp" in errors, errors
    for table, form, words in [
        (pyarrow.table({"time": [1], "points": [[1, 2]]}), {}, ["list"]),
        (pyarrow.table({"time": [1], "v": [1.0]}), {"compression": "brotli"}, ["brotli", "zstd"]),
        (pyarrow.table({"when": [1], "v": [1.0]}), {}, ["--time-column"]),
        (pyarrow.table({"time": ["now"], "v": [1.0]}), {}, ["'time' is no time"]),
        (pyarrow.table({"time": [1], "at": pyarrow.array([1], pyarrow.time64("us"))}), {}, ["'at'"]),
    ]:
        _, errors = load(table, **form)
        for word in words:
            assert word in errors, f"{word}: {errors}"
    for text in (b"", b"PAR1PAR1", b"x" * 100):
        _, errors = context.run("import", "--data", data, "--table", "t", context.write("bad.parquet", text), code=1)
        assert "Parquet file" in errors, errors


def test_times_of_whole_numbers_have_the_unit_that_is_said(context):
    import pyarrow
    import pyarrow.parquet
    path = context.path("x.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"ts": [1_700_000_000, 1_700_000_001], "v": [1, 2]}), path)
    context.run("import", "--data", context.path("data"), "--table", "t", "--precision", "s", path)
    out, _ = context.run("sql", "--data", context.path("data"), "--format", "csv", "SELECT to_ns(time), v FROM t ORDER BY time")
    expect(out.split()[1:], ["1700000000000000000,1", "1700000001000000000,2"])
