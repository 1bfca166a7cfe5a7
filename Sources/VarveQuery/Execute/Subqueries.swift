// Subqueries within expressions. One that takes nothing from around it runs once an execution; one that does runs
// once for each distinct set of values it takes.

import VarveCompute
import VarveCore

/// What subqueries gave, by plan and by the values they were given.
final class SubqueryResults {
  struct Key: Hashable {
    let plan: ObjectIdentifier
    let values: [Datum]
  }
  /// Of those that take no values, which run once.
  private var constants: [ObjectIdentifier: QueryBatch] = [:]
  private var results: [Key: QueryBatch] = [:]
  /// What `results` and their keys were charged for.
  private var byteCount = 0
  private static let capacity = 10_000

  /// The rows of `make` are charged for, and stay so as long as they are kept.
  func result(_ key: Key, _ memory: MemoryAccount, _ make: () throws -> QueryBatch) throws -> QueryBatch {
    if let known = key.values.isEmpty ? constants[key.plan] : results[key] { return known }
    let made = try make()
    if key.values.isEmpty {
      constants[key.plan] = made
      return made
    }
    // Running one anew costs less than failing for what is kept of others.
    if results.count >= Self.capacity || byteCount > memory.limit / 8 {
      results.removeAll()
      memory.release(byteCount)
      byteCount = 0
    }
    let keyByteCount = 128 + 64 * key.values.count
    try memory.charge(keyByteCount)
    byteCount += keyByteCount + made.byteCount
    results[key] = made
    return made
  }
}

extension ExecutionContext {
  func run(_ subquery: BoundSubquery, _ batch: QueryBatch) throws -> Column {
    let operands = try subquery.operands.map { try evaluate($0, batch) }
    if subquery.outerInputs.isEmpty {
      let result = try rows(subquery, [])
      switch subquery.kind {
      case .quantified(let function, let isAll): return try compare(operands[0], with: result, function, isAll)
      case .containsRow: return RowSet(result).contains(operands, count: batch.count)
      case .scalar, .exists, .array:
        return .constant(try value(subquery, result, []), type: subquery.type, count: batch.count)
      }
    }
    let inputs = try subquery.outerInputs.map { try evaluate($0, batch) }
    var builder = ColumnBuilder(subquery.type, capacity: batch.count)
    for row in 0..<batch.count {
      try check()
      let result = try rows(subquery, inputs.map { $0.datum(at: row) })
      try builder.append(try value(subquery, result, operands.map { $0.slice(row..<(row + 1)) }))
    }
    return builder.finish()
  }

  /// All rows of a plan that is given values of its surroundings. What it took to make them is let go.
  func collect(_ node: any PlanNode, with values: [Datum]) throws -> QueryBatch {
    let before = memory.used
    let rows = try nested(values).collect(node)
    memory.release(memory.used - before - rows.byteCount)
    return rows
  }

  private func rows(_ subquery: BoundSubquery, _ values: [Datum]) throws -> QueryBatch {
    let key = SubqueryResults.Key(plan: ObjectIdentifier(subquery.plan), values: values)
    return try subqueryResults.result(key, memory) { try collect(subquery.plan.node, with: values) }
  }

  private func value(_ subquery: BoundSubquery, _ result: QueryBatch, _ operands: [Column]) throws -> Datum {
    switch subquery.kind {
    case .exists: return .bool(result.count > 0)
    case .scalar:
      if result.count > 1 {
        throw SQLError.make("21000", "more than one row returned by a subquery used as an expression")
      }
      return result.count == 0 ? .null : result.columns[0].datum(at: 0)
    case .array:
      try memory.charge(result.count * MemoryLayout<Datum>.stride)
      return .array((0..<result.count).map { result.columns[0].datum(at: $0) })
    case .quantified(let function, let isAll):
      return try compare(operands[0], with: result, function, isAll).datum(at: 0)
    case .containsRow: return RowSet(result).contains(operands, count: 1).datum(at: 0)
    }
  }

  private func compare(_ operand: Column, with result: QueryBatch, _ function: ScalarFunction, _ isAll: Bool) throws
    -> Column
  {
    guard result.count > 0 else { return .constant(.bool(isAll), type: .bool, count: operand.count) }
    let values = result.columns[0]
    if function.argumentTypes[0] == function.argumentTypes[1], !isAll, function.name == "=" {
      return KeySet(values).contains(operand)
    }
    if function.argumentTypes[0] == function.argumentTypes[1], isAll, function.name == "<>" {
      return Logic.not(KeySet(values).contains(operand))
    }
    let states = Buffer<UInt8>(repeating: 0, count: operand.count)
    for row in 0..<operand.count {
      let left = Column.constant(operand.datum(at: row), type: operand.type, count: values.count)
      states[row] = Logic.quantify(try function.evaluate([left, values], values.count, evaluation), isAll)
    }
    return Logic.column(states)
  }
}
