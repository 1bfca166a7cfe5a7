"""FORMAT.md is enough to read the files: a reader written from that page alone (formatreader) finds in them what SQL
finds, bit for bit, and the two agree on what is damaged."""

import datetime
import os
import random
import re
import shutil
import struct
import time
import urllib.request
from decimal import Decimal

import psycopg

import format_data
import formatreader
from formatreader import CODECS, Damaged, Directory, NewerVersion, bits

FLOAT, UINT, BOOL, TEXT, TIMESTAMP = 1, 3, 4, 5, 6
ALL_OF_EXAMPLE = "SELECT to_ns(time) AS ns, site, celsius, raining FROM weather ORDER BY site, time"
# What sealing does not write.
ONLY_SMALLEST = ["split", "value dictionary"]
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "FORMAT.md")


def test_a_reader_written_from_the_format_page_finds_what_sql_finds(context):
    seed = random.SystemRandom().randrange(1 << 32)
    try:
        expect_all_forms_met(fill_and_compare(context, random.Random(seed)))
    except Exception:
        print(f"seed {seed}")
        raise


def test_the_example_on_the_format_page_is_a_store_that_both_can_read(context):
    data = write_example(context.path("example"))
    rows = [(row.time, row.tags, row.fields) for row in Directory(data).rows["weather"]]
    assert rows == [
        (1_700_000_000_000_000_000, {"site": "north"}, {"celsius": bits(7.5), "raining": 0}),
        (1_700_000_060_000_000_000, {"site": "north"}, {"celsius": bits(7.75)}),
        (1_700_000_000_000_000_000, {"site": "south"}, {"celsius": bits(11.5), "raining": 1}),
    ], rows
    context.run("verify", "--data", data)
    output, _ = context.run("sql", "--data", data, "--format", "csv", ALL_OF_EXAMPLE)
    assert output == ("ns,site,celsius,raining\n1700000000000000000,north,7.5,f\n1700000060000000000,north,7.75,\n"
                      "1700000000000000000,south,11.5,t\n"), output


def test_a_file_of_a_newer_version_is_refused_by_name(context):
    data = write_example(context.path("example"))
    for path, content in examples().items():
        header = bytearray(content[:80 if path.startswith("chunks") else 64])
        header[8:12] = struct.pack("<I", formatreader.LOG_VERSION + 1)
        file_id = int(os.path.basename(path).split(".")[0])
        front = header[0:12] if path.startswith("chunks") else header[8:12]
        header[12:16] = struct.pack("<I", formatreader.salted_crc(file_id, 0, front, header[16:]))
        patch(os.path.join(data, path), 0, header)
        expect_refusal(data, NewerVersion)
        _, error = context.run("sql", "--data", data, "--read-only", ALL_OF_EXAMPLE, code=1)
        assert path in error and f"version {formatreader.LOG_VERSION + 1}" in error, error
        patch(os.path.join(data, path), 0, content[:80])


def test_reader_and_engine_agree_where_a_log_ends(context):
    server = context.server()
    lines = server.lines()
    for value in range(3):
        lines.send(f"cpu v={value} {value}\n")
        lines.sync()
    server.kill()
    name, = os.listdir(os.path.join(server.data, "wal"))
    segment = formatreader.LogFile(os.path.join(server.data, "wal", name), int(name.split(".")[0]), b"VARVEWAL")
    frames = list(segment.chain())
    commits = [index for index, frame in enumerate(frames) if frame.kind == 1]

    # Nothing says that the last commit and what follows it was ever synced: they are the tail.
    torn = copy_with_damage(server.data, context.path("torn"), name, frames[commits[-1]:])
    assert [row.time for row in Directory(torn).rows["cpu"]] == [0, 1]
    output, _ = context.run("sql", "--data", torn, "--read-only", "--format", "csv", "SELECT to_ns(time) AS t FROM cpu")
    assert output == "t\n0\n1\n", output

    # The frames behind the second commit say that it was.
    damaged = copy_with_damage(server.data, context.path("damaged"), name, frames[commits[1]:commits[1] + 1])
    expect_refusal(damaged, Damaged)
    _, error = context.run("sql", "--data", damaged, "--read-only", "SELECT v FROM cpu", code=1)
    assert name in error, error


