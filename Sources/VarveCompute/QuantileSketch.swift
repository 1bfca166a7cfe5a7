// A sketch of the distribution of doubles that answers quantiles within a relative error: UDDSketch (Epicoco,
// Melle, Cafaro, Pulimeno, Morleo: "UDDSketch: Accurate Tracking of Quantiles in Data Streams", 2020), which is
// DDSketch with uniform collapses.
//
// A value x > 0 falls into bucket ceil(log(x) / log(γ)) with γ = (1 + α) / (1 - α); what a bucket answers for is
// within α of each of its values. α begins at 0.1 %. When the sketch has more than 2,048 buckets, buckets 2i - 1 and
// 2i become i, so that γ is squared: α is 0.1 % while the magnitudes of the values span a factor of 60 (in 2,048
// buckets), 0.2 % to 3,600, 0.4 % to 10^7, 0.8 % to 10^14, 1.6 % to 10^28, and so on; `relativeError` tells. Zeros,
// infinities and NaN are counted by themselves; NaN is the greatest value, as in PostgreSQL.
//
// A sketch depends on its values alone: not on their order, and not on how they were split and merged.
//
// As bytes (all integers are LEB128 varints, signed ones zigzag): version 1, collapses; counts of NaN, +∞, -∞ and zero;
// the least and greatest finite value as 8 bytes each, little endian; then for negative and positive values in turn: the
// number of buckets, and for each, ascending, its index less the one before it, and its count.

import CVarve
import VarveCore

