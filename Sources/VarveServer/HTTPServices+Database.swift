// What HTTP answers beside writes: SQL for a quick look, metrics, health.

import Varve
import VarveCore
import VarveIO
import VarveStorage
import VarveWire

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
    metrics = { ServerMetrics.text(database, listeners) }
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
}