def expect_refusal(path, error):
    try:
        Directory(path)
    except error:
        return
    raise AssertionError(f"{path} was read")


def fill_and_compare(context, chance):
    # Full row blocks, in chunks that a closed directory was flushed into.
    server = context.server()
    send(server, format_data.every_codec(chance), format_data.many_series(chance), format_data.DOOMED)
    send(server, [f"thinned,host=h{number % 5} v={number}i {number * 10**9}\n" for number in range(50)])
    with connect(server) as connection:
        format_data.nulls_by_insert(connection)
        for statement in format_data.DIMENSIONS:
            connection.execute(statement)
        connection.execute("DROP TABLE dropped_at_once")
    server.stop()
    context.run("flush", "--data", server.data)

    # Late rows, overlaps, deletes, and NULLs over values; they are in the log when the server dies. Whoever compacts
    # would make one chunk of those that lie over each other.
    server.flags = ("--compaction", "off")
    server.start()
    with connect(server) as connection:
        send(server, format_data.overlaps(chance), format_data.edges())
        format_data.nulls_over_values(connection, 1)
        connection.execute("DROP TABLE dropped_later")
        connection.execute("DELETE FROM thinned WHERE host IN ('h1', 'h2', 'h4')")
        connection.execute("DELETE FROM thinned WHERE time < '1970-01-01T00:00:10Z'")
        send(server, ["thinned,host=h1 v=-1i 1000000000\n"])
        for statement in format_data.DIMENSIONS_LATER:
            connection.execute(statement)
    server.kill()

    # A recovery; chunks that the server seals by itself, over the first ones; and a log over those.
    server.flags = ("--seal-age", "1s", "--compaction", "off")
    server.start()
    with connect(server) as connection:
        while live_chunks(server) < 2:
            send(server, ["late,host=a v=1i 5\n"])
            time.sleep(0.2)
        send(server, format_data.overlaps(chance), ["dropped_later,host=b w=\"again\" 2\n"])
        format_data.nulls_over_values(connection, 2)
        for statement in format_data.DIMENSIONS_LAST:
            connection.execute(statement)
    server.kill()

    met = compare_all(server)

    # Another recovery, and a log of several segments.
    server.flags = ()
    for _ in range(2):
        server.start()
        send(server, format_data.overlaps(chance))
        server.kill()
    return met + compare_all(server)


def compare_all(server):
    """Reads what a killed server left behind, and then asks a new one, which ends as abruptly; gives the forms met."""
    directory = Directory(server.data)
    server.start()
    with connect(server) as connection:
        names = {name for name, in connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")}
        known = set(directory.tables) | set(directory.dimensions)
        assert names == known, (names, known)
        for name in sorted(directory.tables):
            compare_table(connection, directory, name)
        for name in sorted(directory.dimensions):
            compare_dimension(connection, directory.dimensions[name], name)
    server.kill()
    return directory.met


def compare_table(connection, directory, name):
    columns = directory.tables[name].columns
    selected = ", ".join(f'to_ns("{column}")' if type_ == TIMESTAMP else f'"{column}"' for column, type_ in columns)
    with connection.cursor(binary=True) as cursor:
        answers = cursor.execute(f'SELECT to_ns(time), {selected} FROM "{name}"').fetchall()
    expected = sorted(repr((answer[0], *map(from_sql, answer[1:]))) for answer in answers)
    found = []
    for row in directory.rows[name]:
        cells = (row.tags.get(column) if type_ == 0 else from_reader(type_, row.fields.get(column))
                 for column, type_ in columns)
        found.append(repr((row.time, *cells)))
    found.sort()
    assert len(found) == len(expected), f"{name}: {len(found)} rows read, {len(expected)} by SQL"
    for one, other in zip(found, expected):
        assert one == other, f"{name}: read\n{one}\nSQL\n{other}"


def compare_dimension(connection, rows, name):
    """Times are compared in nanoseconds, and rows in the order in which they come."""
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
        [name]).fetchall()
    selected = ", ".join(
        f'to_ns("{column}")' if type_.startswith("timestamp") else f'"{column}"' for column, type_ in columns)
    with connection.cursor(binary=True) as cursor:
        answers = cursor.execute(f'SELECT {selected} FROM "{name}"').fetchall()
    expected = [repr(answer) for answer in answers]
    found = [repr(tuple(from_dimension(row[column], type_) for column, type_ in columns)) for row in rows]
    assert found == expected, f"{name}: read\n{found}\nSQL\n{expected}"


