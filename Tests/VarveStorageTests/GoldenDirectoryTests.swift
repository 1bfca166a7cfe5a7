// Data directories of every format version there was, as the Varve of that time left them: they must open for ever.
//
// `Golden/version-N` holds the files of a directory whose process was killed, and `expected.txt`, what it held. They are
// never made again. When a version begins, `VARVE_MAKE_GOLDEN=DIR swift test --filter GoldenDirectoryTests` writes the
// directory that joins the others.

import Foundation
import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct GoldenDirectoryTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

  static var versions: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != ".DS_Store" }.sorted()
    }
  }

  @Test func thereIsOneOfEachVersion() throws {
    let newest = max(LogHeader.version, ChunkHeader.version)
    #expect(try Self.versions == (1...newest).map { "version-\($0)" })
  }

  @Test(arguments: try versions) func anOldDirectoryHoldsWhatItHeld(version: String) throws {
    try Self.withCopy(of: version) { directory, expected in
      let reader = try Store.open(Self.options(directory, readOnly: true))
      #expect(try GoldenText.lines(Model.reading(reader)) == expected)
      try reader.close()
      #expect(try StoreVerifier.verify(directory: directory, files: PosixFileSystem()).isSound)
      let store = try Store.open(Self.options(directory))
      #expect(try GoldenText.lines(Model.reading(store)) == expected)
      try store.close()
    }
  }

  @Test func theRollupOfVersion4IsAsItWas() throws {
    try Self.withCopy(of: "version-4") { directory, _ in
      let store = try Store.open(Self.options(directory, readOnly: true))
      let snapshot = store.snapshot()
      #expect(snapshot.table(named: "brief") == nil && snapshot.trustedClock == 1_800_000_000_000_000_000)
      let table = try #require(snapshot.table(named: "counts")).id
      let rollup = try #require(snapshot.rollup(table))
      let start: Int64 = -86_400_000_000_000
      #expect(rollup.definition.source == snapshot.table(named: "sensors")?.id && rollup.definition.origin == -3)
      #expect(rollup.definition.statement == "SELECT site, count(*) -- größer\nFROM sensors")
      #expect(snapshot.policies(of: table) == [.refresh: Array("every second".utf8)])
      #expect(snapshot.policies(of: rollup.definition.source).isEmpty)
      #expect(rollup.state.dropped == start + 1_000_000_000 && rollup.state.frozen == start + 5_000_000_000)
      #expect(rollup.state.watermark == start + 150_000_000_000 && rollup.state.threshold == start + 200_000_000_000)
      // The reader in Python finds the same.
      let invalid: [(Int64, Int64, UInt64)] = [
        (40_000_000_000 - 3, 90_000_000_000 - 3, 34), (90_000_000_000 - 3, 90_000_000_000, 51),
        (90_000_000_000, 95_000_000_000, 56), (95_000_000_000, 100_000_000_000 - 3, 51),
        (100_000_000_000 - 3, 140_000_000_000 - 3, 64), (140_000_000_000 - 3, 200_000_000_000 - 3, 59),
      ]
      #expect(
        rollup.state.invalid
          == invalid.map {
            InvalidRange(lower: start + $0, upper: start + $1, sequence: VarveCore.Sequence(rawValue: $2))
          })
      try store.close()
    }
  }

  @Test func theAdditionsOfVersion5AreAsTheyWere() throws {
    try Self.withCopy(of: "version-5") { directory, _ in
      let store = try Store.open(Self.options(directory, readOnly: true))
      let snapshot = store.snapshot()
      #expect(snapshot.pausedJobs == [.compaction])
      let table = try #require(snapshot.table(named: "counts"))
      #expect(table.fields.map(\.name) == ["0_count", "1_sum", "2_min"])
      let rollup = try #require(snapshot.rollup(table.id))
      #expect(rollup.definition.statement == "SELECT site, count(*), sum(celsius), min(v)\nFROM sensors")
      let frozen: Int64 = -86_395_000_000_000
      #expect(rollup.definition.additions.map(\.firstField) == [1, 2])
      #expect(rollup.definition.additions.map(\.knownFrom) == [frozen, frozen])
      try store.close()
    }
  }

  @Test func theObjectsOfVersion6AreAsTheyWere() throws {
    try Self.withCopy(of: "version-6") { directory, _ in
      let store = try Store.open(Self.options(directory, readOnly: true))
      let report = try ArchiveVerifier.verify(store, Self.archive(directory), table: nil) {}
      #expect(report.objects > 1 && report.problems.isEmpty)
      try store.close()
    }
  }

  /// Old files and new ones side by side: more rows over the old, some of them deleted, sealed, opened again.
  @Test(arguments: try versions) func anOldDirectoryGoesOn(version: String) throws {
    try Self.withCopy(of: version) { directory, _ in
      var store = try Store.open(Self.options(directory))
      var model = try Model.reading(store)
      for turn in 0..<3 {
        for rows in GoldenWorkload.rows(turn: turn + 7) where !rows.isEmpty {
          _ = try store.commit([.write(batches(rows))])[0].get()
          for row in rows { model.write(row) }
        }
        for delete in GoldenWorkload.deletes(turn: turn) {
          _ = try store.commit([.delete([delete.forStore(store.snapshot())], then: [])])[0].get()
          let isKnown = model.delete(delete)
          #expect(isKnown)
        }
        #expect(try Model.reading(store) == model)
        if turn != 1 { try store.sealAll() }
        try store.close()
        store = try Store.open(Self.options(directory))
        #expect(try Model.reading(store) == model)
      }
      try store.close()
      #expect(try StoreVerifier.verify(directory: directory, files: PosixFileSystem()).isSound)
    }
  }

  /// Not a test of anything: writes the directory of the version that this code is.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["VARVE_MAKE_GOLDEN"] != nil)) func make() throws {
    let target = try #require(ProcessInfo.processInfo.environment["VARVE_MAKE_GOLDEN"])
    let archive = Self.archive(target)
    var options = Self.options(target)
    options.archive = archive
    let store = try Store.open(options)
    try GoldenWorkload.run(store) {
      let run = ArchiveRun(store, archive, pace: { _ in }) { try store.install($0) }
      let tables = ["long", "sensors"].compactMap { store.snapshot().table(named: $0) }
      let report = try run.run(tables.map { ($0, before: .max) }, ArchiveChoice(deletesUnneeded: true))
      #expect(report.tables.allSatisfy { $0.chunksAfter > 0 } && report.failures.isEmpty)
    }
    let text = GoldenText.lines(try Model.reading(store)).joined(separator: "\n") + "\n"
    // As a killed process leaves it: nothing is closed.
    try text.write(toFile: target + "/expected.txt", atomically: true, encoding: .utf8)
  }

  private static func withCopy(of version: String, _ body: (String, [String]) throws -> Void) throws {
    let source = folder.appendingPathComponent(version)
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("varve-golden-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: source, to: copy)
    defer { try? FileManager.default.removeItem(at: copy) }
    let file = copy.appendingPathComponent("expected.txt")
    let text = try String(contentsOf: file, encoding: .utf8)
    try FileManager.default.removeItem(at: file)
    try body(copy.path, text.split(separator: "\n").map(String.init))
  }

  /// Files so small that they can be kept.
  private static func options(_ directory: String, readOnly: Bool = false) -> StoreOptions {
    var options = StoreOptions(directory: directory, fileSystem: PosixFileSystem(), clock: ManualClock())
    options.readOnly = readOnly
    options.segmentByteCount = 8192
    options.manifestByteCount = 4096
    options.spareSegments = 1
    options.reserveByteCount = 0
    options.archive = archive(directory)
    return options
  }

  /// Its objects are kept with the directory.
  private static func archive(_ directory: String) -> ParquetTier {
    let files = PosixFileSystem()
    return ParquetTier(
      DirectoryStore(root: directory + "/archive/objects", files: files), files: files,
      directory: directory + "/archive", cacheByteLimit: 0, random: { 0x5EED })
  }
}

