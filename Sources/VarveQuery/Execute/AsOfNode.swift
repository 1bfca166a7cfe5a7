// The as-of join: the right side is read once, and its rows are found by their keys and by bisection of their times. Of
// rows on the left that are few beside the right's each runs the query by itself, which stops at the first row.

import VarveCompute
import VarveCore

final class AsOfNode: PlanNode {
  let asOf: AsOf
  let rowByRow: LateralNode

  init(_ asOf: AsOf, rowByRow: LateralNode) {
    self.asOf = asOf
    self.rowByRow = rowByRow
  }
  var types: [SQLType] { rowByRow.types }
  var inputs: [any PlanNode] { [rowByRow.left, asOf.right.node] }
  var label: String { rowByRow.kind == .left ? "As-of Left Join" : "As-of Join" }
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    [("Direction", (asOf.isForward ? "next" : "previous") + (asOf.isStrict ? ", not at the same time" : ""))]
  }
  func open(_ context: ExecutionContext) throws -> any Operator {
    AsOfOperator(self, try context.open(rowByRow.left), context)
  }
}

/// Delivers batches that were read ahead, then what follows them.
private final class ReadAheadOperator: Operator {
  private let input: any Operator
  private let memory: MemoryAccount
  private var batches: [QueryBatch] = []
  private var position = 0
  init(_ input: any Operator, _ memory: MemoryAccount) {
    self.input = input
    self.memory = memory
  }

  /// Whether there are more rows than `count`.
  func hasMore(than count: Int) throws -> Bool {
    var known = 0
    while known <= count {
      guard let batch = try input.next() else { return false }
      try memory.charge(batch.byteCount)
      batches.append(batch)
      known += batch.count
    }
    return true
  }
  func next() throws -> QueryBatch? {
    guard position < batches.count else { return try input.next() }
    let batch = batches[position]
    position += 1
    memory.release(batch.byteCount)
    return batch
  }
}

private final class AsOfOperator: Operator {
  private let node: AsOfNode
  private let left: ReadAheadOperator
  private let context: ExecutionContext
  private var rowByRow: (any Operator)?
  private var matches: AsOfMatches?
  private static let fewRowCount = 16
  /// The rows of the right whose reading costs about as much as a run of the query for one row of the left.
  private static let rowCountOfARun = 4096

  init(_ node: AsOfNode, _ left: any Operator, _ context: ExecutionContext) {
    self.node = node
    self.left = ReadAheadOperator(left, context.memory)
    self.context = context
  }

  func next() throws -> QueryBatch? {
    if let rowByRow { return try rowByRow.next() }
    if matches == nil {
      guard let count = try rowCountByRow(), try left.hasMore(than: count) else {
        let rowByRow = node.rowByRow.run(left, context)
        self.rowByRow = rowByRow
        return try rowByRow.next()
      }
      matches = try AsOfMatches(node.asOf, context)
    }
    while let batch = try left.next() {
      try context.check()
      if let joined = try join(batch) { return joined }
    }
    return nil
  }

  /// Up to how many rows of the left the query is run for each of them; nil: for any number, since memory would not
  /// hold the right side.
  private func rowCountByRow() throws -> Int? {
    let right = node.asOf.right.node
    let rows = try context.rowsAtMost(of: right)
    // Read, sorted, and numbered by their keys.
    let (byteCount, overflow) = rows.multipliedReportingOverflow(by: (right.types.count * 2 + 3) * 8)
    if overflow || byteCount > context.memory.limit - context.memory.used { return nil }
    return max(Self.fewRowCount, rows / Self.rowCountOfARun)
  }

