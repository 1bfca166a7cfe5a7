import Testing
import VarveCore
import VarveFormat
import VarveSimulator

@testable import VarveArchive

@Suite struct ObjectRoundTripTests {
  @Test(arguments: 0..<24 as Range<UInt64>) func eachPageIsReadFromItsPiecesAlone(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    let object = ObjectSamples.object(blocks: .random(in: 0...8, using: &g), rows: [40, 600, 9000][Int(seed % 3)], &g)
    let (bytes, rowBlocks) = try object.written()
    #expect(rowBlocks.count == object.blocks.count, "seed \(seed)")
    for (number, (block, found)) in zip(object.blocks, rowBlocks).enumerated() {
      let place = "row block \(number), seed \(seed)"
      #expect(found.times.dictionaries.allSatisfy { $0 == nil }, "\(place)")
      let times = try ObjectReader.times(fetched(found.times, of: bytes), rowCount: block.rowCount)
      #expect(times.array == block.times.array, "\(place)")
      let wanted = block.fields.filter { field in (0..<block.rowCount).contains { field.column.state($0) != .absent } }
      #expect(found.fields.map(\.column) == wanted.map(\.id), "\(place)")
      for ((_, column), (_, page)) in zip(wanted, found.fields) {
        let read = try ObjectReader.field(
          column.type, fetched(page, of: bytes), try dictionaries(page, column.type, of: bytes),
          rowCount: block.rowCount)
        #expect(read.type == column.type && cells(read) == cells(column), "\(column.type), \(place)")
        #expect((0..<read.count).allSatisfy { read.state($0) == .value || read.words[$0] == 0 }, "\(place)")
      }
    }
  }

  @Test(arguments: 50..<62 as Range<UInt64>) func theWholeIsAParquetFileOfTheSameRows(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    let object = ObjectSamples.object(blocks: .random(in: 1...6, using: &g), rows: 500, &g)
    let (bytes, _) = try object.written()
    let file = try ParquetFile(ParquetBytes(bytes))
    let (columns, cells) = try read(bytes)
    let words = try #require(file.metadata.keyValues.last { $0.key == "varve.columns" }).value.split(separator: " ")
    #expect(words.count == columns.count && Set(columns.map { Name($0.name) }).count == columns.count, "seed \(seed)")
    #expect(file.metadata.rowCount == object.blocks.reduce(0) { $0 + $1.rowCount }, "seed \(seed)")
    func column(_ word: String) throws -> Cells { cells[try #require(words.firstIndex { $0 == word })] }
    for tag in object.schema.tags {
      let wanted = object.blocks.flatMap { block in
        block.runs.flatMap { run -> [[UInt8]?] in
          Array(repeating: object.cell(tag.id, run.series).map { Array($0.utf8) }, count: run.count)
        }
      }
      #expect(try column("tag:\(tag.id.rawValue)") == wanted, "seed \(seed)")
    }
    for field in object.schema.fields {
      let wanted = object.blocks.flatMap { block -> Cells in
        guard let column = block.fields.first(where: { $0.id == field.id })?.column else {
          return Array(repeating: nil, count: block.rowCount)
        }
        return VarveArchiveTests.cells(column).map { $0.map { self.plain($0, field.type) } }
      }
      #expect(try column("field:\(field.id.rawValue)") == wanted, "\(field), seed \(seed)")
    }
    let times = object.blocks.flatMap { block in (0..<block.rowCount).map { block.times[$0] } }
    #expect(
      try column("time") == times.map { bytes8(ParquetTimes.microseconds($0)) }, "seed \(seed)")
    let remainders = times.map { ParquetTimes.remainder($0) }
    #expect(words.contains("nanos") == remainders.contains { $0 != 0 }, "seed \(seed)")
    if words.contains("nanos") {
      #expect(try column("nanos") == remainders.map { Array(bytes8($0).prefix(4)) }, "seed \(seed)")
    }
  }

  private func bytes8(_ value: Int64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

  /// A cell's word as the file has it.
  private func plain(_ cell: [UInt8], _ type: FieldType) -> [UInt8] {
    func word() -> Int64 { cell.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) } }
    switch type {
    case .bool: return [cell[0]]
    case .uint64: return [0] + cell.reversed()
    case .timestamp: return bytes8(ParquetTimes.microseconds(word()))
    default: return cell
    }
  }

