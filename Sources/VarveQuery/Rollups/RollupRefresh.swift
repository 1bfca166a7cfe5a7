// Refreshing one rollup:
//
//   threshold, durable → snapshot → parts of a window's rows → one commit: rows, and the marks and watermark they settle
//
// and so on, a window at a time, until nothing is left below the target. What came late for a window between its snapshot
// and its commit stays marked; a window that another refresh was faster with is looked at again. Stopped anywhere, a
// refresh leaves what it has committed.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

struct RollupRefresh {
  /// What a refresh has done.
  struct Report: Sendable {
    var windows = 0
    var rows = 0
    var conflicts = 0
  }

  private let session: QuerySession
  private let name: String
  /// Everything below is to be made, whatever the time is: where a bucket starts.
  private let target: Int64?
  private static let sourceRowsPerWindow = 2_000_000
  private static let attempts = 100

  init(_ session: QuerySession, _ name: String, upTo target: Int64? = nil) {
    self.session = session
    self.name = name
    self.target = target
  }

  /// Makes everything within the range final that can be: buckets that have ended, as far as the source's rows go.
  @discardableResult
  func run(within range: TimeRange = .all, check: () throws -> Void = {}) throws -> Report {
    var scope = RefreshScope()
    scope.within = range
    guard let table = try catalog().snapshot.table(named: name) else { return Report() }
    return try recorded(for: table.id) { report in
      while true {
        try check()
        do {
          guard let rows = try step(scope) else { return report }
          report.windows += 1
          report.rows += rows
        } catch let error as VarveError where error.sqlState == "40001" {
          report.conflicts += 1
          guard report.conflicts < Self.attempts else { throw error }
        }
      }
    }
  }

  /// Keeps what became of it.
  func recorded<T>(for table: TableID, _ body: (inout Report) throws -> T) throws -> T {
    let records = session.state.monitor.refreshes
    let start = session.clock.monotonicNanoseconds()
    var report = Report()
    records.update(table) { $0.isRunning = true }
    func end(_ error: VarveError?) {
      let nanoseconds = session.clock.monotonicNanoseconds() - start
      records.update(table) { record in
        record.isRunning = false
        record.conflicts += report.conflicts
        record.rowCount += report.rows
        if report.windows > 0 || error != nil {
          record.runs += 1
          record.lastRun = session.clock.wallNanoseconds()
          record.nanoseconds = nanoseconds
          record.totalNanoseconds += nanoseconds
        }
        if let error { record.failed(error) } else { record.lastError = nil }
      }
    }
    do {
      let result = try body(&report)
      end(nil)
      return result
    } catch {
      let error = asVarveError(error)
      // An end that somebody wished is none of its failures.
      end(error.code == .cancelled || error.code == .closed ? nil : error)
      throw error
    }
  }

  /// Whether there is something to do; nothing of it is done.
  func outlook(_ scope: RefreshScope) throws -> (hasNew: Bool, hasLate: Bool) {
    let catalog = try catalog()
    guard let rollup = try rollup(catalog) else { return (false, false) }
    let state = Self.state(rollup, catalog)
    let end = try Self.target(rollup, catalog, scope, now: session.clock.wallNanoseconds())
    return (
      end.map { $0 > state.watermark } ?? false,
      try state.invalid.contains {
        try RefreshPlan.late($0, state, rollup.statement.grid)?.overlaps(scope.within) ?? false
      }
    )
  }

  /// The next window; nil if there is none. Gives the rows that were written.
  func step(_ scope: RefreshScope) throws -> Int? {
    var catalog = try self.catalog()
    guard var rollup = try rollup(catalog) else { return nil }
    let target = try target ?? Self.target(rollup, catalog, scope, now: session.clock.wallNanoseconds())
    if let target, Self.state(rollup, catalog).threshold < target {
      // Durable before anything is read: from here on nothing comes unnoticed.
      _ = try session.store.commit(
        RollupCommit([
          RollupWrite(
            table: rollup.schema.id, definition: rollup.definition, basis: catalog.snapshot.sequence,
            steps: [.threshold(target)])
        ]))
      catalog = try self.catalog()
      guard let again = try self.rollup(catalog) else { return nil }
      rollup = again
    }
    let state = Self.state(rollup, catalog)
    let source = rollup.statement.source.id
    guard
      let window = try RefreshPlan.next(
        state, rollup.statement.grid, target: min(target ?? state.watermark, state.threshold), within: scope.within,
        takesLate: scope.takesLate, data: catalog.snapshot.statistics(of: source).time,
        rowLimit: Self.sourceRowsPerWindow,
        rowCount: { try catalog.snapshot.estimate(ScanRequest(table: source, time: $0)).rows })
    else { return nil }
    return try commit(window, rollup, state, catalog)
  }

