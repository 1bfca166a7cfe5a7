"""Inputs of COPY … FROM STDIN with what PostgreSQL 15 makes of them.

  copy_cases.py PORT    asks the PostgreSQL 15 that listens there (user postgres), and writes copy-postgres-15.json

The file is what `copy_tests.py` holds our answers against; bytes stand in it as the characters of latin-1. Left out is what we mean to do otherwise: rows of the same
series and time, times at infinity, whole numbers beyond 64 bits.
"""

import json
import os
import random
import re
import struct
import sys

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "copy-postgres-15.json")
COLUMNS = "time timestamptz, host text, n bigint, f double precision, s text, b boolean, u numeric(20,0), at timestamptz"
TIME = "2024-01-01 00:00:0%d+00"


def run(connection, options, data):
    """Rows as text in the order of time, or the error's SQLSTATE, message and context."""
    import psycopg

    cursor = connection.cursor()
    cursor.execute("TRUNCATE t")
    try:
        with cursor.copy(f"COPY t {options}") as copy:
            # In two pieces, the cut anywhere.
            cut = len(data) * 2 // 3
            for piece in (data[:cut], data[cut:]):
                if piece:
                    copy.write(piece)
    except psycopg.Error as error:
        return {"error": [error.sqlstate, error.diag.message_primary, error.diag.context or ""]}
    names = [column.split()[0] for column in COLUMNS.split(", ")]
    rows = cursor.execute(f"SELECT {', '.join(name + '::text' for name in names)} FROM t ORDER BY time").fetchall()
    # A tag that is empty is a tag that the row does not have.
    return {"rows": [[row[0], row[1] or None, *row[2:]] for row in rows]}


# ---------------------------------------------------------------- cases
def text_cases():
    time = TIME % 1
    few = "(time, s)"
    for data in [
        "a", "", "\\N", "\\\\N", "\\n", "\\N ", "a\\tb", "\\b\\f\\n\\r\\t\\v", "\\a\\q\\.x", "\\101\\7\\0611", "\\x41\\x4\\xg",
        "\\x4142", "\\377", "\\303\\251", "\\000", "a\\", "é", "a\\\nb", "\\1", "\\8", "'quoted'", "\"x\"", " x ", "\\\\.",
        "\\\\", "\\\\\\t",
    ]:
        yield f"{few} FROM STDIN", f"{time}\t{data}\n"
        yield f"{few} FROM STDIN", f"{time}\t{data}"
    for lines in [
        "%s\t1\n%s\t2\n", "%s\t1\r\n%s\t2\r\n", "%s\t1\r%s\t2\r", "%s\t1\n%s\t2\r\n", "%s\t1\r\n%s\t2\n", "%s\t1\r%s\t2\n",
        "%s\t1\n%s\t2", "%s\t1\n\\.\n%s", "%s\t1\n%s\\.\n", "%s\t1\n%s\t2\\.\nmore", "%s\t1\r\n\\.\r\n%s", "%s\t1\r\n\\.\n%s",
        "%s\t1\r\n\\.\r%s", "%s\t1\n\\.\r\n%s", "%s\t1\n\\.%s\n", "%s\t1\n%s\n", "%s\t1\n%s\t2\t3\n", "%s\t1\n\n%s\t2\n",
        "%s\t1\r\n%s\t2\r", "%s\t1\n%s\t2\n\\.", "%s\t1\n%s\t\\", "%s\t1\n\\", "\\.\n%s%s",
    ]:
        yield f"{few} FROM STDIN", lines.replace("%s", TIME % 1, 1).replace("%s", TIME % 2, 1)
    for options, data in [
        ("(FORMAT text, DELIMITER '|')", f"{time}|a\\|b"), ("(DELIMITER ',', NULL '')", f"{time},\n"),
        ("(NULL 'NULL')", f"{time}\tNULL\n{TIME % 2}\tNU\\LL\n{TIME % 3}\tNULL2\n"), ("(NULL 'a\\N')", f"{time}\ta\\N\n"),
        ("(HEADER)", f"x\ty\tz\n{time}\ta\n"), ("(HEADER match)", f"time\ts\n{time}\ta\n"), ("(HEADER match)", "time\tS\n"),
        ("(HEADER match)", "time\n"), ("(HEADER match)", "time\t\\N\n"), ("(HEADER true)", ""), ("(HEADER)", "one line"),
        ("(HEADER off)", f"{time}\ta\n"), ("DELIMITERS '|'", f"{time}|b\n"), ("WITH NULL AS 'x' DELIMITER AS ';'", f"{time};x\n"),
        ("(FREEZE false)", f"{time}\ta\n"), ("(HEADER 1)", f"h\n{time}\ta\n"), ("(ENCODING 'UTF8')", f"{time}\té\n"),
    ]:
        yield f"{few} FROM STDIN {options}", data
    yield "(s, time) FROM STDIN", f"{'x' * 150}\tnever\n"
    yield "FROM STDIN", f"{time}\ta\t1\t1.5\tx\tt\t7\t{time}\n"
    yield "FROM STDIN", f"{time}\ta\t1\t1.5\tx\tt\t7\n"
    yield f"{few} FROM STDIN", b"2024-01-01 00:00:01+00\tab\xff\n"
    yield f"{few} FROM STDIN", b"2024-01-01 00:00:01+00\t1\n2024-01-01 00:00:02+00\t\xe2\x82x\n"
    yield f"{few} FROM STDIN", b"2024-01-01 00:00:01+00\ta\0b\n"


