import VarveCore
import VarveWire

/// Settings of the HTTP listener.
package struct HTTPServerOptions: Sendable {
  package var host = "127.0.0.1"
  /// 0 picks a free port.
  package var port = 8086
  /// The database of requests that name none. Every name is accepted; all write to the one database there is.
  package var defaultDatabase = "varve"
  package var lines = LineProtocolOptions()
  package var connectionLimit = 1024
  /// Longest body of a write, unpacked.
  package var bodyByteLimit = 64 * 1024 * 1024
  /// Longest body of a query.
  package var queryByteLimit = Limits.queryTextByteCount
  /// Rows of one request that are with the store; beyond it the connection is not read.
  package var inFlightByteLimit = 16 * 1024 * 1024
  /// Bodies whose rows are not with the store yet, of all requests together: when it is used up, each request hands
  /// over what it has, and further ones are put off. nil: without a bound.
  package var gatheringMemory: ByteBudget?
  package var retryAfterSeconds = 1
  /// A connection on which nothing happens for so long is closed.
  package var idleSeconds: Int64 = 300
  /// A subscription that has nothing to tell says so this often, so that proxies keep its connection.
  package var heartbeatSeconds: Int64 = 15
  /// How long the rest of a refused request is read and dropped behind the answer.
  package var lingerMilliseconds: Int64 = 2_000
  package var stopGraceMilliseconds: Int64 = 30_000
  /// What clients of InfluxDB look at to tell versions apart.
  package var influxVersion = "1.8.10"
  package var version = "varve"
  package init() {}
}

/// Whether the store can be used.
package struct HealthReport: Sendable {
  package var isHealthy: Bool
  package var message: String
  package init(isHealthy: Bool, message: String) {
    self.isHealthy = isHealthy
    self.message = message
  }
}

package enum HTTPQueryFormat: String, Sendable {
  case json, csv

  var contentType: String { self == .json ? "application/json" : "text/csv; charset=utf-8" }
}

/// One statement, and how its rows are wanted.
package struct HTTPQueryRequest: Sendable {
  package var sql: String
  package var format: HTTPQueryFormat
  package var database: String
  /// For `$1`, `$2`, …; nil: NULL.
  package var parameters: [String?] = []
  /// As statement_timeout takes it.
  package var timeout: String?
  package var clientAddress: String?
  package var clientName: String?
  /// Whether pieces are packed with gzip, as those of one member.
  package var isPacked = false
}

/// A query to be followed.
package struct HTTPSubscription: Sendable {
  package var query: HTTPQueryRequest
  /// Where to go on; nil: from now on.
  package var offset: String?
  /// As an interval; nil: as usual.
  package var grace: String?
  package var heartbeatSeconds: Int64
}

/// A statement on its way.
package protocol HTTPQueryRun: AnyObject, Sendable {
  /// The next part of the rows, and whether it is the last. Not called again before it has returned, nor after the last.
  func next() async throws -> (bytes: [UInt8], isLast: Bool)
  /// Nobody wants the rest. Any thread, at any time, and more than once.
  func cancel()
}

/// What the listener asks of the rest of the program, beside the sink. All may be called on any thread.
package struct HTTPServices: Sendable {
  /// Nanoseconds since 1970: the time of lines without a stamp.
  package var now: @Sendable () -> Int64
  package var health: @Sendable () async -> HealthReport = {
    HealthReport(isHealthy: true, message: "ready for queries and writes")
  }
  /// Prometheus text; nil: there are no metrics.
  package var metrics: (@Sendable () async -> String)?
  /// nil: queries are refused.
  package var query: (@Sendable (HTTPQueryRequest) -> any HTTPQueryRun)?
  /// Runs that go on until they are ended; nil: subscriptions are refused.
  package var subscribe: (@Sendable (HTTPSubscription) -> any HTTPQueryRun)?
  /// Ends them all: the listener stops.
  package var endSubscriptions: @Sendable () -> Void = {}
  package init(now: @escaping @Sendable () -> Int64) { self.now = now }
}
