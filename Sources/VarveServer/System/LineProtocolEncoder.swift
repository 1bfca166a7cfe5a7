// A batch as text of line protocol, time stamps in nanoseconds.

import VarveCore

struct LineProtocolEncoder {
  private let batch: PointBatch
  let text = Buffer<UInt8>()
  /// The source's line of each line of `text`; a text value with line breaks makes several.
  private(set) var sourceLines: [Int] = []
  /// Rows that cannot be said in line protocol.
  private(set) var unsent: [Rejection] = []

  init(_ batch: PointBatch) { self.batch = batch }

  mutating func encode(lineBase: Int) {
    let prefixes = batch.series.map { Self.prefix(table: batch.table, $0) }
    let keys = batch.fields.map { Self.escaped(Array($0.name.utf8), measurement: false) }
    for row in 0..<batch.rowCount {
      let line = lineBase + Int(batch.lines?[row] ?? 0)
      guard let prefix = prefixes[Int(batch.rowSeries[row])] else {
        reject(line, "a name or tag with a line break, or with a backslash at its end, cannot be sent as line protocol")
        continue
      }
      let start = text.count
      append(prefix)
      var isFirst = true
      var isSayable = true
      for (field, key) in zip(batch.fields, keys) where field.column.state(row) == .value {
        guard let key else {
          isSayable = false
          break
        }
        text.append(isFirst ? 0x20 : 0x2C)
        isFirst = false
        append(key)
        text.append(0x3D)
        append(field.column, row)
      }
      guard isSayable, !isFirst else {
        text.count = start
        reject(
          line,
          isSayable
            ? "a row without any value cannot be sent as line protocol"
            : "a field's name cannot be sent as line protocol")
        continue
      }
      text.append(0x20)
      append(Array(String(batch.times[row]).utf8))
      text.append(0x0A)
      for index in start..<text.count where text.base[index] == 0x0A { sourceLines.append(line) }
    }
  }

  private mutating func reject(_ line: Int, _ message: String) {
    unsent.append(Rejection(line: line, column: 1, code: .unsupported, message: message))
  }

  private func append(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { text.append($0) } }

  private func append(_ column: FieldColumn, _ row: Int) {
    let word = column.words[row]
    switch column.type {
    case .float64: append(Array("\(Double(bitPattern: word))".utf8))
    case .int64: append(Array("\(Int64(bitPattern: word))i".utf8))
    case .uint64: append(Array("\(word)u".utf8))
    case .bool: text.append(word == 0 ? 0x66 : 0x74)
    // The dialect has microseconds, and nothing else makes such values here.
    case .timestamp: append(Array("\(Int64(bitPattern: word) / 1000)t".utf8))
    case .text:
      text.append(0x22)
      for byte in column.bytes(row) {
        if byte == 0x22 || byte == 0x5C { text.append(0x5C) }
        text.append(byte)
      }
      text.append(0x22)
    }
  }

  /// Measurement and tags; nil if they cannot be said.
  private static func prefix(table: String, _ series: SeriesKey) -> [UInt8]? {
    guard var out = escaped(Array(table.utf8), measurement: true) else { return nil }
    var isSayable = true
    series.forEachTag { name, value in
      guard let name = escaped(Array(name), measurement: false), let value = escaped(Array(value), measurement: false)
      else {
        isSayable = false
        return
      }
      out.append(0x2C)
      out += name
      out.append(0x3D)
      out += value
    }
    return isSayable ? out : nil
  }

  private static func escaped(_ bytes: [UInt8], measurement: Bool) -> [UInt8]? {
    if bytes.last == 0x5C || bytes.contains(0x0A) || bytes.contains(0x0D) { return nil }
    if measurement, bytes.first == 0x23 { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    for byte in bytes {
      if byte == 0x2C || byte == 0x20 || (byte == 0x3D && !measurement) { out.append(0x5C) }
      out.append(byte)
    }
    return out
  }
}
