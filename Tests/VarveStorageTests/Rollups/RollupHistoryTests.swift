import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator

@testable import VarveStorage

/// Random histories of writes, late rows, deletes, refreshes in parts, retention, fields added, seals and crashes: what a
/// reader makes of rollup and source is what was accepted, always.
@Suite struct RollupHistoryTests {
  /// What was accepted, kept apart from the store.
  private struct Truth {
    var rows: Set<Row> = []
    /// Of rows that retention has taken.
    var dropped: [Group: Int64] = [:]

    struct Row: Hashable {
      var host: String
      var time: Int64
    }

    var counts: [Group: Int64] {
      rows.reduce(into: dropped) { counts, row in
        counts[Group(host: row.host, bucket: CountingRollup.bucket(row.time)), default: 0] += 1
      }
    }
  }

  private struct History {
    let disk = SimulatedFileSystem()
    let clock = ManualClock()
    var store: Store
    var truth = Truth()
    /// Counts by number of commit.
    var counts: [UInt64: [Group: Int64]] = [:]
    var random: SeededRandom
    /// Of a refresh or a freeze under way.
    var begun: (snapshot: Snapshot, freezesBefore: Int64?)?
    var (refreshes, freezes, conflicts, crashes, extensions) = (0, 0, 0, 0, 0)

    init(seed: Int) throws {
      random = SeededRandom(seed: UInt64(seed))
      store = try Store.open(Run.options(disk, clock))
      try CountingRollup.create(store)
      note()
    }

    mutating func note() { counts[store.sequence.rawValue] = truth.counts }

    mutating func step() throws {
      clock.advance(nanoseconds: 1_000_000)
      switch random.next() % 21 {
      case 0...6: try write()
      case 7: try delete()
      case 8, 9: begin(threshold: CountingRollup.width * Int64(random.next() % 12), freezing: nil)
      case 10: begin(threshold: Int64(random.next() % 1200), freezing: Int64(random.next() % 1200))
      case 11...14: try finish()
      case 15: try store.sealAll()
      case 16: try store.compactAll()
      case 17, 18: try crash()
      case 19: try extend()
      default:
        try store.close()
        store = try Store.open(Run.options(disk, clock))
        begun = nil
      }
    }

    private mutating func write() throws {
      let rows = (0..<Int.random(in: 1...6, using: &random)).map { _ in
        Truth.Row(host: "h\(random.next() % 3)", time: Int64(random.next() % 1100))
      }
      let written = rows.map {
        ModelRow(table: "t", identity: Identity(tags: ["host": $0.host], time: $0.time), fields: ["v": .integer(1)])
      }
      _ = try store.commit([.write(batches(written))])[0].get()
      truth.rows.formUnion(rows)
      note()
    }

    private mutating func delete() throws {
      let lower = Int64(random.next() % 1100)
      let time = TimeRange(lower: lower, upper: lower + Int64(random.next() % 150))
      guard let table = store.snapshot().table(named: "t")?.id else { return }
      _ = try store.commit([.delete([DeleteRequest(table: table, series: .all, time: time)], then: [])])[0].get()
      truth.rows = truth.rows.filter { !time.contains($0.time) }
      note()
    }

    /// One more field, known from where rows are; a refresh under way is refused.
    private mutating func extend() throws {
      let snapshot = store.snapshot()
      guard let table = snapshot.table(named: "r"), let rollup = snapshot.rollup(table.id) else { return }
      let (old, frozen, number) = (rollup.definition, rollup.state.frozen, table.fields.count)
      let new = RollupDefinition(
        source: old.source, stepNanoseconds: old.stepNanoseconds, origin: old.origin, columns: old.columns,
        statement: "count and \(number) more", additions: old.additions)
      let change = RollupChange.extend(table.id, from: old, to: new, fields: [("more \(number)", .int64)])
      _ = try store.commit([.rollupDefinition(change)])[0].get()
      let added = frozen > .min ? [RollupDefinition.Addition(firstField: number, knownFrom: frozen)] : []
      #expect(store.snapshot().rollup(table.id)?.definition.additions == old.additions + added)
      let again = store.commit([.rollupDefinition(change)])[0]
      #expect(throws: VarveError.self, "it was changed meanwhile") { try again.get() }
      extensions += 1
      note()
    }

    private mutating func begin(threshold: Int64, freezing time: Int64?) {
      guard CountingRollup.begin(store, upTo: max(threshold, time ?? 0)) != nil else { return }
      note()
      begun = (store.snapshot(), time)
    }

