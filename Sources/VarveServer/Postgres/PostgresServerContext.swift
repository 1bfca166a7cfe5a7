// What the connections of one server share: the engine behind them, the threads, the limits, and the keys by which
// one connection cancels what another one runs.

import Logging
import NIOCore
import Synchronization
import VarveStorage
import VarveWire

/// What BackendKeyData tells a client and a CancelRequest brings back.
struct CancelKey: Hashable, Sendable {
  var processID: Int32
  /// Random, so that only who was told it can cancel.
  var secretKey: Int32
}

/// What the listener has seen since it started.
package struct PostgresStatistics: Sendable, Equatable {
  package var connections = 0
  /// Sessions that are open now.
  package var openSessions = 0
  package var bytesSent = 0
}

final class PostgresServerContext: Sendable {
  private struct State {
    var connections: [ObjectIdentifier: PostgresConnection] = [:]
    var keys: [CancelKey: PostgresConnection] = [:]
    /// `openSessions` of it is what the limit of connections is about.
    var statistics = PostgresStatistics()
    var isStopping = false
    /// Woken when the last connection has ended.
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  let backend: any QueryBackend
  let options: PostgresServerOptions
  let threads: StatementThreads
  let logger: Logger
  /// Knows the sessions that are open.
  let meter: IngestMeter
  let now: @Sendable () -> Int64
  private let state = Mutex(State())

  init(
    backend: any QueryBackend, options: PostgresServerOptions, meter: IngestMeter, now: @escaping @Sendable () -> Int64,
    logger: Logger
  ) {
    self.backend = backend
    self.options = options
    self.meter = meter
    self.now = now
    threads = StatementThreads(limit: options.workerThreads, goFirst: options.statementsGoFirst)
    self.logger = logger
  }

  // MARK: Sockets

  /// False: there are too many, or the server stops.
  func add(_ connection: PostgresConnection) -> Bool {
    state.withLock { state in
      guard !state.isStopping, state.connections.count < options.maxConnections + options.extraSockets else {
        return false
      }
      state.connections[ObjectIdentifier(connection)] = connection
      state.statistics.connections += 1
      return true
    }
  }

  /// The connection has ended: nothing runs for it any more.
  func remove(_ connection: PostgresConnection) {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.connections[ObjectIdentifier(connection)] = nil
      guard state.connections.isEmpty else { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// From now on no connection is added. The ones there are.
  func beginStopping() -> [PostgresConnection] {
    state.withLock { state in
      state.isStopping = true
      return Array(state.connections.values)
    }
  }

  func waitUntilAllHaveEnded() async {
    await withCheckedContinuation { waiter in
      let isEmpty = state.withLock { state in
        if !state.connections.isEmpty { state.waiters.append(waiter) }
        return state.connections.isEmpty
      }
      if isEmpty { waiter.resume() }
    }
  }

  // MARK: Sessions

  func takeSessionSlot() -> Bool {
    state.withLock { state in
      guard state.statistics.openSessions < options.maxConnections else { return false }
      state.statistics.openSessions += 1
      return true
    }
  }

  func releaseSessionSlot() { state.withLock { $0.statistics.openSessions -= 1 } }

  // MARK: Counting

  var statistics: PostgresStatistics { state.withLock { $0.statistics } }

  func countSent(_ byteCount: Int) { state.withLock { $0.statistics.bytesSent += byteCount } }

  // MARK: Cancelling

  func register(_ connection: PostgresConnection, _ processID: Int32) -> CancelKey {
    let key = CancelKey(processID: processID, secretKey: Int32.random(in: .min ... .max))
    state.withLock { $0.keys[key] = connection }
    return key
  }

  func release(_ key: CancelKey) { state.withLock { $0.keys[key] = nil } }

  /// A key that nobody has is ignored: who asks learns nothing either way.
  func cancel(_ key: CancelKey) { state.withLock { $0.keys[key] }?.cancel() }
}
