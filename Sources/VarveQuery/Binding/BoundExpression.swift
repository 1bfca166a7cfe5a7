// Expressions with names looked up and types decided: what plans carry and the evaluator runs.

import VarveCompute
import VarveCore

/// A column of an operator's input.
struct ColumnReference: Sendable {
  var index: Int
  var type: SQLType
  /// For errors: as `table.column`.
  var name: String
  var location: Int
}

struct BoundSort: Sendable {
  var expression: BoundExpression
  var isDescending: Bool
  var nullsFirst: Bool

  func mapExpression(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> BoundSort {
    BoundSort(expression: try map(expression), isDescending: isDescending, nullsFirst: nullsFirst)
  }
}

struct AggregateCall: Sendable {
  var function: AggregateFunction
  var arguments: [BoundExpression]
  var isDistinct = false
  var filter: BoundExpression?
  var orderBy: [BoundSort] = []
  var location = -1

  /// What is computed for the rows that it takes in.
  var inputs: [BoundExpression] { arguments + orderBy.map(\.expression) }
}

/// A planned query inside of an expression. Its identity is what results are remembered by during an execution.
final class SubqueryPlan: Sendable {
  let node: any PlanNode
  init(_ node: any PlanNode) { self.node = node }
}

struct BoundSubquery: Sendable {
  enum Kind: Sendable {
    case scalar, exists, array
    /// `operand op ANY (…)`; with ALL.
    case quantified(ScalarFunction, isAll: Bool)
    /// `(operand, …) IN (…)`: each operand has the type of its column.
    case containsRow
  }
  var kind: Kind
  var plan: SubqueryPlan
  /// What the query takes from around it: slot n of its `.outer` expressions, in terms of the surrounding input.
  var outerInputs: [BoundExpression]
  var operands: [BoundExpression] = []
  var type: SQLType
}

indirect enum BoundExpression: Sendable {
  case constant(Datum, SQLType)
  case column(ColumnReference)
  /// A value of the query around this one.
  case outer(slot: Int, SQLType)
  /// From 0.
  case parameter(Int, SQLType)
  case call(ScalarFunction, [BoundExpression])
  case and([BoundExpression])
  case or([BoundExpression])
  case not(BoundExpression)
  case isNull(BoundExpression, isNegated: Bool)
  /// Both of one type.
  case isDistinct(BoundExpression, BoundExpression, isNegated: Bool)
  /// All of one type.
  case inList(BoundExpression, [BoundExpression])
  /// The function compares the left with an element.
  case quantified(ScalarFunction, BoundExpression, array: BoundExpression, isAll: Bool)
  case choose(cases: [(when: BoundExpression, result: BoundExpression)], otherwise: BoundExpression, SQLType)
  case coalesce([BoundExpression], SQLType)
  case array([BoundExpression], element: SQLType)
  case element(BoundExpression, index: BoundExpression, SQLType)
  case subquery(BoundSubquery)
  /// Only until the grouping of its query is planned.
  case aggregate(AggregateCall)
  /// GROUPING(…), until the grouping of its query is planned.
  case grouping([BoundExpression], locations: [Int])
  /// locf and interpolate, until the gap filling of their query is planned.
  case fill(FillCall)
  /// Only until the windows of its query are planned.
  case window(WindowCall)

  var type: SQLType {
    switch self {
    case .constant(_, let type), .outer(_, let type), .parameter(_, let type), .choose(_, _, let type),
      .coalesce(_, let type), .element(_, _, let type):
      type
    case .column(let reference): reference.type
    case .call(let function, _): function.resultType
    case .and, .or, .not, .isNull, .isDistinct, .inList, .quantified: .bool
    case .array(_, let element): .array(element)
    case .subquery(let subquery): subquery.type
    case .aggregate(let call): call.function.resultType
    case .window(let call): call.type
    case .grouping: .int4
    case .fill(let call): call.type
    }
  }

  var constantValue: Datum? {
    if case .constant(let datum, _) = self { return datum }
    return nil
  }
}

extension BoundExpression {
  var children: [BoundExpression] {
    switch self {
    case .constant, .column, .outer, .parameter: []
    case .call(_, let arguments), .and(let arguments), .or(let arguments), .coalesce(let arguments, _),
      .array(let arguments, _), .grouping(let arguments, _):
      arguments
    case .not(let operand), .isNull(let operand, _): [operand]
    case .isDistinct(let left, let right, _): [left, right]
    case .inList(let operand, let items): [operand] + items
    case .quantified(_, let left, let array, _): [left, array]
    case .choose(let cases, let otherwise, _): cases.flatMap { [$0.when, $0.result] } + [otherwise]
    case .element(let array, let index, _): [array, index]
    case .subquery(let subquery): subquery.outerInputs + subquery.operands
    case .aggregate(let call):
      call.arguments + (call.filter.map { [$0] } ?? []) + call.orderBy.map(\.expression)
    case .window(let call): call.children
    case .fill(let call): call.children
    }
  }

