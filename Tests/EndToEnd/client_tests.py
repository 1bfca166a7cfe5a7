"""Programs that write as they were made: nothing in them knows of Varve."""

import datetime
import gzip
import json
import subprocess
import time

import influxdb
import influxdb_client
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from questdb.ingress import IngressError, Sender, TimestampNanos

from support import HOUR, connect, expect, request

NEW_YEAR = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def rows(server, query):
    with connect(server) as connection:
        return connection.execute(query).fetchall()


def eventually(server, query, expected):
    """For clients that do not wait for an answer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if rows(server, query) == expected:
                return
        except Exception as error:
            assert getattr(error, "sqlstate", None) == "42P01", error
        time.sleep(0.02)
    expect(rows(server, query), expected)


def a_questdb_row(sender):
    """Without line feeds in texts and backslashes in tags: QuestDB puts a backslash before them that is text in
    InfluxDB's rules, which are ours."""
    sender.row(
        "trades", symbols={"symbol": "ETH-USD", "the side": "buy, = sell"},
        columns={"price": 2615.54, "amount": 7, "final": True, "note": 'said "no\\yes", twice', "settled": NEW_YEAR},
        at=TimestampNanos(HOUR + 1))


QUESTDB_ROW = ("ETH-USD", "buy, = sell", 2615.54, 7, True, 'said "no\\yes", twice', NEW_YEAR, HOUR + 1)
QUESTDB_QUERY = 'SELECT symbol, "the side", price, amount, final, note, settled, to_ns(time) FROM trades'


def test_questdbs_client_writes_over_tcp(context):
    server = context.server()
    with Sender.from_conf(f"tcp::addr=127.0.0.1:{server.ports['line-protocol']};") as sender:
        a_questdb_row(sender)
    eventually(server, QUESTDB_QUERY, [QUESTDB_ROW])
    with Sender.from_conf(f"tcp::addr=127.0.0.1:{server.ports['line-protocol']};") as sender:
        for number in range(10_000):
            sender.row("many", symbols={"device": f"d{number % 100}"}, columns={"v": number / 8}, at=TimestampNanos(HOUR + number))
    eventually(server, "SELECT count(*), count(DISTINCT device), sum(v) FROM many", [(10_000, 100, sum(range(10_000)) / 8)])


def test_questdbs_client_writes_over_http_and_is_told_of_a_bad_line(context):
    server = context.server()
    with Sender.from_conf(f"http::addr=127.0.0.1:{server.ports['http']};") as sender:
        a_questdb_row(sender)
        sender.flush()
        expect(rows(server, QUESTDB_QUERY), [QUESTDB_ROW])
        sender.row("trades", symbols={"symbol": "ETH-USD"}, columns={"price": "text"}, at=TimestampNanos(HOUR))
        try:
            sender.flush()
            raise AssertionError("a text into a double column was taken")
        except IngressError as error:
            assert 'field "price" of table "trades" is double precision, not text' in str(error), error
            assert "line 1, column " in str(error), error


def test_the_influxdb_1_client_creates_its_database_and_writes(context):
    server = context.server()
    client = influxdb.InfluxDBClient("127.0.0.1", server.ports["http"], database="metrics")
    expect(client.ping()[:2], "1.")
    client.create_database("metrics")
    points = [{
        "measurement": "weather", "tags": {"station": "Zürich, 1"}, "time": HOUR + 5,
        "fields": {"degrees": -1.5, "text": 'a "b"', "open": False, "count": 3}}]
    assert client.write_points(points)
    expect(
        rows(server, "SELECT station, degrees, text, open, count, to_ns(time) FROM weather"),
        [("Zürich, 1", -1.5, 'a "b"', False, 3, HOUR + 5)])
    lines = [f"weather,station=b degrees={number} {number}" for number in range(25_000)]
    assert client.write_points(lines, protocol="line", time_precision="s", batch_size=10_000)
    expect(
        rows(server, "SELECT count(*), sum(degrees), max(time) FROM weather WHERE station = 'b'"),
        [(25_000, 312_487_500, datetime.datetime.fromtimestamp(24_999, datetime.timezone.utc))])
    try:
        client.write_points(["weather,station=b degrees=1 1", "weather,station=b degrees=oops 2"], protocol="line")
        raise AssertionError("a bad line was taken")
    except influxdb.exceptions.InfluxDBClientError as error:
        expect(error.code, 400)
        answer = json.loads(error.content)
        expect([(each["line"], each["code"]) for each in answer["errors"]], [(2, "syntax")])
    client.close()


