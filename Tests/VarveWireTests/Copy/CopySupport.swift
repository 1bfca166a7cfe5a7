// A table, rows of it, encoders that write them plainly, and readers of what was sent, cut in any way.

import VarveCore

@testable import VarveWire

/// A row as it is meant. Times in nanoseconds; a tag that is empty is a tag that the row does not have.
struct CopyRow: Equatable, CustomStringConvertible {
  enum Cell: Equatable {
    case null
    case word(UInt64)
    case text([UInt8])
  }
  var time: Int64
  var tags: [String: [UInt8]]
  var cells: [Cell]

  var description: String {
    let tags = tags.sorted { $0.key < $1.key }.map { "\($0.key)=\(String(decoding: $0.value, as: UTF8.self))" }
    let cells = cells.map { cell in
      switch cell {
      case .null: "NULL"
      case .word(let word): String(Int64(bitPattern: word))
      case .text(let text): "'\(String(decoding: text, as: UTF8.self))'"
      }
    }
    return "\(time) \(tags) \(cells)"
  }
}

/// What a COPY came to.
struct CopyResult: Equatable {
  var rows: [CopyRow]
  /// SQLSTATE, message and context; then there are no rows to be compared.
  var error: [String]?
}

struct CopyTable {
  var columns: [CopyColumn]

  /// The time first, tags side by side, every type of field.
  static let usual = CopyTable(columns: [
    CopyColumn(name: "time", role: .time), CopyColumn(name: "host", role: .tag), CopyColumn(name: "zone", role: .tag),
    CopyColumn(name: "n", role: .field(.int64)), CopyColumn(name: "f", role: .field(.float64)),
    CopyColumn(name: "s", role: .field(.text)), CopyColumn(name: "b", role: .field(.bool)),
    CopyColumn(name: "u", role: .field(.uint64)), CopyColumn(name: "at", role: .field(.timestamp)),
    CopyColumn(name: "m", role: .field(.int64)),
  ])
  /// Tags here and there, one of them last.
  static let scattered = CopyTable(columns: [
    CopyColumn(name: "zone", role: .tag), CopyColumn(name: "n", role: .field(.int64)),
    CopyColumn(name: "s", role: .field(.text)), CopyColumn(name: "time", role: .time),
    CopyColumn(name: "host", role: .tag),
  ])
  static let narrow = CopyTable(columns: [
    CopyColumn(name: "time", role: .time), CopyColumn(name: "n", role: .field(.int64)),
  ])

  func options(_ format: CopyFormat, _ configure: (inout CopyOptions) -> Void = { _ in }) -> CopyOptions {
    var options = CopyOptions(table: "t", columns: columns, format: format, conversion: .plain)
    options.hashSeed = 1
    configure(&options)
    return options
  }
}

extension CopyConversion {
  /// Takes what Swift takes as a number, and words of a boolean.
  static var plain: CopyConversion {
    CopyConversion(
      fromText: { (bytes, type) throws(VarveError) in
        let text = String(decoding: bytes, as: UTF8.self)
        let word: UInt64? =
          switch type {
          case .int64: Int64(text).map { UInt64(bitPattern: $0) }
          case .uint64: UInt64(text)
          case .float64: Double(text)?.bitPattern
          case .bool: text == "true" ? 1 : text == "false" ? 0 : nil
          case .timestamp: text == "epoch" ? 0 : nil
          case .text: nil
          }
        guard let word else { throw VarveError(.invalidNumber, "bad \(type.sqlName): \(text)", sqlState: "22P02") }
        return word
      },
      fromBinary: { (bytes, type) throws(VarveError) in
        throw VarveError(.invalidNumber, "bad \(type.sqlName) of \(bytes.count) bytes", sqlState: "22P03")
      })
  }
}

enum CopyReading {
  /// Reads the pieces, and takes the batches apart again.
  static func read(_ pieces: [ArraySlice<UInt8>], _ options: CopyOptions) -> CopyResult {
    let reader = CopyReader(options: options)
    do throws(VarveError) {
      for piece in pieces { try reader.read(Array(piece)) }
      try reader.finish()
    } catch {
      return CopyResult(
        rows: [], error: [error.sqlState ?? error.code.rawValue, error.message, error.context ?? ""])
    }
    let batches = reader.takeBatches()
    var first = 1
    for batch in batches {
      precondition(batch.firstRow == first, "batches follow each other")
      first += batch.points.rowCount
    }
    precondition(first == reader.rowCount + 1, "all rows are in batches")
    return CopyResult(rows: batches.flatMap { rows($0.points, options) }, error: nil)
  }

  static func read(_ bytes: [UInt8], _ options: CopyOptions) -> CopyResult { read([bytes[...]], options) }

