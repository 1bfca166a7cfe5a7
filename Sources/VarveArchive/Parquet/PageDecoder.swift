// One data page as a vector. Total.

import VarveCore
import VarveFormat

/// The values that indices of pages refer to.
struct PageDictionary: Sendable {
  let words: Buffer<UInt64>
  /// What words of texts refer to.
  let bytes: Buffer<UInt8>?

  init(_ column: ParquetColumn, _ header: ParquetPageHeader, _ body: [UInt8]) throws {
    guard header.encoding == .plain || header.encoding == .plainDictionary else {
      throw VarveError(.corruption, "a dictionary that is not plain")
    }
    // Not more values than bytes: a bit is the least, and dictionaries of booleans are not written.
    guard header.valueCount <= body.count else {
      throw VarveError(.corruption, "a dictionary of \(header.valueCount) values in \(body.count) bytes")
    }
    let bytes: Buffer<UInt8>? = column.type.isBytes ? Buffer(capacity: body.count) : nil
    words = try body.withUnsafeBytes { body in
      var reader = ByteReader(body)
      return try PlainValues.decode(&reader, column, count: header.valueCount, bytes: bytes)
    }
    self.bytes = bytes
  }
}

struct PageDecoder {
  /// Rows of a page. Pages of the formats' own writers have some ten thousand; runs could claim any number.
  static let rowLimit = 1 << 24

  let column: ParquetColumn
  private var dictionary: PageDictionary?

  init(_ column: ParquetColumn, _ dictionary: PageDictionary? = nil) {
    self.column = column
    self.dictionary = dictionary
  }

  /// Texts that one page may become where they are told by what they share with others.
  private static let textByteLimit = 1 << 30

  mutating func takeDictionary(_ header: ParquetPageHeader, _ body: [UInt8]) throws {
    guard dictionary == nil else { throw VarveError(.corruption, "a column chunk with two dictionaries") }
    dictionary = try PageDictionary(column, header, body)
  }

  /// The rows of a data page whose body was unpacked. `isWhole`: values that end before the body does are an error; some
  /// writers leave room behind them.
  func decode(_ header: ParquetPageHeader, _ body: [UInt8], isWhole: Bool = false) throws -> ParquetVector {
    guard header.valueCount <= Self.rowLimit else {
      throw VarveError(
        .limitExceeded, "a page of \(header.valueCount) rows: pages of more than \(Self.rowLimit) are not read",
        hint: "Write the file with smaller pages.")
    }
    return try body.withUnsafeBytes { body in
      var reader = ByteReader(body)
      let presence = try readLevels(&reader, header)
      let count = presence.map { $0.span.reduce(0) { $0 + Int($1) } } ?? header.valueCount
      let (words, bytes) = try readValues(&reader, header.encoding, count: count)
      if isWhole, !reader.isAtEnd { throw VarveError(.corruption, "bytes stand behind the values of a page") }
      guard let presence, count < header.valueCount else { return ParquetVector(words: words, bytes: bytes) }
      return ParquetVector(words: Self.spread(words, presence), bytes: bytes, presence: presence)
    }
  }

  /// 1 where a row has a value; nil: the column has one in each.
  private func readLevels(_ reader: inout ByteReader, _ header: ParquetPageHeader) throws -> Buffer<UInt8>? {
    if header.type == .dataV2 {
      try reader.skip(header.repetitionByteCount)
      var levels = ByteReader(try reader.readRaw(header.definitionByteCount))
      if column.isRequired { return nil }
      return try Self.presence(&levels, .runLength, count: header.valueCount)
    }
    if column.isRequired { return nil }
    if header.definitionEncoding == .bitPacked {
      var levels = ByteReader(try reader.readRaw((header.valueCount + 7) / 8))
      return try Self.presence(&levels, .bitPacked, count: header.valueCount)
    }
    var levels = ByteReader(try reader.readRaw(Int(try reader.readUInt32())))
    return try Self.presence(&levels, .runLength, count: header.valueCount)
  }

  private static func presence(_ reader: inout ByteReader, _ encoding: ParquetEncoding, count: Int) throws
    -> Buffer<UInt8>?
  {
    if encoding == .runLength, HybridRuns.isOneRun(reader, of: count) { return nil }
    let words = Buffer<UInt64>(repeating: 0, count: count)
    if encoding == .runLength {
      try HybridRuns.decode(&reader, width: 1, count: count, into: words.base)
    } else {
      // The old form counts bits from the greatest.
      let raw = try reader.readRaw((count + 7) / 8)
      for index in 0..<count { words.base[index] = UInt64(raw[index >> 3] >> UInt8(7 - index & 7) & 1) }
    }
    let presence = Buffer<UInt8>(capacity: count)
    for index in 0..<count { presence.append(UInt8(truncatingIfNeeded: words.base[index] & 1)) }
    return presence
  }

  private static func spread(_ words: Buffer<UInt64>, _ presence: Buffer<UInt8>) -> Buffer<UInt64> {
    let out = Buffer<UInt64>(repeating: 0, count: presence.count)
    var next = 0
    for row in 0..<presence.count where presence.base[row] != 0 {
      out.base[row] = words.base[next]
      next += 1
    }
    return out
  }

  // MARK: Values

