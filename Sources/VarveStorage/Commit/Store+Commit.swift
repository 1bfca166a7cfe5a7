// The commit. Invariants:
// 1. A sequence is published only after the sync that covers its record returned (in the weaker modes: after the write).
// 2. Records are in the log in order of their sequences, without gaps.
// 3. What a record says about new tables, columns and series stands in it before the rows that need them.

import VarveCore
import VarveFormat
import VarveIO

/// One thing to commit. All requests of a group share one record and one sequence.
package enum CommitRequest: Sendable {
  case write([PointBatch])
  /// Rows go, then rows come: what the request itself writes stays. The results are those of the batches; without any,
  /// one without rows.
  case delete([DeleteRequest], then: [PointBatch])
  case transaction(TransactionWrites)
  case createTable(TableDefinition)
  case createDimension(DimensionDefinition)
  case alterTable(String, [TableAlteration])
  /// With `cascade` the rollups made from it go too.
  case dropTable(String, cascade: Bool = false)
  case rollupDefinition(RollupChange)
  case rollups(RollupCommit)
}

extension CommitRequest {
  /// CREATE, ALTER or DROP.
  package var isDefinition: Bool {
    switch self {
    case .createTable, .createDimension, .alterTable, .dropTable, .rollupDefinition: true
    case .write, .delete, .transaction, .rollups: false
    }
  }

  /// Whether it must have a record of its own: a definition, so that it can be taken back whole; a delete, since what
  /// its record says goes before the rows that others in the group bring, whatever came first.
  package var standsAlone: Bool {
    switch self {
    case .write: false
    case .transaction(let writes): !writes.deletions.isEmpty
    default: true
    }
  }

  /// The rows it brings.
  var batches: [PointBatch] {
    switch self {
    case .write(let batches), .delete(_, then: let batches): batches
    case .transaction(let writes): writes.batches
    case .rollups(let commit): commit.writes.flatMap(\.batches)
    case .createTable, .createDimension, .alterTable, .dropTable, .rollupDefinition: []
    }
  }

  /// Whether it brings no rows, so that it needs no room in the head.
  package var needsNoRoom: Bool {
    switch self {
    case .write: false
    case .delete(_, then: let batches): batches.isEmpty
    case .transaction(let writes): writes.batches.isEmpty
    case .rollups(let commit): commit.writes.allSatisfy(\.batches.isEmpty)
    case .createTable, .createDimension, .alterTable, .dropTable, .rollupDefinition: true
    }
  }
}

/// What became of a request: a result for each batch (DDL: one without rows), or why none of it was done.
package typealias CommitOutcome = Result<[WriteResult], VarveError>

extension Store {
  /// Commits the requests together. Never throws: each request has its own outcome.
  package func commit(_ requests: [CommitRequest]) -> [CommitOutcome] {
    if let refusal = refusal() { return requests.map { _ in .failure(refusal) } }
    if requests.count > 1, requests.contains(where: \.standsAlone) { return requests.flatMap { commit([$0]) } }
    let before = requests.contains(where: \.isDefinition) ? (workingCatalog, unloggedChanges) : nil
    var resolved = resolve(requests)
    guard resolved.hasEffect else { return resolved.outcomes(sequence: sequence) }
    guard resolved.byteCount <= Limits.commitByteCount else {
      let error = VarveError(
        .limitExceeded,
        "one write of \(resolved.byteCount) bytes is more than the \(Limits.commitByteCount) a commit takes",
        hint: "write it in parts")
      return requests.map { _ in .failure(error) }
    }
    let next = sequence.next
    do {
      try append(resolved, sequence: next)
      try sync()
    } catch {
      // What could not be logged must not come true with somebody else's commit. New names of rows may: series in the
      // index refer to their columns, and an empty column harms nobody.
      if let before { (workingCatalog, unloggedChanges) = before }
      return refuse(error, requests)
    }
    applyAndPublish(&resolved, sequence: next)
    return resolved.outcomes(sequence: next)
  }

  /// After a group that nothing follows: see the log's fourth invariant.
  package func markDurable() {
    guard failure == nil, options.sync == .always, let log else { return }
    do { try log.mark(sequence: sequence) } catch { fail(asVarveError(error)) }
  }

