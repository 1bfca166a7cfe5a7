// What HTTP answers beside writes: SQL for a quick look, metrics, health.

import NIOConcurrencyHelpers
import Varve
import VarveCore
import VarveIO
import VarveStorage
import VarveWire

/// The listeners whose counts /metrics shows. HTTP's and PostgreSQL's are made after HTTP's services.
final class MeasuredListeners: Sendable {
  let lineProtocol: LineProtocolServer
  private let later = NIOLockedValueBox(Later())

  private struct Later: Sendable {
    weak var http: HTTPServer?
    weak var postgres: PostgresServer?
  }

  init(lineProtocol: LineProtocolServer) { self.lineProtocol = lineProtocol }

  var http: HTTPServer? {
    get { later.withLockedValue { $0.http } }
    set { later.withLockedValue { $0.http = newValue } }
  }

  var postgres: PostgresServer? {
    get { later.withLockedValue { $0.postgres } }
    set { later.withLockedValue { $0.postgres = newValue } }
  }
}

extension HTTPServices {
  /// A result for curl stands in memory whole; larger ones are for psql.
  private static let resultByteLimit = 64 << 20

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
    metrics = { Self.metrics(database, listeners) }
    query = { sql, format, name in
      do {
        return try await database.workers.run { try Self.answer(sql, format, name, backend) }
      } catch {
        return Self.failure(PostgresError("XX000", "\(error)"))
      }
    }
  }

  private static func answer(
    _ sql: String, _ format: HTTPQueryFormat, _ database: String, _ backend: DatabaseBackend
  ) throws -> HTTPQueryResponse {
    var body: [UInt8] = []
    let output: TextOutput = { piece in
      guard body.count + piece.count <= resultByteLimit else {
        throw PostgresError(
          "54000", "the result is larger than \(resultByteLimit >> 20) MB",
          hint: "ask for less, or use the PostgreSQL port")
      }
      body += piece
    }
    do {
      let connection = try EmbeddedSQLConnection(backend, parameters: StartupParameters(database: database))
      switch format {
      case .json: try connection.run(sql, into: JSONSink(output))
      case .csv: try connection.run(sql, into: CSVSink(output))
      }
    } catch let error as PostgresError {
      return failure(error)
    } catch let error as VarveError {
      return failure(PostgresError(error))
    }
    return HTTPQueryResponse(contentType: format == .json ? "application/json" : "text/csv; charset=utf-8", body: body)
  }

  private static func failure(_ error: PostgresError) -> HTTPQueryResponse {
    var text = "{\"code\":\(JSONText.string(error.sqlState)),\"message\":\(JSONText.string(error.message))"
    if let hint = error.hint { text += ",\"hint\":\(JSONText.string(hint))" }
    if let position = error.position { text += ",\"position\":\(position)" }
    let isOurs = error.sqlState.hasPrefix("XX") || error.sqlState.hasPrefix("58")
    return HTTPQueryResponse(
      status: isOurs ? 500 : 400, contentType: "application/json", body: Array((text + "}\n").utf8))
  }

  // MARK: Metrics

  private static func maintenance(_ statistics: MaintenanceStatistics, _ text: inout MetricsText) {
    text.counter("varve_sealed_bytes_total", "Bytes of chunk files that sealing wrote.", statistics.sealedByteCount)
    text.counters(
      "varve_compaction_bytes_total", "Bytes of chunk files that compactions read, and wrote in their place.",
      "direction",
      [("read", statistics.compactionReadByteCount), ("written", statistics.compactionWrittenByteCount)])
    if let amplification = statistics.writeAmplification {
      text.gauge(
        "varve_write_amplification", "Bytes of chunk files written by sealing and compaction, for each byte sealed.",
        amplification)
    }
    text.counters(
      "varve_compactions_total", "Compactions.", "result",
      [("ok", statistics.compactions), ("error", statistics.compactionFailures)])
  }

  private static func caches(_ store: Store, _ text: inout MetricsText) {
    let pages = store.pageCacheStatistics
    text.gauge("varve_page_cache_bytes", "Bytes that cached pages of chunk files take.", pages.byteCount)
    text.gauge("varve_page_cache_limit_bytes", "Bytes that cached pages may take.", pages.byteLimit)
    text.counters(
      "varve_page_cache_reads_total", "Pages asked for that were in the cache, and that were read from files.",
      "result", [("hit", pages.hits), ("miss", pages.misses)])
    text.counter("varve_page_cache_evictions_total", "Pages that left the cache for others.", pages.evictions)
    text.gauge(
      "varve_chunk_index_bytes", "Bytes that indexes of chunks take in memory.", store.chunkIndexByteCount)
  }

  private static func metrics(_ database: Database, _ listeners: MeasuredListeners) -> String {
    var text = MetricsText()
    let head = database.store.headByteCounts
    text.gauge("varve_commit_sequence", "Number of the last durable commit.", Int(database.store.sequence.rawValue))
    text.gauge("varve_head_bytes", "Bytes of rows in memory that are not in chunk files.", head.active + head.sealing)
    text.gauge("varve_log_bytes", "Bytes of the write-ahead log.", database.store.logByteCount)
    caches(database.store, &text)
    if let pipeline = database.pipeline {
      text.gauge("varve_queue_bytes", "Bytes of rows that wait to be committed.", pipeline.queuedByteCount)
    }
    maintenance(database.store.maintenanceStatistics, &text)
    let snapshot: any ReadSnapshot = database.store.snapshot()
    let tables = snapshot.tables().map { ($0.name, snapshot.statistics(of: $0.id)) }
    text.gauges(
      "varve_table_rows", "Rows, before rows of the same identity are merged.", "table", tables.map { ($0, $1.rows) })
    text.gauges("varve_table_series", "Series.", "table", tables.map { ($0, $1.series) })
    text.gauges("varve_table_chunks", "Live chunk files.", "table", tables.map { ($0, $1.chunks) })
    text.gauges("varve_table_chunk_bytes", "Bytes of live chunk files.", "table", tables.map { ($0, $1.chunkBytes) })
    var statistics = [("line-protocol", listeners.lineProtocol.statistics)]
    if let http = listeners.http { statistics.append(("http", http.statistics)) }
    let queries = listeners.postgres?.statistics ?? PostgresStatistics()
    text.counters(
      "varve_connections_total", "Connections accepted.", "listener",
      statistics.map { ($0, $1.connections) } + [("postgres", queries.connections)])
    text.gauge("varve_sessions", "Sessions open over the PostgreSQL protocol.", queries.openSessions)
    text.counters(
      "varve_statements_total", "Statements run over the PostgreSQL protocol.", "result",
      [("ok", queries.statements - queries.failedStatements), ("error", queries.failedStatements)])
    text.counters(
      "varve_received_bytes_total", "Bytes received.", "listener", statistics.map { ($0, $1.bytesReceived) })
    text.counters("varve_rows_written_total", "Rows written.", "listener", statistics.map { ($0, $1.rowsWritten) })
    text.counters(
      "varve_lines_rejected_total", "Lines rejected.", "listener", statistics.map { ($0, $1.linesRejected) })
    return text.text
  }
}

/// Prometheus' text format, version 0.0.4.
struct MetricsText {
  private(set) var text = ""

  mutating func gauge(_ name: String, _ help: String, _ value: Int) {
    header(name, help, "gauge")
    text += "\(name) \(value)\n"
  }

  mutating func gauges(_ name: String, _ help: String, _ label: String, _ values: [(String, Int)]) {
    labelled(name, help, "gauge", label, values)
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    header(name, help, "gauge")
    text += "\(name) \(value)\n"
  }

  mutating func counter(_ name: String, _ help: String, _ value: Int) {
    header(name, help, "counter")
    text += "\(name) \(value)\n"
  }

  mutating func counters(_ name: String, _ help: String, _ label: String, _ values: [(String, Int)]) {
    labelled(name, help, "counter", label, values)
  }

  private mutating func labelled(
    _ name: String, _ help: String, _ type: String, _ label: String, _ values: [(String, Int)]
  ) {
    guard !values.isEmpty else { return }
    header(name, help, type)
    for (value, count) in values { text += "\(name){\(label)=\"\(Self.escaped(value))\"} \(count)\n" }
  }

  private mutating func header(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private static func escaped(_ value: String) -> String {
    value.map { character in
      switch character {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(character)
      }
    }.joined()
  }
}
