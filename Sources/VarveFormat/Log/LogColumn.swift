// Columns in commit records: cheap to write, since every row passes here once, and small enough for LZ4 to finish.
//
// A run of words is stored as the least of them and, for each, its distance from that in 0, 1, 2, 4 or 8 bytes.
//   u8 width · u64 least · words × width
// Times are stored as differences from the row before when that is narrower (u8 form: 0 plain, 1 differences).
// FORMAT.md, "Commit record".

import VarveCore

package enum LogColumn {
  // MARK: Writing

  static func append(series: UnsafeBufferPointer<UInt32>, to out: inout ByteWriter) {
    let words = Buffer<UInt64>(capacity: series.count)
    for i in 0..<series.count { words.base[i] = UInt64(series[i]) }
    words.count = series.count
    append(words: words.span, to: &out)
  }

  static func append(times: UnsafeBufferPointer<Int64>, to out: inout ByteWriter) {
    let differences = Buffer<UInt64>(capacity: times.count)
    var previous: Int64 = 0
    for i in 0..<times.count {
      differences.base[i] = UInt64(bitPattern: times[i] &- previous)
      previous = times[i]
    }
    differences.count = times.count
    // The first difference is the first time itself: kept apart, so that it does not widen the rest.
    differences.base[0] = times.count > 1 ? differences.base[1] : 0
    let plain = UnsafeRawBufferPointer(times).assumingMemoryBound(to: UInt64.self)
    if width(range(differences.span).spread) < width(range(plain).spread) {
      out.append(byte: 1)
      out.append(u64: UInt64(bitPattern: times[0]))
      append(words: differences.span, to: &out)
    } else {
      out.append(byte: 0)
      append(words: plain, to: &out)
    }
  }

  static func append(_ column: FieldColumn, to out: inout ByteWriter) {
    out.append(byte: column.type.rawValue)
    if let states = column.states {
      out.append(byte: 1)
      out.append(UnsafeRawBufferPointer(states.span))
    } else {
      out.append(byte: 0)
    }
    guard let text = column.text else {
      append(words: column.words.span, to: &out)
      return
    }
    // Only the bytes that rows refer to: lengths, then the strings one after the other.
    let lengths = Buffer<UInt64>(capacity: column.count)
    var total = 0
    for word in column.words.span {
      lengths.append(UInt64(TextRef(word: word).length))
      total += TextRef(word: word).length
    }
    append(words: lengths.span, to: &out)
    out.append(varint: UInt64(total))
    for word in column.words.span {
      let ref = TextRef(word: word)
      out.append(UnsafeRawBufferPointer(start: text.base + ref.offset, count: ref.length))
    }
  }

  private static func append(words: UnsafeBufferPointer<UInt64>, to out: inout ByteWriter) {
    let (least, spread) = range(words)
    let width = width(spread)
    out.append(byte: UInt8(width))
    out.append(u64: least)
    out.append(uninitialized: words.count * width) { raw in
      switch width {
      case 1: for i in 0..<words.count { raw[i] = UInt8(truncatingIfNeeded: words[i] &- least) }
      case 2: narrow(words, least, raw, UInt16.self)
      case 4: narrow(words, least, raw, UInt32.self)
      case 8: narrow(words, least, raw, UInt64.self)
      default: break
      }
    }
  }

  @inline(__always)
  private static func narrow<T: FixedWidthInteger>(
    _ words: UnsafeBufferPointer<UInt64>, _ least: UInt64, _ raw: UnsafeMutableRawBufferPointer, _: T.Type
  ) {
    for i in 0..<words.count {
      raw.storeBytes(
        of: T(truncatingIfNeeded: words[i] &- least).littleEndian, toByteOffset: i * MemoryLayout<T>.size, as: T.self)
    }
  }

  /// The least word, as a signed number, and the distance of the greatest from it.
  private static func range(_ words: UnsafeBufferPointer<UInt64>) -> (least: UInt64, spread: UInt64) {
    var least = Int64.max
    var greatest = Int64.min
    for word in words {
      let value = Int64(bitPattern: word)
      least = min(least, value)
      greatest = max(greatest, value)
    }
    guard least <= greatest else { return (0, 0) }
    return (UInt64(bitPattern: least), UInt64(bitPattern: greatest &- least))
  }

  private static func width(_ spread: UInt64) -> Int {
    if spread == 0 { return 0 }
    if spread <= 0xFF { return 1 }
    if spread <= 0xFFFF { return 2 }
    if spread <= 0xFFFF_FFFF { return 4 }
    return 8
  }

  // MARK: Reading

  static func readSeries(_ count: Int, from reader: inout ByteReader) throws -> Buffer<UInt32> {
    let words = try readWords(count, from: &reader)
    let series = Buffer<UInt32>(capacity: count)
    for word in words.span {
      guard word < UInt64(UInt32.max) else { throw VarveError(.corruption, "a record names a series beyond 32 bits") }
      series.append(UInt32(word))
    }
    return series
  }

  static func readTimes(_ count: Int, from reader: inout ByteReader) throws -> Buffer<Int64> {
    let form = try reader.readByte()
    guard form <= 1 else { throw VarveError(.corruption, "a record stores its times in an unknown form (\(form))") }
    let first = form == 1 ? Int64(bitPattern: try reader.readUInt64()) : 0
    let words = try readWords(count, from: &reader)
    let times = Buffer<Int64>(capacity: count)
    var time = first
    for i in 0..<count {
      if form == 0 {
        time = Int64(bitPattern: words.base[i])
      } else if i > 0 {
        time = time &+ Int64(bitPattern: words.base[i])
      }
      times.append(time)
    }
    return times
  }

  static func readField(_ count: Int, from reader: inout ByteReader) throws -> FieldColumn {
    guard let type = FieldType(rawValue: try reader.readByte()) else {
      throw VarveError(.corruption, "a record holds a field of unknown type")
    }
    var states: Buffer<UInt8>?
    switch try reader.readByte() {
    case 0: break
    case 1:
      let read = Buffer<UInt8>(capacity: count)
      for state in try reader.readBytes(count) {
        guard state <= CellState.null.rawValue else {
          throw VarveError(.corruption, "a record holds an unknown cell state")
        }
        read.append(state)
      }
      states = read
    default: throw VarveError(.corruption, "a record holds cell states in an unknown form")
    }
    let words = try readWords(count, from: &reader)
    guard type == .text else { return FieldColumn(type: type, words: words, states: states) }
    var total = 0
    for length in words.span {
      guard length < 1 << 24 else { throw VarveError(.corruption, "a record holds a string longer than text can be") }
      total += Int(length)
    }
    guard try reader.readVarint() == UInt64(total) else {
      throw VarveError(.corruption, "a record's string lengths do not add up")
    }
    let text = Buffer<UInt8>(try reader.readBytes(total))
    var offset = 0
    for i in 0..<count {
      let length = Int(words.base[i])
      words.base[i] = length == 0 ? 0 : TextRef(offset: offset, length: length).word
      offset += length
    }
    return FieldColumn(type: type, words: words, text: text, states: states)
  }

  private static func readWords(_ count: Int, from reader: inout ByteReader) throws -> Buffer<UInt64> {
    let width = Int(try reader.readByte())
    let least = try reader.readUInt64()
    guard [0, 1, 2, 4, 8].contains(width) else {
      throw VarveError(.corruption, "a record's column has an impossible width (\(width))")
    }
    let bytes = try reader.readBytes(count * width)
    let words = Buffer<UInt64>(capacity: count)
    words.count = count
    bytes.withUnsafeBytes { raw in
      let out = words.base
      switch width {
      case 0: for i in 0..<count { out[i] = least }
      case 1: for i in 0..<count { out[i] = UInt64(raw[i]) &+ least }
      case 2: widen(raw, least, out, count, UInt16.self)
      case 4: widen(raw, least, out, count, UInt32.self)
      default: widen(raw, least, out, count, UInt64.self)
      }
    }
    return words
  }

  @inline(__always)
  private static func widen<T: FixedWidthInteger>(
    _ raw: UnsafeRawBufferPointer, _ least: UInt64, _ out: UnsafeMutablePointer<UInt64>, _ count: Int, _: T.Type
  ) {
    for i in 0..<count {
      let value = T(littleEndian: raw.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: T.self))
      out[i] = UInt64(truncatingIfNeeded: value) &+ least
    }
  }
}
