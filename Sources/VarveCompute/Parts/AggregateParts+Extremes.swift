// min, max, first, last, bool_and, bool_or and the bits: values of the rows, or all of them at once.

import VarveCore

extension AggregateParts {
  static func extremes(_ function: AggregateFunction) -> AggregateParts? {
    guard let type = function.argumentTypes.first else { return nil }
    switch function.name {
    case "min", "max":
      if type.isNumeric { return numericExtreme(function.name, greatest: function.name == "max") }
      return itself(function)
    case "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor": return itself(function)
    default: return nil
    }
  }

  /// An aggregate that merges its own results.
  private static func itself(_ function: AggregateFunction) -> AggregateParts? {
    guard let form = StoredForm(function.argumentTypes[0]) else { return nil }
    let merge = catalogued(function.name, [form.type])
    let part = Part(function.name, form.fieldType, function, [0], encode: form.encode, merge: merge, [0])
    return AggregateParts([part], finish: decoded(.part(0), form))
  }

  /// What a field of unsigned integers holds is in one, all else text.
  private static func numericExtreme(_ name: String, greatest: Bool) -> AggregateParts {
    let extreme = catalogued(name, [.numeric])
    return AggregateParts(
      [
        Part(name, .uint64, extreme, [0], encode: unsignedWord, merge: extreme, [0]),
        Part(
          "\(name)_text", .text, extreme, [0], encode: textBeyondUnsignedWord,
          merge: TextNumericAggregate.extreme(greatest: greatest), [1],
          encodeMerged: .call(StoredForm.conversion(.numeric, .text), [.part(1)])),
      ], finish: .call(chosen(greatest: greatest), [.part(0), .part(1)]))
  }

  private static func isUnsignedWord(_ value: Numeric) -> Bool {
    value.scale == 0 && UInt64(exactly: value.mantissa) != nil
  }

  private static let unsignedWord = ScalarFunction(
    name: "unsigned_word", argumentTypes: [.numeric], resultType: .numeric,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .numeric) { isUnsignedWord($0.numeric) ? $0 : .null }
    })

  private static let textBeyondUnsignedWord = ScalarFunction(
    name: "text_beyond_unsigned_word", argumentTypes: [.numeric], resultType: .text,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, context in
      try Evaluation.rows1(columns[0], n, .text) {
        isUnsignedWord($0.numeric) ? .null : .text(try TypeText.string($0, type: .numeric, context: context))
      }
    })

  private static func chosen(greatest: Bool) -> ScalarFunction {
    do {
      let name = greatest ? "greatest" : "least"
      guard let function = try FunctionCatalog.scalar(name, [.numeric, .numeric]) else {
        preconditionFailure("\(name) is there")
      }
      return function
    } catch {
      preconditionFailure("numerics are of one type: \(error)")
    }
  }

  /// first and last: the value, and the order that it has.
  static func ends(_ function: AggregateFunction) -> AggregateParts? {
    guard function.name == "first" || function.name == "last", let value = StoredForm(function.argumentTypes[0]),
      let order = StoredForm(function.argumentTypes[1]), order.isOrdered
    else { return nil }
    let name = function.name
    return AggregateParts(
      [
        Part(
          name, value.fieldType, function, [0, 1], encode: value.encode,
          merge: catalogued(name, [value.type, order.type]), [0, 1]),
        Part(
          "\(name)_order", order.fieldType, endOrder(name, function.argumentTypes), [0, 1], encode: order.encode,
          merge: endOrder(name, [value.type, order.type]), [0, 1]),
      ], finish: decoded(.part(0), value))
  }

  /// The order of what first or last gives, over the same arguments.
  private static func endOrder(_ name: String, _ types: [SQLType]) -> AggregateFunction {
    AggregateFunction(name: "order_of_\(name)", argumentTypes: types, resultType: types[1]) {
      FirstLastAggregate(value: types[0], order: types[1], last: name == "last", givesOrder: true)
    }
  }
}
