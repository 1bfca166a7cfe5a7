"""What log records say: catalog changes, series and rows (FORMAT.md, Commit record)."""

from dataclasses import dataclass, field

from .dimensions import read_column, read_dimension
from .primitives import MASK, Cursor, require
from .rollups import read_definition, read_step

TAG, TEXT = 0, 5
ABSENT, VALUE, NULL = 0, 1, 2


@dataclass
class Table:
    id: int
    name: str
    width: int
    columns: list = field(default_factory=list)  # (name, field type or TAG) by column id
    dropped: set = field(default_factory=set)    # column ids
    series: dict = field(default_factory=dict)   # series id: {column id: value}


@dataclass
class Block:
    """Rows of one table and partition. `fields` maps a column id to (type, states, values): a state a row, and a value
    (a word, or bytes of a text) a row, meaningful where the state is VALUE."""
    table: int
    series: list
    times: list
    fields: dict


class Catalog:
    def __init__(self):
        self.tables = {}
        self.dimensions = {}  # table id: Dimension of dimensions.py
        self.rollups = {}  # table id: Definition of rollups.py
        self.policies = {}  # (table id, kind): what it says
        self.paused_jobs = set()  # 2: compaction
        self.trusted_clock = None
        self.next_table = 0  # ids below are taken: by tables, or by dropped ones

    def observe(self, wall):
        """The trusted clock after a commit."""
        if self.trusted_clock is None or wall <= self.trusted_clock + 7 * 86400 * 10**9:
            self.trusted_clock = max(wall, self.trusted_clock or wall)

    def read_changes(self, cursor, version):
        for _ in range(cursor.varint()):
            tag = cursor.u8()
            require(tag <= (13 if version >= 5 else 11 if version >= 4 else 8 if version >= 3 else 3), f"catalog change {tag}")
            if tag == 13:
                job, paused = cursor.u8(), cursor.u8()
                require(job == 2 and paused <= 1, f"job {job} is paused ({paused})")
                (self.paused_jobs.add if paused else self.paused_jobs.discard)(job)
                continue
            if tag == 11:
                self.trusted_clock = cursor.zigzag()
                continue
            if tag == 8:
                for id_, name in [(cursor.varint(), cursor.text().decode()) for _ in range(cursor.varint())]:
                    (self.tables.get(id_) or self.dimensions[id_]).name = name
                continue
            table = cursor.varint()
            if tag in (1, 4):
                require(table not in self.tables and table not in self.dimensions, f"table {table} is created twice")
                self.next_table = max(self.next_table, table + 1)
                name = cursor.text().decode()
                if tag == 1:
                    self.tables[table] = Table(table, name, cursor.varint())
                else:
                    self.dimensions[table] = read_dimension(cursor, table, name)
            elif tag in (9, 12):
                definition = read_definition(cursor, has_additions=tag == 12)
                require(definition.source < table and definition.source in self.tables, "a rollup before its source")
                self.rollups[table] = definition
            elif tag == 10:
                kind, says = cursor.u8(), cursor.text()
                require(kind in (1, 2), f"a policy of kind {kind}")
                self.policies[table, kind] = says
            elif tag == 5:
                self.dimensions[table].add(read_column(cursor))
            elif tag == 6:
                (self.tables.get(table) or self.dimensions[table]).dropped.add(cursor.varint())
            elif tag == 7:
                changed = self.tables.get(table) or self.dimensions[table]
                for column, name in [(cursor.varint(), cursor.text().decode()) for _ in range(cursor.varint())]:
                    changed.columns[column] = (name, *changed.columns[column][1:])
            elif tag == 2:
                column, type_, name = cursor.varint(), cursor.u8(), cursor.text().decode()
                columns = self.tables[table].columns
                require(column == len(columns), f"column {column} of table {table} is not the next one")
                require(type_ <= 6, f"field type {type_}")
                columns.append((name, type_))
            elif tag == 3:
                require(all(each.source != table for each in self.rollups.values()), "a source goes before its rollup")
                self.rollups.pop(table, None)
                del (self.tables if table in self.tables else self.dimensions)[table]
            else:
                require(False, f"catalog change {tag}")

    def read_series(self, cursor):
        """One series record."""
        table, first, count = cursor.varint(), cursor.varint(), cursor.varint()
        for series in range(first, first + count):
            tags = {}
            for _ in range(cursor.varint()):
                column = cursor.varint()
                require(not tags or column > max(tags), "the tags of a series are out of order")
                tags[column] = cursor.text().decode()
                require(tags[column] != "", "an empty tag value")
            if table not in self.tables:
                require(table < self.next_table, f"series of table {table}, which never was")
                continue
            known = self.tables[table].series
            require(known.get(series, tags) == tags, f"series {series} of table {table} is given twice")
            require(series in known or series == len(known), f"series {series} of table {table} is not the next one")
            known[series] = tags


