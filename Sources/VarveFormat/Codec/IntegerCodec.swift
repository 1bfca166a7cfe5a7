// Streams of 64-bit words as integers: FORMAT.md, "Codecs". All arithmetic is modulo 2^64, so every word
// comes back whatever the sign or type; signedness only decides what is small.

import CVarve
import VarveCore

package enum IntegerCodec {
  typealias Words = UnsafeBufferPointer<UInt64>

  /// Which codecs a stream may use: what stands within another is simpler than that.
  enum Nesting: Int {
    /// A page's values, or a stream with nothing around it.
    case outermost
    /// Values or lengths of runs: no runs.
    case withinRuns
    /// Exceptions of a split stream: no runs, no split stream.
    case withinSplit
  }

  /// Writes the words in the smallest of the ways that `effort` allows and says which it was. The stream needs its
  /// codec and count to be read: whoever calls stores both.
  package static func encode(
    _ words: UnsafeBufferPointer<UInt64>, effort: PageEffort = .light, to out: inout ByteWriter
  ) -> ValueCodec {
    encode(words, effort: effort, .outermost, to: &out)
  }

  private static func encode(
    _ words: Words, effort: PageEffort, _ nesting: Nesting, to out: inout ByteWriter
  ) -> ValueCodec {
    let count = words.count
    guard count > 0, let base = words.baseAddress else { return .packed }
    let first = Differences(base, count)
    if first.runCount == 1 {
      out.append(zigzag: Int64(bitPattern: base[0]))
      return .constant
    }
    if first.areEqual {
      out.append(zigzag: Int64(bitPattern: base[0]))
      out.append(zigzag: Int64(bitPattern: base[1] &- base[0]))
      return .arithmetic
    }

    var codec = ValueCodec.packed
    let plainSize = sampleSize(base, count)
    var size = plainSize
    let deltaSize = sampleSize(first.words.base, count)
    if deltaSize < size { (codec, size) = (.delta, deltaSize) }
    // Differences of a bit or two are noise: theirs are wider.
    var secondSize = Int.max
    if deltaSize > count / 3 {
      secondSize = sampleSize(differencesOf: first.words.base, count)
      if secondSize < size { (codec, size) = (.deltaOfDelta, secondSize) }
    }
    // What packs far wider is not what an entropy stage makes smaller.
    let near = size + size / 2
    let isSplit = effort == .smallest && nesting != .withinSplit
    defer { withExtendedLifetime(first) {} }

    func packed() -> ByteWriter {
      var out = ByteWriter(reserving: size + 64)
      if codec != .packed { out.append(zigzag: Int64(bitPattern: first.base)) }
      if codec == .deltaOfDelta {
        let second = Differences(first.words.base, count)
        out.append(zigzag: Int64(bitPattern: second.base))
        withExtendedLifetime(second) { appendVectors(second.words.base, count, to: &out) }
      } else {
        appendVectors(codec == .packed ? base : UnsafePointer(first.words.base), count, to: &out)
      }
      return out
    }
    let orders = [(0, plainSize), (1, deltaSize), (2, secondSize)].filter { $0.1 <= near }.map(\.0)
    var best: ByteWriter
    let split = isSplit ? self.split(base, count, first, orders, below: size) : nil
    if let split, split.packed == codec, split.out.count <= split.packedByteCount {
      // Packed vectors cannot be smaller: they need not be written to be seen to lose.
      (codec, best) = (.split, split.out)
    } else {
      best = packed()
      // The sample may have promised too small vectors.
      let again = split == nil && isSplit && best.count > size
      let split = again ? self.split(base, count, first, orders, below: best.count) : split
      if let split, split.out.count < best.count { (codec, best) = (.split, split.out) }
    }
    // A run costs at least its length and value: with few of them a closer look is worth its time.
    if nesting == .outermost && first.runCount <= count / 3 {
      var runs = ByteWriter()
      appendRuns(base, count, runCount: first.runCount, effort: effort, to: &runs)
      if runs.count < best.count { (codec, best) = (.runs, runs) }
    }
    if best.count >= count * 8 {
      codec = .raw
      best.removeAll()
      appendRaw(words, to: &best)
    }
    out.append(best.bytes)
    return codec
  }

  package static func appendRaw(_ words: UnsafeBufferPointer<UInt64>, to out: inout ByteWriter) {
    out.append(uninitialized: words.count * 8) { raw in
      for i in 0..<words.count { raw.storeBytes(of: words[i].littleEndian, toByteOffset: i &* 8, as: UInt64.self) }
    }
  }

  /// Differences from the word before. The first is made equal to the second by a base of its own, so that the
  /// start of a counter or clock is not an outlier.
  private struct Differences {
    let words: Buffer<UInt64>
    let base: UInt64
    /// Stretches of equal source words.
    let runCount: Int
    let areEqual: Bool

    init(_ source: UnsafePointer<UInt64>, _ count: Int) {
      words = Buffer<UInt64>(capacity: count)
      words.count = count
      guard count > 1 else {
        words.base[0] = 0
        (base, runCount, areEqual) = (source[0], 1, true)
        return
      }
      let shape = cvarve_differences(source, count, words.base)
      base = source[0] &- words.base[0]
      (runCount, areEqual) = (Int(shape.changes) + 1, shape.unsteady == 0)
    }
  }

  /// The size of at most two vectors' plans, scaled to all: the first and one from the middle.
  private static func sampleSize(_ base: UnsafePointer<UInt64>, _ count: Int) -> Int {
    let size = BitPacking.vectorValueCount
    guard count > 2 * size else {
      var total = 0
      var at = 0
      while at < count {
        total += PackedVector.plan(base + at, count: min(size, count - at)).byteCount
        at += size
      }
      return total
    }
    let middle = count / 2 / size * size
    let sampled =
      PackedVector.plan(base, count: size).byteCount + PackedVector.plan(base + middle, count: size).byteCount
    return sampled * count / (2 * size)
  }

  /// The same of the words' differences, of which no more is made than is looked at.
  private static func sampleSize(differencesOf base: UnsafePointer<UInt64>, _ count: Int) -> Int {
    let size = BitPacking.vectorValueCount
    guard count > 2 * size else {
      let differences = Differences(base, count)
      return withExtendedLifetime(differences) { sampleSize(differences.words.base, count) }
    }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: size) { held in
      guard let words = held.baseAddress else { return Int.max }
      _ = cvarve_differences(base, size, words)
      let start = PackedVector.plan(words, count: size).byteCount
      let middle = base + count / 2 / size * size
      _ = cvarve_differences(middle, size, words)
      words[0] = middle[0] &- middle[-1]
      return (start + PackedVector.plan(words, count: size).byteCount) * count / (2 * size)
    }
  }

  private struct Split {
    var out: ByteWriter
    /// The codec of packed vectors of the words that were cut, and what those take at least.
    var packed: ValueCodec
    var packedByteCount: Int
  }

  /// A split stream of the words or of their differences, whichever of `orders` a sample finds smallest; nil if it
  /// finds none below `limit`.
  private static func split(
    _ base: UnsafePointer<UInt64>, _ count: Int, _ first: Differences, _ orders: [Int], below limit: Int
  ) -> Split? {
    let n = min(BitPacking.vectorValueCount, count)
    let from = (count - n) / 2
    var order = 0
    var plan = SplitStream.Plan()
    for candidate in orders {
      let other: SplitStream.Plan
      switch candidate {
      case 0: other = SplitStream.plan(base + from, count: n)
      case 1: other = SplitStream.plan(first.words.base + from, count: n)
      default: other = splitPlan(differencesOf: first.words.base, from: from, count: n)
      }
      if other.byteCount < plan.byteCount { (order, plan) = (candidate, other) }
    }
    guard plan.byteCount < Int.max else { return nil }
    // A sample is only a sample: what it finds a little too large may still be smaller.
    guard plan.byteCount * count / n < limit + limit / 8 else { return nil }
    var out = ByteWriter(reserving: limit + 64)
    out.append(byte: UInt8(plan.shift | order << 6))
    if order >= 1 { out.append(zigzag: Int64(bitPattern: first.base)) }
    let packedByteCount: Int
    if order == 2 {
      let second = Differences(first.words.base, count)
      out.append(zigzag: Int64(bitPattern: second.base))
      packedByteCount = withExtendedLifetime(second) {
        SplitStream.append(second.words.base, count: count, plan: plan, to: &out)
      }
    } else {
      let source = order == 0 ? base : UnsafePointer(first.words.base)
      packedByteCount = SplitStream.append(source, count: count, plan: plan, to: &out)
    }
    return Split(out: out, packed: [.packed, .delta, .deltaOfDelta][order], packedByteCount: packedByteCount)
  }

  /// Of the differences `from ..< from + count`, and no more of them are made.
  private static func splitPlan(
    differencesOf base: UnsafePointer<UInt64>, from: Int, count: Int
  ) -> SplitStream.Plan {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { held in
      guard let words = held.baseAddress, count > 1 else { return SplitStream.Plan() }
      _ = cvarve_differences(base + from, count, words)
      if from > 0 { words[0] = base[from] &- base[from - 1] }
      return SplitStream.plan(words, count: count)
    }
  }

  private static func appendVectors(_ base: UnsafePointer<UInt64>, _ count: Int, to out: inout ByteWriter) {
    var at = 0
    while at < count {
      let n = min(BitPacking.vectorValueCount, count - at)
      PackedVector.append(base + at, count: n, plan: PackedVector.plan(base + at, count: n), to: &out)
      at += n
    }
  }

  private static func appendRuns(
    _ base: UnsafePointer<UInt64>, _ count: Int, runCount: Int, effort: PageEffort, to out: inout ByteWriter
  ) {
    let values = Buffer<UInt64>(capacity: runCount)
    let lengths = Buffer<UInt64>(capacity: runCount)
    var start = 0
    for i in 1...count where i == count || base[i] != base[start] {
      values.append(base[start])
      lengths.append(UInt64(i - start - 1))
      start = i
    }
    out.append(varint: UInt64(runCount))
    append(stream: values.span, effort: effort, .withinRuns, to: &out)
    append(stream: lengths.span, effort: effort, .withinRuns, to: &out)
  }

  /// A stream with its codec in front: u8 codec, then the words.
  package static func append(
    stream words: UnsafeBufferPointer<UInt64>, effort: PageEffort = .light, to out: inout ByteWriter
  ) {
    append(stream: words, effort: effort, .outermost, to: &out)
  }

  /// The stream of a split stream's exceptions.
  static func appendExceptions(_ words: UnsafeBufferPointer<UInt64>, to out: inout ByteWriter) {
    append(stream: words, effort: .light, .withinSplit, to: &out)
  }

  private static func append(
    stream words: Words, effort: PageEffort, _ nesting: Nesting, to out: inout ByteWriter
  ) {
    var body = ByteWriter()
    let codec = encode(words, effort: effort, nesting, to: &body)
    out.append(byte: codec.rawValue)
    out.append(body.bytes)
  }
}
