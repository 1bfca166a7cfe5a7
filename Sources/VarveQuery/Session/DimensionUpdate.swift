// UPDATE and DELETE on a dimension table: a query finds the rows, and what they become.

import VarveCompute
import VarveCore
import VarveStorage

struct DimensionUpdate: DimensionPlan {
  let table: DimensionSchema
  /// Delivers the columns of the table, then those of FROM, then the new values.
  let source: any PlanNode
  /// Columns of `source` that come from FROM.
  let otherCount: Int
  /// Places in the table's columns of the new values, in order.
  let assigned: [Int]
  let returning: [BoundExpression]?
  var verb: String { "UPDATE" }

  func run(_ rows: DimensionRows, _ context: ExecutionContext) throws -> DimensionOutcome {
    var outcome = DimensionOutcome()
    // Keys of the rows that were found; a row that FROM matches more than once is updated once.
    var found = Set<[UInt8]>()
    var moved: [(key: [UInt8], values: [DimensionValue])] = []
    let input = try context.open(source)
    let width = table.columns.count
    while let batch = try input.next() {
      try context.check()
      try context.memory.charge(2 * batch.byteCount)
      var written: [[DimensionValue]] = []
      let chosen = Buffer<UInt32>(capacity: batch.count)
      for row in 0..<batch.count {
        let oldKey = try table.key(of: values(Array(batch.columns[..<width]), row: row))
        guard found.insert(oldKey).inserted else { continue }
        var columns = Array(batch.columns[..<width])
        for (place, column) in zip(assigned, batch.columns[(width + otherCount)...]) { columns[place] = column }
        let values = values(columns, row: row)
        let (key, encoded) = try encoded(values)
        if key == oldKey {
          outcome.changes[key] = .some(encoded)
        } else {
          if outcome.changes[oldKey] == nil { outcome.changes[oldKey] = .some(nil) }
          moved.append((key, values))
        }
        written.append(values)
        chosen.append(UInt32(row))
      }
      outcome.count += written.count
      guard returning != nil, !written.isEmpty else { continue }
      let others = QueryBatch(
        count: batch.count, columns: Array(batch.columns[width..<(width + otherCount)])
      ).gather(chosen.span)
      let new = try self.batch(written, context)
      outcome.returned.append(QueryBatch(count: new.count, columns: new.columns + others.columns))
    }
    // Keys are held to be unique when the statement is done: rows may change places.
    for (key, values) in moved {
      if case .some(.some) = outcome.changes[key] { throw try duplicate(values, context) }
      if !found.contains(key), rows.find(key) != nil { throw try duplicate(values, context) }
      outcome.changes[key] = .some(try encoded(values).row)
    }
    return outcome
  }
}

struct DimensionDelete: DimensionPlan {
  let table: DimensionSchema
  /// Delivers the columns of the table, then those of USING.
  let source: any PlanNode
  let returning: [BoundExpression]?
  var verb: String { "DELETE" }

  func run(_ rows: DimensionRows, _ context: ExecutionContext) throws -> DimensionOutcome {
    var outcome = DimensionOutcome()
    let input = try context.open(source)
    let width = table.columns.count
    while let batch = try input.next() {
      try context.check()
      try context.memory.charge(batch.byteCount)
      let chosen = Buffer<UInt32>(capacity: batch.count)
      for row in 0..<batch.count {
        let key = try table.key(of: values(Array(batch.columns[..<width]), row: row))
        guard outcome.changes.updateValue(nil, forKey: key) == nil else { continue }
        chosen.append(UInt32(row))
      }
      outcome.count += chosen.count
      if returning != nil, chosen.count > 0 { outcome.returned.append(batch.gather(chosen.span)) }
    }
    return outcome
  }
}
