"""A chunk's summaries (FORMAT.md, Summaries): where they lie, and what they must say of the chunk's rows."""

from .primitives import bits, double, require, signed
from .records import TEXT, VALUE

FLOAT, INT, UINT, BOOL, TIMESTAMP = 1, 2, 3, 4, 6
COUNT, NANS, SUM, MINIMUM, MAXIMUM, FIRST, LAST = range(7)
STEPS = {1: 1, 2: 10, 3: 60, 4: 300, 5: 900, 6: 3_600, 7: 21_600, 8: 86_400}
KEPT = {
    FLOAT: {COUNT, NANS, SUM, MINIMUM, MAXIMUM, FIRST, LAST},
    INT: {COUNT, SUM, MINIMUM, MAXIMUM, FIRST, LAST},
    UINT: {COUNT, SUM, MINIMUM, MAXIMUM, FIRST, LAST},
    TIMESTAMP: {COUNT, MINIMUM, MAXIMUM, FIRST, LAST},
    BOOL: {COUNT, SUM},
    TEXT: {COUNT},
}
MASK = (1 << 64) - 1


def stored_type(statistic, type_):
    return FLOAT if type_ == FLOAT and statistic not in (COUNT, NANS) else INT


class Summaries:
    """The last part of a chunk's index; pages as (offset, length)."""

    def __init__(self, cursor, columns, offset):
        self.blocks, self.end = [], offset
        self.step = cursor.varint()
        if self.step == 0:
            return
        require(self.step in STEPS, f"step {self.step}")
        last_series = 0
        for _ in range(cursor.varint()):
            block = SummaryBlock(cursor, columns, self.end, last_series)
            self.blocks.append(block)
            self.end, last_series = block.end, block.last_series

    def expecting(self):
        return Expected(STEPS[self.step] * 10**9) if self.step else None


class SummaryBlock:
    def __init__(self, cursor, columns, offset, series_before):
        self.rows, self.series_count = cursor.varint(), cursor.varint()
        require(1 <= self.rows <= 16384 and 1 <= self.series_count <= self.rows, "rows of a summary block")
        self.first_series = series_before + cursor.varint()
        self.last_series = self.first_series + cursor.varint()
        self.least_bucket = cursor.zigzag()
        self.greatest_bucket = self.least_bucket + cursor.varint()
        self.end = offset
        self.series_page, self.buckets_page = self._place(cursor.varint()), self._place(cursor.varint())
        self.key_pages = [self._place(cursor.varint()) for _ in range(3)]
        self.fields, column = [], -1
        for _ in range(cursor.varint()):
            column += cursor.varint() + 1
            require(column < len(columns), "a field that the index does not know")
            id_, type_ = columns[column]
            present = cursor.u8()
            statistics = [statistic for statistic in range(8) if present >> statistic & 1]
            require(KEPT[type_] >= set(statistics) >= KEPT[type_] - {COUNT, NANS, SUM}, "statistics of a field")
            self.fields.append((id_, type_, {statistic: self._place(cursor.varint()) for statistic in statistics}))

    def _place(self, length):
        self.end += length
        return self.end - length, length


