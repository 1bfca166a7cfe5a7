"""Backups: taken of a server under load and of a closed directory, restored elsewhere, and compared."""

import glob
import os
import re
import shutil
import threading
import time

from support import HOUR, connect, expect, flip, psql, until
from terminal import Terminal


def summary(output):
    """Number, commit, files, bytes, bytes sent and shared of the line that a backup ends with."""
    words = output.replace(",", "").replace(":", "").split()
    assert words[0] == "backup" and words[2:4] == ["of", "store"], output
    return {
        "number": int(words[1]), "store": words[4], "commit": int(words[6]), "files": int(words[7]),
        "bytes": int(words[9]), "sent": int(words[11]), "shared": int(words[14])}


def place(context):
    os.mkdir(context.path("backups"))
    return "file://" + context.path("backups")


def objects(context):
    return sorted(
        path for path in glob.glob(context.path("backups") + "/**", recursive=True)
        if os.path.isfile(path) and not path.endswith(".lock"))


def rows(host, first, count):
    return "".join(
        f"cpu,host={host} v={i % 97}.5,n={i}i {HOUR + i * 10**9}\n" for i in range(first, first + count))


class Load(threading.Thread):
    """Writes until it is stopped; knows how many rows each acknowledged commit brought the table to."""

    def __init__(self, server):
        super().__init__()
        self.server, self.going, self.counts, self.failure = server, True, [], None
        self.start()

    def run(self):
        try:
            lines, total = self.server.lines(), 0
            while self.going:
                lines.send(rows("load", total, 500))
                written, rejected, sequence, _ = lines.sync()
                assert written == 500 and rejected == 0
                total += written
                self.counts.append((sequence, total))
            lines.close()
        except Exception as error:
            self.failure = error

    def stop(self):
        self.going = False
        self.join()
        if self.failure:
            raise self.failure


QUESTIONS = [
    "SELECT host, count(*), sum(n), min(v), max(time) FROM cpu GROUP BY host ORDER BY host",
    "SELECT name, room FROM place ORDER BY name",
    "SELECT time_bucket('1 hour', time) AS hour, count(*) FROM cpu WHERE host = 'a' GROUP BY hour ORDER BY hour",
]


def test_a_server_under_load_is_backed_up_and_restored_after_a_kill(context):
    url = place(context)
    server = context.server("--compaction-rate", "1mb")
    lines = server.lines()
    lines.send(rows("a", 0, 200_000))
    lines.sync()
    psql(server, "CREATE TABLE place (name text PRIMARY KEY, room int)", "INSERT INTO place VALUES ('n', 1), ('s', 2)")
    psql(server, "CALL flush()")
    load = Load(server)
    taken = []
    for _ in range(3):
        output, _ = context.run("backup", "--to", url, "--connect", server.url)
        taken.append(summary(output))
        psql(server, "CALL compact_chunks()")
    load.stop()
    server.kill()
    expect([one["number"] for one in taken], [1, 2, 3])
    listed, _ = context.run("backup", "list", "--from", url)
    expect([line.split()[1] for line in listed.splitlines()], ["backup", "1", "2", "3"])
    for one in taken:
        output, _ = context.run("backup", "verify", "--from", url, "--id", str(one["number"]))
        assert "all sound" in output, output
        data = context.path(f"restored-{one['number']}")
        output, _ = context.run("restore", "--from", url, "--id", str(one["number"]), "--data", data)
        assert f"commit {one['commit']}," in output, output
        restored = context.server(name=f"restored-{one['number']}")
        # Whatever was acknowledged up to the backup's commit is there, and nothing behind it.
        before = max([0] + [total for sequence, total in load.counts if sequence <= one["commit"]])
        behind = min([total for sequence, total in load.counts if sequence > one["commit"]] or [before + 1])
        count = connect(restored).execute("SELECT count(*) FROM cpu WHERE host = 'load'").fetchone()[0]
        assert before <= count < behind, (before, count, behind)
        found = connect(restored).execute(QUESTIONS[2]).fetchall()
        expect(sum(row[1] for row in found), 200_000)
        expect(connect(restored).execute(QUESTIONS[1]).fetchall(), [("n", 1), ("s", 2)])
        expect(restored.stop(), 0)


