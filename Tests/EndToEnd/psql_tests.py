"""psql 15's backslash commands: each that lists something answers, with its variants."""

import os
import subprocess

from differential.postgres import PostgreSQL, program
from support import Skipped, connect, expect

TABLE = "CREATE TABLE cpu (time timestamptz, host text, usage double precision) WITH (varve.tags = 'host')"

#: Commands that list, of psql's \\?; each also with + and S, where psql takes them.
LISTS = [
    "d", "da", "dA", "dAc", "dAf", "dAo", "dAp", "db", "dc", "dC", "dconfig", "dd", "dD", "ddp", "dE", "des", "det", "deu", "dew", "df", "dfa", "dfn",
    "dfp", "dft", "dfw", "dF", "dFd", "dFp", "dFt", "dg", "di", "dl", "dL", "dm", "dn", "do", "dO", "dp", "dP", "dPi", "dPt", "drds", "dRp", "dRs",
    "ds", "dt", "dT", "dtv", "du", "dv", "dx", "dX", "dy", "l", "lo_list", "z"]
WITH_PATTERNS = [
    "d cpu", "d+ cpu", "d varve.tables", "d+ varve.tables", "d pg_class", "d+ pg_catalog.pg_class", "d information_schema.*", "d *.*", "dt c*", "dt+ public.*",
    "dn+ public", "df time_bucket", "df+ time_bucket", "df sum", "df time_bucket interval timestamptz", "df *", "dfS+ *", "da sum", "do +", "do || text text",
    "dC text", "dT int*", "dT+ *", "dconfig *", "dconfig+ Time*", "dL+", "dv varve.*", "dv+ varve.*", "dp cpu", "drds varve varve", "dx+ plpgsql",
    "dF+ english", "dAc+ btree", "dAf+ btree int4", "dAo+ btree", "dAp+ btree", "dP+n", "sf time_bucket(interval, timestamptz)",
    "sf+ pg_catalog.lower(text)", "encoding", "conninfo", "l+ varve", "du+ varve", "dd cpu", "dE+ *", "dO+ *", "dX+ *", "dtvmsE+ *"]


def psql(server, *commands):
    """Output and errors; whether psql failed."""
    arguments = ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.ports["postgres"]), "-U", "varve", "-d", "varve"]
    for command in commands:
        arguments += ["-c", command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, env={**os.environ, "PGTZ": "UTC", "LC_ALL": "C.UTF-8"})
    return done.stdout, done.stderr


def test_every_listing_of_psql_answers(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO cpu VALUES ('2024-01-01', 'a', 1)")
    commands = [f"\\{name}{variant}" for name in LISTS for variant in ("", "+", "S", "S+")] + [f"\\{command}" for command in WITH_PATTERNS]
    failed = []
    for start in range(0, len(commands), 40):
        piece = commands[start:start + 40]
        _, errors = psql(server, *piece)
        if "ERROR" in errors:
            for command in piece:
                _, errors = psql(server, command)
                if "ERROR" in errors:
                    failed.append(f"{command}: {errors.strip()}")
    assert not failed, "\n".join(failed)


def test_psql_shows_what_there_is(context):
    server = context.server()
    with connect(server) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO cpu VALUES ('2024-01-01', 'a', 1)")
    for command, wanted in [
            ("\\dt", "public | cpu  | table | varve"), ("\\d cpu", "usage  | double precision"), ("\\dn", "public"), ("\\l", "varve"),
            ("\\df time_bucket", "interval, timestamp with time zone"), ("\\dfS lower", "pg_catalog | lower | text             | text                | func"),
            ("\\da first", "anyelement"), ("\\doS ~~", "text"), ("\\dv varve.*", "varve  | tables"), ("\\dTS interval", "interval"),
            ("\\dCS", "bigint"), ("\\dL", "(0 rows)"), ("\\sf time_bucket(interval, timestamptz)", "CREATE OR REPLACE FUNCTION public.time_bucket(interval"),
            ("\\du", "varve"), ("\\db", "pg_default"), ("\\dconfig TimeZone", "UTC")]:
        output, errors = psql(server, command)
        assert wanted in output and not errors, f"{command}: {output}{errors}"


def test_functions_are_where_postgresql_has_them(context):
    """What is not PostgreSQL's is in public; what is called the same is in pg_catalog, with PostgreSQL's results."""
    server = context.server()
    with connect(server) as connection:
        functions = connection.execute(
            "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace GROUP BY 1, 2").fetchall()
        own = {name for schema, name in functions if schema == "public"}
        assert {"time_bucket", "first", "last", "to_ns"} <= own, own
        assert {"lower", "date_trunc", "sum", "generate_series", "format_type", "now"} <= {name for schema, name in functions if schema == "pg_catalog"}
        expect(connection.execute("SELECT count(*) FROM pg_proc p WHERE NOT EXISTS (SELECT 1 FROM pg_type t WHERE t.oid = p.prorettype)").fetchone(), (0,))
        expect(connection.execute("SELECT count(*) - count(DISTINCT oid) FROM pg_proc").fetchone(), (0,))


def test_what_is_called_postgresqls_is(context):
    if program("postgres") is None:
        raise Skipped("PostgreSQL 15 is not installed")
    names = "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname {}"
    with connect(context.server()) as connection:
        theirs, own = [{row[0] for row in connection.execute(names.format(f"{sign} 'public'")).fetchall()} for sign in ("<>", "=")]
        operators = set(connection.execute("SELECT DISTINCT oprname FROM pg_operator").fetchall())
        columns = {
            f"{table}.{column}" for table, column in connection.execute(
                "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace IN (11, 13000) AND attnum > 0").fetchall()}
    postgres = PostgreSQL(context.path("postgres"))
    context.closing(postgres)
    with postgres.connect() as connection:
        known = {row[0] for row in connection.execute("SELECT proname FROM pg_proc").fetchall()}
        expect((theirs - known, own & known), (set(), set()))
        expect(operators - set(connection.execute("SELECT DISTINCT oprname FROM pg_operator").fetchall()), set())
        expect(columns - {
            f"{table}.{column}" for table, column in connection.execute(
                "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname IN ('pg_catalog', 'information_schema') AND attnum > 0").fetchall()}, set())
