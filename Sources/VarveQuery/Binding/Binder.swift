// Syntax → bound expressions and logical plans: what names mean, which types there are, and where errors point.
// One binder binds one statement.

import VarveCompute
import VarveCore
import VarveStorage

final class Binder {
  let source: SourceText
  let catalog: CatalogView
  let session: SessionState
  /// The context constants are read in (time zone, names of objects).
  let evaluation: EvaluationContext
  /// Types of $1, …; nil: not known yet.
  var parameterTypes: [SQLType?]
  /// Series tables the plan was made for.
  var dependencies: [TableSchema] = []
  /// Dimension tables likewise.
  var dimensions: [DimensionSchema] = []
  /// Those of them that are read.
  var reads: Set<TableID> = []
  var commonTableUses = 0
  /// What FROM means whatever it says: the source of a rollup, whose name may have changed since.
  var fixedSource: RollupSource?
  /// The series table or rollup that FROM named last.
  var rollupSource: RollupSource?
  /// Of queries and expressions within each other.
  private var depth = 0
  /// The plan holds something of its moment ('now' in a literal) and must not be used again.
  var isOnceOnly = false

  init(
    source: SourceText, catalog: CatalogView, session: SessionState, evaluation: EvaluationContext,
    parameterTypes: [SQLType?]
  ) {
    self.source = source
    self.catalog = catalog
    self.session = session
    self.evaluation = evaluation
    self.parameterTypes = parameterTypes
  }

  func error(_ sqlState: String, _ message: String, at location: Int, hint: String? = nil) -> VarveError {
    source.error(sqlState, message, at: location, hint: hint)
  }

  /// Goes into a query or an expression; `ascend` leaves it. The text's own depth is bounded, but queries of WITH that
  /// name each other go deeper than their text. Throws 54001 beyond the limit, so that none can exhaust the stack.
  func descend() throws {
    guard depth < Limits.expressionDepth else {
      throw VarveError(
        .limitExceeded, "queries of WITH name each other more than \(Limits.expressionDepth) levels deep",
        hint: "Run the statement in several steps.", sqlState: "54001")
    }
    depth += 1
  }
  func ascend() { depth -= 1 }

  /// An error of something that does not know the text, with the place added.
  func placing<T>(_ location: Int, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch var error as VarveError {
      if error.position == nil { error.position = source.position(location) }
      throw error
    }
  }

  // MARK: Types

  func type(_ syntax: TypeSyntax) throws -> SQLType {
    var name = syntax.names.last ?? ""
    if syntax.names.count > 1, let schema = syntax.names.first, schema != "pg_catalog" {
      throw error("42704", "type \"\(schema).\(name)\" does not exist", at: syntax.location)
    }
    // Aliases of object ids that only the catalogs use.
    if ["regnamespace", "regrole", "regoper", "regoperator", "xid", "cid"].contains(name) {
      name = "oid"
    }
    if name == "regprocedure" { name = "regproc" }
    let found = try placing(syntax.location) {
      // The grammar gives interval a mask of its fields, which the literal is read with (`intervalUnit`).
      try SQLType.named(name, modifiers: name == "interval" ? [] : syntax.modifiers)
    }
    guard let scalar = found else {
      throw error("42704", "type \"\(name)\" does not exist", at: syntax.location)
    }
    guard syntax.isArray else { return scalar }
    if case .array = scalar { return scalar }
    guard scalar.arrayOID != nil else {
      throw error("42704", "type \"\(name)[]\" does not exist", at: syntax.location)
    }
    return .array(scalar)
  }

  /// The unit that `interval '5' day` adds to a bare number.
  static func intervalUnit(_ syntax: TypeSyntax) -> String? {
    guard syntax.names.last == "interval", let mask = syntax.modifiers.first else { return nil }
    return [4: "year", 2: "month", 8: "day", 1024: "hour", 2048: "minute", 4096: "second"][mask]
  }

  // MARK: Coercion

