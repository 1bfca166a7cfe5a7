"""Value codecs (FORMAT.md, Codecs). Numbers are words: 64-bit patterns; texts are bytes."""

import struct

from .primitives import MASK, require, signed

CODECS = ["raw", "constant", "arithmetic", "packed", "delta", "delta-of-delta", "runs", "gorilla", "integral", "bitmap",
          "dictionary", "text"]
BOOL, TEXT, FLOAT = 4, 5, 1


def codecs_of(type_):
    if type_ == TEXT:
        return {10, 11}
    return set(range(7)) | ({7, 8} if type_ == FLOAT else {9} if type_ == BOOL else set())


def read_values(codec, cursor, count, met):
    require(codec < len(CODECS), f"codec {codec}")
    met["codec", CODECS[codec]] += 1
    if codec <= 5:
        return read_words(codec, cursor, count, met)
    return {6: runs, 7: gorilla, 8: integral, 9: bitmap, 10: dictionary, 11: text}[codec](cursor, count, met)


def stream(cursor, count, met, runs_allowed=True):
    codec = cursor.u8()
    require(codec <= (6 if runs_allowed else 5), f"codec {codec} in a stream")
    met["codec in a stream", CODECS[codec]] += 1
    return runs(cursor, count, met) if codec == 6 else read_words(codec, cursor, count, met)


def read_words(codec, cursor, count, met):
    """Values of codecs 0 to 5."""
    if codec == 0:
        return list(struct.unpack(f"<{count}Q", cursor.take(8 * count)))
    if codec == 1:
        return [cursor.zigzag_word()] * count
    if codec == 2:
        first, step = cursor.zigzag(), cursor.zigzag()
        return [(first + index * step) & MASK for index in range(count)]
    if codec == 3:
        return packed(cursor, count, met)
    base = cursor.zigzag_word()
    if codec == 4:
        return summed(base, packed(cursor, count, met))
    base_of_differences = cursor.zigzag_word()
    return summed(base, summed(base_of_differences, packed(cursor, count, met)))


def summed(value, differences):
    values = []
    for difference in differences:
        value = (value + difference) & MASK
        values.append(value)
    return values


def runs(cursor, count, met):
    number = cursor.varint()
    require(number <= count, "more runs than values")
    values = stream(cursor, number, met, runs_allowed=False)
    lengths = stream(cursor, number, met, runs_allowed=False)
    require(sum(lengths) + number == count, "run lengths do not add up")
    return [value for value, length in zip(values, lengths) for _ in range(length + 1)]


def packed(cursor, count, met):
    values = []
    while count > len(values):
        values += packed_vector(cursor, min(1024, count - len(values)), met)
    return values


def packed_vector(cursor, count, met):
    width, reference, exceptions = cursor.u8(), cursor.zigzag(), cursor.varint()
    zigzagged, width = width >= 128, width & 127
    require(width <= 64 and exceptions <= (0 if width == 64 else count), f"a vector of width {width}")
    residuals = unpack(cursor.take((count * width + 7) // 8), count, width)
    met["vector, whole", count == 1024] += 1
    met["vector, wide", width > 32] += 1
    met["vector residuals, zigzag", zigzagged] += 1
    met["vector exceptions", exceptions > 0] += 1
    position = 0
    for index in range(exceptions):
        step = cursor.varint()
        require(index == 0 or step > 0, "exceptions are out of order")
        position += step
        require(position < count, "an exception behind the vector")
        residuals[position] += cursor.varint() << width
        require(residuals[position] <= MASK, "an exception above 64 bits")
    if zigzagged:
        residuals = [residual >> 1 ^ -(residual & 1) for residual in residuals]
    return [(reference + residual) & MASK for residual in residuals]


def unpack(data, count, width):
    if width == 0:
        return [0] * count
    if count < 1024:
        mask, bits = (1 << width) - 1, int.from_bytes(data, "little")
        require(bits >> count * width == 0, "bits behind the last value")
        return [bits >> index * width & mask for index in range(count)]
    if width <= 32:
        return unpack_lanes(data, width)
    low, high = unpack_lanes(data[:4096], 32), unpack_lanes(data[4096:], width - 32)
    return [upper << 32 | lower for lower, upper in zip(low, high)]


def unpack_lanes(data, width):
    words, mask, values = struct.unpack(f"<{32 * width}I", data), (1 << width) - 1, [0] * 1024
    for lane in range(32):
        bits = int.from_bytes(struct.pack(f"<{width}I", *words[lane::32]), "little")
        for row in range(32):
            values[32 * row + lane] = bits >> row * width & mask
    return values


def gorilla(cursor, count, met):
    if count == 0:
        return []
    data, position = cursor.data[cursor.position:], 0

    def bits(number):
        nonlocal position
        require(position + number <= 8 * len(data), "a gorilla stream ends too early")
        first = position >> 3
        value = int.from_bytes(data[first:first + 10], "little") >> (position & 7) & (1 << number) - 1
        position += number
        return value

    value, window, values = bits(64), None, []
    values.append(value)
    for _ in range(count - 1):
        if bits(1):
            if bits(1):
                leading, meaningful = bits(5), bits(6) + 1
                require(leading + meaningful <= 64, "a window wider than a word")
                window = meaningful, 64 - leading - meaningful
            require(window, "no window was opened")
            value ^= bits(window[0]) << window[1]
        values.append(value)
    length = (position + 7) // 8
    require(position % 8 == 0 or data[length - 1] >> position % 8 == 0, "bits behind the last value")
    cursor.take(length)
    return values


def integral(cursor, count, met):
    values = [float(signed(word)) for word in stream(cursor, count, met)]
    return list(struct.unpack(f"<{count}Q", struct.pack(f"<{count}d", *values)))


def bitmap(cursor, count, met=None):
    bits = int.from_bytes(cursor.take((count + 7) // 8), "little")
    require(bits >> count == 0, "bits behind the last value")
    return [bits >> index & 1 for index in range(count)]


def dictionary(cursor, count, met):
    distinct = cursor.varint()
    require(distinct <= count, "more strings than values")
    lengths = stream(cursor, distinct, met)
    strings = [cursor.take(length) for length in lengths]
    codes = stream(cursor, count, met)
    require(max(codes, default=-1) < distinct, "a code behind the dictionary")
    return [strings[code] for code in codes]


def text(cursor, count, met):
    lengths = stream(cursor, count, met)
    require(max(lengths, default=0) < 1 << 24, "a text that is too long")
    return [cursor.take(length) for length in lengths]
