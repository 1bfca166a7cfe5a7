"""The archive as users meet it: partitions that are old become Parquet objects, and every answer stays what it was; through late rows, deletes, kill -9,
a store that is gone for a while, and objects that were cut or changed. What other engines read in the objects is held against what psql prints."""

import datetime
import glob
import json
import os
import re
import threading
import warnings

import psycopg

import formatreader
from s3_tests import KEYS, URL, moto, proxy, without_aws
from support import connect, expect, expect_error, flip, psql, until
from terminal import Terminal

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
DAYS = 6
STEP = 60
ROWS_PER_DAY = 3 * 86_400 // STEP
OLD = "2024-01-05Z"
QUERIES = [
    "SELECT count(*), sum(n)::bigint, min(v), max(v), sum(big)::text, count(note), min(time), max(time) FROM cpu",
    "SELECT time_bucket('1 hour', time) AS hour, host, count(*), avg(v), max(v), sum(n) FROM cpu GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT to_ns(time), * FROM cpu WHERE host = 'b' AND time >= '2024-01-02Z' AND time < '2024-01-03Z' ORDER BY time",
    "SELECT * FROM cpu WHERE time >= '2024-01-04 23:50Z' AND time < '2024-01-05 00:10Z' ORDER BY time, host",
    "SELECT host, count(*) FROM cpu WHERE v > 200 AND ok GROUP BY host ORDER BY host",
    "SELECT DISTINCT ON (host) host, time, v, note FROM cpu WHERE time < '2024-01-04Z' ORDER BY host, time DESC",
    "SELECT note, count(*) FROM cpu WHERE time < '2024-01-03Z' AND note LIKE 'note 1%' GROUP BY note ORDER BY note LIMIT 20",
    "SELECT host, percentile_cont(0.5) WITHIN GROUP (ORDER BY v), stddev(v), first(v, time), last(n, time) FROM cpu GROUP BY host ORDER BY host",
    "SELECT time_bucket_gapfill('6 hours', time, '2023-12-31Z', '2024-01-08Z') AS t, count(*), locf(last(v, time)) FROM cpu"
    " WHERE time >= '2023-12-31Z' AND time < '2024-01-08Z' GROUP BY 1 ORDER BY 1",
    "SELECT a.host, count(*) FROM cpu a JOIN cpu b ON a.time = b.time AND a.host < b.host WHERE a.time < '2024-01-02Z' GROUP BY 1 ORDER BY 1",
    "SELECT * FROM cpu ORDER BY time DESC, host LIMIT 5",
    "SELECT * FROM cpu ORDER BY time, host LIMIT 5",
]
# Of a series and some hundred rows there is a summary.
DAILY = "SELECT time_bucket('1 day', time) AS day, host, count(*), avg(v), max(v), sum(n)::bigint FROM cpu GROUP BY 1, 2 ORDER BY 1, 2"
DAY = "SELECT count(*), sum(n)::bigint, sum(v), count(note) FROM cpu WHERE time >= '{}Z' AND time < timestamptz '{}Z' + interval '1 day' AND v < 1e9"


def lines(days=DAYS):
    base = int(START.timestamp()) * 10**9
    for second in range(0, days * 86_400, STEP):
        for number, host in enumerate("abc"):
            step = second // STEP
            # Every seventh stamp is not of whole microseconds.
            time = base + second * 10**9 + (7 if step % 7 == 0 else 0)
            note = f',note="note {step % 100}"' if step % 5 else ""
            yield f"cpu,host={host} v={(step * 37 % 1000) / 4 + number},n={step * 3 + number}i,big={step}u,ok={'t' if step % 2 else 'f'}{note} {time}\n"


def fill(server, days=DAYS):
    connection = server.lines()
    connection.send("".join(lines(days)))
    expect(connection.sync()[:2], (days * ROWS_PER_DAY, 0))
    connection.close()


def archive(context):
    """An address, and the directory there."""
    directory = context.path("archive")
    os.makedirs(directory, exist_ok=True)
    return f"file://{directory}", directory


def archiving(context, *flags, **options):
    url, directory = archive(context)
    return context.server("--archive", url, *flags, **options), directory


def ask(server, queries=QUERIES):
    with connect(server, options="-c timezone=UTC") as connection:
        return [connection.execute(query).fetchall() for query in queries]


def same(server, expected):
    for query, found, wanted in zip(QUERIES, ask(server), expected):
        assert found == wanted, f"{query}\n{found[:5]}\nis not\n{wanted[:5]}"


