// One connection's rows: the order of rows, their bytes, and what they must come to. The same plan gives the same bytes.

import VarveCore

/// Used by one thread.
package final class RowGenerator {
  private static let blockRowCount = 512

  package let expected: ExpectedRows
  private let plan: LoadPlan
  private let tables: RowTables
  /// nil: rows are lines.
  private let binary: BinaryLayout?
  private var order: RowOrder
  private var stamp: StampText
  private let rows = Buffer<PlannedRow>(capacity: blockRowCount)
  private let firstValues = Buffer<Int32>(capacity: blockRowCount)

  package convenience init(_ plan: LoadPlan, lane: Int = 0, _ encoding: RowEncoding = .line) {
    self.init(plan, lane: lane, RowTables(plan, encoding), encoding)
  }

  /// `tables`: made for the encoding.
  init(_ plan: LoadPlan, lane: Int, _ tables: RowTables, _ encoding: RowEncoding = .line) {
    self.plan = plan
    self.tables = tables
    binary = encoding == .line ? nil : BinaryLayout(plan, encoding)
    order = RowOrder(plan, plan.lane(lane))
    stamp = StampText(plan)
    expected = ExpectedRows(
      fieldCount: RowShape(plan.schema).fields.count, startStep: UInt64(plan.start / plan.stepNanoseconds))
  }

  /// Appends rows, at most `rowLimit`; gives how many, 0 only at the end.
  package func write(atMost rowLimit: Int, to text: Buffer<UInt8>) -> Int {
    var written = 0
    while written < rowLimit {
      let wanted = min(rowLimit - written, Self.blockRowCount)
      let count = order.fill(UnsafeMutableBufferPointer(start: rows.base, count: wanted))
      if count == 0 { break }
      append(UnsafeBufferPointer(start: rows.base, count: count), to: text)
      written += count
    }
    return written
  }

  /// Only what is already late, or comes a second time, is still written.
  package func end() { order.end() }

  private func append(_ rows: UnsafeBufferPointer<PlannedRow>, to text: Buffer<UInt8>) {
    text.reserve(rows.count * RowTables.rowByteLimit)
    let begin = UnsafeMutableRawPointer(text.base + text.count)
    var out = begin
    let notes = ValueNotes(sums: expected.sums.base, firstValues: firstValues.base)
    if let binary {
      putBinaryRows(rows, seed: plan.seed, binary, tables, notes, &out)
    } else {
      switch plan.schema {
      case .cpu: putCPULines(rows, seed: plan.seed, tables, notes, &stamp, &out)
      case .iot: putIOTLines(rows, seed: plan.seed, tables, notes, &stamp, &out)
      case .narrow: putNarrowLines(rows, seed: plan.seed, tables, notes, &stamp, &out)
      }
    }
    text.count += out - begin
    expected.note(rows, firstValues: firstValues.base)
  }
}
