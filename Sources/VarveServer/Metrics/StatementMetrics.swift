// What /metrics says of sessions and statements, whichever way they came.

import Varve
import VarveQuery
import VarveStorage

enum StatementMetrics {
  static func add(_ monitor: SessionMonitor, to text: inout MetricsText) {
    statements(monitor.statementCounts, &text)
    sessions(monitor.reports, &text)
  }

  private static func statements(_ counts: StatementCounts, _ text: inout MetricsText) {
    // Those that never were are left out; the others keep their labels.
    let kinds = StatementKind.allCases.compactMap { kind in counts.kinds[kind].map { (kind.rawValue, $0) } }
    var results: [([MetricsText.Label], Int)] = []
    var durations: [([MetricsText.Label], LatencyHistogram)] = []
    var rows: [([MetricsText.Label], Int)] = []
    for (kind, count) in kinds {
      results.append(([("kind", kind), ("result", "ok")], count.durations.count))
      results.append(([("kind", kind), ("result", "error")], count.failures))
      if count.durations.count > 0 { durations.append(([("kind", kind)], count.durations)) }
      rows.append(([("kind", kind)], count.rows))
    }
    text.samples("varve_statements_total", "Statements that ended, by kind and result.", "counter", results)
    text.histograms(
      "varve_statement_seconds", "From the beginning of a statement until its last row, or its commit, by kind.",
      durations)
    text.samples("varve_statement_rows_total", "Rows that statements gave, or wrote.", "counter", rows)
    text.counters(
      "varve_statement_errors_total", "Statements that failed, by the class of their SQLSTATE.", "class",
      counts.errorClasses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    text.counters(
      "varve_statements_ended_total",
      "Statements ended before they were done: cancelled, past their timeout, or beyond the memory of a query.",
      "reason", StatementCounts.Ending.allCases.map { ($0.rawValue, counts.endings[$0] ?? 0) })
    text.counters(
      "varve_plan_cache_total", "Plans that were found among those of before, and that were made.", "result",
      [("hit", counts.planCacheHits), ("miss", counts.planCacheMisses)])
  }

  private static func sessions(_ reports: [SessionReport], _ text: inout MetricsText) {
    var open: [([MetricsText.Label], Int)] = []
    for way in SessionProtocol.allCases {
      for state in SessionReport.State.allCases {
        let count = reports.filter { $0.protocol == way && $0.state == state }.count
        open.append(([("protocol", way.rawValue), ("state", state.rawValue)], count))
      }
    }
    text.samples(
      "varve_sessions_open", "Sessions, by the way they came and what they do; varve.queries has each.", "gauge", open)
    let waits = [SessionWait.worker, .client, .commits].map { wait in
      (wait.rawValue, reports.filter { $0.wait == wait }.count)
    }
    text.gauges(
      "varve_sessions_waiting", "Sessions that wait for a thread, for their client, or for commits.", "wait", waits)
    text.gauge(
      "varve_statements_memory_bytes", "Bytes that running statements hold.",
      reports.reduce(0) { $0 + $1.memoryByteCount })
  }
}
