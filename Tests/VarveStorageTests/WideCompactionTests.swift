import Testing
import VarveCore
import VarveFormat
import VarveSimulator
@testable import VarveStorage

/// What a merge holds in memory grows with its inputs, not with their columns.
@Suite struct WideCompactionTests {
  private static let columnCount = 400
  private static let generationCount = 16
  /// Of two series, so that each fills a row block of its own, from all generations.
  private static let rowCount = 280
  private let disk = SimulatedFileSystem()

  private func open(compactionByteCount: Int) throws -> Store {
    var options = Run.options(disk, ManualClock())
    options.segmentByteCount = 64 << 20
    options.compactionByteCount = compactionByteCount
    // Pages as read are part of what is counted.
    options.pageCacheByteCount = 0
    return try Store.open(options)
  }

  /// Rows of one generation: times between and upon those of the others, and columns that not all rows have.
  private func batch(_ generation: Int) -> PointBatch {
    let (count, columns) = (Self.rowCount, Self.columnCount)
    let series = (0..<2).map { SeriesKey(tags: [(name: "host", value: "h\($0)")]) }
    let times = (0..<count).map { Int64($0 / 2 * 16 + generation % 15) }
    let fields = (0..<columns).compactMap { column -> PointBatch.Field? in
      if column % 7 == generation % 7 { return nil }
      let words = (0..<count).map { UInt64($0 * column + generation * 1_000_003) }
      let states = (0..<count).map { UInt8(column % 11 == 0 ? ($0 + generation) % 3 : 1) }
      return PointBatch.Field(
        name: "c\(column)",
        column: FieldColumn(
          type: .int64, words: Buffer(zip(words, states).map { $1 == 1 ? $0 : 0 }), states: Buffer(states)))
    }
    return PointBatch(
      table: "wide", series: series, rowSeries: Buffer((0..<count).map { UInt32($0 % 2) }), times: Buffer(times),
      fields: fields)
  }

  /// All that a scan gives: rows, and the cells of each column.
  private struct Contents: Equatable {
    var rows: [UInt64] = []
    var cells: [[UInt64?]]
  }

  private func contents(_ store: Store) throws -> Contents {
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "wide"))
    let fields = table.fields.map(\.id)
    var found = Contents(cells: Array(repeating: [], count: fields.count))
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: fields))
    while let batch = try cursor.next() {
      var row = 0
      for run in batch.runs {
        for time in batch.times.span[row..<(row + run.count)] {
          found.rows += [UInt64(run.series.rawValue), UInt64(bitPattern: time)]
        }
        row += run.count
      }
      for (number, column) in batch.fields.enumerated() {
        found.cells[number] += (0..<batch.count).map { column.state($0) == .value ? column.words[$0] : nil }
      }
    }
    return found
  }

  @Test func aMergeOfWideGenerationsStaysWithinItsMemory() throws {
    let limit = 1 << 20
    let store = try open(compactionByteCount: limit)
    for generation in 0..<Self.generationCount {
      _ = try store.commit([.write([batch(generation)])])[0].get()
      try store.sealAll()
    }
    let before = try contents(store)
    let table = try #require(store.snapshot().table(named: "wide")).id
    let task = try #require(store.pickFullCompaction(of: table))
    #expect(task.inputs.count == Self.generationCount)
    #expect(try store.install(store.write(task)))

    let peak = store.maintenanceStatistics.compactionPeakByteCount
    // Its columns decoded are many times the limit.
    let decoded = Self.generationCount * Self.rowCount * Self.columnCount * MemoryLayout<UInt64>.stride
    #expect(decoded > 12 * limit && peak > limit / 2 && peak <= limit, "\(peak) of \(decoded) bytes")
    #expect(try contents(store) == before)
    let chunks = store.published.withLock { $0.chunks.all }
    #expect(chunks.map(\.metadata.level) == [.full])
    #expect(try StoreVerifier.verifyRunning(store) {}.isSound)
  }

  /// Without any room columns are decoded as often as rows of them are written.
  @Test(arguments: [0, 64 << 20]) func whatIsKeptDoesNotChangeWhatIsWritten(byteLimit: Int) throws {
    let store = try open(compactionByteCount: byteLimit)
    // Each series of 3,000 rows a generation begins a row block, so blocks of three series serve three.
    var random = SeededRandom(seed: 9)
    var model = Model()
    for generation in 0..<3 {
      let rows = (0..<9_000).map { number in
        ModelRow(
          table: "t", identity: Identity(tags: ["host": "h\(number % 30)"], time: Int64(number * (generation + 1))),
          fields: [
            "v": .integer(Int64.random(in: 0..<1_000, using: &random)),
            "s": number % 5 == generation + 1 ? .null : .text("text \(Int.random(in: 0..<50, using: &random))"),
          ])
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      for row in rows { model.write(row) }
      try store.sealAll()
    }
    let before = try Model.reading(store)
    #expect(before == model, "seed 9")
    try store.compactAll()
    #expect(try Model.reading(store) == before, "seed 9")
    #expect(try StoreVerifier.verifyRunning(store) {}.isSound)
  }

  /// Pages are held whole, so a row block ends before its texts are too long, and goes on in the next.
  @Test func longTextsEndARowBlock() throws {
    let store = try open(compactionByteCount: 1 << 20)
    let text = Buffer<UInt8>(repeating: 0x61, count: 1 << 20)
    let count = 40
    for generation in 0..<2 {
      let words = (0..<count).map { TextRef(offset: 0, length: text.count - $0 - generation).word }
      let batch = PointBatch(
        table: "t", series: [SeriesKey(tags: [])], rowSeries: Buffer(repeating: 0, count: count),
        times: Buffer((0..<count).map { Int64($0 * 2 + generation) }),
        fields: [PointBatch.Field(name: "s", column: FieldColumn(type: .text, words: Buffer(words), text: text))])
      _ = try store.commit([.write([batch])])[0].get()
      try store.sealAll()
    }
    try store.compactAll()
    let chunk = try #require(store.published.withLock { $0.chunks.all }.first)
    let blocks = try chunk.contents().index.rowBlocks
    #expect(blocks.map(\.rowCount) == [16, 16, 16, 16, 16])
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: table.fields.map(\.id)))
    var lengths: [Int] = []
    while let batch = try cursor.next() {
      lengths += (0..<batch.count).map { TextRef(word: batch.fields[0].words[$0]).length }
    }
    #expect(lengths == (0..<count * 2).map { text.count - $0 / 2 - $0 % 2 })
  }
}
