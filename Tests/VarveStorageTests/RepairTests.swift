import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// After a repair the store opens, is sound, and holds exactly what was acknowledged minus what the report names.
@Suite struct RepairTests {
  private let disk: SimulatedFileSystem
  /// The model after each commit: `models[n]` after commit n.
  private let models: [Model]
  private static let day: Int64 = 86_400_000_000_000
  private static let sealedCommits = 6

  /// Commits 1 to 6 lie in chunks (two tables, two partitions, two seals), 7 to 16 in several log segments.
  init() throws {
    disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    var models = [Model()]
    for number in 1...16 {
      var next = models[number - 1]
      let rows = (0..<3).map { Self.row(commit: number, $0) }
      _ = try store.commit([.write(batches(rows))])[0].get()
      store.markDurable()
      for row in rows { next.write(row) }
      models.append(next)
      if number == 3 || number == Self.sealedCommits { try store.sealAll() }
    }
    try store.close()
    self.models = models
  }

  /// No two commits write the same identity, so that what a lost chunk held can be told.
  private static func row(commit: Int, _ number: Int) -> ModelRow {
    // Texts that do not compress: the log has several segments.
    var random = SeededRandom(seed: UInt64(commit * 10 + number))
    let text = String((0..<300).map { _ in Character(UnicodeScalar(UInt8(33 + random.next() % 90))) })
    return ModelRow(
      table: number == 2 ? "u" : "t",
      identity: Identity(tags: ["h": "h\(number)"], time: Int64(commit) * 1000 + (number == 1 ? day : 0)),
      fields: ["v": .integer(Int64(commit)), "s": .text(text)])
  }

  private func repair(_ disk: SimulatedFileSystem) throws -> RepairReport {
    try StoreRepair.repair(Run.options(disk, ManualClock()))
  }

  private func holds(_ disk: SimulatedFileSystem) throws -> Model {
    let store = try Store.open(Run.options(disk, ManualClock()))
    defer { do { try store.close() } catch { Issue.record("closing: \(error)") } }
    return try Model.reading(store)
  }

  private func paths(_ kind: String, _ disk: SimulatedFileSystem? = nil) -> [String] {
    (disk ?? self.disk).paths.filter { $0.hasSuffix("." + kind) && !$0.contains("quarantine") }
  }

  /// What must be there: the kept commits without the rows of lost chunks.
  private func expected(_ report: RepairReport) throws -> Model {
    var model = report.log.map { models[Int($0.kept.rawValue)] } ?? models[models.count - 1]
    for chunk in report.chunks {
      var lost = 0
      for identity in (model.tables[chunk.table] ?? [:]).keys
      where identity.time <= Int64(Self.sealedCommits) * 1000 + Self.day && chunk.time.contains(identity.time)
        && identity.time / Self.day == chunk.partition
      {
        model.tables[chunk.table]?[identity] = nil
        lost += 1
      }
      #expect(lost == chunk.rowCount, "the report counts the rows of \(chunk.file)")
      if model.tables[chunk.table]?.isEmpty ?? false { model.tables[chunk.table] = nil }
    }
    return model
  }

  /// Repairs `disk` and checks the promise.
  @discardableResult
  private func check(_ disk: SimulatedFileSystem, _ label: String) throws -> RepairReport {
    let report = try repair(disk)
    let verified = try StoreVerifier.verify(directory: "/sim/db", files: disk)
    #expect(verified.isSound, "\(label): \(verified.lines)")
    #expect(try repair(disk).isUnneeded, "\(label): a repaired directory needs no repair")
    let safe = disk.afterCrash(.nothing, seed: 1)
    #expect(try holds(disk) == expected(report), "\(label): \(report.lines)")
    #expect(try holds(safe) == expected(report), "\(label): what was repaired is durable")
    return report
  }

  @Test func aSoundDirectoryIsLeftAsItIs() throws {
    let before = disk.paths.map { ($0, disk.contents($0)) }
    let report = try repair(disk)
    #expect(report.isUnneeded && report.lines == ["nothing is damaged; nothing was changed"])
    #expect(disk.paths == before.map(\.0) && before.allSatisfy { disk.contents($0.0) == $0.1 })
  }