    private mutating func finish() throws {
      guard let (snapshot, time) = begun else { return }
      begun = nil
      let made = try time.map { try CountingRollup.freeze(snapshot, before: $0) } ?? CountingRollup.refresh(snapshot)
      guard let commit = made else { return }
      if case .failure(let error) = store.commit([.rollups(commit)])[0] {
        guard error.sqlState == "40001" else { throw error }
        conflicts += 1
        return
      }
      if let time {
        freezes += 1
        for row in truth.rows where row.time < time {
          truth.dropped[Group(host: row.host, bucket: CountingRollup.bucket(row.time)), default: 0] += 1
        }
        truth.rows = truth.rows.filter { $0.time >= time }
      } else {
        refreshes += 1
      }
      note()
    }

    /// What the disk holds after a stop of the machine is read and checked, beside the store that goes on.
    private mutating func crash() throws {
      crashes += 1
      for survival in [Survival.nothing, .everything, .chance] {
        let ending = disk.afterCrash(survival, seed: random.next())
        let opened = try Store.open(Run.options(ending, clock))
        #expect(opened.sequence == store.sequence, "everything acknowledged is there")
        try check(opened)
      }
    }

    func check(_ store: Store) throws {
      let found = try CountingRollup.read(store.snapshot())
      #expect(found == counts[store.sequence.rawValue])
    }
  }

  @Test(arguments: 1...12) func whatIsReadIsWhatWasAccepted(seed: Int) throws {
    var history = try History(seed: seed)
    for number in 0..<120 {
      try history.step()
      try history.check(history.store)
      // One failure is enough to look at.
      guard try CountingRollup.read(history.store.snapshot()) == history.truth.counts else {
        Issue.record("seed \(seed), step \(number)")
        return
      }
    }
    #expect(history.refreshes > 0 && history.crashes > 0 && history.extensions > 0, "seed \(seed)")
  }

  /// Before each I/O call of a history the machine stops: what is then opened is what some commit left, none older than
  /// the last that was acknowledged.
  @Test(arguments: 1...max(3, seedCount / 2)) func aCrashAtAnyCallLeavesWhatSomeCommitLeft(seed: Int) throws {
    var history = try History(seed: 1000 + seed)
    history.disk.startHistory()
    for _ in 0..<50 {
      history.disk.mark = Int(history.store.sequence.rawValue)
      try history.step()
    }
    var count = 0
    for (number, moment) in history.disk.takeHistory().enumerated() {
      for (variant, survival) in [Survival.nothing, .everything, .chance].enumerated() {
        let ending = moment.disk.afterCrash(survival, seed: UInt64(8 * number + variant))
        let opened = try Store.open(Run.options(ending, history.clock))
        count += 1
        let found = try CountingRollup.read(opened.snapshot())
        guard Int(opened.sequence.rawValue) >= moment.mark, found == history.counts[opened.sequence.rawValue] else {
          Issue.record("seed \(1000 + seed), moment \(number), \(survival)")
          return
        }
      }
    }
    print("simulation: rollups, seed \(1000 + seed), \(count) crash states")
  }

  @Test func theStateIsTheSameWhenItIsReplayedAndWhenItIsRead() throws {
    var history = try History(seed: 77)
    for _ in 0..<200 {
      try history.step()
      let table = try #require(history.store.snapshot().table(named: "r")).id
      let state = history.store.snapshot().rollup(table)?.state
      let opened = try Store.open(Run.options(history.disk.clone(), history.clock))
      #expect(opened.snapshot().rollup(table)?.state == state)
    }
  }

  // MARK: Rules

  private func store() throws -> Store {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    try CountingRollup.create(store)
    return store
  }

  @Test func nobodyButARefreshWritesARollup() throws {
    let store = try store()
    let row = ModelRow(table: "r", identity: Identity(tags: ["host": "a"], time: 1), fields: ["n": .integer(1)])
    let result = try store.commit([.write(batches([row]))])[0].get()
    #expect(result[0].rowsWritten == 0 && result[0].rejections.map(\.code) == [.nameConflict])
  }

  @Test func aSourceGoesOnlyWithItsRollups() throws {
    let store = try store()
    let refused = store.commit([.dropTable("t")])[0]
    #expect(throws: VarveError.self) { try refused.get() }
    #expect(store.snapshot().table(named: "r") != nil)
    _ = try store.commit([.dropTable("t", cascade: true)])[0].get()
    #expect(store.snapshot().tables().isEmpty)
    try store.sealAll()
    try store.close()
  }

