"""Messages of the PostgreSQL protocol that no client should send: each ends in an error or a closed connection, and the
server goes on."""

import select
import socket
import struct
import threading
import time

from support import connect, expect, expect_error, until


class Raw:
    """A connection that says what it is told."""

    def __init__(self, server, started=True):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["postgres"]), 30)
        self.buffer = b""
        if started:
            self.send(startup())
            self.until("Z")

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def next(self):
        """Type and body of the next message; None: the server has closed."""
        while True:
            if len(self.buffer) >= 5:
                length = struct.unpack("!i", self.buffer[1:5])[0]
                if len(self.buffer) > length:
                    kind, body = chr(self.buffer[0]), self.buffer[5:1 + length]
                    self.buffer = self.buffer[1 + length:]
                    return kind, body
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                return None
            self.buffer += piece

    def until(self, kind):
        messages = []
        while message := self.next():
            messages.append(message)
            if message[0] == kind:
                break
        return messages

    def states(self, *messages):
        """Sends, and gives the SQLSTATEs of all errors up to ReadyForQuery or the end."""
        try:
            self.send(*messages)
        except ConnectionError:
            pass  # It hung up before it had read everything.
        return [state(body) for kind, body in self.until("Z") if kind == "E"]

    def rest(self):
        """What still comes until the server closes."""
        return self.until(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def state(body):
    return next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")


def startup(version=196608, body=b"user\0varve\0\0"):
    return struct.pack("!ii", len(body) + 8, version) + body


def message(kind, body=b"", length=None):
    return kind.encode() + struct.pack("!i", len(body) + 4 if length is None else length) + body


def query(sql):
    return message("Q", sql.encode() + b"\0")


def parse(name, sql, types=b"\0\0"):
    return message("P", name + b"\0" + sql.encode() + b"\0" + types)


def bind(portal, statement, values=(), formats=b"\0\0"):
    body = portal + b"\0" + statement + b"\0" + formats + struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", len(value)) + value
    return message("B", body + b"\0\0")


def execute(portal=b"", limit=0):
    return message("E", portal + b"\0" + struct.pack("!i", limit))


SYNC = message("S")


def alive(server):
    with connect(server) as connection:
        expect(connection.execute("SELECT 1").fetchone(), (1,))


def test_hostile_lengths_and_kinds_close_the_connection(context):
    server = context.server()
    for bad in [
        message("Q", length=0), message("Q", length=3), message("Q", length=-1), message("Q", length=0x7FFFFFFF),
        message("S", length=1 << 30), message("d", length=-5), message("!"), b"\0\0\0\0\0", message("X", b"x" * 20_000),
        message("p", b"password\0"),
    ]:
        with Raw(server) as raw:
            raw.send(bad)
            answers = raw.rest()
            assert all(kind in "EN" for kind, _ in answers), (bad, answers)
            assert bad[:1] == b"X" or state(answers[-1][1]) == "08P01", (bad, answers)
    # Cut anywhere, then nothing.
    whole = parse(b"s", "SELECT $1::int") + bind(b"p", b"s", [b"1"]) + execute(b"p") + SYNC
    for cut in range(0, len(whole), 3):
        with Raw(server) as raw:
            raw.send(whole[:cut])
            raw.socket.shutdown(socket.SHUT_WR)
            raw.rest()
    alive(server)


def test_startup_packets_of_all_kinds(context):
    server = context.server()
    ssl, gss = startup(80877103, b""), startup(80877104, b"")
    for first, second in [(ssl, gss), (gss, ssl)]:
        with Raw(server, started=False) as raw:
            raw.send(first)
            expect(raw.socket.recv(1), b"N")
            raw.send(second)
            expect(raw.socket.recv(1), b"N")
            raw.send(startup())
            expect(raw.until("Z")[-1][0], "Z")
    for twice in (ssl, gss):
        with Raw(server, started=False) as raw:
            raw.send(twice, twice)
            expect(raw.socket.recv(1), b"N")
            expect(state(raw.rest()[0][1]), "0A000")
    for packet in [
        startup(body=b"user\0"), startup(body=b"user\0varve"), startup(2 << 16),
        startup(body=b"user\0\xff\xfe\0\0"), startup(body=b"user\0varve\0timezone\0Nowhere/Land\0\0"),
        struct.pack("!ii", 100_000, 196608), struct.pack("!ii", -1, 196608), startup(80877102, b""),
        startup(80877102, b"12345678"), startup(80877102, b"1234567890123456789"),
    ]:
        with Raw(server, started=False) as raw:
            raw.send(packet)
            raw.socket.shutdown(socket.SHUT_WR)
            assert all(kind == "E" for kind, _ in raw.rest()), packet
    # Who names nobody is the default user.
    with Raw(server, started=False) as raw:
        raw.send(startup(body=b"\0"))
        expect(raw.until("Z")[-1][0], "Z")
    # Many that only connect, or stop in the middle.
    flood = [Raw(server, started=False) for _ in range(200)]
    for number, raw in enumerate(flood):
        if number % 2:
            raw.send(startup()[:number % 20])
    alive(server)
    for raw in flood:
        raw.socket.close()
    alive(server)


def test_names_and_orders_that_are_wrong(context):
    server = context.server()
    with Raw(server) as raw:
        for messages, states in [
            ([bind(b"", b"nowhere"), SYNC], ["26000"]),
            ([message("D", b"Snowhere\0"), SYNC], ["26000"]),
            ([message("D", b"Pnowhere\0"), SYNC], ["34000"]),
            ([message("D", b"?x\0"), SYNC], ["08P01"]),
            ([execute(b"nowhere"), SYNC], ["34000"]),
            ([message("C", b"Snowhere\0"), SYNC], []),
            ([parse(b"a", "SELECT 1; SELECT 2"), SYNC], ["42601"]),
            # Behind an error all is passed over up to Sync, and only that.
            ([parse(b"", "SELECT nothing"), bind(b"", b""), execute(), message("D", b"Sx\0"), SYNC], ["42703"]),
            ([parse(b"", "SELECT 1"), bind(b"", b""), execute(), SYNC], []),
            # Data of a COPY that there is none of.
            ([message("d", b"x" * 100_000), message("c"), message("f", b"no\0"), query("SELECT 1")], []),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", [b"\0\0\1"], b"\0\1\0\1"), SYNC], ["08P01"]),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", [b"\0\0\0\0\1"], b"\0\1\0\1"), SYNC], ["22P03"]),
            ([parse(b"", "SELECT $1::text"), bind(b"", b"", [b"a\0b"], b"\0\1\0\1"), SYNC], ["22021"]),
            ([parse(b"", "SELECT $1::timestamptz"), bind(b"", b"", [b"123456789"], b"\0\1\0\1"), SYNC], ["22008"]),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", []), SYNC], ["08P01"]),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", [b"1", b"2"]), SYNC], ["08P01"]),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", [b"1"], b"\0\2\0\0\0\0"), SYNC], ["08P01"]),
            ([parse(b"", "SELECT $1::int"), bind(b"", b"", [b"1"], b"\0\1\0\7"), SYNC], ["22023"]),
            ([message("B", b"\0\0\0\0" + struct.pack("!H", 65535)), SYNC], ["08P01"]),
            ([message("P", b"\0SELECT 1\0" + struct.pack("!H", 65535)), SYNC], ["08P01"]),
            ([message("Q", b"SELECT 1")], ["08P01"]),
            ([message("Q", b"SELECT '\xff'\0")], ["22021"]),
            ([message("F", b"\0" * 20)], ["0A000"]),
            ([message("H"), SYNC], []),
        ]:
            expect((messages, raw.states(*messages)), (messages, states))
    # A pipeline of statements with an error in the middle: those before it are of one transaction with it.
    with connect(server) as connection:
        connection.execute("CREATE TABLE t (time timestamptz, v float8)")
    with Raw(server) as raw:
        insert = [parse(b"", "INSERT INTO t VALUES ('2024-01-01', 1)"), bind(b"", b""), execute()]
        expect(raw.states(*insert, parse(b"", "SELECT 1 / 0"), bind(b"", b""), execute(), *insert, SYNC), ["22012"])
        expect(raw.states(*insert, SYNC), [])
        # A COPY, and messages that are none of its.
        raw.send(query("COPY t FROM STDIN"))
        expect(raw.next()[0], "G")
        raw.send(message("d", b"2024-01-02\t2\n"), query("SELECT 1"))
        expect([state(body) for kind, body in raw.until("Z") if kind == "E"], ["08P01"])
    with connect(server) as connection:
        expect(connection.execute("SELECT count(*) FROM t").fetchone(), (1,))


