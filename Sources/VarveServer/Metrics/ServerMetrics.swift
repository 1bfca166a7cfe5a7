// What /metrics says: the store, the queue to its log, and what came in by which way.
//
// Labels are bounded: connections are summed by protocol, and of tables the first ones have a label of their own; what
// belongs to the others, or to none, stands under the empty name.

import NIOConcurrencyHelpers
import Varve
import VarveCore
import VarveStorage

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

enum ServerMetrics {
  private static func maintenance(_ statistics: MaintenanceStatistics, _ text: inout MetricsText) {
    text.counter(
      "varve_sealed_bytes_total", "Bytes of chunk files that sealing wrote.", statistics.seals.writtenByteCount)
    text.counters(
      "varve_compaction_bytes_total", "Bytes of chunk files that compactions read, and wrote in their place.",
      "direction",
      [
        ("read", statistics.compaction.readByteCount), ("written", statistics.compaction.writtenByteCount),
      ])
    if let amplification = statistics.writeAmplification {
      text.gauge(
        "varve_write_amplification", "Bytes of chunk files written by sealing and compaction, for each byte sealed.",
        amplification)
    }
    text.counters(
      "varve_compactions_total", "Compactions.", "result",
      [("ok", statistics.compaction.runs), ("error", statistics.compaction.failures)])
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
    text.gauge("varve_series_bytes", "Bytes that the index of series takes in memory.", store.seriesByteCount)
  }

  static func text(_ database: Database, _ listeners: MeasuredListeners) -> String {
    var text = MetricsText()
    let head = database.store.headByteCounts
    text.gauge("varve_commit_sequence", "Number of the last durable commit.", Int(database.store.sequence.rawValue))
    text.gauge("varve_head_bytes", "Bytes of rows in memory that are not in chunk files.", head.active + head.sealing)
    text.gauge("varve_log_bytes", "Bytes of the write-ahead log.", database.store.logByteCount)
    caches(database.store, &text)
    maintenance(database.store.maintenanceStatistics, &text)
    tables(database.store.snapshot(), &text)
    let report = database.ingestReport()
    queue(report.queue, &text)
    ingest(report, &text)
    connections(report.connections, listeners, &text)
    StatementMetrics.add(database.monitor, to: &text)
    SubscriptionMetrics.add(database, to: &text)
    return text.text
  }

  /// In order of their ids, so that a table keeps its label while it lives.
  private static func tables(_ snapshot: any ReadSnapshot, _ text: inout MetricsText) {
    let all = snapshot.tables()
    text.gauge("varve_tables", "Tables.", all.count)
    let tables = all.prefix(Limits.measuredTables).map { ($0.name, snapshot.statistics(of: $0.id)) }
    let which = "of the first \(Limits.measuredTables) tables"
    text.gauges(
      "varve_table_rows", "Rows, before rows of the same identity are merged, \(which).", "table",
      tables.map { ($0, $1.rows) })
    text.gauges("varve_table_series", "Series, \(which).", "table", tables.map { ($0, $1.series) })
    text.gauges("varve_table_chunks", "Live chunk files, \(which).", "table", tables.map { ($0, $1.chunks) })
    text.gauges(
      "varve_table_chunk_bytes", "Bytes of live chunk files, \(which).", "table", tables.map { ($0, $1.chunkBytes) })
    text.gauges(
      "varve_table_archived_rows", "Rows that are archived, \(which).", "table", tables.map { ($0, $1.archivedRows) })
    text.gauges(
      "varve_table_object_bytes", "Bytes of objects that hold archived rows, \(which).", "table",
      tables.map { ($0, $1.objectBytes) })
  }

  private static func queue(_ queue: IngestQueueReport, _ text: inout MetricsText) {
    text.gauge("varve_queue_bytes", "Bytes of rows that wait to be committed.", queue.queuedByteCount)
    text.gauge(
      "varve_queue_saturation_bytes", "Bytes that may wait before listeners stop reading.", queue.saturationByteCount)
    text.gauges(
      "varve_queue_waits", "1 while writes wait for this: rows to be sealed, or room on the disk.", "reason",
      [IngestQueueReport.Wait.sealing, .room].map { ($0.rawValue, queue.waitsFor == $0 ? 1 : 0) })
    text.counter("varve_commits_total", "Commits; each makes the writes of its group durable.", queue.commits)
    text.counter("varve_committed_rows_total", "Rows of all commits.", queue.rows)
    text.counters(
      "varve_refused_writes_total", "Writes that the store refused whole, by reason. Line protocol offers them again.",
      "reason", reasons(queue.refusals))
    text.histograms(
      "varve_commit_seconds", "From a commit's beginning until it was durable.", [([], queue.commitTimes)])
  }

