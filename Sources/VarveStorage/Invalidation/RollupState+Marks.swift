// What becomes of a rollup's state as commits come: pure arithmetic, the same when a commit is made and when it is
// replayed. Ranges are of whole steps, below the threshold; a range that is written over takes the newer sequence.

import VarveCore
import VarveFormat

extension RollupState {
  /// Marks times from `lower` to below `upper`, as far as they lie below the threshold; but not where the rollup's rows
  /// are gone and the source's are not: nothing is made there again.
  mutating func invalidate(from lower: Int64, to upper: Int64, _ sequence: Sequence) {
    guard frozen < dropped else { return mark(from: lower, to: upper, sequence) }
    mark(from: lower, to: min(upper, frozen), sequence)
    mark(from: max(lower, dropped), to: upper, sequence)
  }

  private mutating func mark(from lower: Int64, to upper: Int64, _ sequence: Sequence) {
    let upper = min(upper, threshold)
    guard lower < upper else { return }
    cut(from: lower, to: upper, through: .greatest)
    let place = invalid.firstIndex { $0.lower >= upper } ?? invalid.count
    invalid.insert(InvalidRange(lower: lower, upper: upper, sequence: sequence), at: place)
    join(at: place + 1)
    join(at: place)
    if invalid.count > Limits.invalidRangesPerRollup { coarsen() }
  }

  /// Takes out what commits up to `through` marked from `lower` to below `upper`.
  mutating func cut(from lower: Int64, to upper: Int64, through: Sequence) {
    guard lower < upper, invalid.contains(where: { $0.lower < upper && lower < $0.upper }) else { return }
    invalid = invalid.flatMap { range -> [InvalidRange] in
      guard range.lower < upper, lower < range.upper, range.sequence <= through else { return [range] }
      var (before, behind) = (range, range)
      before.upper = lower
      behind.lower = upper
      return [before, behind].filter { $0.lower < $0.upper }
    }
  }

  /// The range with the one before it, if they touch and are of one commit.
  private mutating func join(at place: Int) {
    guard place > 0, place < invalid.count, invalid[place - 1].upper == invalid[place].lower,
      invalid[place - 1].sequence == invalid[place].sequence
    else { return }
    invalid[place - 1].upper = invalid[place].upper
    invalid.remove(at: place)
  }

  /// Half as many ranges: each with its neighbour, and what lies between.
  private mutating func coarsen() {
    var joined: [InvalidRange] = []
    for (place, range) in invalid.enumerated() {
      if place % 2 == 0 {
        joined.append(range)
      } else {
        joined[joined.count - 1].upper = range.upper
        joined[joined.count - 1].sequence = max(joined[joined.count - 1].sequence, range.sequence)
      }
    }
    invalid = joined
    cut(from: frozen, to: dropped, through: .greatest)
  }

  mutating func apply(_ step: RollupStep.Kind, _ sequence: Sequence) {
    switch step {
    case .threshold(let time): threshold = max(threshold, time)
    case .materialised(let lower, let upper, let through):
      cut(from: lower, to: upper, through: through)
      if lower <= watermark { watermark = min(max(watermark, upper), threshold) }
    case .frozen(let time):
      frozen = max(frozen, min(time, watermark))
      // What came late above for rows that were frozen before waits on.
      cut(from: .min, to: min(time, frozen), through: .greatest)
    case .invalidated(let lower, let upper): invalidate(from: lower, to: upper, sequence)
    case .dropped(let time):
      dropped = max(dropped, time)
      threshold = max(threshold, dropped)
      watermark = max(watermark, dropped)
      cut(from: frozen, to: dropped, through: .greatest)
    }
  }
}

/// Steps of a fixed width.
struct InvalidationSteps {
  let width: Int64
  let origin: Int64

  init(_ definition: RollupDefinition) {
    width = definition.stepNanoseconds
    origin = definition.origin
  }

  /// First nanosecond of the step that holds the time; the first of all where it would lie before.
  func start(of time: Int64) -> Int64 {
    let distance = time.subtractingReportingOverflow(origin)
    // Beyond what a word holds the step is not worth finding: a wider range is as right.
    guard !distance.overflow else { return .min }
    let rest = distance.partialValue % width
    let start = time.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
    return start.overflow ? .min : start.partialValue
  }

  /// First nanosecond behind the step that holds the time.
  func end(of time: Int64) -> Int64 {
    guard !time.subtractingReportingOverflow(origin).overflow else { return .max }
    let end = start(of: time).addingReportingOverflow(width)
    return end.overflow ? .max : end.partialValue
  }

  /// The steps that hold one of the times below `threshold`, ascending and joined.
  func ranges(of times: UnsafeBufferPointer<Int64>, below threshold: Int64) -> [(lower: Int64, upper: Int64)] {
    var found: [(lower: Int64, upper: Int64)] = []
    var (lower, upper) = (Int64.max, Int64.min)
    for time in times where time < threshold && !(lower <= time && time < upper) {
      (lower, upper) = (start(of: time), end(of: time))
      found.append((lower, upper))
    }
    found.sort { $0.lower < $1.lower }
    var joined: [(lower: Int64, upper: Int64)] = []
    for range in found {
      if let last = joined.last, range.lower <= last.upper {
        joined[joined.count - 1].upper = max(last.upper, range.upper)
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
