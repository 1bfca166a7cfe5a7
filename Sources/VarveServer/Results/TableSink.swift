// A table for people, as psql draws it. Widths come from the first rows; a longer value further on shifts its line,
// so that a result of any size is shown with bounded memory.

import VarveCore
import VarveWire

package final class TableSink: ResultSink {
  private static let sampleRowCount = 1000

  private let out: OutputBuffer
  private let onNotice: (PostgresError) -> Void
  private var columns: [ResultColumn] = []
  private var widths: [Int] = []
  private var sample: [[String?]]? = []
  private var rowCount = 0
  private var hasRows = false

  package init(_ output: @escaping TextOutput, onNotice: @escaping (PostgresError) -> Void = { _ in }) {
    out = OutputBuffer(output)
    self.onNotice = onNotice
  }

  package func begin(_ columns: [ResultColumn]) throws {
    self.columns = columns
    widths = columns.map { DisplayWidth.of($0.name) }
    sample = []
    rowCount = 0
    hasRows = true
  }

  package func row(_ row: ResultRow) throws {
    rowCount += 1
    let cells = row.cells.indices.map { column in row[column].map { String(decoding: $0, as: UTF8.self) } }
    if sample == nil { return try draw(cells) }
    for (column, cell) in cells.enumerated() {
      widths[column] = max(widths[column], cell.map { DisplayWidth.of($0) } ?? 0)
    }
    sample?.append(cells)
    if rowCount == Self.sampleRowCount { try endSample() }
  }

  package func end(tag: String) throws {
    if hasRows {
      try endSample()
      out.write(rowCount == 1 ? "(1 row)\n\n" : "(\(rowCount) rows)\n\n")
    } else {
      out.write(tag + "\n")
    }
    hasRows = false
    try out.flush()
  }

  package func notice(_ notice: PostgresError) { onNotice(notice) }

  private func endSample() throws {
    guard let rows = sample else { return }
    sample = nil
    let header = zip(columns, widths).map { column, width in
      let room = width - DisplayWidth.of(column.name)
      return Self.spaces(room / 2) + column.name + Self.spaces(room - room / 2)
    }
    out.write(" " + header.joined(separator: " | ") + "\n")
    out.write(widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "+") + "\n")
    for row in rows { try draw(row) }
  }

  private func draw(_ cells: [String?]) throws {
    for (index, cell) in cells.enumerated() {
      let text = cell ?? ""
      let padding = max(0, widths[index] - DisplayWidth.of(text))
      out.write(index == 0 ? " " : " | ")
      if columns[index].isNumber {
        out.write(Self.spaces(padding) + text)
      } else {
        out.write(index == cells.count - 1 ? text : text + Self.spaces(padding))
      }
    }
    out.write(0x0A)
    try out.flushIfLarge()
  }

  private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
}