  @Test func aDamagedChunkGoesToQuarantineAndItsRowsAreNamed() throws {
    for path in paths("chunk") {
      let count = try #require(disk.contents(path)).count
      for byte in stride(from: 0, to: count, by: 61) {
        let damaged = disk.clone()
        damaged.flip(path, bit: byte * 8 + byte % 8)
        let report = try check(damaged, "\(path), byte \(byte)")
        if report.isUnneeded { continue }
        let name = String(path.split(separator: "/").last ?? "")
        #expect(report.chunks.map(\.file) == ["chunks/\(name)"] && report.log == nil)
        #expect(damaged.paths.contains("/sim/db/quarantine/\(name)"))
        #expect(damaged.paths.contains("/sim/db/quarantine/repair-1.txt"))
      }
    }
  }

  @Test func missingAndCutChunksAreGivenUp() throws {
    let chunks = paths("chunk")
    let damaged = disk.clone()
    try damaged.remove(chunks[0])
    damaged.cut(chunks[1], to: 70)
    let report = try check(damaged, "one missing, one cut")
    #expect(report.chunks.map(\.isMissing) == [true, false])
    #expect(report.lines.count == 2)
  }

  @Test func everythingBeforeTheLogsDamageIsKept() throws {
    let segments = paths("wal")
    #expect(segments.count >= 3, "the log of this test has several segments")
    var repaired = 0
    var kept = Set<UInt64>()
    for path in segments {
      let bytes = try #require(disk.contents(path))
      let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
      for byte in stride(from: 0, to: used, by: 29) {
        let damaged = disk.clone()
        damaged.flip(path, bit: byte * 8 + byte % 8)
        let report = try check(damaged, "\(path), byte \(byte)")
        guard let log = report.log else { continue }
        repaired += 1
        kept.insert(log.kept.rawValue)
        // What is lost and what is kept add up to what there was.
        #expect(log.lostCommits.last?.upperBound.rawValue ?? log.kept.rawValue == 16, "\(path), byte \(byte)")
        #expect(log.segments.allSatisfy { damaged.paths.contains("/sim/db/quarantine/\($0.dropFirst(4))") })
      }
    }
    #expect(repaired > 50 && kept.count > 5, "\(repaired) repairs, \(kept.count) different ends")
  }

  @Test func cutEmptiedAndMissingSegmentsAreRepaired() throws {
    for path in paths("wal") {
      for length in [0, 10, 64, 104, 700, 2000, 4000] {
        let damaged = disk.clone()
        damaged.cut(path, to: length)
        let report = try check(damaged, "\(path) cut to \(length)")
        #expect(report.log != nil)
      }
      // Nothing names the log's last segment: without it, the log before it is whole.
      guard path != paths("wal").last else { continue }
      let damaged = disk.clone()
      try damaged.remove(path)
      try check(damaged, "\(path) removed")
    }
  }

  @Test func aDamagedHeaderLosesNoCommit() throws {
    for path in paths("wal") {
      let damaged = disk.clone()
      damaged.flip(path, bit: 20 * 8)
      let report = try check(damaged, path)
      #expect(report.log?.kept.rawValue == 16 && report.log?.lostCommits.isEmpty == true)
    }
  }

  @Test func aRepairedStoreGoesOnBehindTheLostCommits() throws {
    let damaged = disk.clone()
    damaged.flip(paths("wal")[1], bit: 300 * 8)
    let report = try repair(damaged)
    let log = try #require(report.log)
    var model = try expected(report)
    let store = try Store.open(Run.options(damaged, ManualClock()))
    let row = Self.row(commit: 20, 0)
    let result = try store.commit([.write(batches([row]))])[0].get()
    model.write(row)
    #expect(log.kept.rawValue < 16 && result[0].sequence.rawValue == 17, "numbers of lost commits are not given again")
    try store.sealAll()
    try store.close()
    #expect(try holds(damaged) == model)
    #expect(try StoreVerifier.verify(directory: "/sim/db", files: damaged).isSound)
  }

