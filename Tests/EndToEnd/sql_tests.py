"""SQL over the PostgreSQL protocol."""

from support import HOUR, connect, expect, expect_error, psql


def test_psql_lists_tables_and_shows_times(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"weather,site=north celsius=7.5,ok=t,note=\"cold\",n=1i,u=2u {HOUR}\n")
    lines.sync()
    output = psql(server, "\\dt")
    assert "weather" in output, output
    output = psql(server, "\\timing", "SELECT time, site, celsius, ok, note, n, u FROM weather")
    assert "2023-11-14 22:13:20+00 | north |     7.5 | t  | cold | 1 | 2" in output and "Time: " in output, output
    output = psql(server, "SELECT nothing FROM weather", code=1)
    assert 'ERROR:  column "nothing" does not exist' in output and "LINE 1: SELECT nothing FROM weather" in output, output


def test_psycopg_sends_parameters_and_prepares_at_the_server(context):
    server = context.server()
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 10} usage={i}.5,n={i}i {HOUR + i * 10**9}\n" for i in range(1000)))
    lines.sync()
    with connect(server) as connection:
        for host in range(10):
            row = connection.execute(
                "SELECT count(*), min(n), max(usage) FROM cpu WHERE host = %s AND n >= %s", (f"h{host}", 100), prepare=True
            ).fetchone()
            expect(row, (90, 100 + host, 990.5 + host))
        with connection.cursor(binary=True) as cursor:
            cursor.execute("SELECT time, usage, n, host FROM cpu WHERE n = %b", (5,))
            time_, usage, n, host = cursor.fetchone()
            expect((time_.timestamp(), usage, n, host), (1700000005.0, 5.5, 5, "h5"))
        expect_error("22012", lambda: connection.execute("SELECT n / 0 FROM cpu WHERE n = %s", (1,)).fetchall())
        error = expect_error("42703", lambda: connection.execute("SELECT usage, nothing FROM cpu"))
        expect(error.diag.statement_position, "15")


def test_inserts_become_visible_at_commit_and_not_at_rollback(context):
    server = context.server()
    with connect(server) as one, connect(server) as two:
        one.execute("CREATE TABLE m (time timestamptz, host text, v double precision) WITH (varve.tags = 'host')")
        one.execute("BEGIN")
        one.execute("INSERT INTO m VALUES ('2024-01-01', 'a', 1), ('2024-01-01', 'b', 2)")
        expect(two.execute("SELECT count(*) FROM m").fetchone(), (0,))
        one.execute("COMMIT")
        expect(two.execute("SELECT sum(v) FROM m").fetchone(), (3.0,))
        one.execute("BEGIN")
        one.execute("INSERT INTO m VALUES ('2024-01-02', 'a', 1)")
        one.execute("ROLLBACK")
        expect(two.execute("SELECT count(*) FROM m").fetchone(), (2,))
        one.execute("DROP TABLE m")
        expect_error("42P01", lambda: two.execute("SELECT count(*) FROM m"))


def test_names_from_line_protocol_keep_their_case(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"My\\ Table,Host=a The\\ Value=1 {HOUR}\n")
    lines.sync()
    with connect(server) as connection:
        expect(connection.execute('SELECT "Host", "The Value" FROM "My Table"').fetchall(), [("a", 1.0)])
        error = expect_error("42703", lambda: connection.execute('SELECT host FROM "My Table"'))
        assert "Host" in (error.diag.message_hint or ""), error.diag.message_hint
