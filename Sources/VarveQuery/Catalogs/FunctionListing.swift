// Every function that a statement can call, as pg_proc has them: from the function catalogue, from those about sessions and
// catalogs, and what is neither, since its types follow from its arguments.

import VarveCompute
import VarveCore

struct FunctionListing: Sendable {
  enum Kind: String, Sendable { case function = "f", aggregate = "a", procedure = "p", window = "w" }
  typealias TypeName = PseudoType

  let oid: Int64
  let name: String
  let kind: Kind
  let arguments: [TypeName]
  let result: TypeName
  var volatility = ScalarFunction.Volatility.immutable
  var isStrict = true
  var givesRows = false

  /// PostgreSQL's functions are in pg_catalog, those that time series need beside them in public, as an extension's.
  var schema: String { Self.ownNames.contains(name) ? "public" : "pg_catalog" }
  var argumentText: String { arguments.map(\.name).joined(separator: ", ") }
  var resultText: String { givesRows ? "SETOF \(result.name)" : result.name }

  /// CREATE FUNCTION as pg_get_functiondef writes it.
  var definition: String {
    """
    CREATE OR REPLACE FUNCTION \(schema).\(Binder.quoteIfNeeded(name))(\(argumentText))
     RETURNS \(resultText)
     LANGUAGE internal
     \(volatility == .immutable ? "IMMUTABLE " : volatility == .stable ? "STABLE " : "")PARALLEL SAFE\
    \(isStrict ? " STRICT" : "")
    AS $function$\(name)$function$

    """
  }

  static let firstOID: Int64 = 5000
  static let all: [FunctionListing] = {
    var listed: [FunctionListing] = []
    func add(
      _ name: String, _ kind: Kind, _ arguments: [TypeName], _ result: TypeName,
      _ volatility: ScalarFunction.Volatility = .immutable, isStrict: Bool = true, givesRows: Bool = false
    ) {
      listed.append(
        FunctionListing(
          oid: firstOID + Int64(listed.count), name: name, kind: kind, arguments: arguments, result: result,
          volatility: volatility, isStrict: isStrict, givesRows: givesRows))
    }
    for function in FunctionCatalog.scalars where !isGrammar(function.name) {
      add(
        function.name, .function, function.argumentTypes.map(TypeName.init), TypeName(function.resultType),
        function.volatility)
    }
    for function in SystemFunctions.signatures where !isGrammar(function.name) {
      add(
        function.name, .function, function.arguments.map(TypeName.init), TypeName(function.result), function.volatility,
        isStrict: function.isStrict)
    }
    for function in FunctionCatalog.aggregates {
      add(
        function.name, .aggregate, function.argumentTypes.map(TypeName.init), TypeName(function.resultType),
        isStrict: false)
    }
    for (name, arguments, result) in polymorphic { add(name, .function, arguments, result) }
    for (name, arguments, result) in polymorphicAggregates { add(name, .aggregate, arguments, result, isStrict: false) }
    for (name, arguments, result) in tableFunctions { add(name, .function, arguments, result, givesRows: true) }
    for (name, arguments, result) in windowFunctions { add(name, .window, arguments, result, isStrict: false) }
    for procedure in Procedure.allCases {
      add(
        procedure.rawValue, procedure.isFunction ? .function : .procedure,
        procedure.parameters.map { TypeName($0.type) },
        TypeName(procedure.isFunction ? procedure.columns?.first?.type ?? .void : .void), .volatile, isStrict: false)
    }
    return listed
  }()

  /// Words and signs that the grammar makes calls of, and that PostgreSQL has no functions for.
  private static func isGrammar(_ name: String) -> Bool {
    ["and", "or", "not", "current_catalog", "current_date", "current_timestamp", "localtime", "localtimestamp"]
      .contains(name)
      || !(name.unicodeScalars.first?.properties.isAlphabetic ?? false)
  }

  static func find(oid: Int64) -> FunctionListing? {
    let index = oid - firstOID
    return index >= 0 && index < all.count ? all[Int(index)] : nil
  }

  static let byName = Dictionary(grouping: all, by: \.name)

  private static let int4 = TypeName(.int4)
  private static let text = TypeName(.text)

