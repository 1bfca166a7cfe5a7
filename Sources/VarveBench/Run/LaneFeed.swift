// What both kinds of connections share: the generator, its pace, and the counts.

import Synchronization
import VarveCore
import VarveServer

/// Counts that the thread that shows progress reads.
final class LoadCounts: Sendable {
  let rowsAcknowledged = Atomic(0)
  let bytesSent = Atomic(0)
}

/// Of one connection; used by the thread that drives it.
final class LaneFeed {
  let generator: RowGenerator
  let batchRowCount: Int
  private let counts: LoadCounts
  private(set) var pace: Pace

  private(set) var rowsSent = 0
  private(set) var bytesSent = 0
  private(set) var rowsAcknowledged = 0
  private(set) var rowsRejected = 0
  var retryCount = 0
  private(set) var firstRejection: String?
  private(set) var latencies = LatencyHistogram()
  /// Of the last acknowledgement.
  private(set) var lastAnswer: Int64 = 0

  init(_ generator: RowGenerator, batchRowCount: Int, pace: Pace, counts: LoadCounts) {
    self.generator = generator
    self.batchRowCount = batchRowCount
    self.pace = pace
    self.counts = counts
  }

  /// Whether rows may be sent; `scheduled`: since when.
  func mayBegin(_ now: Int64) -> (isDue: Bool, scheduled: Int64) {
    guard let due = pace.due else { return (true, now) }
    return (due <= now, due)
  }

  func generated(_ rows: Int) {
    rowsSent += rows
    pace.advance(by: rows)
  }

  func sent(_ bytes: Int) {
    bytesSent += bytes
    counts.bytesSent.wrappingAdd(bytes, ordering: .relaxed)
  }

  func acknowledged(rows: Int, scheduled: Int64, now: Int64) {
    rowsAcknowledged += rows
    counts.rowsAcknowledged.wrappingAdd(rows, ordering: .relaxed)
    latencies.record(now - scheduled)
    lastAnswer = max(lastAnswer, now)
  }

  /// `message`: what the server said of one of them.
  func rejected(rows: Int, _ message: String?) {
    rowsRejected += rows
    firstRejection = firstRejection ?? message
  }
}

/// One connection, driven by the thread of its worker: each step does what can be done without waiting.
protocol Lane: AnyObject {
  var feed: LaneFeed { get }
  /// Everything has been sent and acknowledged.
  var isFinished: Bool { get }
  /// When a step can do something though nothing comes from the socket; nil: then only.
  var nextDue: Int64? { get }
  /// The socket, and whether it waits for room; nil while there is no connection.
  var waiting: (socket: ClientSocket, forSending: Bool)? { get }
  /// True if something was done.
  func step() throws -> Bool
}
