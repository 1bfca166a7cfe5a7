// A SELECT planned once for all texts that differ from it in values compared with columns: what stands there became
// parameters (`LiteralLifting`), and a text of the same shape is run by giving them its own values. It is not read or
// planned then, only cut into its shape; series, partitions and zones are pruned by its values, as for any parameter.
//
// All other literals of the text must be the template's own, byte for byte. Whatever does not fit (a value that is no
// value of its column's type, 'now', a changed table) is left to the text itself, which is parsed and planned as if there
// were no template: answers and errors are the same with and without.

import VarveCompute
import VarveCore

final class StatementTemplate: Sendable {
  private let text: [UInt8]
  private let literals: [StatementShape.Literal]
  /// Of each literal, its parameter; nil: it is part of the plan.
  private let slots: [Int?]
  private let kinds: [StatementShape.Kind]
  /// Bytes of the text behind the statement: a semicolon.
  private let trailingByteCount: Int
  /// Planned, with a parameter for each lifted literal.
  let statement: PreparedStatement
  /// What those who look at a statement's syntax see. Literals are parameters in it.
  var syntax: StatementSyntax { statement.parsed.syntax }

  /// nil: the text has nothing to lift. Throws what planning does, with places that mean nothing.
  init?(
    _ sql: String, _ shape: StatementShape, plan: (ParsedStatement, [SQLType?]) throws -> PreparedStatement
  ) throws {
    text = Array(sql.utf8)
    literals = shape.literals
    // A tree of its own, since it is changed.
    let parsed = try SQLParser.parse(sql)
    guard let statement = parsed.first, statement.isAlone, case .select(let select) = statement.syntax,
      sql.utf8.starts(with: statement.text.utf8)
    else { return nil }
    var lifting = LiteralLifting(text, shape.literals)
    lifting.lift(select)
    if lifting.kinds.isEmpty { return nil }
    slots = lifting.slots
    kinds = lifting.kinds
    trailingByteCount = text.count - statement.text.utf8.count
    let prepared = try plan(
      statement,
      kinds.map { kind in
        switch kind {
        case .string: nil
        case .int4: .int4
        case .int8: .int8
        case .numeric: .numeric
        }
      })
    guard case .query = prepared.kind, !prepared.isOnceOnly, prepared.parameterTypes.count == kinds.count else {
      return nil
    }
    self.statement = prepared
  }

  /// Whether it stands for a text of its shape.
  func fits(_ other: UnsafeBufferPointer<UInt8>, _ shape: StatementShape) -> Bool {
    for (index, slot) in slots.enumerated() where slot == nil {
      guard other[shape.literals[index].bytes].elementsEqual(text[literals[index].bytes]) else { return false }
    }
    return true
  }

  /// The statement's own text in one that it fits.
  func statementText(in sql: String) -> String {
    trailingByteCount == 0 ? sql : String(decoding: sql.utf8.dropLast(trailingByteCount), as: UTF8.self)
  }

  /// The parameters' values from a text that it fits; nil: one of them is no value of its type, or means a moment.
  func values(_ other: UnsafeBufferPointer<UInt8>, _ shape: StatementShape, _ context: EvaluationContext) -> [Datum]? {
    var values = [Datum](repeating: .null, count: kinds.count)
    for (index, slot) in slots.enumerated() {
      guard let slot else { continue }
      let bytes = UnsafeBufferPointer(rebasing: other[shape.literals[index].content])
      let type = statement.parameterTypes[slot]
      if Binder.namesMoment(bytes, type) { return nil }
      // The text itself is then bound, and says what is wrong with the value, and where.
      guard let value = try? Binder.literal(bytes, type, context) else { return nil }
      values[slot] = value
    }
    return values
  }
}

/// A text that has a template.
struct TemplatedText: Sendable {
  let template: StatementTemplate
  let shape: StatementShape

  /// As the text would be parsed, but for its syntax.
  func parsed(_ sql: String) -> ParsedStatement {
    ParsedStatement(
      syntax: template.syntax, source: SourceText(sql), text: template.statementText(in: sql), isAlone: true,
      templated: self)
  }

  /// The statement with its values; nil as for `StatementTemplate.values`.
  func statement(_ parsed: ParsedStatement, _ context: EvaluationContext) -> PreparedStatement? {
    var text = parsed.source.text
    return text.withUTF8 { bytes in
      template.values(bytes, shape, context).map {
        PreparedStatement(template.statement, parsed: parsed, constants: $0)
      }
    }
  }
}
