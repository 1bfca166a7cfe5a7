"""Dimension tables: their columns, rows, keys and files (FORMAT.md, Dimension tables, Dimension file)."""

import struct
from dataclasses import dataclass, field
from decimal import Decimal

from .logfile import LogFile, unwrap
from .primitives import Cursor, require

NOT_NULL, DEFAULT, DEFAULT_NOW, OLDER = 1, 2, 4, 8
BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, TEXT, TIMESTAMP, DATE, NUMERIC = range(1, 11)
ROWS, END = 1, 2


@dataclass
class Dimension:
    """`rows` maps a key to the row's values by column id, as they lie in the file or the log."""
    id: int
    name: str
    columns: list = field(default_factory=list)  # (name, type, value of older rows) by column id
    dropped: set = field(default_factory=set)
    key: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)

    def add(self, column):
        id_, name, type_, older = column
        require(id_ == len(self.columns), f"column {id_} of table {self.id} is not the next one")
        self.columns.append((name, type_, older))

    def read_changes(self, cursor, met):
        """What a commit does to the table."""
        flags, previous = cursor.u8(), b""
        require(flags <= 1, f"changes of kind {flags}")
        if flags:
            self.rows.clear()
        for _ in range(cursor.varint()):
            row = cursor.text()
            key = self.key_of(read_row(row)) if row else cursor.text()
            require(key > previous, "changes out of order")
            previous = key
            met["dimension change", "row" if row else "key"] += 1
            if row:
                self.rows[key] = read_row(row)
            else:
                self.rows.pop(key, None)

    def key_of(self, values):
        return b"".join(key_bytes(values[column]) for column in self.key)

    def named_rows(self):
        """Rows by name of column, in order of key."""
        for _, values in sorted(self.rows.items()):
            yield {name: self.value(values, id_, type_, older) for id_, (name, type_, older) in enumerate(self.columns)
                   if id_ not in self.dropped}

    @staticmethod
    def value(values, id_, type_, older):
        value = values[id_] if id_ < len(values) else older
        if value is None or type_ not in (TEXT, NUMERIC):
            return value
        return value.decode() if type_ == TEXT else Decimal(value.decode())


def read_dimension(cursor, table, name):
    dimension = Dimension(table, name)
    for _ in range(cursor.varint()):
        dimension.add(read_column(cursor))
    dimension.key = [cursor.varint() for _ in range(cursor.varint())]
    return dimension


def read_column(cursor):
    """Id, name, type, and the value that older rows have."""
    id_, name, type_ = cursor.varint(), cursor.text().decode(), cursor.u8()
    require(BOOLEAN <= type_ <= NUMERIC, f"a dimension table's column of type {type_}")
    if type_ == NUMERIC:
        cursor.varint(), cursor.zigzag()
    flags = cursor.u8()
    require(flags < 16 and flags & 6 != 6, f"flags {flags} of a column")
    if flags & DEFAULT:
        read_value(cursor)
    return id_, name, type_, read_value(cursor) if flags & OLDER else None


def read_value(cursor):
    tag = cursor.u8()
    require(tag <= 5, f"a value of tag {tag}")
    if tag == 0:
        return None
    if tag <= 2:
        return tag == 2
    if tag == 3:
        return cursor.zigzag()
    return struct.unpack("<d", cursor.take(8))[0] if tag == 4 else cursor.text()


def read_row(data):
    cursor = Cursor(data)
    values = [read_value(cursor) for _ in range(cursor.varint())]
    cursor.end("a row")
    return values


def key_bytes(value):
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return struct.pack(">Q", (value + (1 << 63)))
    if isinstance(value, float):
        bits = 0x7FF8 << 48 if value != value else 0 if value == 0 else struct.unpack("<Q", struct.pack("<d", value))[0]
        return struct.pack(">Q", bits ^ ((1 << 64) - 1) if bits >> 63 else bits | 1 << 63)
    return value.replace(b"\0", b"\0\xff") + b"\0\0"


def read_file(path, entry, dimension, met):
    """The rows of a dimension file into the table."""
    file = LogFile(path, entry["id"], b"VARVEDIM")
    require(len(file.data) == file.made_length == entry["bytes"], f"{path}: length")
    previous, total, offset = b"", 0, None
    for frame in file.chain():
        require(frame.sequence == entry["sequence"] and frame.durable == 0, f"{path}: a frame's header")
        require(total is not None, f"{path}: a frame behind the end")
        met["dimension frame", frame.kind] += 1
        cursor, offset = Cursor(unwrap(frame.payload, met)), frame.offset + frame.length
        if frame.kind == END:
            named, rows = cursor.varint(), cursor.varint()
            require((named, rows) == (entry["table"], entry["rows"]) and total == rows, f"{path}: its end")
            total = None
        else:
            require(frame.kind == ROWS, f"{path}: a frame of kind {frame.kind}")
            count = cursor.varint()
            for _ in range(count):
                values = read_row(cursor.text())
                key = dimension.key_of(values)
                require(key > previous, f"{path}: rows out of order")
                dimension.rows[key], previous = values, key
            total += count
        cursor.end("a dimension file's frame")
    require(total is None and offset == len(file.data), f"{path}: has no end")
