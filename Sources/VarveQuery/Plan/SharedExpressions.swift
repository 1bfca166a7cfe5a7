// What expressions over one input have in common is computed once a batch: such a computation becomes a further column
// behind the input's, and the expressions take it from there.
//
// Only what is computed for each row in any case moves there. A branch of CASE, or what stands behind AND, may be for few
// rows, and fail for others; where it is the same as something that is always computed it takes that, too.

import VarveCompute
import VarveCore

struct SharedExpressions: Sendable {
  /// Each over the input and those before it.
  private(set) var computed: [BoundExpression] = []
  private let inputWidth: Int

  /// More calls than this are not compared with each other.
  private static let callLimit = 256

  /// `always`: what is computed for each row of the input; `sometimes`: what may be.
  init(always: [BoundExpression], sometimes: [BoundExpression] = [], inputWidth: Int) {
    self.inputWidth = inputWidth
    var calls: [BoundExpression] = []
    for expression in always + sometimes { Self.collectCalls(expression, into: &calls) }
    guard calls.count > 1, calls.count <= Self.callLimit else { return }
    var found: [BoundExpression] = []
    func look(_ expression: BoundExpression) {
      if case .call = expression, !expression.columns.isEmpty, !expression.isVolatile, !expression.hasSubquery {
        if found.contains(where: { $0.isSame(as: expression) }) { return }
        if calls.count(where: { $0.isSame(as: expression) }) > 1 {
          found.append(expression)
          return
        }
      }
      for part in Self.alwaysComputed(expression) { look(part) }
    }
    for expression in always { look(expression) }
    // A part comes before what it is a part of.
    for expression in found.sorted(by: { Self.size($0) < Self.size($1) }) {
      let rewritten = expression.mapChildren(rewrite)
      computed.append(rewritten)
      originals.append(expression)
    }
  }

  private var originals: [BoundExpression] = []
  var isEmpty: Bool { computed.isEmpty }

  /// The expression with columns in place of what is shared.
  func rewrite(_ expression: BoundExpression) -> BoundExpression {
    if isEmpty { return expression }
    if let place = originals.firstIndex(where: { $0.isSame(as: expression) }) {
      return .column(
        ColumnReference(index: inputWidth + place, type: expression.type, name: "", location: -1))
    }
    return expression.mapChildren(rewrite)
  }

  /// The input's rows with the shared columns.
  func extend(_ batch: QueryBatch, _ context: ExecutionContext) throws -> QueryBatch {
    if isEmpty { return batch }
    precondition(batch.columns.count == inputWidth, "shared columns stand behind all others")
    var batch = batch
    for expression in computed { batch.columns.append(try context.evaluate(expression, batch)) }
    return batch
  }

  var details: [(name: String, text: String)] { isEmpty ? [] : [("Shared Expressions", "\(computed.count)")] }

  private static func collectCalls(_ expression: BoundExpression, into calls: inout [BoundExpression]) {
    if calls.count > callLimit { return }
    if case .call = expression { calls.append(expression) }
    for child in expression.children { collectCalls(child, into: &calls) }
  }

  /// The parts that the evaluator computes whenever it computes the whole.
  private static func alwaysComputed(_ expression: BoundExpression) -> [BoundExpression] {
    switch expression {
    case .call, .not, .isNull, .isDistinct, .inList, .quantified, .array, .element: expression.children
    case .and, .or, .coalesce, .choose: Array(expression.children.prefix(1))
    default: []
    }
  }

  private static func size(_ expression: BoundExpression) -> Int { expression.children.reduce(1) { $0 + size($1) } }
}

/// Conditions that must all hold, each looked at only for rows that passed those before.
struct Conditions: Sendable {
  let shared: SharedExpressions
  let conditions: [BoundExpression]

  init(_ conditions: [BoundExpression], inputWidth: Int) {
    shared = SharedExpressions(
      always: Array(conditions.prefix(1)), sometimes: Array(conditions.dropFirst()), inputWidth: inputWidth)
    self.conditions = conditions.map(shared.rewrite)
  }

  var details: [(name: String, text: String)] {
    [("Conditions", "\(conditions.count)")] + shared.details
  }

  /// The rows that pass; nil: all do.
  func selection(_ batch: QueryBatch, _ context: ExecutionContext) throws -> Buffer<UInt32>? {
    try context.selection(conditions, shared.extend(batch, context))
  }
}
