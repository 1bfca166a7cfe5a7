// Functions of arrays of any element type, of one dimension.

import VarveCore

enum ArrayFunctions {
  static let names: Set<String> = [
    "array_append", "array_prepend", "array_cat", "array_position", "array_positions", "array_remove", "array_replace",
    "array_upper", "array_lower", "array_ndims", "array_dims", "trim_array", "array_to_string",
  ]

  /// nil: there is no such function of these types.
  static func function(_ name: String, _ types: [SQLType]) -> ScalarFunction? {
    let arrayPlace = name == "array_prepend" ? 1 : 0
    guard types.count > arrayPlace else { return nil }
    // A NULL or literal beside an array is one.
    guard let array = types.first(where: { $0.element != nil && $0 != .int2vector && $0 != .oidvector }),
      let element = array.element, types[arrayPlace] == array || types[arrayPlace] == .unknown
    else { return nil }
    func common(_ places: [Int]) -> Bool {
      places.allSatisfy {
        types[$0] == .unknown || types[$0].base == element.base
          || Casts.isImplicit(from: types[$0], to: element)
      }
    }
    switch name {
    case "array_append" where types.count == 2 && common([1]):
      return make(name, [array, element], array, strict: false) { row, _ in
        .array(items(row[0]) + [row[1]])
      }
    case "array_prepend" where types.count == 2 && common([0]):
      return make(name, [element, array], array, strict: false) { row, _ in .array([row[0]] + items(row[1])) }
    case "array_cat" where types.count == 2:
      return make(name, [array, array], array, strict: false) { row, _ in
        row[0].isNull ? row[1] : (row[1].isNull ? row[0] : .array(items(row[0]) + items(row[1])))
      }
    case "array_position" where (types.count == 2 || types.count == 3) && common([1]):
      return make(name, [array, element] + (types.count == 3 ? [.int4] : []), .int4, strict: false) { row, _ in
        guard !row[0].isNull else { return .null }
        let start = row.count > 2 ? Int(row[2].integer) : 1
        let found = items(row[0]).indices.first { $0 + 1 >= start && same(items(row[0])[$0], row[1]) }
        return found.map { .int(Int64($0 + 1)) } ?? .null
      }
    case "array_positions" where types.count == 2 && common([1]):
      return make(name, [array, element], .array(.int4), strict: false) { row, _ in
        guard !row[0].isNull else { return .null }
        let found = items(row[0])
        return .array(found.indices.filter { same(found[$0], row[1]) }.map { .int(Int64($0 + 1)) })
      }
    case "array_remove" where types.count == 2 && common([1]):
      return make(name, [array, element], array, strict: false) { row, _ in
        row[0].isNull ? .null : .array(items(row[0]).filter { !same($0, row[1]) })
      }
    case "array_replace" where types.count == 3 && common([1, 2]):
      return make(name, [array, element, element], array, strict: false) { row, _ in
        row[0].isNull ? .null : .array(items(row[0]).map { same($0, row[1]) ? row[2] : $0 })
      }
    case "array_upper" where types.count == 2, "array_lower" where types.count == 2:
      return make(name, [array, .int4], .int4) { row, _ in
        let count = items(row[0]).count
        if row[1].integer != 1 || count == 0 { return .null }
        return .int(name == "array_upper" ? Int64(count) : 1)
      }
    case "array_ndims" where types.count == 1:
      return make(name, [array], .int4) { row, _ in items(row[0]).isEmpty ? .null : .int(1) }
    case "array_dims" where types.count == 1:
      return make(name, [array], .text) { row, _ in
        items(row[0]).isEmpty ? .null : .text("[1:\(items(row[0]).count)]")
      }
    case "trim_array" where types.count == 2:
      return make(name, [array, .int4], array) { row, _ in
        let elements = items(row[0])
        guard row[1].integer >= 0, row[1].integer <= Int64(elements.count) else {
          throw SQLError.make("2202E", "number of elements to trim must be between 0 and \(elements.count)")
        }
        return .array(Array(elements.dropLast(Int(row[1].integer))))
      }
    case "array_to_string" where types.count == 2 || types.count == 3:
      return make(name, [array] + Array(repeating: .text, count: types.count - 1), .text, strict: false) {
        row, context in
        guard !row[0].isNull, case .text(let separator) = row[1] else { return .null }
        let parts = try items(row[0]).compactMap { item -> String? in
          if item.isNull { return row.count > 2 && !row[2].isNull ? row[2].text : nil }
          return try TypeText.string(item, type: element, context: context)
        }
        return .text(parts.joined(separator: separator))
      }
    default: return nil
    }
  }

  private static func items(_ datum: Datum) -> [Datum] { datum.isNull ? [] : datum.array }

  /// Not distinct: NULLs are alike.
  private static func same(_ a: Datum, _ b: Datum) -> Bool {
    a.isNull || b.isNull ? a.isNull && b.isNull : Ordering.datums(a, b) == 0
  }

  private static func make(
    _ name: String, _ types: [SQLType], _ result: SQLType, strict: Bool = true,
    _ op: @escaping @Sendable ([Datum], EvaluationContext) throws -> Datum
  ) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: types, resultType: result, volatility: .stable,
      evaluate: Evaluation.foldingConstants(.stable) { columns, n, context in
        var builder = ColumnBuilder(result, capacity: n)
        for i in 0..<n {
          let row = columns.map { $0.datum(at: i) }
          if strict, row.contains(.null) { builder.appendNull() } else { try builder.append(op(row, context)) }
        }
        return builder.finish()
      })
  }
}
