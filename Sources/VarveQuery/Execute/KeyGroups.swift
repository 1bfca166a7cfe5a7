// How the rows of a partial plan fall into groups by their times, so that a scan that delivers partial aggregates knows
// what may go into one.
//
// Buckets of a fixed width are computed. Any other key is an expression over time: asked at some times, it tells of all
// between them where it cannot go back, which is where no clock that it may go by is set.

import VarveCompute
import VarveCore
import VarveStorage

final class KeyGroups: TimeGroups {
  /// A bucket's start may lie in the hour that a clock leaves out, and clocks may be nested, so none is set some days
  /// around what is asked.
  private static let quietSeconds = 2 * 86_400
  /// Times at which a key is asked at once.
  private static let probeCount = 15

  /// Times of one group.
  private struct Stretch {
    var first: Int64
    var last: Int64
    /// From here on nothing is of the stretch, though it may be of the group.
    var next: Int64
  }

  private let time: BoundExpression?
  private let columns: [SeriesColumn]
  private let context: ExecutionContext
  /// Zones by whose clocks the key may go; nil: not all are known.
  private let zones: [TimeZone]?
  private var buckets: FixedBuckets?
  /// Found so far; by first time, apart.
  private var stretches: [Stretch] = []

  init(_ keys: RunKeys, _ columns: [SeriesColumn], _ context: ExecutionContext) throws {
    time = keys.time
    self.columns = columns
    self.context = context
    buckets = keys.fixedWidth.map { FixedBuckets(width: $0.nanoseconds) }
    zones = try keys.time.flatMap { try Self.zones(in: $0, context) }
  }

  func isOneGroup(_ range: TimeRange) throws -> Bool {
    guard time != nil else { return true }
    guard let end = quietEnd(from: range.lower), range.upper <= end else { return false }
    return isSame(range.lower, range.upper) ?? false
  }

  func cut(
    _ rows: Range<Int>, of times: Buffer<Int64>, appendingTo ends: Buffer<Int>, unlessBelow rowCount: Int
  ) throws -> Bool {
    guard time != nil else {
      ends.append(rows.upperBound)
      return true
    }
    if let buckets { return cut(rows, times, at: buckets, ends, rowCount) }
    let before = ends.count
    var row = rows.lowerBound
    while row < rows.upperBound {
      guard let end = endOfStretch(row..<rows.upperBound, times) else { return false }
      ends.append(end)
      row = end
      if Self.areShort(ends.count - before, row - rows.lowerBound, rowCount) { return false }
    }
    return true
  }

  /// Whether the first stretches promise no better of the others.
  @inline(__always)
  private static func areShort(_ count: Int, _ covered: Int, _ rowCount: Int) -> Bool {
    count >= 8 && covered * 2 < count * rowCount
  }

  // MARK: Fixed width

  private func cut(
    _ rows: Range<Int>, _ times: Buffer<Int64>, at known: FixedBuckets, _ ends: Buffer<Int>, _ rowCount: Int
  ) -> Bool {
    defer { withExtendedLifetime(times) {} }
    var buckets = known
    let before = ends.count
    var row = rows.lowerBound
    while row < rows.upperBound {
      if buckets.start(of: times.base[row]) == nil {
        guard let keys = keys(at: [times.base[row]]) else { return false }
        buckets.learn(start: Int64(bitPattern: keys.wordBuffer[0]))
        self.buckets = buckets
      }
      guard let start = buckets.start(of: times.base[row]) else { return false }
      row = buckets.end(of: row..<rows.upperBound, in: times.base, start: start)
      ends.append(row)
      if Self.areShort(ends.count - before, row - rows.lowerBound, rowCount) { return false }
    }
    return true
  }

  // MARK: Any key

  private func endOfStretch(_ rows: Range<Int>, _ times: Buffer<Int64>) -> Int? {
    guard let number = stretch(of: times[rows.lowerBound]) else { return nil }
    let stretch = stretches[number]
    let known = firstRow(times, rows) { $0 > stretch.last }
    let end = firstRow(times, known..<rows.upperBound) { $0 >= stretch.next }
    guard known < end else { return end }
    guard let found = search(known..<end, times, from: stretch.first) else { return nil }
    if found > known { stretches[number].last = times[found - 1] }
    if found < end { stretches[number].next = times[found] }
    return found
  }

