// Points as the batches that the store takes: columns by table. A batch's `lines` hold the points' indexes.

import VarveCore
import VarveStorage

struct PointBatches {
  private(set) var batches: [PointBatch] = []
  /// Points that no batch can hold.
  private(set) var rejected: [(index: Int, code: VarveError.Code, message: String)] = []

  init(_ points: [Point]) {
    var order: [ByteName] = []
    var indexes: [ByteName: [Int]] = [:]
    for (index, point) in points.enumerated() {
      if let problem = Self.problem(point) {
        rejected.append((index, problem.0, problem.1))
        continue
      }
      let table = ByteName(text: point.table)
      if indexes[table] == nil { order.append(table) }
      indexes[table, default: []].append(index)
    }
    batches = order.map { Self.batch($0.text, points, indexes[$0] ?? []) }
  }

  /// Names and values beyond what a batch can carry; all else is for the store to judge.
  private static func problem(_ point: Point) -> (VarveError.Code, String)? {
    for name in [point.table] + point.tags.keys + point.fields.keys where name.utf8.count > Limits.nameByteCount {
      return (
        .nameTooLong,
        "the name \"\(name.prefix(20))…\" has \(name.utf8.count) bytes; at most \(Limits.nameByteCount) are taken"
      )
    }
    for (name, value) in point.tags where value.utf8.count > Limits.tagValueByteCount {
      return (
        .valueTooLong,
        "the value of tag \"\(name)\" has \(value.utf8.count) bytes; at most \(Limits.tagValueByteCount) are taken"
      )
    }
    for (name, value) in point.fields {
      guard case .text(let text) = value, text.utf8.count > Limits.textValueByteCount else { continue }
      return (
        .valueTooLong, "field \"\(name)\" has \(text.utf8.count) bytes; at most \(Limits.textValueByteCount) are taken"
      )
    }
    return point.fields.isEmpty ? (.invalidArgument, "a point needs at least one field") : nil
  }

  private static func batch(_ table: String, _ points: [Point], _ indexes: [Int]) -> PointBatch {
    var keys: [SeriesKey: UInt32] = [:]
    var series: [SeriesKey] = []
    let rowSeries = Buffer<UInt32>(capacity: indexes.count)
    let times = Buffer<Int64>(capacity: indexes.count)
    let lines = Buffer<UInt32>(capacity: indexes.count)
    var columns: [ByteName: [FieldType: PointColumn]] = [:]
    for (row, index) in indexes.enumerated() {
      let point = points[index]
      let key = SeriesKey(tags: point.tags.map { (name: $0.key, value: $0.value) })
      let local = keys[key] ?? UInt32(series.count)
      if local == UInt32(series.count) {
        keys[key] = local
        series.append(key)
      }
      rowSeries.append(local)
      times.append(point.timeNanoseconds)
      lines.append(UInt32(truncatingIfNeeded: index))
      for (name, value) in point.fields {
        let name = ByteName(text: name)
        let column = columns[name]?[value.type] ?? PointColumn(value.type)
        columns[name, default: [:]][value.type] = column
        column.set(value, row: row)
      }
    }
    let fields = columns.keys.sorted { $0.text < $1.text }.flatMap { name in
      (columns[name] ?? [:]).values.sorted { $0.firstRow < $1.firstRow }
        .map { PointBatch.Field(name: name.text, column: $0.finish(rowCount: indexes.count)) }
    }
    return PointBatch(table: table, series: series, rowSeries: rowSeries, times: times, fields: fields, lines: lines)
  }
}

/// One field while its rows are collected.
private final class PointColumn {
  let type: FieldType
  private(set) var firstRow = 0
  private let words = Buffer<UInt64>()
  private let states = Buffer<UInt8>()
  private let text: Buffer<UInt8>?

  init(_ type: FieldType) {
    self.type = type
    text = type == .text ? Buffer() : nil
  }

  func set(_ value: Point.Value, row: Int) {
    if words.count == 0 { firstRow = row }
    fill(to: row)
    words.append(word(value))
    states.append(CellState.value.rawValue)
  }

  func finish(rowCount: Int) -> FieldColumn {
    fill(to: rowCount)
    return FieldColumn(type: type, words: words, text: text, states: states)
  }

  private func fill(to row: Int) {
    states.append(repeating: CellState.absent.rawValue, count: row - words.count)
    words.append(repeating: 0, count: row - words.count)
  }

  private func word(_ value: Point.Value) -> UInt64 {
    switch value {
    case .double(let double): return double.bitPattern
    case .integer(let integer), .timestamp(let integer): return UInt64(bitPattern: integer)
    case .unsigned(let unsigned): return unsigned
    case .boolean(let boolean): return boolean ? 1 : 0
    case .text(let string):
      guard let text else { preconditionFailure("text goes into a text column") }
      let utf8 = Array(string.utf8)
      let ref = TextRef(offset: text.count, length: utf8.count)
      utf8.withUnsafeBufferPointer { text.append($0) }
      return ref.word
    }
  }
}

extension Point.Value {
  fileprivate var type: FieldType {
    switch self {
    case .double: .float64
    case .integer: .int64
    case .unsigned: .uint64
    case .boolean: .bool
    case .text: .text
    case .timestamp: .timestamp
    }
  }
}
