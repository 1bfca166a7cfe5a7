// What an aggregating query asks for, and gets: partial aggregates where summaries can say, rows elsewhere.

import VarveCore

package struct AggregateRequest {
  /// The rows. `zones` skip nothing where summaries are used, so there should be none.
  package var scan: ScanRequest
  /// What is wanted of each field of `scan`, in the same order.
  package var statistics: [SummaryStatistics]
  /// Whether all rows in a range of time belong to one group, whatever their series is.
  package var isOneGroup: (TimeRange) throws -> Bool

  package init(
    scan: ScanRequest, statistics: [SummaryStatistics], isOneGroup: @escaping (TimeRange) throws -> Bool
  ) {
    precondition(statistics.count == scan.fields.count, "something is wanted of each field")
    self.scan = scan
    self.statistics = statistics
    self.isOneGroup = isOneGroup
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
}

private final class RowsAsItems: AggregateCursor {
  private let cursor: any ScanCursor
  init(_ cursor: any ScanCursor) { self.cursor = cursor }
  var statistics: ScanStatistics { cursor.statistics }
  func next() throws -> AggregateItem? { try cursor.next().map { .rows($0) } }
}