def test_portals_are_run_in_pieces_and_are_cursors_of_their_transaction(context):
    server = context.server()
    with Raw(server) as raw:
        def answers(*messages):
            """What came, without its values: tags, SQLSTATEs, kinds of other messages."""
            raw.send(*messages)
            return [
                state(body) if kind == "E" else body[:-1].decode() if kind == "C" else kind for kind, body in raw.until("Z")]

        select = parse(b"", "SELECT n FROM generate_series(1, 10) AS g(n)")
        expect(answers(query("BEGIN")), ["BEGIN", "Z"])
        expect(answers(select, bind(b"p", b""), execute(b"p", 3), SYNC), ["1", "2", "D", "D", "D", "s", "Z"])
        expect(answers(query("FETCH 2 FROM p")), ["T", "D", "D", "FETCH 2", "Z"])
        expect(answers(query("MOVE 2 IN p")), ["MOVE 2", "Z"])
        expect(answers(query("FETCH RELATIVE 2 FROM p")), ["T", "D", "FETCH 1", "Z"])
        expect(answers(query("SELECT 1")), ["T", "D", "SELECT 1", "Z"])
        # Of ten rows one is left.
        expect(answers(execute(b"p", 5), SYNC), ["D", "SELECT 1", "Z"])
        expect(answers(execute(b"p", 5), SYNC), ["SELECT 0", "Z"])
        expect(answers(query("FETCH p")), ["T", "FETCH 0", "Z"])
        expect(answers(query("CLOSE p")), ["CLOSE CURSOR", "Z"])
        expect(answers(select, bind(b"p", b""), SYNC), ["1", "2", "Z"])
        expect(answers(message("C", b"Pp\0"), SYNC), ["3", "Z"])
        expect(answers(query("MOVE p")), ["34000", "Z"])
        expect(answers(query("ROLLBACK")), ["ROLLBACK", "Z"])
        for wrong, sqlstate in [
            ([query("FETCH BACKWARD 1 FROM p")], "55000"), ([query("FETCH ABSOLUTE 1 FROM p")], "55000"),
            ([query("MOVE 0 IN p")], "55000"), ([query("DECLARE p CURSOR FOR SELECT 1")], "42P03"),
            ([select, bind(b"p", b""), SYNC], "42P03"),
        ]:
            expect(answers(query("BEGIN")), ["BEGIN", "Z"])
            expect(answers(select, bind(b"p", b""), execute(b"p", 3), SYNC), ["1", "2", "D", "D", "D", "s", "Z"])
            expect((wrong, [each for each in answers(*wrong) if len(each) == 5]), (wrong, [sqlstate]))
            expect(answers(query("ROLLBACK")), ["ROLLBACK", "Z"])
            expect(answers(execute(b"p", 3), SYNC), ["34000", "Z"])
        # A portal and a cursor of SQL have their names in common.
        expect(answers(query("BEGIN")), ["BEGIN", "Z"])
        expect(answers(query("DECLARE c CURSOR FOR SELECT 1")), ["DECLARE CURSOR", "Z"])
        expect(answers(select, bind(b"c", b""), SYNC), ["1", "42P03", "Z"])
        expect(answers(query("ROLLBACK")), ["ROLLBACK", "Z"])
        # Without a block a portal ends with Sync.
        expect(answers(select, bind(b"p", b""), execute(b"p", 3), SYNC), ["1", "2", "D", "D", "D", "s", "Z"])
        expect(answers(execute(b"p", 3), SYNC), ["34000", "Z"])


