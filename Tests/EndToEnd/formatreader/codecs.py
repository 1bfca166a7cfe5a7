"""Value codecs (FORMAT.md, Codecs). Numbers are words: 64-bit patterns; texts are bytes."""

import struct

from .primitives import MASK, require, signed

CODECS = ["raw", "constant", "arithmetic", "packed", "delta", "delta-of-delta", "runs", "gorilla", "integral", "bitmap",
          "dictionary", "text", "series runs", "split", "decimals", "real doubles", "value dictionary"]
BOOL, TEXT, FLOAT = 4, 5, 1


def codecs_of(type_):
    if type_ == TEXT:
        return {10, 11}
    return set(range(7)) | {13} | ({7, 8, 14, 15, 16} if type_ == FLOAT else {9} if type_ == BOOL else {16})


def read_values(codec, cursor, count, met, type_=None):
    require(codec < len(CODECS) and codec != 12, f"codec {codec}")
    met["codec", CODECS[codec]] += 1
    if codec == 16:
        return value_dictionary(cursor, count, met, type_)
    if codec <= 5:
        return read_words(codec, cursor, count, met)
    return {6: runs, 7: gorilla, 8: integral, 9: bitmap, 10: dictionary, 11: text, 13: split, 14: decimals,
            15: real_doubles}[codec](cursor, count, met)


def stream(cursor, count, met, also=(6, 13)):
    """A stream of codec 0 to 5 or of those in `also`."""
    codec = cursor.u8()
    require(codec <= 5 or codec in also, f"codec {codec} in a stream")
    met["codec in a stream", CODECS[codec]] += 1
    if codec == 13:
        return split(cursor, count, met)
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
    values = stream(cursor, number, met, also=(13,))
    lengths = stream(cursor, number, met, also=(13,))
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


def split(cursor, count, met):
    head = cursor.u8()
    width, order = head & 63, head >> 6
    require(width <= 60 and order <= 2, f"head {head} of a split stream")
    bases = [cursor.zigzag_word() for _ in range(order)]
    reference, exceptions = cursor.zigzag_word(), cursor.varint()
    symbols = read_symbols(cursor, count, met)
    require(symbols.count(15) == exceptions, "exceptions of a split stream")
    lows = packed_plainly(cursor, count, width)
    apart = iter(stream(cursor, exceptions, met, also=()) if exceptions else [])
    values = [((next(apart) if symbol == 15 else None), symbol, low) for symbol, low in zip(symbols, lows)]
    values = [(symbol << width) + low + reference & MASK if exception is None
              else (exception >> 1 ^ -(exception & 1)) + reference & MASK for exception, symbol, low in values]
    met["split of order", order] += 1
    met["split exceptions", exceptions > 0] += 1
    for base in reversed(bases):
        values = summed(base, values)
    return values


def packed_plainly(cursor, count, width):
    """Bit-packed vectors of 1,024 without a head of their own."""
    values = []
    while width and count > len(values):
        number = min(1024, count - len(values))
        values += unpack(cursor.take((number * width + 7) // 8), number, width)
    return values or [0] * count


def read_symbols(cursor, count, met):
    form = cursor.u8()
    require(form <= 1, f"form {form} of symbols")
    met["symbols of form", form] += 1
    if form == 0:
        data = cursor.take((count + 1) // 2)
        require(count % 2 == 0 or data[-1] < 16, "a half behind the last symbol")
        return [data[index // 2] >> 4 * (index % 2) & 15 for index in range(count)]
    mask = cursor.u8() | cursor.u8() << 8
    occurring = [symbol for symbol in range(16) if mask >> symbol & 1]
    require(occurring, "symbols without a symbol")
    less = unpack(cursor.take(((len(occurring) - 1) * 11 + 7) // 8), len(occurring) - 1, 11)
    frequencies = [number + 1 for number in less]
    frequencies.append(2048 - sum(frequencies))
    require(frequencies[-1] >= 1, "frequencies above their scale")
    slots = [(symbol, frequency, distance) for symbol, frequency in zip(occurring, frequencies)
             for distance in range(frequency)]
    data = cursor.take(cursor.varint())
    require(len(data) >= 32 and len(data) % 2 == 0, "bytes of coded symbols")
    states, words, symbols = list(struct.unpack("<8I", data[:32])), data[32:], []
    position = 0
    for index in range(count):
        state = states[index % 8]
        symbol, frequency, distance = slots[state % 2048]
        state = frequency * (state // 2048) + distance
        if state < 1 << 16:
            state = state << 16 | int.from_bytes(words[position:position + 2], "little")
            position += 2
        states[index % 8] = state
        symbols.append(symbol)
    require(states == [1 << 16] * 8 and position == len(words), "coded symbols do not end with their bytes")
    return symbols


def exceptions_of(cursor, count, number, size, met):
    """Positions and what stands there, `size` bytes each."""
    require(number <= count, "more exceptions than values")
    positions = stream(cursor, number, met) if number else []
    require(positions == sorted(set(positions)) and max(positions, default=-1) < count, "positions of exceptions")
    return [(position, int.from_bytes(cursor.take(size), "little")) for position in positions]


def decimals(cursor, count, met):
    exponent, exceptions = cursor.u8(), cursor.varint()
    require(exponent <= 22, f"exponent {exponent}")
    values = [float(signed(word)) / 10.0 ** exponent for word in stream(cursor, count, met)]
    words = list(struct.unpack(f"<{count}Q", struct.pack(f"<{count}d", *values)))
    for position, word in exceptions_of(cursor, count, exceptions, 8, met):
        words[position] = word
    met["decimal exceptions", exceptions > 0] += 1
    return words


def real_doubles(cursor, count, met):
    right, number = cursor.u8(), cursor.u8()
    require(48 <= right <= 63 and 1 <= number <= 8, "the cut of real doubles")
    lefts = list(struct.unpack(f"<{number}H", cursor.take(2 * number)))
    exceptions = cursor.varint()
    codes = stream(cursor, count, met)
    require(max(codes, default=0) < number, "a code behind the left parts")
    parts = [lefts[code] for code in codes]
    rights = packed_plainly(cursor, count, right)
    for position, part in exceptions_of(cursor, count, exceptions, 2, met):
        parts[position] = part
    require(max(lefts + parts) >> 64 - right == 0, "a left part that is too wide")
    met["real double exceptions", exceptions > 0] += 1
    return [part << right | low for part, low in zip(parts, rights)]


def value_dictionary(cursor, count, met, type_):
    number = cursor.varint()
    require(number <= count, "more distinct words than values")
    if type_ == FLOAT:
        codec = cursor.u8()
        require(codec in codecs_of(FLOAT) - {16}, f"codec {codec} in a dictionary")
        distinct = read_values(codec, cursor, number, met)
    else:
        distinct = stream(cursor, number, met)
    codes = stream(cursor, count, met)
    require(max(codes, default=-1) < number, "a code behind the dictionary")
    return [distinct[code] for code in codes]