  @Test func pagesEndWhereRowBlocksEndAndRowGroupsHoldWholeOnes() throws {
    var g = SeededRandom(seed: 3)
    var object = ObjectSamples.object(blocks: 0, rows: 1, &g)
    object.tags = [object.schema.tags.map { _ in "a" }]
    let rowCounts = (0..<24).map { $0 % 5 == 0 ? 16_384 : 8192 }
    var time: Int64 = 0
    for rowCount in rowCounts {
      let times = Buffer((0..<rowCount).map { time + Int64($0) * 1_000_000_000 })
      time += Int64(rowCount) * 1_000_000_000
      object.blocks.append(
        SampleBlock(runs: [SeriesRun(series: SeriesID(rawValue: 0), count: rowCount)], times: times, fields: []))
    }
    let (bytes, rowBlocks) = try object.written()
    let file = try ParquetFile(ParquetBytes(bytes))
    #expect(file.metadata.rowGroups.count == 2)
    var block = 0
    for (group, metadata) in file.metadata.rowGroups.enumerated() {
      let pages = try file.metadata.columns.indices.map {
        try #require(try file.pageLocations(group: group, column: $0)).map(\.firstRow)
      }
      var starts: [Int] = []
      var row = 0
      while row < metadata.rowCount {
        starts.append(row)
        row += rowCounts[block]
        block += 1
      }
      #expect(row == metadata.rowCount && pages.allSatisfy { $0 == starts })
      // One series: its tags are the same in all rows, and its times ascend.
      #expect(metadata.sorting.last == ParquetSorting(column: 0))
    }
    #expect(block == rowBlocks.count)
  }

  @Test func onlyRowGroupsInOrderOfTheirTagsSaySo() throws {
    let schema = ObjectSchema(
      tags: [.init(id: ColumnID(rawValue: 0), name: "a"), .init(id: ColumnID(rawValue: 1), name: "b")], fields: [])
    func sorting(_ tags: [[String?]]) throws -> [ParquetSorting] {
      let runs = tags.indices.map { SeriesRun(series: SeriesID(rawValue: UInt32($0)), count: 1) }
      let block = SampleBlock(runs: runs, times: Buffer(repeating: 5, count: tags.count), fields: [])
      let (bytes, _) = try SampleObject(schema: schema, blocks: [block], tags: tags).written()
      return try ParquetFile(ParquetBytes(bytes)).metadata.rowGroups[0].sorting
    }
    let all = [1, 2].map { ParquetSorting(column: $0, areNullsFirst: true) } + [ParquetSorting(column: 0)]
    #expect(try sorting([[nil, "z"], ["a", nil], ["a", "b"], ["b", "a"]]) == all)
    #expect(try sorting([["a", "b"], ["a", nil]]).isEmpty)
    #expect(try sorting([["b", "a"], ["a", "b"]]).isEmpty)
  }

  @Test func aNameThatIsTakenGoesOnUntilItIsNot() {
    let schema = ObjectSchema(
      tags: [.init(id: ColumnID(rawValue: 0), name: "varve_date"), .init(id: ColumnID(rawValue: 1), name: "Time")],
      fields: [
        .init(id: ColumnID(rawValue: 2), name: "time_nanos", type: .int64),
        .init(id: ColumnID(rawValue: 3), name: "at", type: .timestamp),
        .init(id: ColumnID(rawValue: 4), name: "at_nanos", type: .text),
      ])
    let layout = ObjectLayout(schema)
    #expect(layout.tags.map(\.name) == ["varve_date_", "Time"])
    #expect(layout.fields.map(\.name) == ["time_nanos", "at", "at_nanos"])
    #expect(layout.timeRemainder.name == "time_nanos_")
    #expect(layout.remainders.map { $0?.name } == [nil, "at_nanos_", nil])
  }

  @Test func valuesThatBecomeTooManyForADictionaryStandInAnotherForm() throws {
    let schema = ObjectSchema(
      tags: [.init(id: ColumnID(rawValue: 0), name: "t")],
      fields: [.init(id: ColumnID(rawValue: 1), name: "s", type: .text)])
    var object = SampleObject(schema: schema, blocks: [], tags: [])
    let long = String(repeating: "x", count: 4000)
    for block in 0..<6 {
      let text = Buffer<UInt8>()
      let words = Buffer<UInt64>()
      for row in 0..<2000 {
        // Few at first.
        let value = Array("\(long)\(block == 0 ? row % 3 : row % 40 + 1000 * block)".utf8)
        words.append(TextRef(offset: text.count, length: value.count).word)
        value.withUnsafeBufferPointer { text.append($0) }
      }
      let runs = (0..<500).map { SeriesRun(series: SeriesID(rawValue: UInt32(block * 500 + $0)), count: 4) }
      object.tags += runs.map { [long + "\($0.series.rawValue)"] }
      object.blocks.append(
        SampleBlock(
          runs: runs, times: Buffer((0..<2000).map { Int64($0) * 1000 }),
          fields: [(ColumnID(rawValue: 1), FieldColumn(type: .text, words: words, text: text))]))
    }
    let (bytes, rowBlocks) = try object.written()
    let found = rowBlocks.map { $0.fields[0].page.dictionaries[0] != nil }
    #expect(found.first == true && found.last == false)
    for (block, place) in zip(object.blocks, rowBlocks) {
      let page = place.fields[0].page
      let read = try ObjectReader.field(
        .text, fetched(page, of: bytes), try dictionaries(page, .text, of: bytes), rowCount: 2000)
      #expect(cells(read) == cells(block.fields[0].column))
    }
    let tags = try read(bytes).cells[1]
    #expect(tags == object.tags.flatMap { Array(repeating: Array(($0[0] ?? "").utf8), count: 4) })
  }
}
