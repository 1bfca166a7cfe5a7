// INSERT … [ON CONFLICT …] into a dimension table.

import VarveCompute
import VarveCore
import VarveStorage

struct DimensionInsert: DimensionPlan {
  struct Update: Sendable {
    /// Over the table's columns, then those of `excluded`: places in the table's columns and their values.
    let assignments: [(column: Int, value: BoundExpression)]
    let conditions: [BoundExpression]
  }
  enum Conflict: Sendable {
    case fail
    case doNothing
    case update(Update)
  }

  let table: DimensionSchema
  /// Delivers all of the table's columns, in order.
  let source: any PlanNode
  let conflict: Conflict
  let returning: [BoundExpression]?
  var verb: String { "INSERT" }

  func run(_ rows: DimensionRows, _ context: ExecutionContext) throws -> DimensionOutcome {
    var outcome = DimensionOutcome()
    let input = try context.open(source)
    while let batch = try input.next() {
      try context.check()
      try context.memory.charge(2 * batch.byteCount)
      try insert(batch, rows, &outcome, context)
    }
    return outcome
  }

  private func insert(
    _ batch: QueryBatch, _ rows: DimensionRows, _ outcome: inout DimensionOutcome, _ context: ExecutionContext
  ) throws {
    var written: [[DimensionValue]] = []
    for row in 0..<batch.count {
      let values = values(batch.columns, row: row)
      let (key, encoded) = try encoded(values)
      let isNew = outcome.changes[key] == nil
      guard let existing = isNew ? rows.find(key) : encoded else {
        outcome.changes[key] = .some(encoded)
        written.append(values)
        continue
      }
      switch conflict {
      case .fail: throw try duplicate(values, context)
      case .doNothing: continue
      case .update(let update):
        guard isNew else {
          throw SQLError.make(
            "21000", "ON CONFLICT DO UPDATE command cannot affect row a second time",
            hint:
              "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
        }
        guard let changed = try apply(update, existing, batch.slice(row..<(row + 1)), context) else { continue }
        let (newKey, newRow) = try self.encoded(changed)
        if newKey != key {
          guard rows.find(newKey) == nil, outcome.changes[newKey] == nil else { throw try duplicate(changed, context) }
          outcome.changes[key] = .some(nil)
        }
        outcome.changes[newKey] = .some(newRow)
        written.append(changed)
      }
    }
    outcome.count += written.count
    if returning != nil, !written.isEmpty { outcome.returned.append(try self.batch(written, context)) }
  }

  /// The row as the update makes it; nil where its condition does not hold.
  private func apply(_ update: Update, _ existing: [UInt8], _ excluded: QueryBatch, _ context: ExecutionContext) throws
    -> [DimensionValue]?
  {
    let old = try DimensionDecoder(table, Array(table.columns.indices)).batch([existing], context.evaluation)
    let both = QueryBatch(count: 1, columns: old.columns + excluded.columns)
    if let chosen = try context.selection(update.conditions, both), chosen.count == 0 { return nil }
    var columns = old.columns
    for (place, value) in update.assignments { columns[place] = try context.evaluate(value, both) }
    return values(columns, row: 0)
  }
}