@dataclass
class Deletion:
    """Rows of some series of a table, within a range of time. `ranges` holds pairs of series ids; None: all series."""
    table: int
    least_time: int
    greatest_time: int
    ranges: list

    def covers(self, table, series, time):
        return (table == self.table and self.least_time <= time <= self.greatest_time
                and (self.ranges is None or any(first <= series <= last for first, last in self.ranges)))


def read_deletion(cursor, met):
    table, least, greatest = cursor.varint(), cursor.zigzag(), cursor.zigzag()
    require(least <= greatest, "a deletion ends before it begins")
    count, ranges, lower = cursor.varint(), [], 0
    for _ in range(count):
        first = lower + cursor.varint()
        last = first + cursor.varint()
        require(last < (1 << 32) - 1, "a deletion of series beyond 32 bits")
        ranges.append((first, last))
        lower = last + 2
    met["deletion", "some series" if count else "all series"] += 1
    return Deletion(table, least, greatest, ranges if count else None)


def read_commit(body, catalog, met, version):
    """Applies the catalog changes, series and dimension tables of a commit; gives its deletions, its blocks of rows, and
    the steps of rollups."""
    cursor = Cursor(body)
    catalog.observe(cursor.zigzag())
    catalog.read_changes(cursor, version)
    for _ in range(cursor.varint()):
        catalog.read_series(cursor)
    blocks = [read_block(cursor, met) for _ in range(cursor.varint())]
    deletions = []
    if version >= 2 and not cursor.at_end():
        count = cursor.varint()
        require(count > 0 or (version >= 3 and not cursor.at_end()), "a count of no deletions")
        deletions = [read_deletion(cursor, met) for _ in range(count)]
    if version >= 3 and not cursor.at_end():
        count = cursor.varint()
        require(count > 0 or (version >= 4 and not cursor.at_end()), "a count of no changed tables")
        for _ in range(count):
            catalog.dimensions[cursor.varint()].read_changes(cursor, met)
    steps = []
    if version >= 4 and not cursor.at_end():
        steps = [read_step(cursor) for _ in range(cursor.varint())]
        require(len(steps) > 0, "a count of no steps of rollups")
        met.update(("step of a rollup", step[0]) for _, step in steps)
    cursor.end("a commit record")
    return deletions, blocks, steps


def read_block(cursor, met):
    table, count = cursor.varint(), cursor.varint()
    series = run_of_words(cursor, count, met)
    form = cursor.u8()
    require(form in (0, 1), f"times of form {form}")
    met["log times", form] += 1
    if form == 0:
        times = run_of_words(cursor, count, met)
    else:
        times = [cursor.u64()]
        for difference in run_of_words(cursor, count, met)[1:]:
            times.append((times[-1] + difference) & MASK)
    fields = {}
    for _ in range(cursor.varint()):
        column = cursor.varint()
        require(not fields or column > max(fields), "the fields of a block are out of order")
        fields[column] = read_field(cursor, count, met)
    return Block(table, series, times, fields)


def read_field(cursor, count, met):
    type_, presence = cursor.u8(), cursor.u8()
    require(1 <= type_ <= 6 and presence in (0, 1), f"field type {type_}, presence {presence}")
    met["log presence", presence] += 1
    states = bytes([VALUE]) * count if presence == 0 else cursor.take(count)
    require(max(states, default=0) <= NULL, "a state above 2")
    if type_ != TEXT:
        return type_, states, run_of_words(cursor, count, met)
    lengths = run_of_words(cursor, count, met)
    total = cursor.varint()
    require(total == sum(lengths), "text lengths do not add up")
    return type_, states, [cursor.take(length) for length in lengths]


def run_of_words(cursor, count, met):
    width, least = cursor.u8(), cursor.u64()
    require(width in (0, 1, 2, 4, 8), f"words of {width} bytes")
    met["log word width", width] += 1
    if width == 0:
        return [least] * count
    distances = cursor.take(width * count)
    return [(least + int.from_bytes(distances[i:i + width], "little")) & MASK
            for i in range(0, len(distances), width)]
