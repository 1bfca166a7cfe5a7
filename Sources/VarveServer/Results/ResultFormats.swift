// CSV, JSON and lines: formats that are written row by row.

import VarveCore
import VarveWire

/// Where formatted text goes, in pieces.
package typealias TextOutput = (UnsafeRawBufferPointer) throws -> Void

/// Gathers bytes and hands them on in pieces.
package final class OutputBuffer {
  private var bytes: [UInt8] = []
  private let output: TextOutput

  package init(_ output: @escaping TextOutput) { self.output = output }

  package func write(_ text: String) { bytes += text.utf8 }
  package func write(_ byte: UInt8) { bytes.append(byte) }
  package func write(_ source: some Collection<UInt8>) { bytes += source }

  /// After a row: hands on what has gathered if it is much.
  package func flushIfLarge() throws { if bytes.count >= 64 * 1024 { try flush() } }

  package func flush() throws {
    guard !bytes.isEmpty else { return }
    try bytes.withUnsafeBytes { try output($0) }
    bytes.removeAll(keepingCapacity: true)
  }
}

/// RFC 4180 with a header; NULL is empty, the empty string is `""`.
package final class CSVSink: ResultSink {
  private let out: OutputBuffer
  private let onNotice: (PostgresError) -> Void

  package init(_ output: @escaping TextOutput, onNotice: @escaping (PostgresError) -> Void = { _ in }) {
    out = OutputBuffer(output)
    self.onNotice = onNotice
  }

  package func begin(_ columns: [ResultColumn]) throws {
    for (index, column) in columns.enumerated() {
      if index > 0 { out.write(0x2C) }
      var name = column.name
      name.withUTF8 { field($0) }
    }
    out.write(0x0A)
  }

  package func row(_ row: ResultRow) throws {
    for index in row.cells.indices {
      if index > 0 { out.write(0x2C) }
      if let cell = row[index] { field(cell) }
    }
    out.write(0x0A)
    try out.flushIfLarge()
  }

  package func end(tag: String) throws { try out.flush() }
  package func notice(_ notice: PostgresError) { onNotice(notice) }

  private func field(_ cell: UnsafeBufferPointer<UInt8>) {
    guard cell.isEmpty || cell.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else {
      return out.write(cell)
    }
    out.write(0x22)
    for byte in cell {
      if byte == 0x22 { out.write(0x22) }
      out.write(byte)
    }
    out.write(0x22)
  }
}

/// An array of objects. Numbers and booleans are JSON's own where JSON can say them; NaN and infinities are strings.
package final class JSONSink: ResultSink {
  private let out: OutputBuffer
  private let onNotice: (PostgresError) -> Void
  private var columns: [ResultColumn] = []
  private var keys: [[UInt8]] = []
  private var isFirst = true
  private var hasRows = false

  package init(_ output: @escaping TextOutput, onNotice: @escaping (PostgresError) -> Void = { _ in }) {
    out = OutputBuffer(output)
    self.onNotice = onNotice
  }

  package func begin(_ columns: [ResultColumn]) throws {
    self.columns = columns
    keys = columns.map { Array((JSONText.string($0.name) + ":").utf8) }
    out.write("[")
    isFirst = true
    hasRows = true
  }

  package func row(_ row: ResultRow) throws {
    out.write(isFirst ? "\n{" : ",\n{")
    isFirst = false
    for index in row.cells.indices {
      if index > 0 { out.write(0x2C) }
      out.write(keys[index])
      value(row[index], columns[index])
    }
    out.write(0x7D)
    try out.flushIfLarge()
  }

  package func end(tag: String) throws {
    if hasRows { out.write("\n]\n") }
    hasRows = false
    try out.flush()
  }

  package func notice(_ notice: PostgresError) { onNotice(notice) }

  private func value(_ cell: UnsafeBufferPointer<UInt8>?, _ column: ResultColumn) {
    guard let cell else { return out.write("null") }
    if column.isBoolean { return out.write(cell.first == 0x74 ? "true" : "false") }
    if column.isNumber, let last = cell.last, (0x30...0x39).contains(last) { return out.write(cell) }
    var text: [UInt8] = []
    JSONText.append(String(decoding: cell, as: UTF8.self), to: &text)
    out.write(text)
  }
}

/// `name = value`, a line a column and an empty line between rows.
package final class LineSink: ResultSink {
  private let out: OutputBuffer
  private let onNotice: (PostgresError) -> Void
  private var names: [String] = []
  private var isFirst = true

  package init(_ output: @escaping TextOutput, onNotice: @escaping (PostgresError) -> Void = { _ in }) {
    out = OutputBuffer(output)
    self.onNotice = onNotice
  }

  package func begin(_ columns: [ResultColumn]) throws {
    let width = columns.map(\.name.count).max() ?? 0
    names = columns.map { String(repeating: " ", count: width - $0.name.count) + $0.name + " = " }
    isFirst = true
  }

  package func row(_ row: ResultRow) throws {
    if !isFirst { out.write(0x0A) }
    isFirst = false
    for index in row.cells.indices {
      out.write(names[index])
      if let cell = row[index] { out.write(cell) }
      out.write(0x0A)
    }
    try out.flushIfLarge()
  }

  package func end(tag: String) throws { try out.flush() }
  package func notice(_ notice: PostgresError) { onNotice(notice) }
}
