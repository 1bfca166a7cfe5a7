// Statistics of pairs as parts: number, means, and sums of squared deviations and of their products, which determine
// all of them. Of a derivative x is in seconds since an origin that is kept too.

import VarveCore

enum RegressionParts {
  static let statistics: [RegressionState.Result] = [
    .regr_count, .regr_avgx, .regr_avgy, .regr_sxx, .regr_syy, .regr_sxy,
  ]
  private static let names = ["count", "average_x", "average_y", "squares_x", "squares_y", "products"]

  static func type(_ statistic: RegressionState.Result) -> SQLType { statistic == .regr_count ? .int8 : .float8 }

  /// `partial` gives one of the statistics; parts of a derivative have their origin behind them.
  static func parts(
    hasOrigin: Bool, _ partial: (RegressionState.Result) -> AggregateFunction
  ) -> [AggregateParts.Part] {
    let places = Array(0..<(statistics.count + (hasOrigin ? 1 : 0)))
    return zip(names, statistics).map { name, statistic in
      AggregateParts.Part(
        name, statistic == .regr_count ? .int64 : .float64, partial(statistic), [0, 1],
        merge: MergedRegressionAggregate.function(.statistic(statistic), hasOrigin: hasOrigin), places)
    }
  }

  static func finish(_ name: String, _ result: RegressionState.Result) -> AggregateParts.Derived {
    let function = ScalarFunction(
      name: name, argumentTypes: statistics.map(type), resultType: .float8,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        try Evaluation.rows(columns, n, .float8) { row in
          let state = RegressionState(
            count: row[0].integer, row[1].double, row[2].double, row[3].double, row[4].double, row[5].double)
          return state.value(result).map(Datum.float) ?? .null
        }
      })
    return .call(function, statistics.indices.map { .part($0) })
  }
}

extension AggregateParts {
  static func regressions(_ function: AggregateFunction) -> AggregateParts? {
    if function.name == "derivative" { return derivative(function) }
    guard let result = RegressionState.Result(rawValue: function.name) else { return nil }
    if result == .regr_count {
      return AggregateParts([Part("count", .int64, function, [0, 1], merge: totalCount, [0])], finish: .part(0))
    }
    let parts = RegressionParts.parts(hasOrigin: false) { catalogued($0.rawValue, [.float8, .float8]) }
    return AggregateParts(parts, finish: RegressionParts.finish(function.name, result))
  }

  private static func derivative(_ function: AggregateFunction) -> AggregateParts? {
    guard function.argumentTypes == [.float8, .timestamptz] else { return nil }
    func partial(_ name: String, _ type: SQLType, _ output: DerivativeState.Output) -> AggregateFunction {
      AggregateFunction(name: "derivative_\(name)", argumentTypes: [.float8, .timestamptz], resultType: type) {
        WordStates<DerivativeState>(type, output, positions: [0, 1])
      }
    }
    let parts = RegressionParts.parts(hasOrigin: true) {
      partial($0.rawValue, RegressionParts.type($0), .statistic($0))
    }
    let origin = Part(
      "origin", .timestamp, partial("origin", .timestamptz, .origin), [0, 1],
      merge: MergedRegressionAggregate.function(.origin, hasOrigin: true), Array(0...parts.count))
    return AggregateParts(parts + [origin], finish: RegressionParts.finish(function.name, .regr_slope))
  }
}

/// One of the merged statistics, over all of them and, of a derivative, the origin. Of several origins it is the least.
final class MergedRegressionAggregate: GroupedAggregate {
  private struct State {
    var origin: Int64 = 0
    var regression = RegressionState(.regr_slope)

    mutating func merge(_ other: State) throws {
      if other.regression.count == 0 { return }
      if regression.count == 0 {
        self = other
        return
      }
      if other.origin < origin {
        regression = regression.movingX(by: DerivativeState.seconds(from: other.origin, to: origin))
        origin = other.origin
        try regression.merge(other.regression)
      } else {
        try regression.merge(other.regression.movingX(by: DerivativeState.seconds(from: origin, to: other.origin)))
      }
    }
  }

  static func function(_ output: DerivativeState.Output, hasOrigin: Bool) -> AggregateFunction {
    let (name, type): (String, SQLType) =
      switch output {
      case .statistic(let statistic): (statistic.rawValue, RegressionParts.type(statistic))
      case .origin, .slope: ("origin", .timestamptz)
      }
    return AggregateFunction(
      name: "merged_\(name)",
      argumentTypes: RegressionParts.statistics.map(RegressionParts.type) + (hasOrigin ? [.timestamptz] : []),
      resultType: type
    ) { MergedRegressionAggregate(output, type) }
  }

  private let output: DerivativeState.Output
  private let type: SQLType
  private var states: [State] = []

  init(_ output: DerivativeState.Output, _ type: SQLType) {
    self.output = output
    self.type = type
  }

  func resize(to count: Int) {
    if count > states.count { states.append(contentsOf: repeatElement(State(), count: count - states.count)) }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try take(arguments, range) { _ in group }
  }

  private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    let inputs = arguments.map { AggregateInput($0).column }
    let words = inputs.map(\.wordBuffer)
    // Of no pairs all but their number are NULL.
    let nulls = inputs[1].nulls
    defer { withExtendedLifetime((words, nulls)) {} }
    for row in rows where nulls?.base[row] ?? 0 == 0 {
      func double(_ place: Int) -> Double { Double(bitPattern: words[place].base[row]) }
      let regression = RegressionState(
        count: Int64(bitPattern: words[0].base[row]), double(1), double(2), double(3), double(4), double(5))
      let origin = words.count > 6 ? Int64(bitPattern: words[6].base[row]) : 0
      try states[group(row)].merge(State(origin: origin, regression: regression))
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? MergedRegressionAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { try states[Int(group)].merge(other.states[i]) }
  }

  func result() -> Column {
    var builder = ColumnBuilder(type, capacity: states.count)
    for state in states {
      if case .statistic(let statistic) = output {
        state.regression.finish(statistic, into: &builder)
      } else if state.regression.count == 0 {
        builder.appendNull()
      } else {
        builder.append(state.origin)
      }
    }
    return builder.finish()
  }
}
