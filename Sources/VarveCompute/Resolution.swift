// Which of several functions of one name a call means: func_select_candidate and its kin of PostgreSQL's
// parse_func.c, parse_oper.c and parse_coerce.c.

import VarveCore

enum Resolution {
  static func choose<T: Candidate>(
    _ candidates: [T], _ arguments: [SQLType], isOperator: Bool, ambiguous: () -> String
  ) throws -> T? {
    let types = arguments.map(\.base)
    var fitting = candidates.filter { $0.argumentTypes.count == types.count }
    if let exact = fitting.first(where: { $0.argumentTypes == types }) { return exact }

    // An unknown operand of a binary operator is first taken to be of the other's type.
    if isOperator, types.count == 2, (types[0] == .unknown) != (types[1] == .unknown) {
      let known = types[0] == .unknown ? types[1] : types[0]
      if let exact = fitting.first(where: { $0.argumentTypes == [known, known] }) { return exact }
    }

    fitting = fitting.filter { candidate in
      zip(types, candidate.argumentTypes).allSatisfy { $0 == .unknown || Casts.isImplicit(from: $0, to: $1) }
    }
    if fitting.count <= 1 { return fitting.first }

    fitting = best(fitting) { candidate in
      zip(types, candidate.argumentTypes).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
    }
    if fitting.count == 1 { return fitting[0] }

    fitting = best(fitting) { candidate in
      zip(types, candidate.argumentTypes).reduce(0) { score, pair in
        let (have, want) = pair
        if have == .unknown { return score }
        return score + (have == want || (want.isPreferred && want.category == have.category) ? 1 : 0)
      }
    }
    if fitting.count == 1 { return fitting[0] }

    if types.contains(.unknown) {
      var decided = true
      var categories: [(category: Character, hasPreferred: Bool)?] = []
      for (position, type) in types.enumerated() {
        guard type == .unknown else {
          categories.append(nil)
          continue
        }
        let wanted = fitting.map { $0.argumentTypes[position] }
        let category: Character
        if wanted.contains(where: { $0.category == "S" }) {
          category = "S"
        } else if wanted.allSatisfy({ $0.category == wanted[0].category }) {
          category = wanted[0].category
        } else {
          decided = false
          break
        }
        categories.append((category, wanted.contains { $0.category == category && $0.isPreferred }))
      }
      if decided {
        let narrowed = fitting.filter { candidate in
          zip(candidate.argumentTypes, categories).allSatisfy { want, choice in
            guard let choice else { return true }
            return want.category == choice.category && (!choice.hasPreferred || want.isPreferred)
          }
        }
        if !narrowed.isEmpty { fitting = narrowed }
        if fitting.count == 1 { return fitting[0] }
      }
      let known = Set(types.filter { $0 != .unknown })
      if known.count == 1, let type = known.first {
        let same = fitting.filter { candidate in
          zip(types, candidate.argumentTypes).allSatisfy {
            $0 != .unknown || $1 == type || Casts.isImplicit(from: type, to: $1)
          }
        }
        if same.count == 1 { return same[0] }
      }
    }
    throw SQLError.make(
      "42725", ambiguous(),
      hint: "Could not choose a best candidate \(isOperator ? "operator" : "function"). "
        + "You might need to add explicit type casts.")
  }

  private static func best<T>(_ candidates: [T], _ score: (T) -> Int) -> [T] {
    let scores = candidates.map(score)
    let top = scores.max() ?? 0
    return zip(candidates, scores).filter { $0.1 == top }.map(\.0)
  }

  /// select_common_type: the first known type decides the category; a later type wins if it is preferred or if
  /// the one so far converts to it implicitly but not back. All unknown: text.
  static func commonType(_ types: [SQLType]) -> SQLType? {
    guard var chosen = types.first else { return nil }
    if types.allSatisfy({ $0 == chosen }) { return chosen == .unknown ? .text : chosen }
    chosen = chosen.base
    for type in types.dropFirst().map(\.base) where type != .unknown && type != chosen {
      if chosen == .unknown {
        chosen = type
        continue
      }
      guard type.category == chosen.category else { return nil }
      if !chosen.isPreferred, Casts.isImplicit(from: chosen, to: type), !Casts.isImplicit(from: type, to: chosen) {
        chosen = type
      }
    }
    if chosen == .unknown { return .text }
    for type in types where type != .unknown && !Casts.isImplicit(from: type.base, to: chosen) { return nil }
    return chosen
  }
}
