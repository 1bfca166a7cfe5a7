// Functions whose types follow from their arguments': COALESCE and its kin, arrays, count and first/last.

import VarveCore

enum Polymorphic {
  static let names: Set<String> = ArrayFunctions.names.union(AnyText.names).union([
    "coalesce", "greatest", "least", "nullif", "cardinality", "array_length",
  ])
  static let aggregateNames: Set<String> = [
    "first", "last", "count", "min", "max", "percentile_disc", "mode", "approx_count_distinct",
  ]

  static func function(_ name: String, _ types: [SQLType]) throws -> ScalarFunction? {
    switch name {
    case "coalesce", "greatest", "least":
      guard !types.isEmpty else { return nil }
      let common = try common(name, types)
      let body: Evaluation.Body = { columns, n, _ in
        name == "coalesce"
          ? try coalesce(columns, n, common) : try extreme(columns, n, common, greatest: name == "greatest")
      }
      return ScalarFunction(
        name: name, argumentTypes: types.map { _ in common }, resultType: common,
        evaluate: Evaluation.foldingConstants(.immutable, body))
    case "nullif":
      guard types.count == 2 else { return nil }
      let common = try common(name, types)
      return ScalarFunction(
        name: name, argumentTypes: [common, common], resultType: common,
        evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
          var builder = ColumnBuilder(common, capacity: n)
          for i in 0..<n {
            let x = columns[0].datum(at: i)
            let y = columns[1].datum(at: i)
            if x.isNull || (!y.isNull && Ordering.datums(x, y) == 0) {
              builder.appendNull()
            } else {
              try builder.append(x)
            }
          }
          return builder.finish()
        })
    case "cardinality", "array_length":
      guard types.count == (name == "cardinality" ? 1 : 2), types[0].element != nil else { return nil }
      return ScalarFunction(
        name: name, argumentTypes: name == "cardinality" ? [types[0]] : [types[0], .int4], resultType: .int4,
        evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
          try Evaluation.rows(columns, n, .int4) { row in
            let count = row[0].array.count
            if row.count == 2, row[1].integer != 1 || count == 0 { return .null }
            return .int(Int64(count))
          }
        })
    default:
      if AnyText.names.contains(name) { return AnyText.function(name, types) }
      return ArrayFunctions.names.contains(name) ? ArrayFunctions.function(name, types) : nil
    }
  }

  static func `operator`(_ symbol: String, _ types: [SQLType]) throws -> ScalarFunction? {
    guard types.count == 2 else { return nil }
    // Arrays compare with arrays of the same type; a literal becomes one.
    let arrays = types.map(\.base).compactMap { type -> SQLType? in
      if case .array = type { return type }
      return nil
    }
    if symbol == "||", arrays.count == 1, !types.contains(.unknown) {
      // An element beside an array joins it.
      return ArrayFunctions.function(types[0].element == nil ? "array_prepend" : "array_append", types)
    }
    guard let type = arrays.first, arrays.count == 2 || types.contains(.unknown) else { return nil }
    if arrays.count == 2, arrays[1] != type { return nil }
    if let comparison = Comparison(rawValue: symbol) {
      return ScalarFunction(
        name: symbol, argumentTypes: [type, type], resultType: .bool,
        evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
          try ComparisonKernels.datums(columns[0], columns[1], n, comparison)
        })
    }
    let test: @Sendable ([Datum], [Datum]) -> Datum
    @Sendable func contains(_ a: [Datum], _ b: [Datum]) -> Bool {
      b.allSatisfy { x in !x.isNull && a.contains { !$0.isNull && Ordering.datums($0, x) == 0 } }
    }
    switch symbol {
    case "||": test = { .array($0 + $1) }
    case "@>": test = { .bool(contains($0, $1)) }
    case "<@": test = { .bool(contains($1, $0)) }
    case "&&":
      test = { a, b in
        .bool(b.contains { x in !x.isNull && a.contains { !$0.isNull && Ordering.datums($0, x) == 0 } })
      }
    default: return nil
    }
    let result: SQLType = symbol == "||" ? type : .bool
    return ScalarFunction(
      name: symbol, argumentTypes: [type, type], resultType: result,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        if symbol != "||" {
          return try Evaluation.rows2(columns[0], columns[1], n, result) { test($0.array, $1.array) }
        }
        // Beside a NULL an array stays what it is.
        var builder = ColumnBuilder(result, capacity: n)
        for i in 0..<n {
          let (a, b) = (columns[0].datum(at: i), columns[1].datum(at: i))
          try builder.append(a.isNull ? b : (b.isNull ? a : test(a.array, b.array)))
        }
        return builder.finish()
      })
  }

  static func aggregate(_ name: String, _ types: [SQLType]) throws -> AggregateFunction? {
    switch (name, types.count) {
    case ("count", 0), ("count", 1):
      return AggregateFunction(name: name, argumentTypes: types, resultType: .int8) {
        CountAggregate(ofRows: types.isEmpty)
      }
    case ("first", 2), ("last", 2):
      let value = types[0] == .unknown ? SQLType.text : types[0]
      let order = types[1] == .unknown ? SQLType.text : types[1]
      return AggregateFunction(name: name, argumentTypes: [value, order], resultType: value) {
        FirstLastAggregate(value: value, order: order, last: name == "last")
      }
    case ("min", 1), ("max", 1):
      guard case .array = types[0] else { return nil }
      let type = types[0].base
      return AggregateFunction(name: name, argumentTypes: [type], resultType: type) {
        DatumExtremeAggregate(type, greatest: name == "max")
      }
    case ("percentile_disc", 2):
      let value = types[1] == .unknown ? SQLType.text : types[1].base
      let isArray = types[0].element != nil
      let result: SQLType = isArray ? .array(value) : value
      guard !isArray || value.arrayOID != nil else { return nil }
      return AggregateFunction(
        name: name, argumentTypes: [isArray ? .array(.float8) : .float8, value], resultType: result,
        makeDescendingStates: { SortedValuesAggregate(.discrete, element: value, type: result, isDescending: true) },
        makeStates: { SortedValuesAggregate(.discrete, element: value, type: result) })
    case ("mode", 1):
      let value = types[0] == .unknown ? SQLType.text : types[0].base
      return AggregateFunction(
        name: name, argumentTypes: [value], resultType: value,
        makeDescendingStates: { SortedValuesAggregate(.mode, element: value, type: value, isDescending: true) },
        makeStates: { SortedValuesAggregate(.mode, element: value, type: value) })
    case ("approx_count_distinct", 1):
      let value = types[0] == .unknown ? SQLType.text : types[0].base
      return AggregateFunction(name: name, argumentTypes: [value], resultType: .int8) { ApproximateCountAggregate() }
    default: return nil
    }
  }

  private static func common(_ name: String, _ types: [SQLType]) throws -> SQLType {
    guard let common = Resolution.commonType(types) else {
      let distinct = types.map(\.name)
      throw SQLError.make(
        "42804",
        "\(name.uppercased()) types \(distinct[0]) and \(distinct.first { $0 != distinct[0] } ?? "") cannot be matched")
    }
    return common
  }

  private static func coalesce(_ columns: [Column], _ n: Int, _ type: SQLType) throws -> Column {
    if let first = columns.first, !first.hasNulls { return first.relabelled(type) }
    if type.isWord {
      let out = Buffer<UInt64>(repeating: 0, count: n)
      let nulls = Buffer<UInt8>(repeating: 1, count: n)
      for column in columns {
        let source = column.materialized()
        let words = source.wordBuffer
        for i in 0..<n where nulls.base[i] != 0 && !source.isNull(at: i) {
          out.base[i] = words.base[i]
          nulls.base[i] = 0
        }
      }
      return Column(
        type: type, count: n, storage: .words(out), nulls: nulls.span.contains { $0 != 0 } ? nulls : nil)
    }
    var builder = ColumnBuilder(type, capacity: n)
    for i in 0..<n {
      if let column = columns.first(where: { !$0.isNull(at: i) }) {
        try builder.append(column.datum(at: i))
      } else {
        builder.appendNull()
      }
    }
    return builder.finish()
  }

  /// NULLs are left out.
  private static func extreme(_ columns: [Column], _ n: Int, _ type: SQLType, greatest: Bool) throws -> Column {
    var builder = ColumnBuilder(type, capacity: n)
    for i in 0..<n {
      var best = Datum.null
      for column in columns {
        let value = column.datum(at: i)
        if value.isNull { continue }
        if best.isNull || (Ordering.datums(value, best) > 0) == greatest && Ordering.datums(value, best) != 0 {
          best = value
        }
      }
      try builder.append(best)
    }
    return builder.finish()
  }
}
