import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// Dimension tables in the store: their rows as a value, their keys, their files, and what damage does to them.
@Suite struct DimensionTests {
  private let disk = SimulatedFileSystem()

  private func open() throws -> Store { try Store.open(Run.options(disk, ManualClock())) }

  private func commit(_ store: Store, _ requests: [Request]) throws {
    for request in requests { _ = try store.commit([try request.forStore(store)])[0].get() }
  }

  private func changes(_ table: String, _ rows: [String: [String: Int64]?]) -> Request {
    .transaction([], [ModelChanges(table: table, rows: rows)])
  }

  // MARK: Rows

  /// Random puts and removals against a dictionary; versions of before stay as they were.
  @Test(arguments: 1...8) func rowsAreWhatADictionaryWouldHold(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var rows = DimensionRows()
    var model: [[UInt8]: [UInt8]] = [:]
    var versions: [(DimensionRows, [[UInt8]: [UInt8]])] = []
    for _ in 0..<60 {
      let count = random.chance(20) ? 3000 : Int.random(in: 1...30, using: &random)
      var changes: [[UInt8]: [UInt8]?] = [:]
      for _ in 0..<count {
        let key = Array("\(random.next() % (count > 30 ? 20_000 : 500))".utf8)
        let length = random.chance(1) ? 50_000 : Int(random.next() % 40)
        changes[key] =
          random.chance(70) ? .some([UInt8](repeating: UInt8(random.next() % 256), count: length + 1)) : .some(nil)
      }
      rows.apply(
        changes.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
          DimensionRows.Change(key: $0.key, row: $0.value)
        })
      for (key, row) in changes { model[key] = row }
      if random.chance(20) { versions.append((rows, model)) }
    }
    versions.append((rows, model))
    for (rows, model) in versions {
      var found: [[UInt8]] = []
      rows.forEachRow { found.append(Array($0)) }
      #expect(found == model.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value), "seed \(seed)")
      #expect(rows.rowCount == model.count, "seed \(seed)")
      let allFound = model.allSatisfy { rows.find($0.key) == $0.value }
      #expect(allFound, "seed \(seed)")
      #expect(rows.find(Array("none".utf8)) == nil)
      #expect(rows.byteCount == rows.blocks.reduce(0) { $0 + $1.byteCount }, "seed \(seed)")
    }
  }

  @Test func keysAreInTheOrderOfTheirValues() {
    let ascending: [[DimensionValue]] = [
      [.integer(.min), .integer(-1), .integer(0), .integer(1), .integer(256), .integer(.max)],
      [-Double.infinity, -1e300, -1.5, -.leastNonzeroMagnitude, 0, .leastNonzeroMagnitude, 2, .infinity, .nan].map {
        .float($0.bitPattern)
      },
      ["", "\u{0}", "\u{0}\u{0}", "\u{0}a", "\u{1}", "a", "a\u{0}", "a\u{0}b", "a\u{1}", "aa", "b", "é"].map {
        .bytes(Array($0.utf8))
      },
      [.boolean(false), .boolean(true)],
    ]
    func key(_ values: [DimensionValue]) -> [UInt8] {
      values.reduce(into: []) { DimensionKey.append($1, to: &$0) }
    }
    for values in ascending {
      for (a, b) in zip(values, values.dropFirst()) {
        #expect(key([a]).lexicographicallyPrecedes(key([b])), "\(a) before \(b)")
        // The first column decides, whatever stands behind it.
        #expect(key([a, .integer(.max)]).lexicographicallyPrecedes(key([b, .integer(.min)])), "\(a) before \(b)")
        #expect(key([a, a]).lexicographicallyPrecedes(key([a, b])))
      }
    }
    let negativeNaN = UInt64(0xFFF8_0000_0000_0001)
    #expect(key([.float((-0.0).bitPattern)]) == key([.float(0)]))
    #expect(key([.float(negativeNaN)]) == key([.float(Double.nan.bitPattern)]))
  }

  // MARK: In the store

  @Test func aTableWithoutChangesIsNotWrittenAgain() throws {
    let store = try open()
    try commit(store, [.createDimension("d"), changes("d", ["a": ["n": 1]])])
    try store.sealAll()
    let files = disk.paths.filter { $0.hasSuffix(".dimension") }
    #expect(files.count == 1)
    try commit(
      store, [.write([ModelRow(table: "t", identity: Identity(tags: [:], time: 1), fields: ["v": .integer(1)])])])
    try store.sealAll()
    #expect(disk.paths.filter { $0.hasSuffix(".dimension") } == files)
    try commit(store, [changes("d", ["a": nil])])
    try store.sealAll()
    let again = disk.paths.filter { $0.hasSuffix(".dimension") }
    #expect(again.count == 1 && again != files)
    try commit(store, [.drop("d")])
    try store.sealAll()
    #expect(disk.paths.filter { $0.hasSuffix(".dimension") } == [])
    try store.close()
  }

  @Test func changesBetweenFreezeAndInstallAreKept() throws {
    let store = try open()
    try commit(store, [.createDimension("d"), changes("d", ["a": ["n": 1]])])
    #expect(try store.freeze())
    try commit(store, [changes("d", ["b": ["n": 2]]), .alter("d", .add("x", older: 3))])
    let written = try store.writeChunks()
    try commit(store, [changes("d", ["a": nil]), .alter("d", .rename("n", to: "m"))])
    try store.install(written)
    let model = try Model.reading(store)
    #expect(model.dimensions["d"]?.rows == ["b": ["m": 2, "x": 3]])
    try store.close()
    let again = try open()
    #expect(try Model.reading(again) == model)
    try again.sealAll()
    #expect(try Model.reading(again) == model)
    try again.close()
    #expect(try Model.reading(try open()) == model)
  }

  @Test func rowsBeyondTheMemoryForThemAreRefusedAndNothingElse() throws {
    var options = Run.options(disk, ManualClock())
    options.dimensionByteCount = 4000
    let store = try Store.open(options)
    try commit(store, [.createDimension("d"), .createDimension("e"), changes("d", ["a": ["n": 1]])])
    let many = (0..<200).reduce(into: [String: [String: Int64]?]()) { $0["k\($1)"] = ["n": 1] }
    let outcome = store.commit([try changes("e", many).forStore(store)])[0]
    #expect(throws: VarveError.self) { try outcome.get() }
    #expect(store.failure == nil)
    try commit(store, [changes("d", ["b": ["n": 2]])])
    #expect(try Model.reading(store).dimensions["d"]?.rows.count == 2)
    #expect(try Model.reading(store).dimensions["e"]?.rows.count == 0)
    try store.close()
  }

  @Test func aWriteForATableThatHasChangedIsRefused() throws {
    let store = try open()
    try commit(store, [.createDimension("d")])
    let late = try changes("d", ["a": ["n": 1]]).forStore(store)
    try commit(store, [.alter("d", .add("x", older: nil))])
    guard case .failure(let error) = store.commit([late])[0] else {
      Issue.record("rows of another schema were taken")
      return
    }
    #expect(error.sqlState == "40001")
    try store.close()
  }

  @Test func linesForADimensionTableAreRejected() throws {
    let store = try open()
    try commit(store, [.createDimension("d")])
    let row = ModelRow(table: "d", identity: Identity(tags: [:], time: 1), fields: ["n": .integer(1)])
    let results = try store.commit([.write(batches([row]))])[0].get()
    #expect(results.map(\.rowsWritten) == [0])
    #expect(results[0].rejections.map(\.code) == [.nameConflict])
    try store.close()
  }

  // MARK: Damage

  @Test func everyFlippedBitOfADimensionFileIsFound() throws {
    let store = try open()
    try commit(store, [.createDimension("d"), changes("d", ["a": ["n": 1], "b": ["n": -1]])])
    try store.sealAll()
    try store.close()
    let path = try #require(disk.paths.first { $0.hasSuffix(".dimension") })
    let bytes = try #require(disk.contents(path))
    for place in bytes.indices {
      var damaged = bytes
      damaged[place] ^= 1 << UInt8(place % 8)
      #expect(throws: VarveError.self, "byte \(place)") {
        try DimensionFileReader.read(damaged, place: path) { _ in }
      }
    }
    for length in 0..<bytes.count {
      #expect(throws: VarveError.self) { try DimensionFileReader.read(Array(bytes[..<length]), place: path) { _ in } }
    }
  }

  /// A store with a damaged or missing file does not open; a repair gives the file up, names it, and keeps the rest.
  @Test(arguments: [true, false]) func aLostFileIsNamedAndGivenUp(isMissing: Bool) throws {
    var store = try open()
    try commit(
      store,
      [
        .createDimension("d"), .createDimension("e"), changes("d", ["a": ["n": 1], "b": ["n": 2]]),
        changes("e", ["x": ["n": 3]]),
      ])
    try store.sealAll()
    try commit(store, [changes("d", ["c": ["n": 4]])])
    try store.close()
    let path = try #require(disk.paths.filter { $0.hasSuffix(".dimension") }.sorted().first)
    if isMissing {
      try disk.remove(path)
    } else {
      let file = try disk.open(path, .readWrite)
      try file.write([0xAA], at: 90)
      file.close()
    }
    #expect(throws: VarveError.self) { try open() }
    let verified = try StoreVerifier.verify(directory: "/sim/db", files: disk)
    #expect(verified.problems.map(\.path).contains { $0.hasPrefix(path) })
    let report = try StoreRepair.repair(Run.options(disk, ManualClock()))
    #expect(report.dimensions.count == 1 && report.lostRowCount == 2)
    #expect(report.lines.contains { $0.contains("2 rows of dimension table \"d\"") })
    store = try open()
    let model = try Model.reading(store)
    #expect(model.dimensions["d"]?.rows == ["c": ["n": 4]])
    #expect(model.dimensions["e"]?.rows == ["x": ["n": 3]])
    try store.close()
    #expect(try StoreVerifier.verify(directory: "/sim/db", files: disk).isSound)
    #expect(try StoreRepair.repair(Run.options(disk, ManualClock())).isUnneeded)
  }

  @Test func anInspectedFileIsDescribed() throws {
    let store = try open()
    try commit(store, [.createDimension("d"), changes("d", ["a": ["n": 1], "b": ["n": 2]])])
    let log = try #require(disk.paths.first { $0.hasSuffix(".wal") })
    #expect(
      try FileInspector.describe(log, files: disk).contains { $0.contains("dimension table 1: 2 rows put, 0 removed") })
    try store.sealAll()
    let path = try #require(disk.paths.first { $0.hasSuffix(".dimension") })
    let lines = try FileInspector.describe(path, files: disk)
    #expect(lines[0].hasPrefix("dimension file"))
    #expect(
      lines.contains { $0.hasSuffix("2 rows") } && lines.contains { $0.contains("end: table 1 as of commit 2, 2 rows") }
    )
    try store.close()
  }

  // MARK: Columns of series tables

  @Test func aDroppedFieldIsGoneForGood() throws {
    var store = try open()
    func row(_ time: Int64, _ fields: [String: Cell]) -> ModelRow {
      ModelRow(table: "t", identity: Identity(tags: ["h": "a"], time: time), fields: fields)
    }
    try commit(store, [.write([row(1, ["v": .integer(1), "w": .integer(1)])])])
    try store.sealAll()
    try commit(store, [.write([row(2, ["v": .integer(2), "w": .integer(2)])])])
    for alteration in [TableAlteration.dropColumn("v"), .renameColumn("w", to: "v"), .addField("w", .text)] {
      _ = try store.commit([.alterTable("t", [alteration])])[0].get()
    }
    try commit(store, [.write([row(3, ["v": .integer(3), "w": .text("x")])])])
    // A tag whose number is beyond the count of columns that are left.
    var tagged = row(4, ["v": .integer(4)])
    tagged.identity.tags["z"] = "late"
    try commit(store, [.write([tagged])])
    var expected = Model()
    expected.write(tagged)
    for (time, cells) in [
      (1, ["v": Cell.integer(1)]), (2, ["v": .integer(2)]), (3, ["v": .integer(3), "w": .text("x")]),
    ] {
      expected.write(row(Int64(time), cells))
    }
    func check(_ store: Store) throws { #expect(try Model.reading(store).tables == expected.tables) }
    try check(store)
    // In the log, in a chunk beside one that still has the old field, compacted, and each time opened again.
    for step in 0..<3 {
      try store.close()
      store = try open()
      try check(store)
      if step == 0 { try store.sealAll() }
      if step == 1 { try store.compactAll() }
      try check(store)
    }
    try store.close()
    #expect(try StoreVerifier.verify(directory: "/sim/db", files: disk).isSound)
  }
}
