// What gap filling computes: the buckets between two times that a grouped query has no rows for, and the values that
// locf() and interpolate() give them.

import VarveCompute
import VarveCore

/// A call of locf or interpolate.
struct FillCall: Sendable {
  enum Kind: Sendable, Equatable {
    /// The last value, of the last bucket that has one or of the last bucket that has rows.
    case locf(treatsNullAsMissing: Bool)
    case interpolate
  }
  var kind: Kind
  var value: BoundExpression
  /// What stands before the first bucket: a value; for interpolate a time and a value.
  var before: [BoundExpression] = []
  /// What stands behind the last bucket: a time and a value.
  var after: [BoundExpression] = []
  var location = -1

  var type: SQLType { value.type }
  var children: [BoundExpression] { [value] + before + after }

  func mapChildren(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> FillCall {
    var call = self
    call.value = try map(value)
    call.before = try before.map(map)
    call.after = try after.map(map)
    return call
  }
}

struct GapFill: Sendable {
  /// One end of what is filled; of several the one that leaves least.
  struct Bound: Sendable {
    var expression: BoundExpression
    /// `time > …` begins one tick later, `time <= …` ends one later.
    var isNextTick = false
  }
  /// The column of the buckets.
  var time: Int
  /// The columns of the other keys: each combination of their values is filled for itself.
  var keys: [Int]
  /// time_bucket, and its arguments: of these the second is the time, the others are constants.
  var bucket: ScalarFunction
  var arguments: [BoundExpression]
  var starts: [Bound]
  var finishes: [Bound]
}

/// What a call of time_bucket_gapfill says.
struct GapFillRequest {
  static let name = "time_bucket_gapfill"
  var call: BoundExpression
  var start: BoundExpression?
  var finish: BoundExpression?
  var location: Int
}

/// Moves the fill calls of a query's expressions into the node that fills.
struct Filling {
  private var calls: [FillCall] = []
  private let inputWidth: Int

  init(_ expressions: [BoundExpression], inputWidth: Int) {
    self.inputWidth = inputWidth
    for expression in expressions { collect(expression) }
  }

  private mutating func collect(_ expression: BoundExpression) {
    guard case .fill(let call) = expression else {
      for child in expression.children { collect(child) }
      return
    }
    if !calls.contains(where: { BoundExpression.fill($0).isSame(as: expression) }) { calls.append(call) }
  }

  func plan(_ input: LogicalPlan, _ fill: GapFill) -> LogicalPlan { .gapFill(input, fill, calls) }

  func rewrite(_ expression: BoundExpression) -> BoundExpression {
    guard case .fill = expression else { return expression.mapChildren { rewrite($0) } }
    guard let index = calls.firstIndex(where: { BoundExpression.fill($0).isSame(as: expression) }) else {
      preconditionFailure("all fill calls of a query were collected")
    }
    return .column(
      ColumnReference(index: inputWidth + index, type: calls[index].type, name: "", location: calls[index].location))
  }
}
