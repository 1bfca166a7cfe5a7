// Who writes: a connection, a session, a caller. A writer's batches are committed in the order in which it submits
// them; of different writers none waits for all that others have queued.

import Synchronization

/// The way by which rows come in.
package enum IngestProtocol: String, Sendable, CaseIterable {
  case lineProtocol = "line-protocol"
  case http = "http"
  /// INSERT and COPY, over whatever connection.
  case sql = "sql"
  /// Calls within the process that opened the database.
  case embedded = "embedded"
  /// Refreshes.
  case rollup = "rollup"

  /// Whether its clients ask for answers at a time of their own (`#sync`, the end of a request), which their connection
  /// then reports. The others wait for each write.
  var reportsItsAnswers: Bool { self == .lineProtocol || self == .http }
}

package struct IngestWriter: Sendable {
  /// Unique in the process.
  package let number: UInt64
  package let `protocol`: IngestProtocol

  package init(_ protocol: IngestProtocol) {
    self.protocol = `protocol`
    number = Self.lastNumber.add(1, ordering: .relaxed).newValue
  }

  private static let lastNumber = Atomic<UInt64>(0)
}