def from_dimension(cell, type_):
    return cell if cell is None or type_ != "date" else datetime.date(1970, 1, 1) + datetime.timedelta(days=cell)


def from_sql(cell):
    """A cell from SQL, doubles as their bits."""
    if isinstance(cell, float):
        return f"{bits(cell):016x}"
    return int(cell) if isinstance(cell, Decimal) else cell


def from_reader(type_, cell):
    """A cell from the reader, in the form that `from_sql` gives."""
    if cell is None:
        return None
    if type_ == TEXT:
        return cell.decode()
    if type_ == FLOAT:
        return f"{cell:016x}"
    if type_ == BOOL:
        return bool(cell)
    return cell if type_ == UINT else formatreader.signed(cell)


def expect_all_forms_met(met):
    """Each way to store something that the page names and this engine writes."""
    forms = {
        "codec": [codec for codec in CODECS if codec not in ONLY_SMALLEST], "codec in a stream": ["constant", "arithmetic", "packed", "delta"],
        "presence": range(4), "page compression": [0, 1, 2],
        "vector, whole": [False, True], "vector, wide": [False, True],
        "vector residuals, zigzag": [False, True], "vector exceptions": [False, True], "manifest frame": [1, 2, 3],
        "log frame": [1, 2, 3], "log compression": [0, 1], "log presence": [0, 1], "log times": [0, 1],
        "deletion": ["some series", "all series"], "log word width": [0, 1, 2, 4, 8], "log segment": ["the first", "a further one"],
        "dimension change": ["row", "key"], "dimension frame": [1, 2],
    }
    missing = [(what, form) for what, known in forms.items() for form in known if not met[what, form]]
    assert not missing, f"not met: {missing}"


# Plumbing


def examples():
    """The files of the example on the format page, by path."""
    files, path = {}, None
    with open(PAGE, encoding="utf-8") as page:
        for line in page:
            if heading := re.match(r"```hex (\S+)", line):
                path = heading[1]
                files[path] = b""
            elif line.startswith("```"):
                path = None
            elif path and (row := re.match(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", line)):
                assert int(row[1], 16) == len(files[path]), f"{path}: {line}"
                files[path] += bytes.fromhex(row[2])
    return files


def write_example(data):
    """Makes the example a data directory, and gives its path."""
    for path, content in examples().items():
        os.makedirs(os.path.dirname(os.path.join(data, path)))
        with open(os.path.join(data, path), "wb") as file:
            file.write(content)
            if path.startswith(("manifest", "wal")):
                file.truncate(struct.unpack("<Q", content[24:32])[0])
    return data


def copy_with_damage(source, path, segment, frames):
    """A copy of a data directory with a bit flipped in some frames of a segment."""
    shutil.copytree(source, path)
    for frame in frames:
        patch(os.path.join(path, "wal", segment), frame.offset + 16, bytes([frame.sequence & 255 ^ 1]))
    return path


def patch(path, offset, content):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def connect(server):
    return psycopg.connect(
        host="127.0.0.1", port=server.ports["postgres"], user="varve", dbname="varve", autocommit=True)


def live_chunks(server):
    """Of the table that fills its chunk first."""
    with urllib.request.urlopen(server.http("/metrics"), timeout=60) as answer:
        return int(re.search(r'^varve_table_chunks{table="codecs"} (\d+)$', answer.read().decode(), re.MULTILINE)[1])


def send(server, *sources):
    """Sends lines, and sees to it that all are taken."""
    lines = server.lines()
    for source in sources:
        lines.send("".join(source))
        _, rejected, _, errors = lines.sync()
        assert rejected == 0, errors[:3]
    lines.close()
