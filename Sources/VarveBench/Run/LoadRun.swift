// A load from its first row to the last acknowledgement.
//
// Connections are shared among at most two threads, since the machine has other work to do: the server's. The probe has
// a thread of its own, so that what it measures is the server's time and not that of our generator.

import VarveCore
import VarveIO
import VarveServer

package struct LoadOptions: Sendable {
  package enum Transport: String, CaseIterable, Sendable {
    /// Line protocol.
    case tcp, http
    /// Over the PostgreSQL wire: COPY in binary format, and prepared INSERTs of many rows.
    case copy, insert

    package var isSQL: Bool { self == .copy || self == .insert }

    var encoding: RowEncoding {
      switch self {
      case .tcp, .http: .line
      case .copy: .copy
      case .insert: .parameters
      }
    }
  }

  package var plan = LoadPlan()
  package var transport = Transport.tcp
  package var batchRowCount = 10_000
  package var rowsPerSecond: Double?
  /// Ends earlier than the plan, after so long.
  package var durationNanoseconds: Int64?
  /// Beside the load one more connection sends one row and a `#sync` every so often, and measures.
  package var probeNanoseconds: Int64?
  package var idleConnectionCount = 0

  package init() {}

  /// What the probe sends.
  package var probePlan: LoadPlan {
    var probe = LoadPlan()
    probe.schema = .narrow
    probe.table = String(plan.table.prefix(Limits.nameByteCount - 6)) + "_probe"
    probe.seriesCount = 1
    probe.connectionCount = 1
    probe.rowCount = Int(PlannedRow.stepLimit) - 1
    probe.stepNanoseconds = 1_000_000
    probe.start = 0
    probe.seed = plan.seed
    return probe
  }
}

package struct LoadProgress: Sendable {
  package var seconds: Double
  package var rows: Int
  package var bytes: Int

  package init(seconds: Double, rows: Int, bytes: Int) {
    self.seconds = seconds
    self.rows = rows
    self.bytes = bytes
  }
}

package final class LoadRun: Sendable {
  private static let workerLimit = 2
  private let options: LoadOptions
  private let target: LoadTarget
  private let stop = LoadStop()
  private let counts = LoadCounts()
  private let clock: any Clock

  package init(_ options: LoadOptions, _ target: LoadTarget, clock: any Clock = SystemClock()) {
    self.options = options
    self.target = target
    self.clock = clock
  }

  /// Ends the load early; what was sent is still acknowledged. From any thread.
  package func end() { stop.set() }

  /// Returns when everything is acknowledged. `show` is called now and then.
  package func run(_ show: (LoadProgress) -> Void) throws -> LoadOutcome {
    if options.transport.isSQL { try createTable() }
    let idle = try makeIdleConnections()
    let begin = clock.monotonicNanoseconds()
    let workers = try makeWorkers(begin)
    let probeStop = LoadStop()
    let probe = try makeProbe(begin, probeStop)
    let usageBefore = (ProcessUsage.of(), target.process.flatMap { ProcessUsage.of($0) })

    let running = Gate(workers.count)
    let threads = workers.map { worker in
      WorkerThread(name: "varve-load") {
        worker.run()
        running.update { $0 -= 1 }
      }
    }
    let probeThread = probe.map { worker in WorkerThread(name: "varve-probe") { worker.run() } }
    while running.wait(milliseconds: 100, until: { $0 == 0 ? true : nil }) == nil {
      let nanoseconds = clock.monotonicNanoseconds() - begin
      if let limit = options.durationNanoseconds, nanoseconds >= limit { stop.set() }
      show(
        LoadProgress(
          seconds: Double(nanoseconds) / 1e9, rows: counts.rowsAcknowledged.load(ordering: .relaxed),
          bytes: counts.bytesSent.load(ordering: .relaxed)))
    }
    for thread in threads { thread.join() }
    let usageAfter = (ProcessUsage.of(), target.process.flatMap { ProcessUsage.of($0) })
    probeStop.set()
    probeThread?.join()

    for worker in workers + (probe.map { [$0] } ?? []) { if let error = worker.error { throw error } }
    try idle.check()
    var outcome = LoadOutcome(options, begin: begin)
    for worker in workers { for lane in worker.lanes { outcome.add(lane.feed) } }
    if let feed = probe?.lanes.first?.feed { outcome.addProbe(feed) }
    outcome.note(usageBefore, usageAfter)
    return outcome
  }

  private func unknownAddress() -> VarveError {
    VarveError(.invalidArgument, "the server's address for \(options.transport.rawValue) is not known")
  }

  private func address() throws -> ListenAddress {
    guard let address = options.transport == .tcp ? target.lineProtocol : target.http else { throw unknownAddress() }
    return address
  }

  private func openStream() throws -> PostgresStream {
    guard let url = target.postgres else { throw unknownAddress() }
    return try PostgresStream(url)
  }

  /// Line protocol makes tables by itself.
  private func createTable() throws {
    guard let url = target.postgres else { throw unknownAddress() }
    _ = try PostgresClient(url).rows(RowStatements(options.plan).createTable)
  }

  private func makeIdleConnections() throws -> IdleConnections {
    if options.transport.isSQL {
      return IdleConnections(sessions: try (0..<options.idleConnectionCount).map { _ in try openStream() })
    }
    let address = try address()
    return IdleConnections(
      try (0..<options.idleConnectionCount).map { _ in try ClientSocket(host: address.host, port: address.port) })
  }

  private func makeWorkers(_ begin: Int64) throws -> [LaneWorker] {
    let plan = options.plan
    let encoding = options.transport.encoding
    let tables = RowTables(plan, encoding)
    let statements = RowStatements(plan)
    let lanes: [any Lane] = try (0..<plan.connectionCount).map { index in
      let share = Double(plan.lane(index).seriesCount) / Double(plan.seriesCount)
      let feed = LaneFeed(
        RowGenerator(plan, lane: index, tables, encoding), batchRowCount: options.batchRowCount,
        pace: Pace(start: begin, rowsPerSecond: options.rowsPerSecond.map { $0 * share }), counts: counts)
      switch options.transport {
      case .tcp:
        let address = try address()
        return StreamLane(feed, try ClientSocket(host: address.host, port: address.port), clock: clock)
      case .http: return try RequestLane(feed, try address(), clock: clock)
      case .copy: return StatementLane(.copy, feed, try openStream(), statements, clock: clock)
      case .insert: return StatementLane(.insert, feed, try openStream(), statements, clock: clock)
      }
    }
    let workerCount = min(Self.workerLimit, lanes.count)
    return (0..<workerCount).map { worker in
      LaneWorker(
        stride(from: worker, to: lanes.count, by: workerCount).map { lanes[$0] }, stop: stop, clock: clock)
    }
  }

  private func makeProbe(_ begin: Int64, _ stop: LoadStop) throws -> LaneWorker? {
    guard let interval = options.probeNanoseconds else { return nil }
    guard let address = target.lineProtocol else {
      throw VarveError(.invalidArgument, "the probe needs the server's line protocol address")
    }
    let feed = LaneFeed(
      RowGenerator(options.probePlan), batchRowCount: 1,
      pace: Pace(start: begin, rowsPerSecond: 1e9 / Double(interval)), counts: LoadCounts())
    let lane = StreamLane(feed, try ClientSocket(host: address.host, port: address.port), clock: clock)
    return LaneWorker([lane], stop: stop, clock: clock)
  }
}
