// ORDER BY, and ORDER BY with LIMIT, which keeps no more than twice the rows it needs.

import VarveCompute
import VarveCore

/// Orders rows by keys. The first key goes into one word a row, so that most comparisons are of two integers.
enum RowOrder {
  static func sorted(_ keys: [Column], _ sorts: [BoundSort], count: Int) -> Buffer<UInt32> {
    let order = Buffer<UInt32>((0..<UInt32(count)).map { $0 })
    guard let first = keys.first, let sort = sorts.first, count > 1 else { return order }
    let prefixes = prefix(first, sort)
    let exact = keys.count == 1 && first.type.isWord && !first.hasNulls
    var rows = order.mutableSpan
    rows.sort { a, b in
      let x = prefixes[Int(a)]
      let y = prefixes[Int(b)]
      if x != y { return x < y }
      if !exact {
        for (index, key) in keys.enumerated() {
          let sort = sorts[index]
          let result = key.compare(
            Int(a), key, Int(b), descending: sort.isDescending, nullsFirst: sort.nullsFirst)
          if result != 0 { return result < 0 }
        }
      }
      return a < b
    }
    return order
  }

  /// A word a row: where two differ, they order the rows.
  private static func prefix(_ column: Column, _ sort: BoundSort) -> Buffer<UInt64> {
    let count = column.count
    let out = Buffer<UInt64>(repeating: 0, count: count)
    let flat = column.constantValue == nil ? column : column.materialized()
    switch flat.storage {
    case .words(let words):
      let isFloat = column.type.isFloat
      for row in 0..<count {
        let word = words[row]
        var key: UInt64
        if isFloat {
          var value = Double(bitPattern: word)
          if value == 0 { value = 0 }
          if value.isNaN { value = .nan }
          let bits = value.magnitude.bitPattern
          key = value.isNaN ? .max : value < 0 ? ~(bits | 1 << 63) : bits | 1 << 63
        } else {
          key = word ^ (1 << 63)
        }
        out[row] = sort.isDescending ? ~key : key
      }
    case .text, .dictionary:
      let view = TextView(flat)
      for row in 0..<count where !flat.isNull(at: row) {
        var key: UInt64 = 0
        let bytes = view.bytes(row)
        for index in 0..<8 { key = key << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0) }
        out[row] = sort.isDescending ? ~key : key
      }
    case .data, .constant: break
    }
    if flat.hasNulls { for row in 0..<count where flat.isNull(at: row) { out[row] = sort.nullsFirst ? 0 : .max } }
    return out
  }
}

final class SortNode: PlanNode {
  let input: any PlanNode
  let sorts: [BoundSort]
  init(_ input: any PlanNode, _ sorts: [BoundSort]) {
    self.input = input
    self.sorts = sorts
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Sort" }
  func open(_ context: ExecutionContext) throws -> any Operator { SortOperator(self, context) }

  private final class SortOperator: Operator {
    let node: SortNode
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: SortNode, _ context: ExecutionContext) {
      self.node = node
      self.context = context
    }
    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      let rows = try context.collect(node.input)
      try context.memory.charge(rows.byteCount)
      let keys = try node.sorts.map { try context.evaluate($0.expression, rows) }
      let order = RowOrder.sorted(keys, node.sorts, count: rows.count)
      let output = RowsOperator(rows.gather(order.span))
      self.output = output
      return try output.next()
    }
  }
}

/// The first rows of an order. Where the first key is the time of a scan that goes partition by partition, it
/// stops at the partition that can add nothing.
final class TopRowsNode: PlanNode {
  let input: any PlanNode
  let sorts: [BoundSort]
  let limit: BoundExpression
  let offset: BoundExpression?
  /// Width of the scan's partitions, if the first key is its time and the partitions come in the key's order.
  let partitionNanoseconds: Int64?

  init(
    _ input: any PlanNode, _ sorts: [BoundSort], limit: BoundExpression, offset: BoundExpression?,
    partitionNanoseconds: Int64?
  ) {
    self.input = input
    self.sorts = sorts
    self.limit = limit
    self.offset = offset
    self.partitionNanoseconds = partitionNanoseconds
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Top Rows" + (partitionNanoseconds == nil ? "" : " (stops early)") }

  /// Beyond this a sort of everything is no worse.
  static let greatestCount = 100_000

  func open(_ context: ExecutionContext) throws -> any Operator {
    let limit = try LimitNode.count(limit, "LIMIT", context) ?? .max
    let offset = try LimitNode.count(offset, "OFFSET", context) ?? 0
    let (needed, overflow) = limit.addingReportingOverflow(offset)
    if limit == 0 { return EmptyOperator() }
    if overflow || needed > Self.greatestCount {
      return try LimitNode(SortNode(input, sorts), self.limit, self.offset).open(context)
    }
    return TopRowsOperator(self, try context.open(input), needed, offset, context)
  }

  private final class TopRowsOperator: Operator {
    let node: TopRowsNode
    let input: any Operator
    let needed: Int
    let offset: Int
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: TopRowsNode, _ input: any Operator, _ needed: Int, _ offset: Int, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.needed = needed
      self.offset = offset
      self.context = context
    }

    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      var kept: [QueryBatch] = []
      var count = 0
      var partition: Int64?
      while let batch = try input.next() {
        try context.check()
        if let width = node.partitionNanoseconds,
          case .timestamp(let time)? = try node.sorts.first.map({
            try context.evaluate($0.expression, batch.slice(0..<1)).datum(at: 0)
          })
        {
          let current = Self.floorDivide(time, width)
          // A new partition: all of its rows come after all that were seen.
          if partition != nil, partition != current, count >= needed { break }
          partition = current
        }
        kept.append(batch)
        count += batch.count
        try context.memory.charge(batch.byteCount)
        if count > max(needed * 2, 16_384) {
          kept = [try best(kept)]
          count = kept[0].count
        }
      }
      let rows = try best(kept)
      let output = RowsOperator(rows.slice(min(offset, rows.count)..<rows.count))
      self.output = output
      return try output.next()
    }

    private func best(_ batches: [QueryBatch]) throws -> QueryBatch {
      let rows = QueryBatch.concat(batches, types: node.types)
      let keys = try node.sorts.map { try context.evaluate($0.expression, rows) }
      let order = RowOrder.sorted(keys, node.sorts, count: rows.count)
      let result = rows.gather(UnsafeBufferPointer(rebasing: order.span.prefix(needed)))
      context.memory.release(batches.reduce(0) { $0 + $1.byteCount })
      try context.memory.charge(result.byteCount)
      return result
    }

    private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
      let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
      return remainder < 0 ? quotient - 1 : quotient
    }
  }
}
