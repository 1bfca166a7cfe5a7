// Moves conditions towards the rows they speak about.

import VarveCompute
import VarveCore
import VarveStorage

enum Pushdown {
  /// The plan with `conditions` (over its columns) applied as far down as they can go.
  static func push(_ plan: LogicalPlan, _ conditions: [BoundExpression]) -> LogicalPlan {
    switch plan {
    case .filter(let input, let own):
      return push(input, own + conditions)
    case .series(var scan):
      scan.conditions += conditions
      return .series(scan)
    case .rollup(var scan):
      scan.conditions += conditions
      return .rollup(scan)
    case .project(let input, let expressions):
      let (down, stay) = split(conditions) { condition in
        condition.columns.allSatisfy { !expressions[$0].isVolatile && !expressions[$0].hasSubquery }
      }
      let moved = down.map { $0.replacingColumns { expressions[$0.index] } }
      return filtered(.project(push(input, moved), expressions), stay)
    case .aggregate(let input, let keys, let calls):
      let (down, stay) = split(conditions) { condition in
        let columns = condition.columns
        return !columns.isEmpty && columns.allSatisfy { $0 < keys.count && !keys[$0].hasSubquery }
      }
      let moved = down.map { $0.replacingColumns { keys[$0.index] } }
      return filtered(.aggregate(push(input, moved), keys: keys, calls), stay)
    case .gapFill(let input, let fill, let calls):
      // Conditions on time would leave gaps, which are filled again.
      let (down, stay) = split(conditions) { condition in
        let columns = condition.columns
        return !columns.isEmpty && columns.allSatisfy { fill.keys.contains($0) }
      }
      return filtered(.gapFill(push(input, down), fill, calls), stay)
    case .groupingSets(let input, let grouping, let calls):
      // A key that a set leaves out is NULL there, whatever it is below.
      let (down, stay) = split(conditions) { condition in
        let columns = condition.columns
        return !columns.isEmpty
          && columns.allSatisfy { column in
            column < grouping.keys.count && !grouping.keys[column].hasSubquery
              && grouping.sets.allSatisfy { $0.contains(column) }
          }
      }
      let moved = down.map { $0.replacingColumns { grouping.keys[$0.index] } }
      return filtered(.groupingSets(push(input, moved), grouping, calls), stay)
    case .window(let input, let order, let calls):
      // Only whole partitions may be left out: the others would miss rows.
      let keys = order.partition.compactMap { key -> Int? in
        if case .column(let reference) = key { return reference.index }
        return nil
      }
      let (down, stay) = split(conditions) { condition in
        let columns = condition.columns
        return !columns.isEmpty && columns.allSatisfy { keys.contains($0) }
      }
      return filtered(.window(push(input, down), order, calls), stay)
    case .join(let kind, let left, let right, let on): return pushJoin(kind, left, right, on, conditions)
    case .lateral(let kind, let left, let right, let outerInputs, let types, let on, let asOf):
      let width = left.types.count
      let (toLeft, stay) = split(conditions) { $0.columns.allSatisfy { $0 < width } && !$0.isVolatile }
      return filtered(
        .lateral(kind, push(left, toLeft), right, outerInputs: outerInputs, types: types, on: on, asOf: asOf), stay)
    case .sort(let input, let sorts): return .sort(push(input, conditions), sorts)
    case .distinct(let input): return .distinct(push(input, conditions))
    case .distinctOn(let input, let keys): return filtered(.distinctOn(push(input, []), keys), conditions)
    case .limit(let input, let limit, let offset):
      return filtered(.limit(push(input, []), limit: limit, offset: offset), conditions)
    case .ties(let input, let sorts, let limit, let offset):
      return filtered(.ties(push(input, []), sorts, limit: limit, offset: offset), conditions)
    case .setOperation(let operation, let isAll, let left, let right):
      return .setOperation(operation, isAll: isAll, push(left, conditions), push(right, conditions))
    case .dimension(let table, let columns, _):
      return filtered(.dimension(table, columns: columns, key: key(of: table, columns, conditions)), conditions)
    case .virtual, .oneRow, .values, .function: return filtered(plan, conditions)
    }
  }

  /// What the conditions say the whole key is.
  private static func key(of table: DimensionSchema, _ columns: [Int], _ conditions: [BoundExpression])
    -> [BoundExpression]?
  {
    var values: [BoundExpression] = []
    for id in table.key {
      guard let place = columns.firstIndex(where: { table.columns[$0].id == id }) else { return nil }
      let type = table.columns[columns[place]].type.sqlType
      let found = conditions.lazy.compactMap { condition -> BoundExpression? in
        guard case .call(let function, let sides) = condition, function.name == "=", sides.count == 2,
          function.argumentTypes == [type, type]
        else { return nil }
        for (column, value) in [(sides[0], sides[1]), (sides[1], sides[0])] {
          if case .column(let reference) = column, reference.index == place, value.columns.isEmpty, !value.isVolatile,
            !value.hasSubquery
          {
            return value
          }
        }
        return nil
      }.first
      guard let found else { return nil }
      values.append(found)
    }
    return values
  }

  private static func filtered(_ plan: LogicalPlan, _ conditions: [BoundExpression]) -> LogicalPlan {
    conditions.isEmpty ? plan : .filter(plan, conditions)
  }

  private static func split(_ conditions: [BoundExpression], _ goesDown: (BoundExpression) -> Bool) -> (
    [BoundExpression], [BoundExpression]
  ) {
    var down: [BoundExpression] = []
    var stay: [BoundExpression] = []
    for condition in conditions {
      if !condition.isVolatile, goesDown(condition) { down.append(condition) } else { stay.append(condition) }
    }
    return (down, stay)
  }

  private static func pushJoin(
    _ kind: JoinKind, _ left: LogicalPlan, _ right: LogicalPlan, _ on: [BoundExpression],
    _ conditions: [BoundExpression]
  ) -> LogicalPlan {
    let width = left.types.count
    var toLeft: [BoundExpression] = []
    var toRight: [BoundExpression] = []
    var joining: [BoundExpression] = []
    var above: [BoundExpression] = []
    func isLeft(_ columns: Set<Int>) -> Bool { !columns.isEmpty && columns.allSatisfy { $0 < width } }
    func isRight(_ columns: Set<Int>) -> Bool { !columns.isEmpty && columns.allSatisfy { $0 >= width } }
    func shifted(_ condition: BoundExpression) -> BoundExpression {
      condition.replacingColumns { reference in
        var reference = reference
        reference.index -= width
        return .column(reference)
      }
    }
    for condition in conditions {
      let columns = condition.columns
      if condition.isVolatile || kind == .full {
        above.append(condition)
      } else if isLeft(columns) {
        toLeft.append(condition)
      } else if kind == .inner {
        if isRight(columns) { toRight.append(shifted(condition)) } else { joining.append(condition) }
      } else {
        above.append(condition)
      }
    }
    for condition in on {
      let columns = condition.columns
      // A condition of an outer join only decides what is matched; on the right side alone it may go down.
      if kind != .full, isRight(columns), !condition.isVolatile {
        toRight.append(shifted(condition))
      } else if kind == .inner, isLeft(columns), !condition.isVolatile {
        toLeft.append(condition)
      } else {
        joining.append(condition)
      }
    }
    return filtered(.join(kind, push(left, toLeft), push(right, toRight), on: joining), above)
  }
}
