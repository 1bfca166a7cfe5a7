// Arguments by name, `days => 10`, of the functions that are called so: they are put in order. What is left out of
// make_interval is 0, and of time_bucket the default.

import VarveCompute
import VarveCore

extension Binder {
  private static let parameterNames: [String: [String]] = [
    "make_interval": ["years", "months", "weeks", "days", "hours", "mins", "secs"]
  ]

  /// The call with its arguments in order.
  func ordered(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> CallSyntax {
    func name(of argument: ExpressionSyntax) -> String? {
      if case .named(let name, _) = argument.kind { return name }
      return nil
    }
    guard let first = call.arguments.firstIndex(where: { name(of: $0) != nil }) else { return call }
    if let late = call.arguments[first...].first(where: { name(of: $0) == nil }) {
      throw error("42601", "positional argument cannot follow named argument", at: late.start)
    }
    let function = call.name.last ?? ""
    if function == "time_bucket" { return try orderedBucket(call, first, level, at: location) }
    var values = call.arguments.prefix(first).map(Optional.some)
    let names = Self.parameterNames[function] ?? []
    values += Array(repeating: nil, count: max(0, names.count - first))
    var seen = Set<String>()
    for argument in call.arguments[first...] {
      guard case .named(let name, let value) = argument.kind else { continue }
      guard seen.insert(name).inserted else {
        throw error("42601", "argument name \"\(name)\" used more than once", at: argument.location)
      }
      guard let index = names.firstIndex(of: name), index >= first else {
        throw try missingNames(function, call, level, at: location)
      }
      values[index] = value
    }
    var result = call
    result.arguments = values.map { $0 ?? ExpressionSyntax(kind: .integer(0), location: location) }
    return result
  }

  /// time_bucket's forms, as TimescaleDB names their arguments: (bucket_width, ts, origin), (bucket_width, ts, offset) and
  /// (bucket_width, ts, timezone, origin, offset).
  private func orderedBucket(_ call: CallSyntax, _ first: Int, _ level: QueryLevel, at location: Int) throws
    -> CallSyntax
  {
    var values = Array(call.arguments[..<first])
    var named: [String: ExpressionSyntax] = [:]
    for argument in call.arguments[first...] {
      guard case .named(let name, let value) = argument.kind else { continue }
      guard named.updateValue(value, forKey: name) == nil else {
        throw error("42601", "argument name \"\(name)\" used more than once", at: argument.location)
      }
    }
    for name in ["bucket_width", "ts"].dropFirst(first) {
      if let value = named.removeValue(forKey: name) { values.append(value) }
    }
    guard values.count >= 2, Set(named.keys).isSubset(of: ["timezone", "origin", "offset"]) else {
      throw try missingNames("time_bucket", call, level, at: location)
    }
    let type = try bind(values[1], level).type
    // A literal alone does not tell which of the arguments it is.
    func typed(_ name: String, _ type: SQLType) -> ExpressionSyntax? {
      guard let value = named[name], case .string = value.kind else { return named[name] }
      return ExpressionSyntax(kind: .cast(value, TypeSyntax(names: [type.internalName])), location: value.location)
    }
    let origin = typed("origin", type == .unknown ? .timestamptz : type)
    let offset = typed("offset", type.isInteger ? type : .interval)
    if let zone = typed("timezone", .text) { values.append(zone) }
    if values.count > 2 {
      let none = ExpressionSyntax(kind: .null, location: location)
      if origin != nil || offset != nil { values.append(origin ?? none) }
      if let offset { values.append(offset) }
    } else if origin != nil, offset != nil {
      throw source.unsupported(
        "time_bucket with an origin and an offset", at: location, hint: "Add the offset to the origin.")
    } else if let third = origin ?? offset {
      values.append(third)
    }
    var result = call
    result.arguments = values
    return result
  }

  private func missingNames(_ function: String, _ call: CallSyntax, _ level: QueryLevel, at location: Int) throws
    -> VarveError
  {
    let shown = try call.arguments.map { argument in
      guard case .named(let name, let value) = argument.kind else { return try bind(argument, level).type.name }
      return "\(name) => \(try bind(value, level).type.name)"
    }
    return error(
      "42883", "function \(function)(\(shown.joined(separator: ", "))) does not exist", at: location,
      hint: "No function matches the given name and argument types. Few functions take arguments by name.")
  }
}
