"""The tables that both sides have: readings of devices (a series table in Varve), and the devices.

Numbers are multiples of 1/8 and small, so that sums are exact in any order.
"""

import random

READINGS = """CREATE TABLE readings (time timestamptz, device text, room text, v double precision, n bigint,
  ok boolean, note text, seen timestamptz)"""
DEVICES = """CREATE TABLE devices (id text PRIMARY KEY, site text NOT NULL, rank bigint, weight double precision,
  installed timestamptz)"""
NOTES = ["", "a", "B", "ab", "a%b", "x_y", "zürich", "ÄÖ", "0", "-1.5", " pad ", "line\nbreak", "日本", "quote'd", "t"]


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def readings(count=400, seed=7):
    draw = random.Random(seed)
    seen, rows = set(), []
    while len(rows) < count:
        seconds = draw.randrange(0, 4 * 86400, draw.choice([1, 60, 3600]))
        device, room = f"d{draw.randrange(7)}", draw.choice(["hall", "attic"])
        if (seconds, device, room) in seen:
            continue
        seen.add((seconds, device, room))

        def maybe(value):
            return None if draw.random() < 0.15 else value

        day, rest = divmod(seconds, 86400)
        time = f"2024-03-{29 + day if day < 3 else day - 2:02d} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}+00"
        if day >= 3:
            time = time.replace("2024-03", "2024-04")
        rows.append((time, device, room, maybe(draw.randrange(-80, 80) / 8), maybe(draw.randrange(-50, 50)),
                     maybe(draw.random() < 0.5), maybe(draw.choice(NOTES)), maybe(f"2023-0{draw.randrange(1, 10)}-01 00:00:00+00")))
    return rows


def devices():
    return [("d0", "north", 1, 1.5, "2020-02-29 12:00:00+00"), ("d1", "north", 2, None, None),
            ("d2", "south", None, -2.25, "2021-01-01 00:00:00+00"), ("d3", "south", 2, 0.0, "2022-06-30 23:59:59+00"),
            ("d4", "west", 5, 8.0, None), ("d9", "nowhere", 0, 3.0, "2019-12-31 00:00:00+00")]


def insert(name, rows):
    return f"INSERT INTO {name} VALUES " + ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)


def create(postgres, varve):
    """Makes and fills the tables on both sides."""
    for statement in (READINGS, DEVICES, insert("readings", readings()), insert("devices", devices())):
        postgres.execute(statement)
    varve.execute(READINGS + " WITH (varve.tags = 'device, room')")
    for statement in (DEVICES, insert("readings", readings()), insert("devices", devices())):
        varve.execute(statement)