/// A model as sorted lines, a row each; doubles by their bits.
enum GoldenText {
  static func lines(_ model: Model) -> [String] {
    var lines: [String] = []
    for (name, schema) in model.schemas.sorted(by: { $0.key < $1.key }) {
      let fields = schema.fields.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
      lines.append(
        "table \(name) tags \(schema.tags.sorted().joined(separator: ",")) fields \(fields.joined(separator: ","))")
      let rows = model.tables[name, default: [:]].map { identity, cells in
        "\(name) \(identity) \(cells.sorted { $0.key < $1.key }.map { "\($0.key)=\(text($0.value))" }.joined(separator: " "))"
      }
      lines += rows.sorted()
    }
    for (name, table) in model.dimensions.sorted(by: { $0.key < $1.key }) {
      lines.append("dimension \(name) columns \(table.columns.joined(separator: ","))")
      lines += table.rows.sorted { $0.key < $1.key }.map { key, cells in
        "\(name) \(key) \(cells.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "))"
      }
    }
    return lines
  }

  private static func text(_ cell: Cell) -> String {
    switch cell {
    case .double(let bits): "double:" + String(bits, radix: 16)
    case .integer(let value): "integer:\(value)"
    case .text(let string): "text:" + string.debugDescription
    case .other(let type, let word): "\(type):" + String(word, radix: 16)
    case .null: "null"
    }
  }
}
