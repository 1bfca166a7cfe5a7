// PLAIN: values one behind the other, little-endian; bits of booleans eight a byte; texts behind their length
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/#PLAIN). And BYTE_STREAM_SPLIT, which puts the first
// bytes of all values together, then the second ones.

import VarveCore
import VarveFormat

extension ParquetColumn {
  /// Bytes of a plain value; nil: it depends on the value.
  var plainByteCount: Int? {
    switch type {
    case .int32, .float: 4
    case .int64, .double: 8
    case .int96: 12
    case .fixedBytes: byteWidth
    case .boolean, .bytes: nil
    }
  }
}

enum PlainValues {
  /// `bytes`: what words of texts refer to.
  static func encode(
    _ words: UnsafeBufferPointer<UInt64>, _ column: ParquetColumn, bytes: Buffer<UInt8>?, into out: inout ByteWriter
  ) {
    switch column.type {
    case .boolean:
      HybridRuns.pack(words, from: 0, count: (words.count + 7) / 8 * 8, width: 1, into: &out)
    case .int32, .float:
      out.append(uninitialized: words.count * 4) { room in
        for (index, word) in words.enumerated() {
          room.storeBytes(
            of: UInt32(truncatingIfNeeded: word).littleEndian, toByteOffset: index * 4, as: UInt32.self)
        }
      }
    case .int64, .double:
      out.append(uninitialized: words.count * 8) { room in
        for (index, word) in words.enumerated() {
          room.storeBytes(of: word.littleEndian, toByteOffset: index * 8, as: UInt64.self)
        }
      }
    case .bytes, .fixedBytes:
      guard let bytes else { preconditionFailure("texts stand in bytes") }
      for word in words {
        let ref = TextRef(word: word)
        if column.type == .bytes { out.append(u32: UInt32(ref.length)) }
        out.append(UnsafeRawBufferPointer(start: bytes.base + ref.offset, count: ref.length))
      }
    case .int96: preconditionFailure("INT96 is not written")
    }
  }

  /// One value.
  static func bytes(_ word: UInt64, _ column: ParquetColumn, bytes: Buffer<UInt8>?) -> [UInt8] {
    if column.type == .boolean { return [UInt8(word)] }
    if let bytes, column.type.isBytes {
      let ref = TextRef(word: word)
      return Array(UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length))
    }
    return (0..<(column.plainByteCount ?? 0)).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
  }

  static func split(_ words: UnsafeBufferPointer<UInt64>, byteWidth: Int, into out: inout ByteWriter) {
    out.append(uninitialized: words.count * byteWidth) { room in
      for byte in 0..<byteWidth {
        let (shift, start) = (UInt64(byte * 8), byte * words.count)
        for index in 0..<words.count { room[start + index] = UInt8(truncatingIfNeeded: words[index] &>> shift) }
      }
    }
  }

  // MARK: Reading

  /// Reads `count` values; texts are appended to `bytes`. Total.
  static func decode(
    _ reader: inout ByteReader, _ column: ParquetColumn, count: Int, bytes: Buffer<UInt8>?
  ) throws -> Buffer<UInt64> {
    let out = Buffer<UInt64>(repeating: 0, count: count)
    let words = out.base
    switch column.type {
    case .boolean: try HybridRuns.unpack(&reader, count: count, width: 1, into: words)
    case .int32:
      let raw = try reader.readRaw(count * 4)
      for index in 0..<count {
        let value = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
        words[index] = UInt64(bitPattern: Int64(value))
      }
    case .float:
      let raw = try reader.readRaw(count * 4)
      for index in 0..<count {
        words[index] = UInt64(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
      }
    case .int64, .double:
      let raw = try reader.readRaw(count * 8)
      for index in 0..<count {
        words[index] = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
    case .int96:
      for index in 0..<count { words[index] = UInt64(bitPattern: try readOldTime(&reader)) }
    case .bytes:
      guard let bytes else { preconditionFailure("texts stand in bytes") }
      for index in 0..<count {
        words[index] = try append(try reader.readRaw(Int(try reader.readUInt32())), to: bytes)
      }
    case .fixedBytes:
      guard let bytes else { preconditionFailure("texts stand in bytes") }
      for index in 0..<count { words[index] = try append(try reader.readRaw(column.byteWidth), to: bytes) }
    }
    return out
  }

  /// Puts a text behind others, and gives its reference.
  static func append(_ text: UnsafeRawBufferPointer, to bytes: Buffer<UInt8>) throws -> UInt64 {
    guard text.count < 1 << 24, bytes.count < 1 << 39 else {
      throw VarveError(
        .limitExceeded, "a value of \(text.count) bytes: values of more than 16 MiB are not read",
        hint: "Store what is so large beside the table.")
    }
    let ref = TextRef(offset: bytes.count, length: text.count)
    bytes.append(text.bindMemory(to: UInt8.self))
    return ref.word
  }

  /// Nanoseconds since 1970 of an INT96.
  private static func readOldTime(_ reader: inout ByteReader) throws -> Int64 {
    let nanoseconds = try reader.readInt64()
    let day = Int64(Int32(bitPattern: try reader.readUInt32())) - 2_440_588
    let (start, isBeyond) = day.multipliedReportingOverflow(by: 86_400_000_000_000)
    let (time, isBeyondToo) = start.addingReportingOverflow(nanoseconds)
    guard !isBeyond, !isBeyondToo else {
      throw VarveError(.invalidTimestamp, "a time beyond the years 1677 to 2262")
    }
    return time
  }

  static func unsplit(_ reader: inout ByteReader, byteWidth: Int, count: Int) throws -> Buffer<UInt64> {
    let raw = try reader.readRaw(count * byteWidth)
    let out = Buffer<UInt64>(repeating: 0, count: count)
    for byte in 0..<byteWidth {
      let (shift, start) = (UInt64(byte * 8), byte * count)
      for index in 0..<count { out.base[index] |= UInt64(raw[start &+ index]) &<< shift }
    }
    return out
  }
}
