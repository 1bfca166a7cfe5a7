// How a value of an SQL type is kept as a field, and the ways there and back.

import VarveCore

struct StoredForm {
  let fieldType: FieldType
  /// What SQL sees of the field.
  let type: SQLType
  /// nil: the value as it is.
  let encode: ScalarFunction?
  let decode: ScalarFunction?
  /// Whether stored values order as the values do.
  let isOrdered: Bool

  /// nil: no field holds the type.
  init?(_ type: SQLType) {
    let type = type.base
    switch type {
    case .float8: (fieldType, self.type) = (.float64, type)
    case .int2, .int4, .int8: (fieldType, self.type) = (.int64, .int8)
    case .bool: (fieldType, self.type) = (.bool, type)
    case .timestamptz: (fieldType, self.type) = (.timestamp, type)
    case .text, .numeric: (fieldType, self.type) = (.text, .text)
    default: return nil
    }
    encode = type == self.type ? nil : Self.conversion(type, self.type)
    decode = type == self.type ? nil : Self.conversion(self.type, type)
    isOrdered = type != .numeric
  }

  /// A cast that there is.
  static func conversion(_ from: SQLType, _ to: SQLType) -> ScalarFunction {
    guard let cast = Casts.find(from: from, to: to, context: .explicit) else { preconditionFailure("a cast that is") }
    return cast
  }
}

extension AggregateParts {
  /// A function of the catalogue that there is.
  static func catalogued(_ name: String, _ types: [SQLType]) -> AggregateFunction {
    do {
      guard let function = try FunctionCatalog.aggregate(name, types) else { preconditionFailure("\(name) is there") }
      return function
    } catch {
      preconditionFailure("\(name) has one meaning: \(error)")
    }
  }

  static func decoded(_ value: Derived, _ form: StoredForm) -> Derived {
    form.decode.map { .call($0, [value]) } ?? value
  }
}
