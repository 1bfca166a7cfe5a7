// Rows that one source of a scan does not deliver although it has them: what a tombstone covers, or what is answered
// from elsewhere. Ranges of time that are excluded for all series, and such that are for some.
//
// A value, made when a scan is planned; a source that excludes nothing pays one test for it.

import VarveCore
import VarveFormat

struct Exclusions: Sendable {
  /// A range of time that is excluded for these series only.
  struct OfSeries: Sendable {
    let series: SeriesRanges
    let time: TimeRange
  }

  static let none = Exclusions()

  /// Excluded for all series: ascending, disjoint.
  private(set) var ofAll: [TimeRange] = []
  private(set) var ofSome: [OfSeries] = []

  var isEmpty: Bool { ofAll.isEmpty && ofSome.isEmpty }

  init() {}

  /// What the deletions cover.
  init(_ deletions: [Deletion]) {
    var times: [TimeRange] = []
    for each in deletions where !each.time.isEmpty && !each.series.isEmpty {
      if each.series.isAll {
        times.append(each.time)
      } else {
        ofSome.append(OfSeries(series: each.series, time: each.time))
      }
    }
    ofAll = Self.united(times)
  }

  /// These times of all series, too.
  mutating func add(_ times: [TimeRange]) { ofAll = Self.united(ofAll + times.filter { !$0.isEmpty }) }

  /// What is excluded of one series: ascending, disjoint.
  func ranges(of series: SeriesID) -> [TimeRange] {
    guard !ofSome.isEmpty else { return ofAll }
    let own = ofSome.filter { $0.series.contains(series) }
    return own.isEmpty ? ofAll : Self.united(ofAll + own.map(\.time))
  }

  /// Whether all rows within these bounds are excluded. May say no where several ranges together do.
  func cover(_ time: TimeRange, series: ClosedRange<UInt32>) -> Bool {
    ofAll.contains { $0.contains(time) } || ofSome.contains { $0.time.contains(time) && $0.series.contains(series) }
  }

  /// Whether they leave nothing of the chunk, as far as `cover` can say.
  func coverAll(of chunk: ChunkMetadata) -> Bool {
    cover(chunk.time, series: chunk.firstSeries.rawValue...chunk.lastSeries.rawValue)
  }

  /// The same times: ascending, disjoint.
  static func united(_ ranges: [TimeRange]) -> [TimeRange] {
    var result: [TimeRange] = []
    for range in ranges.sorted(by: { $0.lower < $1.lower }) {
      // Neighbours without a gap become one.
      if let last = result.last, last.upper == .max || range.lower <= last.upper + 1 {
        result[result.count - 1].upper = max(last.upper, range.upper)
      } else {
        result.append(range)
      }
    }
    return result
  }
}

/// The parts of `rows`, whose times ascend, that none of the ranges excludes. `ranges` are ascending and disjoint.
func withoutExcluded(_ rows: Range<Int>, _ times: Buffer<Int64>, _ ranges: [TimeRange]) -> [Range<Int>] {
  var kept: [Range<Int>] = []
  var start = rows.lowerBound
  for range in ranges {
    guard start < rows.upperBound else { break }
    let first = firstRow(times, start..<rows.upperBound) { $0 >= range.lower }
    if first > start { kept.append(start..<first) }
    start = firstRow(times, first..<rows.upperBound) { $0 > range.upper }
  }
  if start < rows.upperBound { kept.append(start..<rows.upperBound) }
  return kept
}

/// The first row of `rows`, whose times ascend, for which `test` holds.
func firstRow(_ times: Buffer<Int64>, _ rows: Range<Int>, _ test: (Int64) -> Bool) -> Int {
  var low = rows.lowerBound
  var high = rows.upperBound
  while low < high {
    let middle = (low + high) / 2
    if test(times.base[middle]) { high = middle } else { low = middle + 1 }
  }
  return low
}
