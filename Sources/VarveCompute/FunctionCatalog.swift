// The catalogue: every scalar function, operator, cast and aggregate there is, and the four look-ups.
//
// Look-ups follow PostgreSQL's resolution: an exact match, else the best by implicit casts (the arguments are
// then to be cast to `argumentTypes` by the caller), with `.unknown` matching anything. nil: no such function;
// an ambiguous call throws 42725.

import VarveCore

package enum CastContext: Int, Sendable, Comparable {
  case implicit = 0
  case assignment = 1
  case explicit = 2
  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

package enum FunctionCatalog {
  /// Names are lower case, without schema.
  package static func scalar(_ name: String, _ argumentTypes: [SQLType]) throws -> ScalarFunction? {
    if let function = try Polymorphic.function(name, argumentTypes) { return function }
    if let function = try JSONFunctions.function(name, argumentTypes) { return function }
    guard let candidates = FunctionTable.shared.scalars[name] else { return nil }
    return try Resolution.choose(candidates, argumentTypes, isOperator: false) {
      "function \(name)(\(argumentTypes.map(\.name).joined(separator: ", "))) is not unique"
    }
  }

  /// One argument: a prefix operator; two: left and right. `<>` and `!=` are the same.
  package static func `operator`(_ symbol: String, _ argumentTypes: [SQLType]) throws -> ScalarFunction? {
    let symbol = symbol == "!=" ? "<>" : symbol
    if let function = try Polymorphic.operator(symbol, argumentTypes) { return function }
    guard let candidates = FunctionTable.shared.operators[symbol] else { return nil }
    return try Resolution.choose(candidates, argumentTypes, isOperator: true) {
      "operator is not unique: "
        + (argumentTypes.count == 2
          ? "\(argumentTypes[0].name) \(symbol) \(argumentTypes[1].name)" : "\(symbol) \(argumentTypes[0].name)")
    }
  }

  /// `[]` is count(*).
  package static func aggregate(_ name: String, _ argumentTypes: [SQLType]) throws -> AggregateFunction? {
    if let function = try Polymorphic.aggregate(name, argumentTypes) { return function }
    guard let candidates = FunctionTable.shared.aggregates[name] else { return nil }
    return try Resolution.choose(candidates, argumentTypes, isOperator: false) {
      "function \(name)(\(argumentTypes.map(\.name).joined(separator: ", "))) is not unique"
    }
  }

  /// The conversion between two types in a context that allows at least as much as it needs; nil: there is none.
  /// A cast to the same type gives the identity.
  package static func cast(from: SQLType, to: SQLType, context: CastContext) throws -> ScalarFunction? {
    Casts.find(from: from, to: to, context: context)
  }

  /// Whether a name is known as scalar function or aggregate at all: for a better error than "does not exist".
  package static func hasScalar(_ name: String) -> Bool {
    FunctionTable.shared.scalars[name] != nil || Polymorphic.names.contains(name) || JSONFunctions.names.contains(name)
  }
  package static func hasAggregate(_ name: String) -> Bool {
    FunctionTable.shared.aggregates[name] != nil || Polymorphic.aggregateNames.contains(name)
  }

  /// The type that values of several types can all become (UNION, CASE, VALUES, COALESCE, ARRAY): PostgreSQL's
  /// select_common_type. nil: no such type.
  package static func commonType(_ types: [SQLType]) -> SQLType? { Resolution.commonType(types) }
}

/// What resolution asks of a candidate.
protocol Candidate {
  var argumentTypes: [SQLType] { get }
}
extension ScalarFunction: Candidate {}
extension AggregateFunction: Candidate {}

/// All entries with fixed types, by name. Built once, in the order of the `add` functions.
struct FunctionTable: Sendable {
  private(set) var scalars: [String: [ScalarFunction]] = [:]
  private(set) var operators: [String: [ScalarFunction]] = [:]
  private(set) var aggregates: [String: [AggregateFunction]] = [:]

  static let shared = FunctionTable()

  private init() {
    addArithmetic()
    addComparisons()
    addLogic()
    addMath()
    addNumericFunctions()
    addText()
    addStrings()
    addEncodings()
    addFormatting()
    addPatterns()
    addRegularExpressions()
    addJSON()
    addTimes()
    addTimeParts()
    addCalendar()
    addTimeBuckets()
    addAggregates()
  }

  mutating func add(
    _ name: String, _ types: [SQLType], _ result: SQLType, volatility: ScalarFunction.Volatility = .immutable,
    _ evaluate: @escaping @Sendable ([Column], Int, EvaluationContext) throws -> Column
  ) {
    scalars[name, default: []].append(
      ScalarFunction(
        name: name, argumentTypes: types, resultType: result, volatility: volatility,
        evaluate: Evaluation.foldingConstants(volatility, evaluate)))
  }

  mutating func addOperator(
    _ symbol: String, _ types: [SQLType], _ result: SQLType, volatility: ScalarFunction.Volatility = .immutable,
    _ evaluate: @escaping @Sendable ([Column], Int, EvaluationContext) throws -> Column
  ) {
    operators[symbol, default: []].append(
      ScalarFunction(
        name: symbol, argumentTypes: types, resultType: result, volatility: volatility,
        evaluate: Evaluation.foldingConstants(volatility, evaluate)))
  }

  mutating func addAggregate(
    _ name: String, _ types: [SQLType], _ result: SQLType, _ make: @escaping @Sendable () -> any GroupedAggregate
  ) {
    add(aggregate: AggregateFunction(name: name, argumentTypes: types, resultType: result, makeStates: make))
  }

  mutating func add(aggregate: AggregateFunction) { aggregates[aggregate.name, default: []].append(aggregate) }
}
