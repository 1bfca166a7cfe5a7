// A run of the archive: what is old enough goes to objects, partition by partition; then what is there and not needed is
// noted, and deleted once it was not needed for a while. Backups of that time can still be restored with what they name.
//
//   take the folder → (for each table:) pick → archive → install → put aside what was replaced, until there is nothing left
//   → its lists written → sweep
//
// The clock is believed as far as retention believes it: where it has jumped far past what commits have seen, nothing goes
// for its age.
//
// What is put aside has another name, so that engines that read the folder do not count its rows.
//
// A run can be interrupted anywhere. What it had put and nobody names is found by the next: there is one rule, that an
// object is needed if a live stub names it. Lists of an object store may lag behind; a key that is listed and gone, or there
// and not listed, is met again later.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

package struct ArchiveRun {
  /// Objects are deleted when nothing has needed them for so long.
  package static let keepNanoseconds: Int64 = 7 * 86_400_000_000_000

  private let store: Store
  private let tier: ParquetTier
  /// Has the committing thread install chunks, and waits for it; the inputs' files go with it.
  private let install: (CompactedChunks) throws -> Bool
  /// Called with the bytes of each row block.
  private let pace: (Int) throws -> Void
  /// Waits a moment for compaction to be done with a partition.
  private let pause: () throws -> Void
  /// Told what comes next, in words.
  private let tell: (String) -> Void

  package init(
    _ store: Store, _ tier: ParquetTier, pace: @escaping (Int) throws -> Void, pause: @escaping () throws -> Void = {},
    tell: @escaping (String) -> Void = { _ in }, install: @escaping (CompactedChunks) throws -> Bool
  ) {
    self.store = store
    self.tier = tier
    self.pace = pace
    self.pause = pause
    self.tell = tell
    self.install = install
  }

  /// All rows of the partitions are in chunks, as far as they are to be archived. `tables`: each with the time before which
  /// its partitions end.
  /// A run that is not `thorough` leaves alone what is archived but for a little that has come or gone since.
  package func run(
    _ tables: [(table: TableSchema, before: Int64)], _ choice: ArchiveChoice = ArchiveChoice(), thorough: Bool = true
  ) throws -> ArchiveRunReport {
    let (folder, lock) = try tier.claim()
    defer {
      store.endArchiving()
      lock.release()
    }
    var report = ArchiveRunReport()
    if thorough { store.retryUnreadableChunks() }
    let step = Step(folder: folder, lock: lock, thorough: thorough, adopts: choice.adopts)
    for (table, before) in tables { report.tables.append(try archive(table, before: before, step, &report.failures)) }
    try lock.check()
    tell("looking for what is not needed")
    try sweep(folder, deletingUnneeded: choice.deletesUnneeded, &report)
    return report
  }

  /// What all steps of a run have in common.
  private struct Step {
    let folder: String
    let lock: any ObjectLock
    let thorough: Bool
    let adopts: Bool
  }

  private func archive(
    _ table: TableSchema, before: Int64, _ step: Step, _ failures: inout [String]
  ) throws -> ArchiveReport {
    var report = ArchiveReport(table: table.name)
    var pass = CompactionPass(store, table: table.id)
    let anew = step.adopts ? try store.partitions(of: table, notIn: step.folder) : []
    while let task = store.pickArchiving(&pass, before: before, thorough: step.thorough, anew: anew) {
      tell(Self.text(table, pass))
      do {
        try step.lock.check()
        guard store.beginArchiving(task) else {
          try pause()
          continue
        }
        let replaced = try store.objects(of: task)
        let done = try store.archive(task, pace: pace)
        guard try install(done) else { continue }
        report.add(done, objectBytes: true)
        // What comes meanwhile is for the next run.
        if task.isWhole { pass.skip() } else { pass.didCompact() }
        for object in replaced where ArchiveKeys.isIn(step.folder, object.key) { try putAside(object.key) }
      } catch {
        let error = asVarveError(error)
        // What is no matter of this partition ends the run.
        guard store.failure == nil, [.corruption, .limitExceeded, .gone].contains(error.code) else { throw error }
        failures.append("a partition of \"\(table.name)\" stays as it is: \(error)")
        pass.skip()
      }
    }
    return report
  }

  /// Takes partitions with times of the range out of the archive.
  package func restore(_ table: TableSchema, _ time: TimeRange) throws -> ArchiveReport {
    var report = ArchiveReport(table: table.name)
    var pass = CompactionPass(store, table: table.id)
    store.retryUnreadableChunks()
    defer { store.endArchiving() }
    while let task = store.pickRestoring(&pass, in: time) {
      tell(Self.text(table, pass))
      guard store.beginArchiving(task) else {
        try pause()
        continue
      }
      let done = try store.write(task, pace: pace)
      guard try install(done) else { continue }
      report.add(done, objectBytes: false)
      pass.didCompact()
    }
    return report
  }

  private static func text(_ table: TableSchema, _ pass: CompactionPass) -> String {
    "\(table.name), partition \(pass.progress.done + 1) of \(pass.progress.all)"
  }

  // MARK: - What is not needed

  /// A list may still have what is gone.
  private func putAside(_ key: String) throws {
    tier.cache?.remove(key)
    do { try tier.objects.move(key, to: ArchiveKeys.unneeded(key)) } catch let error as VarveError
      where error.code == .notFound
    {}
  }

  private func sweep(_ folder: String, deletingUnneeded: Bool, _ report: inout ArchiveRunReport) throws {
    let (live, problems) = try store.archivedChunks()
    guard problems.isEmpty else {
      report.failures += problems.map { "what is not needed is not looked for while a stub cannot be read: \($0)" }
      return
    }
    let snapshot = store.snapshot()
    let time = TimeOfDay(store.clock.wallNanoseconds(), snapshot)
    let names = Set(live.map(\.object.key))
    let prefix = folder + "/"
    report.foreignObjects = live.count { !ArchiveKeys.isIn(folder, $0.object.key) }
    let tables = Set(live.map(\.metadata.table)).union(
      try tier.objects.folders(prefix).compactMap { UInt32($0).map { TableID(rawValue: $0) } })
    for table in tables.sorted() {
      let own = live.filter { $0.metadata.table == table && ArchiveKeys.isIn(folder, $0.object.key) }
      let listed = try tier.objects.list("\(prefix)\(table.rawValue)/")
      try sweep(folder, table, listed, live: names, time, deletingUnneeded, &report)
      let list = ArchiveListing.json(own, snapshot.table(id: table), id: table)
      try tier.objects.put(ArchiveKeys.objects(folder, table), Array(list.utf8))
    }
  }

  /// As the wall clock says it, but never before what commits have seen.
  private struct TimeOfDay {
    let now: Int64
    let isBelieved: Bool

    init(_ wall: Int64, _ snapshot: Snapshot) {
      now = max(wall, snapshot.trustedClock)
      isBelieved = Catalog.believes(wall, trusted: snapshot.trustedClock)
    }
  }

  private func sweep(
    _ folder: String, _ table: TableID, _ listed: [ObjectEntry], live: Set<String>, _ time: TimeOfDay,
    _ deletingUnneeded: Bool, _ report: inout ArchiveRunReport
  ) throws {
    let key = ArchiveKeys.unneeded(folder, table)
    let known = try UnneededObjects(tier.objects, key)
    let quarantined = try store.quarantinedChunks()
    var kept = UnneededObjects()
    var deleted: [String] = []
    for entry in listed {
      let isAside = entry.key.hasSuffix(ArchiveKeys.unneededSuffix)
      guard isAside || entry.key.hasSuffix(ArchiveKeys.objectSuffix) && !live.contains(entry.key) else { continue }
      if let chunk = ArchiveKeys.chunk(of: entry.key), quarantined.contains(chunk) { continue }
      try pace(isAside ? 0 : entry.byteCount)
      let key = isAside ? entry.key : ArchiveKeys.unneeded(entry.key)
      let since = min(known.since[key] ?? time.now, time.now)
      let isDue = time.now - since >= Self.keepNanoseconds
      if deletingUnneeded || isDue && time.isBelieved {
        deleted.append(entry.key)
        tier.cache?.remove(entry.key)
        report.deletedObjects += 1
        report.deletedBytes += entry.byteCount
      } else {
        if !isAside { try putAside(entry.key) }
        kept.since[key] = since
        report.unneededObjects += 1
        report.unneededBytes += entry.byteCount
        report.isClockDoubted = report.isClockDoubted || isDue
      }
    }
    // Noted before anything goes, so that what cannot be deleted now is known later.
    if kept != known, !(kept.since.isEmpty && known.since.isEmpty) { try tier.objects.put(key, kept.bytes) }
    if !deleted.isEmpty { try tier.objects.delete(deleted) }
  }
}

extension Store {
  /// Partitions of which an object is in another folder of the archive; in any, if there is no own one yet.
  package func partitions(of table: TableSchema, notIn folder: String?) throws -> Set<Int64> {
    Set(
      try archivedChunks(of: table.id).found.filter { !ArchiveKeys.isIn(folder, $0.object.key) }
        .map(\.metadata.partition))
  }
}

extension ArchiveReport {
  fileprivate mutating func add(_ done: CompactedChunks, objectBytes: Bool) {
    chunksBefore += done.inputCount
    chunksAfter += done.outputs.count
    rows += done.outputs.reduce(0) { $0 + $1.rowCount }
    bytesBefore += done.inputByteCount
    bytesAfter += done.outputs.reduce(0) { $0 + (objectBytes ? $1.objectByteCount : $1.byteCount) }
  }
}
