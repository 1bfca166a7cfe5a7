"""Rows for format_tests.py: something for every field type, codec and way to store a cell."""

import struct

NOON = 1_700_049_600_000_000_000
SECOND, DAY = 10**9, 86_400 * 10**9
DOOMED = ["dropped_at_once,host=a v=1 1\n", "dropped_later,host=a v=1 1\n"]


def every_codec(chance):
    """Columns that suit one codec each, in three series of row blocks."""
    words = [f"word {i} of many, all different: {chance.getrandbits(64):x}" for i in range(4000)]
    for series, rows, jitter in (("regular", 9000, 0), ("jitter", 3000, 300_000_000), ("wild", 3000, 0)):
        walk, quadratic, time_ = 0, 0, NOON - DAY // 2
        for i in range(rows):
            walk += chance.choice((-1, 1))
            quadratic += i + chance.randrange(3)
            time_ += SECOND if series != "wild" else chance.randrange(SECOND)
            fields = [
                "constant=1.5", f"walk={walk}", f"decimal={chance.randrange(-10**6, 10**6) / 100}",
                f"random={chance.random()!r}", f"binary={1 + chance.randrange(64) * 2**-30!r}",
                f"bits={finite_double(chance)!r}", f"special={special(chance)!r}",
                f"wide={chance.randrange(-2**63, 2**63)}i", f"step={i * 7 - 1000}i",
                f"small={chance.randrange(100)}i",
                f"outliers={chance.randrange(16) if chance.random() < .99 else chance.randrange(2**50)}i",
                f"quadratic={quadratic}i", f"counter={i * 1000 + chance.randrange(100)}i",
                f"plateau={i // 500}i", f"high={2**64 - 1 - chance.randrange(1000)}u",
                f"medium={chance.randrange(2**30)}i", f"wide_range={chance.randrange(2**40)}u",
                f"up={'t' if i % 4000 < 3000 else 'f'}", f"coin={chance.choice('tf')}",
                f"state=\"{chance.choice(['ok', 'größer', '', '零'])}\"", f"note=\"{chance.choice(words)} {i}\"",
            ]
            if chance.random() < .5:
                fields.append(f"sparse={i}i")
            if i % 1000 < 10:
                fields.append(f"burst={i}")
            yield f"codecs,series={series} {','.join(fields)} {time_ + (chance.randrange(jitter) if jitter else 0)}\n"


def finite_double(chance):
    while True:
        value = struct.unpack("<d", chance.randbytes(8))[0]
        if abs(value) < float("inf"):
            return value


def special(chance):
    return chance.choice([0.0, -0.0, 5e-324, -5e-324, 2.225073858507201e-308, 1.7976931348623157e308,
                          -1.7976931348623157e308, 0.1, 1 / 3, 1e22, 9007199254740993.0])


def many_series(chance):
    for i in range(800):
        tags = f"host=h{i}" + (f",rack=r{i % 7}" if i % 3 else "") + (",zone=zürich\\ süd" if i % 5 == 0 else "")
        for minute in range(chance.randrange(1, 4)):
            yield f"fleet,{tags} load={chance.randrange(1000) / 10},n={minute}i {NOON + minute * 60 * SECOND + i}\n"


def overlaps(chance):
    """Rows over sealed ones, field by field, out of order, and twice in one batch."""
    for i in range(1500):
        time_ = NOON - DAY // 2 + chance.randrange(1, 9000) * SECOND
        series = chance.choice(["regular", "new"])
        yield f"codecs,series={series} walk={i},step={chance.randrange(-2**63, 2**63)}i {time_}\n"
        yield f"codecs,series={series} state=\"late {i}\",added={i},medium={chance.randrange(2**30)}i {time_}\n"
    for i in range(300):
        yield f"fleet,host=h{i * 3} load={i} {NOON + i * 3}\n"
        yield f"fleet,host=x{chance.getrandbits(32)} load={i} {NOON - i % 40 * DAY}\n"


