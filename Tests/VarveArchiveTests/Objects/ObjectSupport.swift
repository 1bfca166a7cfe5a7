// Row blocks by chance, the object that they become, and what is read of it.

import Testing
import VarveCore
import VarveFormat
import VarveSimulator

@testable import VarveArchive

/// A row block as the writer takes it.
struct SampleBlock {
  var runs: [SeriesRun]
  var times: Buffer<Int64>
  var fields: [(id: ColumnID, column: FieldColumn)]
  var rowCount: Int { times.count }
}

struct SampleObject {
  var schema: ObjectSchema
  var blocks: [SampleBlock]
  /// By series.
  var tags: [[String?]]

  /// The text of a series' tag.
  func cell(_ id: ColumnID, _ series: SeriesID) -> String? {
    guard let place = schema.tags.firstIndex(where: { $0.id == id }) else { return nil }
    return tags[Int(series.rawValue)][place]
  }

  func written(keyValues: [(key: String, value: String)] = []) throws -> (bytes: [UInt8], rowBlocks: [ObjectRowBlock]) {
    let writer = ObjectWriter(schema, keyValues: keyValues) { self.cell($0, $1) }
    for block in blocks {
      try writer.begin(runs: block.runs, times: block.times)
      for (id, column) in block.fields { writer.append(id, column) }
      writer.end()
    }
    return writer.finish()
  }
}

enum ObjectSamples {
  private static let tagNames = ["host", "Host", "time_nanos", "region", "host_"]

  /// Series of some runs each, columns of all types, most of them in most row blocks; `rows` of a row block at most.
  static func object(blocks: Int, rows: Int, _ g: inout SeededRandom) -> SampleObject {
    let tags = tagNames.prefix(.random(in: 0...5, using: &g)).enumerated().map {
      ObjectSchema.Tag(id: ColumnID(rawValue: UInt16($0)), name: $1)
    }
    let types = (0..<Int.random(in: 1...9, using: &g)).map { _ in FieldType.allCases.randomElement(using: &g) ?? .bool }
    let fields = types.enumerated().map {
      ObjectSchema.Field(id: ColumnID(rawValue: UInt16(100 + 3 * $0)), name: "f\($0 / 2)", type: $1)
    }
    var object = SampleObject(schema: ObjectSchema(tags: tags, fields: fields), blocks: [], tags: [])
    let shapes = fields.map { _ in Int.random(in: 0...3, using: &g) }
    let isWhole = Bool.random(using: &g)
    var time = Int64.random(in: -1_000_000_000_000...1_700_000_000_000_000_000, using: &g)
    for _ in 0..<blocks {
      let (runs, times) = rowsOfBlock(rows, isWhole, &time, &object, &g)
      var block = SampleBlock(runs: runs, times: times, fields: [])
      for (field, shape) in zip(fields, shapes) where Int.random(in: 0..<8, using: &g) > 0 {
        block.fields.append((field.id, column(field.type, shape, block.rowCount, &g)))
      }
      object.blocks.append(block)
    }
    return object
  }

  private static func rowsOfBlock(
    _ rows: Int, _ isWhole: Bool, _ time: inout Int64, _ object: inout SampleObject, _ g: inout SeededRandom
  ) -> ([SeriesRun], Buffer<Int64>) {
    var runs: [SeriesRun] = []
    let times = Buffer<Int64>()
    for _ in 0..<Int.random(in: 1...4, using: &g) {
      let series = object.tags.count
      object.tags.append(
        object.schema.tags.map { _ in Int.random(in: 0..<5, using: &g) == 0 ? nil : "h\(series % 4) ä" })
      let count = Int.random(in: 1...max(1, rows / 4), using: &g)
      for _ in 0..<count {
        times.append(time)
        time += isWhole ? 10_000_000_000 : Int64.random(in: 1...2_000_000_000, using: &g)
      }
      runs.append(SeriesRun(series: SeriesID(rawValue: UInt32(series)), count: count))
    }
    if isWhole {
      for row in 0..<times.count { times[row] = times[row] / 1_000_000 * 1_000_000 }
    }
    return (runs, times)
  }

