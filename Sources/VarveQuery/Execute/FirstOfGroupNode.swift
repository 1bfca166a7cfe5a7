// DISTINCT ON with ORDER BY: the first row of each group in an order, found while the input streams in any order.
// Memory goes by the number of groups, not of rows. Each batch is reduced to the best row of each of its groups, and
// those are held against the best rows so far.

import VarveCompute
import VarveCore

/// Which row of a run of a series comes first in the order, where all rows of a run are one group.
enum RunEnd: Sendable { case first, last }

final class FirstOfGroupNode: PlanNode {
  let input: any PlanNode
  let keys: [BoundExpression]
  let sorts: [BoundSort]
  /// Not nil: of each run of a batch that comes as runs, only this row can be a group's first.
  let runEnd: RunEnd?

  init(_ input: any PlanNode, keys: [BoundExpression], sorts: [BoundSort], runEnd: RunEnd?) {
    self.input = input
    self.keys = keys
    self.sorts = sorts
    self.runEnd = runEnd
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "First of Group" + (runEnd == nil ? "" : " (run ends only)") }
  /// What orders the rows of one group: the keys are equal there.
  var sortsWithinGroup: [BoundSort] {
    sorts.filter { sort in !keys.contains { $0.isSame(as: sort.expression) } }
  }
  func open(_ context: ExecutionContext) throws -> any Operator {
    FirstOfGroupOperator(self, try context.open(input), context)
  }
}

private final class FirstOfGroupOperator: Operator {
  /// Rows that were a group's best when they came, with the columns they are compared by.
  private struct Kept {
    var rows: QueryBatch
    var order: [Column]
    var byteCount: Int { rows.byteCount + order.reduce(0) { $0 + $1.byteCount } }
  }
  private let node: FirstOfGroupNode
  private let input: any Operator
  private let context: ExecutionContext
  private let sorts: [BoundSort]
  private var table: KeyTable
  private var kept: [Kept] = []
  private var keptRowCount = 0
  private var keptByteCount = 0
  private var compactedByteCount = 0
  /// Group → chunk of `kept` and row in it.
  private let places = Buffer<UInt64>()
  /// Group → its best row in the batch at hand; -1 between batches.
  private let winners = Buffer<Int32>()
  private var output: RowsOperator?

  init(_ node: FirstOfGroupNode, _ input: any Operator, _ context: ExecutionContext) {
    self.node = node
    self.input = input
    self.context = context
    sorts = node.sortsWithinGroup
    table = KeyTable(types: node.keys.map(\.type))
  }

  func next() throws -> QueryBatch? {
    if let output { return try output.next() }
    while let batch = try input.next() {
      try context.check()
      try take(candidates(batch))
    }
    try compact()
    let rows = kept.first?.rows ?? .concat([], types: node.types)
    let order = RowOrder.sorted(
      try node.sorts.map { try context.evaluate($0.expression, rows) }, node.sorts, count: rows.count)
    let output = RowsOperator(rows.gather(order.span))
    self.output = output
    return try output.next()
  }

  private func candidates(_ batch: QueryBatch) -> QueryBatch {
    guard let end = node.runEnd, let runs = batch.runs, runs.count < batch.count else { return batch }
    let rows = Buffer<UInt32>(capacity: runs.count)
    var start = 0
    for run in runs {
      rows.append(UInt32(end == .first ? start : start + run.count - 1))
      start += run.count
    }
    return batch.gather(rows.span)
  }

  private func take(_ batch: QueryBatch) throws {
    let keys = try node.keys.map { try context.evaluate($0, batch) }
    let order = try sorts.map { try context.evaluate($0.expression, batch) }
    let known = table.count
    let groups = try table.assign(keys, count: batch.count, memory: context.memory)
    let new = table.count - known
    if new > 0 {
      try context.memory.charge(new * 12)
      winners.append(repeating: -1, count: new)
      places.append(repeating: .max, count: new)
    }
    // The batch's own winners; of equals the earlier stays.
    let touched = Buffer<UInt32>()
    for row in 0..<batch.count {
      let group = Int(groups[row])
      let best = Int(winners[group])
      if best < 0 {
        winners[group] = Int32(row)
        touched.append(UInt32(group))
      } else if isBefore(order, row, order, best) {
        winners[group] = Int32(row)
      }
    }
    // Those that beat what was kept.
    let rows = Buffer<UInt32>()
    for group in touched.span {
      let row = Int(winners[Int(group)])
      winners[Int(group)] = -1
      let place = places[Int(group)]
      if place != .max, !isBefore(order, row, kept[Int(place >> 32)].order, Int(place & 0xFFFF_FFFF)) { continue }
      places[Int(group)] = UInt64(kept.count) << 32 | UInt64(rows.count)
      rows.append(UInt32(row))
    }
    if rows.count == 0 { return }
    let chunk = Kept(rows: batch.gather(rows.span), order: order.map { $0.gather(rows.span) })
    try context.memory.charge(chunk.byteCount)
    kept.append(chunk)
    keptRowCount += rows.count
    keptByteCount += chunk.byteCount
    // Rows that were beaten go when they are most of what is held. Kept rows of text hold on to the text of their
    // whole batch, so bytes count, too.
    if keptRowCount > table.count * 2 + 16_384 || keptByteCount > compactedByteCount * 2 + (16 << 20) {
      try compact()
    }
  }

  @inline(__always)
  private func isBefore(_ a: [Column], _ row: Int, _ b: [Column], _ other: Int) -> Bool {
    for index in 0..<sorts.count {
      let sort = sorts[index]
      let result = a[index].compare(
        row, b[index], other, descending: sort.isDescending, nullsFirst: sort.nullsFirst)
      if result != 0 { return result < 0 }
    }
    return false
  }

  /// One chunk of the best rows alone.
  private func compact() throws {
    guard kept.count > 1 else {
      compactedByteCount = keptByteCount
      return
    }
    let live = kept.map { _ in Buffer<UInt32>() }
    let groups = kept.map { _ in Buffer<UInt32>() }
    for group in 0..<places.count {
      let chunk = Int(places[group] >> 32)
      live[chunk].append(UInt32(places[group] & 0xFFFF_FFFF))
      groups[chunk].append(UInt32(group))
    }
    var parts: [Kept] = []
    var position: UInt64 = 0
    for chunk in kept.indices where live[chunk].count > 0 {
      let rows = live[chunk]
      parts.append(
        Kept(rows: kept[chunk].rows.gather(rows.span), order: kept[chunk].order.map { $0.gather(rows.span) }))
      for group in groups[chunk].span {
        places[Int(group)] = position
        position += 1
      }
    }
    let whole = Kept(
      rows: .concat(parts.map(\.rows), types: node.types),
      order: sorts.indices.map { index in
        .concat(parts.map { $0.order[index] }, type: sorts[index].expression.type)
      })
    context.memory.release(keptByteCount)
    kept = [whole]
    keptRowCount = whole.rows.count
    keptByteCount = whole.byteCount
    compactedByteCount = keptByteCount
    try context.memory.charge(keptByteCount)
  }
}