  @Test func aColumnThatARollupNeedsStays() throws {
    let store = try store()
    for change in [TableAlteration.renameColumn("host", to: "other"), .renameColumn("v", to: "w"), .dropColumn("v")] {
      let outcome = store.commit([.alterTable("t", [change])])[0]
      // The rollup counts rows by host: the field is nobody's.
      if case .renameColumn("host", _) = change {
        #expect(throws: VarveError.self) { try outcome.get() }
      } else if case .renameColumn = change {
        #expect(throws: Never.self) { try outcome.get() }
      }
    }
  }

  @Test func ofTwoRefreshesTheSlowerIsRefused() throws {
    let store = try store()
    _ = CountingRollup.begin(store, upTo: 500)
    let first = try #require(try CountingRollup.refresh(store.snapshot()))
    let row = ModelRow(table: "t", identity: Identity(tags: ["host": "a"], time: 1), fields: ["v": .integer(1)])
    _ = try store.commit([.write(batches([row]))])[0].get()
    let second = try #require(try CountingRollup.refresh(store.snapshot()))
    _ = try store.commit([.rollups(second)])[0].get()
    let refused = store.commit([.rollups(first)])[0]
    #expect(throws: VarveError.self) { try refused.get() }
    #expect(try CountingRollup.read(store.snapshot()) == [Group(host: "a", bucket: 0): 1])
  }

  @Test func rowsThatCameLateKeepTheirSourceFromBeingDropped() throws {
    let store = try store()
    _ = CountingRollup.begin(store, upTo: 500)
    let freeze = try #require(try CountingRollup.freeze(store.snapshot(), before: 300))
    let row = ModelRow(table: "t", identity: Identity(tags: ["host": "a"], time: 1), fields: ["v": .integer(1)])
    _ = try store.commit([.write(batches([row]))])[0].get()
    let refused = store.commit([.rollups(freeze)])[0]
    #expect(throws: VarveError.self) { try refused.get() }
    #expect(try CountingRollup.read(store.snapshot()) == [Group(host: "a", bucket: 0): 1])
  }

  /// What a repair gives up of a rollup is read from the source again.
  @Test func aLostChunkOfARollupIsMadeAnew() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    try CountingRollup.create(store)
    let rows = (0..<20).map {
      ModelRow(
        table: "t", identity: Identity(tags: ["host": "h\($0 % 2)"], time: Int64($0) * 40), fields: ["v": .integer(1)])
    }
    _ = try store.commit([.write(batches(rows))])[0].get()
    _ = CountingRollup.begin(store, upTo: 600)
    let refresh = try #require(try CountingRollup.refresh(store.snapshot()))
    _ = try store.commit([.rollups(refresh)])[0].get()
    let counts = try CountingRollup.read(store.snapshot())
    try store.sealAll()
    let table = try #require(store.snapshot().table(named: "r"))
    let chunk = try #require(store.snapshot().chunks(of: table.id).first).file
    try store.close()
    disk.flip("/sim/db/chunks/\(chunk)", bit: 800)
    let report = try StoreRepair.repair(Run.options(disk, ManualClock()))
    #expect(report.chunks.map(\.table) == ["r"])
    let repaired = try Store.open(Run.options(disk, ManualClock()))
    #expect(try CountingRollup.read(repaired.snapshot()) == counts)
    try repaired.close()
  }

  @Test func aClockThatJumpsIsNotBelievedUntilSomebodySaysSo() throws {
    let disk = SimulatedFileSystem()
    let clock = ManualClock()
    let store = try Store.open(Run.options(disk, clock))
    try CountingRollup.create(store)
    let before = store.snapshot().trustedClock
    #expect(before == clock.wallNanoseconds())
    let row = ModelRow(table: "t", identity: Identity(tags: ["host": "a"], time: 1), fields: ["v": .integer(1)])
    clock.advance(nanoseconds: 8 * 86_400_000_000_000)
    _ = try store.commit([.write(batches([row]))])[0].get()
    #expect(store.snapshot().trustedClock == before)
    try store.sealAll()
    try store.close()
    let again = try Store.open(Run.options(disk, clock))
    #expect(again.snapshot().trustedClock == before)
    _ = try again.commit([.rollupDefinition(.trustClock(clock.wallNanoseconds()))])[0].get()
    #expect(again.snapshot().trustedClock == clock.wallNanoseconds())
    try again.close()
  }
}
