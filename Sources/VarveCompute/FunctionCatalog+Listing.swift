// All that the catalogue holds with fixed types, for the catalogs that tell clients of it.

extension FunctionCatalog {
  /// By name, those of one name in the order they are looked up.
  package static let scalars: [ScalarFunction] = sorted(FunctionTable.shared.scalars)
  package static let operators: [ScalarFunction] = sorted(FunctionTable.shared.operators)
  package static let aggregates: [AggregateFunction] = sorted(FunctionTable.shared.aggregates)
  /// What follows its arguments' types.
  package static let polymorphicNames = Polymorphic.names.union(Polymorphic.aggregateNames).union(JSONFunctions.names)

  /// The weakest context in which one type becomes the other; nil: never.
  package static func castContext(from: SQLType, to: SQLType) -> CastContext? { Casts.needed(from: from, to: to) }

  private static func sorted<Function>(_ table: [String: [Function]]) -> [Function] {
    table.sorted { $0.key < $1.key }.flatMap(\.value)
  }
}