def test_a_closed_directory_is_restored_as_it_was(context):
    url = place(context)
    server = context.server()
    lines = server.lines()
    lines.send(rows("a", 0, 20_000) + rows("b", 5, 3_000))
    lines.sync()
    psql(server, "CREATE TABLE place (name text PRIMARY KEY, room int)", "INSERT INTO place VALUES ('n', 1), ('s', 2)")
    psql(server, "DELETE FROM cpu WHERE host = 'b'")
    answers = [psql(server, question) for question in QUESTIONS]
    expect(server.stop(), 0)
    _, error = context.run("backup", "--to", "file://" + context.path("missing"), "--data", server.data, code=1)
    assert "missing" in error and "make it first" in error, error
    _, error = context.run("backup", "--to", "gs://bucket", "--data", server.data, code=1)
    assert "gs://" in error and "s3://" in error, error
    output, _ = context.run("backup", "--to", url, "--data", server.data)
    one = summary(output)
    expect((one["number"], one["shared"]), (1, 0))
    shutil.rmtree(server.data)
    context.run("restore", "--from", url, "--data", server.data)
    _, error = context.run("restore", "--from", url, "--data", server.data, code=1)
    assert "not empty" in error, error
    output, _ = context.run("verify", "--data", server.data)
    assert "all sound" in output, output
    again = context.server()
    expect([psql(again, question) for question in QUESTIONS], answers)
    # The restored store is another, beside the first.
    expect(again.stop(), 0)
    output, _ = context.run("backup", "--to", url, "--data", server.data)
    assert summary(output)["store"] != one["store"], output
    _, error = context.run("restore", "--from", url, "--data", context.path("other"), code=1)
    assert "--store" in error, error
    context.run("restore", "--from", url, "--store", one["store"], "--latest", "--data", context.path("other"))


def test_a_backup_after_little_that_is_new_sends_little(context):
    url = place(context)
    server = context.server("--compaction", "off")
    day = 86_400
    lines = server.lines()
    for host in range(20):
        lines.send("".join(
            f"cpu,host=h{host} v={(i * 7919 + host) % 10007 / 13},n={i}i {HOUR + i * 10**10}\n" for i in range(50_000)))
    lines.sync()
    psql(server, "CALL flush()")
    first = summary(context.run("backup", "--to", url, "--connect", server.url)[0])
    assert first["sent"] >= first["bytes"] > 1 << 20, first
    # One per cent, behind all that is there.
    for host in range(20):
        lines.send("".join(
            f"cpu,host=h{host} v={(i * 7919 + host) % 10007 / 13},n={i}i {HOUR + i * 10**10}\n"
            for i in range(50_000 + day, 50_500 + day)))
    lines.sync()
    # In the log rows take more room than in chunks.
    logged = summary(context.run("backup", "--to", url, "--connect", server.url)[0])
    assert 0 < logged["sent"] <= first["sent"] * 0.1, (first, logged)
    psql(server, "CALL flush()")
    second = summary(context.run("backup", "--to", url, "--connect", server.url)[0])
    assert 0 < second["sent"] <= first["sent"] * 0.02, (first, second)
    third = summary(context.run("backup", "--to", url, "--connect", server.url)[0])
    assert third["sent"] < second["sent"] and third["shared"] > first["bytes"] * 0.99, (first, third)
    before = len(objects(context))
    output, _ = context.run("backup", "prune", "--keep", "1", "--from", url)
    assert output.startswith("removed 3 backups and ") and output.endswith("; kept 4\n"), output
    assert len(objects(context)) < before - 3, "objects that no backup needs are gone"
    output, _ = context.run("backup", "verify", "--from", url)
    assert "1010000 rows" in output and "all sound" in output, output


