"""Log files: the header and the chain of frames that write-ahead log, manifest and series file share (FORMAT.md,
Log header, Record frame)."""

import struct
from dataclasses import dataclass

import lz4.block

from .primitives import LOG_VERSION, Cursor, require, require_version, salted_crc

HEADER_LENGTH = 64
FRAME_HEADER_LENGTH = 32
BEGIN = 3  # the kind of a log segment's first frame


@dataclass
class Frame:
    offset: int
    length: int
    end: int  # a log position
    kind: int
    sequence: int
    durable: int
    payload: bytes


class LogFile:
    """One log file in memory, its header checked."""

    def __init__(self, path, file_id, magic):
        with open(path, "rb") as file:
            self.data = file.read()
        self.id = file_id
        require(len(self.data) >= HEADER_LENGTH and self.data[:8] == magic, f"{path}: no {magic.decode()} header")
        cursor = Cursor(self.data[8:HEADER_LENGTH])
        version, checksum, named, self.made_length, self.created = (
            cursor.u32(), cursor.u32(), cursor.u64(), cursor.u64(), cursor.i64())
        require(checksum == salted_crc(file_id, 0, self.data[8:12], self.data[16:64]), f"{path}: header checksum")
        require_version(version, LOG_VERSION, path)
        self.version = version
        require(named == file_id, f"{path}: is file {named}")
        require(self.data[40:64] == bytes(24), f"{path}: reserved bytes")

    def position(self, offset):
        return self.id << 32 | offset

    def frame(self, offset):
        """The frame at an offset, or None where no valid one stands."""
        header = self.data[offset:offset + FRAME_HEADER_LENGTH]
        if len(header) < FRAME_HEADER_LENGTH or header[:4] != b"VREC" or offset % 8 != 0:
            return None
        checksum, length, kind, zeros, sequence, durable = struct.unpack("<IIB3sQQ", header[4:])
        end = offset + FRAME_HEADER_LENGTH + length
        if end > len(self.data) or salted_crc(self.id, offset, self.data[offset + 8:end]) != checksum:
            return None
        require(zeros == bytes(3), f"file {self.id}: reserved bytes in the frame at {offset}")
        payload = self.data[offset + FRAME_HEADER_LENGTH:end]
        length = -(-(end - offset) // 8) * 8
        if any(self.data[end:offset + length]):
            return None
        return Frame(offset, length, self.position(offset + length), kind, sequence, durable, payload)

    def chain(self, offset=HEADER_LENGTH, limit=None):
        """The frames from an offset on, as far as they are valid; none at or behind the position `limit`."""
        while (limit is None or self.position(offset) < limit) and (frame := self.frame(offset)):
            yield frame
            offset += frame.length

    def begin(self):
        """Where the log ended before this segment; 0 if the segment does not say."""
        frame = self.frame(HEADER_LENGTH)
        return Cursor(frame.payload).u64() if frame and frame.kind == BEGIN else 0

    def all_frames(self):
        """Every valid frame at any place, in the chain or behind its end."""
        offset = self.data.find(b"VREC", HEADER_LENGTH)
        while offset >= 0:
            frame = self.frame(offset)
            if frame:
                yield frame
            offset = self.data.find(b"VREC", offset + 4)


def unwrap(payload, met):
    """The body of a wrapped payload."""
    cursor = Cursor(payload)
    compression, length = cursor.u8(), cursor.u32()
    rest = payload[cursor.position:]
    met["log compression", compression] += 1
    require(compression in (0, 1), f"compression {compression}")
    body = lz4.block.decompress(rest, uncompressed_size=length) if compression == 1 else rest
    require(len(body) == length, "a wrapped body has another length than it says")
    return body
