"""What goes wrong at the sockets: each is answered with what is wrong, harms nobody else, and loses nothing."""

import gzip
import json
import os
import random
import socket
import struct
import subprocess
import time

from support import HOUR, connect, expect, expect_error, metrics, request, until


def test_the_wrong_protocol_on_each_port_gets_an_answer_it_can_show(context):
    server = context.server()

    def talk(port, text):
        with socket.create_connection(("127.0.0.1", server.ports[port]), 10) as connection:
            connection.sendall(text)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert talk("line-protocol", http).startswith(b"HTTP/1.1 4"), talk("line-protocol", http)
    answer = talk("postgres", http)
    assert answer.startswith(b"HTTP/1.1 4") or answer[:1] == b"E", answer
    assert b"400" in talk("http", f"cpu v=1 {HOUR}\n\n".encode())
    done = subprocess.run(
        ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.ports["line-protocol"]), "-U", "varve", "-c", "SELECT 1"],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PGCONNECT_TIMEOUT": "5"})
    assert done.returncode != 0 and done.stderr, done
    # Bytes that are nothing at all, on each port.
    noise = random.Random(2).randbytes(100_000)
    for port in server.ports:
        with socket.create_connection(("127.0.0.1", server.ports[port]), 10) as connection:
            try:
                connection.sendall(noise)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except (ConnectionError, BrokenPipeError):
                pass  # It hung up before it had read everything.
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\n")
    expect(lines.sync()[0], 1)
    expect(request(server.http("/ping"))[0], 204)
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (1,))


def test_a_huge_line_and_a_binary_stream_harm_nobody(context):
    server = context.server()
    lines = server.lines()
    lines.send(b"cpu v=\"" + b"x" * 10_000_000 + b"\" 1\n" + f"cpu v=1 {HOUR}\n".encode())
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (1, 1))
    assert "code=line_too_long" in errors[0], errors
    stranger = server.lines()
    stranger.send(b"x" + random.Random(1).randbytes(1_000_000).replace(b"#sync", b""))
    answer = stranger.end()
    assert answer.startswith("end ok rows=0 rejected="), answer[:200]
    lines.send(f"cpu v=2 {HOUR + 1}\n")
    expect(lines.sync("t2")[0], 1)


def test_a_client_that_reads_nothing_holds_up_nobody(context):
    server = context.server()
    deaf = socket.create_connection(("127.0.0.1", server.ports["line-protocol"]))
    deaf.settimeout(1)
    bad = b"".join(b"bad line %d\n#sync t%d\n" % (i, i) for i in range(1000))
    try:
        for _ in range(400):
            deaf.sendall(bad)
    except (TimeoutError, OSError):
        pass
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\n")
    expect(lines.sync()[0], 1)
    idle = connect(server)
    idle.execute("SELECT 1")
    expect(idle.execute("SELECT count(*) FROM cpu").fetchone(), (1,))
    deaf.close()


def test_a_stamp_in_the_future_is_rejected(context):
    server = context.server("--max-future", "1h")
    lines = server.lines()
    now = time.time_ns()
    lines.send(f"cpu v=1 {now + 1800 * 10**9}\ncpu v=2 {now + 7200 * 10**9}\ncpu v=3\n")
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (2, 1))
    assert "code=timestamp_in_future" in errors[0], errors
    status, _, body = request(server.http("/write"), f"cpu v=4 {now + 7200 * 10**9}\ncpu v=5 {now}\n".encode())
    expect((status, json.loads(body)["errors"][0]["code"]), (400, "timestamp_in_future"))
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (3,))
        error = expect_error(None, lambda: connection.execute("INSERT INTO cpu (time, v) VALUES (now() + interval '1 day', 6)"))
        assert "future" in error.diag.message_primary, error
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (3,))


