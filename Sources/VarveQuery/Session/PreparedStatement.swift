// A statement that was bound and planned, ready to run with any parameters. It is made for one state of the
// schema; the session makes it anew where that has changed.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

package final class PreparedStatement: Sendable {
  enum Kind: Sendable {
    case query(any PlanNode)
    case insert(InsertPlan)
    case copy(CopyPlan)
    case copyOut(CopyOutPlan)
    case delete(DeletePlan)
    case truncate(TruncatePlan)
    /// A write to a dimension table.
    case dimension(any DimensionPlan)
    case declare(CursorPlan)
    case explain(ExplainPlan)
    /// What needs no plan.
    case utility
  }
  let parsed: ParsedStatement
  let kind: Kind
  /// What the client said of the parameters.
  let declaredTypes: [SQLType?]
  /// Of all parameters.
  package let parameterTypes: [SQLType]
  /// nil: the statement gives no rows.
  package let columns: [ResultColumn]?
  /// The series tables it was planned for.
  let dependencies: [TableSchema]
  /// Of each of them, what made it a rollup, and the rollups that there were.
  let rollups: [[RollupDefinition]]
  let dimensions: [DimensionSchema]
  /// Those of them that are read.
  let reads: Set<TableID>
  let timeZone: String
  /// Holds something of the moment it was made.
  let isOnceOnly: Bool
  /// Values of the plan's parameters where the statement is one of a template: its client knows of no parameters.
  let constants: [Datum]

  init(
    parsed: ParsedStatement, kind: Kind, declaredTypes: [SQLType?], parameterTypes: [SQLType],
    columns: [ResultColumn]?, dependencies: [TableSchema], rollups: [[RollupDefinition]] = [],
    dimensions: [DimensionSchema] = [], reads: Set<TableID>,
    timeZone: String, isOnceOnly: Bool
  ) {
    self.parsed = parsed
    self.kind = kind
    self.declaredTypes = declaredTypes
    self.parameterTypes = parameterTypes
    self.columns = columns
    self.dependencies = dependencies
    self.rollups = rollups
    self.dimensions = dimensions
    self.reads = reads
    self.timeZone = timeZone
    self.isOnceOnly = isOnceOnly
    constants = []
  }

  /// What a template planned, for a text with these values.
  init(_ template: PreparedStatement, parsed: ParsedStatement, constants: [Datum]) {
    self.parsed = parsed
    kind = template.kind
    declaredTypes = []
    parameterTypes = []
    columns = template.columns
    dependencies = template.dependencies
    rollups = template.rollups
    dimensions = template.dimensions
    reads = template.reads
    timeZone = template.timeZone
    isOnceOnly = true
    self.constants = constants
  }

  /// For COPY … FROM STDIN, which `QuerySession.beginCopy` runs.
  package var isCopy: Bool {
    if case .copy = kind { return true }
    return false
  }
  /// For COPY … TO STDOUT, which `QuerySession.beginCopyOut` runs.
  package var isCopyOut: Bool {
    if case .copyOut = kind { return true }
    return false
  }

  /// Whether it still means what it meant.
  func isCurrent(_ snapshot: any ReadSnapshot, timeZone: String) -> Bool {
    guard self.timeZone == timeZone else { return false }
    for table in dependencies where snapshot.table(named: table.name) != table { return false }
    for (table, known) in zip(dependencies, rollups) where snapshot.rollupDefinitions(around: table.id) != known {
      return false
    }
    for table in dimensions where snapshot.dimension(named: table.name) != table { return false }
    return true
  }

  /// Statements that a failed transaction still takes: they end it, or what failed of it.
  var endsTransaction: Bool {
    if case .transaction(let transaction) = parsed.syntax {
      switch transaction {
      case .commit, .rollback, .rollbackTo: return true
      default: return false
      }
    }
    return false
  }
}

extension ReadSnapshot {
  /// What says how a table's rows are made, if it is a rollup, and those of its own rollups. A statement may get other
  /// columns though nothing else is stored.
  func rollupDefinitions(around table: TableID) -> [RollupDefinition] {
    let own = rollup(table).map { [$0.definition] } ?? []
    return own + rollups(of: table).map(\.definition)
  }
}
