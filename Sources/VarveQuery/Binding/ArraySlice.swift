// array[lower:upper]: what lies between two places of an array, which count from 1. Beyond its ends there is nothing.

import VarveCompute
import VarveCore

extension Binder {
  func bindSlice(
    _ operand: ExpressionSyntax, _ lower: ExpressionSyntax?, _ upper: ExpressionSyntax?, _ level: QueryLevel,
    at location: Int
  ) throws -> BoundExpression {
    let array = try bind(operand, level)
    guard array.type.element != nil else {
      throw error(
        "42804", "cannot subscript type \(array.type.name) because it does not support subscripting", at: location)
    }
    if array.type == .int2vector || array.type == .oidvector {
      throw source.unsupported("a slice of \(array.type.name)", at: location)
    }
    func bound(_ syntax: ExpressionSyntax?, _ missing: Int32) throws -> BoundExpression {
      guard let syntax else { return .constant(.int(Int64(missing)), .int4) }
      guard let place = try coerce(try bind(syntax, level), to: .int4, .assignment, at: syntax.location) else {
        throw error("42804", "array subscript must have type integer", at: syntax.location)
      }
      return place
    }
    return .call(Self.slicing(array.type), [array, try bound(lower, 1), try bound(upper, .max)])
  }

  private static func slicing(_ type: SQLType) -> ScalarFunction {
    ScalarFunction(name: "array_slice", argumentTypes: [type, .int4, .int4], resultType: type) { columns, count, _ in
      try Column(
        type: type,
        data: (0..<count).map { row in
          guard case .array(let items) = columns[0].datum(at: row), case .int(let lower) = columns[1].datum(at: row),
            case .int(let upper) = columns[2].datum(at: row)
          else { return .null }
          let first = max(lower, 1) - 1
          let end = min(upper, Int64(items.count))
          return .array(first < end ? Array(items[Int(first)..<Int(end)]) : [])
        })
    }
  }
}
