// The server: one database, three listeners, and an orderly end.
//
//   start: open (recover) → bind all three → ready
//   stop:  stop accepting → answer what is running → make durable → close
//
// A listener that cannot be bound undoes what was started.

import Glibc
import Logging
import NIOCore
import NIOPosix
import Varve
import VarveArchive
import VarveCore
import VarveIO
import VarveWire

package final class Server: Sendable {
  package struct Listener: Sendable {
    /// `line-protocol`, `http`, `postgres`.
    package let name: String
    /// Where it listens; with the port that was picked if 0 was asked for.
    package let address: ListenAddress
  }

  /// In the order they are announced.
  package let listeners: [Listener]
  let database: Database
  private let group: MultiThreadedEventLoopGroup
  /// Of PostgreSQL connections alone: what somebody waits for does not stand behind megabytes that are being parsed.
  private let sessionGroup: MultiThreadedEventLoopGroup
  private let lineProtocol: LineProtocolServer
  private let http: HTTPServer
  private let postgres: PostgresServer
  private let logger: Logger

  /// Serves until a signal ends it. `announce` is called for each listener once all are ready.
  package static func run(
    _ settings: ServerSettings, objectStores: ObjectStoreSchemes, logger: Logger,
    announce: (_ name: String, _ address: ListenAddress) throws -> Void
  ) async throws {
    let (signals, continuation) = AsyncStream<String>.makeStream()
    // From the beginning: a signal during recovery is heeded once the server could be stopped in order.
    ShutdownSignals.onFirst { signal in continuation.yield(signal) }
    let server = try await start(settings, objectStores: objectStores, logger: logger)
    for listener in server.listeners { try announce(listener.name, listener.address) }
    for await signal in signals {
      logger.info("stopping", metadata: ["signal": "\(signal)"])
      break
    }
    try await server.stop()
    logger.info("stopped")
  }

  /// Opens the database and listens. When this returns, clients can connect.
  package static func start(
    _ settings: ServerSettings, objectStores: ObjectStoreSchemes = .none, logger: Logger
  ) async throws -> Server {
    var options = settings.databaseOptions
    options.objectStores = objectStores
    options.log = logger.databaseLog
    let statements = settings.logger("statements")
    options.onSlowStatement = { statements.log($0) }
    let begin = ProcessEnvironment.monotonicSeconds()
    let database = try await Database.open(settings.data, options: options)
    let milliseconds = Int((ProcessEnvironment.monotonicSeconds() - begin) * 1000)
    logger.info("opened", metadata: ["data": "\(settings.data)", "milliseconds": "\(milliseconds)"])
    let loopCount = max(2, min(8, System.coreCount))
    let group = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
    let sessionGroup = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
    do {
      return try await listen(settings, database, group, sessionGroup, logger)
    } catch {
      try await database.close()
      try await group.shutdownGracefully()
      try await sessionGroup.shutdownGracefully()
      throw error
    }
  }

  private static func listen(
    _ settings: ServerSettings, _ database: Database, _ group: MultiThreadedEventLoopGroup,
    _ sessionGroup: MultiThreadedEventLoopGroup, _ logger: Logger
  ) async throws -> Server {
    let clock = SystemClock()
    let now: @Sendable () -> Int64 = { clock.wallNanoseconds() }
    // What connections remember of series, whatever they speak.
    let seriesMemory = ByteBudget(byteLimit: settings.memoryByteCount / 16)
    let backend = DatabaseBackend(database, copyMemory: seriesMemory)
    let limits = ConnectionLimits(settings, openFiles: ProcessLimits.raiseOpenFiles(), logger: logger)
    let sockets = SocketBudget(limits.sockets)
    let meter = database.ingestMeter

    var lineOptions = LineProtocolServerOptions()
    lineOptions.host = settings.lineProtocol.host
    lineOptions.port = settings.lineProtocol.port
    lineOptions.connectionLimit = limits.connections
    lineOptions.lines.maxFutureNanoseconds = Int64(settings.maxFutureMilliseconds) * 1_000_000
    lineOptions.lines.seriesMemory = seriesMemory
    let lineProtocol = LineProtocolServer(
      options: lineOptions, sink: database, meter: meter, sockets: sockets, group: group,
      logger: settings.logger("line-protocol"),
      now: now)

    var httpOptions = HTTPServerOptions()
    httpOptions.host = settings.http.host
    httpOptions.port = settings.http.port
    httpOptions.connectionLimit = limits.connections
    httpOptions.bodyByteLimit = settings.maxBodyByteCount
    httpOptions.lines = lineOptions.lines
    httpOptions.gatheringMemory = ByteBudget(byteLimit: settings.memoryByteCount / 32)
    let listeners = MeasuredListeners(lineProtocol: lineProtocol)
    let http = HTTPServer(
      options: httpOptions, services: HTTPServices(database, backend, listeners: listeners, now: now), sink: database,
      meter: meter, sockets: sockets, group: group, logger: settings.logger("http"))
    listeners.http = http

    var postgresOptions = PostgresServerOptions()
    postgresOptions.host = settings.postgres.host
    postgresOptions.port = settings.postgres.port
    postgresOptions.maxConnections = limits.sessions
    postgresOptions.statementsGoFirst = settings.areQueriesFirst

    // Each in turn, so that a failure knows what to undo.
    let lineAddress = try await binding("line-protocol", settings.lineProtocol) { try await lineProtocol.start() }
    do {
      let httpAddress = try await binding("http", settings.http) { try await http.start() }
      do {
        let postgres = try await binding("postgres", settings.postgres) {
          try await PostgresServer.start(
            postgresOptions, backend: backend, meter: meter, now: now, group: sessionGroup,
            logger: settings.logger("postgres"))
        }
        listeners.postgres = postgres
        return Server(
          listeners: [
            Listener(name: "line-protocol", address: address(lineAddress, settings.lineProtocol)),
            Listener(name: "http", address: address(httpAddress, settings.http)),
            Listener(name: "postgres", address: address(postgres.address, settings.postgres)),
          ], database: database, group: group, sessionGroup: sessionGroup, lineProtocol: lineProtocol, http: http,
          postgres: postgres,
          logger: logger)
      } catch {
        try await http.stop(gracefully: false)
        throw error
      }
    } catch {
      try await lineProtocol.stop(gracefully: false)
      throw error
    }
  }

  private static func binding<T>(
    _ name: String, _ address: ListenAddress, _ start: () async throws -> T
  ) async throws -> T {
    do {
      return try await start()
    } catch let error as IOError {
      throw VarveError(
        .inputOutput, "cannot listen on \(address) for \(name): \(String(cString: strerror(error.errnoCode)))",
        hint: "choose another address with --\(name) HOST:PORT; port 0 picks a free one")
    } catch {
      throw VarveError(.inputOutput, "cannot listen on \(address) for \(name): \(error)")
    }
  }

  private static func address(_ bound: SocketAddress, _ asked: ListenAddress) -> ListenAddress {
    ListenAddress(host: bound.ipAddress ?? asked.host, port: bound.port ?? asked.port)
  }

  private init(
    listeners: [Listener], database: Database, group: MultiThreadedEventLoopGroup,
    sessionGroup: MultiThreadedEventLoopGroup, lineProtocol: LineProtocolServer, http: HTTPServer,
    postgres: PostgresServer, logger: Logger
  ) {
    self.listeners = listeners
    self.database = database
    self.group = group
    self.sessionGroup = sessionGroup
    self.lineProtocol = lineProtocol
    self.http = http
    self.postgres = postgres
    self.logger = logger
  }

  /// Stops accepting, answers what is running, makes everything durable and closes.
  package func stop() async throws {
    async let lines: Void = lineProtocol.stop()
    async let requests: Void = http.stop()
    async let queries: Void = postgres.stop()
    // The database closes whatever a listener says: what is acknowledged is what matters.
    var failure: (any Error)?
    do { try await lines } catch { failure = failure ?? error }
    do { try await requests } catch { failure = failure ?? error }
    do { try await queries } catch { failure = failure ?? error }
    if let failure { logger.error("a listener did not stop in order", metadata: ["error": "\(failure)"]) }
    try await database.close()
    try await group.shutdownGracefully()
    try await sessionGroup.shutdownGracefully()
  }
}
