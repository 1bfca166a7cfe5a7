"""Chunk files: header, footer, index, pages, zone maps (FORMAT.md, Chunk, Chunk index, Page). Every rule that the
page states is checked, and every zone map is computed again from the decoded values."""

import struct

import lz4.block
import zstandard

from .codecs import bitmap, codecs_of, read_values, stream
from .primitives import CHUNK_VERSION, Cursor, bits, double, require, require_version, salted_crc, signed
from .records import ABSENT, NULL, TEXT, VALUE, Block
from .summaries import INT, Summaries, stored_type

HEADER_LENGTH, FOOTER_LENGTH, PAGE_HEADER_LENGTH = 80, 96, 24
FLOAT, UINT = 1, 3
TIMES, SERIES = 16, 17


class Chunk:
    def __init__(self, path, file_id, met, data=None):
        """Of the file, or of the bytes that it stands for."""
        if data is None:
            with open(path, "rb") as file:
                data = file.read()
        self.data = data
        self.id, self.path, self.met = file_id, path, met
        require(len(self.data) >= HEADER_LENGTH + FOOTER_LENGTH, f"{path}: too short")
        self._read_header()
        self._read_footer()
        self.blocks = self._read_index()
        self._check_sums()

    def _read_header(self):
        header = self.data[:HEADER_LENGTH]
        (magic, version, checksum, file_id, self.table, zero, self.partition, self.width, self.first_sequence,
         self.last_sequence, _, last) = struct.unpack("<8sIIQIIqqQQqQ", header)
        require(magic == b"VARVECHK", f"{self.path}: magic")
        require(checksum == salted_crc(self.id, 0, header[:12], header[16:]), f"{self.path}: header checksum")
        require_version(version, CHUNK_VERSION, self.path)
        self.version = version
        require((file_id, zero, last) == (self.id, 0, 0), f"{self.path}: is file {file_id}")
        require(self.width > 0 and self.first_sequence <= self.last_sequence, f"{self.path}: header")

    def _read_footer(self):
        offset = len(self.data) - FOOTER_LENGTH
        footer = self.data[offset:]
        (checksum, index_checksum, version, self.block_count, file_id, self.index_offset, index_length, self.rows,
         self.values, self.least_time, self.greatest_time, self.first_series, self.last_series, zero, magic
         ) = struct.unpack("<IIIIQQQQQqqIIQ8s", footer)
        require(magic == b"VARVEEND", f"{self.path}: footer magic")
        require(checksum == salted_crc(self.id, offset, footer[4:]), f"{self.path}: footer checksum")
        require((version, file_id, zero) == (self.version, self.id, 0), f"{self.path}: footer")
        require(self.index_offset + index_length == offset, f"{self.path}: the index does not end at the footer")
        self.index = self.data[self.index_offset:offset]
        require(index_checksum == salted_crc(self.id, self.index_offset, self.index), f"{self.path}: index checksum")

    def _read_index(self):
        cursor = Cursor(self.index)
        self.columns = [(cursor.varint(), cursor.u8()) for _ in range(cursor.varint())]
        ids = [column for column, _ in self.columns]
        require(ids == sorted(set(ids)) and all(1 <= type_ <= 6 for _, type_ in self.columns), "columns of the index")
        require(cursor.varint() == self.block_count, "row blocks of the index")
        blocks, offset, last_series = [], HEADER_LENGTH, 0
        for _ in range(self.block_count):
            block = RowBlock(cursor, self.columns, offset, last_series, 8192 if self.version == 1 else 16384)
            blocks.append(block)
            offset, last_series = block.end, block.last_series
        self.summaries = None
        if self.version >= 2:
            self.summaries = Summaries(cursor, self.columns, offset)
            offset = self.summaries.end
        cursor.end("the index")
        require(offset == self.index_offset, f"{self.path}: pages do not end at the index")
        return blocks

    def _check_sums(self):
        blocks = self.blocks
        require(sum(block.rows for block in blocks) == self.rows, "rows of the footer")
        values = sum(page.zone.values for block in blocks for page in block.fields)
        require(values == self.values, "values of the footer")
        if blocks:
            require((min(block.least_time for block in blocks), max(block.greatest_time for block in blocks),
                     blocks[0].first_series, blocks[-1].last_series)
                    == (self.least_time, self.greatest_time, self.first_series, self.last_series), "ends of the footer")
        else:
            require((self.least_time, self.greatest_time, self.first_series, self.last_series) == (0, -1, 0, 0),
                    "footer of an empty chunk")

    def decoded(self):
        """The row blocks, decoded and checked."""
        before = None
        expected = self.summaries.expecting() if self.summaries else None
        for block in self.blocks:
            rows = self._decode(block)
            for identity in zip(rows.series, map(signed, rows.times)):
                require(before is None or before < identity, f"{self.path}: rows out of order")
                require(identity[1] // self.width == self.partition, f"{self.path}: a row of another partition")
                before = identity
            if expected:
                expected.add(rows)
            yield rows
        if expected:
            expected.check(self._summary_blocks())

    def _decode(self, block):
        met = self.met
        cursor, values, _ = self._page(block.series_page, SERIES, block.rows)
        require(values == block.series_count, "series of a series page")
        ids = stream(cursor, values, met)
        counts = stream(cursor, values, met)
        cursor.end("a series page")
        met["codec", "series runs"] += 1
        series = [id_ for id_, count in zip(ids, counts) for _ in range(count + 1)]
        require(ids == sorted(set(ids)) and len(series) == block.rows, "a series page")
        require((ids[0], ids[-1]) == (block.first_series, block.last_series), "series of a row block")

        cursor, values, codec = self._page(block.times_page, TIMES, block.rows)
        require(values == block.rows and (codec <= 6 or codec == 13), "a times page")
        times = read_values(codec, cursor, values, met)
        cursor.end("a times page")
        require((min(map(signed, times)), max(map(signed, times))) == (block.least_time, block.greatest_time),
                "times of a row block")
        return Block(self.table, series, times, {page.column: self._field(page, block.rows) for page in block.fields})

    def _summary_blocks(self):
        """(series, bucket) → counts, times and statistics by column, as stored, for each summary block."""
        met = self.met
        for block in self.summaries.blocks:
            cursor, values, _ = self._page(block.series_page, SERIES, block.rows)
            require(values == block.series_count, "series of a summary block")
            ids, counts = stream(cursor, values, met), stream(cursor, values, met)
            cursor.end("a series page")
            series = [id_ for id_, count in zip(ids, counts) for _ in range(count + 1)]
            require(ids == sorted(set(ids)) and len(series) == block.rows, "a series page of summaries")
            require((ids[0], ids[-1]) == (block.first_series, block.last_series), "series of a summary block")
            cursor, _, codec = self._page(block.buckets_page, TIMES, block.rows)
            require(codec <= 6, "a page of buckets")
            buckets = [signed(word) for word in read_values(codec, cursor, block.rows, met)]
            cursor.end("a page of buckets")
            require((min(buckets), max(buckets)) == (block.least_bucket, block.greatest_bucket), "buckets of a block")
            keys = [self._words(place, INT, block.rows) for place in block.key_pages]
            columns = {}
            for column, type_, pages in block.fields:
                columns[column] = type_, {
                    statistic: self._words(place, stored_type(statistic, type_), block.rows)
                    for statistic, place in pages.items()}
            met["summary block", self.summaries.step] += 1
            yield list(zip(series, buckets)), *keys, columns

    def _words(self, place, type_, rows):
        cursor, count, codec, presence = self._page(place, type_, rows, with_presence=True)
        require(presence == 0 and count == rows and codec in codecs_of(type_), "a page of summaries")
        words = read_values(codec, cursor, count, self.met)
        cursor.end("a page of summaries")
        return words

    def _field(self, page, rows):
        cursor, count, codec, presence = self._page(page.place, page.type, rows, with_presence=True)
        states = read_presence(presence, cursor, rows, self.met)
        require(states.count(VALUE) == count, "values of a page")
        require(codec in codecs_of(page.type), f"codec {codec} for type {page.type}")
        values = read_values(codec, cursor, count, self.met, page.type)
        cursor.end("a page")
        page.zone.check(page.type, states, values)
        remaining = iter(values)
        return page.type, states, [next(remaining) if state == VALUE else None for state in states]

    def _page(self, place, content, rows, with_presence=False):
        """The payload of a page, how many values it has, and codes."""
        offset, length = place
        data = self.data[offset:offset + length]
        (checksum, found, codec, presence, compression, page_rows, values, stored, uncompressed
         ) = struct.unpack("<IBBBBIIII", data[:PAGE_HEADER_LENGTH])
        require(checksum == salted_crc(self.id, offset, data[4:]), f"{self.path}: checksum of the page at {offset}")
        require((found, page_rows, stored) == (content, rows, length - PAGE_HEADER_LENGTH),
                f"{self.path}: page at {offset} is not what the index says")
        payload = data[PAGE_HEADER_LENGTH:]
        self.met["page compression", compression] += 1
        if compression == 1:
            payload = lz4.block.decompress(payload, uncompressed_size=uncompressed)
        elif compression == 2:
            require(zstandard.frame_content_size(payload) == uncompressed, "a Zstandard frame without its content size")
            payload = zstandard.decompress(payload)
        else:
            require(compression == 0, f"compression {compression}")
        require(len(payload) == uncompressed, "a payload of another length than it says")
        if with_presence:
            return Cursor(payload), values, codec, presence
        require(presence == 0 and (content != SERIES or codec == 12), "codes of a page")
        return Cursor(payload), values, codec


def read_presence(code, cursor, rows, met):
    met["presence", code] += 1
    if code == 0:
        return [VALUE] * rows
    if code == 1:
        return [VALUE if bit else ABSENT for bit in bitmap(cursor, rows)]
    if code == 2:
        values, nulls = bitmap(cursor, rows), bitmap(cursor, rows)
        require(not any(value and null for value, null in zip(values, nulls)), "a row with a value that is null")
        return [VALUE if value else NULL if null else ABSENT for value, null in zip(values, nulls)]
    if code == 4:
        states = stream(cursor, rows, met)
        require(max(states, default=0) <= NULL, "a state of a row")
        return states
    require(code == 3, f"presence {code}")
    states = []
    for _ in range(cursor.varint()):
        run = cursor.varint()
        require(run & 3 <= NULL and len(states) + (run >> 2) < rows, "a presence run")
        states += [run & 3] * ((run >> 2) + 1)
    require(len(states) == rows, "presence runs do not add up")
    return states


class FieldPage:
    def __init__(self, column, type_, place, zone):
        self.column, self.type, self.place, self.zone = column, type_, place, zone


class RowBlock:
    """One entry of the index; its pages as (offset, length)."""

    def __init__(self, cursor, columns, offset, series_before, most_rows):
        self.rows, self.series_count = cursor.varint(), cursor.varint()
        require(1 <= self.rows <= most_rows and 1 <= self.series_count <= self.rows, "rows of a row block")
        self.first_series = series_before + cursor.varint()
        self.last_series = self.first_series + cursor.varint()
        self.least_time = cursor.zigzag()
        self.greatest_time = self.least_time + cursor.varint()
        self.end = offset
        self.series_page, self.times_page = self._place(cursor.varint()), self._place(cursor.varint())
        self.fields, column = [], -1
        for _ in range(cursor.varint()):
            column += cursor.varint() + 1
            require(column < len(columns), "a field that the index does not know")
            id_, type_ = columns[column]
            place = self._place(cursor.varint())
            self.fields.append(FieldPage(id_, type_, place, ZoneMap(cursor, type_)))

    def _place(self, length):
        self.end += length
        return self.end - length, length


class ZoneMap:
    def __init__(self, cursor, type_):
        self.values, self.nulls = cursor.varint(), cursor.varint()
        self.summary = None
        if self.values == 0 or type_ == TEXT:
            return
        if type_ == FLOAT:
            self.summary = (cursor.varint(), *(cursor.u64() for _ in range(5)))
        else:
            minimum = cursor.zigzag()
            if type_ == UINT:
                minimum &= (1 << 64) - 1
            maximum, first, last = (minimum + cursor.varint() for _ in range(3))
            self.summary = minimum, maximum, first, last, cursor.u64() | cursor.i64() << 64

    def check(self, type_, states, words):
        require((states.count(VALUE), states.count(NULL)) == (self.values, self.nulls), "counts of a zone map")
        if self.summary is None:
            return
        if type_ == FLOAT:
            doubles = [double(word) for word in words]
            numbers = [value for value in doubles if value == value] or [0.0]
            total = 0.0
            for value in doubles:
                total += value
            nans, *found = self.summary
            require(nans == sum(value != value for value in doubles), "NaNs of a zone map")
            expected = [bits(min(numbers)), bits(max(numbers)), bits(total), words[0], words[-1]]
            if total != total and double(found[2]) != double(found[2]):
                found[2] = expected[2]  # which NaN it is means nothing
            require(found == expected, f"zone map {found}, not {expected}")
        else:
            values = words if type_ == UINT else [signed(word) for word in words]
            expected = min(values), max(values), values[0], values[-1], sum(values)
            require(self.summary == expected, f"zone map {self.summary}, not {expected}")
