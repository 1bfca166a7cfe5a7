// What is known of the values that expressions have: how many different ones, and for times how far they reach. Groups
// are counted from it.

import VarveCompute

extension PlanEstimator {
  /// `columns` are those that the expression is over.
  func column(_ expression: BoundExpression, over columns: [ColumnEstimate]) throws -> ColumnEstimate {
    switch expression {
    case .column(let reference): return columns[reference.index]
    case .constant, .parameter, .outer: return .constant
    case .call(let function, let arguments):
      let moving = arguments.filter { !$0.columns.isEmpty }
      if moving.count == 1, let time = moving.first, time.type.category == "D", function.resultType.category == "D" {
        return try timeColumn(function, arguments, over: column(time, over: columns))
      }
    default: break
    }
    if expression.type == .bool { return ColumnEstimate(.bool) }
    let places = expression.columns
    if places.isEmpty || expression.isVolatile || expression.hasSubquery { return .unknown }
    // As many as its columns have combinations, at most.
    let used = places.map { columns[$0] }
    guard used.allSatisfy({ $0.distinct != nil }) else { return .unknown }
    return ColumnEstimate(
      distinct: ColumnEstimate.groups(used, among: .greatestFiniteMagnitude),
      series: used.count == 1 ? used[0].series : nil)
  }

  func columns(_ expressions: [BoundExpression], over columns: [ColumnEstimate]) throws -> [ColumnEstimate] {
    try expressions.map { try column($0, over: columns) }
  }

  /// The input's columns, with those behind them that several expressions share.
  func columns(_ input: [ColumnEstimate], with shared: SharedExpressions) throws -> [ColumnEstimate] {
    try shared.computed.reduce(into: input) { $0.append(try column($1, over: $0)) }
  }

  /// What is made of times, and is a time. Of buckets there are as many as lie between the first and the last time, and
  /// one more, since both may be cut. Anything else (another zone, another type, some hours later) is taken for the same
  /// time.
  private func timeColumn(_ function: ScalarFunction, _ arguments: [BoundExpression], over time: ColumnEstimate) throws
    -> ColumnEstimate
  {
    guard let width = try bucketWidth(function, arguments) else { return time }
    guard let span = time.span else { return ColumnEstimate() }
    let count = (span / width).rounded(.down) + 1
    return ColumnEstimate(distinct: min(count, time.distinct ?? count), span: span)
  }

  /// In nanoseconds; nil: the function makes no buckets, or of a width that is not known.
  private func bucketWidth(_ function: ScalarFunction, _ arguments: [BoundExpression]) throws -> Double? {
    switch function.name {
    case "time_bucket", "date_bin":
      guard case .interval(let interval)? = try value(arguments.first) else { return nil }
      let width = Self.nanoseconds(interval)
      return width > 0 ? width : nil
    case "date_trunc":
      guard case .text(let unit)? = try value(arguments.first) else { return nil }
      return CalendarUnit.nanoseconds(unit)
    case "date": return CalendarUnit.nanoseconds("day")
    default: return nil
    }
  }
}

extension ColumnEstimate {
  /// Of rows of one and of the other: names of series are the same ones, other values are taken to be others.
  func united(with other: ColumnEstimate) -> ColumnEstimate {
    func sum(_ one: Double?, _ other: Double?) -> Double? { one.flatMap { one in other.map { one + $0 } } }
    if let series, let others = other.series {
      let most = distinct.flatMap { one in other.distinct.map { max(one, $0) } }
      return ColumnEstimate(
        distinct: most, series: SeriesEstimate(scan: series.scan, count: max(series.count, others.count)))
    }
    return ColumnEstimate(distinct: sum(distinct, other.distinct), span: sum(span, other.span))
  }
}
