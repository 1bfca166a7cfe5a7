"""Rollups: what they are, and how far (FORMAT.md, Rollups)."""

from dataclasses import dataclass, field

from .primitives import require

LEAST, MOST_RANGES = -(1 << 63), 4096


@dataclass
class Definition:
    source: int
    width: int
    origin: int
    columns: list
    statement: str
    additions: list = field(default_factory=list)


def read_definition(cursor, has_additions):
    source, width, origin = cursor.varint(), cursor.varint(), cursor.zigzag()
    columns = [cursor.varint() for _ in range(cursor.varint())]
    require(width > 0 and columns == sorted(set(columns)), "a rollup's steps or columns")
    definition = Definition(source, width, origin, columns, cursor.text().decode())
    if has_additions:
        definition.additions = [(cursor.varint(), cursor.zigzag()) for _ in range(cursor.varint())]
        numbers = [number for number, _ in definition.additions]
        require(numbers and numbers == sorted(set(numbers)), "fields added to a rollup")
    return definition


@dataclass
class State:
    """`invalid` holds (lower, upper, sequence), ascending and disjoint."""
    dropped: int = LEAST
    frozen: int = LEAST
    watermark: int = LEAST
    threshold: int = LEAST
    invalid: list = field(default_factory=list)

    def check(self):
        require(max(self.dropped, self.frozen) <= self.watermark <= self.threshold, "a rollup's borders")
        ends = [time for lower, upper, _ in self.invalid for time in (lower, upper)]
        require(ends == sorted(ends) and all(lower < upper for lower, upper, _ in self.invalid), "invalid ranges")

    def cut(self, lower, upper, through):
        if lower >= upper:
            return
        kept = []
        for first, end, sequence in self.invalid:
            if first < upper and lower < end and sequence <= through:
                kept += [(a, b, sequence) for a, b in ((first, min(end, lower)), (max(first, upper), end)) if a < b]
            else:
                kept.append((first, end, sequence))
        self.invalid = kept

    def mark(self, lower, upper, sequence):
        if lower < self.dropped and self.frozen < min(upper, self.dropped):
            self.mark(lower, min(upper, self.frozen), sequence)
            lower = self.dropped
        upper = min(upper, self.threshold)
        if lower >= upper:
            return
        self.cut(lower, upper, 1 << 64)
        joined = []
        for each in sorted(self.invalid + [(lower, upper, sequence)]):
            if joined and joined[-1][1:] == (each[0], each[2]):
                joined[-1] = (joined[-1][0], each[1], each[2])
            else:
                joined.append(each)
        if len(joined) > MOST_RANGES:
            joined = [(pair[0][0], pair[-1][1], max(each[2] for each in pair))
                      for pair in (joined[at:at + 2] for at in range(0, len(joined), 2))]
        self.invalid = joined
        self.cut(self.frozen, self.dropped, 1 << 64)

    def mark_times(self, definition, times, sequence):
        """The steps of times, each of which was written or deleted."""
        def step(time):
            return (time - definition.origin) // definition.width * definition.width + definition.origin
        for lower in sorted({step(time) for time in times if time < self.threshold}):
            self.mark(lower, lower + definition.width, sequence)

    def mark_range(self, definition, least, greatest, sequence):
        def step(time):
            return (time - definition.origin) // definition.width * definition.width + definition.origin
        self.mark(step(least), step(greatest) + definition.width, sequence)

    def apply(self, step, sequence):
        kind, numbers = step
        if kind == 1:
            self.threshold = max(self.threshold, numbers[0])
        elif kind == 2:
            lower, upper, through = numbers
            self.cut(lower, upper, through)
            if lower <= self.watermark:
                self.watermark = min(max(self.watermark, upper), self.threshold)
        elif kind == 3:
            self.frozen = max(self.frozen, min(numbers[0], self.watermark))
            self.cut(LEAST, min(numbers[0], self.frozen), 1 << 64)
        elif kind == 4:
            self.mark(*numbers, sequence)
        else:
            self.dropped = max(self.dropped, numbers[0])
            self.threshold, self.watermark = max(self.threshold, self.dropped), max(self.watermark, self.dropped)
            self.cut(self.frozen, self.dropped, 1 << 64)
        self.check()


def read_step(cursor):
    """Table id, and kind with its numbers."""
    table, kind = cursor.varint(), cursor.u8()
    require(1 <= kind <= 5, f"a rollup's step of kind {kind}")
    numbers = [cursor.zigzag() for _ in range(2 if kind in (2, 4) else 1)]
    return table, (kind, numbers + [cursor.varint()] if kind == 2 else numbers)


def read_state(cursor):
    table = cursor.varint()
    state = State(cursor.zigzag(), cursor.zigzag(), cursor.zigzag(), cursor.zigzag())
    for _ in range(cursor.varint()):
        lower = cursor.zigzag()
        state.invalid.append((lower, lower + cursor.varint(), cursor.varint()))
    state.check()
    return table, state
