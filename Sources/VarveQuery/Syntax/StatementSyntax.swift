// Statements as written.

final class SelectSyntax {
  enum SetOperation { case union, intersect, except }
  enum Body {
    case select
    case values([[ExpressionSyntax]])
    case operation(SetOperation, isAll: Bool, SelectSyntax, SelectSyntax)
  }
  var body = Body.select
  var commonTables: [CommonTableSyntax] = []
  var isDistinct = false
  var distinctOn: [ExpressionSyntax] = []
  var targets: [TargetSyntax] = []
  var from: [FromSyntax] = []
  var filter: ExpressionSyntax?
  var groupBy: [ExpressionSyntax] = []
  /// GROUP BY DISTINCT: each grouping set once.
  var isGroupDistinct = false
  var having: ExpressionSyntax?
  var windows: [WindowSyntax] = []
  var orderBy: [SortSyntax] = []
  var limit: ExpressionSyntax?
  var offset: ExpressionSyntax?
  /// FETCH FIRST … WITH TIES.
  var hasTies = false
  /// A clause that is refused, and where.
  var unsupported: (what: String, location: Int)?

  /// The same query with another select list.
  func selecting(_ targets: [TargetSyntax]) -> SelectSyntax {
    let other = SelectSyntax()
    other.body = body
    other.commonTables = commonTables
    other.isDistinct = isDistinct
    other.distinctOn = distinctOn
    other.targets = targets
    other.from = from
    other.filter = filter
    other.groupBy = groupBy
    other.isGroupDistinct = isGroupDistinct
    other.having = having
    other.windows = windows
    other.orderBy = orderBy
    other.limit = limit
    other.offset = offset
    other.hasTies = hasTies
    other.unsupported = unsupported
    return other
  }
}

struct CommonTableSyntax {
  var name = ""
  var columns: [String] = []
  var query: SelectSyntax?
  var isRecursive = false
  var location = 0
}

struct TargetSyntax {
  var name: String?
  var expression: ExpressionSyntax?
  var hasIndirection = false
  var location = 0
}

struct AliasSyntax {
  var name = ""
  var columns: [String] = []
}

struct RelationSyntax {
  var schema: String?
  var name = ""
  var location = 0
}

indirect enum FromSyntax {
  enum JoinKind { case inner, left, right, full }
  case table(RelationSyntax, AliasSyntax?)
  case query(SelectSyntax, AliasSyntax?, isLateral: Bool)
  case function(ExpressionSyntax, AliasSyntax?, withOrdinality: Bool)
  case join(
    JoinKind, FromSyntax, FromSyntax, on: ExpressionSyntax?, using: [String], isNatural: Bool, AliasSyntax?)
  case unsupported(String, location: Int)
}

struct InsertSyntax {
  var table = RelationSyntax()
  var columns: [TargetSyntax] = []
  var alias: AliasSyntax?
  /// nil: DEFAULT VALUES.
  var query: SelectSyntax?
  var conflict: ConflictSyntax?
  var returning: [TargetSyntax] = []
  /// All rows of VALUES, of which `query` has the first.
  var literalRows: LiteralRows?
}

/// ON CONFLICT.
struct ConflictSyntax {
  /// Columns in parentheses; none: no target, or a constraint's name.
  var columns: [String] = []
  var constraint: String?
  /// nil: DO NOTHING.
  var assignments: [TargetSyntax]?
  var filter: ExpressionSyntax?
  var unsupported: String?
  var location = -1
}

struct UpdateSyntax {
  var table = RelationSyntax()
  var alias: AliasSyntax?
  var assignments: [TargetSyntax] = []
  var from: [FromSyntax] = []
  var filter: ExpressionSyntax?
  var returning: [TargetSyntax] = []
  var unsupported: (what: String, location: Int)?
}

struct DeleteSyntax {
  var table = RelationSyntax()
  var alias: AliasSyntax?
  var using: [FromSyntax] = []
  var filter: ExpressionSyntax?
  var returning: [TargetSyntax] = []
  var unsupported: (what: String, location: Int)?
}

/// A constraint of a column or of a table.
struct ConstraintSyntax {
  /// PostgreSQL's name: CONSTR_NOTNULL, CONSTR_PRIMARY, CONSTR_DEFAULT, …
  var kind = ""
  var expression: ExpressionSyntax?
  var columns: [String] = []
  var location = 0
}

struct ColumnDefinitionSyntax {
  var name = ""
  var type = TypeSyntax()
  var constraints: [ConstraintSyntax] = []
  var location = 0
}

struct OptionSyntax {
  var namespace = ""
  var name = ""
  /// Strings, numbers and keywords as text; nil without a value.
  var value: String?
  /// Names in parentheses.
  var list: [String]?
  /// `*` in place of names.
  var isStar = false
  var location = 0
}

