// Runs bound expressions over the columns of a batch. Branches that are not taken are not computed: CASE, AND, OR
// and COALESCE look at their later parts only for the rows that are still open, so `x <> 0 AND 1 / x > 2` is safe.

import VarveCompute
import VarveCore

extension ExecutionContext {
  func evaluate(_ expression: BoundExpression, _ batch: QueryBatch) throws -> Column {
    let count = batch.count
    switch expression {
    case .constant(let datum, let type): return .constant(datum, type: type, count: count)
    case .column(let reference): return batch.columns[reference.index]
    case .outer(let slot, let type): return .constant(outerValues[slot], type: type, count: count)
    case .parameter(let index, let type): return .constant(parameters[index], type: type, count: count)
    case .call(let function, let arguments):
      var columns: [Column] = []
      columns.reserveCapacity(arguments.count)
      for argument in arguments { columns.append(try evaluate(argument, batch)) }
      return try function.evaluate(columns, count, evaluation)
    case .and(let parts): return try connect(parts, batch, decisive: false)
    case .or(let parts): return try connect(parts, batch, decisive: true)
    case .not(let operand): return Logic.not(try evaluate(operand, batch))
    case .isNull(let operand, let isNegated): return Logic.isNull(try evaluate(operand, batch), isNegated)
    case .isDistinct(let left, let right, let isNegated):
      let a = try evaluate(left, batch)
      let b = try evaluate(right, batch)
      return Logic.booleans(count) { a.isSame($0, b, $0) == isNegated }
    case .inList(let operand, let items): return try inList(operand, items, batch)
    case .quantified(let function, let left, let array, let isAll):
      return try quantified(function, try evaluate(left, batch), try evaluate(array, batch), isAll, count)
    case .choose(let cases, let otherwise, let type): return try choose(cases, otherwise, type, batch)
    case .coalesce(let values, let type): return try coalesce(values, type, batch)
    case .array(let values, let element):
      let columns = try values.map { try evaluate($0, batch) }
      return try Column(
        type: .array(element), data: (0..<count).map { row in .array(columns.map { $0.datum(at: row) }) })
    case .element(let array, let index, let type):
      let values = try evaluate(array, batch)
      let places = try evaluate(index, batch)
      // int2vector and oidvector count from 0, arrays from 1.
      let first: Int64 = array.type == .int2vector || array.type == .oidvector ? 0 : 1
      return try Column(
        type: type,
        data: (0..<count).map { row in
          guard case .array(let items) = values.datum(at: row), case .int(let place) = places.datum(at: row),
            place >= first, place - first < items.count
          else { return .null }
          return items[Int(place - first)]
        })
    case .subquery(let subquery): return try run(subquery, batch)
    case .aggregate, .grouping, .fill, .window:
      preconditionFailure("aggregates and what is over groups are planned before anything is evaluated")
    }
  }

  /// The value of an expression without columns.
  func constant(_ expression: BoundExpression) throws -> Datum {
    // Each cell of an INSERT comes by here.
    switch expression {
    case .constant(let value, _): return value
    case .parameter(let index, _): return parameters[index]
    default: return try evaluate(expression, QueryBatch(count: 1, columns: [])).datum(at: 0)
    }
  }

  /// The rows for which all conditions are true, or nil for all rows.
  func selection(_ conditions: [BoundExpression], _ batch: QueryBatch) throws -> Buffer<UInt32>? {
    var rows: Buffer<UInt32>?
    for condition in conditions {
      let current = rows.map { batch.gather($0.span, only: condition.columns) } ?? batch
      if current.count == 0 { break }
      let chosen = Column.selection(of: try evaluate(condition, current))
      if chosen.count == current.count { continue }
      if let before = rows {
        for index in 0..<chosen.count { chosen[index] = before[Int(chosen[index])] }
      }
      rows = chosen
    }
    return rows
  }

  /// AND (decided by false) and OR (decided by true).
  private func connect(_ parts: [BoundExpression], _ batch: QueryBatch, decisive: Bool) throws -> Column {
    let count = batch.count
    // 0 false, 1 true, 2 unknown.
    let states = Buffer<UInt8>(repeating: decisive ? 0 : 1, count: count)
    var open: Buffer<UInt32>?
    for part in parts {
      let current = open.map { batch.gather($0.span) } ?? batch
      if current.count == 0 { break }
      let values = try evaluate(part, current)
      let flat = values.materialized()
      let words = flat.wordBuffer
      let remaining = Buffer<UInt32>(capacity: current.count)
      for index in 0..<current.count {
        let row = open?[index] ?? UInt32(index)
        if flat.isNull(at: index) {
          states[Int(row)] = 2
          remaining.append(row)
        } else if (words[index] != 0) == decisive {
          states[Int(row)] = decisive ? 1 : 0
        } else {
          remaining.append(row)
        }
      }
      if remaining.count < count { open = remaining }
    }
    return Logic.column(states)
  }

