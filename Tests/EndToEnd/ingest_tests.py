"""Many writers, slow ones and broken ones; and what the server says of what it took."""

import json
import os
import random
import re
import resource
import socket
import struct
import threading
import time

from support import HOUR, connect, expect, metrics, request, until


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def reset(lines):
    """Ends a connection with RST."""
    lines.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    lines.close()


def test_a_connection_that_ends_with_its_answer_is_counted_too(context):
    server = context.server()
    for number in range(3):  # As nc -N does: lines, the question and the end in one go.
        lines = server.lines()
        lines.send(f"cpu v={number} {HOUR + number}\n#sync all\n")
        answer = lines.end()
        assert answer.startswith("all ok rows=1 ") and "\nend ok rows=1 " in answer, answer
        lines.close()
    with connect(server) as connection:
        rows = connection.execute("SELECT rows, syncs, sync_max_ms > 0 FROM varve.ingest").fetchall()
    expect(rows, [(3, 3, True)])


def test_what_came_in_is_counted_by_table_protocol_and_reason(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a v=1 {HOUR}\ncpu,host=a v=2 {HOUR + 1}\ncpu,host=a v=x {HOUR}\n\xff,a=b\nmem v=1i {HOUR}\n".encode("latin-1"))
    expect(lines.sync()[:2], (3, 2))
    lines.send(f"cpu,host=a v=\"text\" {HOUR}\n")
    expect(lines.sync("t2")[:2], (0, 1))
    status, _, _ = request(server.http("/write"), f"cpu,host=b v=3 {HOUR}\nbad\n".encode())
    expect(status, 400)
    with connect(server) as connection:
        connection.execute("INSERT INTO cpu (time, host, v) VALUES (now(), 'c', 4)")
        rows = connection.execute(
            "SELECT table_name, protocol, rows, rejected, batches > 0, syncs, sync_max_ms > 0, queued_bytes, "
            "last_write > now() - interval '1 minute' FROM varve.ingest ORDER BY table_name NULLS LAST, protocol").fetchall()
        expect(rows, [
            ("cpu", "http", 1, 0, True, 1, True, 0, True),
            ("cpu", "line-protocol", 2, 2, True, 2, True, 0, True),
            ("cpu", "sql", 1, 0, True, 1, True, 0, True),
            ("mem", "line-protocol", 1, 0, True, 1, True, 0, True),
            (None, "http", 0, 1, False, 0, None, 0, None),
            (None, "line-protocol", 0, 1, False, 0, None, 0, None),
        ])
        reasons = connection.execute(
            "SELECT rejected_by FROM varve.ingest WHERE table_name = 'cpu' AND protocol = 'line-protocol'").fetchone()[0]
        expect(sorted(reasons), ["syntax=1", "type_conflict=1"])
        rows = connection.execute(
            "SELECT listener, client, state, rows, rejected, in_flight_bytes, unanswered_syncs, syncs, received_bytes > 0 "
            "FROM varve.connections WHERE listener = 'line-protocol'").fetchall()
        local = "%s:%d" % lines.socket.getsockname()
        expect(rows, [("line-protocol", local, "reading", 3, 3, 0, 0, 2, True)])
        queue = connection.execute("SELECT rows, queued_bytes, saturated, waits_for, commits > 2 FROM varve.ingest_queue").fetchone()
        expect(queue, (5, 0, False, "nothing", True))
    found = metrics(server)
    for name, value in {
        'varve_ingest_rows_total{table="cpu",protocol="line-protocol"}': 2,
        'varve_ingest_rows_total{table="cpu",protocol="http"}': 1,
        'varve_ingest_rows_total{table="cpu",protocol="sql"}': 1,
        'varve_ingest_rejected_lines_total{table="cpu",protocol="line-protocol",reason="type_conflict"}': 1,
        'varve_ingest_rejected_lines_total{table="cpu",protocol="line-protocol",reason="syntax"}': 1,
        'varve_ingest_sync_seconds_count{protocol="line-protocol"}': 2,
        'varve_ingest_sync_seconds_bucket{protocol="line-protocol",le="+Inf"}': 2,
        'varve_ingest_sync_seconds_count{protocol="http"}': 1,
        'varve_ingest_sync_seconds_count{protocol="sql"}': 1,
        'varve_open_connections{listener="line-protocol"}': 1,
        'varve_queue_waits{reason="room"}': 0,
    }.items():
        expect((name, found.get(name)), (name, value))
    # Buckets add up.
    buckets = [value for name, value in found.items() if name.startswith("varve_commit_seconds_bucket")]
    expect(buckets, sorted(buckets))
    expect(buckets[-1], found["varve_commit_seconds_count"])
    lines.close()
    with connect(server) as connection:
        until(lambda: connection.execute("SELECT count(*) FROM varve.connections WHERE listener = 'line-protocol'").fetchone() == (0,))


def test_every_line_of_metrics_is_prometheus_text(context):
    server = context.server()
    lines = server.lines()
    # Names that need escapes in a label.
    lines.send(f'a"b v=1 {HOUR}\na\\\\b v=1 {HOUR}\na"\u0301 v=1 {HOUR}\n')
    lines.sync()
    sample = re.compile(r'^[a-z_]+(\{([a-z]+="([^"\\\n]|\\\\|\\"|\\n)*",?)+\})? -?[0-9.e+-]+$')
    families = {}
    for line in request(server.http("/metrics"))[2].decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families, line
            families[name] = kind
        elif not line.startswith("# HELP "):
            assert sample.match(line), line
            name = re.match("[a-z_]+", line).group()
            family = name if name in families else re.sub("_(bucket|sum|count)$", "", name)
            assert family in families, line
            assert families[family] != "counter" or name.endswith("_total"), line


def test_thousands_of_idle_connections_cost_little_and_nobody_their_answers(context):
    count = 2_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > count + 1_000, f"this test needs {count} connections, and the system allows {hard} files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = context.server()
    first = server.lines()
    first.send(f"cpu,host=a v=1 {HOUR}\n")
    first.sync()
    before = resident_bytes(server)
    idle = []
    for number in range(count):
        idle.append(socket.create_connection(("127.0.0.1", server.ports["line-protocol"]), 30))
        # More than one read, so that each has had a large buffer.
        idle[-1].sendall(b"".join(b"cpu,host=a v=%d %d\n" % (line, HOUR + number * 100 + line) for line in range(60)) + b"#sync t\n")
    for connection in idle:
        answer = connection.recv(200)
        assert answer.startswith(b"t ok rows=60 rejected=0 "), answer
    grown = resident_bytes(server) - before
    # Their rows, 28 bytes and more each, are among it.
    assert grown < count * 24_000, f"{grown / count:.0f} bytes a connection"
    first.send(f"cpu,host=a v=1 {HOUR}\n")
    expect(first.sync("t2")[0], 1)
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM varve.connections WHERE state = 'reading'").fetchone()[0], count + 1)
    for connection in idle:
        connection.close()
    with connect(server) as connection:
        until(lambda: connection.execute("SELECT count(*) FROM varve.connections WHERE listener <> 'postgres'").fetchone() == (1,))


def test_sessions_are_among_the_connections(context):
    server = context.server()
    shown = "SELECT client, state, rows, received_bytes > 0, unanswered_syncs, syncs > 0 FROM varve.connections WHERE listener = 'postgres' ORDER BY id"
    with connect(server) as watcher:
        with connect(server) as writer:
            writer.execute("CREATE TABLE cpu (time timestamptz, host text, v double precision) WITH (varve.tags = 'host')")
            writer.execute("INSERT INTO cpu VALUES ('2024-01-01', 'a', 1), ('2024-01-02', 'a', 2)")
            with writer.cursor() as cursor, cursor.copy("COPY cpu FROM STDIN") as copy:
                copy.write(b"2024-01-03\tb\t3\n")
                # The COPY's rows are awaited.
                until(lambda: watcher.execute(shown).fetchall()[1][1:] == ("reading", 2, True, 1, True))
                copy.write(b"2024-01-04\tb\t4\n2024-01-05\tb\t5\n")
            local = writer.pgconn.socket
            address = socket.socket(fileno=os.dup(local)).getsockname()
            rows = watcher.execute(shown).fetchall()
            expect(rows[1], (f"127.0.0.1:{address[1]}", "reading", 5, True, 0, True))
            expect(rows[0][1:3] + rows[0][4:5], ("running", 0, 1))
            expect(metrics(server)['varve_open_connections{listener="postgres"}'], 2)
        until(lambda: len(watcher.execute(shown).fetchall()) == 1)
    # Who never gets a session is not shown.
    stranger = socket.create_connection(("127.0.0.1", server.ports["postgres"]), 30)
    with connect(server) as connection:
        expect(len(connection.execute(shown).fetchall()), 1)
    stranger.close()


def timer(local_port, remote_port):
    """Of the server's end of a connection: the kind of its timer (2 is that of keepalive), and its seconds."""
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if fields[1:3] == [f"0100007F:{port:04X}" for port in (local_port, remote_port)]:
                kind, ticks = fields[5].split(":")
                return int(kind, 16), int(ticks, 16) / os.sysconf("SC_CLK_TCK")
    raise AssertionError("no such connection")


def test_peers_that_are_gone_without_a_word_are_found_out(context):
    """As far as one machine can tell: after a minute of silence the system asks, not after two hours."""
    server = context.server()
    for name in ["line-protocol", "http", "postgres"]:
        port = server.ports[name]
        connection = socket.create_connection(("127.0.0.1", port), 30)
        until(lambda: timer(port, connection.getsockname()[1])[0] == 2)
        seconds = timer(port, connection.getsockname()[1])[1]
        assert 0 <= seconds <= 61, (name, seconds)
        connection.close()


def test_a_connection_beyond_the_limit_is_told_so(context):
    server = context.server("--connections", "3", "--sessions", "2")
    first = [server.lines() for _ in range(3)]
    for number, lines in enumerate(first):
        lines.send(f"cpu v=1 {HOUR + number}\n")
        lines.sync()
    refused = server.lines()
    # It does not know yet, and sends.
    refused.send(f"cpu v=1 {HOUR + 7}\n#sync t\n")
    answer = refused.file.read().decode()
    assert answer.startswith("end error line=0 column=0 code=overloaded message=") and "--connections" in answer, answer
    kept = []
    for _ in range(3):
        kept.append(socket.create_connection(("127.0.0.1", server.ports["http"]), 10))
        kept[-1].sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept[-1].recv(1000).startswith(b"HTTP/1.1 204 ")
    status, headers, body = request(server.http("/write"), f"cpu v=1 {HOUR + 8}\n".encode())
    expect((status, headers["Retry-After"]), (503, "1"))
    assert "--connections" in json.loads(body)["message"], body
    # Those that are there go on, and a place that is free is given again.
    first[0].send(f"cpu v=1 {HOUR + 9}\n")
    expect(first[0].sync("t3")[0], 1)
    first[1].close()
    kept[0].close()
    until(lambda: server.lines().end().startswith("end ok"))
    until(lambda: request(server.http("/ping"))[0] == 204)
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (4,))


