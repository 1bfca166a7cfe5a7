"""Rollups and retention as users meet them: made and asked with SQL, fed with lines, through kill -9, and on the command
line."""

import json

from support import connect, expect, expect_error, psql, until

HOURLY = """
    CREATE MATERIALIZED VIEW hourly WITH (continuous) AS
      SELECT time_bucket('1 hour', time) AS hour, host, count(*) AS rows, avg(v) AS mean, max(v) AS most, last(v, time) AS last
      FROM cpu GROUP BY 1, 2"""
DIRECT = """
    SELECT time_bucket('1 hour', time) AS hour, host, count(*), avg(v), max(v), last(v, time) FROM cpu GROUP BY 1, 2
    ORDER BY 1, 2"""
START = 1_700_000_000


def send(server, rows):
    lines = server.lines()
    lines.send("".join(f"cpu,host={host} v={value} {(START + second) * 10**9}\n" for host, value, second in rows))
    lines.sync()


def fill(server, hours=50):
    send(server, [(host, (second // 60 + number) % 17 / 4, second) for number, host in enumerate("abc")
                  for second in range(0, hours * 3600, 120)])


def check(connection):
    """The rollup is what its statement says, by name and without."""
    connection.execute("SET varve.use_rollups = off")
    direct = connection.execute(DIRECT).fetchall()
    connection.execute("RESET varve.use_rollups")
    expect(connection.execute("SELECT * FROM hourly ORDER BY 1, 2").fetchall(), direct)
    expect(connection.execute(DIRECT).fetchall(), direct)
    return direct


def test_a_rollup_is_never_stale_through_late_rows_deletes_and_kills(context):
    server = context.server()
    fill(server)
    with connect(server) as connection:
        connection.execute(HOURLY)
        whole = check(connection)
        expect(len(whole), 3 * 51)
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + DIRECT).fetchall())
        assert "Rollup: hourly (01:00:00)" in plan and "Series Scan on hourly" in plan, plan
        for turn in range(3):
            send(server, [("abc"[turn], 99.5 + turn, 3600 * hour + turn) for hour in range(0, 48, 5)])
            check(connection)
        connection.execute("DELETE FROM cpu WHERE host = 'b' AND time < to_timestamp(%s)", (START + 20 * 3600 + 17,))
        before = check(connection)
        assert len(before) < len(whole), "nothing was deleted"
    server.kill()
    server.start()
    with connect(server) as connection:
        expect(check(connection), before)
        until(lambda: connection.execute("SELECT invalid_ranges FROM varve.rollups").fetchone() == (0,))
        check(connection)


def test_old_rows_go_and_what_rollups_have_of_them_stays(context):
    server = context.server()
    fill(server, hours=100)
    with connect(server) as connection:
        connection.execute(HOURLY)
        rows = connection.execute("SELECT sum(rows)::bigint FROM hourly").fetchone()
        border = "time_bucket('1 day', to_timestamp(%s))"
        shown = connection.execute(f"SELECT show_chunks('cpu', {border})", (START + 70 * 3600,)).fetchall()
        gone = connection.execute(f"SELECT drop_chunks('cpu', {border})", (START + 70 * 3600,)).fetchall()
        expect(gone, shown)
        left = connection.execute("SELECT count(*) FROM cpu").fetchone()[0]
        assert 0 < left < rows[0], left
        expect(connection.execute("SELECT sum(rows)::bigint FROM hourly").fetchone(), rows)
    # A row that comes late for what is gone is one more.
    send(server, [("a", 1000, 60)])
    for _ in range(2):
        with connect(server) as connection:
            expect(connection.execute("SELECT sum(rows)::bigint, max(most) FROM hourly").fetchone(), (rows[0] + 1, 1000))
        server.kill()
        server.start()
    with connect(server) as connection:
        connection.execute(f"SELECT drop_chunks('cpu', {border})", (START + 70 * 3600,))
        expect(connection.execute("SELECT sum(rows)::bigint, max(most) FROM hourly").fetchone(), (rows[0] + 1, 1000))
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (left,))
        connection.execute("SELECT add_retention_policy('cpu', INTERVAL '30 days')")
        until(lambda: connection.execute("SELECT count(*) FROM cpu").fetchone() == (0,))
        expect(connection.execute("SELECT sum(rows)::bigint FROM hourly").fetchone(), (rows[0] + 1,))
        expect(connection.execute("SELECT table_name, failures, paused FROM varve.jobs WHERE job = 'retention'").fetchall(),
               [("cpu", 0, False)])


