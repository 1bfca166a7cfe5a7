// Which rows answer for a stretch of time: a rollup's own where they are valid, the source's everywhere else.
//
//                frozen             watermark
//   ─────────────┼──────────────────┼──────────────
//    stored      │ stored           │ raw
//    + raw where │ raw where a cell │
//    late rows   │ has an invalid   │
//    wait        │ range            │
//
// A cell is a bucket, or what frozen rows leave of the bucket they end in. It is read whole from one side, so a cell that
// the stretch cuts is read from the source.

import VarveCore
import VarveFormat

package struct RollupRegions: Sendable, Equatable {
  /// Times of the rollup's rows: ascending, disjoint.
  package private(set) var stored: [TimeRange] = []
  /// Times of the source's rows, likewise.
  package private(set) var raw: [TimeRange] = []

  /// With `includesFrozen` what the source no longer has is read from the rollup; without, the answer is the source's.
  /// `alsoInvalid` is what is invalid besides, since the source itself is a rollup; ascending. With `hidesDropped` nothing
  /// is read that came late for rows of the rollup which are gone.
  package init(
    _ state: RollupState, _ grid: BucketGrid, within range: TimeRange, includesFrozen: Bool,
    alsoInvalid: [InvalidRange] = [], hidesDropped: Bool = false
  ) throws {
    var range = range
    if includesFrozen && hidesDropped { range.lower = max(range.lower, state.dropped) }
    guard !range.isEmpty else { return }
    let settled = state.settled
    if range.lower < settled {
      let old = TimeRange(lower: range.lower, upper: min(range.upper, settled - 1))
      if includesFrozen {
        stored.append(old)
        let late = state.frozen == .min ? [] : [TimeRange(lower: .min, upper: state.frozen - 1).intersection(old)]
        for range in late where !range.isEmpty { addRaw(Self.cut(state.invalid + alsoInvalid, range)) }
      } else {
        addRaw([old])
      }
    }
    let lower = max(range.lower, settled)
    guard lower <= range.upper else { return }
    let first = lower == settled ? lower : try grid.boundary(notBefore: lower)
    let last = try Self.end(of: range, state, grid)
    guard first < last else {
      addRaw([TimeRange(lower: lower, upper: range.upper)])
      return
    }
    if lower < first { addRaw([TimeRange(lower: lower, upper: first - 1)]) }
    var time = first
    for invalid in Self.merged(state.invalid, alsoInvalid) where invalid.upper > time && invalid.lower < last {
      let start = max(time, settled, try grid.start(of: max(invalid.lower, time)))
      let end = min(last, try grid.end(of: min(invalid.upper, last) - 1))
      guard end > time else { continue }
      if start > time { stored.append(TimeRange(lower: time, upper: start - 1)) }
      addRaw([TimeRange(lower: max(start, time), upper: end - 1)])
      time = end
    }
    if time < last { stored.append(TimeRange(lower: time, upper: last - 1)) }
    if last <= range.upper { addRaw([TimeRange(lower: last, upper: range.upper)]) }
  }

  /// Behind the last whole cell of the stretch that is materialised.
  private static func end(of range: TimeRange, _ state: RollupState, _ grid: BucketGrid) throws -> Int64 {
    if range.upper == .max || range.upper + 1 >= state.watermark { return state.watermark }
    return max(state.settled, try grid.start(of: range.upper + 1))
  }

  private static func cut(_ ranges: [InvalidRange], _ within: TimeRange) -> [TimeRange] {
    ranges.map { TimeRange(lower: $0.lower, upper: $0.upper - 1).intersection(within) }.filter { !$0.isEmpty }
  }

  private static func merged(_ a: [InvalidRange], _ b: [InvalidRange]) -> [InvalidRange] {
    b.isEmpty ? a : (a + b).sorted { $0.lower < $1.lower }
  }

  private mutating func addRaw(_ ranges: [TimeRange]) {
    for range in ranges.sorted(by: { $0.lower < $1.lower }) {
      if let last = raw.last, last.upper == .max || range.lower <= last.upper + 1 {
        raw[raw.count - 1].upper = max(last.upper, range.upper)
      } else {
        raw.append(range)
      }
    }
  }
}
