"""Questions made by chance, over the tables of `tables.py`; the same seed makes the same questions.

Every question has a definite answer: the order of its rows is total or does not matter, and no expression can fail
(where rows are looked at in another order, another one would fail first). Errors have questions of their own.
"""

import random

COLUMNS = {
    "readings": {"time": "time", "device": "text", "room": "text", "v": "float", "n": "int", "ok": "bool",
                 "note": "text", "seen": "time"},
    "devices": {"id": "text", "site": "text", "rank": "int", "weight": "float", "installed": "time"},
}
TYPES = ["int", "float", "numeric", "text", "bool", "time", "interval"]
CASTS = {"int": "bigint", "float": "double precision", "numeric": "numeric", "text": "text", "bool": "boolean",
         "time": "timestamptz", "interval": "interval"}
INTERVALS = ["1 day", "90 minutes", "-3 hours", "1 month", "2 days 03:04:05.6", "1 year 2 months", "0"]
TIMES = ["2024-03-29", "2024-03-31 01:30:00+00", "2024-02-29 23:59:59.999999+00", "1999-12-31 12:00:00-05", "2024-04-01 06:00+02"]
TEXTS = ["", "a", "B", "d1", "d3", "hall", "north", "a%b", "x_y", "ÄÖ", "日本", "0", " pad "]
PATTERNS = ["%", "a%", "%a%", "_", "d_", "%\\%%", "x\\_y", "h%l", ""]
EXPRESSIONS = ["^d[0-3]$", "a", "b.*", "[[:alpha:]]+", "(a|h).", "^$", "\\d", "l{2}", "[^a-z]"]


