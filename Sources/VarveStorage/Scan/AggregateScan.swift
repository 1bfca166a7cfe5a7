// What an aggregating query asks for, and gets: partial aggregates where summaries or pages can say, rows elsewhere.

import VarveCore

/// How rows fall into groups by their times, whatever their series is. Used by one thread.
package protocol TimeGroups: AnyObject {
  /// Whether all rows in a range of time belong to one group.
  func isOneGroup(_ range: TimeRange) throws -> Bool
  /// Cuts `rows`, whose times ascend, into stretches that lie in one group each, neighbours perhaps in the same, and
  /// appends their ends. False, with anything appended, where it is not known how, or where the first stretches promise
  /// far fewer than `rowCount` rows each.
  func cut(_ rows: Range<Int>, of times: Buffer<Int64>, appendingTo ends: Buffer<Int>, unlessBelow rowCount: Int) throws
    -> Bool
}

package struct AggregateRequest {
  /// What may be taken in place of rows.
  package struct Sources: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Partial aggregates that chunks hold.
    package static let summaries = Sources(rawValue: 1)
    /// Partial aggregates made on chunks' pages, and on blocks of the head that are in order.
    package static let pages = Sources(rawValue: 2)
  }

  /// The rows. `zones` skip nothing where partial aggregates are used, so there should be none.
  package var scan: ScanRequest
  /// What is wanted of each field of `scan`, in the same order.
  package var statistics: [SummaryStatistics]
  package var groups: any TimeGroups
  package var sources: Sources

  package init(
    scan: ScanRequest, statistics: [SummaryStatistics], groups: any TimeGroups, sources: Sources
  ) {
    precondition(statistics.count == scan.fields.count, "something is wanted of each field")
    self.scan = scan
    self.statistics = statistics
    self.groups = groups
    self.sources = sources
  }
}

/// Every row of the scan is delivered once: as itself, or within a partial aggregate.
package enum AggregateItem: Sendable {
  case partials(PartialBatch)
  case rows(ScanBatch)
}

/// Delivers the items of an aggregating scan, partition by partition. Used by one thread.
package protocol AggregateCursor: AnyObject {
  /// Never empty; nil at the end. Throws as `ScanCursor.next` does.
  func next() throws -> AggregateItem?
  var statistics: ScanStatistics { get }
}

extension ReadSnapshot {
  /// A store without summaries gives rows.
  package func aggregate(_ request: AggregateRequest) throws -> any AggregateCursor {
    RowsAsItems(try scan(request.scan))
  }

  package func summaries(_ request: ScanRequest) throws -> [SummaryUse] { [] }

  package func estimatedCount(_ request: AggregateRequest) throws -> Int { try estimate(request.scan).rows }
}

private final class RowsAsItems: AggregateCursor {
  private let cursor: any ScanCursor
  init(_ cursor: any ScanCursor) { self.cursor = cursor }
  var statistics: ScanStatistics { cursor.statistics }
  func next() throws -> AggregateItem? { try cursor.next().map { .rows($0) } }
}
