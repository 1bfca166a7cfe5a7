// Variance and standard deviation. Of doubles the sum of squared deviations is kept beside number and sum (Chan, Golub,
// LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances", 1979); of exact numbers the sum
// of squares, exactly.

import VarveCore

extension AggregateParts {
  static func spreads(_ function: AggregateFunction) -> AggregateParts? {
    guard let kind = VarianceKind.all.first(where: { $0.name == function.name })?.kind else { return nil }
    let type = function.argumentTypes[0].base
    switch type {
    case .float8:
      return AggregateParts(
        [
          count([type]), floatSum(at: 1),
          Part("deviations", .float64, squaredDeviations, [0], merge: mergedDeviations, [0, 1, 2]),
        ], finish: .call(floatSpread(function.name, kind), [.part(0), .part(2)]))
    case .int2, .int4, .int8, .numeric:
      let sum = ExactParts("sum", exactSum(type), isInteger: type.isInteger, at: 1)
      let squares = ExactParts("squares", sumOfSquares(type), isInteger: false, at: 1 + sum.parts.count)
      return AggregateParts(
        [count([type])] + sum.parts + squares.parts,
        finish: .call(exactSpread(function.name, kind), [.part(0), sum.total, squares.total]))
    default: return nil
    }
  }

  private static let squaredDeviations = AggregateFunction(
    name: "squared_deviations", argumentTypes: [.float8], resultType: .float8
  ) { FloatVarianceAggregate(nil) }

  private static let mergedDeviations = AggregateFunction(
    name: "merged_deviations", argumentTypes: [.int8, .float8, .float8], resultType: .float8
  ) { MergedDeviationsAggregate() }

  private static func sumOfSquares(_ type: SQLType) -> AggregateFunction {
    AggregateFunction(name: "sum_of_squares", argumentTypes: [type], resultType: .numeric) {
      ExactVarianceAggregate(nil)
    }
  }

  private static func floatSpread(_ name: String, _ kind: VarianceKind) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: [.int8, .float8], resultType: .float8,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .float8) { count, squares in
          kind.value(count: Double(count.integer), squares: squares.double).map(Datum.float) ?? .null
        }
      })
  }

  private static func exactSpread(_ name: String, _ kind: VarianceKind) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: [.int8, .numeric, .numeric], resultType: .numeric,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        try Evaluation.rows(columns, n, .numeric) { row in
          let (count, sum, squares) = (row[0].integer, row[1].numeric, row[2].numeric)
          guard sum.isFinite, squares.isFinite else { return count < (kind.sample ? 2 : 1) ? .null : .numeric(.nan) }
          // Squares show twice the digits behind the point that their numbers show.
          let value = try kind.value(count: count, sum: sum.wide, squares: squares.wide, scale: sum.scale)
          return value.map(Datum.numeric) ?? .null
        }
      })
  }
}

/// Sums of squared deviations of parts, over (count, sum, deviations) of each.
final class MergedDeviationsAggregate: GroupedAggregate {
  private var states: [FloatDeviations] = []

  func resize(to count: Int) {
    if count > states.count { states.append(contentsOf: repeatElement(.init(), count: count - states.count)) }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try take(arguments, range) { _ in group }
  }

  @inline(__always)
  private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    let inputs = arguments.map { AggregateInput($0).column }
    let (count, sum, squares) = (inputs[0].wordBuffer, inputs[1].wordBuffer, inputs[2].wordBuffer)
    // Where there is no value, neither is a sum.
    let nulls = Evaluation.nulls(inputs[1], inputs[2])
    defer { withExtendedLifetime((count, sum, squares, nulls)) {} }
    let (counts, sums, deviations, missing) = (count.base, sum.base, squares.base, nulls?.base)
    var overflow = false
    states.withUnsafeMutableBufferPointer { states in
      for row in rows where missing?[row] ?? 0 == 0 {
        let part = FloatDeviations(
          count: Double(Int64(bitPattern: counts[row])), sum: Double(bitPattern: sums[row]),
          squares: Double(bitPattern: deviations[row]))
        overflow = states[group(row)].merge(part) || overflow
      }
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? MergedDeviationsAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() where states[Int(group)].merge(other.states[i]) {
      throw SQLError.outOfRange(.float8)
    }
  }

  func result() -> Column {
    var builder = ColumnBuilder(.float8, capacity: states.count)
    for state in states { if state.count == 0 { builder.appendNull() } else { builder.append(state.squares) } }
    return builder.finish()
  }
}
