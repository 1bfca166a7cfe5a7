"""A data directory as a whole: manifest, series file, chunks and write-ahead log, merged into rows (FORMAT.md, The data
directory, Write-ahead log, Manifest, Series file)."""

import os
from collections import Counter
from dataclasses import dataclass, field

from .chunk import Chunk
from .dimensions import read_file
from .logfile import BEGIN, HEADER_LENGTH, LogFile, unwrap
from .primitives import Cursor, require, signed
from .records import ABSENT, TAG, VALUE, Catalog, read_commit, read_deletion
from .rollups import State, read_state
from .stubs import Stub

CHECKPOINT, EDIT, MANIFEST_MARK = 1, 2, 3
COMMIT, MARK = 1, 2
ARCHIVED = 3


@dataclass
class Row:
    """One identity. `fields` maps the name of each column that was written to its cell: a word, a text as bytes, or
    None for NULL."""
    tags: dict
    time: int
    fields: dict = field(default_factory=dict)


class Directory:
    """`tables` maps a name to its Table of records.py, `rows` a name to Rows sorted by (series, time), `dimensions` the
    name of a dimension table to its rows by column name, in order of key, and `met` counts what forms the files had."""

    def __init__(self, path, objects=None):
        """`objects` is the directory that is the archive."""
        self.path, self.met, self.catalog, self.objects = path, Counter(), Catalog(), objects
        self._read_manifest()
        self._read_series()
        self._read_dimensions()
        cells = {}  # (table id, series, time): {column id: cell}
        for chunk, deletions in self._chunks():
            for block in chunk.decoded():
                merge(block, cells, deletions)
        for sequence, deletions, blocks, steps in self._log():
            self._mark(sequence, deletions, blocks, steps)
            for place in [place for place in cells if any(each.covers(*place) for each in deletions)]:
                del cells[place]
            for block in blocks:
                merge(block, cells)
        self.tables = {table.name: table for table in self.catalog.tables.values()}
        self.rows = self._rows(cells)
        self.dimensions = {each.name: list(each.named_rows()) for each in self.catalog.dimensions.values()}

    def _files(self, folder, suffix):
        """Id and path of each file of a kind, by id; unfinished files have another suffix."""
        names = [name for name in os.listdir(os.path.join(self.path, folder)) if name.endswith(suffix)]
        return sorted((int(name[:-len(suffix)]), os.path.join(self.path, folder, name)) for name in names)

    def _read_manifest(self):
        file_id, path = self._files("manifest", ".manifest")[-1]
        file = LogFile(path, file_id, b"VARVEMAN")
        require(len(file.data) >= file.made_length, "the manifest is shorter than it was made")
        self.live, self.tombstones, self.sequence, end, number = {}, {}, 0, HEADER_LENGTH, 0
        self.flushed = self.log_start = 0
        self.dimension_files, self.states = {}, {}
        for frame in file.chain():
            self.met["manifest frame", frame.kind] += 1
            if frame.kind == MANIFEST_MARK:
                require(frame.payload == b"" and frame.sequence == number, "a mark of the manifest")
            else:
                require(frame.kind == (CHECKPOINT if number == 0 else EDIT), f"a manifest frame of kind {frame.kind}")
                require(number == 0 or frame.sequence == number + 1, "edits out of order")
                number = frame.sequence
                self._apply(unwrap(frame.payload, self.met), file.version)
            end = frame.end
        require(number > 0, "the manifest has no checkpoint")
        require(all(frame.durable <= end for frame in file.all_frames()), "the manifest is damaged at its end")

    def _apply(self, body, version):
        cursor = Cursor(body)
        cursor.zigzag()
        flushed, start = cursor.varint(), cursor.varint()
        require(flushed >= self.flushed and start >= self.log_start, "an edit goes back")
        self.flushed, self.log_start = flushed, start
        self.series_file, self.series_length = cursor.varint(), cursor.varint()
        self.next_file, next_table = cursor.varint(), cursor.varint()
        self.catalog.read_changes(cursor, version)
        require(next_table >= self.catalog.next_table, "a table id beyond the next one")
        self.catalog.next_table = next_table
        for _ in range(cursor.varint()):
            del self.live[cursor.varint()]
        for _ in range(cursor.varint()):
            entry = {"id": cursor.varint(), "table": cursor.varint(), "partition": cursor.zigzag(),
                     "bytes": cursor.varint(), "rows": cursor.varint(), "values": cursor.varint(),
                     "least_time": cursor.zigzag(), "greatest_time": cursor.zigzag()}
            for name in ("first_series", "last_series", "first_sequence", "last_sequence"):
                entry[name] = cursor.varint()
            entry["level"], entry["deleted_through"] = 0, entry["last_sequence"]
            if version >= 2:
                entry["level"] = cursor.u8()
                entry["deleted_through"] += cursor.varint()
                require(entry["level"] <= (3 if version >= 6 else 2), f"chunk {entry['id']} is of level {entry['level']}")
                if entry["level"] == ARCHIVED:
                    entry["object_bytes"] = cursor.varint()
            require(entry["id"] not in self.live, f"chunk {entry['id']} is added twice")
            self.live[entry["id"]] = entry
        self.live = {id_: entry for id_, entry in self.live.items() if entry["table"] in self.catalog.tables}
        if version >= 2:
            self._apply_tombstones(cursor)
        self.tombstones = {key: each for key, each in self.tombstones.items() if key[0] in self.catalog.tables}
        if version >= 3:
            for _ in range(cursor.varint()):
                del self.dimension_files[cursor.varint()]
            for _ in range(cursor.varint()):
                entry = {name: cursor.varint() for name in ("id", "table", "bytes", "rows", "sequence")}
                require(entry["sequence"] <= self.flushed, "a dimension file of a commit that is not flushed")
                self.dimension_files[entry["table"]] = entry
        self.dimension_files = {table: entry for table, entry in self.dimension_files.items()
                                if table in self.catalog.dimensions}
        if version >= 4:
            for _ in range(cursor.varint()):
                table, state = read_state(cursor)
                require(all(each[2] <= flushed for each in state.invalid), "a mark of a commit that is not flushed")
                self.states[table] = state
        self.states = {table: state for table, state in self.states.items() if table in self.catalog.rollups}
        cursor.end("an edit")

    def _mark(self, sequence, deletions, blocks, steps):
        """What a commit makes of the rollups' states."""
        self.states = {table: state for table, state in self.states.items() if table in self.catalog.rollups}
        for table, definition in self.catalog.rollups.items():
            state = self.states.get(table)
            if state is None:
                continue
            for each in deletions:
                if each.table == definition.source:
                    state.mark_range(definition, each.least_time, each.greatest_time, sequence)
            for block in blocks:
                if block.table == definition.source:
                    state.mark_times(definition, [signed(time) for time in block.times], sequence)
        for table, step in steps:
            require(table in self.catalog.rollups, "a step of no rollup")
            self.states.setdefault(table, State()).apply(step, sequence)

    def _read_dimensions(self):
        if not self.dimension_files:
            return
        paths = dict(self._files("dimensions", ".dimension"))
        for table, entry in self.dimension_files.items():
            read_file(paths[entry["id"]], entry, self.catalog.dimensions[table], self.met)

    def _apply_tombstones(self, cursor):
        for _ in range(cursor.varint()):
            del self.tombstones[cursor.varint(), cursor.varint()]
        added = {}
        for _ in range(cursor.varint()):
            sequence = cursor.varint()
            require(sequence <= self.flushed, "a tombstone of a commit that is not flushed")
            deletion = read_deletion(cursor, self.met)
            added.setdefault((deletion.table, sequence), []).append(deletion)
        require(not added.keys() & self.tombstones.keys(), "a tombstone is added twice")
        self.tombstones.update(added)

    def _read_series(self):
        path = dict(self._files("series", ".series"))[self.series_file]
        file = LogFile(path, self.series_file, b"VARVESER")
        require(len(file.data) >= self.series_length, "the series file is too short")
        end = HEADER_LENGTH
        for frame in file.chain():
            if frame.offset >= self.series_length:
                break
            require((frame.kind, frame.sequence, frame.durable) == (1, 0, 0), "a frame of the series file")
            cursor = Cursor(unwrap(frame.payload, self.met))
            self.catalog.read_series(cursor)
            cursor.end("a series record")
            end = frame.offset + frame.length
        require(end == self.series_length, "the series file is damaged")

    def _chunks(self):
        """Live chunks, oldest writes first, each with the deletions that cover rows of it."""
        paths = dict(self._files("chunks", ".chunk"))
        for entry in sorted(self.live.values(), key=lambda entry: entry["first_sequence"]):
            path, data = paths[entry["id"]], None
            if entry["level"] == ARCHIVED:
                stub = Stub(path, entry["id"], self.met, self.objects)
                require((entry["bytes"], entry["object_bytes"]) == (len(stub.data), stub.object_length), f"{path}: length")
                data = stub.chunk
            chunk = Chunk(path, entry["id"], self.met, data)
            require(data is not None or entry["bytes"] == len(chunk.data), f"{path}: length")
            require(chunk.last_sequence <= self.flushed, f"{chunk.path}: rows that are not flushed")
            for name in entry.keys() - {"id", "bytes", "object_bytes", "level", "deleted_through"}:
                require(getattr(chunk, name) == entry[name], f"{chunk.path}: {name} is not what the manifest says")
            table = self.catalog.tables[chunk.table]
            require(all(table.columns[column][1] == type_ for column, type_ in chunk.columns), f"{chunk.path}: columns")
            self.met["chunk level", entry["level"]] += 1
            yield chunk, [each for (_, sequence), deletions in self.tombstones.items()
                          if sequence > entry["deleted_through"] for each in deletions]

    def _log(self):
        """What commits say that no chunk has, in order: deletions, then blocks of rows; applies catalog changes and series
        on the way."""
        segments = [LogFile(path, id_, b"VARVEWAL") for id_, path in self._files("wal", ".wal")]
        for segment in segments:
            require(len(segment.data) == segment.made_length, f"segment {segment.id}: length")
        begins = {segment.id: segment.begin() for segment in segments}
        self.log_end, sequence, claims = self.log_start, self.flushed, [0]
        for segment in segments:
            if segment.id == self.log_start >> 32:
                offset = max(HEADER_LENGTH, self.log_start & 0xFFFFFFFF)
            elif segment.id > self.log_start >> 32 and begins[segment.id] == self.log_end:
                offset = HEADER_LENGTH
            else:
                claims += [frame.durable for frame in segment.all_frames()]
                continue
            self.met["log segment", "the first" if sequence == self.flushed else "a further one"] += 1
            ends = [begin for id_, begin in begins.items() if id_ > segment.id and begin >> 32 == segment.id]
            for frame in segment.chain(offset, limit=ends[-1] if ends else None):
                self.log_end = frame.end
                claims.append(frame.durable)
                self.met["log frame", frame.kind] += 1
                require(frame.kind in (COMMIT, MARK, BEGIN), f"a log frame of kind {frame.kind}")
                if frame.kind == COMMIT:
                    sequence += 1
                    require(frame.sequence == sequence, "commits out of order")
                    commit = read_commit(unwrap(frame.payload, self.met), self.catalog, self.met, segment.version)
                    yield (sequence, *commit)
            claims += ends[-1:] or [frame.durable for frame in segment.all_frames()]
        require(max(claims) <= self.log_end, "the log is damaged at its end")

    def _rows(self, cells):
        rows = {name: [] for name in self.tables}
        for (table_id, series, time), columns in sorted(cells.items(), key=lambda item: item[0]):
            if table_id not in self.catalog.tables:
                continue
            table = self.catalog.tables[table_id]
            tags = {table.columns[column][0]: value for column, value in table.series[series].items()}
            fields = {table.columns[column][0]: cell for column, cell in columns.items()}
            require(all(table.columns[column][1] != TAG for column in columns), "a tag is written as a field")
            rows[table.name].append(Row(tags, time, fields))
        return rows


def merge(block, cells, deletions=()):
    """Lays the rows of a block over older ones, field by field; rows that are deleted are no rows."""
    merged = []
    for series, time in zip(block.series, block.times):
        place = (block.table, series, signed(time))
        is_deleted = any(each.covers(*place) for each in deletions)
        merged.append({} if is_deleted else cells.setdefault(place, {}))
    for column, (_, states, values) in block.fields.items():
        for row, state, value in zip(merged, states, values):
            if state != ABSENT:
                row[column] = value if state == VALUE else None
