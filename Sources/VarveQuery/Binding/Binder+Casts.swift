// Casts that are written, and arrays whose elements are known.

import VarveCompute
import VarveCore

extension Binder {
  /// Constant elements make a constant array, which `= ANY` looks up faster.
  func constantArray(_ values: [BoundExpression]) -> BoundExpression {
    let data = values.compactMap(\.constantValue)
    let element = values[0].type
    return data.count == values.count
      ? .constant(.array(data), .array(element)) : .array(values, element: element)
  }

  func cast(_ operand: ExpressionSyntax, _ typeSyntax: TypeSyntax, _ level: QueryLevel, at location: Int)
    throws -> BoundExpression
  {
    let target = try type(typeSyntax)
    // ARRAY[…]::type[] decides the element type, also of an empty one.
    if case .array(let elements) = operand.kind, case .array(let element) = target {
      let values = try elements.map { item in
        guard let value = try coerce(try bind(item, level), to: element, .explicit, at: item.location) else {
          throw error("42846", "cannot cast this element to \(element.name)", at: item.location)
        }
        return value
      }
      if values.isEmpty { return .constant(.array([]), target) }
      return constantArray(values)
    }
    if case .string(let text) = operand.kind, let unit = Self.intervalUnit(typeSyntax), Double(text) != nil {
      return .constant(try literal("\(text) \(unit)", target, at: operand.location), target)
    }
    let value = try bind(operand, level)
    guard
      let result = try coerce(
        value, to: target, .explicit, at: value.type == .unknown ? operand.location : location)
    else {
      throw error("42846", "cannot cast type \(value.type.name) to \(target.name)", at: location)
    }
    return try fitted(result, typeSyntax.isArray ? nil : typeSyntax.modifiers.first, at: location)
  }

  /// varchar(n) and char(n) cut what is longer; char(n) is as long.
  func fitted(_ value: BoundExpression, _ length: Int?, at location: Int) throws -> BoundExpression {
    guard let length, value.type == .varchar || value.type == .bpchar else { return value }
    let count = BoundExpression.constant(.int(Int64(length)), .int4)
    var text = try invoke("left", [value, count], at: location)
    if value.type == .bpchar { text = try invoke("rpad", [text, count], at: location) }
    return try coerce(text, to: value.type, .explicit, at: location) ?? text
  }

  func invoke(_ name: String, _ values: [BoundExpression], at location: Int) throws -> BoundExpression {
    guard let function = try FunctionCatalog.scalar(name, values.map(\.type)) else {
      throw missingFunction(name, values.map(\.type), at: location)
    }
    var arguments = values
    try convert(&arguments, to: function.argumentTypes, locations: values.map { _ in location })
    return folded(function, arguments)
  }
}