  @Test(arguments: ["manifest", "series"]) func whatCannotBeRepairedIsRefusedAndNamed(kind: String) throws {
    let path = try #require(paths(kind).first)
    let damaged = disk.clone()
    damaged.flip(path, bit: 100 * 8)
    damaged.flip(try #require(paths("chunk").first), bit: 100 * 8)
    let before = damaged.paths.map { ($0, damaged.contents($0)) }
    let error = #expect(throws: VarveError.self) { try repair(damaged) }
    #expect(error?.code == .corruption && error?.hint?.contains("backup") == true)
    #expect(error?.place?.hasPrefix(path) == true)
    #expect(damaged.paths == before.map(\.0) && before.allSatisfy { damaged.contents($0.0) == $0.1 })
  }

  @Test func aServedDirectoryIsNotRepaired() throws {
    let store = try Store.open(Run.options(disk, ManualClock()))
    let error = #expect(throws: VarveError.self) { try repair(disk) }
    #expect(error?.code == .directoryLocked)
    try store.close()
  }

  /// The machine stops before each call of a repair; a second repair must come to the same end.
  @Test(arguments: [0, 1, 2]) func aCrashDuringRepairChangesNothingOfItsResult(scenario: Int) throws {
    let damaged = disk.clone()
    if scenario != 1 { damaged.flip(paths("chunk")[0], bit: 100 * 8) }
    if scenario == 2 {
      try damaged.remove(paths("chunk")[1])
      try damaged.syncDirectory("/sim/db/chunks")
    }
    if scenario != 0 { damaged.flip(paths("wal")[1], bit: 300 * 8) }
    if scenario == 2 { damaged.flip(paths("wal")[2], bit: 10 * 8) }
    let plain = damaged.clone()
    let reference = try repair(plain)
    let model = try expected(reference)
    let quarantine = Self.quarantined(plain)
    #expect(!quarantine.isEmpty)
    damaged.startHistory()
    _ = try repair(damaged)
    for (call, moment) in damaged.takeHistory().enumerated() {
      for survival in [Survival.nothing, .everything, .chance, .chance] {
        let label = "scenario \(scenario), call \(call), \(survival)"
        let disk = moment.disk.afterCrash(survival, seed: UInt64(call))
        do {
          let report = try repair(disk)
          #expect(try StoreVerifier.verify(directory: "/sim/db", files: disk).isSound, "\(label)")
          #expect(Self.quarantined(disk) == quarantine, "\(label)")
          #expect(Set(Self.records(disk)).isSuperset(of: reference.lines), "\(label): \(report.lines)")
          #expect(try holds(disk) == model, "\(label)")
        } catch {
          Issue.record("\(label): \(error)")
        }
      }
    }
  }

  private static func quarantined(_ disk: SimulatedFileSystem) -> [String] {
    disk.paths.filter { $0.contains("/quarantine/") && !$0.hasSuffix(".txt") }
  }

  private static func records(_ disk: SimulatedFileSystem) -> [String] {
    disk.paths.filter { $0.contains("/quarantine/") && $0.hasSuffix(".txt") }.flatMap { path in
      String(decoding: disk.contents(path) ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }
  }

  @Test func aFailingDiskLeavesADirectoryThatCanBeRepaired() throws {
    let damaged = disk.clone()
    damaged.flip(paths("chunk")[0], bit: 100 * 8)
    damaged.flip(paths("wal")[1], bit: 300 * 8)
    let plain = damaged.clone()
    let model = try expected(try repair(plain))
    let first = plain.callCount
    for call in 1...first {
      let disk = damaged.clone()
      disk.set(fault: Fault(call: call + damaged.callCount, kind: .inputOutput))
      do { _ = try repair(disk) } catch is VarveError {}
      let next = disk.restart()
      _ = try repair(next)
      #expect(try holds(next) == model, "call \(call)")
    }
  }
}
