// The figures of a load, for people as a list and for programs as one record.

package struct LoadFigure: Equatable, Sendable {
  /// As a column's name: whole words, the unit last.
  package let name: String
  /// nil: not measured.
  package let value: String?
  package let isNumber: Bool
}

package struct LoadReport {
  package private(set) var figures: [LoadFigure] = []

  /// `verification`: `passed`, `failed` or why there was none.
  package init(_ outcome: LoadOutcome, verification: String) {
    let options = outcome.options
    let plan = options.plan
    text("table", plan.table)
    text("schema", plan.schema.rawValue)
    text("order", plan.order.rawValue)
    text("protocol", options.transport.rawValue)
    number("connections", plan.connectionCount)
    number("idle_connections", options.idleConnectionCount)
    number("series", outcome.expected.seriesCount)
    number("rows", outcome.rowsAcknowledged)
    number("rejected", outcome.rowsRejected)
    number("retries", outcome.retryCount)
    number("values", outcome.rowsAcknowledged * outcome.valuesPerRow)
    number("bytes", outcome.bytesSent)
    number("seconds", outcome.seconds, places: 3)
    let rows = Double(outcome.rowsAcknowledged) / outcome.seconds
    number("rows_per_second", Int(rows))
    number("values_per_second", Int(rows * Double(outcome.valuesPerRow)))
    number("megabytes_per_second", Double(outcome.bytesSent) / 1e6 / outcome.seconds, places: 1)
    add(outcome.latencies, "answer")
    if let probe = outcome.probeLatencies {
      number("probes", Int(probe.count))
      add(probe, "probe")
    }
    number("client_processor_seconds", outcome.clientProcessorSeconds, places: 2)
    number("server_processor_seconds", outcome.serverProcessorSeconds, places: 2)
    number("server_peak_megabytes", outcome.serverPeakByteCount.map { Double($0) / 1e6 }, places: 1)
    text("verification", verification)
  }

  private mutating func add(_ latencies: LatencyHistogram, _ name: String) {
    for (part, suffix) in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p999"), (1, "max")] {
      let nanoseconds = part == 1 ? latencies.maximum : latencies.percentile(part)
      number("\(name)_\(suffix)_milliseconds", Double(nanoseconds) / 1e6, places: 3)
    }
  }

  private mutating func text(_ name: String, _ value: String) {
    figures.append(LoadFigure(name: name, value: value, isNumber: false))
  }

  private mutating func number(_ name: String, _ value: Int) {
    figures.append(LoadFigure(name: name, value: "\(value)", isNumber: true))
  }

  private mutating func number(_ name: String, _ value: Double?, places: Int) {
    figures.append(LoadFigure(name: name, value: value.map { Self.decimal($0, places) }, isNumber: true))
  }

  /// With so many decimal places.
  package static func decimal(_ value: Double, _ places: Int) -> String {
    var power = 1
    for _ in 0..<places { power *= 10 }
    let scaled = Int((value * Double(power)).rounded())
    let (whole, part) = abs(scaled).quotientAndRemainder(dividingBy: power)
    return (scaled < 0 ? "-" : "") + "\(whole)" + (places == 0 ? "" : "." + "\(power + part)".dropFirst())
  }
}
