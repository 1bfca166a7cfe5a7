"""Archived chunks: a stub and the Parquet file that it names become the bytes of the chunk again, of which each page that the
stub lacks must come out with the checksum that the stub has (FORMAT.md, Stub and Archived objects)."""

import os
import struct

import pyarrow
import pyarrow.parquet

from .primitives import Cursor, crc32c, require, require_version, salted_crc

HEADER_LENGTH, CHUNK_HEADER_LENGTH = 64, 80
STUB_VERSION = 1
FLOAT, INT, UINT, BOOL, TEXT, TIMESTAMP, TIMES = 1, 2, 3, 4, 5, 6, 16
RAW, BITMAP, TEXTS = 0, 9, 11


class Stub:
    """`chunk` has the chunk's bytes."""

    def __init__(self, path, file_id, met, objects):
        self.path, self.id, self.met = path, file_id, met
        with open(path, "rb") as file:
            self.data = file.read()
        header = self.data[:HEADER_LENGTH]
        (magic, version, checksum, found, self.chunk_length, self.tail, map_length, map_checksum, zero, last
         ) = struct.unpack("<8sIIQQQQIIQ", header)
        require(magic == b"VARVESTB", f"{path}: magic")
        require(checksum == salted_crc(file_id, 0, header[:12], header[16:]), f"{path}: header checksum")
        require_version(version, STUB_VERSION, path)
        require((found, zero, last) == (file_id, 0, 0), f"{path}: is file {found}")
        body = self.data[HEADER_LENGTH:HEADER_LENGTH + map_length]
        require(map_checksum == salted_crc(file_id, HEADER_LENGTH, body), f"{path}: map checksum")
        self.kept = self.data[HEADER_LENGTH + map_length:]
        cursor = Cursor(body)
        self.key = cursor.take(cursor.varint()).decode()
        self.object_length, object_checksum = cursor.varint(), cursor.u32()
        with open(os.path.join(objects, self.key), "rb") as file:
            self.object = file.read()
        require(len(self.object) == self.object_length, f"{self.key}: length")
        require(crc32c(self.object) == object_checksum, f"{self.key}: checksum")
        self.columns = Columns(os.path.join(objects, self.key))
        self.chunk = self._chunk(cursor)
        cursor.end("a stub's map")

    def _chunk(self, cursor):
        dictionaries = [(cursor.varint(), cursor.varint()) for _ in range(cursor.varint())]
        chunk, position, row, previous_end = self.kept[:CHUNK_HEADER_LENGTH], CHUNK_HEADER_LENGTH, 0, 0
        for _ in range(cursor.varint()):
            rows, series_length = cursor.varint(), cursor.varint()
            chunk += self.kept[position:position + series_length]
            position += series_length
            columns = self.columns.present(row, rows)
            for number in range(cursor.varint()):
                content, length, checksum = cursor.u8(), cursor.varint(), cursor.u32()
                for _ in range(cursor.varint()):
                    start = previous_end + cursor.zigzag()
                    piece, dictionary = cursor.varint(), cursor.varint()
                    previous_end = start + piece
                    require(0 <= start and previous_end <= self.object_length, f"{self.path}: a piece")
                    require(dictionary <= len(dictionaries), f"{self.path}: a dictionary")
                if number == 0:
                    require(content == TIMES, f"{self.path}: a row block without times")
                    page = self.columns.times_page(row, rows)
                else:
                    page = self.columns.field_page(columns[number - 1], content, row, rows)
                crc = salted_crc(self.id, len(chunk), page)
                require((crc, len(page) + 4) == (checksum, length), f"{self.path}: a page is not what it was")
                chunk += struct.pack("<I", crc) + page
            require(number == len(columns), f"{self.path}: columns of a row block")
            self.met["stub", "row block"] += 1
            row += rows
        require(len(chunk) == self.tail, f"{self.path}: pages do not add up")
        chunk += self.kept[position:]
        require(len(chunk) == self.chunk_length, f"{self.path}: length of the chunk")
        return chunk


class Columns:
    """The columns of an object by what `varve.columns` says that they are: words, with None where there is none."""

    def __init__(self, path):
        table = pyarrow.parquet.ParquetFile(path).read()
        parts = table.schema.metadata[b"varve.columns"].decode().split(" ")
        require(len(parts) == table.num_columns, f"{path}: columns")
        found = {part: table.column(number).combine_chunks() for number, part in enumerate(parts)}
        self.fields = {int(part[6:]): self._words(array, found.get("nanos:" + part[6:]))
                       for part, array in found.items() if part.startswith("field:")}
        self.times = self._words(found["time"], found.get("nanos"))

    @staticmethod
    def _words(array, remainders=None):
        """Words of eight bytes, texts as bytes."""
        kind = array.type
        if pyarrow.types.is_string(kind):
            return [None if value is None else value.encode() for value in array.to_pylist()]
        if pyarrow.types.is_boolean(kind) or pyarrow.types.is_decimal(kind):
            return [None if value is None else int(value) for value in array.to_pylist()]
        words = array.buffers()[1]
        words = struct.unpack_from(f"<{len(array)}q", words, 8 * array.offset)
        present = array.is_valid().to_pylist()
        if pyarrow.types.is_timestamp(kind):
            rest = [0] * len(array) if remainders is None else [each or 0 for each in remainders.to_pylist()]
            words = [word * 1000 + more for word, more in zip(words, rest)]
        return [word & (1 << 64) - 1 if there else None for word, there in zip(words, present)]

    def present(self, row, rows):
        return [column for column in sorted(self.fields)
                if any(value is not None for value in self.fields[column][row:row + rows])]

    def times_page(self, row, rows):
        words = self.times[row:row + rows]
        return page(TIMES, RAW, 0, rows, rows, struct.pack(f"<{rows}Q", *words))

    def field_page(self, column, type_, row, rows):
        cells = self.fields[column][row:row + rows]
        values = [cell for cell in cells if cell is not None]
        body, presence = b"", 0
        if len(values) < rows:
            body, presence = bitmap([cell is not None for cell in cells]), 1
        if type_ == BOOL:
            return page(type_, BITMAP, presence, rows, len(values), body + bitmap(values))
        if type_ == TEXT:
            lengths = struct.pack(f"<B{len(values)}Q", RAW, *map(len, values))
            return page(type_, TEXTS, presence, rows, len(values), body + lengths + b"".join(values))
        return page(type_, RAW, presence, rows, len(values), body + struct.pack(f"<{len(values)}Q", *values))


def bitmap(flags):
    data = bytearray((len(flags) + 7) // 8)
    for place, flag in enumerate(flags):
        data[place >> 3] |= bool(flag) << (place & 7)
    return bytes(data)


def page(content, codec, presence, rows, values, payload):
    """A page in its plain form, behind its checksum."""
    return struct.pack("<BBBBIIII", content, codec, presence, 0, rows, values, len(payload), len(payload)) + payload