class Expected:
    """What the rows come to, by (series, bucket)."""

    def __init__(self, step):
        self.step, self.rows = step, {}

    def add(self, block):
        columns = {column: iter(zip(states, values)) for column, (_, states, values) in block.fields.items()}
        for series, time in zip(block.series, map(signed, block.times)):
            times, cells = self.rows.setdefault((series, time // self.step), ([], {}))
            times.append(time)
            for column, column_cells in columns.items():
                state, value = next(column_cells)
                if state == VALUE:
                    cells.setdefault(column, []).append(value)

    def check(self, blocks):
        found = []
        for keys, row_counts, first_offsets, last_offsets, columns in blocks:
            found += keys
            for place, key in enumerate(keys):
                times, _ = self.rows[key]
                start = key[1] * self.step
                require((row_counts[place], first_offsets[place], last_offsets[place])
                        == (len(times), times[0] - start, times[-1] - start), f"rows of the summary of {key}")
            cells = [self.rows[key][1] for key in keys]
            require({column for row in cells for column in row} == set(columns), "columns of a summary block")
            for column, (type_, stored) in columns.items():
                check_column([row.get(column, []) for row in cells], row_counts, type_, stored, f"column {column}")
        require(found == sorted(self.rows), "series and buckets of the summaries")


def check_column(rows, row_counts, type_, stored, what):
    counts = [len(values) for values in rows]
    require((COUNT in stored) == (counts != row_counts) and stored.get(COUNT, counts) == counts, f"{what}: counts")
    if type_ == FLOAT:
        nans = [sum(value != value for value in map(double, values)) for values in rows]
        require(stored.get(NANS, nans) == nans and (NANS in stored) == any(nans), f"{what}: NaNs")
    expected = [statistics(values, type_) if values else None for values in rows]
    sums = [row and row[SUM] for row in expected]
    fits = all(row is None or row[SUM] is not None for row in expected)
    if SUM in KEPT[type_]:
        require((SUM in stored) == fits, f"{what}: sums that do not fit")
    before = 0
    for place, row in enumerate(expected):
        for statistic, words in stored.items():
            if statistic in (COUNT, NANS):
                continue
            word = 0
            if row is not None:
                word = row[statistic]
                if type_ in (INT, UINT, TIMESTAMP):
                    step = signed((row[LAST] - row[FIRST]) & MASK)
                    word = {
                        FIRST: row[FIRST] - before, LAST: row[LAST] - row[FIRST], MINIMUM: row[FIRST] - row[MINIMUM],
                        MAXIMUM: row[MAXIMUM] - row[FIRST],
                        SUM: (sums[place] or 0) - counts[place] * (row[FIRST] + (step >> 1))}[statistic] & MASK
            same = words[place] == word
            if type_ == FLOAT and statistic == SUM and row is not None:
                same = same or double(word) != double(word) and double(words[place]) != double(words[place])
            require(same, f"{what}: statistic {statistic} of row {place} is {words[place]}, not {word}")
        if row is not None and FIRST in row:
            before = row[LAST]


def statistics(words, type_):
    """Of at least one value; SUM is None if it does not fit."""
    if type_ == TEXT:
        return {SUM: 0}
    if type_ == FLOAT:
        values = list(map(double, words))
        numbers = [value for value in values if value == value] or [0.0]
        total = double_sum(values)
        if not is_finite(total) and all(map(is_finite, values)):
            total = None
        return {SUM: None if total is None else bits(total), MINIMUM: bits(min(numbers)), MAXIMUM: bits(max(numbers)),
                FIRST: words[0], LAST: words[-1]}
    values = words if type_ == UINT else list(map(signed, words))
    total = sum(values)
    result = {SUM: total & MASK if -(1 << 63) <= total < 1 << 63 else None}
    if type_ != BOOL:
        result |= {MINIMUM: min(values) & MASK, MAXIMUM: max(values) & MASK, FIRST: words[0], LAST: words[-1]}
    return result


def is_finite(value):
    return value - value == 0


def double_sum(values):
    places, total = 0, 0
    for value in values:
        while True:
            if not is_finite(value):
                return plain_sum(values)
            scaled = value * 10.0**places
            nearest = round(scaled) if abs(scaled) < 1 << 52 else 1 << 52
            if abs(nearest) < 1 << 51 and nearest / 10.0**places == value:
                break
            places, total = places + 1, total * 10
            if places > 9 or abs(total) >= 1 << 53:
                return plain_sum(values)
        total += nearest
        if abs(total) >= 1 << 53:
            return plain_sum(values)
    return total / 10.0**places


def plain_sum(values):
    total = 0.0
    for value in values:
        total += value
    return total
