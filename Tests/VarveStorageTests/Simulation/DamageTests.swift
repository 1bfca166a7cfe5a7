import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Whatever happens to one file, the store says so or shows exactly what was acknowledged.
@Suite struct DamageTests {
  private let expected: Model
  private let disk: SimulatedFileSystem

  init() throws {
    disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    var model = Model()
    func write(_ number: Int64) throws {
      let row = ModelRow(
        table: "t", identity: Identity(tags: ["h": "a"], time: number),
        fields: ["v": .double(Double(number).bitPattern), "s": .text("x")])
      _ = try store.commit([.write(batches([row]))])[0].get()
      store.markDurable()
      model.write(row)
    }
    for number in 1...3 { try write(Int64(number)) }
    try store.sealAll()
    for number in 4...5 { try write(Int64(number)) }
    try store.close()
    expected = model
  }

  private func paths(_ kind: String) -> [String] { disk.paths.filter { $0.hasSuffix("." + kind) } }

  @Test(arguments: ["wal", "manifest", "series", "chunk"])
  func everyFlippedBitIsFoundOrHarmless(kind: String) throws {
    for path in paths(kind) {
      let bytes = try #require(disk.contents(path))
      let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 64
      for bit in 0..<(min(used, bytes.count) * 8) {
        let damaged = disk.clone()
        damaged.flip(path, bit: bit)
        check(damaged, "\(path): bit \(bit) of byte \(bit / 8)", file: path)
      }
    }
  }

  @Test(arguments: ["wal", "manifest", "series", "chunk"])
  func everyCutIsFoundOrHarmless(kind: String) throws {
    for path in paths(kind) {
      let count = try #require(disk.contents(path)).count
      for length in 0..<count where length < 1200 || length % 64 == 0 {
        let damaged = disk.clone()
        damaged.cut(path, to: length)
        check(damaged, "\(path) cut to \(length)", file: path)
      }
    }
  }

  private func check(_ disk: SimulatedFileSystem, _ label: String, file: String) {
    do {
      let store = try Store.open(Run.options(disk, ManualClock()))
      let found = try Model.reading(store)
      #expect(found == expected, "\(label): \(found.rowCount) rows of \(expected.rowCount)")
    } catch let error as VarveError {
      #expect([.corruption, .unsupportedVersion].contains(error.code), "\(label): \(error)")
      #expect(error.place?.contains("/sim/db/") ?? false, "\(label): the error names the file: \(error)")
    } catch {
      Issue.record("\(label): \(error)")
    }
  }

  @Test func aDamagedChunkFailsOnlyTheQueriesThatNeedIt() throws {
    let disk = SimulatedFileSystem()
    var store = try Store.open(Run.options(disk, ManualClock()))
    for table in ["good", "bad"] {
      let row = ModelRow(table: table, identity: Identity(tags: ["h": "a"], time: 1), fields: ["v": .integer(7)])
      _ = try store.commit([.write(batches([row]))])[0].get()
    }
    try store.sealAll()
    try store.close()
    let chunks = disk.paths.filter { $0.hasSuffix(".chunk") }
    #expect(chunks.count == 2)
    disk.flip(chunks[1], bit: 90 * 8)
    store = try Store.open(Run.options(disk, ManualClock()))
    let snapshot = store.snapshot()
    let good = try #require(snapshot.table(named: "good"))
    let bad = try #require(snapshot.table(named: "bad"))
    #expect(try snapshot.scan(ScanRequest(table: good.id, fields: good.fields.map(\.id))).next()?.count == 1)
    let error = #expect(throws: VarveError.self) {
      try snapshot.scan(ScanRequest(table: bad.id, fields: bad.fields.map(\.id))).next()
    }
    #expect(error?.code == .corruption)
    #expect(error?.place?.hasPrefix(chunks[1]) ?? false)
  }
}