def test_a_line_cut_at_every_byte_and_a_segment_a_byte_give_the_same_rows(context):
    server = context.server()
    text = f"cpu,host=a\\ b,r=\\=x v=1.5,n=-3i,s=\"a \\\"b\\\"\n,c\",t=true {HOUR}\nbad,line\ncpu,host=c n=7i {HOUR + 1}\n".encode()
    answers = set()
    connection = socket.create_connection(("127.0.0.1", server.ports["line-protocol"]))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for cut in range(1, len(text)):
        lines = server.lines()
        lines.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines.send(text[:cut])
        time.sleep(0.002)
        lines.send(text[cut:])
        rows, rejected, _, errors = lines.sync()
        answers.add((rows, rejected, tuple(errors)))
        lines.close()
    whole = text + b"#sync t1\n"
    for index in range(len(whole)):
        connection.sendall(whole[index:index + 1])
        time.sleep(0.001)
    answer = connection.makefile("rb")
    head = answer.readline().decode()
    assert head.startswith("t1 ok rows=2 rejected=1 "), head
    answers.add((2, 1, (answer.readline().decode().rstrip("\n"),)))
    expect(len(answers), 1)
    with connect(server) as sql:
        expect(sql.execute("SELECT host, r, v, n, s, t FROM cpu ORDER BY time").fetchall(), [
            ("a b", "=x", 1.5, -3, "a \"b\"\n,c", True), ("c", None, None, 7, None, None)])