  /// The expression as `type`; nil if the context does not allow it.
  func coerce(_ expression: BoundExpression, to type: SQLType, _ context: CastContext, at location: Int) throws
    -> BoundExpression?
  {
    let from = expression.type
    if from == type { return expression }
    if from == .unknown {
      switch expression {
      case .parameter(let index, _):
        parameterTypes[index] = type.base
        let known = BoundExpression.parameter(index, type.base)
        return type == type.base ? known : try coerce(known, to: type, context, at: location)
      case .constant(.null, _): return .constant(.null, type)
      case .constant(.text(let text), _): return .constant(try literal(text, type, at: location), type)
      default: break
      }
    }
    guard
      let function = try placing(
        location, { try FunctionCatalog.cast(from: from == .unknown ? .text : from, to: type, context: context) })
        ?? (from == .unknown ? try FunctionCatalog.cast(from: .text, to: type, context: .explicit) : nil)
    else { return nil }
    return folded(function, [expression])
  }

  private static let momentWords = ["now", "today", "tomorrow", "yesterday"]

  /// The value of a quoted literal.
  func literal(_ text: String, _ type: SQLType, at location: Int) throws -> Datum {
    var text = text
    return try text.withUTF8 { bytes in
      if Self.namesMoment(bytes, type) { isOnceOnly = true }
      return try placing(location) { try Self.literal(bytes, type, evaluation) }
    }
  }

  /// The same of its bytes, without a place for errors.
  static func literal(_ text: UnsafeBufferPointer<UInt8>, _ type: SQLType, _ context: EvaluationContext) throws
    -> Datum
  {
    switch type {
    case .text, .varchar, .bpchar, .name: .text(String(decoding: text, as: UTF8.self))
    default: try TypeText.parse(bytes: text, as: type, context: context)
    }
  }

  /// Whether it is a time that is told by a word such as `now`. Most times have no two letters side by side.
  static func namesMoment(_ text: UnsafeBufferPointer<UInt8>, _ type: SQLType) -> Bool {
    func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    guard type.category == "D", zip(text, text.dropFirst()).contains(where: { isLetter($0) && isLetter($1) }) else {
      return false
    }
    let lower = String(decoding: text, as: UTF8.self).lowercased()
    return momentWords.contains { lower.contains($0) }
  }

  /// A call, or its value where all arguments are constants and it can be known now. An error stays for the
  /// execution: the call may be in a branch that is never taken.
  func folded(_ function: ScalarFunction, _ arguments: [BoundExpression]) -> BoundExpression {
    let call = BoundExpression.call(function, arguments)
    guard function.volatility == .immutable, !arguments.isEmpty else { return call }
    var columns: [Column] = []
    for argument in arguments {
      guard let value = argument.constantValue else { return call }
      columns.append(.constant(value, type: argument.type, count: 1))
    }
    do {
      return .constant(try function.evaluate(columns, 1, evaluation).datum(at: 0), function.resultType)
    } catch {
      return call
    }
  }

  func requireBoolean(_ expression: BoundExpression, _ what: String, at location: Int) throws -> BoundExpression {
    guard let result = try coerce(expression, to: .bool, .implicit, at: location) else {
      throw error(
        "42804", "argument of \(what) must be type boolean, not type \(expression.type.name)", at: location)
    }
    return result
  }

  /// Makes all of one type, as CASE, COALESCE, VALUES and UNION need it.
  func unify(_ expressions: [BoundExpression], _ what: String, at locations: [Int]) throws -> [BoundExpression] {
    let types = expressions.map(\.type)
    guard let common = FunctionCatalog.commonType(types) else {
      let first = types.first { $0 != .unknown } ?? .text
      let index = types.firstIndex { $0 != .unknown && FunctionCatalog.commonType([first, $0]) == nil } ?? 0
      throw error(
        "42804", "\(what) types \(first.name) and \(types[index].name) cannot be matched", at: locations[index])
    }
    return try zip(expressions, locations).map { expression, location in
      guard let result = try coerce(expression, to: common, .implicit, at: location) else {
        throw error(
          "42846", "\(what) could not convert type \(expression.type.name) to \(common.name)", at: location)
      }
      return result
    }
  }

  /// What is still unknown is text.
  func decided(_ expression: BoundExpression, at location: Int) throws -> BoundExpression {
    guard expression.type == .unknown else { return expression }
    return try coerce(expression, to: .text, .implicit, at: location) ?? expression
  }
}
