"""SQL over HTTP."""

import csv
import gzip
import http.client
import io
import json
import socket
import urllib.parse
import urllib.request
import zlib

from long_query_tests import ENDLESS, ENDLESS_ROWS
from support import HOUR, connect, expect, metrics, request, until


def query(server, sql, body=None, headers=None, **parameters):
    parameters["q"] = sql
    return request(server.http("/query?" + urllib.parse.urlencode(parameters)), body, headers)


def failure(server, sql, **parameters):
    status, headers, body = query(server, sql, **parameters)
    assert headers["Content-Type"].startswith("application/json"), headers
    return status, json.loads(body)


VALUES = """
SELECT 1::smallint AS i2, -7::bigint AS i8, 1.50::numeric AS n, 1.5::real AS f4, 'NaN'::float8 AS nan, '-Infinity'::float8 AS inf,
 true AS yes, NULL::text AS nothing, '' AS empty, 'a"b\\c, d' || chr(10) || chr(9) || 'ü' AS text,
 '2024-05-01 12:00:00.25+00'::timestamptz AS time, '1 day'::interval AS span, ARRAY[1, 2] AS list, '\\x0aff'::bytea AS bytes
"""


def test_http_queries_give_every_type_as_json_and_csv(context):
    server = context.server()
    status, headers, body = query(server, VALUES)
    expect((status, headers["Content-Type"]), (200, "application/json"))
    row = json.loads(body, parse_float=str)[0]
    expect(row, {
        "i2": 1, "i8": -7, "n": "1.50", "f4": "1.5", "nan": "NaN", "inf": "-Infinity", "yes": True, "nothing": None,
        "empty": "", "text": 'a"b\\c, d\n\tü', "time": "2024-05-01 12:00:00.25+00", "span": "1 day", "list": "{1,2}",
        "bytes": "\\x0aff"})
    status, headers, body = query(server, VALUES, format="csv")
    expect((status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
    names, values = list(csv.reader(io.StringIO(body.decode(), newline="")))
    expect(dict(zip(names, values)), {
        "i2": "1", "i8": "-7", "n": "1.50", "f4": "1.5", "nan": "NaN", "inf": "-Infinity", "yes": "t", "nothing": "",
        "empty": "", "text": 'a"b\\c, d\n\tü', "time": "2024-05-01 12:00:00.25+00", "span": "1 day", "list": "{1,2}",
        "bytes": "\\x0aff"})
    assert b',t,,"","a""b' in body, body  # NULL and the empty text differ.
    expect(query(server, "SELECT 1 AS a WHERE false")[2], b"[\n]\n")
    expect(query(server, "SELECT 1 AS a WHERE false", format="csv")[2], b"a\n")


def test_http_queries_take_parameters_forms_and_bodies(context):
    server = context.server()
    sql = "SELECT $1::int + 1 AS a, $2::text AS b, $3::bool AS c, $4::text AS d"
    expect(
        json.loads(query(server, sql, params='[41, "it\'s \\u00fc", false, null]')[2]),
        [{"a": 42, "b": "it's ü", "c": False, "d": None}])
    form = urllib.parse.urlencode({"q": "SELECT $1::int AS a", "params": "[1]", "format": "csv"}).encode()
    expect(request(server.http("/query"), form)[2], b"a\n1\n")
    expect(request(server.http("/query?params=[2]"), b"SELECT $1::int AS a", {"Content-Type": "text/plain"})[2], b'[\n{"a":2}\n]\n')
    expect(query(server, "CREATE TABLE t (time timestamptz, v float8)")[::2], (200, b'{"tag":"CREATE TABLE"}\n'))
    expect(query(server, "INSERT INTO t VALUES ($1, $2)", params=json.dumps([1, 2]))[0], 400)
    expect(query(server, "INSERT INTO t VALUES ($1, $2)", params='["2024-01-01", 2.5]')[::2], (200, b'{"tag":"INSERT 0 1"}\n'))
    server.kill()
    server.start()
    expect(json.loads(query(server, "SELECT v FROM t")[2]), [{"v": 2.5}])


def test_http_queries_say_what_is_wrong(context):
    server = context.server()
    status, error = failure(server, "SELECT nothing FROM varve.tables")
    expect((status, error["code"], error["position"]), (400, "42703", 8))
    status, error = failure(server, "SELECT 1; SELECT 2")
    expect((status, error["code"]), (400, "42601"))
    expect(failure(server, "-- nothing")[0], 400)
    expect(failure(server, "SELECT $1::int")[0], 400)
    expect(failure(server, "SELECT $1::int", params='["x"]')[1]["code"], "22P02")
    expect(failure(server, "SELECT 1 / 0")[1]["code"], "22012")
    status, error = failure(server, ENDLESS, timeout="100ms")
    expect((status, error["code"]), (504, "57014"))
    assert "statement_timeout" in error["hint"], error
    expect(failure(server, "SELECT 1", timeout="soon")[1]["code"], "22023")
    expect(failure(server, "SELECT 1", params="{}")[0], 400)
    expect(failure(server, "COPY varve.tables FROM STDIN")[0], 403)
    expect(query(server, "SELECT 1 AS a")[2], b'[\n{"a":1}\n]\n')


def test_a_large_result_over_http_takes_little_memory(context):
    server = context.server("--memory", "256MB")
    before = memory(server)
    count, total = 0, 0
    url = server.http("/query?format=csv&q=" + urllib.parse.quote("SELECT b.m AS n, repeat('x', 100) AS x FROM generate_series(1, 2000) a(n), LATERAL generate_series(1, 1000) b(m)"))
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.headers.get("Content-Length") is None, answer.headers
        expect(answer.readline(), b"n,x\n")
        for line in answer:
            count += 1
            total += int(line.split(b",")[0])
    expect((count, total), (2_000_000, 2000 * 500_500))
    assert memory(server) - before < 100 << 20, (before, memory(server))


def memory(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def test_an_http_client_that_goes_ends_its_query(context):
    server = context.server()
    endless = urllib.parse.quote(ENDLESS_ROWS)
    for sql in (endless, urllib.parse.quote(ENDLESS)):
        with socket.create_connection(("127.0.0.1", server.ports["http"])) as client:
            client.sendall(f"GET /query?q={sql} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with connect(server) as admin:
                until(lambda: admin.execute("SELECT 1 FROM varve.queries WHERE protocol = 'http'").fetchall())
        with connect(server) as admin:
            until(lambda: not admin.execute("SELECT 1 FROM varve.queries WHERE protocol = 'http'").fetchall())


def test_an_error_behind_the_first_rows_breaks_the_answer_off(context):
    server = context.server()
    sql = urllib.parse.quote("SELECT 1 / (500000 - n) FROM generate_series(1, 1000000) n")
    with socket.create_connection(("127.0.0.1", server.ports["http"]), 30) as client:
        client.sendall(f"GET /query?format=csv&q={sql} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    assert answer.startswith(b"HTTP/1.1 200 ") and not answer.endswith(b"0\r\n\r\n"), answer[-50:]
    # Clients that read slowly hold no thread: others are answered meanwhile.
    slow = [socket.create_connection(("127.0.0.1", server.ports["http"])) for _ in range(8)]
    for client in slow:
        client.sendall(f"GET /query?q={urllib.parse.quote(ENDLESS_ROWS)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    with connect(server) as admin:
        until(lambda: admin.execute("SELECT count(*) FROM varve.queries WHERE wait = 'client'").fetchone() == (8,))
    expect(query(server, "SELECT 1 AS a")[2], b'[\n{"a":1}\n]\n')
    for client in slow:
        client.close()


def test_http_queries_are_packed_for_who_takes_that(context):
    server = context.server()
    for sql, parameters in [("SELECT 1 AS a", {}), ("SELECT g, 'row ' || g AS t FROM generate_series(1, 200000) g", {"format": "csv"})]:
        plain = query(server, sql, **parameters)
        expect((plain[1].get("Content-Encoding"), plain[1]["Vary"]), (None, "Accept-Encoding"))
        for accepted in ["gzip", "deflate, x-gzip;q=0.5", "br, *"]:
            _, headers, body = query(server, sql, headers={"Accept-Encoding": accepted}, **parameters)
            expect((headers.get("Content-Encoding"), headers["Vary"]), ("gzip", "Accept-Encoding"))
            assert gzip.decompress(body) == plain[2], accepted
            assert len(body) < len(plain[2]) / 3 or len(plain[2]) < 100, len(body)
        for refused in ["identity", "gzip;q=0", "gzip;q=0, *", "deflate", "*;q=0", "gzip;q=x"]:
            expect(query(server, sql, headers={"Accept-Encoding": refused}, **parameters)[1].get("Content-Encoding"), None)
    # What is wrong is said as it is, and the connection goes on.
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["http"])
    for sql, encoding in [("SELECT 1 / 0", None), ("SELECT 7 AS a", "gzip")]:
        connection.request("GET", "/query?" + urllib.parse.urlencode({"q": sql}), headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        expect(answer.headers.get("Content-Encoding"), encoding)
        body = answer.read()
        json.loads(gzip.decompress(body) if encoding else body)
    connection.close()


def test_packed_rows_are_not_held_back(context):
    server = context.server()
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["http"])
    parameters = urllib.parse.urlencode({"q": ENDLESS_ROWS, "format": "csv"})
    connection.request("GET", "/query?" + parameters, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    unpacked = zlib.decompressobj(wbits=31)
    rows = b""
    while rows.count(b"\n") < 50_000:
        part = answer.read1()
        assert part, "the rows have no end"
        rows += unpacked.decompress(part)
    connection.close()
    with connect(server) as admin:
        until(lambda: not admin.execute("SELECT 1 FROM varve.queries WHERE protocol = 'http'").fetchall())