  private static let polymorphic: [(String, [TypeName], TypeName)] = [
    ("cardinality", [.anyArray], int4),
    ("array_length", [.anyArray, int4], int4),
    ("array_to_string", [.anyArray, text], text),
    ("array_to_string", [.anyArray, text, text], text),
    ("pg_typeof", [.any], TypeName(.regtype)),
    ("json_build_object", [.any], TypeName(.json)),
    ("json_build_array", [.any], TypeName(.json)),
    ("jsonb_build_object", [.any], TypeName(.jsonb)),
    ("jsonb_build_array", [.any], TypeName(.jsonb)),
    ("to_json", [.anyElement], TypeName(.json)),
    ("to_jsonb", [.anyElement], TypeName(.jsonb)),
    ("array_to_json", [.anyArray], TypeName(.json)),
    ("row_to_json", [.anyElement], TypeName(.json)),
    ("row_to_json", [.anyElement, TypeName(.bool)], TypeName(.json)),
    ("json_extract_path", [TypeName(.json), text], TypeName(.json)),
    ("json_extract_path_text", [TypeName(.json), text], text),
    ("jsonb_extract_path", [TypeName(.jsonb), text], TypeName(.jsonb)),
    ("jsonb_extract_path_text", [TypeName(.jsonb), text], text),
    ("array_append", [.anyArray, .anyElement], .anyArray),
    ("array_prepend", [.anyElement, .anyArray], .anyArray),
    ("array_cat", [.anyArray, .anyArray], .anyArray),
    ("array_position", [.anyArray, .anyElement], int4),
    ("array_positions", [.anyArray, .anyElement], TypeName(.array(.int4))),
    ("array_remove", [.anyArray, .anyElement], .anyArray),
    ("array_replace", [.anyArray, .anyElement, .anyElement], .anyArray),
    ("array_lower", [.anyArray, int4], int4),
    ("array_upper", [.anyArray, int4], int4),
    ("array_ndims", [.anyArray], int4),
    ("array_dims", [.anyArray], text),
    ("trim_array", [.anyArray, int4], .anyArray),
    ("concat", [.any], text),
    ("concat_ws", [text, .any], text),
    ("format", [text, .any], text),
    ("quote_nullable", [.anyElement], text),
    ("num_nulls", [.any], int4),
    ("num_nonnulls", [.any], int4),
  ]
  private static let polymorphicAggregates: [(String, [TypeName], TypeName)] = [
    ("count", [], TypeName(.int8)),
    ("count", [.any], TypeName(.int8)),
    ("first", [.anyElement, .any], .anyElement),
    ("last", [.anyElement, .any], .anyElement),
    ("array_agg", [.anyElement], .anyArray),
    ("json_agg", [.anyElement], TypeName(.json)),
    ("jsonb_agg", [.anyElement], TypeName(.jsonb)),
    ("json_object_agg", [.any, .any], TypeName(.json)),
    ("jsonb_object_agg", [.any, .any], TypeName(.jsonb)),
    ("min", [.anyArray], .anyArray),
    ("max", [.anyArray], .anyArray),
    ("mode", [.anyElement], .anyElement),
    ("percentile_disc", [TypeName(.float8), .anyElement], .anyElement),
    ("approx_count_distinct", [.any], TypeName(.int8)),
    ("string_agg", [text, text], text),
  ]
  private static let windowFunctions: [(String, [TypeName], TypeName)] =
    ["row_number", "rank", "dense_rank"].map { ($0, [], TypeName(.int8)) }
    + ["percent_rank", "cume_dist"].map { ($0, [], TypeName(.float8)) }
    + ["lag", "lead"].flatMap { name in
      [[.anyElement], [.anyElement, int4], [.anyElement, int4, .anyElement]].map { (name, $0, .anyElement) }
    }
    + [
      ("ntile", [int4], int4), ("first_value", [.anyElement], .anyElement), ("last_value", [.anyElement], .anyElement),
      ("nth_value", [.anyElement, int4], .anyElement),
    ]
  private static let tableFunctions: [(String, [TypeName], TypeName)] =
    [SQLType.int4, .int8].flatMap { type in
      [2, 3].map { ("generate_series", Array(repeating: TypeName(type), count: $0), TypeName(type)) }
    }
    + [SQLType.timestamp, .timestamptz].map {
      ("generate_series", [TypeName($0), TypeName($0), TypeName(.interval)], TypeName($0))
    } + [("unnest", [.anyArray], .anyElement)]

  /// What PostgreSQL does not have.
  static let ownNames = Set(Procedure.allCases.map(\.rawValue)).union([
    "approx_count_distinct", "approx_percentile", "counter_agg", "delta", "derivative", "first", "from_ns", "histogram",
    "increase",
    "interpolate", "last", "locf", "lttb", "rate", "time_bucket", "time_bucket_gapfill", "to_ns",
  ])
}
