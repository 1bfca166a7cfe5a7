// An integer stream a vector of 1,024 at a time, so that whoever aggregates never holds more than what fits the first
// cache. The whole-stream reader stands on it too.

import CVarve
import VarveCore

struct IntegerVectors {
  private enum Source {
    case packed
    case split(SplitVectors)
    /// Streams that are no vectors: read at once.
    case whole(Buffer<UInt64>)
  }

  private var source: Source
  /// What is left of the payload; behind the stream once the last vector was given.
  private(set) var reader: ByteReader
  /// Up to here words are given.
  private let count: Int
  private(set) var position = 0
  /// How often the vectors are summed up, and from what.
  private let order: Int
  private var sum: UInt64 = 0
  private var differenceSum: UInt64 = 0

  /// `reader` stands behind the codec's number. Where less is `wanted` than the stream's `count`, whole vectors are given
  /// up to there, and `reader` may end up within the stream. Total; whoever calls bounds `count`.
  init(
    _ codec: ValueCodec, count whole: Int, wanted: Int? = nil, _ nesting: IntegerCodec.Nesting, _ reader: ByteReader
  ) throws {
    self.reader = reader
    let size = BitPacking.vectorValueCount
    count = wanted.map { min(whole, ($0 + size - 1) / size * size) } ?? whole
    switch codec {
    case .packed, .delta, .deltaOfDelta:
      source = .packed
      order = codec == .packed ? 0 : codec == .delta ? 1 : 2
      try readBases()
    case .split where nesting != .withinSplit:
      let head = try self.reader.readByte()
      let shift = Int(head & 63)
      order = Int(head >> 6)
      source = .packed
      guard shift <= SplitStream.shiftLimit, order <= 2 else {
        throw VarveError(.corruption, "a split stream has an unknown head (\(head))")
      }
      try readBases()
      source = .split(try SplitVectors(whole, wanted: count, shift: shift, from: &self.reader))
    default:
      order = 0
      let words = Buffer<UInt64>(capacity: whole)
      try IntegerCodec.readWhole(codec, count: whole, nesting, from: &self.reader, into: words.base)
      source = .whole(words)
    }
  }

  private mutating func readBases() throws {
    if order >= 1 { sum = UInt64(bitPattern: try reader.readZigzag()) }
    if order == 2 { differenceSum = UInt64(bitPattern: try reader.readZigzag()) }
  }

  var remaining: Int { count - position }

  /// Whether the next vector's words are those of a packed vector, so that `sumPacked` may be asked.
  var isPackedPlainly: Bool {
    if case .packed = source { return order == 0 }
    return false
  }

  /// The next vector's sum in place of its words; nil, and nothing read, where it must be unpacked.
  mutating func sumPacked() throws -> Int128? {
    let n = min(BitPacking.vectorValueCount, remaining)
    guard let sum = try PackedVector.sum(n, from: &reader) else { return nil }
    position += n
    return sum
  }

  /// Writes the next words, at most 1,024, and says how many; 0 at the end.
  mutating func next(into out: UnsafeMutablePointer<UInt64>) throws -> Int {
    let n = min(BitPacking.vectorValueCount, remaining)
    guard n > 0 else { return 0 }
    // What is still to be added to every word.
    var reference: UInt64 = 0
    switch source {
    case .packed where order == 0: try PackedVector.read(n, from: &reader, into: out)
    case .packed: reference = try PackedVector.read(lessReference: n, from: &reader, into: out)
    case .split(let vectors):
      if order == 1, let last = vectors.sumUp(from: position, n, base: sum, into: out) {
        sum = last
        position += n
        return n
      }
      vectors.read(from: position, n, into: out)
    case .whole(let words): out.update(from: words.base + position, count: n)
    }
    if order == 2 { differenceSum = cvarve_sum_up(out, n, reference, differenceSum) }
    if order >= 1 { sum = cvarve_sum_up(out, n, order == 1 ? reference : 0, sum) }
    position += n
    return n
  }
}