def test_broken_connections_harm_nobody_and_lose_no_whole_line(context):
    server = context.server()
    good = server.lines()
    random_ = random.Random(5)
    whole = 0
    for number in range(200):
        lines = server.lines()
        count = random_.randrange(0, 5)
        text = "".join(f"cpu,host=h{number} v={line} {HOUR + line}\n" for line in range(count))
        lines.send(text)
        whole += count
        if count:
            lines.sync()
        # In the midst of a line, of a string, of a sync, or of a series.
        lines.send(random_.choice(["cpu,host=h v=", "cpu v=\"never closed\n and", "#sy", "cpu,ho", ""]))
        if number % 2:
            reset(lines)
        else:
            lines.close()
        if number % 10 == 0:
            good.send(f"good v={number} {HOUR + number}\n")
            expect(good.sync(f"g{number}")[0], 1)
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (whole,))
        until(lambda: connection.execute("SELECT count(*) FROM varve.connections WHERE listener = 'line-protocol'").fetchone() == (1,))
        expect(connection.execute("SELECT count(*) FROM good").fetchone(), (20,))


def test_a_small_writer_is_answered_beside_writers_at_full_speed(context):
    """What it waits is not asserted; that it is answered all the time is: each answer before the load is over."""
    server = context.server()
    stop = threading.Event()
    sent = [0] * 4
    failures = []

    def load(number):
        try:
            lines = server.lines()
            block = 0
            while not stop.is_set():
                begin = HOUR + block * 1_000
                lines.send("".join(f"load,w=w{number} a={line}i,b={line}.5 {begin + line}\n" for line in range(1_000)))
                sent[number] += 1_000
                block += 1
            answer = lines.end()
            assert answer.startswith(f"end ok rows={sent[number]} rejected=0 "), answer
        except BaseException as failure:
            failures.append(failure)

    loads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for one in loads:
        one.start()
    small = server.lines()
    for number in range(100):
        small.send(f"small v={number} {HOUR + number}\n")
        expect(small.sync(f"s{number}")[0], 1)
    stop.set()
    for one in loads:
        one.join()
    expect(failures, [])
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM load").fetchone(), (sum(sent),))
        expect(connection.execute("SELECT count(*) FROM small").fetchone(), (100,))
        expect(connection.execute("SELECT syncs FROM varve.ingest WHERE table_name = 'small'").fetchone(), (100,))
