// Partial aggregates: what many rows come to, in columns of statistics. Chunks store them as summaries, scans deliver
// them in place of rows, and aggregates take them in.

/// What is known of one field in one bucket. The raw value is the order of the pages in files: never renumber.
package enum SummaryStatistic: Int, CaseIterable, Sendable {
  /// Rows with a value.
  case count = 0
  /// Of them, doubles that are NaN.
  case nanCount = 1
  /// Exact for integers and booleans (true is 1), rounded for doubles.
  case sum = 2
  /// Of the values that are not NaN; 0 if there are none.
  case minimum = 3
  case maximum = 4
  case first = 5
  case last = 6

  package var label: String {
    switch self {
    case .count: "count"
    case .nanCount: "NaN count"
    case .sum: "sum"
    case .minimum: "minimum"
    case .maximum: "maximum"
    case .first: "first"
    case .last: "last"
    }
  }
}

package struct SummaryStatistics: OptionSet, Sendable, Hashable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package init(_ statistics: SummaryStatistic...) {
    rawValue = statistics.reduce(0) { $0 | 1 << UInt8($1.rawValue) }
  }
  package func contains(_ statistic: SummaryStatistic) -> Bool { rawValue & (1 << UInt8(statistic.rawValue)) != 0 }

  /// What is kept of a type's values.
  package static func kept(of type: FieldType) -> SummaryStatistics {
    switch type {
    case .float64: SummaryStatistics(.count, .nanCount, .sum, .minimum, .maximum, .first, .last)
    case .int64, .uint64: SummaryStatistics(.count, .sum, .minimum, .maximum, .first, .last)
    case .timestamp: SummaryStatistics(.count, .minimum, .maximum, .first, .last)
    case .bool: SummaryStatistics(.count, .sum)
    case .text: SummaryStatistics(.count)
    }
  }
}

/// One field over the rows of a summary block, as words of the field's type; counts as numbers, sums of integers and
/// booleans as `Int64`. Where a bucket has no value all its words are 0.
package struct SummaryColumn: Sendable {
  package let column: ColumnID
  package let type: FieldType
  private var words: [Buffer<UInt64>?] = Array(repeating: nil, count: SummaryStatistic.allCases.count)

  package init(column: ColumnID, type: FieldType) {
    self.column = column
    self.type = type
  }

  /// Of buckets in which no row has a value: all is known.
  package static func withoutValues(_ column: ColumnID, _ type: FieldType, count: Int) -> SummaryColumn {
    var result = SummaryColumn(column: column, type: type)
    for statistic in SummaryStatistic.allCases { result[statistic] = Buffer(repeating: 0, count: count) }
    return result
  }

  /// Nil where it is not known. Counts that are nil are those of the rows; NaN counts that are nil are 0.
  package subscript(statistic: SummaryStatistic) -> Buffer<UInt64>? {
    get { words[statistic.rawValue] }
    set { words[statistic.rawValue] = newValue }
  }
}

/// Partial aggregates in place of rows: each of rows of one series that are neighbours in time.
package struct PartialBatch: Sendable {
  /// In order; the counts add up to `count`.
  package let runs: [SeriesRun]
  /// Rows behind each.
  package let rowCounts: Buffer<UInt64>
  /// Of the first and the last of these rows.
  package let firstTimes: Buffer<Int64>
  package let lastTimes: Buffer<Int64>
  /// As asked. All have `.count`, and the statistics that were asked for.
  package let columns: [SummaryColumn]

  package init(
    runs: [SeriesRun], rowCounts: Buffer<UInt64>, firstTimes: Buffer<Int64>, lastTimes: Buffer<Int64>,
    columns: [SummaryColumn]
  ) {
    self.runs = runs
    self.rowCounts = rowCounts
    self.firstTimes = firstTimes
    self.lastTimes = lastTimes
    self.columns = columns
  }

  package var count: Int { rowCounts.count }
}
