// What one open connection has done: its listener's handler writes it, after each read and each answer, and reports
// read it.

import Synchronization

package enum ConnectionState: String, Sendable {
  case reading
  /// Of a session: its statement runs.
  case running
  /// Not read while its batches are with the store.
  case waitingForStore = "waiting for store"
  /// The store has no room for its rows; they are offered again.
  case waitingForRoom = "waiting for room"
  /// Not read while it does not read its answers.
  case waitingForClient = "waiting for client"
  case closing
}

package struct ConnectionCounts: Sendable {
  package var state = ConnectionState.reading
  package var receivedByteCount = 0
  package var rows = 0
  package var rejected = 0
  /// Rows with the store, as columns.
  package var inFlightByteCount = 0
  /// Questions (`#sync`, HTTP requests, statements up to a Sync) that are not answered yet, and those that are.
  package var unansweredSyncs = 0
  package var syncs = 0
  package var lastSyncNanoseconds: UInt64?
  package var slowestSyncNanoseconds: UInt64?

  package mutating func answered(_ nanoseconds: UInt64) {
    syncs += 1
    lastSyncNanoseconds = nanoseconds
    slowestSyncNanoseconds = max(slowestSyncNanoseconds ?? 0, nanoseconds)
  }
}

/// A connection at one moment.
package struct ConnectionReport: Sendable {
  package let number: UInt64
  /// `line-protocol`, `http`, `postgres`.
  package let listener: String
  package let client: String
  /// Nanoseconds since 1970.
  package let since: Int64
  package let counts: ConnectionCounts
}

package final class ConnectionMeter: Sendable {
  private let number: UInt64
  private let listener: String
  private let client: String
  private let since: Int64
  private let counts = Mutex(ConnectionCounts())

  init(number: UInt64, listener: String, client: String, since: Int64) {
    self.number = number
    self.listener = listener
    self.client = client
    self.since = since
  }

  package func update(_ body: (inout ConnectionCounts) -> Void) { counts.withLock { body(&$0) } }

  var report: ConnectionReport {
    ConnectionReport(
      number: number, listener: listener, client: client, since: since, counts: counts.withLock { $0 })
  }

  var id: UInt64 { number }
}
