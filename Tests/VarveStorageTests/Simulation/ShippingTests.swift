// The log on its way to the backups: whatever happens meanwhile, each commit that was sent can be restored, exactly.

import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct ShippingTests {
  static func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 1 << 20 }

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