  /// The same expression over other children.
  func mapChildren(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> BoundExpression {
    switch self {
    case .constant, .column, .outer, .parameter: return self
    case .call(let function, let arguments): return .call(function, try arguments.map(map))
    case .and(let arguments): return .and(try arguments.map(map))
    case .or(let arguments): return .or(try arguments.map(map))
    case .coalesce(let arguments, let type): return .coalesce(try arguments.map(map), type)
    case .array(let arguments, let element): return .array(try arguments.map(map), element: element)
    case .not(let operand): return .not(try map(operand))
    case .isNull(let operand, let isNegated): return .isNull(try map(operand), isNegated: isNegated)
    case .isDistinct(let left, let right, let isNegated):
      return .isDistinct(try map(left), try map(right), isNegated: isNegated)
    case .inList(let operand, let items): return .inList(try map(operand), try items.map(map))
    case .quantified(let function, let left, let array, let isAll):
      return .quantified(function, try map(left), array: try map(array), isAll: isAll)
    case .choose(let cases, let otherwise, let type):
      return .choose(
        cases: try cases.map { (when: try map($0.when), result: try map($0.result)) }, otherwise: try map(otherwise),
        type)
    case .element(let array, let index, let type): return .element(try map(array), index: try map(index), type)
    case .subquery(var subquery):
      subquery.outerInputs = try subquery.outerInputs.map(map)
      subquery.operands = try subquery.operands.map(map)
      return .subquery(subquery)
    case .aggregate(var call):
      call.arguments = try call.arguments.map(map)
      call.filter = try call.filter.map(map)
      call.orderBy = try call.orderBy.map { try $0.mapExpression(map) }
      return .aggregate(call)
    case .window(let call): return .window(try call.mapChildren(map))
    case .fill(let call): return .fill(try call.mapChildren(map))
    case .grouping(let arguments, let locations): return .grouping(try arguments.map(map), locations: locations)
    }
  }

  /// Puts `replacement(index)` in place of each column.
  func replacingColumns(_ replacement: (ColumnReference) -> BoundExpression) -> BoundExpression {
    if case .column(let reference) = self { return replacement(reference) }
    return mapChildren { $0.replacingColumns(replacement) }
  }

  /// The same columns at other places of the input. A column without a place is a bug of the planner.
  func renumbered(_ places: [Int: Int]) -> BoundExpression {
    replacingColumns { reference in
      guard let place = places[reference.index] else { preconditionFailure("a column that was pruned is in use") }
      var moved = reference
      moved.index = place
      return .column(moved)
    }
  }

  func collectColumns(into set: inout Set<Int>) {
    if case .column(let reference) = self { set.insert(reference.index) }
    for child in children { child.collectColumns(into: &set) }
  }
  var columns: Set<Int> {
    var set: Set<Int> = []
    collectColumns(into: &set)
    return set
  }

  func contains(_ test: (BoundExpression) -> Bool) -> Bool {
    test(self) || children.contains { $0.contains(test) }
  }
  /// Whether it takes a value from the query around.
  var hasOuter: Bool {
    contains {
      if case .outer = $0 { return true }
      return false
    }
  }
  var hasAggregate: Bool {
    contains {
      switch $0 {
      case .aggregate, .grouping: true
      default: false
      }
    }
  }
  var hasWindow: Bool {
    contains {
      if case .window = $0 { return true }
      return false
    }
  }
  var hasSubquery: Bool {
    contains {
      if case .subquery = $0 { return true }
      return false
    }
  }
  var isVolatile: Bool {
    contains {
      if case .call(let function, _) = $0 { return function.volatility == .volatile }
      return false
    }
  }

  /// The parts that must all be true.
  var conjuncts: [BoundExpression] {
    if case .and(let parts) = self { return parts.flatMap(\.conjuncts) }
    return [self]
  }

  /// Whether two expressions are the same computation.
  func isSame(as other: BoundExpression) -> Bool {
    switch (self, other) {
    case (.constant(let a, let s), .constant(let b, let t)): return a.isIdentical(to: b) && s == t
    case (.column(let a), .column(let b)): return a.index == b.index
    case (.outer(let a, _), .outer(let b, _)): return a == b
    case (.parameter(let a, _), .parameter(let b, _)): return a == b
    case (.call(let f, _), .call(let g, _)):
      guard f.name == g.name, f.argumentTypes == g.argumentTypes, f.resultType == g.resultType,
        f.volatility != .volatile
      else { return false }
    case (.and, .and), (.or, .or), (.not, .not), (.inList, .inList), (.coalesce, .coalesce), (.choose, .choose),
      (.element, .element), (.array, .array), (.grouping, .grouping):
      break
    case (.isNull(_, let a), .isNull(_, let b)): if a != b { return false }
    case (.isDistinct(_, _, let a), .isDistinct(_, _, let b)): if a != b { return false }
    case (.quantified(let f, _, _, let a), .quantified(let g, _, _, let b)):
      if f.name != g.name || f.argumentTypes != g.argumentTypes || a != b { return false }
    case (.subquery(let a), .subquery(let b)): if a.plan !== b.plan { return false }
    case (.window(let a), .window(let b)): if !a.isSame(as: b) { return false }
    case (.fill(let a), .fill(let b)):
      if a.kind != b.kind || a.before.count != b.before.count || a.after.count != b.after.count { return false }
    case (.aggregate(let a), .aggregate(let b)):
      guard a.function.name == b.function.name, a.function.argumentTypes == b.function.argumentTypes,
        a.isDistinct == b.isDistinct, (a.filter == nil) == (b.filter == nil), a.orderBy.count == b.orderBy.count,
        zip(a.orderBy, b.orderBy).allSatisfy({
          $0.isDescending == $1.isDescending && $0.nullsFirst == $1.nullsFirst
        })
      else { return false }
    default: return false
    }
    let left = children
    let right = other.children
    return type == other.type && left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
  }
}
