"""Subscriptions: queries that are followed over HTTP as server-sent events."""

import http.client
import json
import random
import resource
import socket
import threading
import time
import urllib.parse

from support import HOUR, connect, expect, metrics, request, until

SECOND = 1_000_000_000


class Events:
    """One subscription, read event by event as a browser would."""

    def __init__(self, server, sql, last=None, timeout=30, **parameters):
        parameters["q"] = sql
        self.connection = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=timeout)
        headers = {"Last-Event-ID": last} if last else {}
        self.connection.request("GET", "/subscribe?" + urllib.parse.urlencode(parameters), headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        # What a client sends when it comes again; events without an id leave it as it is.
        self.last = last
        if self.status == 200:
            expect(self.answer.getheader("Content-Type"), "text/event-stream; charset=utf-8")
            expect(self.answer.getheader("Content-Encoding"), None)
            name, self.ready = self.next()
            expect(name, "ready")

    def next(self):
        """The next event: its name, and its data as JSON. None at the end."""
        name, data = "message", []
        while True:
            line = self.answer.readline()
            if not line:
                return None, None
            line = line.decode().rstrip("\n")
            if line == "":
                if data:
                    return name, json.loads("\n".join(data))
                name = "message"
                continue
            if line.startswith(":"):
                continue
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last = value

    def rows(self, count):
        """The next so many rows, whatever events they come in."""
        found = []
        while len(found) < count:
            name, data = self.next()
            expect(name, "rows")
            found += data
        return found

    def close(self):
        self.connection.close()


def write(server, text):
    status, _, body = request(server.http("/write"), text.encode())
    assert status == 204, body


def failure(server, sql, **parameters):
    parameters["q"] = sql
    status, _, body = request(server.http("/subscribe?" + urllib.parse.urlencode(parameters)))
    return status, json.loads(body)


def test_a_subscription_tells_the_rows_that_commits_bring(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\n")
    events = Events(server, "SELECT host, usage * 2 AS twice FROM cpu WHERE usage > 5")
    expect(events.ready["columns"], ["host", "twice"])
    write(server, f"cpu,host=a usage=6 {HOUR + 1}\ncpu,host=b usage=2 {HOUR + 1}\n")
    expect(events.rows(1), [{"host": "a", "twice": 12}])
    # The row is told again when it is written again, and so is one that is as old as can be.
    write(server, f"cpu,host=a usage=7 {HOUR + 1}\ncpu,host=c usage=8 1\n")
    expect(sorted(row["twice"] for row in events.rows(2)), [14, 16])
    # All ways of writing are commits, also several statements at once.
    with connect(server) as client:
        client.execute("BEGIN")
        client.execute("INSERT INTO cpu (time, host, usage) VALUES (now(), 'd', 20)")
        client.execute("INSERT INTO cpu (time, host, usage) VALUES (now(), 'e', 30)")
        client.execute("COMMIT")
        expect(sorted(row["twice"] for row in events.rows(2)), [40, 60])
        client.execute("BEGIN")
        client.execute("INSERT INTO cpu (time, host, usage) VALUES (now(), 'f', 40)")
        client.execute("ROLLBACK")
    write(server, f"cpu,host=z usage=9 {HOUR}\n")
    expect(events.rows(1), [{"host": "z", "twice": 18}])
    events.close()


def test_a_field_that_a_commit_leaves_out_is_null_and_a_new_one_joins_a_star(context):
    server = context.server()
    write(server, f"m,h=a x=1,y=2 {HOUR}\n")
    events = Events(server, "SELECT * FROM m")
    write(server, f"m,h=a x=3 {HOUR}\n")
    row = events.rows(1)[0]
    expect((row["h"], row["x"], row["y"]), ("a", 3, None))
    write(server, f"m,h=a z=4 {HOUR}\n")
    row = events.rows(1)[0]
    expect((row["x"], row["z"]), (None, 4))
    events.close()


def test_a_subscription_goes_on_behind_its_last_event_after_kill_9(context):
    server = context.server()
    write(server, f"t,h=a v=0i {HOUR}\n")
    events = Events(server, "SELECT v FROM t")
    for number in range(1, 6):
        write(server, f"t,h=a v={number}i {HOUR + number}\n")
    expect([row["v"] for row in events.rows(5)], [1, 2, 3, 4, 5])
    last = events.last
    events.close()
    for number in range(6, 20):
        write(server, f"t,h=a v={number}i {HOUR + number}\n")
    server.kill()
    server.start()
    again = Events(server, "SELECT v FROM t", last=last)
    expect([row["v"] for row in again.rows(14)], list(range(6, 20)))
    write(server, f"t,h=a v=20i {HOUR + 20}\n")
    expect(again.rows(1), [{"v": 20}])
    # The same again, with the same ids, once all is in chunk files and through the parameter.
    end = again.last
    again.close()
    with connect(server) as client:
        client.execute("CALL flush()")
    third = Events(server, "SELECT v FROM t", offset=last)
    expect([row["v"] for row in third.rows(15)], list(range(6, 21)))
    expect(third.last, end)
    third.close()


def test_an_offset_that_the_log_does_not_reach_is_gone_and_says_what_is_left(context):
    server = context.server("--kept-log", "0")
    write(server, f"t,h=a v=0i {HOUR}\n")
    write(server, f"t,h=a v=1i {HOUR}\n")
    with connect(server) as client:
        client.execute("CALL flush()")
    status, body = failure(server, "SELECT v FROM t", offset="1")
    expect((status, body["code"]), (410, "55000"))
    assert "oldest offset to go on from is 2" in body["message"], body
    Events(server, "SELECT v FROM t", offset="2").close()
    status, body = failure(server, "SELECT v FROM t", offset="3")
    expect((status, body["code"]), (400, "22023"))
    for offset in ["x", "-1", "1@2", "99999999999999999999999", "1 "]:
        status, body = failure(server, "SELECT v FROM t", offset=offset)
        expect((status, body["code"]), (400, "22023"))


def test_queries_that_cannot_be_followed_are_refused_with_what_can(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\nmem,host=a used=1 {HOUR}\n")
    with connect(server) as client:
        client.execute("CREATE TABLE machines (host text PRIMARY KEY, rack text)")
    refused = {
        "SELECT * FROM cpu ORDER BY time": "ORDER BY",
        "SELECT * FROM cpu LIMIT 5": "LIMIT",
        "SELECT DISTINCT host FROM cpu": "DISTINCT",
        "SELECT avg(usage) FROM cpu": "bucket of time",
        "SELECT host, avg(usage) FROM cpu GROUP BY host": "bucket of time",
        "SELECT avg(usage) FROM cpu GROUP BY time_bucket('1 s', time)": "bucket is not among its columns",
        "SELECT * FROM cpu JOIN mem USING (host)": "join of series",
        "SELECT * FROM machines m LEFT JOIN cpu USING (host)": "outer join",
        "SELECT * FROM machines": "series table",
        "SELECT 1": "series table",
        "SELECT * FROM cpu WHERE host IN (SELECT host FROM mem)": "subquery",
        "SELECT *, row_number() OVER () FROM cpu": "window",
        "SELECT host FROM cpu UNION ALL SELECT host FROM mem": "UNION",
        "SELECT * FROM varve.tables": "series table",
        "INSERT INTO cpu (time, host) VALUES (now(), 'a')": "SELECT",
    }
    for sql, word in refused.items():
        status, body = failure(server, sql)
        expect((sql, status, body["code"]), (sql, 400, "0A000"))
        assert word in body["message"], (sql, body)
    for sql, code in {"SELECT nothing FROM cpu": "42703", "SELECT * FROM nothing": "42P01", "SELEC": "42601",
                      "SELECT 1; SELECT 2": "42601", "": None}.items():
        status, body = failure(server, sql)
        expect((sql, status, body["code"]), (sql, 400, code or "invalid"))
    status, body = failure(server, "SELECT * FROM cpu", format="csv")
    expect((status, body["code"]), (400, "invalid"))
    status, headers, _ = request(server.http("/subscribe?q=SELECT"), method="DELETE")
    expect((status, headers["Allow"]), (405, "GET, POST"))


def test_dimension_tables_join_a_subscription_as_they_are_when_rows_come(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\n")
    with connect(server) as client:
        client.execute("CREATE TABLE machines (host text PRIMARY KEY, rack text)")
        client.execute("INSERT INTO machines VALUES ('a', 'r1')")
        events = Events(server, "SELECT usage, rack FROM cpu LEFT JOIN machines USING (host)")
        write(server, f"cpu,host=a usage=2 {HOUR}\ncpu,host=b usage=3 {HOUR}\n")
        expect(sorted((row["usage"], row["rack"]) for row in events.rows(2)), [(2, "r1"), (3, None)])
        client.execute("UPDATE machines SET rack = 'r2'")
        write(server, f"cpu,host=a usage=4 {HOUR}\n")
        expect(events.rows(1), [{"usage": 4, "rack": "r2"}])
        events.close()


def test_parameters_stand_for_values_and_a_form_may_hold_the_query(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\n")
    events = Events(server, "SELECT usage FROM cpu WHERE host = $1 AND usage > $2", params='["b", 3]')
    write(server, f"cpu,host=a usage=9 {HOUR}\ncpu,host=b usage=2 {HOUR}\ncpu,host=b usage=4 {HOUR + 1}\n")
    expect(events.rows(1), [{"usage": 4}])
    events.close()
    status, body = failure(server, "SELECT usage FROM cpu WHERE host = $1")
    expect((status, body["code"]), (400, "08P01"))


def test_buckets_are_told_when_they_are_finished_and_again_when_rows_come_late(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\n")
    events = Events(
        server, "SELECT time_bucket('1 second', time) AS s, host, count(*) AS n, sum(usage) AS total FROM cpu GROUP BY 1, 2",
        grace="200ms")
    begin = time.time_ns()
    write(server, f"cpu,host=a usage=2 {begin}\ncpu,host=a usage=3 {begin + 1}\n")
    while True:
        name, data = events.next()
        expect(name, "bucket")
        if data["rows"]:
            break
    expect([(row["host"], row["n"], row["total"]) for row in data["rows"]], [("a", 2, 5)])
    told = data["from"]
    # A late row: its bucket comes again, whole.
    write(server, f"cpu,host=b usage=4 {begin + 2}\n")
    while True:
        name, data = events.next()
        if name == "corrected":
            break
        expect((name, data["rows"]), ("bucket", []))
    expect(data["from"], told)
    expect(sorted((row["host"], row["n"]) for row in data["rows"]), [("a", 2), ("b", 1)])
    # And once its rows are deleted, it is empty.
    with connect(server) as client:
        client.execute("DELETE FROM cpu WHERE time >= %s::timestamptz", (told,))
    while True:
        name, data = events.next()
        if name == "corrected" and data["from"] == told:
            break
    expect(data["rows"], [])
    last = events.last
    events.close()
    # What happens while nobody listens is told to who goes on.
    server.kill()
    server.start()
    write(server, f"cpu,host=c usage=5 {begin + 3}\n")
    now = time.time_ns()
    write(server, f"cpu,host=d usage=6 {now}\n")
    again = Events(
        server, "SELECT time_bucket('1 second', time) AS s, host, count(*) AS n, sum(usage) AS total FROM cpu GROUP BY 1, 2",
        last=last, grace="200ms")
    corrected, found = False, False
    while not (corrected and found):
        name, data = again.next()
        hosts = [row["host"] for row in data["rows"]]
        corrected = corrected or (name == "corrected" and data["from"] == told and hosts == ["c"])
        found = found or (name == "bucket" and "d" in hosts)
    again.close()


def test_a_backfill_of_very_many_buckets_is_told_as_a_range(context):
    server = context.server()
    write(server, f"cpu,host=a usage=1 {HOUR}\n")
    events = Events(server, "SELECT time_bucket('1 second', time) AS s, count(*) FROM cpu GROUP BY 1", grace="10s")
    write(server, "".join(f"cpu,host=a usage=1 {HOUR + number * SECOND}\n" for number in range(3000)))
    while True:
        name, data = events.next()
        if name == "changed":
            break
        expect(name, "bucket")
    expect(data["from"], "2023-11-14 22:13:20+00")
    assert data["to"] > "2023-11-14 22:30:00+00", data
    events.close()


def test_a_rollup_is_followed_bucket_by_bucket(context):
    server = context.server()
    now = time.time_ns()
    write(server, f"cpu,host=a usage=1 {now - 100 * SECOND}\n")
    with connect(server) as client:
        client.execute(
            "CREATE MATERIALIZED VIEW cpu_1s WITH (continuous) AS"
            " SELECT time_bucket('1 second', time) AS s, host, avg(usage) AS mean FROM cpu GROUP BY 1, 2")
    events = Events(server, "SELECT s, host, mean FROM cpu_1s", grace="100ms")
    now = time.time_ns()
    write(server, f"cpu,host=a usage=4 {now}\ncpu,host=a usage=6 {now + 1}\n")
    while True:
        name, data = events.next()
        expect(name, "bucket")
        if data["rows"]:
            break
    expect([(row["host"], row["mean"]) for row in data["rows"]], [("a", 5)])
    write(server, f"cpu,host=a usage=8 {now - 50 * SECOND}\n")
    while True:
        name, data = events.next()
        if name == "corrected":
            break
    expect([(row["host"], row["mean"]) for row in data["rows"]], [("a", 8)])
    events.close()


def test_a_large_commit_comes_in_parts_of_which_the_last_has_the_id(context):
    server = context.server()
    write(server, f"t,h=a v=0i {HOUR}\n")
    events = Events(server, "SELECT v FROM t")
    begin = events.last
    write(server, "".join(f"t,h=a v={number}i {HOUR + number}\n" for number in range(20_000)))
    found = []
    while len(found) < 20_000:
        name, data = events.next()
        found += [row["v"] for row in data]
        expect(events.last == begin, len(found) < 20_000)
    expect(found, list(range(20_000)))
    events.close()


def test_a_reader_that_does_not_read_holds_up_nobody_and_gets_everything_later(context):
    server = context.server()
    write(server, f"t,h=a v=0i,s=\"x\" {HOUR}\n")
    slow = Events(server, "SELECT v, s FROM t", timeout=120)
    quick = Events(server, "SELECT v FROM t WHERE v % 1000 = 0")
    text = "y" * 1000
    total = 30_000
    for start in range(0, total, 1000):
        write(server, "".join(f't,h=a v={start + n}i,s="{text}" {HOUR + start + n}\n' for n in range(1000)))
    expect([row["v"] for row in quick.rows(total // 1000)], list(range(0, total, 1000)))
    expect([row["v"] for row in slow.rows(total)], list(range(total)))
    slow.close()
    quick.close()


def test_subscriptions_are_seen_cancelled_and_ended_with_the_server(context):
    server = context.server()
    write(server, f"t,h=a v=0i {HOUR}\n")
    one, two, three = (Events(server, "SELECT v FROM t") for _ in range(3))
    with connect(server) as client:
        rows = client.execute(
            "SELECT pid, protocol, wait FROM varve.queries WHERE query LIKE 'SELECT v FROM t%' ORDER BY pid").fetchall()
        expect([row[1:] for row in rows], [("http", "commits")] * 3)
        expect(
            client.execute("SELECT pid, kind, table_name, resume_offset FROM varve.subscriptions ORDER BY pid").fetchall(),
            [(row[0], "rows", "t", "1") for row in rows])
        expect(metrics(server)["varve_subscriptions"], 3)
        client.execute("SELECT pg_cancel_backend(%s)", (rows[0][0],))
        name, data = one.next()
        expect((name, data["code"]), ("end", "57014"))
        expect(one.next()[0], None)
        two.close()
        until(lambda: metrics(server)["varve_subscriptions"] == 1)
        client.execute("DROP TABLE t")
        write(server, f"t,h=a v=1i {HOUR}\n")
        four = Events(server, "SELECT v FROM t")
        write(server, f"t,h=a v=2i {HOUR}\n")
        expect(four.rows(1), [{"v": 2}])
    expect(server.stop(), 0)
    name, data = four.next()
    expect((name, data["code"]), ("end", "57P01"))
    name, data = three.next()
    expect(name, "end")


def test_no_acknowledged_row_is_missed_over_many_kills(context):
    server = context.server("--seal-idle", "100ms")
    write(server, f"t,h=a v=0i {HOUR}\n")
    told, last, acknowledged = set(), None, 0
    for life in range(6):
        events = Events(server, "SELECT v FROM t WHERE v > 0", last=last)
        last = events.last
        stop = threading.Event()

        def work():
            nonlocal acknowledged
            while not stop.is_set():
                # A row that was not acknowledged is written again, as it was.
                number = acknowledged + 1
                try:
                    write(server, f"t,h=a v={number}i {HOUR + number}\n")
                except OSError:
                    return
                acknowledged = number

        writer = threading.Thread(target=work)
        writer.start()
        # Some lives break off in the middle of what there is to read.
        while len(told) < (life + 1) * 40:
            name, data = events.next()
            expect(name, "rows")
            told.update(row["v"] for row in data)
            last = events.last
        server.kill()
        stop.set()
        writer.join()
        events.close()
        server.start()
    events = Events(server, "SELECT v FROM t WHERE v > 0", last=last)
    while not told.issuperset(range(1, acknowledged + 1)):
        told.update(row["v"] for row in events.next()[1])
    # At most the row whose answer was lost is there beside them, and that has been written again.
    assert max(told) <= acknowledged + 1, (max(told), acknowledged)
    events.close()


def raw(server, text, seconds=3):
    """What comes back to these bytes, until the server closes or says nothing more."""
    connection = socket.create_connection(("127.0.0.1", server.ports["http"]), 10)
    connection.sendall(text)
    connection.settimeout(seconds)
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except TimeoutError:
        pass
    connection.close()
    return received


def test_strange_clients_hurt_nobody(context):
    server = context.server()
    write(server, f"t,h=a v=0i {HOUR}\n")
    target = "/subscribe?q=" + urllib.parse.quote("SELECT v FROM t")
    # Version 1.0 gets events until the connection ends.
    answer = raw(server, f"GET {target} HTTP/1.0\r\n\r\n".encode(), 1)
    assert b"event: ready" in answer and b"Transfer-Encoding" not in answer, answer
    # A second request on the same connection waits for the end of the first, which does not come.
    answer = raw(server, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 1)
    assert answer.count(b"HTTP/1.1 ") == 1 and b"event: ready" in answer, answer
    # A body, a form, and no query at all.
    form = urllib.parse.urlencode({"q": "SELECT v FROM t", "grace": "2 s"}).encode()
    answer = raw(
        server, b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        + f"Content-Length: {len(form)}\r\n\r\n".encode() + form, 1)
    assert b"event: ready" in answer, answer
    for grace in ["x", "-1 s", "1 month", "2 days", "999999999999999999999 s"]:
        status, body = failure(server, "SELECT v FROM t", grace=grace)
        expect((grace, status), (grace, 400))
    for params in ["x", "[", '["a"', "{}"]:
        status, body = failure(server, "SELECT v FROM t", params=params)
        expect((params, status), (params, 400))
    random.seed(7)
    for _ in range(200):
        offset = "".join(random.choice("0123456789@-+ x%\u00fc") for _ in range(random.randrange(1, 24)))
        status, _ = failure(server, "SELECT time_bucket('1 h', time) AS b, count(*) FROM t GROUP BY 1", offset=offset)
        assert status in (400, 410), (offset, status)
    # Those that came and went leave nothing behind.
    until(lambda: metrics(server)["varve_subscriptions"] == 0)
    expect(server.stop(), 0)


def test_there_is_a_limit_of_subscriptions(context):
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    server = context.server()
    write(server, f"t,h=a v=0i {HOUR}\n")
    held = [Events(server, "SELECT v FROM t") for _ in range(1000)]
    status, body = failure(server, "SELECT v FROM t")
    expect((status, body["code"]), (503, "53300"))
    write(server, f"t,h=a v=1i {HOUR}\n")
    for events in held:
        expect(events.rows(1), [{"v": 1}])
        events.close()
    until(lambda: metrics(server)["varve_subscriptions"] == 0)
