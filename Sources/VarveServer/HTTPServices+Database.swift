// What HTTP answers beside writes: SQL for a quick look, metrics, health.

import Synchronization
import Varve
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage
import VarveWire

extension HTTPServices {
  init(
    _ database: Database, _ backend: DatabaseBackend, listeners: MeasuredListeners, now: @escaping @Sendable () -> Int64
  ) {
    self.init(now: now)
    health = {
      guard let failure = database.store.failure else {
        return HealthReport(isHealthy: true, message: "ready for queries and writes")
      }
      return HealthReport(isHealthy: false, message: failure.description)
    }
    metrics = { ServerMetrics.text(database, listeners) }
    query = { DatabaseQueryRun($0, database, backend) }
    let runs = SubscriptionRuns()
    subscribe = { runs.begin($0, database) }
    endSubscriptions = { runs.end() }
  }
}

/// A query's session comes with its first piece and goes with its last, or with the run. Between two pieces it holds no
/// thread: the client may take as long as it likes.
private final class DatabaseQueryRun: HTTPQueryRun {
  /// Unchecked: one piece after the other is made, each on one thread.
  private struct Kept: @unchecked Sendable {
    var stream: QueryStream?
    /// nil: the answer is not packed.
    var packing: GzipStream?
  }

  private let request: HTTPQueryRequest
  private let database: Database
  private let backend: DatabaseBackend
  private let activity: SessionActivity
  private let kept = Mutex(Kept())

  init(_ request: HTTPQueryRequest, _ database: Database, _ backend: DatabaseBackend) {
    self.request = request
    self.database = database
    self.backend = backend
    activity = database.monitor.open(
      user: StartupParameters().user, database: request.database, protocol: .http,
      clientAddress: request.clientAddress)
    activity.isQueued(request.sql)
  }

  deinit { database.monitor.close(activity) }

  func cancel() { activity.control.cancel() }

  func next() async throws -> (bytes: [UInt8], isLast: Bool) {
    activity.waits(for: .worker)
    return try await database.workers.run { [self] in
      activity.waits(for: nil)
      // The lock only carries the stream from one thread to the next.
      let kept = self.kept.withLock { kept in
        defer { kept = Kept() }
        return kept
      }
      let stream = try kept.stream ?? open()
      let packing = try request.isPacked ? kept.packing ?? GzipStream() : nil
      let piece = try stream.next()
      if !piece.isLast {
        activity.waits(for: .client)
        let next = Kept(stream: stream, packing: packing)
        self.kept.withLock { $0 = next }
      }
      return (packing?.pack(piece.bytes, isLast: piece.isLast) ?? piece.bytes, piece.isLast)
    }
  }

  private func open() throws -> QueryStream {
    var parameters = StartupParameters(database: request.database)
    let settings = [("statement_timeout", request.timeout), ("application_name", request.clientName)]
    for case (let name, let value?) in settings {
      parameters.settings.append(StartupParameters.Setting(name: name, value: value))
    }
    let session = try backend.openSession(parameters, activity: activity)
    return try QueryStream(session, request.sql, parameters: request.parameters, format: request.format)
  }
}