def test_a_backup_is_restored_to_an_earlier_moment(context):
    url = place(context)
    server = context.server()
    connection = connect(server)
    connection.execute("CREATE TABLE m (time timestamptz, v bigint)")
    moments = []
    for value in range(5):
        connection.execute("INSERT INTO m VALUES ('2024-01-01Z'::timestamptz + %s * interval '1 s', %s)", (value, value))
        time.sleep(0.05)
        moments.append(connection.execute("SELECT now()::text").fetchone()[0])
        time.sleep(0.05)
    one = summary(context.run("backup", "--to", url, "--connect", server.url)[0])
    server.kill()
    for value, moment in enumerate(moments):
        data = context.path(f"at-{value}")
        context.run("restore", "--from", url, "--to-time", moment, "--data", data)
        output, _ = context.run("sql", "--data", data, "--format", "csv", "SELECT count(*), max(v) FROM m")
        expect(output, f"count,max\n{value + 1},{value}\n")
    data = context.path("by-commit")
    context.run("restore", "--from", url, "--to-sequence", str(one["commit"] - 2), "--data", data)
    output, _ = context.run("sql", "--data", data, "--format", "csv", "SELECT max(v) FROM m")
    expect(output, "max\n2\n")
    for flags in [["--to-time", "2100-01-01"], ["--to-sequence", str(one["commit"] + 1)]]:
        _, error = context.run("restore", "--from", url, *flags, "--data", context.path("never"), code=1)
        assert "no backup is as new" in error, error
    assert not os.path.exists(context.path("never"))


def test_damage_in_a_backup_is_named(context):
    url = place(context)
    server = context.server()
    lines = server.lines()
    lines.send(rows("a", 0, 5_000))
    lines.sync()
    psql(server, "CALL flush()")
    context.run("backup", "--to", url, "--connect", server.url)
    chunk = next(path for path in objects(context) if path.endswith(".chunk"))
    flip(chunk, 500)
    output, _ = context.run("backup", "verify", "--from", url, code=1)
    assert output.startswith(f"DAMAGED {chunk}: "), output
    _, error = context.run("restore", "--from", url, "--data", context.path("other"), code=1)
    assert chunk in error, error
    assert not os.path.exists(context.path("other")) and not os.path.exists(context.path("other.restoring"))
    _, error = context.run("backup", "prune", "--keep", "0", "--from", url, code=64)
    _, error = context.run("backup", "list", "--from", url + "/none", code=1)
    assert "no such directory" in error, error


SHIPPING = ["--ship-every", "200ms", "--backup-every", "1 day"]


def jobs(server):
    """Of backups and of shipping: runs, failures, last error, lag in seconds, next run, by job."""
    found = connect(server).execute(
        "SELECT job, runs, failures, last_error, extract(epoch FROM lag), next_run FROM varve.jobs WHERE id IN (8, 9)")
    return {row[0]: row[1:] for row in found.fetchall()}


