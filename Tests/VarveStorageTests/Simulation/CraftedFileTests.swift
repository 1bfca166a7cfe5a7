import Foundation
import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// Files whose checksums are right and whose contents are not: opening, reading, verifying, inspecting and repairing
/// return or throw. (A trap ends the whole test run: VARVE_TRACE_CRAFTED=1 prints each file before it is tried.)
@Suite struct CraftedFileTests {
  private let disk: SimulatedFileSystem
  private static let isTracing = ProcessInfo.processInfo.environment["VARVE_TRACE_CRAFTED"] != nil
  private static let roundCount = 60 * seedCount

  init() throws {
    disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    for number in 1...6 {
      let rows = (0..<4).map { row in
        ModelRow(
          table: "t\(row % 2)", identity: Identity(tags: ["h": "h\(row)"], time: Int64(number * 7 - 20)),
          fields: [
            "v": .double(Double(number).bitPattern), "n": .integer(Int64(number)), "s": .text("x\(row)"),
            "b": .other(.bool, UInt64(number % 2)), "u": .other(.uint64, .max), "z": .other(.timestamp, 5),
          ])
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      if number == 1 { _ = try store.commit([.createDimension(ModelDimension.definition("d"))])[0].get() }
      let changes = ModelChanges(table: "d", rows: ["k\(number)": ["n": 5], "k\(number - 2)": nil])
      _ = try store.commit([try Request.transaction([], [changes]).forStore(store)])[0].get()
      store.markDurable()
      if number == 2 || number == 4 { try store.sealAll() }
    }
    try store.close()
  }

  private func path(_ kind: String) throws -> String {
    try #require(disk.paths.last { $0.hasSuffix("." + kind) })
  }

  @Test(arguments: LogHeader.Kind.allCases) func changedRecordsAreTakenOrRefused(kind: LogHeader.Kind) throws {
    let suffix: [LogHeader.Kind: String] = [
      .segment: "wal", .manifest: "manifest", .series: "series", .dimension: "dimension",
    ]
    let path = try path(try #require(suffix[kind]))
    let log = try CraftedLog(try #require(disk.contents(path)), kind)
    #expect(!log.frames.isEmpty)
    for seed in 1...Self.roundCount {
      var random = SeededRandom(seed: UInt64(seed))
      var crafted = log
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let at = Int(random.next() % UInt64(crafted.frames.count))
        switch random.next() % 12 {
        case 0:
          crafted.frames[at].sequence = Sequence(rawValue: [0, 1, .max, .max - 1, 1 << 62][Int(random.next() % 5)])
        case 1: crafted.frames[at].kind = UInt8(random.next() % 5)
        case 2: crafted.frames.insert(crafted.frames[at], at: Int(random.next() % UInt64(crafted.frames.count)))
        default: crafted.frames[at].body = mutated(crafted.frames[at].body, &random)
        }
      }
      exercise(path, crafted.encoded(), "\(kind.label), seed \(seed)")
    }
  }

  @Test(arguments: ["page", "index", "footer", "header"]) func changedChunksAreTakenOrRefused(part: String) throws {
    let path = try path("chunk")
    let bytes = try #require(disk.contents(path))
    let contents = try ChunkContents.open(bytes, file: nil, place: "here")
    let footer = bytes.count - ChunkFooter.byteCount
    let range =
      switch part {
      case "page": ChunkHeader.byteCount..<contents.footer.indexOffset
      case "index": contents.footer.indexOffset..<footer
      case "footer": footer..<bytes.count
      default: 0..<ChunkHeader.byteCount
      }
    for seed in 1...Self.roundCount {
      var random = SeededRandom(seed: UInt64(seed))
      var crafted = bytes
      crafted.replaceSubrange(range, with: mutated(Array(bytes[range]), &random, keepingLength: true))
      exercise(path, CraftedChunk.resealed(crafted, contents), "chunk's \(part), seed \(seed)")
    }
  }

  @Test func theGreatestNumbersOfAManifestAreTakenOrRefused() throws {
    let path = try path("manifest")
    let log = try CraftedLog(try #require(disk.contents(path)), .manifest)
    let greatest: [UInt64] = [UInt64(UInt32.max) - 1, UInt64(UInt32.max), 1 << 32, UInt64(Int64.max), .max]
    // Wall time, flushed, log start, series file, its length, next file, next table: all but the last 64 bits wide.
    for field in 1...6 {
      for value in greatest where field < 6 || value <= UInt64(UInt32.max) {
        var crafted = log
        var reader = ByteReader(crafted.frames[0].body)
        var head = ByteWriter()
        for position in 0...6 {
          let old = try reader.readVarint()
          head.append(varint: position == field ? value : old)
        }
        crafted.frames[0].body = head.bytes + Array(reader.rest)
        crafted.frames.removeLast(crafted.frames.count - 1)
        exercise(path, crafted.encoded(), "manifest, number \(field) is \(value)")
      }
    }
  }

  @Test func aBeginFrameWithoutAPositionIsInspected() throws {
    let path = try path("wal")
    var log = try CraftedLog(try #require(disk.contents(path)), .segment)
    for count in 0..<8 {
      log.frames[0].body = [UInt8](repeating: 1, count: count)
      exercise(path, log.encoded(), "begin frame of \(count) bytes")
    }
  }

  /// All that anybody can do with a directory in which `path` holds `bytes`.
  private func exercise(_ path: String, _ bytes: [UInt8], _ label: String) {
    if Self.isTracing { FileHandle.standardError.write(Data("\(label)\n".utf8)) }
    let crafted = disk.clone()
    crafted.replace(path, with: bytes)
    attempt(label) { _ = try StoreVerifier.verify(directory: "/sim/db", files: crafted).lines }
    attempt(label) { _ = try FileInspector.describe(path, files: crafted) }
    attempt(label) { try use(crafted.clone()) }
    attempt(label) {
      let repaired = crafted.clone()
      _ = try StoreRepair.repair(Run.options(repaired, ManualClock())).lines
      try use(repaired)
    }
  }

  private func use(_ disk: SimulatedFileSystem) throws {
    let store = try Store.open(Run.options(disk, ManualClock()))
    for table in store.snapshot().tables() { attempt("reading") { try drain(store, table) } }
    let row = ModelRow(table: "t1", identity: Identity(tags: ["h": "h1"], time: 3), fields: ["v": .integer(1)])
    _ = try store.commit([.write(batches([row]))])[0].get()
    try store.sealAll()
    for table in store.snapshot().tables() { attempt("reading") { try drain(store, table) } }
    try store.close()
  }

  private func drain(_ store: Store, _ table: TableSchema) throws {
    let snapshot = store.snapshot()
    _ = snapshot.statistics(of: table.id)
    for tag in table.tags { _ = snapshot.tagColumn(tag.id, of: table.id).values }
    let request = ScanRequest(table: table.id, fields: table.fields.map(\.id))
    _ = try snapshot.estimate(request)
    let cursor = try snapshot.scan(request)
    while let batch = try cursor.next() {
      for field in batch.fields where field.type == .text {
        for row in 0..<batch.count where field.state(row) == .value { _ = field.string(row) }
      }
    }
  }

  private func attempt(_ label: String, _ body: () throws -> Void) {
    do { try body() } catch is VarveError {} catch { Issue.record("\(label): \(error)") }
  }
}