  /// Cut into pieces of random lengths, up to `longest`.
  static func pieces(
    _ bytes: [UInt8], longest: Int, using random: inout SeededGenerator
  ) -> [ArraySlice<UInt8>] {
    var result: [ArraySlice<UInt8>] = []
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + Int.random(in: 0...longest, using: &random))
      result.append(bytes[start..<end])
      start = end
    }
    return result
  }

  static func rows(_ batch: PointBatch, _ options: CopyOptions) -> [CopyRow] {
    let names = options.columns.compactMap { column -> String? in
      if case .field = column.role { return column.name }
      return nil
    }
    precondition(batch.fields.map(\.name) == names, "a batch has all fields")
    return (0..<batch.rowCount).map { row in
      var tags: [String: [UInt8]] = [:]
      batch.series[Int(batch.rowSeries[row])].forEachTag { name, value in
        tags[String(decoding: name, as: UTF8.self)] = Array(value)
      }
      let cells = batch.fields.map { field -> CopyRow.Cell in
        switch field.column.state(row) {
        case .absent: preconditionFailure("a COPY leaves no field out")
        case .null:
          precondition(field.column.words[row] == 0, "NULL's word is 0")
          return .null
        case .value:
          return field.column.type == .text
            ? .text(Array(field.column.bytes(row))) : .word(field.column.words[row])
        }
      }
      return CopyRow(time: batch.times[row], tags: tags, cells: cells)
    }
  }
}

/// Rows of a table, many alike: a few hosts in turn, now and then another, times that repeat.
enum RandomRows {
  static func random(
    _ table: CopyTable, _ count: Int, using random: inout SeededGenerator
  ) -> [CopyRow] {
    var time: Int64 = 1_700_000_000_000_000_000
    return (0..<count).map { number in
      if Int.random(in: 0..<3, using: &random) == 0 { time += Int64.random(in: 0...5_000_000, using: &random) * 1000 }
      var tags: [String: [UInt8]] = [:]
      for column in table.columns where column.role == .tag {
        let value = Int.random(in: 0..<8, using: &random) == 0 ? text(using: &random) : Array("v\(number % 4)".utf8)
        if !value.isEmpty { tags[column.name] = value }
      }
      let cells = table.columns.compactMap { column -> CopyRow.Cell? in
        guard case .field(let type) = column.role else { return nil }
        return Int.random(in: 0..<10, using: &random) == 0 ? .null : cell(type, using: &random)
      }
      return CopyRow(time: time, tags: tags, cells: cells)
    }
  }

  private static func cell(_ type: FieldType, using random: inout SeededGenerator) -> CopyRow.Cell {
    let word = UInt64.random(in: 0 ... .max, using: &random) >> UInt64.random(in: 0...63, using: &random)
    switch type {
    case .int64: return .word(Bool.random(using: &random) ? word : 0 &- word)
    case .uint64: return .word(word)
    case .bool: return .word(word & 1)
    case .float64:
      return .word(
        (Double(Int64(bitPattern: word >> 12)) / [1, 10, 1000, 3].randomElement(using: &random)!).bitPattern)
    case .timestamp: return .word(UInt64(bitPattern: Int64(word >> 12) * 1000))
    case .text: return .text(text(using: &random))
    }
  }

  /// Often with what formats treat as special.
  static func text(using random: inout SeededGenerator) -> [UInt8] {
    let parts = [
      "a", "bc", "\\", "\t", "\n", "\r", "\"", "'", ",", ";", "é", "日本", "\\N", "\\.", " ", "NULL", "x", "\u{1}", "😀",
      "12",
    ]
    return Array(
      (0..<Int.random(in: 0...6, using: &random)).map { _ in parts.randomElement(using: &random)! }.joined().utf8)
  }
}

/// Text and CSV read line by line, each as a whole: without the fast way, and without cuts.
enum CopyReference {
  static func read(_ bytes: [UInt8], _ options: CopyOptions) -> CopyResult {
    var parser = CopyParser(options: options)
    let buffer = Buffer(bytes)
    var p = UnsafePointer(buffer.base)
    let end = p + buffer.count
    while p < end, parser.failure == nil, !parser.isEnded {
      if parser.rows == parser.capacity { parser.makeRoom() }
      let outcome =
        parser.awaitsHeader ? parser.headerLine(p, end, final: true) : parser.wholeLine(p, end, final: true)
      precondition(outcome != .incomplete, "all is there")
      p = parser.cursor
    }
    if let error = parser.failure {
      return CopyResult(rows: [], error: [error.sqlState ?? error.code.rawValue, error.message, error.context ?? ""])
    }
    parser.handOver()
    return CopyResult(rows: parser.batches.flatMap { CopyReading.rows($0.points, options) }, error: nil)
  }
}
