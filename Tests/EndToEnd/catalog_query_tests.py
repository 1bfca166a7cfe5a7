"""Statements of the kinds that programs send: Grafana's PostgreSQL data source and DBeaver, which are not installed here, and the readers of DuckDB and
ClickHouse, which duckdb_tests and clickhouse_tests run. Each must be answered, with the rows that lead such a program to the table."""

import datetime
import struct

from support import connect, expect

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
TABLE = "CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint) WITH (varve.tags = 'host')"


def filled(context):
    server = context.server()
    connection = connect(server, options="-c timezone=UTC")
    context.closing(connection)
    connection.execute(TABLE)
    connection.execute(
        "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 minute', 'h' || i % 2, i / 4.0, i FROM generate_series(0, 9) AS g(i)")
    return connection


def texts(connection, statement):
    return connection.execute(statement).fetchall()


# ---------------------------------------------------------------- DuckDB
def test_duckdbs_reader_finds_the_tables_and_copies_them(context):
    connection = filled(context)
    connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    columns = """
        SELECT n.oid AS namespace_id, relname, relpages, attname, t.typname AS type_name, atttypmod AS type_modifier, a.attndims AS ndim, attnum,
            a.attnotnull AS notnull, NULL AS constraint_id, NULL AS constraint_type, NULL AS constraint_key, tn.nspname AS type_schema,
            cd.description AS column_comment, td.description AS table_comment
        FROM pg_class JOIN pg_namespace n ON relnamespace = n.oid JOIN pg_attribute a ON pg_class.oid = a.attrelid JOIN pg_type t ON atttypid = t.oid
        JOIN pg_namespace tn ON t.typnamespace = tn.oid
        LEFT JOIN pg_description cd ON cd.objoid = pg_class.oid AND cd.objsubid = a.attnum
        LEFT JOIN pg_description td ON td.objoid = pg_class.oid AND td.objsubid = 0
        WHERE attnum > 0 AND relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname = 'public'
        UNION ALL
        SELECT n.oid AS namespace_id, relname, NULL AS relpages, NULL AS attname, NULL AS type_name, NULL AS type_modifier, NULL AS ndim, NULL AS attnum,
            NULL AS notnull, k.oid AS constraint_id, contype AS constraint_type, conkey AS constraint_key, NULL AS type_schema, NULL AS column_comment,
            NULL AS table_comment
        FROM pg_class JOIN pg_namespace n ON relnamespace = n.oid JOIN pg_constraint k ON (pg_class.oid = k.conrelid)
        WHERE relkind IN ('r', 'v', 'm', 'f', 'p') AND contype IN ('p', 'u') AND n.nspname = 'public'
        ORDER BY namespace_id, relname, attnum, constraint_id"""
    rows = connection.execute(columns).fetchall()
    # Without pages it reads a table with one statement.
    expect([(row[1], row[2], row[3], row[4], row[5], row[7], row[8]) for row in rows], [
        ("cpu", 0, "time", "timestamptz", -1, 1, True), ("cpu", 0, "host", "text", -1, 2, False), ("cpu", 0, "usage", "float8", -1, 3, False),
        ("cpu", 0, "n", "int8", -1, 4, False)])
    for statement in [
            "SELECT oid, nspname FROM pg_namespace ORDER BY oid",
            "SELECT n.oid, enumtypid, typname, enumlabel FROM pg_enum e JOIN pg_type t ON e.enumtypid = t.oid JOIN pg_namespace AS n ON (typnamespace = n.oid) "
            "ORDER BY n.oid, enumtypid, enumsortorder",
            "SELECT n.oid, t.typrelid AS id, t.typname AS type, a.attname, s.typname, sn.nspname FROM pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = "
            "t.typnamespace JOIN pg_class c ON c.oid = t.typrelid JOIN pg_attribute a ON attrelid = t.typrelid JOIN pg_type s ON (a.atttypid = s.oid) JOIN "
            "pg_catalog.pg_namespace sn ON sn.oid = s.typnamespace WHERE c.relkind IN ('c', 'r', 'v', 'm', 'f', 'p') AND t.typtype = 'c' AND a.attnum > 0 AND "
            "NOT a.attisdropped ORDER BY n.oid, t.oid, attrelid, attnum",
            "SELECT n.oid, tablename, indexname FROM pg_indexes JOIN pg_namespace n ON (schemaname = nspname) ORDER BY n.oid",
            "SELECT pg_is_in_recovery(), (SELECT count(*) FROM pg_stat_wal_receiver)",
            "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()"]:
        connection.execute(statement)
    with connection.cursor().copy("""COPY (SELECT "n", "host" FROM "public"."cpu" WHERE ("n" > 7 AND "n" IS NOT NULL)) TO STDOUT (FORMAT "binary");""") as copy:
        data = b"".join(copy)
    signature = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    expect(data[:19], signature)
    rows = {data[19 + 20 * i:39 + 20 * i] for i in range(2)}
    expect(rows, {struct.pack(">hiqi", 2, 8, n, 2) + f"h{n % 2}".encode() for n in (8, 9)})
    expect(data[59:], b"\xff\xff")
    connection.execute("COMMIT")


