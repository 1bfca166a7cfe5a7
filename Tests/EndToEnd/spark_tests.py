"""Spark over files of Parquet. Its package is large (430 MB to fetch) and wants Java 17: `Tools/spark` brings it and runs these; without it they are
skipped."""

import os

from object_reader_tests import DAY, Archived
from support import Skipped, connect, expect


def session(context):
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise Skipped("no pyspark; Tools/spark brings it")
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    spark = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.driver.bindAddress", "127.0.0.1").config("spark.sql.warehouse.dir", context.path("warehouse")).getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def test_spark_reads_parquet(context):
    spark = session(context)
    server = context.server()
    path = context.path("cpu.parquet")
    try:
        with connect(server, options="-c timezone=UTC") as connection:
            connection.execute(
                "CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint, big numeric(20,0), ok boolean, note text) "
                "WITH (varve.tags = 'host')")
            connection.execute(
                "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 minute', 'h' || i % 5, i / 4.0, i, i, i % 2 = 0, "
                "CASE WHEN i % 3 > 0 THEN 'note ' || i END FROM generate_series(0, 49999) AS g(i)")
            context.run("export", "--connect", server.url, "--table", "cpu", "-o", path)
            table = spark.read.parquet(path)
            expect([name for name, _ in table.dtypes], ["time", "host", "usage", "n", "big", "ok", "note"])
            expect([kind for _, kind in table.dtypes], ["timestamp", "string", "double", "bigint", "decimal(20,0)", "boolean", "string"])
            table.createOrReplaceTempView("cpu")
            for query in [
                "SELECT count(*), count(note), cast(sum(n) AS bigint), max(usage), cast(sum(big) AS numeric(38,0)) FROM cpu WHERE ok",
                "SELECT host, count(*), avg(usage) FROM cpu WHERE time >= '2024-01-10' AND time < '2024-01-11' GROUP BY host ORDER BY host",
                "SELECT n, note FROM cpu WHERE note = 'note 40000'", "SELECT n FROM cpu WHERE note IS NULL AND n BETWEEN 100 AND 110 ORDER BY n",
            ]:
                expect([tuple(row) for row in spark.sql(query).collect()], connection.execute(query).fetchall())
    finally:
        spark.stop()


def test_spark_reads_objects(context):
    spark = session(context)
    try:
        archived = Archived(context)
        table = spark.read.option("mergeSchema", True).parquet(archived.table)
        expect(dict(table.dtypes), {
            "time": "timestamp", "host": "string", "site": "string", "v": "double", "n": "bigint", "big": "decimal(20,0)", "ok": "boolean", "s": "string",
            "seen": "timestamp", "varve_date": "date"})
        table.createOrReplaceTempView("m")
        for query, answer in archived.answers:
            expect((query, [tuple(row) for row in spark.sql(query).collect()]), (query, answer))
        for condition in ["time >= '2024-01-02' AND time < '2024-01-03'", "varve_date = '2024-01-02'"]:
            expect([tuple(row) for row in spark.sql(DAY.format(condition)).collect()], archived.day)
        pruned = spark.sql("SELECT n FROM m WHERE varve_date = '2024-01-02'")
        expect(len(pruned.inputFiles()), 5)
        assert "PartitionFilters: [isnotnull(varve_date" in pruned._jdf.queryExecution().toString()
        expect(pruned.select("n").count(), archived.day[0][0])
    finally:
        spark.stop()
