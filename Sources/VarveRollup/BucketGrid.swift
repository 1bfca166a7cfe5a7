// The buckets of time that a rollup's rows stand for, whatever makes them: a width, months, days of a time zone.
//
// All that is known of them is where the bucket of a time starts, and that later times have no earlier start; where the
// next one starts is searched for unless the width is fixed.

import VarveCore

package struct BucketGrid: Sendable {
  /// All buckets of one width, one of which starts at `origin`.
  package struct Fixed: Sendable, Equatable {
    package let width: Int64
    package let origin: Int64
    package init(width: Int64, origin: Int64) {
      precondition(width > 0, "a bucket has a width")
      self.width = width
      self.origin = origin
    }
  }

  package let fixed: Fixed?
  private let startOf: @Sendable (Int64) throws -> Int64

  package init(fixed: Fixed? = nil, startOf: @escaping @Sendable (Int64) throws -> Int64) {
    self.fixed = fixed
    self.startOf = startOf
  }

  /// Of the bucket that holds the time. What no bucket holds is its own.
  package func start(of time: Int64) throws -> Int64 {
    time == .min || time == .max ? time : try startOf(time)
  }

  /// Where the next bucket starts; `Int64.max` if none does.
  package func end(of time: Int64) throws -> Int64 {
    if time == .max { return .max }
    let start = try start(of: time)
    if let fixed {
      let end = start.addingReportingOverflow(fixed.width)
      return end.overflow ? .max : end.partialValue
    }
    // Steps twice as long each, until one leaves the bucket; then the border is between the last two.
    var inside = time
    var step: Int64 = 1_000_000_000
    while true {
      let next = inside.addingReportingOverflow(step)
      if next.overflow { return .max }
      if try self.start(of: next.partialValue) > start {
        return try border(above: inside, upTo: next.partialValue, start)
      }
      inside = next.partialValue
      step = step.multipliedReportingOverflow(by: 2).overflow ? .max : step * 2
    }
  }

  private func border(above inside: Int64, upTo outside: Int64, _ start: Int64) throws -> Int64 {
    var (inside, outside) = (inside, outside)
    while outside - inside > 1 {
      let middle = inside + (outside - inside) / 2
      if try self.start(of: middle) > start { outside = middle } else { inside = middle }
    }
    return outside
  }

  /// The first time not before this one where a bucket starts.
  package func boundary(notBefore time: Int64) throws -> Int64 {
    try start(of: time) == time ? time : try end(of: time)
  }

  /// Whether each bucket of the other lies within one of these, as far as times of the range go. Buckets of which one
  /// side has no fixed width are compared border by border, up to ten thousand.
  package func isMadeOf(_ other: BucketGrid, within range: TimeRange) throws -> Bool {
    if let own = fixed, let theirs = other.fixed {
      let distance = own.origin.subtractingReportingOverflow(theirs.origin)
      return own.width % theirs.width == 0 && !distance.overflow && distance.partialValue % theirs.width == 0
    }
    var time = try boundary(notBefore: range.lower)
    for _ in 0..<Self.comparedBorders {
      if time > range.upper || time == .max { return true }
      guard try other.start(of: time) == time else { return false }
      time = try end(of: time)
    }
    return false
  }

  private static let comparedBorders = 10_000
}
