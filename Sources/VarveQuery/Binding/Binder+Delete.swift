// DELETE and TRUNCATE.

import VarveCompute
import VarveCore
import VarveStorage

extension Binder {
  /// From a series table.
  func bindDelete(_ delete: DeleteSyntax, from table: TableSchema) throws -> DeletePlan {
    if !delete.using.isEmpty {
      throw source.unsupported(
        "DELETE … USING of a series table", at: delete.table.location,
        hint: "DELETE takes conditions on the table's own tags and time.")
    }
    if let target = delete.returning.first {
      throw source.unsupported("RETURNING", at: target.location, hint: "SELECT the rows before they are deleted.")
    }
    let level = QueryLevel(parent: nil)
    let plan = try bindFrom([.table(delete.table, delete.alias)], level)
    guard case .series(var scan) = plan else { preconditionFailure("a series table is scanned as one") }
    if let filter = delete.filter {
      level.clauseWithoutAggregates = "WHERE"
      scan.conditions = try condition(filter, level, "WHERE").conjuncts
    }
    return try deletePlan(scan, table, at: delete.filter?.location ?? delete.table.location)
  }

  func bindTruncate(_ tables: [RelationSyntax]) throws -> TruncatePlan {
    var plan = TruncatePlan()
    for relation in tables {
      switch try writableRelation(relation).source {
      case .series(let table):
        dependencies.append(table)
        reads.insert(table.id)
        plan.series.append(
          DeletePlan(scan: Self.scan(SeriesScan(table: table, columns: [])), gates: [], isCounted: false))
      case .dimension(let table):
        dimensions.append(table)
        plan.dimensions.append(table)
      case .virtual, .rollup: preconditionFailure("these were refused")
      }
    }
    return plan
  }

  /// What UPDATE and DELETE with a WITH say.
  func refuseWith(_ delete: DeleteSyntax) throws {
    guard let (what, place) = delete.unsupported else { return }
    throw source.unsupported(
      what, at: place < 0 ? delete.table.location : place, hint: "Use a subquery in WHERE.")
  }

  private static func scan(_ scan: SeriesScan) -> SeriesScanNode {
    var scan = scan
    scan.width = 0
    return ScanPlanning.plan(scan)
  }

  private func deletePlan(_ scan: SeriesScan, _ table: TableSchema, at location: Int) throws -> DeletePlan {
    func isGate(_ condition: BoundExpression) -> Bool {
      condition.columns.isEmpty && !condition.isVolatile && !condition.hasSubquery
    }
    var narrowed = scan
    narrowed.conditions = scan.conditions.filter { !isGate($0) }
    let node = Self.scan(narrowed)
    if let condition = node.residual.first ?? narrowed.conditions.first(where: \.hasSubquery) {
      let reference = Self.firstColumn(of: condition) { column in
        guard let known = table.columns.first(where: { $0.name.isSameName(as: column) }) else { return false }
        return !known.isTag
      }
      throw source.unsupported(
        reference.map { "DELETE by the field \($0.name)" } ?? "this condition of a DELETE",
        at: reference?.location ?? Self.firstColumn(of: condition) { _ in true }?.location ?? location,
        hint: "A delete covers series and times: conditions on single tags, and comparisons of time with constants, "
          + "joined by AND.")
    }
    return DeletePlan(scan: node, gates: scan.conditions.filter(isGate), isCounted: true)
  }

  /// The first column of the expression for whose own name `test` holds.
  private static func firstColumn(of expression: BoundExpression, _ test: (String) -> Bool) -> ColumnReference? {
    var found: ColumnReference?
    _ = expression.contains { part in
      if case .column(let reference) = part, test(reference.name.split(separator: ".").last.map(String.init) ?? "") {
        found = reference
      }
      return found != nil
    }
    return found
  }
}
