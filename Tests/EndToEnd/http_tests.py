"""HTTP."""

import gzip
import json

from support import HOUR, connect, expect, expect_error, metrics, request


def test_http_writes_are_durable_at_204(context):
    server = context.server()
    expect(request(server.http("/write?db=varve&precision=s"), b"cpu,host=a v=1 1700000000\n")[0], 204)
    body = gzip.compress(b"cpu,host=a v=2 1700000001000\n")
    expect(request(server.http("/api/v2/write?org=o&bucket=varve&precision=ms"), body, {"Content-Encoding": "gzip"})[0], 204)
    server.kill()
    server.start()
    expect(connect(server).execute("SELECT v FROM cpu ORDER BY time").fetchall(), [(1.0,), (2.0,)])


def test_http_names_the_bad_lines_and_stores_the_good_ones(context):
    server = context.server()
    status, _, body = request(server.http("/api/v2/write?bucket=varve"), f"cpu v=1 {HOUR}\nbad\ncpu v=2 {HOUR + 1}\n".encode())
    expect(status, 400)
    answer = json.loads(body)
    assert answer["code"] and answer["message"], answer
    expect([error["line"] for error in answer["errors"]], [2])
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (2,))


def test_http_answers_ping_health_metrics_and_queries(context):
    server = context.server("--max-body", "1MB")
    expect(request(server.http("/ping"))[0], 204)
    status, _, body = request(server.http("/health"))
    expect((status, json.loads(body)["status"]), (200, "pass"))
    expect(request(server.http("/write"), f"cpu,host=a v=1 {HOUR}\n".encode())[0], 204)
    status, headers, body = request(server.http("/metrics"))
    assert status == 200 and b'varve_table_rows{table="cpu"} 1' in body, body
    with connect(server) as connection:
        before = metrics(server)
        connection.execute("SELECT 1")
        connection.execute("SELECT 2")
        expect_error("42703", lambda: connection.execute("SELECT nothing FROM cpu"))
        after = metrics(server)
    grown = {name: after[name] - before.get(name, 0) for name in after if "statements_total" in name}
    expect(grown, {
        'varve_statements_total{kind="select",result="ok"}': 2, 'varve_statements_total{kind="select",result="error"}': 1})
    expect((after['varve_connections_total{listener="postgres"}'], after["varve_sessions"]), (1, 1))
    expect(json.loads(request(server.http("/query?q=SELECT+host,v+FROM+cpu"))[2]), [{"host": "a", "v": 1.0}])
    expect(request(server.http("/query?format=csv&q=SELECT+host,v+FROM+cpu"))[2], b"host,v\na,1\n")
    status, _, body = request(server.http("/query?q=SELECT+nothing+FROM+cpu"))
    expect((status, json.loads(body)["code"]), (400, "42703"))
    expect(request(server.http("/write"), b"cpu v=1\n" * 200_000)[0], 413)