class Generator:
    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.names = 0

    # Expressions

    def choose(self, *options):
        return self.draw.choice(options)

    def constant(self, type_):
        draw = self.draw
        if draw.random() < 0.08:
            return f"NULL::{CASTS[type_]}"
        if type_ == "int":
            return self.choose("0", "1", "-1", "7", str(draw.randrange(-60, 60)), "3000000000")
        if type_ == "float":
            return self.choose("0.0::float8", "1.5::float8", "-2.25::float8", f"{draw.randrange(-99, 99) / 8}::float8")
        if type_ == "numeric":
            return self.choose("0.0", "1.5", "-2.250", "10.00", "0.001", "123456789012345678901.5", str(draw.randrange(-9999, 9999) / 100))
        if type_ == "bool":
            return self.choose("true", "false")
        if type_ == "text":
            return "'" + draw.choice(TEXTS) + "'::text"
        if type_ == "time":
            return f"timestamptz '{draw.choice(TIMES)}'"
        return f"interval '{draw.choice(INTERVALS)}'"

    def column(self, scope, type_):
        found = [name for name, of in scope.items() if of == type_]
        return self.draw.choice(found) if found else None

    def expression(self, scope, type_, depth=3):
        draw = self.draw
        if depth <= 0 or draw.random() < 0.25:
            column = self.column(scope, type_)
            return column if column and draw.random() < 0.8 else self.constant(type_)
        make = getattr(self, "make_" + type_)
        return make(lambda of: self.expression(scope, of, depth - 1))

    def make_any(self, sub, type_):
        """Forms that every type has; None: take one of its own."""
        kind = self.draw.randrange(14)
        if kind == 0:
            return f"CASE WHEN {sub('bool')} THEN {sub(type_)} ELSE {sub(type_)} END"
        if kind == 1:
            return f"coalesce({sub(type_)}, {sub(type_)})"
        if kind == 2:
            return f"nullif({sub(type_)}, {sub(type_)})"
        if kind == 3:
            return f"{self.choose('greatest', 'least')}({sub(type_)}, {sub(type_)})"
        if kind == 4:
            return f"CASE {sub('text')} WHEN {sub('text')} THEN {sub(type_)} END"
        return None

    def make_int(self, sub):
        return self.make_any(sub, "int") or self.choose(
            lambda: f"({sub('int')} % 1000 {self.choose('+', '-', '*')} {sub('int')} % 1000)",
            lambda: f"({sub('int')} / nullif({sub('int')}, 0))",
            lambda: f"({sub('int')} % nullif({sub('int')}, 0))",
            lambda: f"abs({sub('int')})", lambda: f"length({sub('text')})::bigint", lambda: f"(- ({sub('int')} % 100000))",
            lambda: f"position('a' in {sub('text')})::bigint", lambda: f"sign({sub('int')} % 100)::bigint",
            lambda: f"extract({self.choose('year', 'month', 'day', 'hour', 'minute', 'dow', 'doy', 'week')} FROM {sub('time')})::bigint",
            lambda: f"({sub('int')} {self.choose('&', '|', '#')} {sub('int')})",
            lambda: f"({sub('bool')})::int::bigint", lambda: f"(round(({sub('numeric')}) % 1000))::bigint",
            lambda: f"ascii({sub('text')})::bigint", lambda: f"strpos({sub('text')}, {sub('text')})::bigint")()

    def make_float(self, sub):
        return self.make_any(sub, "float") or self.choose(
            lambda: f"({sub('float')} {self.choose('+', '-', '*')} {sub('float')})",
            lambda: f"({sub('float')} / nullif({sub('float')}, 0))", lambda: f"abs({sub('float')})",
            lambda: f"{self.choose('floor', 'ceil', 'trunc', 'round', 'sign')}({sub('float')})", lambda: f"({sub('int')})::float8",
            lambda: f"sqrt(abs({sub('float')}))", lambda: f"(- {sub('float')})",
            lambda: f"({sub('numeric')})::float8", lambda: f"power(least(abs({sub('float')}), 50), 2)")()

    def make_numeric(self, sub):
        return self.make_any(sub, "numeric") or self.choose(
            lambda: f"({sub('numeric')} {self.choose('+', '-')} {sub('numeric')})",
            lambda: f"({sub('numeric')} % 1000 * ({sub('numeric')} % 1000))",
            lambda: f"({sub('numeric')} / nullif({sub('numeric')}, 0))",
            lambda: f"round({sub('numeric')}, {self.choose('0', '1', '2', '3', '-1')})",
            lambda: f"trunc({sub('numeric')}, {self.choose('0', '1', '2')})",
            lambda: f"{self.choose('floor', 'ceil', 'abs', 'sign')}({sub('numeric')})", lambda: f"({sub('int')})::numeric",
            lambda: f"({sub('int')} * 1.5)", lambda: f"({sub('int')} / 4.0)",
            lambda: f"extract({self.choose('epoch', 'second', 'milliseconds', 'quarter', 'isoyear')} FROM {sub('time')})",
            lambda: f"({sub('numeric')} % nullif({sub('numeric')}, 0))", lambda: f"(- {sub('numeric')})")()

    def make_text(self, sub):
        return self.make_any(sub, "text") or self.choose(
            lambda: f"({sub('text')} || {sub('text')})", lambda: f"{self.choose('upper', 'lower', 'reverse', 'initcap', 'trim', 'ltrim', 'rtrim', 'md5')}({sub('text')})",
            lambda: f"substr({sub('text')}, {self.choose('1', '2', '-1', '0')}, {self.choose('0', '1', '3')})",
            lambda: f"left({sub('text')}, {self.choose('1', '2', '-1', '0')})", lambda: f"right({sub('text')}, {self.choose('1', '2', '-1')})",
            lambda: f"replace({sub('text')}, 'a', {sub('text')})", lambda: f"concat({sub('text')}, {sub('int')}, {sub('bool')})",
            lambda: f"concat_ws('-', {sub('text')}, {sub('text')})", lambda: f"lpad({sub('text')}, {self.choose('0', '3', '8')}, 'xy')",
            lambda: f"rpad({sub('text')}, {self.choose('2', '6')})", lambda: f"split_part({sub('text')}, 'a', {self.choose('1', '2', '-1')})",
            lambda: f"({sub('int')})::text", lambda: f"({sub('numeric')})::text", lambda: f"({sub('bool')})::text",
            lambda: f"({sub('time')})::text", lambda: f"({sub('interval')})::text", lambda: f"({sub('float')})::text",
            lambda: f"repeat(left({sub('text')}, 2), 2)", lambda: f"translate({sub('text')}, 'ab', 'x')",
            lambda: f"to_char({sub('time')}, '{self.choose('YYYY-MM-DD HH24:MI:SS', 'Mon DD', 'Day', 'IW', 'Q')}')",
            lambda: f"regexp_replace({sub('text')}, '{self.draw.choice(EXPRESSIONS)}', '#')", lambda: f"format('%s-%s', {sub('text')}, {sub('int')})",
            lambda: f"quote_literal({sub('text')})", lambda: f"overlay({sub('text')} placing 'Z' from 2 for 1)")()

    def make_bool(self, sub):
        of = self.draw.choice(TYPES)
        return self.make_any(sub, "bool") or self.choose(
            lambda: f"({sub(of)} {self.choose('=', '<>', '<', '<=', '>', '>=')} {sub(of)})",
            lambda: f"({sub('bool')} AND {sub('bool')})", lambda: f"({sub('bool')} OR {sub('bool')})", lambda: f"(NOT {sub('bool')})",
            lambda: f"({sub(of)} IS {self.choose('', 'NOT ')}NULL)", lambda: f"({sub(of)} IS {self.choose('', 'NOT ')}DISTINCT FROM {sub(of)})",
            lambda: f"({sub(of)} {self.choose('', 'NOT ')}IN ({sub(of)}, {sub(of)}))",
            lambda: f"({sub(of)} {self.choose('', 'NOT ')}BETWEEN {self.choose('', 'SYMMETRIC ')}{sub(of)} AND {sub(of)})",
            lambda: f"({sub('text')} {self.choose('', 'NOT ')}{self.choose('LIKE', 'ILIKE')} '{self.draw.choice(PATTERNS)}')",
            lambda: f"({sub('text')} {self.choose('~', '!~', '~*')} '{self.draw.choice(EXPRESSIONS)}')",
            lambda: f"({sub(of)} {self.choose('= ANY', '<> ALL', '= ALL', '< ANY')} (ARRAY[{sub(of)}, {sub(of)}]))",
            lambda: f"({sub('bool')} IS {self.choose('', 'NOT ')}{self.choose('TRUE', 'FALSE', 'UNKNOWN')})", lambda: f"starts_with({sub('text')}, {sub('text')})")()

    def make_time(self, sub):
        return self.make_any(sub, "time") or self.choose(
            lambda: f"({sub('time')} {self.choose('+', '-')} {self.constant('interval')})",
            lambda: f"date_trunc('{self.choose('hour', 'day', 'week', 'month', 'quarter', 'year', 'minute')}', {sub('time')})",
            lambda: f"date_bin('{self.choose('15 minutes', '1 day', '7 hours')}', {sub('time')}, timestamptz '2000-01-03')",
            lambda: f"date_trunc('day', {sub('time')}, '{self.choose('Europe/Berlin', 'America/New_York', 'Asia/Kolkata')}')",
            lambda: f"(({sub('time')}) AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'UTC'")()

    def make_interval(self, sub):
        return self.make_any(sub, "interval") or self.choose(
            lambda: f"({sub('time')} - {sub('time')})", lambda: f"({sub('interval')} * ({sub('int')} % 10))",
            lambda: f"(- {sub('interval')})", lambda: f"justify_hours({sub('interval')})",
            lambda: f"make_interval(0, 0, 0, 0, ({sub('int')} % 100)::int)", lambda: f"({self.constant('interval')} / 3)")()

    # Sources

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def source(self, depth=1):
        """FROM and what it offers."""
        kind = self.draw.randrange(10)
        if kind < 5 or depth <= 0:
            return "readings", dict(COLUMNS["readings"])
        if kind == 5:
            return "devices", dict(COLUMNS["devices"])
        if kind == 6:
            left, right = self.name("r"), self.name("d")
            scope = {f"{left}.{name}": of for name, of in COLUMNS["readings"].items()}
            scope.update({f"{right}.{name}": of for name, of in COLUMNS["devices"].items()})
            join = self.choose("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
            return f"readings {left} {join} devices {right} ON {left}.device = {right}.id", scope
        if kind == 7:
            inner, scope = self.source(0)
            chosen = self.draw.sample(sorted(scope), min(4, len(scope)))
            alias = self.name("s")
            where = f" WHERE {self.expression(scope, 'bool', 2)}" if self.draw.random() < 0.5 else ""
            return (f"(SELECT {', '.join(f'{name} AS c{i}' for i, name in enumerate(chosen))} FROM {inner}{where}) {alias}",
                    {f"{alias}.c{i}": scope[name] for i, name in enumerate(chosen)})
        if kind == 8:
            alias = self.name("g")
            return f"generate_series({self.choose('1', '-3', '0')}, {self.choose('5', '20', '-1')}) AS {alias}(i)", {f"{alias}.i::bigint": "int"}
        alias = self.name("w")
        types = [self.draw.choice(TYPES) for _ in range(self.draw.randrange(1, 4))]
        rows = ", ".join("(" + ", ".join(f"{self.constant(of)}::{CASTS[of]}" for of in types) + ")" for _ in range(self.draw.randrange(1, 6)))
        names = [f"c{i}" for i in range(len(types))]
        return f"(VALUES {rows}) AS {alias}({', '.join(names)})", {f"{alias}.{name}": of for name, of in zip(names, types)}

    def where(self, scope, chance=0.7):
        if self.draw.random() > chance:
            return ""
        kind = self.draw.random()
        if kind < 0.12:
            column = self.column(scope, "text")
            if column:
                return f" WHERE {column} {self.choose('', 'NOT ')}IN (SELECT {self.choose('id', 'site')} FROM devices WHERE {self.expression(COLUMNS['devices'], 'bool', 1)})"
        if kind < 0.2:
            column = self.column(scope, "text")
            if column and "id" not in scope:
                return f" WHERE {self.choose('', 'NOT ')}EXISTS (SELECT FROM devices x WHERE x.id = {column} AND x.rank > 1)"
        return f" WHERE {self.expression(scope, 'bool', 3)}"

    def ending(self, width):
        order = list(range(1, width + 1))
        self.draw.shuffle(order)
        keys = ", ".join(f"{key}{self.choose('', ' DESC', ' ASC', ' NULLS FIRST', ' DESC NULLS LAST')}" for key in order)
        text = f" ORDER BY {keys}"
        if self.draw.random() < 0.3:
            text += f" LIMIT {self.draw.randrange(0, 30)}"
            if self.draw.random() < 0.4:
                text += f" OFFSET {self.draw.randrange(0, 10)}"
        return text

    # Questions

    def question(self):
        return self.choose(self.plain, self.plain, self.grouped, self.grouped, self.windowed, self.combined, self.common)()

    def plain(self):
        source, scope = self.source(1)
        width = self.draw.randrange(1, 5)
        items = ", ".join(self.expression(scope, self.draw.choice(TYPES)) for _ in range(width))
        distinct = "DISTINCT " if self.draw.random() < 0.15 else ""
        return f"SELECT {distinct}{items} FROM {source}{self.where(scope)}{self.ending(width)}"

    def aggregate(self, scope):
        sub = lambda of: self.expression(scope, of, 2)
        text = self.choose(
            lambda: "count(*)", lambda: f"count({sub(self.draw.choice(TYPES))})", lambda: f"count(DISTINCT {sub(self.draw.choice(TYPES))})",
            lambda: f"sum({sub('int')} % 100000)", lambda: f"sum(({sub('numeric')}) % 1000)", lambda: f"avg({sub('int')} % 1000)", lambda: f"avg(({sub('numeric')}) % 100)",
            lambda: f"sum({self.column(scope, 'float') or '1.5::float8'})", lambda: f"avg({self.column(scope, 'float') or '1.5::float8'})",
            lambda: f"{self.choose('min', 'max')}({sub(self.draw.choice(['int', 'float', 'numeric', 'text', 'time', 'interval']))})",
            lambda: f"{self.choose('bool_and', 'bool_or', 'every')}({sub('bool')})",
            lambda: self.listing(scope),
            lambda: f"{self.choose('stddev', 'variance', 'stddev_pop', 'var_pop')}({sub('int')} % 1000)",
            lambda: f"sum(DISTINCT {sub('int')} % 1000)", lambda: f"percentile_disc({self.choose('0', '0.5', '0.9', '1')}) WITHIN GROUP (ORDER BY {sub('int')})",
            lambda: f"percentile_cont({self.choose('0', '0.25', '0.5', '1')}) WITHIN GROUP (ORDER BY {sub('int')} % 1000)",
            lambda: f"mode() WITHIN GROUP (ORDER BY {sub('bool')})")()
        if "WITHIN" not in text and self.draw.random() < 0.15:
            text += f" FILTER (WHERE {sub('bool')})"
        return text

    def listing(self, scope):
        text, other = (self.column(scope, "text") or "'k'::text" for _ in range(2))
        return self.choose(f"string_agg({text}, ',' ORDER BY {text})", f"array_agg({text} ORDER BY {text} DESC)",
                           f"string_agg(DISTINCT {other}, '+')")

    def grouped(self):
        source, scope = self.source(1)
        keys = [self.expression(scope, self.draw.choice(TYPES), 2) for _ in range(self.draw.randrange(0, 3))]
        calls = [self.aggregate(scope) for _ in range(self.draw.randrange(1, 4))]
        group, kind = "", self.draw.random()
        if keys:
            inside = ", ".join(str(i + 1) for i in range(len(keys)))
            group = f" GROUP BY {inside}"
            if kind < 0.2:
                # PostgreSQL takes keys that are constants, or equal by a join, for what they are when it sorts, also
                # where they are grouped away.
                source, scope = "readings", dict(COLUMNS["readings"])
                keys = [self.draw.choice(sorted(scope)) for _ in keys]
                calls = [self.aggregate(scope) for _ in calls]
                group = f" GROUP BY {self.choose('ROLLUP', 'CUBE')} ({', '.join(keys)})"
        having = f" HAVING count(*) > {self.draw.randrange(0, 4)}" if self.draw.random() < 0.3 else ""
        return f"SELECT {', '.join(keys + calls)} FROM {source}{self.where(scope, 0.5)}{group}{having}{self.ending(len(keys) + len(calls))}"

    def windowed(self):
        if self.draw.random() < 0.7:
            source, scope, order = "readings", COLUMNS["readings"], "time, device, room"
        else:
            source, scope, order = "devices", COLUMNS["devices"], "id"
        calls = []
        for _ in range(self.draw.randrange(1, 4)):
            sub = lambda of: self.expression(scope, of, 1)
            call = self.choose(
                lambda: "row_number()", lambda: "rank()", lambda: "dense_rank()", lambda: f"ntile({self.draw.randrange(1, 6)})", lambda: "percent_rank()", lambda: "cume_dist()",
                lambda: f"{self.choose('lag', 'lead')}({sub('int')}{self.choose('', ', 1', ', 2', ', 0')})", lambda: f"lag({sub('text')}, 1, 'none'::text)",
                lambda: f"{self.choose('first_value', 'last_value')}({sub(self.draw.choice(TYPES))})", lambda: f"nth_value({sub('int')}, {self.draw.randrange(1, 4)})",
                lambda: f"sum({sub('int')} % 1000)", lambda: f"avg({sub('int')} % 1000)", lambda: "count(*)", lambda: f"{self.choose('min', 'max')}({sub(self.draw.choice(['int', 'float', 'text']))})",
                lambda: f"sum({self.column(scope, 'float')})")()
            partition = f"PARTITION BY {self.choose(sub('text'), sub('bool'), sub('int'))} " if self.draw.random() < 0.6 else ""
            edge = lambda side: self.choose(f"UNBOUNDED {side}", "CURRENT ROW", f"{self.draw.randrange(0, 4)} PRECEDING", f"{self.draw.randrange(0, 4)} FOLLOWING")
            frame, by = "", f"ORDER BY {order.replace(',', ' DESC,', 1)}" if self.draw.random() < 0.3 else f"ORDER BY {order}"
            kind = self.draw.random()
            if kind < 0.35:
                frame = f" {self.choose('ROWS', 'GROUPS')} BETWEEN {self.choose('UNBOUNDED PRECEDING', '2 PRECEDING', 'CURRENT ROW', '1 PRECEDING')} AND {self.choose('UNBOUNDED FOLLOWING', '2 FOLLOWING', 'CURRENT ROW', '1 FOLLOWING')}"
            elif kind < 0.5 and source == "readings":
                by, frame = "ORDER BY n", f" RANGE BETWEEN {self.choose('UNBOUNDED PRECEDING', '5 PRECEDING', 'CURRENT ROW')} AND {self.choose('UNBOUNDED FOLLOWING', '5 FOLLOWING', 'CURRENT ROW')}"
            if frame and self.draw.random() < 0.3:
                frame += self.choose(" EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")
            if by == "ORDER BY n" and not call.startswith(("sum", "avg", "count", "min", "max", "rank", "dense_rank", "percent", "cume")):
                by, frame = f"ORDER BY {order}", ""
            calls.append(f"{call} OVER ({partition}{by}{frame})")
        return f"SELECT {order}, {', '.join(calls)} FROM {source}{self.where(scope, 0.4)} ORDER BY {order}"

    def combined(self):
        types = [self.draw.choice(TYPES) for _ in range(self.draw.randrange(1, 4))]

        def branch():
            source, scope = self.source(1)
            return f"SELECT {', '.join(self.expression(scope, of, 2) for of in types)} FROM {source}{self.where(scope, 0.6)}"

        word = self.choose("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
        return f"{branch()} {word} {branch()}{self.ending(len(types))}"

    def common(self):
        source, scope = self.source(1)
        name = self.name("q")
        types = [self.draw.choice(TYPES) for _ in range(3)]
        items = ", ".join(f"{self.expression(scope, of, 2)} AS k{i}" for i, of in enumerate(types))
        inner = {f"{name}.k{i}": of for i, of in enumerate(types)}
        width = self.draw.randrange(1, 3)
        outer = ", ".join(self.expression(inner, self.draw.choice(TYPES), 2) for _ in range(width))
        scalar = f"(SELECT count(*) FROM {name})"
        return (f"WITH {name} AS (SELECT {items} FROM {source}{self.where(scope, 0.5)}) "
                f"SELECT {outer}, {scalar} FROM {name}{self.where(inner, 0.4)}{self.ending(width + 1)}")
