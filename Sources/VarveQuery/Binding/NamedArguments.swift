// Arguments by name, `days => 10`, of the functions that are called so: they are put in order, and what is left out is 0.

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
