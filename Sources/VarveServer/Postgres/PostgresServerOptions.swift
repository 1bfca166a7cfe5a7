// The settings of the PostgreSQL listener, each with a default that is right for a laptop.

package struct PostgresServerOptions: Sendable {
  package var host = "127.0.0.1"
  /// 0: a free one.
  package var port = 5433
  /// Sessions at a time; one more is refused with 53300.
  package var maxConnections = 100
  /// Sockets beyond that: for requests to cancel, and for refusals that can be read.
  package var extraSockets = 32
  /// Threads on which statements run; more statements than that wait for their turn.
  package var workerThreads = 8
  /// Whether statements, and the event loops, go before other threads: see `StatementThreads`. The loops are for nothing
  /// else then.
  package var statementsGoFirst = false
  /// From connect to a session.
  package var startupTimeoutSeconds = 60
  /// From `stop` until statements that still run are cancelled.
  package var stopGraceSeconds = 10
  /// Bytes of a result that may wait for one client to read them; beyond that its statement pauses.
  package var outboundByteLimit = 1024 * 1024
  /// Bytes that may wait for a statement to end; beyond that its socket isn't read.
  package var inboundByteLimit = 1024 * 1024

  package init() {}
}
