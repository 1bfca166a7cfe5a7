// approx_percentile, approx_count_distinct and histogram: one part, the text of the state. What fraction is asked for
// is nothing that is kept: one sketch answers all.

import VarveCore

extension AggregateParts {
  static func sketches(_ function: AggregateFunction) -> AggregateParts? {
    switch function.name {
    case "approx_percentile":
      return AggregateParts(
        [sketch("quantile_sketch", .float8, [1]) { ApproximatePercentileAggregate(.float8, takesFraction: false) }],
        finish: .call(quantile(function.argumentTypes[0], function.resultType), [.part(0), .argument(0)]),
        constants: [0])
    case "approx_count_distinct":
      let type = function.argumentTypes[0]
      return AggregateParts(
        [sketch("distinct_sketch", type, [0]) { ApproximateCountAggregate() }],
        finish: .call(distinctCount, [.part(0)]))
    case "histogram":
      let merge = AggregateFunction(name: "sum_of_histograms", argumentTypes: [.text], resultType: .array(.int4)) {
        StoredStateAggregate(HistogramAggregate(), takes: .states, gives: .result)
      }
      let text = StoredForm.conversion(.array(.int4), .text)
      let part = Part(
        "histogram", .text, function, [0, 1, 2, 3], encode: text, merge: merge, [0],
        encodeMerged: .call(text, [.part(0)]))
      return AggregateParts([part], finish: .part(0), constants: [1, 2, 3])
    default: return nil
    }
  }

  private static func sketch(
    _ name: String, _ type: SQLType, _ arguments: [Int], _ make: @escaping @Sendable () -> any StorableAggregate
  ) -> Part {
    let partial = AggregateFunction(name: name, argumentTypes: [type], resultType: .text) {
      StoredStateAggregate(make(), takes: .arguments, gives: .state)
    }
    let merge = AggregateFunction(name: "union_of_\(name)es", argumentTypes: [.text], resultType: .text) {
      StoredStateAggregate(make(), takes: .states, gives: .state)
    }
    return Part("sketch", .text, partial, arguments, merge: merge, [0])
  }

  private static func quantile(_ fraction: SQLType, _ result: SQLType) -> ScalarFunction {
    ScalarFunction(
      name: "approx_percentile", argumentTypes: [.text, fraction], resultType: result,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        if Evaluation.isConstantNull(columns[0]) { return .null(result, count: n) }
        var builder = ColumnBuilder(result, capacity: n)
        let text = TextView(columns[0])
        for row in 0..<n {
          if columns[0].isNull(at: row) {
            builder.appendNull()
          } else {
            let sketch = try QuantileSketch(text: text.bytes(row))
            try builder.append(try ApproximatePercentileAggregate.value(sketch, columns[1].datum(at: row)))
          }
        }
        return builder.finish()
      })
  }

  /// 0 of no sketch.
  private static let distinctCount = ScalarFunction(
    name: "approx_count_distinct", argumentTypes: [.text], resultType: .int8,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      var builder = ColumnBuilder(.int8, capacity: n)
      if Evaluation.isConstantNull(columns[0]) { return .constant(.int(0), type: .int8, count: n) }
      let text = TextView(columns[0])
      for row in 0..<n {
        let isEmpty = columns[0].isNull(at: row)
        builder.append(isEmpty ? 0 : Int64(clamping: try DistinctSketch(text: text.bytes(row)).estimate))
      }
      return builder.finish()
    })
}