  private static func ingest(_ report: IngestReport, _ text: inout MetricsText) {
    let tables = measured(report.tables)
    let help = "by table (the empty one: no table, or one beyond the first \(Limits.measuredTables)) and protocol"
    func labels(_ table: IngestedTable) -> [MetricsText.Label] {
      [("table", table.table ?? ""), ("protocol", table.protocol.rawValue)]
    }
    text.samples("varve_ingest_rows_total", "Rows written, \(help).", "counter", tables.map { (labels($0), $0.rows) })
    text.samples(
      "varve_ingest_column_bytes_total", "Bytes of the rows as columns in memory, \(help).", "counter",
      tables.map { (labels($0), $0.columnByteCount) })
    text.samples(
      "varve_ingest_batches_total", "Batches written, \(help).", "counter", tables.map { (labels($0), $0.batches) })
    text.samples(
      "varve_ingest_rejected_lines_total", "Lines or rows that were not taken, by reason, table and protocol.",
      "counter",
      tables.flatMap { table in reasons(table.rejected).map { (labels(table) + [("reason", $0)], $1) } })
    text.samples(
      "varve_ingest_queued_bytes", "Bytes of rows that wait to be committed, \(help).", "gauge",
      tables.map { (labels($0), $0.queuedByteCount) })
    text.samples(
      "varve_ingest_last_write_seconds", "When rows became durable last, in seconds since 1970, \(help).", "gauge",
      tables.compactMap { table in table.lastWrite.map { (labels(table), Int($0 / 1_000_000_000)) } })
    text.histograms(
      "varve_ingest_sync_seconds",
      "From the question whether rows are durable (#sync, an HTTP request, a statement, a call) to its answer.",
      IngestProtocol.allCases.compactMap { way in report.syncs[way].map { ([("protocol", way.rawValue)], $0) } })
  }

  /// The first tables as they are, and one sum by protocol of what belongs to the others or to none.
  private static func measured(_ all: [IngestedTable]) -> [IngestedTable] {
    var names: Set<Name> = []
    var shown: [IngestedTable] = []
    var others: [IngestProtocol: IngestedTable] = [:]
    for table in all {
      if let name = table.table, names.contains(Name(name)) || names.count < Limits.measuredTables {
        names.insert(Name(name))
        shown.append(table)
      } else {
        others[table.protocol, default: IngestedTable(nil, table.protocol)].add(table)
      }
    }
    return shown + IngestProtocol.allCases.compactMap { others[$0] }
  }

  private static func connections(
    _ connections: [ConnectionReport], _ listeners: MeasuredListeners, _ text: inout MetricsText
  ) {
    var statistics = [("line-protocol", listeners.lineProtocol.statistics)]
    if let http = listeners.http { statistics.append(("http", http.statistics)) }
    let queries = listeners.postgres?.statistics ?? PostgresStatistics()
    text.counters(
      "varve_connections_total", "Connections accepted.", "listener",
      statistics.map { ($0, $1.connections) } + [("postgres", queries.connections)])
    text.counters(
      "varve_connections_aborted_total", "Connections that broke, or were cut off since their client read no answers.",
      "listener", statistics.map { ($0, $1.connectionsAborted) })
    let open = Dictionary(grouping: connections, by: \.listener)
    let names = statistics.map(\.0) + ["postgres"]
    text.gauges(
      "varve_open_connections", "Connections open (of postgres: sessions); varve.connections has each.", "listener",
      names.map { ($0, open[$0]?.count ?? 0) })
    text.gauges(
      "varve_connections_in_flight_bytes", "Bytes of rows that connections have with the store.", "listener",
      names.map { ($0, open[$0]?.reduce(0) { $0 + $1.counts.inFlightByteCount } ?? 0) })
    text.gauges(
      "varve_connections_unanswered_syncs", "Questions of connections that are not answered yet.", "listener",
      names.map { ($0, open[$0]?.reduce(0) { $0 + $1.counts.unansweredSyncs } ?? 0) })
    text.samples(
      "varve_connections_waiting", "Connections that are not read, by listener and what they wait for.", "gauge",
      names.flatMap { listener in
        [ConnectionState.waitingForStore, .waitingForRoom, .waitingForClient].map { state in
          (
            [("listener", listener), ("state", state.rawValue)],
            open[listener]?.filter { $0.counts.state == state }.count ?? 0
          )
        }
      })
    text.gauge("varve_sessions", "Sessions open over the PostgreSQL protocol.", queries.openSessions)
    text.counters(
      "varve_received_bytes_total", "Bytes received.", "listener", statistics.map { ($0, $1.bytesReceived) })
    text.counters(
      "varve_sent_bytes_total", "Bytes of results sent.", "listener",
      statistics.filter { $0.0 == "http" }.map { ($0, $1.bytesSent) } + [("postgres", queries.bytesSent)])
  }

  private static func reasons(_ counts: [VarveError.Code: Int]) -> [(String, Int)] {
    counts.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }
  }
}
