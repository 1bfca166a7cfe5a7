"""What goes wrong with the disk: it is named, what is whole goes on, and nothing is lost."""

import itertools
import os
import random
import subprocess
import threading
import time

import psycopg

from support import HOUR, Skipped, connect, expect, flip, request


DAY = 86_400 * 10**9


def test_a_second_server_on_the_directory_is_refused(context):
    server = context.server()
    _, error = context.run("serve", "--data", server.data, *context.free_ports, code=1)
    assert f"process {server.process.pid}" in error, error


def test_a_full_disk_loses_nothing_and_is_got_over(context):
    mount = context.path("small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", mount], capture_output=True).returncode != 0:
        raise Skipped("mounting a tmpfs needs root")
    try:
        server = context.server(name="small/data")
        random_ = random.Random(3)
        acknowledged = 0

        def write():
            """One row of half a megabyte that nothing compresses; the status."""
            text = "".join(random_.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", k=500_000))
            body = f"big,host=a i={acknowledged}i,text=\"{text}\" {HOUR + acknowledged}\n".encode()
            return request(server.http("/write"), body)

        expect(write()[0], 204)
        acknowledged += 1
        status = os.statvfs(mount)
        with open(os.path.join(mount, "filler"), "wb") as filler:
            left = status.f_bavail * status.f_frsize - 2_000_000
            while left > 0:
                left -= filler.write(bytes(min(left, 1 << 20)))
        for _ in range(1000):
            code, headers, body = write()
            if code != 204:
                break
            acknowledged += 1
        expect(code, 503)
        assert "Retry-After" in headers and b"disk_full" in body, (headers, body)
        expect(connect(server).execute("SELECT count(*) FROM big").fetchone(), (acknowledged,))
        expect(write()[0], 503)
        os.remove(os.path.join(mount, "filler"))
        for _ in range(100):
            code, _, body = write()
            if code == 204:
                acknowledged += 1
                break
            time.sleep(0.2)
        expect((code, body), (204, b""))
        expect(connect(server).execute("SELECT count(*), max(i) FROM big").fetchone(), (acknowledged, acknowledged - 1))
        server.kill()
        server.start()
        expect(connect(server).execute("SELECT count(*), max(i) FROM big").fetchone(), (acknowledged, acknowledged - 1))
        expect(server.stop(), 0)
    finally:
        context.close()
        subprocess.run(["umount", mount], check=True)


def test_writers_of_both_kinds_wait_for_room_and_every_row_arrives(context):
    mount = context.path("small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", mount], capture_output=True).returncode != 0:
        raise Skipped("mounting a tmpfs needs root")
    try:
        server = context.server(name="small/data")
        text = "".join(random.Random(4).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", k=600_000))

        def line(table, number):
            """Half a megabyte that hardly compresses."""
            begin = number * 7919 % 100_000
            return f"{table},host=a i={number}i,text=\"{text[begin:begin + 500_000]}\" {HOUR + number}\n".encode()

        lines = server.lines()
        lines.send(line("tcp", 0))
        expect(lines.sync("before")[0], 1)
        status = os.statvfs(mount)
        with open(os.path.join(mount, "filler"), "wb") as filler:
            left = status.f_bavail * status.f_frsize - 2_000_000
            while left > 0:
                left -= filler.write(bytes(min(left, 1 << 20)))

        is_full = threading.Event()
        sent, failures, refusals = {"tcp": 1, "http": 0}, [], []

        def over_tcp():
            """Until the disk is full and then some, without a word about whether it arrives."""
            try:
                left = 20
                while left > 0:
                    left -= is_full.is_set()
                    lines.send(line("tcp", sent["tcp"]))
                    sent["tcp"] += 1
                lines.send(b"#sync after\n")
            except BaseException as failure:
                failures.append(failure)

        def over_http():
            try:
                left = 20
                while left > 0:
                    code, headers, _ = request(server.http("/write"), line("http", sent["http"]))
                    if code == 204:
                        left -= is_full.is_set()
                        sent["http"] += 1
                    else:
                        expect(code, 503)
                        assert int(headers["Retry-After"]) > 0, headers
                        refusals.append(sent["http"])
                        time.sleep(0.05)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=one) for one in (over_tcp, over_http)]
        for one in threads:
            one.start()
        with connect(server) as connection:
            for _ in range(600):
                states = connection.execute("SELECT state FROM varve.connections WHERE listener = 'line-protocol'").fetchall()
                if refusals and states == [("waiting for room",)]:
                    break
                time.sleep(0.05)
            waits, refused = connection.execute("SELECT waits_for, refused_by FROM varve.ingest_queue").fetchone()
            is_full.set()
            with open(f"/proc/{server.process.pid}/status") as status:
                kilobytes = int(next(line.split()[1] for line in status if line.startswith("VmRSS")))
            os.remove(os.path.join(mount, "filler"))
            for one in threads:
                one.join()
            expect((failures, states, waits), ([], [("waiting for room",)], "room"))
            assert any(reason.startswith("disk_full=") for reason in refused), refused
            assert kilobytes < 600_000, f"{kilobytes} kB while nothing can be written"
            rows, rejected, _, errors = lines.answer("after")
            expect((rows, rejected, errors), (sent["tcp"] - 1, 0, []))
            for table, count in sent.items():
                expect(connection.execute(f"SELECT count(*), sum(i) FROM {table}").fetchone(), (count, sum(range(count))))
            expect(connection.execute("SELECT waits_for FROM varve.ingest_queue").fetchone(), ("nothing",))
        expect(server.stop(), 0)
    finally:
        context.close()
        subprocess.run(["umount", mount], check=True)