package struct QuantileSketch: Sendable, Equatable {
  package static let initialError = 0.001
  package static let bucketLimit = 2048
  /// No double needs more: all positive ones then share some few buckets.
  static let collapseLimit = 12

  private static let logarithmOfBase = cvarve_log((1 + initialError) / (1 - initialError))

  /// Buckets of one sign, ascending by index.
  struct Buckets: Sendable, Equatable {
    var indexes: [Int32] = []
    var counts: [UInt64] = []

    mutating func add(_ index: Int32, _ count: UInt64) {
      // Values mostly come near those before them, or at the end.
      var low = 0
      var high = indexes.count
      while low < high {
        let middle = (low + high) / 2
        if indexes[middle] < index { low = middle + 1 } else { high = middle }
      }
      if low < indexes.count, indexes[low] == index {
        counts[low] &+= count
      } else {
        indexes.insert(index, at: low)
        counts.insert(count, at: low)
      }
    }

    /// Both ascend: one pass over both.
    mutating func merge(_ other: Buckets) {
      if other.indexes.isEmpty { return }
      let (indexes, counts) = (self.indexes, self.counts)
      self.indexes.removeAll(keepingCapacity: true)
      self.counts.removeAll(keepingCapacity: true)
      self.indexes.reserveCapacity(indexes.count + other.indexes.count)
      self.counts.reserveCapacity(indexes.count + other.indexes.count)
      var (i, k) = (0, 0)
      while i < indexes.count || k < other.indexes.count {
        let isOurs = k == other.indexes.count || (i < indexes.count && indexes[i] <= other.indexes[k])
        let isTheirs = i == indexes.count || (k < other.indexes.count && other.indexes[k] <= indexes[i])
        self.indexes.append(isOurs ? indexes[i] : other.indexes[k])
        self.counts.append((isOurs ? counts[i] : 0) &+ (isTheirs ? other.counts[k] : 0))
        i += isOurs ? 1 : 0
        k += isTheirs ? 1 : 0
      }
    }

    mutating func collapse() {
      var kept = 0
      for i in indexes.indices {
        let index = (indexes[i] + 1) >> 1
        if kept > 0, indexes[kept - 1] == index {
          counts[kept - 1] &+= counts[i]
        } else {
          indexes[kept] = index
          counts[kept] = counts[i]
          kept += 1
        }
      }
      indexes.removeLast(indexes.count - kept)
      counts.removeLast(counts.count - kept)
    }
  }

  private(set) var collapses = 0
  private(set) var positive = Buckets()
  private(set) var negative = Buckets()
  private var zeroCount: UInt64 = 0
  private var nanCount: UInt64 = 0
  private var infinityCount: UInt64 = 0
  private var negativeInfinityCount: UInt64 = 0
  private var least = Double.infinity
  private var greatest = -Double.infinity

  package init() {}

  package var count: UInt64 {
    positive.counts.reduce(0, +) + negative.counts.reduce(0, +) + zeroCount + nanCount + infinityCount
      + negativeInfinityCount
  }

  package var isEmpty: Bool {
    positive.indexes.isEmpty && negative.indexes.isEmpty && zeroCount == 0 && nanCount == 0 && infinityCount == 0
      && negativeInfinityCount == 0
  }

  /// α: the relative error of what quantiles answer.
  package var relativeError: Double {
    let base = cvarve_exp(Self.logarithmOfBase * Double(1 << collapses))
    return (base - 1) / (base + 1)
  }

  package mutating func add(_ value: Double) {
    guard value.isFinite else {
      if value.isNaN { nanCount += 1 } else if value > 0 { infinityCount += 1 } else { negativeInfinityCount += 1 }
      return
    }
    if value == 0 {
      zeroCount += 1
      least = Swift.min(least, 0)
      greatest = Swift.max(greatest, 0)
      return
    }
    least = Swift.min(least, value)
    greatest = Swift.max(greatest, value)
    var index = Int32((cvarve_log(value.magnitude) / Self.logarithmOfBase).rounded(.up))
    for _ in 0..<collapses { index = (index + 1) >> 1 }
    if value > 0 { positive.add(index, 1) } else { negative.add(index, 1) }
    shrink()
  }

  private mutating func shrink() {
    while positive.indexes.count + negative.indexes.count > Self.bucketLimit, collapses < Self.collapseLimit {
      collapse()
    }
  }
  private mutating func collapse() {
    positive.collapse()
    negative.collapse()
    collapses += 1
  }

  package mutating func merge(_ other: QuantileSketch) {
    var other = other
    while collapses < other.collapses { collapse() }
    while other.collapses < collapses { other.collapse() }
    positive.merge(other.positive)
    negative.merge(other.negative)
    zeroCount += other.zeroCount
    nanCount += other.nanCount
    infinityCount += other.infinityCount
    negativeInfinityCount += other.negativeInfinityCount
    least = Swift.min(least, other.least)
    greatest = Swift.max(greatest, other.greatest)
    shrink()
  }

  /// The least value such that at least `fraction` (0 to 1) of all values are no greater, within the relative error:
  /// what percentile_disc gives exactly. nil: there are no values.
  package func quantile(_ fraction: Double) -> Double? {
    let count = count
    if count == 0 { return nil }
    var rank = UInt64(Swift.max((fraction * Double(count)).rounded(.up), 1))
    rank = Swift.min(rank, count)
    if rank <= negativeInfinityCount { return -.infinity }
    rank -= negativeInfinityCount
    // The ends are known exactly.
    let finiteCount = count - negativeInfinityCount - infinityCount - nanCount
    if finiteCount > 0, rank == 1 { return least }
    if finiteCount > 0, rank == finiteCount { return greatest }
    for (index, count) in zip(negative.indexes, negative.counts).reversed() {
      if rank <= count { return clamped(-estimate(index)) }
      rank -= count
    }
    if rank <= zeroCount { return 0 }
    rank -= zeroCount
    for (index, count) in zip(positive.indexes, positive.counts) {
      if rank <= count { return clamped(estimate(index)) }
      rank -= count
    }
    return rank <= infinityCount ? .infinity : .nan
  }

  /// 2γ^i / (γ + 1): as far from the bucket's one end as from its other, relatively.
  private func estimate(_ index: Int32) -> Double {
    let logarithm = Self.logarithmOfBase * Double(1 << collapses)
    let base = cvarve_exp(logarithm)
    return cvarve_exp(logarithm * Double(index)) * (2 / (base + 1))
  }
  private func clamped(_ value: Double) -> Double { Swift.min(Swift.max(value, least), greatest) }

  package var byteCount: Int { (positive.indexes.capacity + negative.indexes.capacity) * 12 }

  // MARK: As bytes

  package func encode(to out: Buffer<UInt8>) {
    out.append(1)
    SketchBytes.append(UInt64(collapses), to: out)
    for count in [nanCount, infinityCount, negativeInfinityCount, zeroCount] { SketchBytes.append(count, to: out) }
    for value in [least, greatest] {
      for byte in 0..<8 { out.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * byte))) }
    }
    for buckets in [negative, positive] {
      SketchBytes.append(UInt64(buckets.indexes.count), to: out)
      var before: Int32 = 0
      for (index, count) in zip(buckets.indexes, buckets.counts) {
        SketchBytes.append(signed: Int64(index) - Int64(before), to: out)
        SketchBytes.append(count, to: out)
        before = index
      }
    }
  }

  /// Total: bytes that are no sketch throw.
  package init(decoding bytes: UnsafeBufferPointer<UInt8>) throws {
    var reader = SketchBytes.Reader(bytes: bytes)
    guard try reader.byte() == 1 else { throw SketchBytes.invalid }
    let collapses = try reader.varint()
    guard collapses <= UInt64(Self.collapseLimit) else { throw SketchBytes.invalid }
    self.collapses = Int(collapses)
    nanCount = try reader.count()
    infinityCount = try reader.count()
    negativeInfinityCount = try reader.count()
    zeroCount = try reader.count()
    least = Double(bitPattern: try reader.word())
    greatest = Double(bitPattern: try reader.word())
    negative = try Self.buckets(&reader)
    positive = try Self.buckets(&reader)
    guard reader.isAtEnd, !least.isNaN, !greatest.isNaN else { throw SketchBytes.invalid }
  }

  private static func buckets(_ reader: inout SketchBytes.Reader) throws -> Buckets {
    let count = try reader.varint()
    guard count <= UInt64(bucketLimit) else { throw SketchBytes.invalid }
    var result = Buckets()
    var before: Int64 = 0
    for i in 0..<count {
      let step = try reader.signedVarint()
      guard i == 0 || step > 0, step.magnitude < 1 << 24, let index = Int32(exactly: before + step),
        index.magnitude < 1 << 24
      else { throw SketchBytes.invalid }
      result.indexes.append(index)
      result.counts.append(try reader.count())
      before = Int64(index)
    }
    return result
  }
}