def value_cases():
    for column, values in {
        "n": ["0", "-1", "+5", " 12 ", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", "", "abc",
              "12345678", "123456789", "00012", "1e3", "-", "١", "12x", "999999999999999999", "1000000000000000000"],
        "f": ["0", "-0", "1", "1.5", ".5", "5.", "1e10", "1E-5", "NaN", "nan", "Infinity", "-inf", "1e400", "1e-400", " 1.25 ",
              "0.1", "123456789.123456", "1.7976931348623157e308", "", "x", "1.2.3", "123456789012345", "1234567890123456",
              "-12345.6789", "4.9e-324", "0.000001"],
        "b": ["t", "f", "true", "FALSE", "yes", "no", "on", "off", "1", "0", "tr", "o", "", "T", " t ", "x", "10"],
        "u": ["0", "1", "18446744073709551615", "12.5", "12.4", " 7 ", "1e3", "", "abc", "NaNx", "0.5", "007",
              "1234567890123456789", "12345678901234567890"],
        "at": ["2024-02-29 12:34:56.789012+00", "2024-02-30", "2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01 00:00",
               "2024-01-01 00:00:00+05:30", "2024-01-01 00:00:00-08", "2024-01-01 24:00:00+00", "2024-01-01 00:00:60+00",
               "2024-01-01 25:00:00+00", "Jan 5 2024 12:00 UTC", "epoch", "", "x", "2024-01-01 00:00:00.5+00",
               "2024-13-01 00:00:00+00", "2024-01-01 00:00:00 Europe/Berlin", "1999-12-31 23:59:59.999999+00",
               "2024-1-1 1:2:3+00", "2024-01-01 00:00:00+00:00", "20240101T000000Z"],
    }.items():
        for value in values:
            yield f"(time, {column}) FROM STDIN", f"{TIME % 1}\t{value}\n"
            if "\"" not in value:
                yield f"(time, {column}) FROM STDIN CSV", f"{TIME % 1},\"{value}\"\n{TIME % 2},{value}\n"
    for value in ["never", "", "\\N"]:
        yield "(time, n) FROM STDIN", f"{value}\t1\n"


