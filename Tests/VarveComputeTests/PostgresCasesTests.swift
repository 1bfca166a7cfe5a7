// Ten thousand expressions with what PostgreSQL 15.18 answered: postgres-15-expected.txt, one a line:
// zone¦kind¦name¦target type¦result type¦value or SQLSTATE¦type¦text…
// `record-postgres` fills in the answers. An aggregate's argument of type `x[]!` is a column of its elements.

import Foundation
import Testing
import VarveCore

@testable import VarveCompute

@Suite(.enabled(if: Support.hasZones)) struct PostgresCasesTests {
  struct Case: CustomStringConvertible {
    let zone, kind, name, target, type, value: String
    let arguments: [(type: String, text: String)]
    var description: String {
      "\(kind) \(name)(\(arguments.map { "\($0.type) '\($0.text)'" }.joined(separator: ", "))) \(target) in \(zone)"
    }
  }

  static let cases: [Case] = {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("postgres-15-expected.txt")
    let text = String(decoding: FileManager.default.contents(atPath: path.path) ?? Data(), as: UTF8.self)
    return text.split(separator: "\n", omittingEmptySubsequences: true).map { line in
      let f = line.replacing("\u{2424}", with: "\n").split(separator: "¦", omittingEmptySubsequences: false).map(
        String.init)
      var arguments: [(String, String)] = []
      for i in stride(from: 6, to: f.count - 1, by: 2) { arguments.append((f[i], f[i + 1])) }
      return Case(zone: f[0], kind: f[1], name: f[2], target: f[3], type: f[4], value: f[5], arguments: arguments)
    }
  }()

  enum Storage: CaseIterable { case constant, rows, dictionary, mixed }

  /// Feeds an aggregate in another way for each storage.
  static func aggregate(_ c: Case, _ storage: Storage, _ context: EvaluationContext) throws -> (String, String) {
    var columns: [Column] = []
    var constants: [(Datum, SQLType)] = []
    var count = 0
    for argument in c.arguments {
      let isColumn = argument.type.hasSuffix("!")
      guard let type = try SQLType.parse(argument.type.filter { $0 != "!" }) else { return ("no type", argument.type) }
      let datum = try TypeText.parse(argument.text, as: type, context: context)
      if isColumn, let element = type.element, case .array(let values) = datum {
        columns.append(try Column(type: element, data: values))
        count = values.count
      } else {
        constants.append((datum, type))
      }
    }
    let all = constants.map { Column.constant($0.0, type: $0.1, count: count) } + columns
    guard let function = try FunctionCatalog.aggregate(c.name, all.map(\.type)) else { return ("ERROR", "42883") }
    var arguments: [Column] = []
    for (column, type) in zip(all, function.argumentTypes) {
      guard let cast = try FunctionCatalog.cast(from: column.type, to: type, context: .implicit) else {
        return ("ERROR", "42883")
      }
      arguments.append(try cast.evaluate([column], count, context))
    }
    let states = function.makeStates()
    try states.resize(to: 1)
    switch storage {
    case .constant: try states.update(arguments, rows: 0..<count, group: 0)
    case .rows:
      let groups = [UInt32](repeating: 0, count: count)
      try groups.withUnsafeBufferPointer { try states.update(arguments, groups: $0) }
    case .dictionary:
      let segments = [0..<(count / 3), (count / 3)..<count].map { GroupSegment(rows: $0, group: 0, rank: 1) }
      try segments.withUnsafeBufferPointer { try states.update(arguments, segments: $0) }
    case .mixed:
      let other = function.makeStates()
      try other.resize(to: 1)
      try states.update(arguments, rows: 0..<(count / 2), group: 0)
      try other.update(arguments, rows: (count / 2)..<count, group: 0)
      try ([0] as [UInt32]).withUnsafeBufferPointer { try states.merge(other, groups: $0) }
    }
    return (function.resultType.base.name, try Support.text(states.result(), 0, context))
  }

  static func run(_ c: Case, _ storage: Storage) throws -> (String, String) {
    let context = Support.context(c.zone)
    if c.kind == "agg" { return try aggregate(c, storage, context) }
    var columns: [Column] = []
    for (i, argument) in c.arguments.enumerated() {
      guard let type = try SQLType.parse(argument.type) else { return ("no type", argument.type) }
      let datum = try TypeText.parse(argument.text, as: type, context: context)
      switch storage {
      case .constant: columns.append(.constant(datum, type: type, count: 3))
      case .mixed where i > 0: columns.append(.constant(datum, type: type, count: 3))
      case .dictionary where type.isText:
        guard case .text(let text) = datum else { return ("no text", "") }
        columns.append(
          Column(
            type: type, count: 3,
            storage: .dictionary(Buffer([1, 0, 1] as [UInt32]), TextDictionary(["other", text])),
            nulls: Buffer([0, 1, 0] as [UInt8])))
      default: columns.append(try Column(type: type, data: [datum, .null, datum]))
      }
    }
    let result: Column
    if c.kind == "cast" {
      guard let target = try SQLType.parse(c.target),
        let cast = try FunctionCatalog.cast(from: columns[0].type, to: target, context: .explicit)
      else { throw SQLError.make(c.target == "nosuch" ? "42704" : "42846", "no cast") }
      result = try cast.evaluate(columns, 3, context)
    } else {
      do {
        result = try Support.call(c.kind, c.name, columns, 3, context)
      } catch is Support.NoFunction {
        return ("ERROR", "42883")
      }
    }
    let first = try Support.text(result, 0, context)
    let last = try Support.text(result, 2, context)
    if first != last { return ("rows differ", first + " / " + last) }
    if storage != .constant, !c.arguments.isEmpty, !result.isNull(at: 1), !takesNulls(c) {
      return ("NULL gave a value", "")
    }
    return (result.type.base.name, first)
  }

  /// Functions that are not strict.
  static func takesNulls(_ c: Case) -> Bool {
    switch c.name {
    case "array_append", "array_prepend", "array_cat", "concat", "concat_ws", "quote_nullable", "num_nulls",
      "num_nonnulls":
      true
    case "||": c.arguments.contains { $0.type.hasSuffix("[]") }
    default: false
    }
  }

  /// Where this store knowingly differs from PostgreSQL.
  static func isKnownDifference(_ c: Case, _ got: (String, String)) -> Bool {
    let texts = c.arguments.map(\.text)
    // Timestamps are nanoseconds in 64 bits: nothing before 1677.
    if c.name == "date_trunc", texts[0] == "millennium", got.1 == "22008" { return true }
    if c.name == "to_timestamp", got.1 == "22008", c.value.hasSuffix("BC") || (Int(c.value.prefix(4)) ?? 9999) < 1678 {
      return true
    }
    // An empty turn of a repeated group counts here, and not there.
    if texts.count > 1, texts[1] == "(a*)*b" { return true }
    // Where rounding carries, PostgreSQL 15 writes a mantissa of ten.
    if c.name == "to_char", c.value.contains("10.00e") { return true }
    // json takes no half of a surrogate pair, as jsonb.
    if c.kind == "cast", c.target == "json", texts[0].contains("ud83d\"") { return true }
    // Letters beyond ASCII change case; under the C locale they do not.
    if c.name == "upper", texts[0].contains("é") { return true }
    // A seventh fractional digit is kept, not rounded away; what leaves is floored.
    if c.kind == "cast", texts[0].hasSuffix(".1234567") { return true }
    // Merged moments round otherwise than a running update.
    if c.kind == "agg", let x = Double(got.1), let y = Double(c.value), abs(x - y) <= 1e-14 * abs(y) { return true }
    // Hexadecimal floats are the C library's, not SQL's.
    return c.kind == "cast" && texts[0] == "0x1p3"
  }

  @Test(arguments: Storage.allCases) func everyExpressionAnswersAsPostgreSQL(_ storage: Storage) throws {
    try #require(Self.cases.count > 5000)
    var failures: [String] = []
    for c in Self.cases {
      var got: (String, String)
      do {
        got = try Self.run(c, storage)
      } catch let error as VarveError {
        got = ("ERROR", error.sqlState ?? "?")
      }
      if got != (c.type, c.value), !Self.isKnownDifference(c, got) {
        failures.append("\(c): \(got.0) \(got.1), PostgreSQL: \(c.type) \(c.value)")
      }
    }
    if let path = ProcessInfo.processInfo.environment["VARVE_CASE_FAILURES"] {
      try failures.joined(separator: "\n").write(toFile: path + "-\(storage)", atomically: true, encoding: .utf8)
    }
    #expect(
      failures.isEmpty, "\(failures.count) of \(Self.cases.count): \(failures.prefix(20).joined(separator: "\n"))")
  }
}
