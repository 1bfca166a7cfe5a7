// The widths that summaries may have. Each divides the next, so a query's buckets often hold whole ones.

import VarveCore

/// The bucket width of a chunk's summaries, aligned to 1970. The raw value is in files: never renumber.
package enum SummaryStep: UInt8, CaseIterable, Comparable, Sendable {
  case second = 1
  case tenSeconds = 2
  case minute = 3
  case fiveMinutes = 4
  case quarterHour = 5
  case hour = 6
  case sixHours = 7
  case day = 8

  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  package var nanoseconds: Int64 {
    let seconds: Int64 =
      switch self {
      case .second: 1
      case .tenSeconds: 10
      case .minute: 60
      case .fiveMinutes: 300
      case .quarterHour: 900
      case .hour: 3_600
      case .sixHours: 21_600
      case .day: 86_400
      }
    return seconds * 1_000_000_000
  }

  package var label: String {
    switch self {
    case .second: "1 s"
    case .tenSeconds: "10 s"
    case .minute: "1 min"
    case .fiveMinutes: "5 min"
    case .quarterHour: "15 min"
    case .hour: "1 h"
    case .sixHours: "6 h"
    case .day: "1 day"
    }
  }

  /// floor(time / step).
  package func bucket(of time: Int64) -> Int64 { ChunkIdentity.partition(of: time, nanoseconds: nanoseconds) }

  /// Fewer rows than this a bucket, and summaries would cost more of the chunk than they spare of the reading.
  static let rowsPerBucket = 200
  /// The same of an archived chunk, down to hours: reading what the summaries spare is dear there.
  static let archivedRowsPerBucket = 10

  /// The step for a chunk of so many rows: the smallest with `rowsPerBucket` rows a series and bucket on average, which
  /// is at most as wide as the partition. Nil if there is none: the chunk has no summaries.
  package static func choose(
    rowCount: Int, seriesCount: Int, time: TimeRange, partitionNanoseconds: Int64, isArchived: Bool = false
  ) -> SummaryStep? {
    guard rowCount > 0, seriesCount > 0, !time.isEmpty else { return nil }
    return allCases.first { step in
      guard step.nanoseconds <= partitionNanoseconds else { return false }
      let buckets = Double(step.bucket(of: time.upper) - step.bucket(of: time.lower) + 1)
      let least = isArchived && step >= .hour ? archivedRowsPerBucket : rowsPerBucket
      return Double(rowCount) >= Double(seriesCount) * buckets * Double(least)
    }
  }
}
