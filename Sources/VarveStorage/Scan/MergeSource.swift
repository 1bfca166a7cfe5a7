// Merges sources of one partition: of rows with one identity the newest source wins, field by field.
//
// Sources seldom overlap row by row; they lie behind or between each other in stretches. So the merge moves stretches:
// from the source with the least row, everything below the next source's least row at once.
//
// A compaction merges rows without their values: its sources have one field, the place where a row's values are found,
// and `PlaceTable` makes one place of those that rows with one identity have.

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

    var place: Place { Place(series: batch.runs[run].series.rawValue, time: batch.times.base[row]) }
  }

  private struct Place: Equatable {
    var series: UInt32
    var time: Int64
    static func < (a: Place, b: Place) -> Bool { a.series != b.series ? a.series < b.series : a.time < b.time }
  }

  /// Oldest first: on equal identities later inputs win. An input at its end has no more rows and is out of the heap.
  private var inputs: [Input] = []
  /// Where each input stands, apart from the rest of it: comparing must not touch references.
  private var places: [Place] = []
  /// Inputs with rows, as a binary heap: the one with the least (series, time) first, of equals the oldest.
  private var heap: [Int] = []
  private let fields: [(id: ColumnID, type: FieldType)]
  /// Where the one field is a row's place.
  private let table: PlaceTable?

  init(_ sources: [any RowSource], _ fields: [(id: ColumnID, type: FieldType)], table: PlaceTable? = nil) throws {
    self.fields = fields
    self.table = table
    for source in sources {
      guard let batch = try source.next() else { continue }
      inputs.append(Input(source: source, batch: batch, left: batch.runs[0].count))
      places.append(inputs[inputs.count - 1].place)
    }
    heap = Array(inputs.indices)
    for i in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(i) }
  }

  func next() throws -> ScanBatch? {
    guard let first = heap.first else { return nil }
    if heap.count == 1, inputs[first].row == 0 { return try takeWholeBatch(first) }
    let output = Output(fields)
    while output.count < ScanLimits.batchRowCount, let least = heap.first {
      if heap.count > 1 {
        try moveStretch(from: least, to: output)
      } else if inputs[least].row == 0, output.count > 0 {
        // The rest comes in whole batches.
        break
      } else {
        try move(inputs[least].left, from: least, to: output)
      }
    }
    return output.finish()
  }

  private func takeWholeBatch(_ i: Int) throws -> ScanBatch? {
    let batch = inputs[i].batch
    try refill(i)
    return batch
  }

  private func moveStretch(from least: Int, to output: Output) throws {
    let second = heap.count > 2 && isLess(heap[2], heap[1]) ? heap[2] : heap[1]
    let place = places[least]
    let limit = places[second]
    if place == limit { return try mergeIdentity(place, output) }
    try move(limit.series == place.series ? rowsBelow(limit.time, least) : inputs[least].left, from: least, to: output)
  }

  private func move(_ count: Int, from i: Int, to output: Output) throws {
    output.append(inputs[i].batch, row: inputs[i].row, count: count, series: places[i].series)
    try advance(i, by: count)
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

  /// The least identity, which several inputs have.
  private func mergeIdentity(_ place: Place, _ output: Output) throws {
    let holders = heap.filter { places[$0] == place }.sorted()
    if let table {
      let joint = table.join(holders.lazy.map { self.inputs[$0].batch.fields[0].words[self.inputs[$0].row] })
      output.append(series: place.series, time: place.time, word: joint)
      for _ in holders { try advance(heap[0], by: 1) }
      return
    }
    output.appendMerged(series: place.series, time: place.time) { field in
      let newest = holders.last { inputs[$0].batch.fields[field].state(inputs[$0].row) != .absent } ?? holders[0]
      return (inputs[newest].batch.fields[field], inputs[newest].row)
    }
    for _ in holders { try advance(heap[0], by: 1) }
  }

  /// Moves on the input at the top of the heap.
  private func advance(_ i: Int, by count: Int) throws {
    precondition(heap.first == i, "the least input moves")
    inputs[i].row += count
    inputs[i].left -= count
    if inputs[i].left == 0 {
      guard inputs[i].run + 1 < inputs[i].batch.runs.count else { return try refill(i) }
      inputs[i].run += 1
      inputs[i].left = inputs[i].batch.runs[inputs[i].run].count
    }
    places[i] = inputs[i].place
    siftDown(0)
  }

  /// The next batch of the input at the top of the heap; without one it leaves the heap.
  private func refill(_ i: Int) throws {
    if let batch = try inputs[i].source.next() {
      inputs[i] = Input(source: inputs[i].source, batch: batch, left: batch.runs[0].count)
      places[i] = inputs[i].place
    } else {
      heap[0] = heap[heap.count - 1]
      heap.removeLast()
    }
    siftDown(0)
  }

  private func isLess(_ a: Int, _ b: Int) -> Bool {
    let (x, y) = (places[a], places[b])
    return x == y ? a < b : x < y
  }

  private func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      let left = 2 * parent + 1
      if left < heap.count, isLess(heap[left], heap[least]) { least = left }
      if left + 1 < heap.count, isLess(heap[left + 1], heap[least]) { least = left + 1 }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
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

    /// A row of one word.
    func append(series: UInt32, time: Int64, word: UInt64) {
      extend(series, by: 1)
      times.append(time)
      builders[0].append(word)
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