  private func readValues(_ reader: inout ByteReader, _ encoding: ParquetEncoding, count: Int) throws
    -> (Buffer<UInt64>, Buffer<UInt8>?)
  {
    let bytes: Buffer<UInt8>? = column.type.isBytes ? Buffer() : nil
    switch encoding {
    case .plain:
      bytes?.reserve(reader.remaining)
      return (try PlainValues.decode(&reader, column, count: count, bytes: bytes), bytes)
    case .plainDictionary, .dictionary: return try readIndices(&reader, count: count)
    case .runLength where column.type == .boolean:
      var runs = ByteReader(try reader.readRaw(Int(try reader.readUInt32())))
      let words = Buffer<UInt64>(repeating: 0, count: count)
      try HybridRuns.decode(&runs, width: 1, count: count, into: words.base)
      return (words, nil)
    case .deltaBinaryPacked where column.type == .int32 || column.type == .int64:
      return (try DeltaIntegers.decode(&reader, count: count, isNarrow: column.type == .int32), nil)
    case .byteStreamSplit: return try readSplit(&reader, count: count)
    case .deltaLengthBytes:
      guard let bytes, column.type == .bytes else { break }
      return (try Self.readLengths(&reader, count: count, bytes), bytes)
    case .deltaBytes:
      guard let bytes else { break }
      return (try readShared(&reader, count: count, bytes), bytes)
    default: break
    }
    throw VarveError(.unsupported, "values of type \(column.type) encoded as \(encoding) are not read")
  }

  private func readIndices(_ reader: inout ByteReader, count: Int) throws -> (Buffer<UInt64>, Buffer<UInt8>?) {
    guard let dictionary else { throw VarveError(.corruption, "a page refers to a dictionary that is not there") }
    let words = Buffer<UInt64>(repeating: 0, count: count)
    // A page of NULL alone may end before the width.
    if count == 0 { return (words, dictionary.bytes) }
    let width = Int(try reader.readByte())
    try HybridRuns.decode(&reader, width: width, count: count, into: words.base)
    let limit = UInt64(dictionary.words.count)
    for index in 0..<count {
      let code = words.base[index]
      guard code < limit else { throw VarveError(.corruption, "an index beyond the dictionary's \(limit) values") }
      words.base[index] = dictionary.words.base[Int(code)]
    }
    return (words, dictionary.bytes)
  }

  private func readSplit(_ reader: inout ByteReader, count: Int) throws -> (Buffer<UInt64>, Buffer<UInt8>?) {
    switch column.type {
    case .float: return (try PlainValues.unsplit(&reader, byteWidth: 4, count: count), nil)
    case .double, .int64: return (try PlainValues.unsplit(&reader, byteWidth: 8, count: count), nil)
    case .int32:
      let words = try PlainValues.unsplit(&reader, byteWidth: 4, count: count)
      for index in 0..<count {
        words.base[index] = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: words.base[index])))
      }
      return (words, nil)
    case .fixedBytes:
      let width = column.byteWidth
      let (byteCount, isBeyond) = count.multipliedReportingOverflow(by: width)
      guard !isBeyond else { throw VarveError(.corruption, "\(count) values of \(width) bytes") }
      let raw = try reader.readRaw(byteCount)
      let (words, bytes) = (Buffer<UInt64>(capacity: count), Buffer<UInt8>(capacity: byteCount))
      for index in 0..<count {
        words.append(TextRef(offset: bytes.count, length: width).word)
        for byte in 0..<width { bytes.append(raw[byte * count + index]) }
      }
      return (words, bytes)
    default: throw VarveError(.unsupported, "values of type \(column.type) in split bytes are not read")
    }
  }

  /// Lengths, then all texts.
  private static func readLengths(_ reader: inout ByteReader, count: Int, _ bytes: Buffer<UInt8>) throws
    -> Buffer<UInt64>
  {
    let lengths = try DeltaIntegers.decode(&reader, count: count, isNarrow: true)
    bytes.reserve(reader.remaining)
    for index in 0..<count {
      let text = try reader.readRaw(Int(Int64(bitPattern: lengths.base[index])))
      lengths.base[index] = try PlainValues.append(text, to: bytes)
    }
    return lengths
  }

  /// How much of the text before each begins with, then what follows.
  private func readShared(_ reader: inout ByteReader, count: Int, _ bytes: Buffer<UInt8>) throws -> Buffer<UInt64> {
    let shared = try DeltaIntegers.decode(&reader, count: count, isNarrow: true)
    let lengths = try DeltaIntegers.decode(&reader, count: count, isNarrow: true)
    var last = TextRef(offset: 0, length: 0)
    for index in 0..<count {
      let prefix = Int(Int64(bitPattern: shared.base[index]))
      let suffix = try reader.readRaw(Int(Int64(bitPattern: lengths.base[index])))
      guard (0...last.length).contains(prefix), column.type == .bytes || prefix + suffix.count == column.byteWidth
      else {
        throw VarveError(.corruption, "a text shares \(prefix) bytes with one of \(last.length)")
      }
      guard bytes.count + prefix <= Self.textByteLimit, prefix + suffix.count < 1 << 24 else {
        throw VarveError(.limitExceeded, "the texts of a page take more than 1 GiB, or one more than 16 MiB")
      }
      let offset = bytes.count
      bytes.reserve(prefix)
      (bytes.base + offset).update(from: bytes.base + last.offset, count: prefix)
      bytes.count = offset + prefix
      bytes.append(suffix.bindMemory(to: UInt8.self))
      last = TextRef(offset: offset, length: prefix + suffix.count)
      shared.base[index] = last.word
    }
    return shared
  }
}