def test_very_many_parameters_and_very_long_texts(context):
    server = context.server()
    with Raw(server) as raw:
        for number in (1_000_000, 65_536, 99_999_999_999, 0):
            expect(raw.states(parse(b"", f"SELECT ${number}"), SYNC), ["42P02"])
        expect(raw.states(query("SELECT '" + "x" * (16 << 20) + "'")), ["54000"])
        expect(raw.states(query("SELECT 1")), [])
    with connect(server) as connection:
        many = connection.execute("SELECT " + ", ".join(["%s::int8"] * 1600), list(range(1600)))
        expect(many.fetchone(), tuple(range(1600)))


def test_very_deep_and_very_wide_statements(context):
    server = context.server()
    with connect(server) as connection:
        # What is too deep is said to be, whatever it is made of.
        for text in [
            "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
            "SELECT " + "(SELECT " * 5000 + "1" + ")" * 5000,
            "SELECT " + "- " * 20_000 + "1",
            "SELECT " + "NOT " * 20_000 + "true",
            "SELECT " + "abs(" * 20_000 + "1" + ")" * 20_000,
            "SELECT " + "CASE WHEN true THEN " * 5000 + "1" + " END" * 5000,
            "SELECT * FROM " + "(SELECT * FROM " * 5000 + "(SELECT 1) a" + ") a" * 5000,
            "SELECT 1" + "::int" * 20_000,
            "SELECT " + "ARRAY[" * 10_000 + "1" + "]" * 10_000,
            "SELECT 1" + " UNION ALL SELECT 1" * 20_000,
            "WITH " + ", ".join(f"a{i} AS (SELECT * FROM a{i - 1})" if i else "a0 AS (SELECT 1)" for i in range(100)) + " SELECT * FROM a99",
        ]:
            answer(connection, text)
        # Chains that are not deep, only long: they are answered, or said to be too long.
        for text in [
            "SELECT count(*) FROM generate_series(1, 10) n WHERE " + " AND ".join(f"n <> {i}" for i in range(100, 100_100)),
            "SELECT count(*) FROM generate_series(1, 10) n WHERE " + " OR ".join(f"n = {i}" for i in range(100_000)),
            "SELECT count(*) FROM generate_series(1, 10) n WHERE n IN (" + ", ".join(map(str, range(100_000))) + ")",
            "SELECT count(*) FROM generate_series(1, 10) n WHERE n = ANY('{" + ",".join(map(str, range(100_000))) + "}'::int[])",
            "SELECT " + " + ".join(["1"] * 50_000),
            "SELECT " + " || ".join(["'x'"] * 20_000),
            "SELECT " + ", ".join(f"{i} AS c{i}" for i in range(1600)),
            "SELECT * FROM (VALUES " + ", ".join(f"({i})" for i in range(50_000)) + ") v",
            ";" * 100_000,
        ]:
            answer(connection, text)
        expect(connection.execute("SELECT count(*) FROM generate_series(1, 10) n WHERE n IN (" + ", ".join(map(str, range(5, 20_005))) + ")").fetchone(), (6,))
        connection.execute("CREATE TABLE wide (time timestamptz, " + ", ".join(f"c{i} float8" for i in range(1600)) + ")")
        connection.execute("INSERT INTO wide VALUES ('2024-01-01', " + ", ".join(map(str, range(1600))) + ")")
        expect(connection.execute("SELECT * FROM wide").fetchone()[1:], tuple(map(float, range(1600))))
    assert server.process.poll() is None, server.read_log()[-2000:]