  /// The first of `rows` whose key is not that of the time `first`, before all of them: they are probed in equal steps,
  /// then again where the key changes.
  private func search(_ rows: Range<Int>, _ times: Buffer<Int64>, from first: Int64) -> Int? {
    var (low, high) = (rows.lowerBound, rows.upperBound)
    while low < high {
      let step = max(1, (high - low) / Self.probeCount)
      let probes = Array(stride(from: low + step - 1, to: high, by: step))
      guard let keys = keys(at: [first] + probes.map { times[$0] }) else { return nil }
      let same = probes.indices.firstIndex { !keys.isSame(0, keys, $0 + 1) } ?? probes.count
      if same < probes.count { high = probes[same] }
      if same > 0 { low = probes[same - 1] + 1 }
    }
    return low
  }

  /// The one that holds the time, a new one if none does.
  private func stretch(of time: Int64) -> Int? {
    var (low, high) = (0, stretches.count)
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].first <= time { low = middle + 1 } else { high = middle }
    }
    if low > 0, time <= stretches[low - 1].last { return low - 1 }
    guard time < .max, let end = quietEnd(from: time) else { return nil }
    if low > 0, time < stretches[low - 1].next {
      guard let isSame = isSame(stretches[low - 1].first, time) else { return nil }
      if isSame {
        stretches[low - 1].last = time
        return low - 1
      }
      stretches[low - 1].next = time
    }
    var next = end == .max ? .max : end + 1
    if low < stretches.count, stretches[low].first < next {
      guard let isSame = isSame(time, stretches[low].first) else { return nil }
      if isSame {
        stretches[low].first = time
        return low
      }
      next = stretches[low].first
    }
    stretches.insert(Stretch(first: time, last: time, next: next), at: low)
    return low
  }

  private func isSame(_ time: Int64, _ other: Int64) -> Bool? { keys(at: [time, other]).map { $0.isSame(0, $0, 1) } }

  // MARK: -

  /// Of the key at each of the times. Nil: at the ends of time it may be out of range where none of the rows is, then
  /// these tell.
  private func keys(at times: [Int64]) -> Column? {
    guard let time else { return nil }
    let words = Buffer<UInt64>(times.map { UInt64(bitPattern: $0) })
    let columns = columns.map { column -> Column in
      column == .time
        ? Column(type: .timestamptz, count: times.count, storage: .words(words))
        : .null(column.type, count: times.count)
    }
    // What it throws is what the comment above says; the rows themselves then tell, or throw with their place.
    return try? context.evaluate(time, QueryBatch(count: times.count, columns: columns))
  }

  /// The last time so that from `time` on the key does not go back; nil: it is not known of any.
  private func quietEnd(from time: Int64) -> Int64? {
    guard let zones else { return nil }
    let second = time / 1_000_000_000 - (time % 1_000_000_000 < 0 ? 1 : 0)
    var last = Int64.max
    for zone in zones {
      let until = zone.segment(at: Int(second) - Self.quietSeconds).until
      guard until < Int.max else { continue }
      let (end, overflow) = (Int64(until) - Int64(Self.quietSeconds)).multipliedReportingOverflow(by: 1_000_000_000)
      last = min(last, overflow ? (until < 0 ? .min : .max) : end - 1)
    }
    return last < time ? nil : last
  }

  private static func zones(in key: BoundExpression, _ context: ExecutionContext) throws -> [TimeZone]? {
    var zones = [try context.evaluation.zones.zone(named: context.evaluation.timeZone)]
    var pending = [key]
    while let expression = pending.popLast() {
      pending += expression.children
      switch expression {
      case .constant(.text(let text), _):
        // A unit of time, or a zone.
        if let zone = context.evaluation.zones.known(text) { zones.append(zone) }
      case .parameter(_, .text), .outer(_, .text): return nil
      default: break
      }
    }
    return zones
  }
}

/// The first row of `rows`, whose times ascend, for which `test` holds: by doubling steps, then halving.
private func firstRow(_ times: Buffer<Int64>, _ rows: Range<Int>, _ test: (Int64) -> Bool) -> Int {
  var low = rows.lowerBound
  var step = 1
  while low + step <= rows.upperBound, !test(times.base[low + step - 1]) {
    low += step
    step *= 2
  }
  var high = min(low + step, rows.upperBound)
  while low < high {
    let middle = (low + high) / 2
    if test(times.base[middle]) { high = middle } else { low = middle + 1 }
  }
  return low
}
