// Functions that give rows: what the query layer calls in FROM, beside its own generate_series and unnest of arrays.

import VarveCore

package struct SetFunction: Sendable {
  package let name: String
  package let argumentTypes: [SQLType]
  /// Names are empty where there is one column, which goes by the function's name.
  package let columns: [(name: String, type: SQLType)]
  /// A NULL argument gives no rows, and does not get to `rows`.
  package var isStrict = true
  package let rows: @Sendable ([Datum], EvaluationContext) throws -> [[Datum]]
}
extension SetFunction: Candidate {}

extension FunctionCatalog {
  package static var setFunctionNames: Set<String> { Set(SetFunctions.byName.keys) }

  package static func setFunction(_ name: String, _ argumentTypes: [SQLType]) throws -> SetFunction? {
    guard let candidates = SetFunctions.byName[name] else { return nil }
    return try Resolution.choose(candidates, argumentTypes, isOperator: false) {
      "function \(name)(\(argumentTypes.map(\.name).joined(separator: ", "))) is not unique"
    }
  }
}

enum SetFunctions {
  static let byName = Dictionary(grouping: all, by: \.name)

  private static let all: [SetFunction] =
    [timevectorRows] + patterns + [
      strings([.text, .text]), strings([.text, .text, .text]),
    ] + [SQLType.json, .jsonb].flatMap(json)

  private static let timevectorRows = SetFunction(
    name: "unnest", argumentTypes: [.timevector], columns: [("time", .timestamptz), ("value", .float8)]
  ) { arguments, _ in Timevector.rows(arguments[0]) }

  private static let patterns: [SetFunction] = [[SQLType.text, .text], [.text, .text, .text]].flatMap { types in
    [
      SetFunction(name: "regexp_matches", argumentTypes: types, columns: [("", .array(.text))]) { row, _ in
        let flags = try PatternTranslator.Flags(row.count > 2 ? row[2].text : "")
        let text = row[0].text
        let found = try Patterns.all(
          text, RegularExpression(row[1].text, flags: flags), from: 1, limit: flags.isGlobal ? .max : 1)
        return found.map { [.array(Patterns.groups($0, text))] }
      },
      SetFunction(name: "regexp_split_to_table", argumentTypes: types, columns: [("", .text)]) { row, _ in
        try Patterns.split(row, PatternCache(texts: 1), "regexp_split_to_table").map { [.text($0)] }
      },
    ]
  }

  private static func strings(_ types: [SQLType]) -> SetFunction {
    SetFunction(name: "string_to_table", argumentTypes: types, columns: [("", .text)], isStrict: false) { row, _ in
      row[0].isNull ? [] : TextKernels.parts(row[0].text, row[1], null: row.count > 2 ? row[2] : .null).map { [$0] }
    }
  }
}