def objects(directory):
    return sorted(glob.glob(os.path.join(directory, "**", "varve_date=*", "*.parquet"), recursive=True))


def listed(connection, directory):
    """Those that chunks name, as `objects` gives them. There may be others: compaction may be faster, and then what was uploaded is not needed."""
    keys = [row[2] for row in connection.execute("SELECT archive_list()").fetchall()]
    found = [path for path in objects(directory) if path[len(directory) + 1:] in keys]
    expect(len(found), len(keys))
    return found


def run(connection, *arguments):
    return connection.execute(f"SELECT archive_run({', '.join(arguments)})").fetchall()


def archived(connection):
    return connection.execute("SELECT archived_rows FROM varve.tables WHERE table_name = 'cpu'").fetchone()[0]


def test_every_answer_is_the_same_when_its_rows_are_archived(context):
    server, directory = archiving(context)
    fill(server)
    before, printed = ask(server), psql(server, *QUERIES)
    with connect(server) as connection:
        expect(objects(directory), [])
        (row,) = run(connection, "'cpu'", f"'{OLD}'", "dry_run => true")
        expect((row[0], row[2], row[5]), ("cpu", 4 * ROWS_PER_DAY, None))
        expect((objects(directory), archived(connection)), ([], 0))
        (row,) = run(connection, "'cpu'", f"'{OLD}'")
        expect((row[0], row[2]), ("cpu", 4 * ROWS_PER_DAY))
        expect(archived(connection), 4 * ROWS_PER_DAY)
        expect(len({os.path.dirname(path) for path in listed(connection, directory)}), 4)
        expect(sum(row[3] for row in connection.execute("SELECT archive_list('cpu')").fetchall()), 4 * ROWS_PER_DAY)
        tiers = connection.execute(
            "SELECT tier, level, count(*), sum(rows)::bigint, sum(object_bytes) FROM varve.chunks GROUP BY 1, 2 ORDER BY 1").fetchall()
        expect([(tier, level, rows) for tier, level, _, rows, _ in tiers if tier == "cold"], [("cold", 3, 4 * ROWS_PER_DAY)])
        expect(tiers[0][4], sum(os.path.getsize(path) for path in listed(connection, directory)))
        # What is archived is not archived again.
        expect([row[2] for row in run(connection, "'cpu'", f"'{OLD}'", "delete_unneeded => true")], [0])
        expect(listed(connection, directory), objects(directory))
    same(server, before)
    expect(psql(server, *QUERIES), printed)
    server.kill()
    server.start()
    same(server, before)
    with connect(server) as connection:
        expect(connection.execute("SELECT archive_verify()").fetchall()[-1][0], "summary")
        # Compaction leaves alone what is archived.
        connection.execute("CALL compact_chunks()")
        expect(archived(connection), 4 * ROWS_PER_DAY)
    same(server, before)
    expect(context.run("verify", "--connect", server.url)[0].strip().split("; ")[-1], "all sound")
    output = context.run("status", "--data", server.data)[0]
    assert f"archive: {4 * ROWS_PER_DAY} rows in " in output, output


def test_explain_analyze_says_what_was_fetched_and_explain_fetches_nothing(context):
    server, directory = archiving(context, "--page-cache", "0", "--archive-cache", "0")
    fill(server)
    raw = DAY.format("2024-01-02", "2024-01-02").replace("WHERE", "WHERE host = 'b' AND")

    def plan(connection, query, options="ANALYZE"):
        return "\n".join(row[0] for row in connection.execute(f"EXPLAIN ({options}) {query}").fetchall())

    with connect(server) as connection:
        assert "Archive:" not in plan(connection, raw)
        run(connection, f"older_than => '{OLD}'")
        assert "Archive:" not in plan(connection, DAILY), "summaries answer it"
        line = next(line for line in plan(connection, raw).split("\n") if "Archive:" in line)
        words = line.split()
        expect((words[0], words[2], words[4], words[6:8]), ("Archive:", "object,", "requests,", ["bytes", "fetched"]))
        expect(words[1], "1")
        assert 1 <= int(words[3]) <= 5 and int(words[5]) > 0, line
        expect(json.loads(plan(connection, raw, "ANALYZE, FORMAT JSON"))[0]["Execution Time"] > 0, True)
        assert '"Archive": "1 object, ' in plan(connection, raw, "ANALYZE, FORMAT JSON")
        os.rename(directory, directory + "-away")
        for query in QUERIES:
            assert "Archive:" not in plan(connection, query, "COSTS"), query
        os.rename(directory + "-away", directory)


