// Rows of a series table that are too old go, and what its rollups have of them stays for good:
//
//   threshold of every rollup, durable → everything below refreshed → snapshot → one commit: what came late merged onto
//   frozen rows, the bucket that the time falls into in two rows, all of it frozen, and the source's rows gone
//
// That commit is made only if nothing came late meanwhile; if something did, what it touched is refreshed, and so on.
// What waits to be merged is merged, and goes, a window at a time, oldest first, so that the last commit is small.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

struct RetentionRun {
  /// What a run has done.
  struct Report: Sendable {
    /// Rows below are gone; nil if there was nothing to be done.
    var before: Int64?
    var commits = 0
    var conflicts = 0
  }

  let session: QuerySession
  let name: String
  /// Rows of the source that one commit merges onto frozen rows, about.
  var lateRowsPerCommit = 200_000
  var bytesPerCommit = Limits.commitByteCount / 2
  private static let attempts = 100

  init(_ session: QuerySession, _ name: String) {
    self.session = session
    self.name = name
  }

  /// Drops what is wholly older than `time`: whole partitions.
  func run(before time: Int64, check: () throws -> Void = {}) throws -> Report {
    let catalog = try self.catalog()
    let cut = try RetentionCut.time(try table(catalog), before: time, catalog)
    return try run(exactlyBefore: cut, check: check)
  }

  /// The same to the nanosecond.
  func run(exactlyBefore cut: Int64, check: () throws -> Void = {}) throws -> Report {
    var report = Report()
    /// Of windows, once one was too large.
    var widest = Int64.max
    /// Everything below is done.
    var done = Int64.min
    while done < cut {
      try check()
      let catalog = try self.catalog()
      let table = try table(catalog)
      guard let data = catalog.snapshot.statistics(of: table.id).time, data.lower < cut else { break }
      let window = try window(table, from: max(done, data.lower), to: cut, widest, catalog)
      do {
        guard try drop(below: window.end, isLeast: window.isLeast, check) else {
          widest = max(1, window.length / 2)
          continue
        }
        report.commits += 1
        widest = widest.multipliedReportingOverflow(by: 2).overflow ? .max : widest * 2
        report.before = window.end
        done = window.end
      } catch let error as VarveError where error.sqlState == "40001" {
        report.conflicts += 1
        guard report.conflicts < Self.attempts else { throw error }
      }
    }
    return report
  }

  private struct Window {
    var end: Int64
    /// Of the times that late rows may wait in.
    var length = Int64.max
    /// Whether less cannot be dropped at once.
    var isLeast = false
  }

  /// Up to where late rows that wait to be merged are few enough for one commit.
  private func window(_ table: TableSchema, from lower: Int64, to cut: Int64, _ widest: Int64, _ catalog: CatalogView)
    throws -> Window
  {
    let rollups = catalog.snapshot.rollups(of: table.id)
    var end = min(cut, rollups.map(\.state.frozen).max() ?? .min)
    guard lower < end else { return Window(end: cut, isLeast: true) }
    func rowCount() throws -> Int {
      try catalog.snapshot.estimate(ScanRequest(table: table.id, time: TimeRange(lower: lower, upper: end - 1))).rows
    }
    // A part of a bucket costs what the bucket does.
    let least = rollups.map(\.definition.stepNanoseconds).min() ?? .max
    // Within a partition rows are in order of series: how many of them lie in a part of its time nothing tells.
    func length() -> Int64 { end.subtractingReportingOverflow(lower).overflow ? .max : end - lower }
    var isWhole = length() <= widest
    if !isWhole { end = lower + widest }
    while try length() > table.partitionNanoseconds && rowCount() > lateRowsPerCommit {
      end = lower + length() / 2
      isWhole = false
    }
    return Window(end: isWhole ? cut : end, length: length(), isLeast: length() <= least)
  }

  // MARK: One commit

  /// Whether it was made: not if it would be too large.
  private func drop(below time: Int64, isLeast: Bool, _ check: () throws -> Void) throws -> Bool {
    var catalog = try self.catalog()
    var table = try table(catalog)
    try settleSource(of: table, below: time, catalog, check)
    for rollup in try rollups(of: table, catalog) {
      try RollupRefresh(session, rollup.schema.name, upTo: rollup.statement.grid.start(of: time)).run(check: check)
    }
    try raiseThresholds(of: table, to: time)
    catalog = try self.catalog()
    table = try self.table(catalog)
    var writes: [RollupWrite] = []
    for rollup in try rollups(of: table, catalog) {
      writes.append(try freeze(rollup, before: time, catalog))
      try check()
    }
    if let own = catalog.snapshot.rollup(table.id) {
      writes.append(
        RollupWrite(
          table: table.id, definition: own.definition, basis: catalog.snapshot.sequence, steps: [.dropped(time)]))
    }
    let commit = RollupCommit(
      writes, drop: RetentionDrop(source: table.id, before: time, settledBefore: time))
    guard commit.byteCount <= bytesPerCommit || isLeast else { return false }
    _ = try session.store.commit(commit)
    return true
  }

  /// What came late for the rows of a rollup is merged onto them before they are what another keeps for good: else it
  /// would be read there once more.
  private func settleSource(
    of table: TableSchema, below time: Int64, _ catalog: CatalogView, _ check: () throws -> Void
  )
    throws
  {
    guard let own = catalog.snapshot.rollup(table.id), !catalog.snapshot.rollups(of: table.id).isEmpty,
      own.state.invalid.contains(where: { $0.lower < time }),
      let source = catalog.snapshot.table(id: own.definition.source)
    else { return }
    var run = RetentionRun(session, source.name)
    run.lateRowsPerCommit = lateRowsPerCommit
    run.bytesPerCommit = bytesPerCommit
    _ = try run.run(exactlyBefore: time, check: check)
  }

  /// From here on nothing below comes unnoticed by any of the rollups.
  private func raiseThresholds(of table: TableSchema, to time: Int64) throws {
    let catalog = try self.catalog()
    let writes = catalog.snapshot.rollups(of: table.id).filter { $0.state.threshold < time }.map { rollup in
      RollupWrite(
        table: rollup.schema.id, definition: rollup.definition, basis: catalog.snapshot.sequence,
        steps: [.threshold(time)])
    }
    if !writes.isEmpty { _ = try session.store.commit(RollupCommit(writes)) }
  }

  private func freeze(_ rollup: BoundRollup, before time: Int64, _ catalog: CatalogView) throws -> RollupWrite {
    guard let state = catalog.snapshot.rollup(rollup.schema.id)?.state else { throw RollupStatement.gone(rollup) }
    var freeze = RollupFreeze(rollup, state, before: time, session.context(catalog, []))
    return try freeze.write()
  }

  // MARK: -

  private func catalog() throws -> CatalogView {
    CatalogView(snapshot: try session.store.snapshot(), session: session.state)
  }

  private func table(_ catalog: CatalogView) throws -> TableSchema {
    guard let table = catalog.snapshot.table(named: name) else {
      throw SQLError.make("42P01", "relation \"\(name)\" does not exist")
    }
    return table
  }

  private func rollups(of table: TableSchema, _ catalog: CatalogView) throws -> [BoundRollup] {
    try catalog.snapshot.rollups(of: table.id).compactMap { try catalog.rollup($0.schema.id) }
  }
}