  static func column(_ type: FieldType, _ shape: Int, _ rows: Int, _ g: inout SeededRandom) -> FieldColumn {
    let words = Buffer<UInt64>(capacity: rows)
    let states = Buffer<UInt8>(capacity: rows)
    let text = type == .text ? Buffer<UInt8>() : nil
    let absences = [0, 0, 10, 90, 100].randomElement(using: &g) ?? 0
    for row in 0..<rows {
      if Int.random(in: 0..<100, using: &g) < absences {
        states.append(Int.random(in: 0...1, using: &g) == 0 ? CellState.absent.rawValue : CellState.null.rawValue)
        words.append(0)
        continue
      }
      states.append(CellState.value.rawValue)
      words.append(text.map { self.text($0, shape, row, &g) } ?? word(type, shape, row, &g))
    }
    return FieldColumn(type: type, words: words, text: text, states: absences == 0 ? nil : states)
  }

  private static func text(_ bytes: Buffer<UInt8>, _ shape: Int, _ row: Int, _ g: inout SeededRandom) -> UInt64 {
    let value: String =
      switch shape {
      case 0: "state \(row % 5)"
      case 1: String(repeating: "é€𝄞", count: .random(in: 0...30, using: &g))
      case 2: ""
      default: "\(UInt64.random(in: .min ... .max, using: &g))"
      }
    let start = bytes.count
    for byte in value.utf8 { bytes.append(byte) }
    return TextRef(offset: start, length: bytes.count - start).word
  }

  private static func word(_ type: FieldType, _ shape: Int, _ row: Int, _ g: inout SeededRandom) -> UInt64 {
    switch (type, shape) {
    case (.bool, 0): return 1
    case (.bool, _): return UInt64.random(in: 0...1, using: &g)
    case (.float64, 0):
      let values: [UInt64] = [
        0, 1 << 63, 1, Double.infinity.bitPattern, (-Double.infinity).bitPattern, 0x7FF8_0000_0000_0001,
        0xFFF0_0000_0000_0001, 0x000F_FFFF_FFFF_FFFF,
      ]
      return values.randomElement(using: &g) ?? 0
    case (.float64, 1): return (Double(Int.random(in: 0...99, using: &g)) / 4).bitPattern
    case (.timestamp, 0): return UInt64(row) * 1_000_000
    case (.timestamp, 1):
      let times: [Int64] = [.min, .min + 1, .min + 193, -1, 0, 1, 999, -999, -1000, .max - 1, .max]
      return UInt64(bitPattern: times.randomElement(using: &g) ?? 0)
    case (_, 0): return 7
    case (_, 1): return UInt64(row) &+ UInt64.random(in: 0...3, using: &g)
    case (_, 2): return [0, 1, .max, 1 << 63, (1 << 63) - 1].randomElement(using: &g) ?? 0
    default: return UInt64.random(in: .min ... .max, using: &g)
    }
  }
}

/// The pieces as they would be fetched.
func fetched(_ page: ObjectPage, of bytes: [UInt8]) -> [[UInt8]] {
  page.pieces.map { Array(bytes[$0.offset..<($0.offset + $0.byteCount)]) }
}

func dictionaries(_ page: ObjectPage, _ type: FieldType, of bytes: [UInt8]) throws -> [ObjectDictionary?] {
  try page.dictionaries.enumerated().map { number, place in
    try place.map {
      try ObjectReader.dictionary(type, piece: number, Array(bytes[$0.offset..<($0.offset + $0.byteCount)]))
    }
  }
}

/// What a reader of pages makes of a column: NULL is absent.
func cells(_ column: FieldColumn) -> [[UInt8]?] {
  (0..<column.count).map { row in
    guard column.state(row) == .value else { return nil }
    return column.type == .text
      ? Array(column.bytes(row)) : withUnsafeBytes(of: column.words[row]) { Array($0) }
  }
}