def edges():
    for time_ in (-(2**63) + 1, -DAY - 1, -DAY, -DAY + 1, -1, 0, 1, DAY - 1, DAY):
        # A page of text that LZ4 makes smallest.
        yield f"edges,tag=x s=\"{'x' * 200}\" {time_}\n"
        yield f"edges v=-0.0,i={-2**63}i,u={2**64 - 1}u,b=f,s=\"\" {time_}\n"
        yield f"edges,tag=ä v=5e-324,i={2**63 - 1}i,u=0u,b=t,s=\"\U0001f600 \\\" \\\\ ,=\" {time_}\n"


def nulls_by_insert(connection):
    connection.execute(
        "CREATE TABLE inserted (time timestamptz, host text, v double precision, i bigint, u numeric(20,0), b boolean,"
        " s text, at timestamptz) WITH (varve.tags = 'host', varve.partition = '30 days')")
    for minute in range(120):
        connection.execute(
            "INSERT INTO inserted VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (f"19{minute % 60 + 10}-01-01T00:{minute // 2:02}:00Z", None if minute % 11 == 0 else f"h{minute % 3}",
             [None, 1.5, float("inf"), float("-inf")][minute % 4], None if minute % 5 == 0 else minute,
             None if minute % 5 else 2**64 - 1 - minute, [None, True, False][minute % 3], None if minute % 2 else "",
             None if minute % 7 else "1950-02-03 04:05:06.789"))


def nulls_over_values(connection, remainder):
    """NULL hides what an older chunk has; a column that is not named leaves it."""
    rows = f"FROM inserted WHERE i % 5 = {remainder}"
    connection.execute(f"INSERT INTO inserted (time, host, v, s) SELECT time, host, NULL, NULL {rows}")
    connection.execute(f"INSERT INTO inserted (time, host, at, s) SELECT time, host, time, 'written over' {rows}")


# Dimension tables: every type, keys of several columns, rows and columns that come and go.
DIMENSIONS = [
    "CREATE TABLE devices (id text PRIMARY KEY, b boolean, s smallint, i integer DEFAULT 7, n bigint, r real,"
    " d double precision, at timestamptz DEFAULT now(), day date, exact numeric, money numeric(12,2), gone text)",
    "CREATE TABLE places (x double precision, ok boolean, n bigint, PRIMARY KEY (n, x, ok))",
    "CREATE TABLE dropped_dimension (id text PRIMARY KEY)",
    "INSERT INTO devices SELECT 'device ' || n, n % 2 = 0, n, n * 1000, n * 10000000000, n / 4.0, n / 3.0,"
    " timestamptz '2024-01-01Z' + n * interval '1 hour', date '2024-02-29', n / 7.0, n / 100.0, 'x'"
    " FROM generate_series(-3000, 3000) AS n",
    "INSERT INTO devices (id) VALUES (''), ('\u00e9'), ('a''b')",
    "INSERT INTO places VALUES ('-Infinity', true, 1), ('NaN', false, 1), (-1.5, true, -9223372036854775808), (0, true, 1)",
    "INSERT INTO dropped_dimension VALUES ('a')",
]
DIMENSIONS_LATER = [
    "DELETE FROM devices WHERE n < -20000000000000",
    "ALTER TABLE devices ADD COLUMN more text DEFAULT 'older'",
    "ALTER TABLE devices DROP COLUMN gone",
    "ALTER TABLE devices RENAME COLUMN s TO small",
    "UPDATE devices SET more = NULL, exact = exact * 1.50 WHERE n % 1000 = 0",
    "INSERT INTO devices (id, more) VALUES ('late', 'own')",
    "UPDATE places SET x = x + 1 WHERE x < 0",
    "ALTER TABLE places RENAME TO spots",
    "DROP TABLE dropped_dimension",
]
DIMENSIONS_LAST = [
    "UPDATE devices SET more = 'in the log' WHERE n > 20000000000000",
    "DELETE FROM devices WHERE id = 'late'",
]