def test_pieces_are_kept_on_disk_for_the_next_query(context):
    server, directory = archiving(context, "--page-cache", "0")
    fill(server)
    with connect(server) as connection:
        run(connection, f"older_than => '{OLD}'")
        query = DAY.format("2024-01-02", "2024-01-02")
        expected = connection.execute(query).fetchall()
        line = next(row[0] for row in connection.execute("EXPLAIN ANALYZE " + query).fetchall() if "Archive:" in row[0])
        assert " 0 requests, 0 bytes fetched (" in line and "(0 bytes" not in line, line
        os.rename(directory, directory + "-away")
        expect(connection.execute(query).fetchall(), expected)
    os.rename(directory + "-away", directory)


def test_pyarrow_and_duckdb_read_the_objects_by_day_and_count_as_psql_does(context):
    import duckdb
    import pyarrow.compute
    import pyarrow.dataset

    server, directory = archiving(context)
    fill(server)
    with connect(server) as connection:
        run(connection, "'cpu'", f"'{OLD}'", "delete_unneeded => true")
        paths = objects(directory)
        expect(listed(connection, directory), paths)
        expect(connection.execute("SELECT count(*) FROM cpu WHERE time < %s", (OLD,)).fetchone(), (4 * ROWS_PER_DAY,))
        days = {f"2024-01-0{day}": connection.execute(DAY.format(f"2024-01-0{day}", f"2024-01-0{day}")).fetchone() for day in range(1, 5)}
        nanoseconds = connection.execute(f"SELECT sum(to_ns(time) % 1000)::bigint FROM cpu WHERE time < '{OLD}'").fetchone()[0]
    table = os.path.dirname(os.path.dirname(paths[0]))
    expect(sorted(name for name in os.listdir(table) if "varve" in name), [f"varve_date={day}" for day in days])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = pyarrow.dataset.dataset(table, partitioning="hive")
        for day, expected in days.items():
            only = pyarrow.compute.field("varve_date") == day
            expect({day in fragment.path for fragment in data.get_fragments(filter=only)}, {True})
            rows = data.to_table(filter=only)
            expect((rows.num_rows, pyarrow.compute.sum(rows["n"]).as_py(), pyarrow.compute.sum(rows["v"]).as_py(),
                    rows.num_rows - rows["note"].null_count), expected)
        expect(pyarrow.compute.sum(data.to_table()["time_nanos"]).as_py(), nanoseconds)
        expect(str(data.schema.field("time").type), "timestamp[us, tz=UTC]")
    engine = duckdb.connect()
    source = f"read_parquet('{table}/*/*.parquet', hive_partitioning = true, hive_types = {{'varve_date': DATE}})"
    for day, expected in days.items():
        query = f"SELECT count(*), sum(n)::BIGINT, sum(v), count(note) FROM {source} WHERE varve_date = '{day}'"
        expect(engine.execute(query).fetchone(), expected)
        files = engine.execute("EXPLAIN ANALYZE " + query).fetchall()[0][1]
        assert f"Scanning Files: {sum(day in path for path in paths)}/{len(paths)}" in files, files
    # The same by psql.
    printed = psql(server, "COPY (SELECT host, count(*), sum(n), max(v) FROM cpu WHERE time < '2024-01-05Z' GROUP BY 1 ORDER BY 1) TO STDOUT")
    read = engine.execute(f"SELECT host, count(*), sum(n)::BIGINT, max(v) FROM {source} GROUP BY 1 ORDER BY 1").fetchall()
    expect([line.split("\t")[:3] for line in printed.splitlines()], [[host, str(count), str(total)] for host, count, total, _ in read])
    # The last way back: objects are files that `varve import` takes, to the nanosecond.
    context.run("import", "--data", context.path("again"), "--table", "cpu", "--tags", "host", *paths)
    output = context.run("sql", "--data", context.path("again"), "--format", "csv",
                         "SELECT count(*), sum(n)::bigint, sum(v), count(note) FROM cpu WHERE v < 1e9")[0]
    total = [sum(expected[place] for expected in days.values()) for place in range(4)]
    expect([float(value) for value in output.splitlines()[1].split(",")], [float(value) for value in total])


