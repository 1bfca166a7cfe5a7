"""Statements of COPY … TO STDOUT with the bytes that PostgreSQL 15 gives.

  copy_out_cases.py PORT    asks the PostgreSQL 15 that listens there (user postgres), and writes copy-out-postgres-15.json

The file is what `copy_out_tests.py` holds our answers against: a list of messages of CopyData each, whose bytes stand in it as the
characters of latin-1, or the error's SQLSTATE and message.
"""

import json
import os
import sys

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "copy-out-postgres-15.json")

TEXTS = ["''", "NULL::text", "'plain'", r"E'a\tb'", r"E'a\nb'", r"E'\\'", r"'\N'", r"'\.'", r"E'\r\n'", "'a,b'", "'a;b'", "'a|b'",
         "'\"'", "'say \"no\"'", "'it''s'", r"E'\b\f\v\x01\x7f'", "'é→𝄞'", "' '", "' padded '", "'NULL'", "'\"\"'", "'0'"]
VALUES = ["1", "-1::smallint", "9223372036854775807::bigint", "NULL::int", "1.5::float8", "'NaN'::float8", "'-Infinity'::float8", "1e300",
          "0.1::float4", "1.50::numeric", "-12345678901234567890.000001::numeric", "0::numeric", "'NaN'::numeric", "true", "false",
          "'2024-02-29'::date", "'0001-01-01'::date", "'infinity'::date", "'2024-01-01 12:34:56.789012+00'::timestamptz",
          "'1969-12-31 23:59:59.999999+00'::timestamptz", "'infinity'::timestamptz", "'-infinity'::timestamptz",
          "'2024-01-01 00:00:00'::timestamp", "'1 year 2 mons -3 days 04:05:06.7'::interval", "'0'::interval", r"'\x00ff5c'::bytea",
          "''::bytea", "ARRAY[1,2,NULL]", "ARRAY['a,b','c\"d',NULL,'']", "'{}'::int[]", "ARRAY[true]", "ARRAY[1.5::float8]", "123::oid",
          "'x'::varchar", "'n'::name", "'2024-01-01'::timestamptz AT TIME ZONE 'UTC'", "ARRAY['2024-01-01 00:00:00+00'::timestamptz]"]
OPTIONS = ["", "(FORMAT csv)", "(FORMAT csv, FORCE_QUOTE *)", "(FORMAT csv, QUOTE '''', ESCAPE '\\')", "(FORMAT csv, DELIMITER ';', NULL 'NULL')",
           "(FORMAT csv, NULL '0')", "(DELIMITER '|')", "(DELIMITER ',', NULL 'NULL')", "(NULL '')", "(DELIMITER E'\\x01')"]


def cases():
    row = ", ".join(f"{text} AS t{number}" for number, text in enumerate(TEXTS))
    for options in OPTIONS:
        yield f"COPY (SELECT {row}) TO STDOUT {options}"
        for text in TEXTS:
            yield f"COPY (SELECT {text}) TO STDOUT {options}"
    for value in VALUES:
        for options in ["", "(FORMAT csv)", "(FORMAT csv, FORCE_QUOTE *)", "(DELIMITER '-')", "(FORMAT csv, DELIMITER '0')", "(FORMAT binary)"]:
            yield f"COPY (SELECT {value}, {value}) TO STDOUT {options}"
    for options in ["(HEADER)", "(FORMAT csv, HEADER)", "(FORMAT csv, HEADER true, FORCE_QUOTE *)", "(FORMAT csv, HEADER off)", "CSV HEADER",
                    "(FORMAT csv, HEADER, DELIMITER 'x')", "(FORMAT binary)", "BINARY"]:
        yield f"""COPY (SELECT n, 'x' || n AS "a,b" FROM generate_series(1, 3) AS g(n) ORDER BY n) TO STDOUT {options}"""
        yield f"""COPY (SELECT 1 AS "q""x" WHERE false) TO STDOUT {options}"""
    yield "COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT CSV HEADER"
    yield "COPY (VALUES (1), (2) ORDER BY 1 DESC) TO STDOUT"
    yield "COPY (SELECT 1 UNION ALL SELECT 2) TO STDOUT WITH DELIMITER ';'"
    yield "COPY (SELECT 1 AS a, 2 AS b) TO STDOUT CSV FORCE QUOTE b"
    yield "COPY (SELECT 1 AS a, 2 AS b) TO STDOUT (FORMAT csv, FORCE_QUOTE (a, b))"
    for options in ["(HEADER match)", "(FORMAT csv, HEADER match)", "(FORCE_QUOTE *)", "(FORMAT csv, FORCE_NULL (a))",
                    "(FORMAT csv, FORCE_NOT_NULL (a))", "(FORMAT csv, FORCE_QUOTE (z))", "(FORMAT csv, FORCE_QUOTE (a, a))", "(FORMAT xml)",
                    "(FORMAT binary, DELIMITER ',')", "(FORMAT binary, NULL '')", "(FORMAT binary, HEADER)", "(DELIMITER 'ab')", "(DELIMITER 'a')",
                    "(QUOTE '''')", "(FORMAT csv, QUOTE '''''')", "(FORMAT csv, QUOTE ',')", "(NULL E'\\n')", "(DELIMITER ',', NULL 'a,b')",
                    "(FORMAT csv, NULL '\"')", "(FORMAT csv, FORMAT text)", "(NONSENSE)", "(HEADER maybe)", "(FORMAT csv, FORCE_QUOTE 1)"]:
        yield f"COPY (SELECT 1 AS a) TO STDOUT {options}"
    yield "COPY (SELECT 1 / (3 - n) FROM generate_series(1, 3) AS g(n)) TO STDOUT"


def run(connection, statement):
    """The messages of the COPY, or what it fails with."""
    import psycopg

    try:
        with connection.cursor().copy(statement) as copy:
            return {"messages": [bytes(message).decode("latin-1") for message in copy]}
    except psycopg.Error as error:
        return {"error": [error.sqlstate, error.diag.message_primary]}


def main():
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", autocommit=True, options="-c timezone=UTC") as connection:
        with open(EXPECTED, "w") as file:
            answers = [{"statement": statement, **run(connection, statement)} for statement in cases()]
            file.write("[\n" + ",\n".join(json.dumps(answer) for answer in answers) + "\n]\n")


if __name__ == "__main__":
    main()