# ---------------------------------------------------------------- ClickHouse
def test_clickhouses_postgresql_function_learns_the_columns_and_copies(context):
    connection = filled(context)
    expect(
        texts(connection, "SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS not_null, attndims AS dims, atttypid AS type_id, "
              "atttypmod AS type_modifier, attnum AS number, attgenerated AS generated FROM pg_attribute WHERE attrelid = (SELECT oid FROM pg_class WHERE "
              "relname = 'cpu' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public')) AND NOT attisdropped AND attnum > 0 ORDER BY attnum ASC"),
        [("time", "timestamp with time zone", True, 0, 1184, -1, 1, ""), ("host", "text", False, 0, 25, -1, 2, ""),
         ("usage", "double precision", False, 0, 701, -1, 3, ""), ("n", "bigint", False, 0, 20, -1, 4, "")])
    connection.execute("BEGIN READ ONLY")
    with connection.cursor().copy("""COPY (SELECT "n", "time" FROM "public"."cpu" WHERE "n" = 3) TO STDOUT""") as copy:
        expect(b"".join(copy), b"3\t2024-01-01 00:03:00+00\n")
    connection.execute("COMMIT")
    expect(texts(connection, "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname != 'pg_catalog' AND schemaname != 'information_schema'"), [("cpu",)])