def test_an_unknown_type_is_named_and_the_rest_is_stored(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu v=1x {HOUR}\ncpu v=0x10 {HOUR}\ncpu v=tru {HOUR}\ncpu v=1 {HOUR}\n")
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (1, 3))
    for error, value in zip(errors, ["1x", "0x10", "tru"]):
        assert f"'{value}'" in error and "column=7 code=" in error, errors
    with connect(server) as connection:
        error = expect_error("42704", lambda: connection.execute("SELECT v::nonsense FROM cpu"))
        expect(error.diag.statement_position, "11")
        expect_error("42704", lambda: connection.execute("CREATE TABLE m (time timestamptz, v nonsense)"))
        expect_error("0A000", lambda: connection.execute("CREATE TABLE m (time timestamptz, v interval)"))
        expect_error("42P01", lambda: connection.execute("SELECT * FROM m"))


def test_a_type_conflict_rejects_its_line_alone_on_every_way_in(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a v=1,n=1i {HOUR}\ncpu,host=a v=2i {HOUR + 1}\ncpu,host=a n=1.5 {HOUR + 2}\ncpu,v=tag n=1i {HOUR}\n")
    rows, rejected, _, errors = lines.sync()
    # An integer widens to the column's double; a double does not become an integer.
    expect((rows, rejected), (2, 2))
    assert "line=3" in errors[0] and "code=type_conflict" in errors[0], errors
    assert "line=4" in errors[1] and "code=name_conflict" in errors[1], errors
    status, _, body = request(server.http("/write"), f"cpu,host=a v=\"x\" {HOUR + 3}\ncpu,host=a v=3 {HOUR + 4}\n".encode())
    expect((status, json.loads(body)["errors"][0]["code"]), (400, "type_conflict"))
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*), sum(v) FROM cpu").fetchone(), (3, 6.0))
        expect_error("42804", lambda: connection.execute("INSERT INTO cpu (time, v) VALUES (now(), true)"))
        expect_error("22P02", lambda: connection.execute("INSERT INTO cpu (time, v) VALUES (now(), 'x')"))
        expect(connection.execute("SELECT count(*) FROM cpu").fetchone(), (3,))


def test_a_damaged_request_is_refused_whole(context):
    server = context.server()
    good = f"cpu v=1 {HOUR}\n".encode()
    packed = gzip.compress(good * 1000)
    for body in [packed[:-20], packed[:10] + bytes([packed[10] ^ 255]) + packed[11:], b"no gzip"]:
        status, _, answer = request(server.http("/write"), body, {"Content-Encoding": "gzip"})
        expect(status, 400)
        assert json.loads(answer)["message"], answer
    for path in ["/write?precision=parsec", "/api/v2/write?bucket=varve&precision=min"]:
        expect(request(server.http(path), good)[0], 400)
    expect(request(server.http("/nowhere"), good)[0], 404)
    # A bomb of a gigabyte.
    bomb = gzip.compress(bytes(1 << 30), 1)
    expect(request(server.http("/write"), bomb, {"Content-Encoding": "gzip"})[0], 413)
    expect(connect(server).execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'cpu'").fetchone(), (0,))
    expect(request(server.http("/write"), good)[0], 204)


def test_a_client_that_reads_no_rows_holds_little_and_its_end_is_noticed(context):
    server = context.server()

    def sessions():
        return metrics(server)["varve_sessions"]

    deaf = socket.create_connection(("127.0.0.1", server.ports["postgres"]))
    startup = struct.pack("!i", 196608) + b"user\0varve\0database\0varve\0\0"
    deaf.sendall(struct.pack("!i", len(startup) + 4) + startup)
    query = b"SELECT a.n, 'some text' FROM generate_series(1, 1000000) a(n), LATERAL generate_series(a.n, a.n + 999) b(m)\0"
    deaf.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
    with connect(server) as other:
        for _ in range(20):
            expect(other.execute("SELECT 1").fetchone(), (1,))
            time.sleep(0.05)
    with open(f"/proc/{server.process.pid}/status") as status:
        kilobytes = int(next(line.split()[1] for line in status if line.startswith("VmRSS")))
    assert kilobytes < 600_000, f"{kilobytes} kB for rows that nobody reads"
    # The other one's end is noticed, too.
    until(lambda: sessions() == 1)
    deaf.close()
    until(lambda: sessions() == 0)