def test_a_bucket_is_made_soon_after_it_has_ended(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute("CREATE TABLE t (time timestamptz, v bigint)")
        connection.execute("CREATE MATERIALIZED VIEW s WITH (continuous) AS"
                           " SELECT time_bucket('1 second', time) AS second, count(*) AS n FROM t GROUP BY 1")
        connection.execute("INSERT INTO t VALUES (now(), 1)")
        until(lambda: connection.execute("SELECT count(*) FROM varve.rollups WHERE rows = 1 AND lag < '1 minute'").fetchone() == (1,))
        expect(connection.execute("SELECT sum(n)::bigint FROM s").fetchone(), (1,))


def test_rollups_are_views_to_psql_and_jobs_to_admins(context):
    server = context.server()
    fill(server, hours=3)
    output = psql(server, HOURLY, r"\dv", r"\d hourly", "DROP TABLE cpu", code=1)
    assert "hourly" in output and "timestamp with time zone" in output, output
    output = psql(server, r"\d+ hourly", "ALTER MATERIALIZED VIEW hourly RENAME TO h", "ALTER MATERIALIZED VIEW h RENAME TO hourly",
                  "SELECT show_chunks('cpu', INTERVAL '1 day')", "SELECT drop_chunks('cpu', older_than => INTERVAL '100 years')")
    assert "SELECT time_bucket('1 hour', time) AS hour, host, count(*)" in output, output
    with connect(server) as connection:
        expect_error("2BP01", lambda: connection.execute("DROP TABLE cpu"))
        expect_error("42809", lambda: connection.execute("INSERT INTO hourly (hour) VALUES (now())"))
        expect_error("0A000", lambda: connection.execute(
            "CREATE MATERIALIZED VIEW m WITH (continuous) AS SELECT time_bucket('1 day', time),"
            " percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM cpu GROUP BY 1"))
    lines = server.lines()
    lines.send(f"hourly,host=a rows=1i {START * 10**9}\n")
    answer = lines.sync()
    assert "name_conflict" in str(answer), answer
    listed, _ = context.run("rollup", "list", "--connect", server.url, "--format", "json")
    assert "hourly" in [value for row in json.loads(listed) for value in row.values()], listed
    context.run("rollup", "refresh", "--connect", server.url, "hourly")
    status, _ = context.run("status", "--connect", server.url)
    assert "hourly" in status, status
    with connect(server) as connection:
        connection.execute("DROP TABLE cpu CASCADE")
        expect(connection.execute("SELECT count(*) FROM varve.rollups").fetchone(), (0,))
    server.stop()
    status, _ = context.run("status", "--data", server.data)
    assert "hourly" not in status, status


def test_a_column_is_added_to_a_rollup_whose_old_rows_are_gone(context):
    server = context.server()
    fill(server, hours=100)
    with connect(server) as connection:
        connection.execute(HOURLY)
        connection.execute("SELECT drop_chunks('cpu', time_bucket('1 day', to_timestamp(%s)))", (START + 70 * 3600,))
    output = psql(server, "ALTER MATERIALIZED VIEW hourly ADD COLUMN least float8 GENERATED ALWAYS AS (min(v)) STORED",
                  "SELECT count(*) = count(mean), count(least) > 0, count(least) < count(*) FROM hourly")
    assert 'rollup "hourly" is filled with' in output and "retention has dropped their rows" in output, output
    assert "t        | t        | t" in output, output
    question = ("SELECT time_bucket('1 hour', time) AS h, host, min(v), count(*) FROM cpu GROUP BY 1, 2 ORDER BY 1, 2")
    with connect(server) as connection:
        connection.execute("SET varve.use_rollups = off")
        direct = connection.execute(question).fetchall()
        connection.execute("RESET varve.use_rollups")
        expect(connection.execute(question).fetchall(), direct)
        expect(connection.execute("SELECT hour, host, least, rows FROM hourly WHERE least IS NOT NULL ORDER BY 1, 2").fetchall(), direct)
        expect_error("0A000", lambda: connection.execute("ALTER MATERIALIZED VIEW hourly DROP COLUMN least"))
    server.kill()
    server.start()
    with connect(server) as connection:
        expect(connection.execute("SELECT hour, host, least, rows FROM hourly WHERE least IS NOT NULL ORDER BY 1, 2").fetchall(), direct)


def test_old_rows_go_on_the_command_line(context):
    # Bytes are compared, and are others once chunks are compacted.
    server = context.server("--compaction", "off")
    fill(server, hours=100)
    with connect(server) as connection:
        connection.execute(HOURLY)
        connection.execute("CALL flush()")
        rows = connection.execute("SELECT count(*) FROM cpu").fetchone()[0]
        days = connection.execute("SELECT count(*) FROM (SELECT time_bucket('1 day', time) FROM cpu GROUP BY 1) AS d").fetchone()[0]
    border = "2023-11-16 12:00+00"
    shown, _ = context.run("retention", "show", "--connect", server.url, "--table", "cpu", "--older-than", border, "--format", "json")
    chunks = json.loads(shown)
    assert 0 < len(chunks) < days and all(chunk["rows"] > 0 and chunk["bytes"] > 0 for chunk in chunks), shown
    dry, _ = context.run("retention", "run", "--connect", server.url, "--table", "cpu", "--older-than", border, "--dry-run", "--format", "json")
    expect((json.loads(dry)[0]["chunks"], json.loads(dry)[0]["rows"]), (len(chunks), sum(chunk["rows"] for chunk in chunks)))
    _, refused = context.run("retention", "run", "--data", server.data, code=1)
    assert "--connect" in refused, refused
    context.run("retention", "run", "--older-than", "1 day", code=64)
    gone, _ = context.run("retention", "run", "--connect", server.url, "--table", "cpu", "--older-than", border, "--format", "json")
    expect(json.loads(gone), json.loads(dry))
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone()[0], rows - json.loads(gone)[0]["rows"])
        expect(connection.execute("SELECT sum(rows)::bigint FROM hourly").fetchone()[0], rows)
        connection.execute("SELECT add_retention_policy('hourly', INTERVAL '1 day')")
    server.stop()
    listed, _ = context.run("retention", "list", "--data", server.data, "--format", "json")
    expect([(row["table"], row["paused"]) for row in json.loads(listed)], [("hourly", False)])
    context.run("retention", "run", "--data", server.data)
    _, error = context.run("retention", "show", "--data", server.data, "--table", "cpu", code=1)
    assert "older_than" in error, error