  private func commit(
    _ window: RefreshWindow, _ rollup: BoundRollup, _ state: RollupState, _ catalog: CatalogView
  ) throws -> Int {
    let batches = try batches(window.range, rollup, state, catalog)
    let clearing = window.hasRows ? window.range : nil
    _ = try session.store.commit(
      RollupCommit([
        RollupWrite(
          table: rollup.schema.id, definition: rollup.definition, basis: catalog.snapshot.sequence,
          clearing: clearing.map { [$0] } ?? [], batches: batches,
          steps: [window.step(through: catalog.snapshot.sequence)])
      ]))
    return batches.reduce(0) { $0 + $1.rowCount }
  }

  /// The rows of the rollup that the source's rows of these times make.
  func batches(_ range: TimeRange, _ rollup: BoundRollup, _ state: RollupState, _ catalog: CatalogView) throws
    -> [PointBatch]
  {
    let statement = rollup.statement
    // A bucket that frozen rows end in is kept in two parts, the second under the time where it begins.
    var keys = statement.keys
    keys[statement.bucketKey] = Self.cellKey(statement, cutAt: state.frozen)
    return try Self.batches(
      of: RollupReader.rawParts(statement.query, [range], keys: keys), rollup, session.context(catalog, []))
  }

  /// Rows of keys and stored fields as batches of the rollup's table.
  static func batches(of plan: LogicalPlan, _ rollup: BoundRollup, _ context: ExecutionContext) throws -> [PointBatch] {
    let statement = rollup.statement
    let targets =
      statement.keys.indices.map { key -> InsertPlan.Target in
        key == statement.bucketKey ? .time : .tag(statement.keyNames[key])
      } + zip(statement.fieldNames, statement.fields).map { .field($0, $1.part.fieldType) }
    let insert = InsertPlan(
      table: rollup.schema, source: try Planner.plan(plan), targets: targets, returning: nil, readsNothing: false)
    return try insert.run(context).batches
  }

  /// The bucket's key, or where its bucket is cut if that is later.
  static func cellKey(_ statement: RollupStatement, cutAt cut: Int64) -> BoundExpression {
    let key = statement.keys[statement.bucketKey]
    guard cut > .min else { return key }
    return .call(laterOf(cut), [key])
  }

  private static func laterOf(_ cut: Int64) -> ScalarFunction {
    ScalarFunction(name: "later_of(\(cut))", argumentTypes: [.timestamptz], resultType: .timestamptz) {
      columns, count, _ in
      let words = columns[0].wordBuffer
      let result = Buffer<UInt64>(capacity: count)
      for row in 0..<count { result.append(UInt64(bitPattern: max(cut, Int64(bitPattern: words[row])))) }
      return Column(type: .timestamptz, count: count, storage: .words(result), nulls: columns[0].nulls)
    }
  }

  // MARK: -

  private func catalog() throws -> CatalogView {
    CatalogView(snapshot: try session.store.snapshot(), session: session.state)
  }

  /// nil if it was dropped.
  private func rollup(_ catalog: CatalogView) throws -> BoundRollup? {
    guard let table = catalog.snapshot.table(named: name) else { return nil }
    return try catalog.rollup(table.id)
  }

  /// Nanoseconds from what is materialised to the end of the last bucket that could be. nil: there is nothing to tell.
  static func lag(_ rollup: BoundRollup, _ catalog: CatalogView, now: Int64) throws -> Int64? {
    guard let target = try target(rollup, catalog, RefreshScope(), now: now) else { return nil }
    var begin = state(rollup, catalog).watermark
    if begin == .min, case .table(let table) = rollup.statement.source,
      let time = catalog.snapshot.statistics(of: table.id).time
    {
      begin = try rollup.statement.grid.start(of: time.lower)
    }
    if begin == .min { return nil }
    let lag = target.subtractingReportingOverflow(begin)
    return max(0, lag.overflow ? .max : lag.partialValue)
  }

  private static func state(_ rollup: BoundRollup, _ catalog: CatalogView) -> RollupState {
    catalog.snapshot.rollup(rollup.schema.id)?.state ?? RollupState(table: rollup.schema.id)
  }

  /// Where the first bucket starts that is not over: by the clock, and by what the source has rows of, or itself has
  /// materialised; or that is not asked for. nil if there is nothing.
  private static func target(
    _ rollup: BoundRollup, _ catalog: CatalogView, _ scope: RefreshScope, now: Int64
  ) throws -> Int64? {
    let grid = rollup.statement.grid
    var end = try grid.start(of: now - scope.settleNanoseconds)
    switch rollup.statement.source {
    case .table(let table):
      guard let time = catalog.snapshot.statistics(of: table.id).time else { return nil }
      let next = try grid.end(of: time.upper)
      let isPast = next < now - RefreshScope.pastNanoseconds
      end = min(end, scope.leavesNewest && isPast ? try grid.start(of: time.upper) : next)
    case .rollup(let source): end = min(end, try grid.start(of: Self.state(source, catalog).watermark))
    }
    return end == .min ? nil : try RefreshPlan.limit(end, scope.within, grid)
  }
}