struct CreateTableSyntax {
  var table = RelationSyntax()
  var columns: [ColumnDefinitionSyntax] = []
  var constraints: [ConstraintSyntax] = []
  var options: [OptionSyntax] = []
  var ifNotExists = false
  var unsupported: (what: String, location: Int)?
}

struct AlterTableSyntax {
  enum Change {
    case addColumn(ColumnDefinitionSyntax, ifNotExists: Bool)
    case dropColumn(String, ifExists: Bool)
    case renameColumn(String, to: String)
    case rename(to: String)
    case unsupported(String)
  }
  var table = RelationSyntax()
  var ifExists = false
  /// ALTER MATERIALIZED VIEW.
  var isRollup = false
  var changes: [Change] = []
  var verb: String { isRollup ? "ALTER MATERIALIZED VIEW" : "ALTER TABLE" }
}

struct DropTableSyntax {
  var tables: [[String]] = []
  var ifExists = false
  /// What is made from them goes, too.
  var cascades = false
  /// DROP MATERIALIZED VIEW.
  var isRollup = false
  var what: String { isRollup ? "materialized view" : "table" }
  var verb: String { isRollup ? "DROP MATERIALIZED VIEW" : "DROP TABLE" }
}

/// CREATE MATERIALIZED VIEW … WITH (continuous) AS SELECT ….
struct CreateRollupSyntax {
  var name = RelationSyntax()
  var hasColumnNames = false
  var options: [OptionSyntax] = []
  var select: SelectSyntax?
  var ifNotExists = false
  var hasNoData = false
}

struct CopySyntax {
  var table = RelationSyntax()
  /// None: all.
  var columns: [String] = []
  /// COPY (query) TO, in place of a table.
  var query: SelectSyntax?
  var options: [OptionSyntax] = []
  var isFrom = false
  /// What is neither FROM STDIN nor TO STDOUT: its name, where, and the nearest thing that works.
  var unsupported: (what: String, location: Int, hint: String)?
}

struct DeclareSyntax {
  var name = ""
  var query: SelectSyntax?
  var isNeverScrolled = false
  /// An option that is refused, and the nearest thing that works.
  var unsupported: (what: String, hint: String)?
}

/// FETCH and MOVE.
struct FetchSyntax {
  enum Direction { case forward, backward, absolute, relative }
  var cursor = ""
  var direction = Direction.forward
  /// `Int.max`: all.
  var count = 1
  var isMove = false
}

struct SetSyntax {
  enum Kind { case value, toDefault, reset, resetAll }
  var kind = Kind.value
  var name = ""
  var values: [String] = []
  var isLocal = false
}

enum TransactionSyntax {
  case begin(options: [OptionSyntax])
  case commit, rollback
  case savepoint(String)
  case release(String)
  case rollbackTo(String)
  case unsupported(String)
}

indirect enum StatementSyntax {
  case empty
  case select(SelectSyntax)
  case insert(InsertSyntax)
  case update(UpdateSyntax)
  case delete(DeleteSyntax)
  case truncate([RelationSyntax])
  case copy(CopySyntax)
  case createTable(CreateTableSyntax)
  case alterTable(AlterTableSyntax)
  case dropTable(DropTableSyntax)
  case createRollup(CreateRollupSyntax)
  case explain(StatementSyntax, options: [OptionSyntax])
  case set(SetSyntax)
  /// SET TRANSACTION and SET SESSION CHARACTERISTICS.
  case setTransaction(options: [OptionSyntax])
  case show(String)
  case transaction(TransactionSyntax)
  case discard
  /// nil: all.
  case deallocate(String?)
  case prepare(name: String, types: [TypeSyntax], StatementSyntax)
  case execute(name: String, [ExpressionSyntax])
  case call(CallSyntax, location: Int)
  case declare(DeclareSyntax)
  case fetch(FetchSyntax)
  /// nil: all.
  case closeCursor(String?)
  case listen(String)
  /// nil: all.
  case unlisten(String?)
  case notify(String, payload: String)
  /// What PostgreSQL parses and this does not do: its name as users write it, and a hint.
  case unsupported(String, hint: String?)
}

/// One statement of a query string. The source is the whole string: positions count from its start.
package struct ParsedStatement: @unchecked Sendable {
  // Unchecked for the select trees, which are classes but not written by anybody who has a statement.
  let syntax: StatementSyntax
  let source: SourceText
  /// The statement's own text, without the semicolon.
  package let text: String
  /// There is no other statement in the source.
  var isAlone = false
  /// The text was not parsed, since there is a template: `syntax` is the template's.
  var templated: TemplatedText?
}
