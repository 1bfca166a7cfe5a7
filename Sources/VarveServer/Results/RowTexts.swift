// Batches of columns into rows of texts for a sink, as far as it wants them.

import VarveCompute
import VarveCore
import VarveWire

struct RowTexts {
  private var writers: [ColumnTextWriter] = []
  private var rows = 0..<0
  private let text = Buffer<UInt8>()
  private var cells: [Range<Int>?] = []

  /// Nothing of the last batch is left.
  var isDone: Bool { rows.isEmpty }

  mutating func start(_ batch: ColumnBatch, _ context: EvaluationContext) throws {
    precondition(isDone, "a batch before the last one is done")
    writers = try batch.columns.map { try ColumnTextWriter($0, context: context) }
    rows = 0..<batch.count
  }

  /// Hands over rows until there are none, or the sink has enough.
  mutating func send(to sink: any ResultSink, isEnough: () -> Bool = { false }) throws {
    while let row = rows.popFirst() {
      text.count = 0
      cells.removeAll(keepingCapacity: true)
      for column in writers.indices {
        if writers[column].isNull(row) {
          cells.append(nil)
        } else {
          let start = text.count
          try writers[column].append(row, to: text)
          cells.append(start..<text.count)
        }
      }
      try sink.row(ResultRow(bytes: text.span, cells: cells))
      if isEnough() { return }
    }
    writers = []
  }
}