def csv_cases():
    few = "(time, s)"
    time = TIME % 1
    for data in [
        "a", "", "\"\"", "\"a\"", "\"a\"\"b\"", "a\"b\"c", "\"a\"b", "\"a\"b\"c\"", "\"a\nb\"", "\"a\r\nb\"", "\"a,b\"", "\"a", "a\"",
        "\\N", "\\.", " a ", "\" a \"", "a b", "'a'", "\\\\", "\"\\\"", "\"\"\"\"", "\"\"\"", "\"a\"\"\"", "é", "\t", "\"\t\"",
    ]:
        yield f"{few} FROM STDIN CSV", f"{time},{data}\n"
        yield f"{few} FROM STDIN (FORMAT csv)", f"{time},{data}"
        yield f"{few} FROM STDIN (FORMAT csv, NULL 'a', ESCAPE '\\')", f"{time},{data}\n"
        yield "(s, time) FROM STDIN (FORMAT csv, FORCE_NULL (s))", f"{data},{time}\n"
        yield f"{few} FROM STDIN (FORMAT csv, FORCE_NOT_NULL (s))", f"{time},{data}\n"
        yield f"{few} FROM STDIN (FORMAT csv, QUOTE '''', DELIMITER ';')", f"{time};{data}\n"
    for lines in [
        "%s,1\r\n%s,2\r\n", "%s,1\n%s,2\r\n", "%s,1\r\n%s,2\n", "%s,1\r%s,2\r", "%s,1\r%s,2\n", "%s,1\n\\.\n%s", "%s,1\n\\.x\n%s",
        "%s,1\r\n\\.\r\n%s", "%s,1\r\n\\.\n%s", "%s,1\n\n%s,2\n", "%s,1\n%s\n", "%s,1\n%s,2,3\n", "%s,\"1\n\n\"\n%s,x,y\n",
        "%s,\"1\r\n\r\n\"\r\n%s,x,y\r\n", "%s,1\n%s,2\n\\.", "\"%s\",1\n\"%s\",2\n", "%s,1\n\\.%s\n", "%s,\"\n\\.\n\"\n%s,2\n",
    ]:
        yield f"{few} FROM STDIN CSV", lines.replace("%s", TIME % 1, 1).replace("%s", TIME % 2, 1)
    for options, data in [
        ("(FORMAT csv, HEADER)", f"a,b\n{time},x\n"), ("(FORMAT csv, HEADER)", f"\"a\nb\",c\n{time},x,y\n"),
        ("(FORMAT csv, HEADER match)", f"time,\"s\"\n{time},x\n"), ("(FORMAT csv, HEADER match)", f"time,t\n{time},x\n"),
        ("(FORMAT csv, HEADER match)", f",s\n{time},x\n"), ("CSV HEADER", f"time,s\n{time},x\n"),
        ("(FORMAT csv, NULL 'NULL')", f"{time},NULL\n{TIME % 2},\"NULL\"\n{TIME % 3},null\n"),
        ("(FORMAT csv, DELIMITER E'\\t')", f"{time}\tx\n"), ("CSV QUOTE AS '~' ESCAPE AS '!'", f"{time},~a!~b!!c~\n"),
        ("CSV FORCE NOT NULL s", f"{time},\n"), ("(FORMAT csv, QUOTE 'x', NULL '0')", f"{time},x0x\n{TIME % 2},0\n"),
    ]:
        yield f"{few} FROM STDIN {options}", data
    yield "(time, n) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (n))", f"{time},\n"
    yield "(n, time) FROM STDIN (FORMAT csv, DELIMITER '7')", f"127{time}\n"
    yield "(time, n) FROM STDIN (FORMAT csv, NULL '12')", f"{time},12\n{TIME % 2},\"12\"\n{TIME % 3},13\n"


def option_cases():
    for options in [
        "(FORMAT jsonb)", "(FORMAT csv, FORMAT csv)", "(WHAT)", "(DELIMITER 'ab')", "(DELIMITER 'a')", "(DELIMITER E'\\n')",
        "(FORMAT csv, DELIMITER '\"')", "(FORMAT csv, NULL '\"')", "(FORMAT csv, NULL 'a,b')", "(NULL E'a\\nb')", "(QUOTE 'x')",
        "(ESCAPE 'x')", "(FORMAT csv, QUOTE 'ab')", "(FORMAT csv, ESCAPE 'ab')", "(FORMAT binary, DELIMITER ',')",
        "(FORMAT binary, NULL 'x')", "(FORMAT binary, HEADER)", "(FORCE_NULL (s))", "(FORCE_NOT_NULL (s))",
        "(FORMAT csv, FORCE_NULL (n))", "(FORMAT csv, FORCE_NOT_NULL (n))", "(FORMAT csv, FORCE_NULL (x))", "(FORMAT csv, FORCE_QUOTE (s))",
        "(HEADER maybe)", "(FORMAT csv, FORCE_NULL x)", "(DELIMITER '')", "(FORMAT csv, QUOTE '')", "(FREEZE maybe)", "(DELIMITER)",
        "(FORMAT csv, FORCE_NULL (s, s))", "(FORMAT)",
    ]:
        yield f"(time, s) FROM STDIN {options}", ""
    yield "(time, x) FROM STDIN", ""
    yield "(time, s, time) FROM STDIN", ""