def test_a_directory_that_is_not_ours_is_left_alone(context):
    os.mkdir(context.path("home"))
    context.write("home/letter.txt", "dear")
    _, error = context.run("serve", "--data", context.path("home"), code=1)
    assert "letter.txt" in error, error
    expect(os.listdir(context.path("home")), ["letter.txt"])


def filled(context):
    """A server that has stopped in order: chunks of two tables and two days, and rows in the log. Their sums."""
    # The tests damage files by name: no compaction takes them away.
    server = context.server("--compaction", "off")
    lines = server.lines()
    for table, time_ in [("a", HOUR), ("a", HOUR + DAY), ("b", HOUR)]:
        lines.send("".join(f"{table},host=h{i % 10} v={i} {time_ + i * 10**6}\n" for i in range(5000)))
    lines.sync()
    context.run("flush", "--connect", server.url)
    lines.send("".join(f"log,host=h{i % 10} v={i} {HOUR + i * 10**6}\n" for i in range(100)))
    lines.send(f"other v=1 {HOUR}\n")
    lines.sync("t2")
    expect(server.stop(), 0)
    return server


QUERIES = {
    f"SELECT sum(v) FROM a WHERE time < to_timestamp({(HOUR + DAY) // 10**9 - 1})": sum(range(5000)),
    f"SELECT sum(v) FROM a WHERE time > to_timestamp({(HOUR + DAY) // 10**9 - 1})": sum(range(5000)),
    "SELECT sum(v) FROM b": sum(range(5000)),
    "SELECT sum(v) FROM log": sum(range(100)),
}


def refused(server, what):
    """The error of a server that does not start on the directory."""
    with open(server.data + ".log", "rb") as log:
        begin = log.seek(0, os.SEEK_END)
    try:
        server.start()
    except AssertionError:
        return server.read_log()[begin:]
    server.kill()
    raise AssertionError(f"the server started: {what}")


def turned_bits(path):
    """Ways to damage a file, each undone when the next is asked for."""
    for offset in [20, 150]:
        flip(path, offset)
        yield f"a bit at {offset} turned"
        flip(path, offset)


def cuts(path):
    with open(path, "rb") as file:
        whole = file.read()
    for byte_count in [0, 40, len(whole) // 2, len(whole) - 1]:
        os.truncate(path, byte_count)
        yield f"cut to {byte_count} of {len(whole)} bytes"
        with open(path, "wb") as file:
            file.write(whole)


def removal(path):
    os.rename(path, path + ".kept")
    yield "removed"
    os.rename(path + ".kept", path)


def test_a_damaged_log_manifest_or_series_file_is_refused_by_name(context):
    server = filled(context)
    output, _ = context.run("verify", "--data", server.data, "--verbose")
    paths = {}
    for line in output.splitlines():
        for kind in ["log segment", "manifest", "series file"]:
            if line.startswith(f"{kind} {server.data}"):
                paths[kind] = line[len(kind) + 1:].rsplit(":", 1)[0]
    expect(sorted(paths), ["log segment", "manifest", "series file"])
    for kind, path in paths.items():
        folder, name = os.path.split(path)
        for damage in itertools.chain(turned_bits(path), cuts(path)):
            before = sorted(os.listdir(folder))
            error = refused(server, f"{kind} {damage}")
            assert name in error, f"{kind} {damage}: {error}"
            expect(sorted(os.listdir(folder)), before)
            output, error = context.run("verify", "--data", server.data, code=1)
            assert name in output + error, f"{kind} {damage}: {output}{error}"
    for kind in ["manifest", "series file"]:
        for damage in removal(paths[kind]):
            # A manifest that is gone has no name: its folder is named.
            assert os.path.dirname(paths[kind]) in refused(server, f"{kind} {damage}")
    server.start()
    with connect(server) as connection:
        for query, value in QUERIES.items():
            expect(connection.execute(query).fetchone(), (value,))


def test_a_damaged_chunk_fails_the_queries_that_need_it_by_name_and_no_other(context):
    server = filled(context)
    folder = os.path.join(server.data, "chunks")
    chunks = sorted(os.listdir(folder))
    expect(len(chunks), 3)
    hit = set()
    for chunk, ways in zip(chunks, [turned_bits, cuts, removal]):
        for damage in ways(os.path.join(folder, chunk)):
            server.start()
            failed = set()
            with connect(server) as connection:
                # Of a chunk's pages some are needed for its rows, some for what it says they come to.
                for query, summaries in itertools.product(QUERIES, ["on", "off"]):
                    connection.execute(f"SET varve.use_summaries = {summaries}")
                    try:
                        row = connection.execute(query).fetchone()
                    except psycopg.Error as error:
                        failed.add(query)
                        assert chunk in str(error), f"{damage}: {error}"
                        expect(error.sqlstate, "XX001")
                    else:
                        expect(row, (QUERIES[query],))
                expect(len(failed), 1)
                hit.update(failed)
                # Writing goes on.
                connection.execute("INSERT INTO other (time, v) VALUES (now(), 0)")
            output, _ = context.run("verify", "--connect", server.url, code=1)
            assert chunk in output, f"{damage}: {output}"
            server.kill()
    expect(len(hit), 3)
    server.start()
    with connect(server) as connection:
        for query, value in QUERIES.items():
            expect(connection.execute(query).fetchone(), (value,))
