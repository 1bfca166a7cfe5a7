import NIOConcurrencyHelpers

/// What a listener has seen since it started.
package struct IngestStatistics: Sendable, Equatable {
  package var connections = 0
  package var bytesSent = 0
  package var bytesReceived = 0
  package var rowsWritten = 0
  package var linesRejected = 0
  /// Connections closed because their client did not read its answers, or failed otherwise.
  package var connectionsAborted = 0
  package init() {}
}

typealias IngestCounters = NIOLockedValueBox<IngestStatistics>