def test_a_server_ships_its_log_and_is_restored_to_any_moment(context):
    url = place(context)
    server = context.server("--backup-to", url, *SHIPPING, "--unshipped-log", "64MB")
    # The first backup is taken at once.
    until(lambda: "backup" in jobs(server) and jobs(server)["backup"][0] == 1)
    load = Load(server)
    moments = []
    for _ in range(4):
        time.sleep(0.7)
        until(lambda: load.counts)
        count = len(load.counts)
        moments.append((connect(server).execute("SELECT now()::text").fetchone()[0], load.counts[count - 1][1]))
        psql(server, "CALL flush()")
    load.stop()
    last = load.counts[-1]
    until(lambda: jobs(server)["log shipping"][3] == 0)
    found = jobs(server)
    assert found["log shipping"][0] > 3 and found["log shipping"][1:3] == (0, None), found
    assert found["backup"][4] is not None, found
    listed, _ = context.run("backup", "list", "--from", url)
    expect(len(listed.splitlines()), 2)
    assert f" {last[0]} " in listed, (listed, last)
    server.kill()
    shutil.rmtree(server.data)
    for number, (moment, acknowledged) in enumerate(moments):
        data = context.path(f"at-{number}")
        context.run("restore", "--from", url, "--to-time", moment, "--data", data)
        output, _ = context.run("sql", "--data", data, "--format", "csv", "SELECT count(*) FROM cpu")
        count = int(output.split()[1])
        # What was acknowledged before, and no more than was on its way then.
        assert acknowledged <= count <= acknowledged + 1_000, (number, acknowledged, count)
    for sequence, total in [load.counts[len(load.counts) // 3], load.counts[len(load.counts) // 2], last]:
        data = context.path(f"commit-{sequence}")
        context.run("restore", "--from", url, "--to-sequence", str(sequence), "--data", data)
        output, _ = context.run("sql", "--data", data, "--format", "csv", "SELECT count(*), max(n) FROM cpu")
        expect(output, f"count,max\n{total},{total - 1}\n")
    output, _ = context.run("backup", "verify", "--from", url)
    assert "pieces of log behind it" in output and "all sound" in output, output
    # All there is; and the restored store goes on beside the first one, in the same place.
    output, _ = context.run("restore", "--from", url, "--data", server.data)
    assert f"commit {last[0]}," in output, output
    again = context.server("--backup-to", url, *SHIPPING, "--unshipped-log", "64MB")
    until(lambda: "backup" in jobs(again) and jobs(again)["backup"][0] == 1)
    expect(connect(again).execute("SELECT count(*) FROM cpu").fetchone()[0], last[1])
    expect(again.stop(), 0)
    listed, _ = context.run("backup", "list", "--from", url)
    expect(len({line.split()[0] for line in listed.splitlines()[1:]}), 2)


def test_a_place_that_goes_away_is_waited_for(context):
    url = place(context)
    server = context.server("--backup-to", url, *SHIPPING, "--unshipped-log", "64MB")
    until(lambda: "backup" in jobs(server) and jobs(server)["backup"][0] == 1)
    lines = server.lines()
    lines.send(rows("a", 0, 1_000))
    lines.sync()
    until(lambda: jobs(server)["log shipping"][3] == 0)
    os.rename(context.path("backups"), context.path("away"))
    lines.send(rows("a", 1_000, 1_000))
    _, _, sequence, _ = lines.sync()
    until(lambda: jobs(server)["log shipping"][1] > 0 and jobs(server)["log shipping"][3] > 0)
    assert "no such" in jobs(server)["log shipping"][2].lower()
    psql(server, "CALL flush()")
    os.rename(context.path("away"), context.path("backups"))
    until(lambda: jobs(server)["log shipping"][3] == 0 and jobs(server)["log shipping"][2] is None)
    # A clean stop sends what is left.
    lines.send(rows("a", 2_000, 500))
    _, _, sequence, _ = lines.sync()
    expect(server.stop(), 0)
    data = context.path("restored")
    output, _ = context.run("restore", "--from", url, "--data", data)
    assert f"commit {sequence}," in output, output
    output, _ = context.run("sql", "--data", data, "--format", "csv", "SELECT count(*) FROM cpu")
    expect(output, "count\n2500\n")


def test_a_command_that_takes_its_time_shows_how_far_it_is(context):
    url = place(context)
    server = context.server("--compaction", "off")
    lines = server.lines()
    lines.send("".join(f"cpu,host=h{i % 7} v={(i * 7919) % 10007 / 13} {HOUR + i * 10**9}\n" for i in range(300_000)))
    lines.sync()
    psql(server, "CALL flush()")

    def shown(*arguments):
        """What it shows on a terminal before its last line, and that line."""
        terminal = Terminal([context.binary, *arguments], {"HOME": context.directory})
        context.closing(terminal)
        before = terminal.expect("backup 1 of store")
        expect(terminal.wait(), 0)
        return before

    before = shown("backup", "--to", url, "--connect", server.url, "--limit", "500kB")
    assert re.search(r"backup: [0-9.]+ of [0-9.]+ MB, [0-9]+ s", before), before
    # Where there is no terminal, a command that is done soon says nothing but its result.
    os.mkdir(context.path("second"))
    _, error = context.run("backup", "--to", "file://" + context.path("second"), "--connect", server.url)
    expect(error, "")
    _, error = context.run("backup", "verify", "--from", url)
    expect(error, "")


def test_backups_go_where_the_server_was_told(context):
    url = place(context)
    server = context.server("--backup-to", url, "--backup-every", "off", "--ship-every", "off")
    os.mkdir(context.path("elsewhere"))
    other = "file://" + context.path("elsewhere")
    output, _ = context.run("backup", "--connect", server.url)
    expect(summary(output)["number"], 1)
    _, error = context.run("backup", "--to", other, "--connect", server.url, code=1)
    assert "nowhere but where it was started" in error and "--backup-anywhere" in error, error
    expect(os.listdir(context.path("elsewhere")), [])
    free = context.server("--backup-to", url, "--backup-every", "off", "--backup-anywhere", "on", name="free")
    context.run("backup", "--to", other, "--limit", "10 MB/s", "--connect", free.url)
    none = context.server(name="none")
    _, error = context.run("backup", "--connect", none.url, code=1)
    assert "no place for backups is set" in error, error
