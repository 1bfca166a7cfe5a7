// ALTER MATERIALIZED VIEW … ADD COLUMN name type GENERATED ALWAYS AS (aggregate) STORED, and ALTER TABLE likewise.
//
//   statement with one more column → one commit: fields, statement, and a mark on all that is not frozen → filled
//
// From that commit on the rollup is right to read: what is marked is made of the source's rows, and what is frozen is
// NULL in the new column, since the rows that it would be made of are gone.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// False: the statement is not about columns of a rollup.
  func alterRollup(_ alter: AlterTableSyntax, _ source: SourceText) throws -> Bool {
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    guard case .rollup(let table)? = catalog.relation(schema: alter.table.schema, name: alter.table.name)?.source,
      try hasColumns(alter, source)
    else { return false }
    if transactionStatus != .idle { throw inBlock(alter.verb) }
    try writePending()
    guard let rollup = try catalog.rollup(table.id) else { preconditionFailure("a rollup of this snapshot") }
    var extended = rollup
    for case .addColumn(let column, let ifNotExists) in alter.changes {
      if extended.statement.columns.contains(where: { $0.name.isSameName(as: column.name) }) {
        let message = "column \"\(column.name)\" of relation \"\(table.name)\" already exists"
        guard ifNotExists else { throw source.error("42701", message, at: column.location) }
        state.add(.notice(severity: "NOTICE", sqlState: "42701", message: message + ", skipping"))
        continue
      }
      extended = try adding(column, to: extended, source, catalog)
    }
    guard extended.definition != rollup.definition else { return true }
    let kept = rollup.statement.fieldNames.count
    let fields = zip(extended.statement.fieldNames, extended.statement.fields).dropFirst(kept)
    try store.change(
      .extend(
        table.id, from: rollup.definition, to: extended.definition, fields: fields.map { ($0, $1.part.fieldType) }))
    try noteUnknown(table, before: rollup.definition)
    try fill(table.name)
    return true
  }

  /// Throws for what cannot be changed of a rollup.
  private func hasColumns(_ alter: AlterTableSyntax, _ source: SourceText) throws -> Bool {
    func refused(_ what: String, _ hint: String) -> VarveError {
      source.unsupported(what, at: alter.table.location, hint: hint)
    }
    for change in alter.changes {
      switch change {
      case .rename: return false
      case .addColumn: continue
      case .dropColumn:
        throw refused(
          "dropping a column of a rollup", "Leave it out when you read: what it has of rows that are gone stays there.")
      case .renameColumn:
        throw refused("renaming a column of a rollup", "Name it when you read: SELECT … AS name.")
      case .unsupported(let what):
        throw refused("\(what) of a rollup", "ALTER MATERIALIZED VIEW has ADD COLUMN and RENAME TO.")
      }
    }
    return true
  }

  /// Buckets of which the source's rows are gone lack what came with this change.
  private func noteUnknown(_ table: TableSchema, before old: RollupDefinition) throws {
    guard let new = try store.snapshot().rollup(table.id)?.definition, new.additions.count > old.additions.count,
      let time = new.additions.last?.knownFrom
    else { return }
    let text = try TypeText.string(.timestamp(time), type: .timestamptz, context: EvaluationContext(now: 0))
    state.add(
      .notice(
        severity: "NOTICE", sqlState: "00000",
        message: "what is added to \"\(table.name)\" is NULL in buckets that begin before \(text): retention has "
          + "dropped their rows"))
  }

  // MARK: One column

  private func adding(
    _ column: ColumnDefinitionSyntax, to rollup: BoundRollup, _ source: SourceText, _ catalog: CatalogView
  ) throws -> BoundRollup {
    guard column.constraints.count == 1, let constraint = column.constraints.first,
      constraint.kind == "CONSTR_GENERATED",
      let expression = RollupDefinitionText.generated(in: source.text, at: constraint.location)
    else {
      throw source.unsupported(
        "a column of a rollup without its aggregate", at: column.location,
        hint: "ADD COLUMN \(column.name) bigint GENERATED ALWAYS AS (max(value)) STORED says what it is made of.")
    }
    let binder = Binder(
      source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    let type = try binder.type(column.type)
    try binder.checkName(column.name, at: column.location)
    let plain = try adding(expression, as: column, to: rollup, source, catalog)
    guard let found = plain.statement.columns.last?.type, found != type else { return plain }
    guard try binder.coerce(.place(0, found), to: type, .assignment, at: column.location) != nil else {
      throw source.error(
        "42804", "column \"\(column.name)\" is of type \(type.name) but its expression is of type \(found.name)",
        at: column.location)
    }
    return try adding(expression, castTo: type, as: column, to: rollup, source, catalog)
  }

  private func adding(
    _ expression: (text: String, location: Int), castTo type: SQLType? = nil, as column: ColumnDefinitionSyntax,
    to rollup: BoundRollup, _ source: SourceText, _ catalog: CatalogView
  ) throws -> BoundRollup {
    let new = try text(expression.text, castTo: type, as: column, in: rollup.definition.statement)
    let old = rollup.definition
    let statement: RollupStatement
    do {
      guard case .select(let select)? = try SQLParser.parse(new.text).first?.syntax else {
        preconditionFailure("a SELECT with one more column")
      }
      statement = try bindRollup(select, SourceText(new.text), catalog, over: rollup.statement.source)
    } catch var error as VarveError {
      // Where it lies in what somebody wrote, if it lies there.
      var position = source.position(column.location)
      if let start = SourceText(new.text).position(new.location), let found = error.position,
        (start..<start + expression.text.unicodeScalars.count).contains(found)
      {
        position = source.position(expression.location).map { $0 + found - start }
      }
      error.position = position
      throw error
    }
    guard statement.fieldNames.starts(with: rollup.statement.fieldNames),
      zip(statement.fields, rollup.statement.fields).allSatisfy({ $0.part.signature == $1.part.signature })
    else {
      throw source.unsupported(
        "this column of a rollup", at: column.location, hint: "Make another rollup that has it.")
    }
    let definition = RollupDefinition(
      source: old.source, stepNanoseconds: old.stepNanoseconds, origin: old.origin,
      columns: Set(old.columns + statement.usedColumns).sorted(), statement: new.text, additions: old.additions)
    return BoundRollup(schema: rollup.schema, definition: definition, statement: statement)
  }

  /// A rollup's statement with one more column, and where the column's expression stands in it.
  private func text(
    _ expression: String, castTo type: SQLType?, as column: ColumnDefinitionSyntax, in statement: String
  )
    throws -> (text: String, location: Int)
  {
    guard case .select(let select)? = try SQLParser.parse(statement).first?.syntax,
      case .table(let relation, _)? = select.from.first
    else { throw VarveError(.corruption, "a rollup's statement is of no table: \(statement)") }
    guard
      let new = RollupDefinitionText.adding(
        expression, castTo: type?.name, as: column.name, to: statement, beforeTable: relation.location)
    else { throw VarveError(.corruption, "a rollup's statement has no FROM: \(statement)") }
    return new
  }
}