  private func choose(
    _ cases: [(when: BoundExpression, result: BoundExpression)], _ otherwise: BoundExpression, _ type: SQLType,
    _ batch: QueryBatch
  ) throws -> Column {
    var open = Buffer<UInt32>((0..<UInt32(batch.count)).map { $0 })
    var parts = RowAssembly(type: type, count: batch.count)
    for (when, result) in cases where open.count > 0 {
      let current = open.count == batch.count ? batch : batch.gather(open.span)
      let chosen = Column.selection(of: try evaluate(when, current))
      if chosen.count == 0 { continue }
      let taken = chosen.count == current.count ? current : current.gather(chosen.span)
      let rows = Buffer<UInt32>(chosen.span.map { open[Int($0)] })
      parts.add(try evaluate(result, taken), rows: rows)
      open = RowAssembly.remove(chosen, from: open)
    }
    if open.count > 0 {
      let current = open.count == batch.count ? batch : batch.gather(open.span)
      parts.add(try evaluate(otherwise, current), rows: open)
    }
    return parts.finish()
  }

  private func coalesce(_ values: [BoundExpression], _ type: SQLType, _ batch: QueryBatch) throws -> Column {
    var open = Buffer<UInt32>((0..<UInt32(batch.count)).map { $0 })
    var parts = RowAssembly(type: type, count: batch.count)
    for (index, value) in values.enumerated() where open.count > 0 {
      let current = open.count == batch.count ? batch : batch.gather(open.span)
      let column = try evaluate(value, current)
      if index == values.count - 1 || !column.hasNulls {
        parts.add(column, rows: open)
        open = Buffer()
        break
      }
      let chosen = Buffer<UInt32>()
      for row in 0..<column.count where !column.isNull(at: row) { chosen.append(UInt32(row)) }
      if chosen.count == 0 { continue }
      parts.add(column.gather(chosen.span), rows: Buffer<UInt32>(chosen.span.map { open[Int($0)] }))
      open = RowAssembly.remove(chosen, from: open)
    }
    return parts.finish()
  }

  private func inList(_ operand: BoundExpression, _ items: [BoundExpression], _ batch: QueryBatch) throws -> Column {
    let values = try evaluate(operand, batch)
    let columns = try items.map { try evaluate($0, batch) }
    if items.allSatisfy({ $0.columns.isEmpty }), batch.count > 0 {
      let one = Column.concat(columns.map { $0.slice(0..<1) }, type: operand.type)
      return KeySet(one).contains(values)
    }
    let states = Buffer<UInt8>(repeating: 0, count: batch.count)
    for row in 0..<batch.count {
      if values.isNull(at: row) {
        states[row] = 2
        continue
      }
      for column in columns {
        if column.isNull(at: row) {
          states[row] = 2
        } else if values.isSame(row, column, row) {
          states[row] = 1
          break
        }
      }
    }
    return Logic.column(states)
  }

  private func quantified(
    _ function: ScalarFunction, _ left: Column, _ arrays: Column, _ isAll: Bool, _ count: Int
  ) throws -> Column {
    if function.name == "=", !isAll, let constant = arrays.constantValue,
      function.argumentTypes[0] == function.argumentTypes[1]
    {
      guard case .array(let items) = constant else { return .null(.bool, count: count) }
      return KeySet(try Column(type: function.argumentTypes[1], data: items)).contains(left)
    }
    let states = Buffer<UInt8>(repeating: isAll ? 1 : 0, count: count)
    for row in 0..<count {
      guard case .array(let items) = arrays.datum(at: row) else {
        states[row] = 2
        continue
      }
      if items.isEmpty { continue }
      let elements = try Column(type: function.argumentTypes[1], data: items)
      let value = Column.constant(left.datum(at: row), type: left.type, count: items.count)
      states[row] = Logic.quantify(try function.evaluate([value, elements], items.count, evaluation), isAll)
    }
    return Logic.column(states)
  }
}

/// Puts a column together from parts that were computed for some of its rows.
struct RowAssembly {
  let type: SQLType
  let count: Int
  private var columns: [Column] = []
  private var order: Buffer<UInt32>

  init(type: SQLType, count: Int) {
    self.type = type
    self.count = count
    order = Buffer(repeating: 0, count: count)
  }

  private var filled = 0

  mutating func add(_ column: Column, rows: Buffer<UInt32>) {
    for index in 0..<rows.count { order[Int(rows[index])] = UInt32(filled + index) }
    filled += rows.count
    columns.append(column)
  }

  func finish() -> Column {
    precondition(filled == count, "each row has one part")
    if count == 0 { return .null(type, count: 0) }
    if columns.count == 1 { return columns[0].gather(order.span).relabelled(type) }
    return Column.concat(columns, type: type).gather(order.span)
  }

  /// `chosen` indexes `open`, ascending.
  static func remove(_ chosen: Buffer<UInt32>, from open: Buffer<UInt32>) -> Buffer<UInt32> {
    let rest = Buffer<UInt32>(capacity: open.count - chosen.count)
    var next = 0
    for index in 0..<open.count {
      if next < chosen.count, Int(chosen[next]) == index { next += 1 } else { rest.append(open[index]) }
    }
    return rest
  }
}