def binary_cases():
    header = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    options = "(time, n, f, s, b, u, at) FROM STDIN (FORMAT binary)"

    def field(value):
        return struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value

    def numeric(digits, weight, sign=0, scale=0):
        return struct.pack("!hhHh", len(digits), weight, sign, scale) + b"".join(struct.pack("!h", digit) for digit in digits)

    def row(n=struct.pack("!q", 5), f=struct.pack("!d", 1.5), s=b"x", b=b"\1", u=numeric([7], 0), at=bytes(8),
            time=struct.pack("!q", 757_382_400_000_000), count=7):
        return struct.pack("!h", count) + b"".join(field(value) for value in (time, n, f, s, b, u, at))

    end = b"\xff\xff"
    for data in [
        header + row() + end, header + end, header, header + row(), b"", header[:10], header[:11], header[:14], header[:15], header[:18],
        b"PGCOPY\n\xff\r\n\1" + bytes(8) + end, header[:11] + b"\0\1\0\0" + bytes(4) + end, header[:11] + b"\0\2\0\0" + bytes(4) + end,
        header[:11] + b"\0\0\0\1" + bytes(4) + row() + end, header[:15] + b"\0\0\0\3abc" + row() + end, header[:15] + b"\0\0\0\3ab",
        header[:15] + b"\xff\xff\xff\xff" + end, header + row() + b"\xff", header + row() + b"\0", header + row() + end + b"x",
        header + row(count=6) + end, header + row(count=8) + end, header + row() + b"\xff\xfe", header + row()[:-1], header + row()[:7],
        header + row(n=None, f=None, s=None, b=None, u=None, at=None) + end, header + row(time=None) + end,
        header + row(n=b"1234") + end, header + row(n=b"") + end, header + row(n=b"123456789") + end, header + row(f=b"1234") + end,
        header + row(b=b"") + end, header + row(b=b"\2") + end, header + row(b=b"\0") + end, header + row(b=b"ab") + end,
        header + row(s=b"") + end, header + row(s=b"a\0") + end, header + row(s=b"\xff") + end, header + row(s="é\n".encode()) + end,
        header + row(at=b"123") + end, header + row(at=struct.pack("!q", -1)) + end, header + row(f=struct.pack("!d", float("nan"))) + end,
        header + row(f=struct.pack("!d", float("-inf"))) + end, header + struct.pack("!hi", 7, -2) + end,
        header + row(n=struct.pack("!q", -(2**63))) + end,
    ]:
        yield options, data
    for u in [
        numeric([], 0), numeric([1844, 6744, 737, 955, 1615], 4), numeric([1], 4), numeric([1, 5], 1), numeric([1, 5000], 0, scale=1),
        numeric([5000], -1, scale=1), numeric([4999], -1, scale=4), numeric([0, 7], 1),
        numeric([7], 0) + b"x", numeric([1, 2, 3], 2, scale=5), numeric([9999, 9999, 9999, 9999], 3),
    ]:
        yield options, header + row(u=u) + end


def mutated_cases():
    draw = random.Random(15)
    kinds = [
        ("(time, host, n, s) FROM STDIN", "\t", "\n"), ("(time, host, n, s) FROM STDIN CSV", ",", "\n"),
        ("(time, host, n, s) FROM STDIN (FORMAT csv, NULL 'x')", ",", "\r\n"), ("(host, s, n, time) FROM STDIN (NULL '')", "\t", "\r\n"),
    ]
    for number in range(900):
        options, delimiter, newline = kinds[number % 4]
        lines = []
        for row in range(1, 5):
            cells = [TIME % row, draw.choice(["a", "b", "c d"]), str(draw.randrange(1000)), draw.choice(["", "x", "\"q\"", "\\N", "y z", "\\t"])]
            lines.append(delimiter.join(cells if options.startswith("(time") else [cells[1], cells[3], cells[2], cells[0]]) + newline)
        data = bytearray("".join(lines).encode())
        for _ in range(draw.randrange(1, 4)):
            place = draw.randrange(len(data))
            kind = draw.randrange(3)
            if kind == 0:
                del data[place]
            else:
                byte = draw.choice(b"\"\\\n\r,\t.xN01 ")
                if kind == 1:
                    data[place] = byte
                else:
                    data.insert(place, byte)
        # What is a time at all is another matter.
        if len(re.findall(rb'(?<![^\n\t,"\r])2024-01-01 00:00:0[1-4]\+00(?![^\n\t,"\r\\])', data)) == 4:
            yield options, bytes(data)


def cases():
    for source in (text_cases, value_cases, csv_cases, option_cases, binary_cases, mutated_cases):
        for options, data in source():
            yield options, data.encode() if isinstance(data, str) else data


def main():
    import psycopg

    with psycopg.connect(
            host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres", autocommit=True,
            options="-c timezone=UTC") as connection:
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute(f"CREATE TABLE t ({COLUMNS.replace('timestamptz, host', 'timestamptz NOT NULL, host')})")
        found = [
            {"options": options, "data": data.decode("latin-1"), **run(connection, options, data)}
            for options, data in cases()]
        connection.execute("DROP TABLE t")
    with open(EXPECTED, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in found) + "\n]\n")
    print(f"{len(found)} cases, {sum('error' in case for case in found)} of them errors")


if __name__ == "__main__":
    main()