def test_one_call_downsamples(context):
    server = context.server()
    fill(server, hours=100)
    levels = '{"raw": "30 days", "1 minute": "1 year", "1 hour": "forever"}'
    with connect(server) as connection:
        rows = connection.execute("SELECT count(*) FROM cpu").fetchone()[0]
        plan = connection.execute("SELECT add_downsampling_policy('cpu', %s, dry_run => true)", (levels,)).fetchall()
        expect([row[:4] for row in plan], [
            ("cpu", None, None, "30 days"), ("cpu_1_minute", "cpu", "00:01:00", "1 year"),
            ("cpu_1_hour", "cpu_1_minute", "01:00:00", None)])
        expect(connection.execute("SELECT count(*) FROM varve.rollups").fetchone(), (0,))
        expect(connection.execute("SELECT add_downsampling_policy('cpu', %s)", (levels,)).fetchall(), plan)
        # All of it is older than 30 days, and some years.
        until(lambda: connection.execute("SELECT count(*) FROM cpu").fetchone() == (0,))
        expect(connection.execute("SELECT sum(rows)::bigint, max(v_max) FROM cpu_1_hour").fetchone(), (rows, 4.0))
        expect_error("42P07", lambda: connection.execute("SELECT add_downsampling_policy('cpu', %s)", (levels,)))
        connection.execute("SELECT add_downsampling_policy('cpu', %s, if_not_exists => true)", (levels,))
        connection.execute("SELECT remove_downsampling_policy('cpu')")
        expect(connection.execute("SELECT count(*) FROM varve.jobs WHERE job = 'retention'").fetchone(), (0,))
