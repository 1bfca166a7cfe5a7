// The log on its way to the backups: whatever happens meanwhile, each commit that was sent can be restored, exactly.

import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct ShippingTests {
  private static func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 1 << 20 }

  /// A life with backups, prunes, kills and a place that fails now and then.
  @Test(arguments: 1...seedCount)
  func eachCommitThatWasSentIsRestoredExactly(seed: Int) throws {
    let disk = SimulatedFileSystem()
    var random = SeededRandom(seed: UInt64(seed))
    let shipping = try Shipping(
      Life(seed: UInt64(seed), disk, tune: Self.tune), seed: UInt64(seed), failingPercent: seed % 3 * 10)
    var restarts = 0
    for _ in 0..<120 {
      switch random.next() % 16 {
      case 0...2: try shipping.ship()
      case 3: try shipping.back()
      case 4: if random.chance(30) { try shipping.prune(keeping: Int.random(in: 1...2, using: &random)) }
      case 5 where random.chance(30):
        try shipping.restart(Self.tune)
        restarts += 1
      default: try shipping.life.go()
      }
    }
    shipping.set(failingPercent: 0)
    try shipping.back()
    for _ in 0..<10 { try shipping.life.go() }
    let report = try #require(try shipping.ship())
    #expect(report.last == shipping.life.store.sequence && !report.needsBackup, "seed \(seed)")
    #expect(shipping.gaps == 0, "seed \(seed)")
    try shipping.expectAnyCommit("seed \(seed)", &random, count: 12)
    try shipping.expectAll("seed \(seed)")
    #expect(try Model.reading(shipping.life.store) == shipping.life.model, "seed \(seed)")
    #expect(try shipping.verify().isSound, "seed \(seed)")
  }

  /// Before each I/O call of a life that ships, backs up and prunes the machine stops, and the place with it. What was sent
  /// for sure is restored, as some commit left it; and the store goes on to ship without a gap.
  @Test(arguments: 1...seedCount)
  func aCrashAtAnyCallLosesNothingThatWasSent(seed: Int) throws {
    let disk = SimulatedFileSystem()
    let shipping = try Shipping(Life(seed: UInt64(seed), disk, tune: Self.tune), seed: UInt64(seed))
    for _ in 0..<10 { try shipping.life.go() }
    try shipping.back()
    try shipping.ship()
    disk.startHistory()
    /// By mark: the last commit that was sent for sure.
    var sure: [Sequence] = []
    for round in 0..<12 {
      disk.mark = sure.count
      sure.append(shipping.sent)
      switch round % 4 {
      case 0: for _ in 0..<3 { try shipping.life.go() }
      case 1: try shipping.ship()
      case 2: if round == 6 { try shipping.prune(keeping: 1) } else { try shipping.back() }
      default:
        try shipping.life.commit()
        try shipping.ship()
      }
    }
    shipping.stop()
    var random = SeededRandom(seed: UInt64(seed))
    var count = 0
    for (number, moment) in disk.takeHistory().enumerated() where random.chance(15) {
      for survival in Survival.allCases {
        let label = "seed \(seed), moment \(number), \(survival)"
        let crashed = moment.disk.afterCrash(survival, seed: random.next())
        let (last, found) = try Shipping.restoredToEnd(on: crashed)
        #expect(last >= sure[moment.mark], "\(label): \(sure[moment.mark]) was sent, \(last) is restored")
        #expect(found == shipping.life.models[last], "\(label): commit \(last)")
        var options = Run.options(crashed, ManualClock(wall: 1_700_000_100_000_000_000))
        Self.tune(&options)
        let store = try Store.open(options)
        let place = BackupPlace(DirectoryStore(root: Backups.root, files: crashed))
        let shipper = try LogShipper(store, to: place)
        let report = try shipper.ship { try store.viewLog() }
        #expect(report.gap == nil && !report.needsBackup && report.last == store.sequence, "\(label): \(report)")
        #expect(try Shipping.restoredToEnd(on: crashed).model == Model.reading(store), "\(label)")
        shipper.stop()
        try store.close()
        count += 1
      }
    }
    print("simulation: seed \(seed), \(count) crash states of shipping")
    #expect(count > 10)
  }

  /// Each I/O call of a round fails once: the next one goes on, and all that it says was sent is there.
  @Test(arguments: [Fault.Kind.inputOutput, .diskFull, .noRoomToChange, .shortWrite])
  func aFailureAtAnyCallOfARoundHarmsNothing(kind: Fault.Kind) throws {
    let begin = SimulatedFileSystem()
    let first = try Shipping(Life(seed: 7, begin, tune: Self.tune), seed: 7)
    for _ in 0..<12 { try first.life.go() }
    try first.back()
    for _ in 0..<12 { try first.life.go() }
    try first.life.store.close()
    first.stop()
    func round(_ disk: SimulatedFileSystem, failing fault: Fault?) throws -> Int {
      let life = try Life(after: first.life, disk, tune: Self.tune)
      let shipping = try Shipping(life, seed: 7)
      let before = disk.callCount
      if let fault { disk.set(fault: Fault(call: before + fault.call, kind: fault.kind)) }
      var failure: VarveError?
      do { try shipping.ship() } catch { failure = asVarveError(error) }
      let calls = disk.callCount - before
      disk.releaseSpace()
      disk.set(fault: nil)
      #expect(kind != .inputOutput || fault == nil || failure != nil, "\(kind) at call \(fault?.call ?? 0)")
      #expect(life.store.failure == nil, "the log is none of what failed")
      try life.commit()
      let report = try #require(try shipping.ship())
      #expect(report.last == life.store.sequence && report.gap == nil)
      #expect(try Shipping.restoredToEnd(on: disk).model == life.model, "\(kind) at call \(fault?.call ?? 0)")
      return calls
    }
    let calls = try round(begin.restart(), failing: nil)
    #expect(calls > 10)
    for call in 1...calls { _ = try round(begin.restart(), failing: Fault(call: call, kind: kind)) }
  }

  /// Log that is not sent is kept as far as the bound goes. Then there is a gap, which is told once; the log goes on to be
  /// sent behind it; and from the next backup on all is whole.
  @Test func whatIsBeyondTheBoundIsAGapThatIsTold() throws {
    let disk = SimulatedFileSystem()
    let shipping = try Shipping(Life(seed: 5, disk, tune: { $0.unshippedLogByteCount = 4 * 4096 }), seed: 5)
    for _ in 0..<20 { try shipping.life.commit() }
    try shipping.back()
    try shipping.ship()
    let before = shipping.life.store.sequence
    for _ in 0..<2 {
      try shipping.life.commit()
      try shipping.life.store.sealAll()
    }
    #expect(try shipping.ship()?.gap == nil, "within the bound all is kept")
    for _ in 0..<12 {
      try shipping.life.commit()
      try shipping.life.store.sealAll()
    }
    let sent = shipping.sent
    let report = try #require(try shipping.ship())
    let gap = try #require(report.gap)
    #expect(gap.lowerBound == sent.next && gap.upperBound < shipping.life.store.sequence && report.needsBackup)
    let place = shipping.place
    for sequence in [before, sent] {
      #expect(try shipping.restored(at: sequence) == shipping.life.models[sequence])
    }
    for sequence in [gap.lowerBound, shipping.life.store.sequence] {
      let error = #expect(throws: VarveError.self) {
        try BackupChoice(place, store: nil).chosen(number: nil, at: .sequence(sequence))
      }
      #expect(error?.code == .invalidArgument)
    }
    try shipping.back()
    let whole = try #require(try shipping.ship())
    #expect(whole.gap == nil && !whole.needsBackup)
    for _ in 0..<5 { try shipping.life.commit() }
    try shipping.ship()
    for sequence in [
      before, shipping.life.store.sequence, Sequence(rawValue: shipping.life.store.sequence.rawValue - 3),
    ] {
      #expect(try shipping.restored(at: sequence) == shipping.life.models[sequence])
    }
    let inside = #expect(throws: VarveError.self) { try shipping.restored(at: gap.lowerBound) }
    #expect(inside?.code == .invalidArgument)
  }

  /// What takes chunks and leaves nothing in their place.
  enum Removal: CaseIterable {
    case drop, delete
  }

  /// The backup behind it does not have the chunks, and its log none of their rows: it must not be taken for one that
  /// leads to a moment before. One from before does, with the log that was shipped behind it.
  @Test(arguments: Removal.allCases, [false, true])
  func aBackupDoesNotReachBackBehindChunksThatAreGone(removal: Removal, isOpenedAnew: Bool) throws {
    let label = "\(removal), \(isOpenedAnew ? "opened anew" : "")"
    let shipping = try Shipping(Life(seed: 21, SimulatedFileSystem(), tune: Self.tune), seed: 21)
    func commit(_ count: Int) throws -> [Sequence] {
      try (0..<count).map { _ in
        try shipping.life.commit()
        return shipping.life.store.sequence
      }
    }
    _ = try commit(20)
    try shipping.life.store.sealAll()
    try shipping.back()
    try shipping.ship()
    _ = try commit(5)
    try shipping.life.store.sealAll()
    // From here on the next backup has all of the log.
    let before = try commit(4)
    switch removal {
    case .drop: try shipping.life.drop("t1")
    case .delete:
      try shipping.life.empty("t1")
      // Of this table alone: chunks that others are merged into say how far their deletes go.
      let store = shipping.life.store
      let table = try #require(store.snapshot().tables().first { $0.name == "t1" })
      while let task = store.pickFullCompaction(of: table.id) { _ = try store.install(try store.write(task)) }
    }
    let removed = shipping.life.store.sequence
    let behind = try commit(3)
    if isOpenedAnew { try shipping.restart(Self.tune) }
    #expect(shipping.life.models[removed] != shipping.life.models[try #require(before.last)], "it had rows")
    try shipping.back()
    let newest = try shipping.newest()
    #expect(newest.leastSequence == removed, "\(label)")
    #expect(newest.checkpoint.flushed < (try #require(before.first)), "\(label): its log begins before")
    // Nothing was shipped that leads there from the first backup.
    try shipping.expectRefusal(of: before, label)
    try shipping.expect([removed] + behind, label)
    try shipping.ship()
    try shipping.expect(before + [removed] + behind, "\(label), shipped")
  }

  /// What was not sent when shipping ended is sent when it starts again, as long as the store has it: a backup that has
  /// sent what comes behind it is not taken for the end of all that was sent.
  @Test(arguments: [false, true])
  func shippingThatStartsAgainGoesBackToWhatWasNotSent(isKilled: Bool) throws {
    let shipping = try Shipping(Life(seed: 22, SimulatedFileSystem(), tune: Self.tune), seed: 22)
    var random = SeededRandom(seed: 22)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    try shipping.ship()
    var unsent: [Sequence] = []
    for _ in 0..<4 {
      for _ in 0..<3 {
        try shipping.life.commit()
        unsent.append(shipping.life.store.sequence)
      }
      try shipping.life.store.sealAll()
    }
    try shipping.life.commit()
    // It has the last commit of the log alone.
    try shipping.back()
    try shipping.expectRefusal(of: unsent.dropLast(), "nobody has shipped since")
    if isKilled {
      try shipping.crash(.everything, &random, in: {}, tune: Self.tune)
    } else {
      try shipping.restart(Self.tune)
    }
    let report = try #require(try shipping.ship())
    #expect(report.gap == nil && !report.needsBackup && report.pieces >= 4, "\(report)")
    try shipping.expect(unsent, "shipped again")
  }

  /// Log that the store let go of before anybody sent it, with nobody there who would know: whoever starts to ship tells
  /// of the gap and wants a backup, and so does the next one, until there is one.
  @Test func shippingThatStartsAgainTellsOfLogThatIsGone() throws {
    func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 4096 }
    let shipping = try Shipping(Life(seed: 23, SimulatedFileSystem(), tune: tune), seed: 23)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    try shipping.ship()
    let sent = shipping.sent
    shipping.stop()
    var known: [Sequence] = []
    for _ in 0..<6 {
      try shipping.life.commit()
      try shipping.life.store.sealAll()
      known.append(shipping.life.store.sequence)
    }
    try shipping.restart(tune)
    let report = try #require(try shipping.ship())
    let gap = try #require(report.gap)
    #expect(gap.lowerBound == sent.next && known.contains(gap.upperBound) && report.needsBackup, "\(report)")
    try shipping.expect([sent], "before the gap")
    try shipping.expectRefusal(of: known, "in the gap and behind it")
    try shipping.restart(tune)
    try shipping.life.commit()
    let again = try #require(try shipping.ship())
    #expect(again.gap == nil && again.needsBackup, "what is behind the gap leads on from no backup: \(again)")
    try shipping.expectRefusal(of: known + [shipping.sent], "still")
    try shipping.back()
    try shipping.life.commit()
    #expect(try shipping.ship()?.needsBackup == false)
    try shipping.expect([sent, shipping.sent], "whole again")
    try shipping.expectRefusal(of: known.filter(gap.contains), "in the gap")
  }

  /// A mark that ends a segment is sent last, and may go unsent. No commit is missing then, and none is given up.
  @Test func aMarkThatWentUnsentIsNoGap() throws {
    func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 2 * 4096 }
    let shipping = try Shipping(Life(seed: 24, SimulatedFileSystem(), tune: tune), seed: 24)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    shipping.life.store.markDurable()
    try shipping.ship()
    var known = [shipping.sent]
    for number in 0..<3 {
      if number > 0 { try shipping.life.commit() }
      try shipping.life.store.sealAll()
      known.append(shipping.life.store.sequence)
    }
    try shipping.life.commit()
    known.append(shipping.life.store.sequence)
    let first = try shipping.life.store.viewLog().segments.first?.first
    #expect(first == shipping.sent.next, "the segment with the mark is gone")
    let report = try #require(try shipping.ship())
    #expect(report.gap == nil && !report.needsBackup, "\(report)")
    try shipping.expect(known, "behind the mark")
    #expect(try shipping.verify().isSound)
  }

  /// A round that ends early has sent some of what was acknowledged before it began: it does not say it was all.
  @Test func aRoundThatEndsEarlyReachesNoFurtherThanItsCommits() throws {
    let shipping = try Shipping(Life(seed: 25, SimulatedFileSystem(), tune: Self.tune), seed: 25)
    for _ in 0..<3 { try shipping.life.commit() }
    try shipping.back()
    // Each segment is a piece of its own.
    var known: [Sequence] = []
    while try shipping.life.store.viewLog().segments.count < 4 {
      try shipping.life.commit()
      known.append(shipping.life.store.sequence)
    }
    shipping.stop()
    var checks = 0
    let shipper = try LogShipper(shipping.life.store, to: shipping.place)
    #expect(throws: VarveError.self) {
      _ = try shipper.ship {
        checks += 1
        if checks == 3 { throw VarveError(.cancelled, "closing") }
      } _: {
        try shipping.life.store.viewLog()
      }
    }
    shipper.stop()
    let (last, _) = try Shipping.restoredToEnd(on: shipping.life.disk)
    let isThere = known.filter { $0 < last }
    #expect(!isThere.isEmpty && known.contains { $0 > last }, "\(last) of \(known)")
    try shipping.expect(isThere, "sent")
    try shipping.expectRefusal(of: known.filter { $0 > last }, "not sent")
    // Of one backup that is named, too.
    let manifest = try shipping.newest()
    let time = try #require(known.last.flatMap { shipping.life.times[$0] })
    let error = #expect(throws: VarveError.self) {
      try BackupRestore(manifest, from: shipping.place, files: shipping.life.disk, clock: ManualClock())
        .run(to: "/sim/restored", .limit(.time(time)))
    }
    #expect(error?.code == .invalidArgument)
    try shipping.ship()
    try shipping.expect(known, "all sent")
  }

  /// A directory that went on from a copy, or is behind what was sent, does not mix with what is there; a store that was
  /// restored to an earlier commit is another, and ships beside the first.
  @Test func anotherHistoryIsKeptApart() throws {
    let disk = SimulatedFileSystem()
    let shipping = try Shipping(Life(seed: 9, disk, tune: Self.tune), seed: 9)
    for _ in 0..<15 { try shipping.life.commit() }
    try shipping.back()
    let old = disk.clone()
    let (sequence, model) = (shipping.life.store.sequence, shipping.life.model)
    for _ in 0..<3 { try shipping.life.commit() }
    try shipping.ship()
    shipping.stop()
    // The older directory, with the place as it is.
    let objects = disk.paths.filter { $0.hasPrefix(Backups.root) && $0.hasSuffix(".log") }
    for ahead in [0, 4] {
      let copy = old.clone()
      for path in objects where try !copy.exists(path) {
        let file = try copy.open(path, .createNew)
        try file.write(try disk.readAll(path), at: 0)
        file.close()
      }
      let life = try Life(after: shipping.life, copy.restart(), model: model, tune: Self.tune)
      for _ in 0..<ahead { try life.commit() }
      let shipper = try LogShipper(life.store, to: BackupPlace(DirectoryStore(root: Backups.root, files: life.disk)))
      let error = #expect(throws: VarveError.self) { try shipper.ship { try life.store.viewLog() } }
      #expect(error?.code == .invalidArgument, "\(ahead) commits on")
    }
    _ = try shipping.restore(at: .sequence(sequence), on: disk, to: "/sim/other")
    let other = try Shipping(
      Life(after: shipping.life, disk, directory: "/sim/other", model: model, tune: Self.tune), seed: 9)
    for _ in 0..<5 { try other.life.go() }
    let report = try #require(try other.ship())
    #expect(report.needsBackup && report.gap == nil)
    try other.back()
    try other.ship()
    #expect(try other.place.stores().count == 2)
    #expect(try other.restored(at: other.life.store.sequence) == other.life.model)
    try shipping.life.store.close()
    let again = try Shipping(Life(after: shipping.life, disk, tune: Self.tune), seed: 9)
    try again.life.commit()
    try again.ship()
    #expect(try again.restored(at: again.life.store.sequence) == again.life.model)
  }

  /// A second one that ships the same store's log is refused, and two that send of it take turns.
  @Test func oneShipsAtATime() throws {
    let disk = SimulatedFileSystem()
    let shipping = try Shipping(Life(seed: 4, disk, tune: Self.tune), seed: 4)
    for _ in 0..<5 { try shipping.life.commit() }
    let error = #expect(throws: VarveError.self) { try LogShipper(shipping.life.store, to: shipping.place) }
    #expect(error?.code == .directoryLocked)
    var reports: [ShipReport] = []
    try shipping.back { if let report = try shipping.ship() { reports.append(report) } }
    #expect(reports.contains(where: \.wasBusy) && reports.contains { !$0.wasBusy })
    try shipping.ship()
    #expect(try shipping.restored(at: shipping.life.store.sequence) == shipping.life.model)
  }

  /// An object of the log that is cut, changed or taken away is named, and nothing is restored past it.
  @Test func aDamagedPieceIsNamed() throws {
    let disk = SimulatedFileSystem()
    let shipping = try Shipping(Life(seed: 6, disk, tune: Self.tune), seed: 6)
    for _ in 0..<5 { try shipping.life.commit() }
    try shipping.back()
    for _ in 0..<4 {
      try shipping.life.commit()
      try shipping.ship()
    }
    let chain = try PlacedLog(of: shipping.identity, in: shipping.place).chain(behind: shipping.newest())
    #expect(chain.pieces.count == 4)
    for (number, piece) in chain.pieces.dropLast().enumerated() {
      let damaged = disk.clone()
      let path = "\(Backups.root)/\(shipping.identity)/\(piece.key)"
      switch number {
      case 0: damaged.flip(path, bit: 8 * 100)
      case 1: damaged.cut(path, to: 60)
      default: damaged.flip(path, bit: 8 * 20)
      }
      let place = BackupPlace(DirectoryStore(root: Backups.root, files: damaged))
      let found = try BackupVerifier.verify(
        shipping.newest(), from: place, scratch: "/sim/scratch", files: damaged, clock: ManualClock())
      #expect(found.problems.map(\.path) == [path])
      let error = #expect(throws: VarveError.self) { try Shipping.restoredToEnd(on: damaged) }
      #expect(error?.code == .corruption && error?.place == path)
      #expect(try !damaged.exists("/sim/restored") && !damaged.exists("/sim/restored.restoring"))
    }
  }
}
