// rate, increase and delta: the first and the last sample, and for counters the sum of the steps between them. Stretches
// that are disjoint in time, as buckets of one series are, merge exactly.

import VarveCore

extension AggregateParts {
  static func counters(_ function: AggregateFunction) -> AggregateParts? {
    guard function.argumentTypes == [.float8, .timestamptz] else { return nil }
    switch function.name {
    case "delta":
      let ends = sampleEnd(last: false, at: 0) + sampleEnd(last: true, at: 2)
      return AggregateParts(ends, finish: .call(movement, [.part(0), .part(2), .part(1), .part(3)]))
    case "rate", "increase":
      let steps = Part("steps", .float64, steps, [0, 1], merge: MergedStepsAggregate.function, [0, 1, 2, 3, 4])
      return AggregateParts(
        sampleEnd(last: false, at: 0) + sampleEnd(last: true, at: 2) + [steps],
        finish: .call(function.name == "rate" ? rate : increase, [.part(4), .part(1), .part(3)]),
        needsDisjointTimes: true)
    default: return nil
    }
  }

  private static func sampleEnd(last: Bool, at place: Int) -> [Part] {
    let name = last ? "last" : "first"
    let value = SampleEndAggregate.function(last: last, .value)
    let time = SampleEndAggregate.function(last: last, .time)
    return [
      Part(name, .float64, value, [0, 1], merge: value, [place, place + 1]),
      Part("\(name)_time", .timestamp, time, [0, 1], merge: time, [place, place + 1]),
    ]
  }

  private static let steps = AggregateFunction(
    name: "steps", argumentTypes: [.float8, .timestamptz], resultType: .float8
  ) { WordStates<CounterState>(.float8, .steps, positions: [0, 1]) }

  /// Of the sum of steps and the times of the ends.
  private static let increase = overTime("increase", values: 1) { values, _ in values[0] }
  private static let rate = overTime("rate", values: 1) { values, seconds in values[0] / seconds }
  /// Of the values and times of the ends.
  private static let movement = overTime("delta", values: 2) { values, _ in values[1] - values[0] }

  /// NULL unless the samples span some time. The last two arguments are its ends.
  private static func overTime(
    _ name: String, values count: Int, _ body: @escaping @Sendable ([Double], _ seconds: Double) -> Double
  ) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: Array(repeating: .float8, count: count) + [.timestamptz, .timestamptz],
      resultType: .float8,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        try Evaluation.rows(columns, n, .float8) { row in
          let seconds = Double(Int128(row[count + 1].timestamp) - Int128(row[count].timestamp)) / 1e9
          return seconds > 0 ? .float(body(row.prefix(count).map(\.double), seconds)) : .null
        }
      })
  }
}
