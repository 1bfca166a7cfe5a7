"""Numbers, varints and checksums (FORMAT.md, Primitives). A Cursor never reads past its bytes: it raises Damaged."""

import struct

MASK = (1 << 64) - 1
LOG_VERSION, CHUNK_VERSION = 6, 2  # the newest that this reads


class Damaged(Exception):
    """The bytes break a rule of FORMAT.md."""


class NewerVersion(Exception):
    """The file is of a version that this reader does not know."""


def require(condition, message):
    if not condition:
        raise Damaged(message)


def require_version(version, newest, path):
    if version > newest:
        raise NewerVersion(f"{path} has version {version}")
    require(1 <= version, f"{path} has version {version}")


def signed(word):
    """The two's complement value of a word."""
    return word - (1 << 64) if word >> 63 else word


def double(word):
    return struct.unpack("<d", struct.pack("<Q", word))[0]


def bits(value):
    """The word of a double."""
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def _table():
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return entries


_TABLE = _table()


def crc32c(*pieces):
    value, table = 0xFFFFFFFF, _TABLE
    for piece in pieces:
        for byte in piece:
            value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def salted_crc(file_id, offset, *pieces):
    return crc32c(struct.pack("<QQ", file_id, offset), *pieces)


class Cursor:
    """Takes values from the front of some bytes."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, count):
        require(self.position + count <= len(self.data), "the bytes end too early")
        self.position += count
        return self.data[self.position - count:self.position]

    def _number(self, form, count):
        return struct.unpack(form, self.take(count))[0]

    def u8(self):
        return self._number("<B", 1)

    def u32(self):
        return self._number("<I", 4)

    def u64(self):
        return self._number("<Q", 8)

    def i64(self):
        return self._number("<q", 8)

    def f64(self):
        return self._number("<d", 8)

    def varint(self):
        value = 0
        for index in range(10):
            byte = self.u8()
            require(index < 9 or byte < 2, "a varint is longer than 64 bits")
            value |= (byte & 127) << 7 * index
            if byte < 128:
                return value

    def zigzag(self):
        word = self.varint()
        return word >> 1 ^ -(word & 1)

    def zigzag_word(self):
        return self.zigzag() & MASK

    def text(self):
        return self.take(self.varint())

    def at_end(self):
        return self.position == len(self.data)

    def end(self, what):
        require(self.position == len(self.data), f"bytes follow the end of {what}")
