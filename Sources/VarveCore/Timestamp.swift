/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. Covers 1677-09-21 to 2262-04-11.
@usableFromInline package struct Timestamp: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: Int64
  @inlinable package init(rawValue: Int64) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  package static let min = Timestamp(rawValue: .min)
  package static let max = Timestamp(rawValue: .max)
}

/// A range of time stamps with both ends included, so that the last nanosecond of `Int64` can be in one.
/// An empty range has `lower > upper`.
@usableFromInline package struct TimeRange: Hashable, Sendable {
  @usableFromInline package var lower: Int64
  @usableFromInline package var upper: Int64
  @inlinable package init(lower: Int64, upper: Int64) {
    self.lower = lower
    self.upper = upper
  }
  package static let all = TimeRange(lower: .min, upper: .max)
  @inlinable package var isEmpty: Bool { lower > upper }
  @inlinable package func contains(_ t: Int64) -> Bool { lower <= t && t <= upper }
  @inlinable package func contains(_ other: TimeRange) -> Bool { lower <= other.lower && other.upper <= upper }
  @inlinable package func overlaps(_ other: TimeRange) -> Bool {
    !isEmpty && !other.isEmpty && lower <= other.upper && other.lower <= upper
  }
  @inlinable package func intersection(_ other: TimeRange) -> TimeRange {
    TimeRange(lower: Swift.max(lower, other.lower), upper: Swift.min(upper, other.upper))
  }
}
