// Random histories of a store that is backed up and whose log is shipped, while its tables are dropped and emptied, its
// place comes and goes, its process is killed and its machine stops. A restore to any moment then gives what the store
// held, or says that nothing leads there; and something does lead to every moment that a report said was there.

import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct ShippingHistoryTests {
  /// Log is kept for as long as it takes to send it: each commit behind the oldest backup is restored, exactly.
  @Test(arguments: 1...seedCount) func eachMomentOfAnyHistoryIsRestored(seed: Int) throws {
    var history = try ShippingHistory(seed: UInt64(seed), unshippedLogByteCount: 1 << 20)
    for _ in 0..<4 {
      try history.go(steps: 40)
      try history.expectMoments(6)
    }
    try history.end()
    #expect(history.shipping.gaps == 0, "seed \(seed)")
    try history.expectAllBehindTheOldestBackup(10)
    history.printWhatItWas()
  }

  /// Little is kept, so that some of the log is lost: what leads nowhere any more is refused, and all else is exact.
  @Test(arguments: 1...seedCount) func noMomentIsRestoredAsAnother(seed: Int) throws {
    var history = try ShippingHistory(seed: UInt64(1000 + seed), unshippedLogByteCount: 3 * 4096)
    for _ in 0..<4 {
      try history.go(steps: 40)
      try history.expectMoments(6)
    }
    try history.end()
    try history.expectMoments(12)
    history.printWhatItWas()
  }
}

/// One history, and what it has been promised.
private struct ShippingHistory {
  let seed: UInt64
  let shipping: Shipping
  private var random: SeededRandom
  private let unshippedLogByteCount: Int
  /// Commits that a backup leads to, by its number, as a report of shipping said.
  private var promised: [Int: ClosedRange<Sequence>] = [:]
  private(set) var restored = 0
  private(set) var refused = 0
  private var crashes = 0

  init(seed: UInt64, unshippedLogByteCount: Int) throws {
    self.seed = seed
    self.unshippedLogByteCount = unshippedLogByteCount
    random = SeededRandom(seed: seed)
    shipping = try Shipping(
      Life(seed: seed, SimulatedFileSystem()) { $0.unshippedLogByteCount = unshippedLogByteCount }, seed: seed)
    try shipping.back()
  }

  private func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = unshippedLogByteCount }

  mutating func go(steps: Int) throws {
    for _ in 0..<steps {
      switch random.next() % 32 {
      case 0...4: try ship()
      case 5: try shipping.back()
      case 6: if random.chance(30) { try shipping.prune(keeping: Int.random(in: 1...3, using: &random)) }
      case 7: try shipping.life.drop("t\(random.next() % 3)")
      case 8: try shipping.life.empty("t\(random.next() % 3)")
      case 9: shipping.life.store.markDurable()
      case 10: shipping.set(failingPercent: [0, 0, 20, 100][Int(random.next() % 4)])
      case 11: if random.chance(40) { try shipping.restart(tune) }
      case 12: if random.chance(40) { try crash() }
      default: try shipping.life.go()
      }
    }
  }

  /// With a place that can be reached the last backup is whole, and leads to all there is.
  mutating func end() throws {
    shipping.set(failingPercent: 0)
    try shipping.back()
    for _ in 0..<5 { try shipping.life.commit() }
    try ship()
    #expect(shipping.sent == shipping.life.store.sequence, "seed \(seed)")
    #expect(try isPromised(shipping.sent), "seed \(seed): the newest backup leads to what was sent")
    let all = try Shipping.restoredToEnd(on: shipping.life.disk.clone())
    #expect(all.model == shipping.life.model, "seed \(seed)")
    #expect(try shipping.verify().isSound, "seed \(seed)")
  }

  private mutating func ship() throws {
    guard let report = try shipping.ship(), !report.wasBusy, !report.needsBackup else { return }
    let number = try #require(place.numbers(of: shipping.identity).last, "seed \(seed): no backup, and none is wanted")
    promised[number] = try place.manifest(of: shipping.identity, number).sequence...report.last
  }

  private mutating func crash() throws {
    let survival = [Survival.nothing, .everything, .chance][Int(random.next() % 3)]
    let what = random.next() % 3
    let shipping = shipping
    try shipping.crash(
      survival, &random,
      in: {
        switch what {
        case 0: try shipping.ship()
        case 1: try shipping.back()
        default: try shipping.prune(keeping: 1)
        }
      }, tune: tune)
    crashes += 1
  }

  private var place: BackupPlace { BackupPlace(DirectoryStore(root: Backups.root, files: shipping.life.disk)) }

  // MARK: - What is restored

  private func isPromised(_ sequence: Sequence) throws -> Bool {
    let there = try place.numbers(of: shipping.identity)
    return promised.contains { there.contains($0.key) && $0.value.contains(sequence) }
  }

  /// Commits by chance, by number and by time, and times between them.
  mutating func expectMoments(_ count: Int) throws {
    let (times, models) = (shipping.life.times, shipping.life.models)
    for sequence in times.keys.sorted().shuffled(using: &random).prefix(count) {
      guard let time = times[sequence] else { continue }
      let isPromised = try isPromised(sequence)
      try expect(.sequence(sequence), sequence, models[sequence], isPromised)
      try expect(.time(time), sequence, models[sequence], isPromised)
      // What came behind it has to be known for a moment in which nothing happened.
      let isNextPromised = try self.isPromised(sequence.next)
      try expect(.time(time + 1), sequence, models[sequence], isPromised && isNextPromised)
    }
  }

  private mutating func expect(_ limit: LogLimit, _ sequence: Sequence, _ model: Model?, _ isPromised: Bool) throws {
    let label = "seed \(seed), \(limit), commit \(sequence)"
    do {
      let found = try shipping.restored(at: limit)
      #expect(found.sequence == sequence && found.model == model, "\(label): commit \(found.sequence) is restored")
      restored += 1
    } catch let error as VarveError {
      #expect(error.code == .invalidArgument && !isPromised, "\(label): \(error)")
      refused += 1
    }
  }

  /// Of those between the oldest backup and the last commit that was sent.
  mutating func expectAllBehindTheOldestBackup(_ count: Int) throws {
    let oldest = try place.manifest(of: shipping.identity, try #require(place.numbers(of: shipping.identity).first))
    let known = shipping.life.times.keys.filter { oldest.sequence <= $0 && $0 <= shipping.sent }
    try shipping.expect(known.sorted().shuffled(using: &random).prefix(count).sorted(), "seed \(seed)")
    restored += 2 * min(count, known.count)
  }

  func printWhatItWas() {
    print(
      "simulation: seed \(seed), \(shipping.life.times.count) moments, \(shipping.gaps) gaps, \(crashes) crashes; "
        + "\(restored) restored and \(refused) refused")
  }
}
