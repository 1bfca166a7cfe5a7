// Moves the window calls of a query's expressions into plan nodes of their own, one for each order that calls share.
// Each node keeps the columns of its input and adds one a call; expressions then refer to these.

import VarveCompute
import VarveCore

struct Windowing {
  private var groups: [(order: WindowOrder, calls: [WindowCall])] = []
  private let inputWidth: Int

  /// Finds the calls of all expressions that will be rewritten.
  init(_ expressions: [BoundExpression], inputWidth: Int) {
    self.inputWidth = inputWidth
    for expression in expressions { collect(expression) }
  }

  var isEmpty: Bool { groups.isEmpty }

  private mutating func collect(_ expression: BoundExpression) {
    guard case .window(let call) = expression else {
      for child in expression.children { collect(child) }
      return
    }
    guard let group = groups.firstIndex(where: { $0.order.isSame(as: call.order) }) else {
      groups.append((call.order, [call]))
      return
    }
    if !groups[group].calls.contains(where: { BoundExpression.window($0).isSame(as: expression) }) {
      groups[group].calls.append(call)
    }
  }

  func plan(_ input: LogicalPlan) -> LogicalPlan {
    groups.reduce(input) { .window($0, $1.order, $1.calls) }
  }

  func rewrite(_ expression: BoundExpression) -> BoundExpression {
    guard case .window = expression else { return expression.mapChildren { rewrite($0) } }
    var index = inputWidth
    for group in groups {
      for call in group.calls {
        if BoundExpression.window(call).isSame(as: expression) {
          return .column(ColumnReference(index: index, type: call.type, name: "", location: call.location))
        }
        index += 1
      }
    }
    preconditionFailure("all window calls of a query were collected")
  }
}