/// A split stream's parts, read up to its end: symbols decoded, low bits still packed.
struct SplitVectors {
  private let shift: Int
  private let reference: UInt64
  private let symbols: Buffer<UInt8>
  /// Owned by whoever holds the payload; empty where there are no low bits.
  private let low: UnsafeRawBufferPointer
  /// Whole values, in order, and where in the stream they stand.
  private let exceptions: Buffer<UInt64>
  private let positions: Buffer<Int32>

  /// Of `count` values those below `wanted` can be read.
  init(_ count: Int, wanted: Int, shift: Int, from reader: inout ByteReader) throws {
    self.shift = shift
    reference = UInt64(bitPattern: try reader.readZigzag())
    let exceptionCount = try reader.readLength()
    guard exceptionCount <= count else {
      throw VarveError(.corruption, "a split stream of \(count) values has \(exceptionCount) exceptions")
    }
    symbols = Buffer<UInt8>(capacity: wanted)
    try NibbleEntropy.read(count, wanted: wanted, from: &reader, into: symbols.base)
    let last = count % BitPacking.vectorValueCount
    low = try reader.readRaw(
      BitPacking.byteCount(count: count - last, width: shift) + BitPacking.byteCount(count: last, width: shift))
    exceptions = Buffer<UInt64>(capacity: exceptionCount)
    positions = Buffer<Int32>(capacity: exceptionCount)
    let escapes = cvarve_find_escapes(symbols.base, wanted, positions.base, exceptionCount)
    guard wanted < count ? escapes <= exceptionCount : escapes == exceptionCount else {
      throw VarveError(.corruption, "a split stream has \(escapes) escapes and \(exceptionCount) exceptions")
    }
    guard escapes > 0 else { return }
    positions.count = escapes
    try IntegerCodec.readExceptions(exceptionCount, from: &reader, into: exceptions.base)
    for k in 0..<exceptionCount { exceptions.base[k] = Zigzag.decode(exceptions.base[k]) &+ reference }
    exceptions.count = exceptionCount
  }

  /// The values `start ..< start + count`; `start` begins a vector and `count` is at most one's.
  func read(from start: Int, _ count: Int, into out: UnsafeMutablePointer<UInt64>) {
    let symbols = symbols.base + start
    let reference = reference
    if shift == 0 {
      for i in 0..<count { out[i] = UInt64(symbols[i]) &+ reference }
    } else if let base = low.baseAddress {
      BitPacking.unpack(
        base + BitPacking.byteCount(count: start, width: shift), count: count, width: shift, into: out)
      let up = UInt64(truncatingIfNeeded: shift)
      for i in 0..<count { out[i] = (UInt64(symbols[i]) &<< up | out[i]) &+ reference }
    }
    guard positions.count > 0 else { return }
    var k = firstException(at: start)
    while k < positions.count, Int(positions.base[k]) < start + count {
      out[Int(positions.base[k]) - start] = exceptions.base[k]
      k += 1
    }
  }

  /// As `read`, summed up from `base` on the way; nil, and nothing done, where the words need more than that. Among
  /// steps within series, the jumps from one to the next are a few exceptions: what is between them is summed up.
  func sumUp(from start: Int, _ count: Int, base: UInt64, into out: UnsafeMutablePointer<UInt64>) -> UInt64? {
    guard shift == 0 else { return nil }
    let end = start + count
    var k = firstException(at: start)
    if k + Self.pieceLimit < positions.count, Int(positions.base[k + Self.pieceLimit]) < end { return nil }
    var at = start
    var sum = base
    while true {
      let stop = k < positions.count ? min(Int(positions.base[k]), end) : end
      sum = cvarve_sum_up_symbols(symbols.base + at, stop - at, reference, sum, out + (at - start))
      guard stop < end else { return sum }
      sum &+= exceptions.base[k]
      out[stop - start] = sum
      at = stop + 1
      k += 1
    }
  }

  /// More exceptions than this in a vector leave pieces too short to be summed up one by one.
  private static let pieceLimit = 16

  private func firstException(at start: Int) -> Int {
    var (lower, upper) = (0, positions.count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if Int(positions.base[middle]) < start { lower = middle + 1 } else { upper = middle }
    }
    return lower
  }
}
