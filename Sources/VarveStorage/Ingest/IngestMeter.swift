// Counts what is written, by table and protocol, and knows the open connections. Written once for each commit, answer
// or piece of text with bad lines, never for a row.

import Synchronization
import VarveCore

package final class IngestMeter: Sendable {
  private struct Key: Hashable {
    let table: Name?
    let `protocol`: IngestProtocol
  }

  private struct State {
    var indexes: [Key: Int] = [:]
    var tables: [IngestedTable] = []
    var syncs: [IngestProtocol: LatencyHistogram] = [:]
    var queue = IngestQueueReport()
    var connections: [UInt64: ConnectionMeter] = [:]
    var lastConnection: UInt64 = 0
  }

  private let state = Mutex(State())
  private let tableLimit: Int

  package init(tableLimit: Int = Limits.countedTables) { self.tableLimit = tableLimit }

  // MARK: Connections

  package func open(listener: String, client: String, since: Int64) -> ConnectionMeter {
    state.withLock { state in
      state.lastConnection += 1
      let meter = ConnectionMeter(
        number: state.lastConnection, listener: listener, client: client, since: since)
      state.connections[meter.id] = meter
      return meter
    }
  }

  package func close(_ connection: ConnectionMeter) { state.withLock { $0.connections[connection.id] = nil } }

  // MARK: What listeners found

  /// Tables that no row was ever written to are counted as none: anybody could invent them.
  package func rejected(_ rejections: RejectionCounts, _ protocol: IngestProtocol) {
    guard !rejections.isEmpty else { return }
    state.withLock { state in
      for (key, count) in rejections.counts {
        let known = state.indexes[Key(table: key.table, protocol: `protocol`)]
        let index = known ?? indexOfNone(`protocol`, &state)
        state.tables[index].rejected[key.code, default: 0] += count
      }
    }
  }

  /// A question whether the rows of these tables are durable was answered.
  package func answered(_ nanoseconds: UInt64, tables: some Collection<Name>, _ protocol: IngestProtocol) {
    state.withLock { state in
      state.syncs[`protocol`, default: LatencyHistogram()].add(nanoseconds)
      for table in tables {
        // Of a table without rows there is nothing to tell.
        guard let index = state.indexes[Key(table: table, protocol: `protocol`)] else { continue }
        state.tables[index].syncs.add(nanoseconds)
      }
    }
  }

  // MARK: What the committing thread did

  /// A write that was committed, or not, with the others of its group.
  struct Committed {
    let batches: [PointBatch]
    let outcome: CommitOutcome
    let `protocol`: IngestProtocol
    /// Since it was submitted.
    let nanoseconds: UInt64
  }

  func committed(_ writes: [Committed], commitNanoseconds: UInt64, now: Int64) {
    state.withLock { state in
      if writes.contains(where: { if case .success = $0.outcome { true } else { false } }) {
        state.queue.commits += 1
        state.queue.commitTimes.add(commitNanoseconds)
      }
      for write in writes { add(write, now: now, &state) }
    }
  }

  func refused(_ writes: Int, _ code: VarveError.Code) {
    state.withLock { $0.queue.refusals[code, default: 0] += writes }
  }

  private func add(_ write: Committed, now: Int64, _ state: inout State) {
    let results: [WriteResult]
    switch write.outcome {
    case .success(let found): results = found
    case .failure(let error):
      state.queue.refusals[error.code, default: 0] += 1
      return
    }
    var isCounted = false
    for (batch, result) in zip(write.batches, results) {
      let index = index(Name(batch.table), write.protocol, hasRows: result.rowsWritten > 0, &state)
      state.queue.rows += result.rowsWritten
      state.queue.columnByteCount += batch.byteCount
      state.tables[index].rows += result.rowsWritten
      state.tables[index].columnByteCount += batch.byteCount
      state.tables[index].batches += 1
      if result.rowsWritten > 0 { state.tables[index].lastWrite = now }
      for rejection in result.rejections { state.tables[index].rejected[rejection.code, default: 0] += 1 }
      if !write.protocol.reportsItsAnswers {
        state.tables[index].syncs.add(write.nanoseconds)
        isCounted = true
      }
    }
    if isCounted { state.syncs[write.protocol, default: LatencyHistogram()].add(write.nanoseconds) }
  }

  private func index(_ table: Name, _ protocol: IngestProtocol, hasRows: Bool, _ state: inout State) -> Int {
    if let known = state.indexes[Key(table: table, protocol: `protocol`)] { return known }
    guard hasRows, state.tables.count < tableLimit else { return indexOfNone(`protocol`, &state) }
    return add(table, `protocol`, &state)
  }

  private func indexOfNone(_ protocol: IngestProtocol, _ state: inout State) -> Int {
    state.indexes[Key(table: nil, protocol: `protocol`)] ?? add(nil, `protocol`, &state)
  }

  private func add(_ table: Name?, _ protocol: IngestProtocol, _ state: inout State) -> Int {
    state.tables.append(IngestedTable(table?.text, `protocol`))
    state.indexes[Key(table: table, protocol: `protocol`)] = state.tables.count - 1
    return state.tables.count - 1
  }

  // MARK: Reports

  /// Without the queue's present length.
  package var report: IngestReport {
    let (report, connections) = state.withLock { state in
      var report = IngestReport()
      report.tables = state.tables
      report.syncs = state.syncs
      report.queue = state.queue
      return (report, Array(state.connections.values))
    }
    var whole = report
    whole.connections = connections.map(\.report).sorted { $0.number < $1.number }
    return whole
  }
}