  /// Makes durable what the weaker sync modes left; also their timer's call.
  package func syncLog() throws {
    if let failure { throw failure }
    do { try log?.sync() } catch {
      fail(asVarveError(error))
      throw error
    }
    feed.madeDurable()
  }

  /// Rows of a time beyond this are rejected.
  package var latestTime: Int64 {
    let latest = options.clock.wallNanoseconds().addingReportingOverflow(options.maxFutureNanoseconds)
    return latest.overflow ? .max : latest.partialValue
  }

  // MARK: - The steps

  private func refusal() -> VarveError? {
    if options.readOnly {
      return VarveError(
        .readOnly, "the database is open for reading only", hint: "open it for writing, or write through the server")
    }
    return failure
  }

  private func resolve(_ requests: [CommitRequest]) -> ResolvedGroup {
    var resolver = BatchResolver(
      catalog: workingCatalog, seriesOf: { self.series[$0] }, seriesRoom: { self.seriesRoom },
      latestTime: latestTime)
    let (tombstones, dimensions, rollups) = published.withLock { ($0.tombstones, $0.dimensions, $0.rollups) }
    var group = ResolvedGroup(
      tombstones: tombstones, dimensions: dimensions, dimensionByteLimit: options.dimensionByteCount,
      rollups: rollups, lastRollupWrites: lastRollupWrites)
    for request in requests { group.add(request, &resolver) }
    workingCatalog = resolver.catalog
    unloggedChanges += resolver.changes
    tablesWithUnloggedSeries.formUnion(resolver.tablesWithNewSeries)
    group.changes = unloggedChanges
    group.series = unloggedSeries()
    return group
  }

  private var seriesRoom: SeriesRoom {
    SeriesRoom(seriesPerTable: options.maxSeriesPerTable, byteCount: options.seriesByteCount - series.byteCount)
  }

  private func unloggedSeries() -> [SeriesRecord] {
    tablesWithUnloggedSeries.filter { workingCatalog.tables[$0] != nil }.sorted().compactMap { table in
      let known = loggedSeries[table] ?? 0
      let count = series[table].count
      return count > known ? series[table].record(table, from: known, to: count) : nil
    }
  }

  private func append(_ group: ResolvedGroup, sequence: Sequence) throws {
    let log = try writableLog()
    let isDrop = group.changes.contains { if case .dropTable = $0 { true } else { false } }
    let makesRoom = isDrop || (!group.deletions.isEmpty && group.rows.isEmpty)
    let now = options.clock.wallNanoseconds()
    workingCatalog.observe(wallNanoseconds: now)
    var frame = CommitRecord(
      wallNanoseconds: now, changes: group.changes, series: group.series,
      rows: group.rows.map {
        RowsRecord(table: $0.partition.table, series: $0.block.series, times: $0.block.times, fields: $0.block.fields)
      },
      deletions: group.deletions, dimensions: group.dimensionChanges, steps: group.steps
    ).encodedFrame()
    do {
      do {
        try log.append(.commit, sequence: sequence, frame: &frame)
      } catch let error as VarveError where error.code == .diskFull {
        guard makeRoom(ofLog: log) else { throw error }
        try log.append(.commit, sequence: sequence, frame: &frame)
      }
    } catch let error as VarveError where error.code == .diskFull && makesRoom {
      // A drop or a delete makes room in the end, so it gets what it takes.
      try reserve.lend { try log.append(.commit, sequence: sequence, frame: &frame, inSmallSegment: true) }
    }
  }

  private func sync() throws {
    if options.sync == .always { try log?.sync() }
  }