  private func join(_ batch: QueryBatch) throws -> QueryBatch? {
    guard let places = try matches?.places(batch), let results = matches?.results else { return nil }
    var found = places
    let conditions = node.rowByRow.residual
    if !conditions.isEmpty {
      let all = QueryBatch(count: batch.count, columns: batch.columns + results.map { $0.gatherOrNull(places) })
      if let passing = try context.selection(conditions, all) {
        found = [Int32](repeating: -1, count: batch.count)
        for row in passing.span { found[Int(row)] = places[Int(row)] }
      }
    }
    if node.rowByRow.kind == .left {
      return QueryBatch(count: batch.count, columns: batch.columns + results.map { $0.gatherOrNull(found) })
    }
    let rows = Buffer<UInt32>((0..<UInt32(batch.count)).filter { found[Int($0)] >= 0 })
    if rows.count == 0 { return nil }
    let matched = found.filter { $0 >= 0 }.map { UInt32($0) }
    return QueryBatch(
      count: rows.count, columns: batch.gather(rows.span).columns + results.map { $0.gather(matched) })
  }
}

/// The rows of the right side, by keys and then time.
private final class AsOfMatches {
  let results: [Column]
  private let asOf: AsOf
  private let context: ExecutionContext
  private var table: KeyTable
  private let times: Buffer<Int64>
  /// Where each group of keys begins, and the end of the last.
  private let starts: [Int]

  init(_ asOf: AsOf, _ context: ExecutionContext) throws {
    self.asOf = asOf
    self.context = context
    let keyCount = asOf.keys.count
    let all = try context.collect(asOf.right.node)
    var table = KeyTable(types: asOf.keys.map(\.type))
    // NULL equals nothing, and no time is before or behind it.
    let rows = Buffer<UInt32>(
      (0..<UInt32(all.count)).filter { row in !all.columns[...keyCount].contains { $0.isNull(at: Int(row)) } })
    let known = all.gather(rows.span)
    let groups = try table.assign(Array(known.columns[..<keyCount]), count: known.count, memory: context.memory)
    let group = Column(
      type: .int8, count: known.count, storage: .words(Buffer(groups.span.map { UInt64($0) })))
    let keys = [group, known.columns[keyCount]]
    let sorts = keys.indices.map { index in
      BoundSort(
        expression: .column(ColumnReference(index: index, type: keys[index].type, name: "", location: -1)),
        isDescending: false, nullsFirst: false)
    }
    let order = RowOrder.sorted(keys, sorts, count: known.count)
    try context.memory.charge(known.byteCount)
    results = known.columns[(keyCount + 1)...].map { $0.gather(order.span) }
    let sorted = keys[1].gather(order.span).materialized()
    times = Buffer<Int64>(sorted.wordBuffer.span.map { Int64(bitPattern: $0) })
    var starts = [Int](repeating: 0, count: table.count + 1)
    for group in groups.span { starts[Int(group) + 1] += 1 }
    for index in 0..<table.count { starts[index + 1] += starts[index] }
    self.starts = starts
    self.table = table
  }

  /// The row of `results` for each row of the left; negative: there is none.
  func places(_ batch: QueryBatch) throws -> [Int32] {
    let keys = try asOf.keys.map { try context.evaluate($0, batch) }
    let when = try context.evaluate(asOf.time, batch).materialized()
    let groups = try table.assign(keys, count: batch.count, memory: context.memory)
    let words = when.wordBuffer
    var places = [Int32](repeating: -1, count: batch.count)
    for row in 0..<batch.count {
      let group = Int(groups[row])
      // Keys that only the left has were given numbers behind those of the right.
      guard group + 1 < starts.count, !when.isNull(at: row), !keys.contains(where: { $0.isNull(at: row) }) else {
        continue
      }
      let time = Int64(bitPattern: words[row])
      let (low, high) = (starts[group], starts[group + 1])
      // The first row behind the time; with the time's own rows or without.
      let behind = firstRow(low..<high, time, includesEqual: asOf.isForward != asOf.isStrict)
      let place = asOf.isForward ? behind : behind - 1
      if place >= low, place < high { places[row] = Int32(place) }
    }
    return places
  }

  /// The first row whose time is greater, or not less.
  private func firstRow(_ rows: Range<Int>, _ time: Int64, includesEqual: Bool) -> Int {
    var (low, high) = (rows.lowerBound, rows.upperBound)
    while low < high {
      let middle = (low + high) / 2
      let isBehind = includesEqual ? times[middle] >= time : times[middle] > time
      if isBehind { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
