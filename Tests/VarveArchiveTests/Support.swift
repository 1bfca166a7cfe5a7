// Columns by chance, their files, and what is read back.

import VarveCore
import VarveSimulator

@testable import VarveArchive

/// A cell as its bytes; nil: NULL.
typealias Cells = [[UInt8]?]

enum Samples {
  static let columns: [ParquetColumn] = [
    ParquetColumn("time", .int64, .timestamp(.microseconds, isUTC: true), isRequired: true),
    ParquetColumn("flag", .boolean), ParquetColumn("small", .int32, .integer(bitWidth: 16, isSigned: true)),
    ParquetColumn("narrow", .int32), ParquetColumn("wide", .int64),
    ParquetColumn("unsigned", .int64, .integer(bitWidth: 64, isSigned: false)), ParquetColumn("single", .float),
    ParquetColumn("double", .double), ParquetColumn("text", .bytes, .text), ParquetColumn("raw", .bytes),
    .decimal("exact", precision: 20, scale: 0), ParquetColumn("id", .fixedBytes, .uuid, byteWidth: 16),
    ParquetColumn("day", .int32, .date), ParquetColumn("name", .bytes, .text, isRequired: true),
  ]

  /// A word of a column that isn't of texts: of few or many different ones, close together or anywhere.
  static func word(_ column: ParquetColumn, _ shape: Int, _ row: Int, _ g: inout SeededRandom) -> UInt64 {
    switch column.type {
    case .boolean: return shape == 0 ? 1 : UInt64.random(in: 0...1, using: &g)
    case .int32:
      let value: Int32 =
        switch shape {
        case 0: 7
        case 1: Int32(row) + .random(in: -3...3, using: &g)
        case 2: [Int32.min, -1, 0, .max].randomElement(using: &g) ?? 0
        default: .random(in: .min ... .max, using: &g)
        }
      return UInt64(bitPattern: Int64(value))
    case .float:
      let bits: [UInt32] = [0, 1 << 31, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0001, 1, 0x3F80_0000]
      return UInt64(shape < 2 ? bits.randomElement(using: &g) ?? 0 : UInt32.random(in: .min ... .max, using: &g))
    case .double:
      let values: [Double] = [0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, 1.5]
      return shape < 2
        ? (values.randomElement(using: &g) ?? 0).bitPattern
        : shape == 2 ? (Double(row) * 0.25).bitPattern : UInt64.random(in: .min ... .max, using: &g)
    default:
      switch shape {
      case 0: return 42
      case 1: return UInt64(bitPattern: Int64(row) * 10_000_000)
      case 2: return [0, 1, .max, 1 << 63, (1 << 63) - 1].randomElement(using: &g) ?? 0
      default: return UInt64.random(in: .min ... .max, using: &g)
      }
    }
  }

  static func text(_ column: ParquetColumn, _ shape: Int, _ row: Int, _ g: inout SeededRandom) -> [UInt8] {
    if column.type == .fixedBytes {
      let base = UInt8.random(in: shape == 0 ? 3...3 : .min ... .max, using: &g)
      return (0..<column.byteWidth).map { UInt8(truncatingIfNeeded: Int(base) &* ($0 + 1)) }
    }
    switch shape {
    case 0: return Array("host_\(row % 10)".utf8)
    case 1: return []
    case 2: return Array(String(repeating: "äé€𝄞z", count: .random(in: 0...40, using: &g)).utf8)
    default: return Array("\(row) \(UInt64.random(in: .min ... .max, using: &g))".utf8)
    }
  }

  static func vector(_ column: ParquetColumn, rows: Int, _ g: inout SeededRandom) -> ParquetVector {
    let shape = Int.random(in: 0...3, using: &g)
    let nulls = column.isRequired ? 0 : [0, 0, 5, 50, 100].randomElement(using: &g) ?? 0
    let words = Buffer<UInt64>(capacity: rows)
    let bytes = column.type.isBytes ? Buffer<UInt8>() : nil
    let presence = Buffer<UInt8>(capacity: rows)
    for row in 0..<rows {
      let isNull = Int.random(in: 0..<100, using: &g) < nulls
      presence.append(isNull ? 0 : 1)
      if isNull {
        words.append(0)
      } else if let bytes {
        let text = text(column, shape, row, &g)
        words.append(TextRef(offset: bytes.count, length: text.count).word)
        text.withUnsafeBufferPointer { bytes.append($0) }
      } else {
        words.append(word(column, shape, row, &g))
      }
    }
    return ParquetVector(words: words, bytes: bytes, presence: nulls == 0 ? nil : presence)
  }

  static func cells(_ vector: ParquetVector, _ column: ParquetColumn) -> Cells {
    (0..<vector.count).map { row in
      vector.isPresent(row) ? PlainValues.bytes(vector.words[row], column, bytes: vector.bytes) : nil
    }
  }
}

/// A file of these batches.
func write(_ columns: [ParquetColumn], _ batches: [[ParquetVector]], _ options: ParquetWriter.Options = .init())
  -> [UInt8]
{
  let writer = ParquetWriter(columns, options)
  var bytes: [UInt8] = []
  for batch in batches {
    writer.append(batch)
    bytes += writer.takeBytes()
  }
  writer.finish()
  return bytes + writer.takeBytes()
}

/// All cells of a file, column by column.
func read(_ bytes: [UInt8]) throws -> (columns: [ParquetColumn], cells: [Cells]) {
  let file = try ParquetFile(ParquetBytes(bytes))
  let columns = file.metadata.columns
  var cells = columns.map { _ in Cells() }
  var rows = ParquetRows(file, columns: Array(columns.indices))
  while let batch = try rows.next() {
    for (index, vector) in batch.enumerated() { cells[index] += Samples.cells(vector, columns[index]) }
  }
  return (columns, cells)
}

func smallPages() -> ParquetWriter.Options {
  var options = ParquetWriter.Options()
  options.pageRowCount = 300
  options.pageByteCount = 2000
  options.rowGroupRowCount = 1100
  return options
}
