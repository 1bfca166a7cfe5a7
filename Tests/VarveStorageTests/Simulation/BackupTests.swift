import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct BackupTests {
  /// Backups are taken at random moments of a workload, between the parts of seals and compactions too. Each of them must
  /// restore to what the store held then.
  @Test(arguments: 1...seedCount)
  func eachBackupRestoresToWhatTheStoreHeld(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let disk = SimulatedFileSystem()
    let backups = Backups(disk)
    let run = Run(Workload(seed: UInt64(seed), sync: seed.isMultiple(of: 3) ? .off : .always), disk) { store, model in
      if random.chance(25) { try backups.take(store, model) }
      if random.chance(8), !backups.held.isEmpty { try backups.prune(keeping: Int.random(in: 1...3, using: &random)) }
    }
    #expect(run.error == nil, "seed \(seed)")
    try backups.expectAll(on: disk, "seed \(seed)")
    #expect(!backups.held.isEmpty, "seed \(seed) takes backups")
    for number in backups.held.keys {
      let found = try backups.verify(number, on: disk)
      #expect(found.isSound, "seed \(seed), backup \(number): \(found.problems)")
    }
  }

  /// While files are sent the store goes on: it commits, seals, compacts, deletes and drops. None of that is in the backup,
  /// and nothing that it needs goes.
  @Test(arguments: 1...seedCount)
  func aBackupIsOfOneMomentWhateverHappensMeanwhile(seed: Int) throws {
    let (disk, backups, life) = try Backups.of(seed: UInt64(seed), steps: 40)
    for round in 1...3 {
      let model = life.model
      try backups.take(life.store, model, check: { for _ in 0..<4 { try life.go() } })
      #expect(life.model != model, "seed \(seed), round \(round): something happens meanwhile")
      #expect(try Model.reading(life.store) == life.model, "seed \(seed), round \(round)")
    }
    try backups.expectAll(on: disk, "seed \(seed)")
    // What was kept for the backups is gone, and nothing else.
    let report = try StoreVerifier.verify(directory: "/sim/db", files: disk.restart())
    #expect(report.isSound && report.orphans.isEmpty, "seed \(seed): \(report.lines)")
  }

  /// Before each I/O call of a life with backups and prunes the machine stops: each backup that is listed then restores to
  /// what it was taken of, and none that was finished is missing.
  @Test(arguments: 1...seedCount)
  func aCrashAtAnyCallLeavesOnlyWholeBackups(seed: Int) throws {
    let (disk, backups, life) = try Backups.of(seed: UInt64(seed), steps: 10)
    disk.startHistory()
    /// By mark: backups that must be listed.
    var sure: [Set<Int>] = []
    for round in 0..<4 {
      disk.mark = sure.count
      sure.append(round == 3 ? Set(backups.held.keys.sorted().suffix(1)) : Set(backups.held.keys))
      if round == 3 {
        try backups.prune(keeping: 1)
      } else {
        try backups.take(life.store, life.model, check: { try life.go() })
      }
    }
    var random = SeededRandom(seed: UInt64(seed))
    var count = 0
    for (number, moment) in disk.takeHistory().enumerated() where random.chance(12) {
      for survival in Survival.allCases {
        let crashed = moment.disk.afterCrash(survival, seed: random.next())
        let label = "seed \(seed), moment \(number), \(survival)"
        let listed = try backups.expectAll(on: crashed, label)
        #expect(sure[moment.mark].isSubset(of: listed), "\(label): \(sure[moment.mark]) are finished, \(listed) listed")
        count += 1
      }
    }
    print("simulation: seed \(seed), \(count) crash states of backups")
    #expect(count > 20)
  }

  /// A restore that is cut short leaves nothing under the name; another try succeeds.
  @Test func aCrashAtAnyCallOfARestoreLeavesAllOrNothing() throws {
    let (disk, backups, life) = try Backups.of(seed: 5, steps: 30)
    try backups.take(life.store, life.model)
    disk.startHistory()
    _ = try backups.restore(1, on: disk, to: "/sim/again")
    var states = 0
    for (number, moment) in disk.takeHistory().enumerated() {
      for survival in Survival.allCases {
        let crashed = moment.disk.afterCrash(survival, seed: UInt64(number))
        if try !crashed.exists("/sim/again") { _ = try backups.restore(1, on: crashed, to: "/sim/again") }
        #expect(try Backups.reading("/sim/again", crashed) == life.model, "moment \(number), \(survival)")
        #expect(try !crashed.exists("/sim/again.restoring"), "moment \(number), \(survival)")
        states += 1
      }
    }
    #expect(states > 100)
  }

  /// Each I/O call of a backup fails once: the backup is there whole or not at all, and the store goes on.
  @Test(arguments: [Fault.Kind.inputOutput, .diskFull, .noRoomToChange, .shortWrite])
  func aFailureAtAnyCallOfABackupHarmsNothing(kind: Fault.Kind) throws {
    let begin = SimulatedFileSystem()
    let first = try Life(seed: 7, begin)
    for _ in 0..<25 { try first.go() }
    try first.store.sealAll()
    try first.store.close()
    let calls = try backUp(Life(after: first, begin.restart())).calls
    #expect(calls > 30)
    for call in 1...calls {
      let disk = begin.clone()
      let outcome = try backUp(Life(after: first, disk), failing: Fault(call: call, kind: kind))
      let label = "\(kind) at call \(call)"
      // One that failed may be there: its last step may have failed after it was done.
      let listed = try outcome.backups.expectAll(on: disk, label)
      #expect(outcome.error != nil || listed == [1], "\(label)")
      let life = outcome.life
      #expect(try Model.reading(life.store) == life.model, "\(label)")
      // The backup's own disk is that of the store: what fails is never the log.
      try life.commit()
      try outcome.backups.take(life.store, life.model)
      try outcome.backups.expectAll(on: disk, label)
    }
  }

  private struct Outcome {
    let life: Life
    let backups: Backups
    let calls: Int
    let error: VarveError?
  }

  private func backUp(_ life: Life, failing fault: Fault? = nil) throws -> Outcome {
    let backups = Backups(life.disk)
    let before = life.disk.callCount
    if let fault { life.disk.set(fault: Fault(call: before + fault.call, kind: fault.kind)) }
    var failure: VarveError?
    do { try backups.take(life.store, life.model) } catch { failure = asVarveError(error) }
    let calls = life.disk.callCount - before
    life.disk.releaseSpace()
    life.disk.set(fault: nil)
    return Outcome(life: life, backups: backups, calls: calls, error: failure)
  }

  /// What a backup keeps of files that are to go is given up before anything else wants for room.
  @Test func aBackupGivesWayWhereTheDiskGetsShort() throws {
    let (disk, backups, life) = try Backups.of(seed: 11, steps: 30)
    var isShort = false
    let error = #expect(throws: VarveError.self) {
      try backups.take(life.store, life.model) {
        guard !isShort else { return }
        isShort = true
        try life.store.compactAll()
        disk.set(capacity: disk.usedByteCount + 50_000)
      }
    }
    #expect(error?.code == .diskFull)
    #expect(try backups.expectAll(on: disk, "short").isEmpty)
    #expect(!disk.paths.contains { $0.hasPrefix(Backups.root) && !$0.hasSuffix(".lock") }, "what was sent is gone")
    try life.commit()
    let report = try StoreVerifier.verify(directory: "/sim/db", files: disk.clone())
    #expect(report.isSound && report.orphans.isEmpty, "\(report.lines)")
  }

  /// The same where a write finds no room before the backup looks: it is done, not refused.
  @Test func aWriteWithoutRoomTakesWhatABackupKeeps() throws {
    let (disk, backups, life) = try Backups.of(seed: 12, steps: 40) { $0.backupFreeByteCount = 0 }
    // So that the log, which the backup keeps, has several segments.
    for _ in 0..<40 { try life.commit() }
    var isShort = false
    let error = #expect(throws: VarveError.self) {
      try backups.take(life.store, life.model) {
        guard !isShort else { return }
        isShort = true
        try life.store.compactAll()
        disk.set(capacity: disk.usedByteCount)
        // The first needs a segment.
        for _ in 0..<8 { try life.commit() }
      }
    }
    #expect(error?.code == .diskFull)
    #expect(try Model.reading(life.store) == life.model)
    disk.releaseSpace()
    try backups.take(life.store, life.model)
    try backups.expectAll(on: disk, "with room again")
  }

  /// A second backup is refused while one runs, and so is a prune; both go on afterwards.
  @Test func backupsAndPrunesTakeTurns() throws {
    let (disk, backups, life) = try Backups.of(seed: 13, steps: 20)
    try backups.take(life.store, life.model)
    let store = try #require(backups.store)
    var refusals: [VarveError] = []
    let place = backups.place(disk)
    try life.commit()
    try backups.take(life.store, life.model) {
      for attempt in [
        { _ = try BackupWriter.run(life.store, to: place, begin: { try life.store.beginBackup() }) },
        { _ = try BackupPruner.prune(store, in: place, keeping: .count(1)) },
      ] {
        do { try attempt() } catch { refusals.append(asVarveError(error)) }
      }
    }
    #expect(!refusals.isEmpty && refusals.allSatisfy { $0.code == .directoryLocked })
    // To another place at the same time: the store refuses.
    let second = Backups(disk, root: "/sim/second")
    var refused: VarveError?
    try life.commit()
    try backups.take(life.store, life.model) {
      do { try second.take(life.store, life.model) } catch { refused = asVarveError(error) }
    }
    #expect(refused?.code == .overloaded)
    try backups.prune(keeping: 1)
    try backups.expectAll(on: disk, "after the prune")
    #expect(backups.held.count == 1)
  }

  /// After little that is new, little is sent; and what other backups need is still there when one is pruned.
  @Test func whatIsThereIsNotSentAgain() throws {
    let (disk, backups, life) = try Backups.of(seed: 17, steps: 200)
    try life.store.sealAll()
    let first = try backups.take(life.store, life.model)
    #expect(first.sentByteCount >= first.byteCount)
    let second = try backups.take(life.store, life.model)
    #expect(second.byteCount == first.byteCount)
    // Nothing but the backup's own manifest.
    let manifest = try backups.place(disk).objects.list("\(try #require(backups.store))/backups/")
    #expect(second.sentByteCount == manifest.last?.byteCount)
    try life.commit()
    let third = try backups.take(life.store, life.model)
    #expect(third.sentByteCount < second.sentByteCount + 1_000)
    try backups.prune(keeping: 1)
    try backups.expectAll(on: disk, "after the prune")
  }

  /// Each object that a backup needs is cut, changed or taken away: `verify` names it, and a restore refuses.
  @Test func aDamagedObjectIsNamed() throws {
    let (disk, backups, life) = try Backups.of(seed: 19, steps: 30)
    try backups.take(life.store, life.model)
    let objects = disk.paths.filter { $0.hasPrefix(Backups.root) && !$0.hasSuffix(".lock") && !$0.hasSuffix(".backup") }
    #expect(objects.count > 3)
    for (number, path) in objects.enumerated() {
      let damaged = disk.clone()
      switch number % 3 {
      case 0: damaged.flip(path, bit: 77)
      case 1: damaged.cut(path, to: 10)
      default: try damaged.remove(path)
      }
      let found = try backups.verify(1, on: damaged)
      #expect(found.problems.map(\.path) == [path])
      let error = #expect(throws: VarveError.self) { try backups.restore(1, on: damaged, to: "/sim/again") }
      #expect(error?.code == .corruption && error?.place == path)
      #expect(try !damaged.exists("/sim/again") && !damaged.exists("/sim/again.restoring"))
    }
    // A backup's manifest: the next backup goes on without it, and a prune that is to keep it removes nothing.
    let manifest = try #require(disk.paths.first { $0.hasSuffix(".backup") })
    disk.flip(manifest, bit: 300)
    #expect(throws: VarveError.self) { try backups.manifest(1, on: disk) }
    #expect(throws: VarveError.self) {
      try BackupPruner.prune(#require(backups.store), in: backups.place(disk), keeping: .count(1))
    }
    let report = try backups.take(life.store, life.model)
    let unshared = try backups.manifest(2, on: disk).files.filter { $0.kind != .log }
    #expect(report.number == 2 && report.warnings.count == 1)
    #expect(report.sentByteCount >= unshared.reduce(0) { $0 + $1.sentByteCount })
    try backups.prune(keeping: 1)
    try backups.expectAll(on: disk, "the second backup")
  }

  /// What is damaged is backed up as it is, and told: a copy of the rest is wanted all the more.
  @Test func damageInTheStoreKeepsNothingFromBeingBackedUp() throws {
    let begin = SimulatedFileSystem()
    let first = try Life(seed: 29, begin)
    for _ in 0..<40 { try first.go() }
    try first.store.sealAll()
    for _ in 0..<10 { try first.commit() }
    try first.store.close()
    let disk = begin.restart()
    let chunks = disk.paths.filter { $0.hasSuffix(".chunk") }
    // In the first page of each.
    for path in chunks { disk.flip(path, bit: 90 * 8) }
    let life = try Life(after: first, disk)
    let backups = Backups(disk)
    let report = try backups.take(life.store, life.model)
    #expect(!chunks.isEmpty && !report.warnings.isEmpty)
    let found = try backups.verify(1, on: disk)
    #expect(Set(found.problems.map { $0.path.split(separator: "/").last?.prefix(18) }).count == chunks.count)
    #expect(try backups.restore(1, on: disk, to: "/sim/again").sequence == life.store.sequence)
  }

  /// Where there is not room for all of it a restore says so, and leaves nothing.
  @Test func aRestoreWithoutRoomLeavesNothing() throws {
    let (disk, backups, life) = try Backups.of(seed: 23, steps: 30)
    let report = try backups.take(life.store, life.model)
    for room in [report.byteCount - 1, report.byteCount + 10] {
      let full = disk.clone()
      full.set(capacity: full.usedByteCount + room)
      let error = #expect(throws: VarveError.self) { try backups.restore(1, on: full, to: "/sim/again") }
      #expect(error?.code == .diskFull)
      #expect(try !full.exists("/sim/again") && !full.exists("/sim/again.restoring"))
    }
    try disk.createDirectory("/sim/again")
    _ = try backups.restore(1, on: disk, to: "/sim/again")
    let taken = #expect(throws: VarveError.self) { try backups.restore(1, on: disk, to: "/sim/again") }
    #expect(taken?.code == .alreadyExists)
    #expect(try Backups.reading("/sim/again", disk) == life.model)
  }

  /// A backup reaches every commit from what its chunks hold to its own.
  @Test(arguments: 1...seedCount)
  func aBackupIsRestoredToAnyCommitThatItReaches(seed: Int) throws {
    let (disk, backups, life) = try Backups.of(seed: UInt64(seed), steps: 30)
    try life.store.sealAll()
    var models = [life.store.sequence: life.model]
    var times: [Sequence: Int64] = [:]
    for _ in 0..<12 {
      try life.commit()
      models[life.store.sequence] = life.model
      times[life.store.sequence] = life.clock.wallNanoseconds()
    }
    try backups.take(life.store, life.model)
    for (sequence, model) in models {
      let limit = RestoreTarget.limit(.sequence(sequence))
      #expect(try backups.restored(1, on: disk, limit) == model, "seed \(seed), commit \(sequence.rawValue)")
    }
    for (sequence, time) in times {
      #expect(try backups.restored(1, on: disk, .limit(.time(time))) == models[sequence], "seed \(seed), time \(time)")
    }
    let before = #expect(throws: VarveError.self) {
      try backups.restored(1, on: disk, .limit(.sequence(Sequence.zero)))
    }
    #expect(before?.code == .invalidArgument)
    let beyond = life.store.sequence.next
    #expect(throws: VarveError.self) { try backups.restored(1, on: disk, .limit(.sequence(beyond))) }
    #expect(throws: VarveError.self) { try backups.restored(1, on: disk, .limit(.time(0))) }
    #expect(try !disk.exists("/sim/restored") && !disk.exists("/sim/restored.restoring"))
  }

  /// A restored store is another: it backs up beside the first, and goes on from any commit that it was restored to.
  @Test func aRestoredStoreGoesOnAsAnother() throws {
    let (disk, backups, life) = try Backups.of(seed: 3, steps: 20)
    try life.store.sealAll()
    try life.commit()
    let (sequence, model) = (life.store.sequence, life.model)
    try life.commit()
    try backups.take(life.store, life.model)
    _ = try backups.restore(1, on: disk, to: "/sim/other", .limit(.sequence(sequence)))
    let other = try Life(after: life, disk, directory: "/sim/other", model: model)
    for _ in 0..<20 { try other.go() }
    let others = Backups(disk)
    try others.take(other.store, other.model)
    for _ in 0..<10 { try life.go() }
    try backups.take(life.store, life.model)
    #expect(backups.store != others.store)
    try backups.expectAll(on: disk, "the first store")
    try others.expectAll(on: disk, "the other store")
    let place = backups.place(disk)
    #expect(try place.stores().count == 2)
    let error = #expect(throws: VarveError.self) { try BackupChoice(place, store: nil).manifest(number: nil, at: nil) }
    #expect(error?.code == .invalidArgument)
  }
}
