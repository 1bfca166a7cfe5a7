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
    let tag = try reader.readByte()
    guard let codec = ValueCodec(rawValue: tag) else {
      throw VarveError(.corruption, "an integer stream has an unknown codec (\(tag))")
    }
    try decode(codec, count: count, nesting, from: &reader, into: out)
  }

  /// Reads `count` words into `out`, which has room for them.
  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    try decode(codec, count: count, .outermost, from: &reader, into: out)
  }

  private static func decode(
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
    case .packed:
      try readVectors(count, from: &reader, into: out)
    case .delta:
      let base = UInt64(bitPattern: try reader.readZigzag())
      try readVectors(count, from: &reader, into: out)
      sumUp(out, count, from: base)
    case .deltaOfDelta:
      let base = UInt64(bitPattern: try reader.readZigzag())
      let differenceBase = UInt64(bitPattern: try reader.readZigzag())
      try readVectors(count, from: &reader, into: out)
      sumUp(out, count, from: differenceBase)
      sumUp(out, count, from: base)
    case .runs where nesting == .outermost:
      try readRuns(count, from: &reader, into: out)
    case .split where nesting != .withinSplit:
      try readSplit(count, from: &reader, into: out)
    default:
      throw VarveError(.corruption, "codec \(codec.label) cannot hold integers here")
    }
  }

  @inline(__always)
  private static func sumUp(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, from base: UInt64) {
    var sum = base
    for i in 0..<count {
      sum = sum &+ words[i]
      words[i] = sum
    }
  }

  private static func readVectors(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    var at = 0
    while at < count {
      let n = min(BitPacking.vectorValueCount, count - at)
      try PackedVector.read(n, from: &reader, into: out + at)
      at += n
    }
  }

  private static func readSplit(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    let head = try reader.readByte()
    let (shift, order) = (Int(head & 63), head >> 6)
    guard shift <= SplitStream.shiftLimit, order <= 2 else {
      throw VarveError(.corruption, "a split stream has an unknown head (\(head))")
    }
    let base = order >= 1 ? UInt64(bitPattern: try reader.readZigzag()) : 0
    let differenceBase = order == 2 ? UInt64(bitPattern: try reader.readZigzag()) : 0
    try SplitStream.read(count, shift: shift, from: &reader, into: out)
    if order == 2 { sumUp(out, count, from: differenceBase) }
    if order >= 1 { sumUp(out, count, from: base) }
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
