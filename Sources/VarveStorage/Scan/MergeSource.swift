// Merges sources of one partition: of rows with one identity the newest source wins, field by field.
//
// Sources seldom overlap row by row; they lie behind or between each other in stretches. So the merge moves stretches:
// from the source with the least row, everything below the next source's least row at once.

import VarveCore

final class MergeSource: RowSource {
  /// One source's place.
  private struct Input {
    let source: any RowSource
    var batch: ScanBatch
    var run = 0
    /// Rows of the current run that are left.
    var left: Int
    var row = 0

    var series: UInt32 { batch.runs[run].series.rawValue }
    var time: Int64 { batch.times.base[row] }
  }

  /// Oldest first: on equal identities later inputs win.
  private var inputs: [Input] = []
  private let fields: [(id: ColumnID, type: FieldType)]

  init(_ sources: [any RowSource], _ selection: RowSelection) throws {
    fields = selection.fields
    for source in sources {
      if let batch = try source.next() { inputs.append(Input(source: source, batch: batch, left: batch.runs[0].count)) }
    }
  }

  func next() throws -> ScanBatch? {
    if inputs.count == 1 { return try takeWholeBatch() }
    let output = Output(fields)
    while output.count < ScanLimits.batchRowCount, !inputs.isEmpty {
      if inputs.count == 1 {
        // What is left of the last source goes over as it is.
        output.append(inputs[0].batch, row: inputs[0].row, count: inputs[0].left, series: inputs[0].series)
        try advance(0, by: inputs[0].left)
        continue
      }
      try moveStretch(to: output)
    }
    return output.finish()
  }

  private func takeWholeBatch() throws -> ScanBatch? {
    let input = inputs[0]
    guard input.row == 0 else {
      let output = Output(fields)
      while !inputs.isEmpty, inputs[0].row > 0 {
        output.append(inputs[0].batch, row: inputs[0].row, count: inputs[0].left, series: inputs[0].series)
        try advance(0, by: inputs[0].left)
      }
      return output.finish()
    }
    if let batch = try input.source.next() {
      inputs[0] = Input(source: input.source, batch: batch, left: batch.runs[0].count)
    } else {
      inputs.removeAll()
    }
    return input.batch
  }

  private func moveStretch(to output: Output) throws {
    // The least row, and the least of the others.
    var least = 0
    var second = 1
    if isLess(second, least) { swap(&least, &second) }
    for i in 2..<max(2, inputs.count) {
      if isLess(i, least) {
        second = least
        least = i
      } else if isLess(i, second) {
        second = i
      }
    }
    let series = inputs[least].series
    let time = inputs[least].time
    if inputs[second].series == series, inputs[second].time == time {
      try mergeIdentity(series, time, output)
      return
    }
    var count = inputs[least].left
    if inputs[second].series == series {
      count = rowsBelow(inputs[second].time, least)
    }
    output.append(inputs[least].batch, row: inputs[least].row, count: count, series: series)
    try advance(least, by: count)
  }

  private func isLess(_ a: Int, _ b: Int) -> Bool {
    inputs[a].series != inputs[b].series ? inputs[a].series < inputs[b].series : inputs[a].time < inputs[b].time
  }

  /// Rows of the current run of input `i` with earlier times.
  private func rowsBelow(_ time: Int64, _ i: Int) -> Int {
    let times = inputs[i].batch.times.base + inputs[i].row
    var low = 0
    var high = inputs[i].left
    while low < high {
      let middle = (low + high) / 2
      if times[middle] < time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func mergeIdentity(_ series: UInt32, _ time: Int64, _ output: Output) throws {
    let holders = inputs.indices.filter { inputs[$0].series == series && inputs[$0].time == time }
    output.appendMerged(series: series, time: time) { field in
      let newest = holders.last { inputs[$0].batch.fields[field].state(inputs[$0].row) != .absent } ?? holders[0]
      return (inputs[newest].batch.fields[field], inputs[newest].row)
    }
    for i in holders.reversed() { try advance(i, by: 1) }
  }

  /// Moves input `i` on; removes it at its end.
  private func advance(_ i: Int, by count: Int) throws {
    inputs[i].row += count
    inputs[i].left -= count
    guard inputs[i].left == 0 else { return }
    if inputs[i].run + 1 < inputs[i].batch.runs.count {
      inputs[i].run += 1
      inputs[i].left = inputs[i].batch.runs[inputs[i].run].count
    } else if let batch = try inputs[i].source.next() {
      inputs[i] = Input(source: inputs[i].source, batch: batch, left: batch.runs[0].count)
    } else {
      inputs.remove(at: i)
    }
  }

  /// The batch being put together.
  private final class Output {
    private var runs: [SeriesRun] = []
    private let times = Buffer<Int64>(capacity: ScanLimits.batchRowCount)
    private let builders: [FieldColumnBuilder]

    init(_ fields: [(id: ColumnID, type: FieldType)]) {
      builders = fields.map { FieldColumnBuilder(type: $0.type, capacity: ScanLimits.batchRowCount) }
    }

    var count: Int { times.count }

    func append(_ batch: ScanBatch, row: Int, count: Int, series: UInt32) {
      extend(series, by: count)
      times.append(UnsafeBufferPointer(rebasing: batch.times.span[row..<(row + count)]))
      for (builder, column) in zip(builders, batch.fields) { builder.append(column, rows: row..<(row + count)) }
    }

    func appendMerged(series: UInt32, time: Int64, cell: (Int) -> (FieldColumn, Int)) {
      extend(series, by: 1)
      times.append(time)
      for (index, builder) in builders.enumerated() {
        let (column, row) = cell(index)
        builder.append(column, row: row)
      }
    }

    private func extend(_ series: UInt32, by count: Int) {
      if let last = runs.last, last.series.rawValue == series {
        runs[runs.count - 1] = SeriesRun(series: last.series, count: last.count + count)
      } else {
        runs.append(SeriesRun(series: SeriesID(rawValue: series), count: count))
      }
    }

    func finish() -> ScanBatch? {
      times.count == 0 ? nil : ScanBatch(runs: runs, times: times, fields: builders.map { $0.finish() })
    }
  }
}
