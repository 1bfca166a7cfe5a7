// Expressions that make buckets of time, and the buckets they make.

import VarveCompute
import VarveCore
import VarveRollup

enum RollupBuckets {
  /// time_bucket or date_trunc of the time, which is column `time`; all else constant.
  static func isBucket(_ key: BoundExpression, time: Int) -> Bool {
    guard case .call(let function, let arguments) = key, ["time_bucket", "date_trunc"].contains(function.name),
      function.resultType == .timestamptz
    else { return false }
    let changing = arguments.filter { $0.constantValue == nil }
    guard changing.count == 1, case .column(let reference) = changing[0] else { return false }
    return reference.index == time
  }

  /// Throws for what makes none, a width of nothing for one.
  static func grid(_ key: BoundExpression, _ context: EvaluationContext) throws -> BucketGrid {
    guard case .call(let function, let arguments) = key else { preconditionFailure("a bucket is a call") }
    let constants = arguments.map(\.constantValue)
    let context = EvaluationContext(now: 0, timeZone: context.timeZone, zones: context.zones)
    let startOf: @Sendable (Int64) throws -> Int64 = { time in
      let columns = zip(function.argumentTypes, constants).map { type, constant in
        Column.constant(constant ?? .timestamp(time), type: type, count: 1)
      }
      guard case .timestamp(let start) = try function.evaluate(columns, 1, context).datum(at: 0) else {
        throw SQLError.make("22023", "a bucket of time is NULL")
      }
      return start
    }
    let start = try startOf(0)
    guard let width = Planner.fixedWidth(key) else { return BucketGrid(startOf: startOf) }
    return BucketGrid(fixed: BucketGrid.Fixed(width: width, origin: start), startOf: startOf)
  }
}