  private func applyAndPublish(_ group: inout ResolvedGroup, sequence: Sequence) {
    unloggedChanges.removeAll()
    tablesWithUnloggedSeries.removeAll()
    for record in group.series { loggedSeries[record.table] = Int(record.first.rawValue) + record.count }
    let dropped = group.changes.compactMap { if case .dropTable(let table) = $0 { table } else { nil } }
    if !dropped.isEmpty { lastRemoval = sequence }
    let now = options.clock.monotonicNanoseconds()
    idleSeal.didCommit(at: now)
    var removed: [ChunkHandle] = []
    // Copying what is left takes its time: outside of the lock, since nobody else changes the head.
    let remaining = group.deletions.isEmpty ? nil : heads(without: group.deletions, sequence)
    let rollups = rollupStates(after: group, dropped, sequence)
    let logByteCount = log?.byteCount ?? 0
    published.withLock { state in
      state.catalog = workingCatalog
      state.logByteCount = logByteCount
      if let rollups { state.rollups = rollups }
      if let remaining { (state.active, state.tombstones) = remaining }
      for rows in group.rows where workingCatalog.tables[rows.partition.table] != nil {
        state.active.append(rows.block, to: rows.partition)
      }
      for table in dropped {
        removed += state.chunks.chunks(of: table)
        state.active.remove(table: table)
        state.sealing?.remove(table: table)
        state.chunks.remove(table: table)
        state.tombstones.remove(table: table)
      }
      for change in group.dimensionChanges {
        state.dimensions.set(group.dimensions[change.table].rows, of: change.table, changed: sequence)
      }
      state.dimensionLogByteCount += group.dimensionByteCount
      for table in dropped { state.dimensions.remove(table) }
      state.activeSince = state.activeSince ?? now
      state.sequence = sequence
    }
    // Snapshots may still read what goes now; what no snapshot has needs no descriptor.
    for i in removed.indices where !isKnownUniquelyReferenced(&removed[i]) { removed[i].pin() }
    announce(group, sequence)
    follow(group, sequence)
    for table in dropped {
      series.remove(table)
      loggedSeries[table] = nil
      savedSeries[table] = nil
      maintenance.withLock { $0.postponements.remove(table: table) }
    }
    removeFiles(of: removed)
  }

  /// The active head without the rows that go, and what is to be read past in everything older.
  private func heads(without deletions: [Deletion], _ sequence: Sequence) -> (active: Head, TombstoneSet) {
    var active = published.withLock { $0.active }
    active.remove(deletions)
    return (active, tombstones(with: deletions, sequence: sequence))
  }

  /// What the commit makes of the rollups; nil where there are none.
  private func rollupStates(after group: ResolvedGroup, _ dropped: [TableID], _ sequence: Sequence) -> RollupStates? {
    guard !workingCatalog.rollups.isEmpty || !dropped.isEmpty else { return nil }
    var states = published.withLock { $0.rollups }
    for table in dropped {
      states.remove(table)
      lastRollupWrites[table] = nil
    }
    for deletion in group.deletions { states.note(deletion, workingCatalog, sequence) }
    for rows in group.rows { states.note(rows.block, of: rows.partition.table, workingCatalog, sequence) }
    for step in group.steps {
      do { try states.apply(step, workingCatalog, sequence) } catch {
        preconditionFailure("a step was checked before it was logged: \(error)")
      }
    }
    for table in group.writtenRollups { lastRollupWrites[table] = sequence }
    return states
  }

  private func announce(_ group: ResolvedGroup, _ sequence: Sequence) {
    var counts: [TableID: Int] = [:]
    for rows in group.rows { counts[rows.partition.table, default: 0] += rows.block.rowCount }
    guard !counts.isEmpty else { return }
    options.onCommit(
      CommitNotice(
        sequence: sequence,
        rows: counts.keys.sorted().compactMap { id in workingCatalog.tables[id].map { ($0.name, counts[id] ?? 0) } }))
  }

  private func follow(_ group: ResolvedGroup, _ sequence: Sequence) {
    if let log, !feed.knows(log) { feed.logHolds(log) }
    // In the weakest mode nobody was promised more.
    let isDurable = if case .interval = options.sync { false } else { true }
    feed.publish(sequence, isDurable: isDurable) {
      CommitContents(
        sequence: sequence,
        rows: group.rows.filter { workingCatalog.tables[$0.partition.table] != nil }.map { ($0.partition, $0.block) },
        deletions: group.deletions)
    }
  }

  private func refuse(_ error: any Error, _ requests: [CommitRequest]) -> [CommitOutcome] {
    let error = asVarveError(error)
    publishLogSize()
    // Without room or descriptors nothing was written, and the same request may succeed later. Anything else is for
    // good.
    if !error.isWant { fail(error) }
    return requests.map { _ in .failure(error) }
  }

  private func writableLog() throws -> WriteAheadLog {
    guard let log else { throw VarveError(.readOnly, "the database is open for reading only") }
    return log
  }
}

package func asVarveError(_ error: any Error) -> VarveError {
  error as? VarveError ?? VarveError(.inputOutput, String(describing: error))
}