def answer(connection, text):
    """Rows, or an error that says that it was too much."""
    import psycopg
    try:
        connection.execute(text)
    except psycopg.Error as error:
        # The parser's stack is full: PostgreSQL's words.
        if error.sqlstate == "42601":
            assert "memory exhausted" in str(error), (text[:60], str(error)[:200])
        else:
            assert error.sqlstate in ("54001", "54000", "54011", "0A000", "53200"), (text[:60], error.sqlstate, str(error)[:200])


def test_cancel_requests_with_wrong_keys_and_floods_of_them(context):
    server = context.server()
    with connect(server) as connection:
        stop = threading.Event()

        def flood():
            while not stop.is_set():
                with Raw(server, started=False) as raw:
                    raw.send(startup(80877102, struct.pack("!ii", connection.info.backend_pid, 12345)))
                    raw.rest()

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        expect(connection.execute("SELECT count(*) FROM generate_series(1, 1000000)").fetchone(), (1_000_000,))
        stop.set()
        for thread in threads:
            thread.join()


def test_random_messages_harm_nobody(context):
    import random

    server = context.server()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    generator = random.Random(seed)
    good = [
        query("SELECT 1"), parse(b"a", "SELECT $1::int"), parse(b"", "SELECT 1"), bind(b"p", b"a", [b"1"]), bind(b"", b""),
        execute(), execute(b"p", 1), SYNC, message("H"), message("D", b"Sa\0"), message("C", b"Sa\0"), message("d", b"1\t2\n"),
        message("c"), message("f", b"\0"), query("BEGIN"), query("COPY t FROM STDIN"), query("ROLLBACK"),
    ]
    with connect(server) as connection:
        connection.execute("CREATE TABLE t (time timestamptz, v float8)")
    for _ in range(100):
        stream = bytearray(b"".join(generator.choices(good, k=generator.randrange(1, 30))))
        for _ in range(generator.randrange(0, 4)):
            stream[generator.randrange(len(stream))] = generator.randrange(256)
        with Raw(server) as raw:
            try:
                raw.send(bytes(stream))
                raw.socket.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            raw.rest()
    assert server.process.poll() is None, server.read_log()[-2000:]
    alive(server)