# ---------------------------------------------------------------- Grafana
def test_grafanas_data_source_completes_names_and_draws(context):
    connection = filled(context)
    expect(texts(connection, "SELECT current_setting('server_version_num')::int / 100"), [(1500,)])
    expect(texts(connection, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"), [])
    expect(
        texts(connection, "SELECT quote_ident(table_name) AS \"table\" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN "
              "('information_schema', 'pg_catalog', 'varve', '_timescaledb_internal') AND table_type = 'BASE TABLE' ORDER BY 1"), [("cpu",)])
    expect(
        texts(connection, "SELECT quote_ident(column_name) AS \"column\", data_type AS \"type\" FROM information_schema.columns WHERE CASE WHEN "
              "array_length(parse_ident('public.cpu'), 1) = 2 THEN quote_ident(table_schema) = (parse_ident('public.cpu'))[1] AND quote_ident(table_name) = "
              "(parse_ident('public.cpu'))[2] ELSE quote_ident(table_name) = 'public.cpu' END ORDER BY ordinal_position"),
        # A word that PostgreSQL's grammar has a use for is quoted.
        [('"time"', "timestamp with time zone"), ("host", "text"), ("usage", "double precision"), ("n", "bigint")])
    window = "time BETWEEN '2024-01-01T00:00:00Z' AND '2024-01-01T00:09:59.999Z'"
    expect(
        texts(connection, f"SELECT floor(extract(epoch from time)/300)*300 AS \"time\", host AS metric, avg(usage) AS \"usage\" FROM cpu WHERE {window} "
              "GROUP BY 1, 2 ORDER BY 1, 2")[:2], [(1704067200, "h0", 0.5), (1704067200, "h1", 0.5)])
    expect(
        texts(connection, f"SELECT time_bucket('300.000s', time) AS \"time\", count(*) FROM cpu WHERE {window} GROUP BY 1 ORDER BY 1"),
        [(START, 5), (START + datetime.timedelta(minutes=5), 5)])
    expect(texts(connection, f"SELECT extract(epoch from time) AS time, n FROM cpu WHERE {window} AND host = 'h1' ORDER BY 1 LIMIT 1"), [(1704067260, 1)])


# ---------------------------------------------------------------- DBeaver
def test_dbeaver_walks_the_catalogs(context):
    connection = filled(context)
    for statement in [
            "SELECT current_schema(), session_user", "SHOW search_path", "SELECT version()",
            "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate OR db.datname = 'varve' ORDER BY db.datname",
            "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 "
            "AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname",
            "SELECT a.oid, a.* FROM pg_catalog.pg_roles a ORDER BY a.rolname",
            "SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description, "
            "pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, "
            "pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
            "INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid "
            "WHERE i.indrelid = 'cpu'::regclass ORDER BY tabrelname, c.relname",
            "SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description, pg_catalog.pg_get_constraintdef(c.oid) AS definition "
            "FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid "
            "LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass "
            "WHERE c.conrelid = 'cpu'::regclass ORDER BY c.oid",
            "SELECT x.oid, x.*, p.pronamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = "
            "x.tgfoid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid WHERE x.tgrelid = 'cpu'::regclass AND NOT x.tgisinternal",
            "SELECT DISTINCT dep.deptype, dep.classid, dep.objid, cl.relkind, attr.attname, pg_get_expr(ad.adbin, ad.adrelid) AS adefval, CASE WHEN cl.relkind IS "
            "NOT NULL THEN CAST(cl.relkind AS text) || COALESCE(dep.objsubid::text, '') ELSE '' END AS type FROM pg_depend dep LEFT JOIN pg_class cl ON dep.objid "
            "= cl.oid LEFT JOIN pg_attribute attr ON dep.objid = attr.attrelid AND dep.objsubid = attr.attnum LEFT JOIN pg_attrdef ad ON ad.oid = dep.objid "
            "WHERE dep.refobjid = 'cpu'::regclass",
            "SELECT n.nspname, c.relname, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size, pg_catalog.pg_relation_size(c.oid) AS rel_size FROM "
            "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relnamespace = 2200",
            "SELECT p.oid AS poid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0) AS arg_defaults, l.lanname, d.description FROM pg_catalog.pg_proc p LEFT OUTER "
            "JOIN pg_catalog.pg_language l ON l.oid = p.prolang LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid WHERE p.pronamespace = 2200 "
            "ORDER BY p.proname",
            "SELECT e.oid, e.* FROM pg_catalog.pg_event_trigger e", "SELECT e.oid, e.* FROM pg_catalog.pg_extension e", "SELECT * FROM pg_catalog.pg_settings",
            "SELECT a.oid, a.* FROM pg_catalog.pg_am a", "SELECT l.oid, l.* FROM pg_catalog.pg_language l", "SELECT c.oid, c.* FROM pg_catalog.pg_collation c",
            "SELECT t.oid, t.*, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t", "SELECT * FROM pg_catalog.pg_enum",
            "SELECT c.oid, c.* FROM pg_catalog.pg_foreign_data_wrapper c", "SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> 'x'"]:
        connection.execute(statement).fetchall()
    expect(
        [row[0] for row in texts(connection, "SELECT c.relname, c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, "
                                 "pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON "
                                 "d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 2200 AND c.relkind NOT IN "
                                 "('i', 'I', 'c')")], ["cpu"])
    expect(
        texts(connection, "SELECT a.attname, t.typname, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid FROM "
              "pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = "
              "ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER "
              "JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid JOIN pg_type "
              "t ON t.oid = a.atttypid WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = 'public.cpu'::regclass ORDER BY a.attnum"),
        [("time", "timestamptz", None, None, None), ("host", "text", None, None, None), ("usage", "float8", None, None, None), ("n", "int8", None, None, None)])
    types = texts(connection, "SELECT t.oid, t.*, c.relkind, format_type(NULLIF(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description FROM "
                  "pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid "
                  "LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND "
                  "(et.typcategory IS NULL OR et.typcategory <> 'C')")
    assert len(types) > 40, len(types)
