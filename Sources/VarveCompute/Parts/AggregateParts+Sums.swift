// count, sum and avg. What is exact stays so: a sum beyond 64 bits has a second word, one that is no integer a text.

import VarveCore

extension AggregateParts {
  static func counts(_ function: AggregateFunction) -> AggregateParts? {
    guard function.name == "count" else { return nil }
    return AggregateParts([count(function.argumentTypes)], finish: .part(0))
  }

  /// Of rows, where there is no type, or of values.
  static func count(_ types: [SQLType], at place: Int = 0) -> Part {
    Part(
      "count", .int64, catalogued("count", types), Array(types.indices), merge: totalCount, [place])
  }

  /// Unlike a sum it is 0 of nothing.
  static let totalCount = AggregateFunction(name: "total_count", argumentTypes: [.int8], resultType: .int8) {
    IntegerSumAggregate(.count)
  }

  static func sums(_ function: AggregateFunction) -> AggregateParts? {
    guard function.name == "sum" || function.name == "avg", let type = function.argumentTypes.first else { return nil }
    let isAverage = function.name == "avg"
    switch type.base {
    case .float8:
      let sum = floatSum(at: isAverage ? 1 : 0)
      guard isAverage else { return AggregateParts([sum], finish: .part(0)) }
      return AggregateParts([count([type]), sum], finish: .call(floatAverage, [.part(1), .part(0)]))
    case .int2, .int4, .int8, .numeric:
      let sum = ExactParts("sum", exactSum(type), isInteger: type.isInteger, at: isAverage ? 1 : 0)
      if isAverage {
        return AggregateParts([count([type])] + sum.parts, finish: .call(exactAverage, [sum.total, .part(0)]))
      }
      let result = function.resultType
      return AggregateParts(
        sum.parts, finish: result.isNumeric ? sum.total : .call(StoredForm.conversion(.numeric, result), [sum.total]))
    default: return nil
    }
  }

  static func floatSum(at place: Int) -> Part {
    let sum = catalogued("sum", [.float8])
    return Part("sum", .float64, sum, [0], merge: sum, [place])
  }

  /// The sum of small integers is an int8, which sums over parts may leave and come back to.
  static func exactSum(_ type: SQLType) -> AggregateFunction {
    guard type == .int2 || type == .int4 else { return catalogued("sum", [type]) }
    return AggregateFunction(name: "exact_sum", argumentTypes: [type], resultType: .numeric) {
      IntegerSumAggregate(.numeric)
    }
  }

  private static let floatAverage = ScalarFunction(
    name: "average", argumentTypes: [.float8, .int8], resultType: .float8,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      Evaluation.words2(columns[0], columns[1], n, .float8) { sum, count in
        (Double(bitPattern: sum) / Double(Int64(bitPattern: count))).bitPattern
      }
    })

  private static let exactAverage = ScalarFunction(
    name: "average", argumentTypes: [.numeric, .int8], resultType: .numeric,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .numeric) { sum, count in
        .numeric(try Numeric.dividing(sum.numeric, Numeric(count.integer)))
      }
    })
}