def test_late_rows_and_deletes_reach_what_is_archived(context):
    import pyarrow.parquet

    server, directory = archiving(context)
    fill(server)
    with connect(server, options="-c timezone=UTC") as connection:
        run(connection, f"older_than => '{OLD}'")
        first = set(objects(directory))
        connection.execute("INSERT INTO cpu (time, host, v, n) VALUES ('2024-01-02 00:00:30Z', 'b', 1e6, 1), ('2024-01-02 00:01Z', 'b', 2e6, 2)")
        late = "SELECT time, v, n, ok FROM cpu WHERE host = 'b' AND v >= 1e6 ORDER BY time"
        # The second is the same row again: what it leaves out stays.
        expected = [(START + datetime.timedelta(days=1, seconds=30), 1e6, 1, None), (START + datetime.timedelta(days=1, minutes=1), 2e6, 2, False)]
        found = connection.execute(late).fetchall()
        expect([row[:3] for row in found], [row[:3] for row in expected])
        connection.execute("DELETE FROM cpu WHERE host = 'c' AND time >= '2024-01-03Z' AND time < '2024-01-04Z'")
        before = ask(server)
        expect(connection.execute("SELECT count(*) FROM cpu WHERE host = 'c' AND time >= '2024-01-03Z' AND time < '2024-01-04Z'").fetchone(), (0,))
        rows = archived(connection)
        run(connection, f"older_than => '{OLD}'")
        same(server, before)
        expect(connection.execute(late).fetchall(), found)
        expect(archived(connection), rows + 1 - ROWS_PER_DAY // 3)
        # Objects of days that changed have others in their place; those that nothing needs go when somebody says so.
        now = set(listed(connection, directory))
        assert now & first and first - now, (now, first)
        run(connection, "'cpu'", f"'{OLD}'", "delete_unneeded => true")
        expect(set(objects(directory)), now)
        hosts = [set(pyarrow.parquet.read_table(path, columns=["host"])["host"].to_pylist()) for path in now if "2024-01-03" in path]
        assert hosts and all("c" not in found for found in hosts), "deleted rows are in the objects"
        same(server, before)
        # A dropped table takes its objects along.
        connection.execute("DROP TABLE cpu")
        run(connection, "older_than => '1970-01-01Z'", "delete_unneeded => true")
        expect(objects(directory), [])


def test_what_is_archived_comes_back_and_is_told_that_it_goes_again(context):
    server, directory = archiving(context)
    fill(server)
    before = ask(server)
    with connect(server) as connection:
        run(connection, f"older_than => '{OLD}'")
        (row,) = connection.execute("SELECT archive_restore('cpu', '2024-01-03Z', newer_than => '2024-01-02Z')").fetchall()
        expect(row[:2], ("cpu", ROWS_PER_DAY))
        expect(archived(connection), 3 * ROWS_PER_DAY)
        same(server, before)
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("SELECT add_tiering_policy('cpu', INTERVAL '90 days')")
        until(lambda: archived(connection) == DAYS * ROWS_PER_DAY)
        same(server, before)
        job = connection.execute("SELECT id FROM varve.jobs WHERE job = 'tiering' AND failures = 0 AND runs > 0").fetchone()
        connection.execute("CALL archive_restore('cpu')")
        assert any("archives it again" in notice for notice in notices), notices
        connection.execute("SELECT pause_job(%s::bigint)", job)
        connection.execute("CALL archive_restore('cpu')")
        expect(archived(connection), 0)
        # Nothing of it is needed any more.
        os.rename(directory, directory + "-away")
        same(server, before)
        os.rename(directory + "-away", directory)
        expect(connection.execute("SELECT table_name, paused FROM varve.jobs WHERE job = 'tiering'").fetchall(), [("cpu", True)])


def test_a_kill_in_the_middle_of_a_run_loses_and_doubles_nothing(context):
    server, directory = archiving(context)
    fill(server, days=20)
    before = ask(server)
    for turn in range(1, 4):
        # A run may be done before the server is: then there is something to archive again.
        with connect(server) as connection:
            connection.execute("SELECT archive_restore('cpu')")
        count = len(objects(directory))

        def archive_all():
            try:
                with connect(server) as connection:
                    run(connection, "older_than => '2024-01-20Z'")
            except psycopg.Error:
                # The server is killed under it.
                pass

        runner = threading.Thread(target=archive_all)
        runner.start()
        until(lambda: len(objects(directory)) > count or not runner.is_alive())
        server.kill()
        runner.join()
        server.start()
        same(server, before)
    with connect(server) as connection:
        run(connection, "older_than => '2024-01-20Z'", "delete_unneeded => true")
        expect(archived(connection), 19 * ROWS_PER_DAY)
        expect(listed(connection, directory), objects(directory))
        expect(len(connection.execute("SELECT archive_verify()").fetchall()), 1)
    same(server, before)


def test_a_store_that_is_away_fails_the_queries_that_need_it_and_no_other(context):
    server, directory = archiving(context, "--page-cache", "0", "--archive-cache", "0")
    fill(server)
    before, daily = ask(server), ask(server, [DAILY])[0]
    with connect(server, options="-c timezone=UTC") as connection:
        run(connection, f"older_than => '{OLD}'")
        os.rename(directory, directory + "-away")
        error = expect_error(None, lambda: connection.execute(DAY.format("2024-01-02", "2024-01-02")))
        assert directory in str(error), error
        assert error.sqlstate[:2] in ("58", "XX"), error.sqlstate
        # Of days that are here, and from summaries, answers are as before.
        expect(connection.execute(DAY.format("2024-01-05", "2024-01-05")).fetchone()[0], ROWS_PER_DAY)
        expect(connection.execute(DAILY).fetchall(), daily)
        connection.execute("INSERT INTO cpu (time, host, v) VALUES ('2024-01-02 00:00:30Z', 'd', 1)")
        expect_error(None, lambda: run(connection, "'cpu'", "'2024-01-07Z'"))
        os.rename(directory + "-away", directory)
        connection.execute("DELETE FROM cpu WHERE host = 'd'")
    same(server, before)
    # Without an archive at all it is the same, and the server starts.
    server.stop()
    server.flags = ("--page-cache", "0")
    server.start()
    with connect(server) as connection:
        error = expect_error("58000", lambda: connection.execute(DAY.format("2024-01-02", "2024-01-02")))
        assert "archive" in str(error), error
        expect(connection.execute(DAY.format("2024-01-05", "2024-01-05")).fetchone()[0], ROWS_PER_DAY)
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("SELECT add_tiering_policy('cpu', INTERVAL '90 days')")
        assert any("--archive" in notice for notice in notices), notices


def test_objects_that_were_cut_changed_or_removed_are_named(context):
    server, directory = archiving(context, "--page-cache", "0", "--archive-cache", "0")
    fill(server)
    with connect(server) as connection:
        run(connection, f"older_than => '{OLD}'")
        days = {day: next(path for path in listed(connection, directory) if f"2024-01-0{day}" in path) for day in range(1, 5)}
        expected = connection.execute(DAY.format("2024-01-04", "2024-01-04")).fetchall()
        os.truncate(days[1], os.path.getsize(days[1]) // 2)
        size = os.path.getsize(days[2])
        for offset in range(0, size - 1, 97):
            flip(days[2], offset)
        os.rename(days[3], days[3] + "-away")
        for day in range(1, 4):
            error = expect_error(None, lambda: connection.execute(DAY.format(f"2024-01-0{day}", f"2024-01-0{day}")))
            assert os.path.basename(days[day]) in str(error), error
            # What is gone may be there again.
            expect((day, error.sqlstate), (day, "58000" if day == 3 else "XX001"))
        expect(connection.execute(DAY.format("2024-01-04", "2024-01-04")).fetchall(), expected)
        rows = connection.execute("SELECT archive_verify('cpu')").fetchall()
        expect([row[0] for row in rows], ["damaged"] * 3 + ["summary"])
        for day in range(1, 4):
            assert any(os.path.basename(days[day]) in row[1] + row[3] for row in rows[:3]), rows
        output, _ = context.run("archive", "verify", "--connect", server.url, code=1)
        expect(output.count("DAMAGED "), 3)
        # What is put back is as good as before.
        os.rename(days[3] + "-away", days[3])
        expect(connection.execute(DAY.format("2024-01-03", "2024-01-03")).fetchone()[0], ROWS_PER_DAY)
        # What cannot be put back is dropped without being read, and the next run takes away what is left of it.
        expect(len(connection.execute("SELECT drop_chunks('cpu', '2024-01-03Z')").fetchall()), 2)
        run(connection, "'cpu'", f"'{OLD}'", "delete_unneeded => true")
        assert not any(os.path.exists(days[day]) for day in (1, 2)), "objects of dropped chunks are there"
        expect([row[0] for row in connection.execute("SELECT archive_verify('cpu')").fetchall()], ["summary"])
        expect(connection.execute("SELECT count(*) FROM cpu WHERE v < 1e9").fetchone(), ((DAYS - 2) * ROWS_PER_DAY,))


def test_the_archive_command_works_on_a_closed_directory(context):
    url, directory = archive(context)
    data = context.path("closed")
    context.run("import", "--data", data, context.write("lines", "".join(lines())))
    question = ("sql", "--data", data, "--format", "csv", DAY.format("2024-01-02", "2024-01-02"))
    before = context.run(*question)[0]
    _, error = context.run("archive", "run", "--data", data, "--older-than", OLD, code=1)
    assert "no archive is open" in error and "--archive" in error, error
    _, error = context.run("archive", "run", "--data", data, "--archive", url, "--table", "cpu", code=1)
    assert "tiering policy not found" in error, error
    _, error = context.run("archive", "run", "--data", data, "--archive", url, "--table", "nothing", "--older-than", OLD, code=1)
    assert '"nothing" does not exist' in error, error
    _, error = context.run("archive", "run", "--data", data, "--archive", url, "--older-than", "soon", code=1)
    assert "interval" in error, error
    output, _ = context.run("archive", "run", "--data", data, "--archive", url, "--older-than", OLD, "--dry-run", "--format", "csv")
    expect(output.splitlines()[1].split(",")[2], str(4 * ROWS_PER_DAY))
    expect(objects(directory), [])
    context.run("archive", "run", "--data", data, "--archive", url, "--older-than", "2024-01-05")
    expect({path.split("varve_date=")[1][:10] for path in objects(directory)}, {f"2024-01-0{day}" for day in range(1, 5)})
    named = json.loads(context.run("archive", "list", "--data", data, "--archive", url, "--format", "json")[0])
    expect({row["object"]: row["object_bytes"] for row in named},
           {row["object"]: os.path.getsize(os.path.join(directory, row["object"])) for row in named})
    expect(sum(row["rows"] for row in named), 4 * ROWS_PER_DAY)
    _, error = context.run(*question, code=1)
    assert "archive" in error, error
    expect(context.run(*question[:3], "--archive", url, *question[3:])[0], before)
    expect(context.run(*question, environment={"VARVE_ARCHIVE": url, "VARVE_ARCHIVE_CACHE": "0"})[0], before)
    output, _ = context.run("archive", "verify", "--data", data, environment={"VARVE_ARCHIVE": url})
    assert output.endswith("all sound\n"), output
    context.run("compact", "--data", data, "--archive", url)
    context.run("verify", "--data", data)
    context.run("archive", "restore", "--data", data, "--archive", url, "--table", "cpu")
    expect(context.run(*question)[0], before)


def test_wrong_addresses_and_flags_are_refused_by_name(context):
    data = context.path("closed")
    context.run("import", "--data", data, context.write("lines", "".join(lines(1))))

    def refused(address, *words):
        _, error = context.run("archive", "run", "--data", data, "--archive", address, "--older-than", OLD, code=1)
        for word in words:
            assert word in error, error

    refused("ftp://somewhere/x", "ftp")
    refused("somewhere", "somewhere", "file:///")
    # The last part is made by the first run, as a bucket's prefix is; what it would stand in is not.
    refused("file://" + context.path("not/there"), "not/there")
    assert not os.path.exists(context.path("not")), "a wrong address made a directory"
    expect(context.run("sql", "--data", data, "--format", "csv", "SELECT count(*) FROM cpu")[0].split(), ["count", str(ROWS_PER_DAY)])
    url, _ = archive(context)
    context.run("archive", "run", "--data", data, "--archive", url, "--older-than", OLD)
    # Once it has written somewhere, a place that has nothing of it is the wrong one.
    os.makedirs(context.path("another"))
    refused("file://" + context.path("another"), "another", "not mounted")
    for arguments in [("archive", "list", "--connect", "postgres://127.0.0.1:1", "--archive", url), ("verify", "--data", data, "--archive", url),
                      ("archive", "run", "--data", data, "--dry-run", "--delete-unneeded")]:
        _, error = context.run(*arguments, code=64)
        assert "Error:" in error, error
    output, _ = context.run("serve", "--print-config", "--archive", url, environment={"VARVE_ARCHIVE_CACHE": "64MB"})
    assert f'archive = "{url}"  # --archive' in output and "# VARVE_ARCHIVE_CACHE" in output, output
    output, _ = context.run("archive", "run", "--help")
    for word in ["--older-than", "--table", "--dry-run", "--delete-unneeded", "--archive", "--archive-cache", "--s3-endpoint"]:
        assert word in output, output


def test_an_archive_in_a_bucket_answers_as_a_directory_does(context):
    store = moto(context)
    environment = without_aws(context, **KEYS)
    server = context.server("--archive", URL, "--archive-cache", "0", "--page-cache", "0", "--s3-endpoint", store.endpoint, environment=environment)
    fill(server)
    before = ask(server)
    with connect(server) as connection:
        run(connection, "'cpu'", f"'{OLD}'", "delete_unneeded => true")
        expect(archived(connection), 4 * ROWS_PER_DAY)
        keys = {row[2] for row in connection.execute("SELECT archive_list()").fetchall()}
        expect({key for key in store.keys() if key.endswith(".parquet")}, {"some/prefix/" + key for key in keys})
        same(server, before)
        plan = connection.execute("EXPLAIN ANALYZE " + DAY.format("2024-01-02", "2024-01-02") + " AND host = 'b'").fetchall()
        (line,) = [row[0] for row in plan if "Archive:" in row[0]]
        assert 1 <= int(line.split()[3]) <= 5, line
    server.stop()
    question = ("sql", "--data", server.data, "--archive", URL, "--archive-cache", "0", "--format", "csv", DAY.format("2024-01-02", "2024-01-02"))
    found = context.run(*question, environment={**environment, "VARVE_S3_ENDPOINT": store.endpoint})[0]
    expect(int(found.splitlines()[1].split(",")[0]), ROWS_PER_DAY)
    _, error = context.run(*question, environment={**environment, "VARVE_S3_ENDPOINT": "http://127.0.0.1:1", "VARVE_S3_TIMEOUT": "1s"}, code=1)
    assert "127.0.0.1:1" in error or "bucket" in error, error


def test_what_is_put_aside_stays_in_the_bucket_whatever_the_network_does(context):
    store = moto(context)
    network = proxy(context, store)
    data = context.path("closed")
    context.run("import", "--data", data, context.write("lines", "".join(lines(2))))

    def run():
        context.run("archive", "run", "--data", data, "--archive", URL, "--older-than", OLD, "--s3-endpoint", network.endpoint, "--s3-timeout", "1s",
                    environment=without_aws(context, **KEYS))
        expect(network.waiting(), [])
        return {ending: {key for key in store.keys() if key.endswith(ending)} for ending in (".parquet", ".unneeded")}

    def contents(key):
        return store.s3.get_object(Bucket="bucket", Key=key)["Body"].read()

    keys = run()
    expect([len(found) for found in keys.values()], [2, 0])
    for number, fault in enumerate(["before-500", "slow-down", "after-500", "lost", "late", "reset", "not-sent"]):
        late = f"cpu,host=late v={number} {int(START.timestamp()) * 10**9 + number}\n"
        context.run("import", "--data", data, context.write("late", late))
        before = {key: contents(key) for key in keys[".parquet"]}
        for matches in ["^PUT .*unneeded$", "^HEAD .*unneeded$", "^DELETE .*parquet$"]:
            network.fault(fault, matches)
        keys, aside = run(), keys[".unneeded"]
        expect((len(keys[".parquet"]), len(keys[".unneeded"])), (2, number + 1))
        (replaced,) = before.keys() - keys[".parquet"]
        (found,) = keys[".unneeded"] - aside
        expect(contents(found) == before[replaced], True)


def test_a_restored_directory_adopts_what_the_original_may_delete(context):
    url, directory = archive(context)
    original, careful, careless = (context.path(name) for name in ("original", "careful", "careless"))
    question = "SELECT count(*), sum(n)::bigint, sum(v), count(note) FROM cpu WHERE v < 1e9"

    def ask_closed(data, code=0):
        return context.run("sql", "--data", data, "--archive", url, "--format", "csv", question, code=code)

    def listing(data):
        output, notes = context.run("archive", "list", "--data", data, "--archive", url, "--format", "json")
        return {row["object"]: row["own"] for row in json.loads(output)}, notes

    context.run("import", "--data", original, context.write("lines", "".join(lines())))
    before = ask_closed(original)[0]
    context.run("archive", "run", "--data", original, "--archive", url, "--older-than", OLD)
    os.makedirs(context.path("backups"))
    context.run("backup", "--to", context.path("backups"), "--data", original)
    for data in (careful, careless):
        context.run("restore", "--from", context.path("backups"), "--data", data)
    old, notes = listing(original)
    expect((set(old.values()), "folder of another" in notes), ({True}, False))
    found, notes = listing(careful)
    expect((found.keys(), set(found.values())), (old.keys(), {False}))
    assert f"{len(old)} objects are in the folder of another data directory" in notes and "adopt" in notes, notes
    # There is no policy: what is adopted need not be old.
    flags = ("--data", careful, "--archive", url, "--adopt")
    output, _ = context.run("archive", "run", *flags, "--dry-run", "--format", "csv")
    expect(output.splitlines()[1].split(",")[:3], ["cpu", "", str(4 * ROWS_PER_DAY)])
    expect({os.path.join(directory, key) for key in old}, set(objects(directory)))
    output, _ = context.run("archive", "run", *flags, "--table", "cpu", "--format", "csv")
    expect(output.splitlines()[1].split(",")[:3], ["cpu", "", str(4 * ROWS_PER_DAY)])
    found, notes = listing(careful)
    expect((set(found.values()), found.keys() & old.keys(), notes), ({True}, set(), ""))
    expect({os.path.join(directory, key) for key in old | found}, set(objects(directory)))
    # The original gets late rows, and has no need of the objects that they are not in.
    late = f"cpu,host=a v=1 {int(START.timestamp()) * 10**9 + 30 * 10**9}\n"
    context.run("import", "--data", original, context.write("late", late))
    context.run("archive", "run", "--data", original, "--archive", url, "--older-than", OLD, "--delete-unneeded")
    expect(ask_closed(careful)[0], before)
    output, _ = context.run("archive", "verify", "--data", careful, "--archive", url)
    assert output.endswith("all sound\n"), output
    (gone,) = [key for key in old if not os.path.exists(os.path.join(directory, key))]
    _, error = ask_closed(careless, code=1)
    assert gone in error, error


def test_a_run_shows_how_far_it_is(context):
    store = moto(context)
    network = proxy(context, store, delay=1)
    environment = without_aws(context, VARVE_S3_ENDPOINT=network.endpoint, **KEYS)
    server = context.server("--archive", URL, "--archive-cache", "0", environment=environment)
    fill(server, days=2)

    def shown(last, *arguments):
        """What it shows on a terminal while the store takes its time, up to a word of its result."""
        network.fault("late", "^(PUT|GET) .*parquet")
        terminal = Terminal([context.binary, "archive", *arguments], environment)
        context.closing(terminal)
        before = terminal.expect(last)
        expect(terminal.wait(), 0)
        expect(network.waiting(), [])
        return before

    before = shown("(1 row)", "run", "--older-than", OLD, "--connect", server.url)
    assert re.search(r"archive: cpu, partition 1 of 2, \d+ s", before), before
    with connect(server) as connection:
        row = connection.execute("SELECT runs, failures, running, detail FROM varve.jobs WHERE job = 'archive'").fetchone()
    expect(row, (1, 0, False, None))
    expect(server.stop(), 0)
    before = shown("all sound", "verify", "--data", server.data, "--archive", URL)
    assert re.search(r"archive: object \d of 2, \d+ s", before), before


def test_a_reader_written_from_the_format_page_makes_chunks_of_stubs_and_objects(context):
    server, directory = archiving(context)
    fill(server, days=2)
    with connect(server) as connection:
        run(connection, "'cpu'", "'2024-01-02Z'")
        # What comes late lies over the stub, and what is deleted is hidden in it.
        late = server.lines()
        late.send(f"cpu,host=a n=-1i {int(START.timestamp()) * 10**9 + 60 * 10**9}\n")
        late.sync()
        late.close()
        connection.execute("DELETE FROM cpu WHERE host = 'b' AND time < '2024-01-01 06:00Z'")
        wanted = connection.execute("SELECT to_ns(time), host, n, big, note FROM cpu ORDER BY host, time").fetchall()
        assert 0 < archived(connection) < len(wanted)
    server.stop()
    found = formatreader.Directory(server.data, directory)
    assert found.met["stub", "row block"] > 0, found.met
    rows = [(row.time, row.tags["host"], formatreader.signed(row.fields["n"]), row.fields["big"], row.fields.get("note"))
            for row in found.rows["cpu"]]
    expect(sorted(rows, key=lambda row: (row[1], row[0])),
           [(time, host, n, None if big is None else int(big), None if note is None else note.encode())
            for time, host, n, big, note in wanted])
