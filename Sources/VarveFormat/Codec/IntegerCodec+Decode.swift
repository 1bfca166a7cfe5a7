// Reading of integer streams. Total: any bytes give words or an error. Whoever calls bounds `count`.

import VarveCore

extension IntegerCodec {
  /// A stream with its codec in front.
  package static func read(
    stream count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    try read(stream: count, .outermost, from: &reader, into: out)
  }

  /// The stream of a split stream's exceptions.
  static func readExceptions(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    try read(stream: count, .withinSplit, from: &reader, into: out)
  }

  private static func read(
    stream count: Int, _ nesting: Nesting, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    let codec = try readCodec(&reader)
    try decode(codec, count: count, nesting, from: &reader, into: out)
  }

  /// A stream with its codec in front, to be read a vector at a time.
  static func vectors(stream count: Int, wanted: Int? = nil, _ reader: ByteReader) throws -> IntegerVectors {
    var reader = reader
    let codec = try readCodec(&reader)
    return try IntegerVectors(codec, count: count, wanted: wanted, .outermost, reader)
  }

  private static func readCodec(_ reader: inout ByteReader) throws -> ValueCodec {
    let tag = try reader.readByte()
    guard let codec = ValueCodec(rawValue: tag) else {
      throw VarveError(.corruption, "an integer stream has an unknown codec (\(tag))")
    }
    return codec
  }

  /// Reads `count` words into `out`, which has room for them.
  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    try decode(codec, count: count, .outermost, from: &reader, into: out)
  }

  /// Reads the first words of a stream of `count`, at least `wanted`, into `out`, which has room for all.
  static func decodeFirst(
    _ wanted: Int, _ codec: ValueCodec, count: Int, from reader: ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    var vectors = try IntegerVectors(codec, count: count, wanted: wanted, .outermost, reader)
    while vectors.remaining > 0 { _ = try vectors.next(into: out + vectors.position) }
  }

  private static func decode(
    _ codec: ValueCodec, count: Int, _ nesting: Nesting, from reader: inout ByteReader,
    into out: UnsafeMutablePointer<UInt64>
  ) throws {
    switch codec {
    case .packed, .delta, .deltaOfDelta, .split:
      var vectors = try IntegerVectors(codec, count: count, nesting, reader)
      while vectors.remaining > 0 { _ = try vectors.next(into: out + vectors.position) }
      reader = vectors.reader
    default: try readWhole(codec, count: count, nesting, from: &reader, into: out)
    }
  }

  /// Codecs that are not vectors.
  static func readWhole(
    _ codec: ValueCodec, count: Int, _ nesting: Nesting, from reader: inout ByteReader,
    into out: UnsafeMutablePointer<UInt64>
  ) throws {
    switch codec {
    case .raw:
      let (byteCount, overflow) = count.multipliedReportingOverflow(by: 8)
      guard !overflow else { throw VarveError(.corruption, "a stream of \(count) words is impossible") }
      let raw = try reader.readRaw(byteCount)
      for i in 0..<count {
        out[i] = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
      }
    case .constant:
      out.update(repeating: UInt64(bitPattern: try reader.readZigzag()), count: count)
    case .arithmetic:
      let first = UInt64(bitPattern: try reader.readZigzag())
      let step = UInt64(bitPattern: try reader.readZigzag())
      for i in 0..<count { out[i] = first &+ step &* UInt64(truncatingIfNeeded: i) }
    case .runs where nesting == .outermost:
      try readRuns(count, from: &reader, into: out)
    default:
      throw VarveError(.corruption, "codec \(codec.label) cannot hold integers here")
    }
  }

  private static func readRuns(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    let runCount = try reader.readLength()
    guard runCount <= count else { throw VarveError(.corruption, "\(runCount) runs are claimed for \(count) values") }
    let values = Buffer<UInt64>(capacity: runCount)
    let lengths = Buffer<UInt64>(capacity: runCount)
    try read(stream: runCount, .withinRuns, from: &reader, into: values.base)
    try read(stream: runCount, .withinRuns, from: &reader, into: lengths.base)
    var at = 0
    for i in 0..<runCount {
      let length = lengths.base[i]
      guard length < UInt64(count - at) else { throw VarveError(.corruption, "runs are longer than their stream") }
      (out + at).update(repeating: values.base[i], count: Int(length) + 1)
      at += Int(length) + 1
    }
    guard at == count else { throw VarveError(.corruption, "runs hold \(at) values instead of \(count)") }
  }
}