def test_the_influxdb_2_client_writes_one_point_and_many(context):
    server = context.server()
    with influxdb_client.InfluxDBClient(
            url=f"http://127.0.0.1:{server.ports['http']}", token="any", org="any", enable_gzip=True) as client:
        assert client.ping()
        expect(client.health().status, "pass")
        writer = client.write_api(write_options=SYNCHRONOUS)
        point = influxdb_client.Point("air").tag("room", "ü").field("ppm", 412.5).field("n", 3).time(NEW_YEAR)
        writer.write(bucket="any", record=point)
        expect(rows(server, "SELECT room, ppm, n, time FROM air"), [("ü", 412.5, 3, NEW_YEAR)])
        try:
            writer.write(bucket="any", record=["air,room=a ppm=1 1", 'air,room=a ppm="much" 2'])
            raise AssertionError("a text into a double column was taken")
        except ApiException as error:
            expect(error.status, 400)
            expect([(each["line"], each["code"]) for each in json.loads(error.body)["errors"]], [(2, "type_conflict")])
        expect(rows(server, "SELECT count(*) FROM air WHERE room = 'a'"), [(1,)])
        # The client's default: batches from a thread of its own, which `close` waits for.
        with client.write_api() as batching:
            for number in range(12_345):
                batching.write(bucket="any", record=f"air,room=b n={number}i {number}", write_precision="ms")
        expect(rows(server, "SELECT count(*), sum(n)::bigint FROM air WHERE room = 'b'"), [(12_345, 76_193_340)])


def test_nc_and_curl_write(context):
    server = context.server()
    lines = f"m,from=nc v=1 {HOUR}\nnonsense\nm,from=nc v=2 {HOUR + 1}\n#sync done\n"
    # -N half-closes at the end of its input; the server closes after its last answer.
    done = subprocess.run(
        ["nc", "-N", "127.0.0.1", str(server.ports["line-protocol"])], input=lines, capture_output=True, text=True,
        timeout=60)
    answers = done.stdout.splitlines()
    assert answers[0].startswith("done ok rows=2 rejected=1 "), answers
    assert answers[1].startswith("done error line=2 column="), answers
    assert answers[2].startswith("end ok rows=2 rejected=1 "), answers
    file = context.write("lines", f"m,from=curl v=3 {HOUR + 2}\nm,from=curl v=4 {HOUR + 3}\n")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "%{http_code}", "--data-binary", f"@{file}",
         server.http("/write?db=varve")], capture_output=True, text=True, timeout=60)
    expect((done.stdout, done.stderr), ("204", ""))
    expect(rows(server, 'SELECT "from", v FROM m ORDER BY v'), [("nc", 1), ("nc", 2), ("curl", 3), ("curl", 4)])


def test_collectors_write_as_telegraf_does(context):
    """Telegraf's outputs.influxdb: CREATE DATABASE in a form, then gzipped batches over one connection."""
    server = context.server()
    form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Telegraf/1.30.0 Go/1.22.1"}
    status, _, body = request(server.http("/query"), b"q=CREATE+DATABASE+%22telegraf%22", form)
    expect((status, json.loads(body)), (200, {"results": [{"statement_id": 0}]}))
    headers = {
        "Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip", "User-Agent": "Telegraf/1.30.0 Go/1.22.1"}
    batch = (
        f"cpu,cpu=cpu0,host=gw usage_idle=97.5,usage_user=1.25 {HOUR}\n"
        f"mem,host=gw total=8256483328i,used_percent=41.2,available=5i {HOUR}\n"
        f"disk,device=sda1,fstype=ext4,host=gw,mode=rw,path=/var/log free=1i,inodes_free=2u {HOUR}\n"
        f'system,host=gw uptime_format="10 days,  1:02",load1=0.5 {HOUR}\n')
    for _ in range(2):  # What a collector sends again after a time-out changes nothing.
        expect(request(server.http("/write?consistency=any&db=telegraf&precision=ns"), gzip.compress(batch.encode()), headers)[0], 204)
    expect(rows(server, "SELECT cpu, host, usage_idle, usage_user FROM cpu"), [("cpu0", "gw", 97.5, 1.25)])
    expect(rows(server, "SELECT path, free, inodes_free::bigint FROM disk"), [("/var/log", 1, 2)])
    expect(rows(server, "SELECT uptime_format FROM system"), [("10 days,  1:02",)])
    # Its outputs.socket_writer: a connection that stays open and never asks for an answer.
    lines = server.lines()
    lines.send(f"net,host=gw,interface=eth0 bytes_recv=1i {HOUR}\n")
    eventually(server, "SELECT interface, bytes_recv FROM net", [("eth0", 1)])
    lines.close()
