// The columns that names can mean at one place of a query, and the chain of queries around it.

import VarveCompute
import VarveCore

struct ScopeColumn: Sendable {
  var name: String
  var type: SQLType
  /// The alias of the relation it comes from.
  var relation: String?
  /// Where the relation was named with its schema and without an alias: its schema.
  var schema: String?
  var tableOID: UInt32 = 0
  var attributeNumber: Int16 = 0
  /// The second of two columns that USING merged: only found with its relation's name.
  var isMerged = false
  /// The names of the elements, where it is a row of a function that stands as an array.
  var fields: [String] = []
  /// The only column of a function, which its relation's name means, too.
  var isWholeRow = false

  var qualifiedName: String { relation.map { "\($0).\(name)" } ?? name }
}

/// One query while it is bound.
final class QueryLevel {
  let parent: QueryLevel?
  /// Index = column of the input.
  var columns: [ScopeColumn] = []
  /// Values taken from the query around: slot n, in that query's terms.
  var outerInputs: [BoundExpression] = []
  var commonTables: [Name: CommonTable] = [:]
  /// Named in errors where aggregates are not allowed; nil where they are.
  var clauseWithoutAggregates: String?
  /// Named in errors where window functions are not allowed though aggregates may be.
  var clauseWithoutWindows: String?
  var isInsideAggregate = false
  var isInsideWindow = false
  var isInsideFill = false
  /// The query's time_bucket_gapfill.
  var gapFill: GapFillRequest?
  /// A call that only gap filling gives a meaning.
  var needsGapFill: (name: String, location: Int)?
  /// By WINDOW.
  var windows: [Name: WindowDefinition] = [:]
  /// The query's results get their types from elsewhere (a UNION, an INSERT): literals stay undecided.
  var keepsUnknown = false

  /// Whether functions that give rows may be called here: in the select list.
  var takesSets = false
  /// Those that were.
  var sets: [SetCall] = []

  init(parent: QueryLevel?) { self.parent = parent }

  func commonTable(_ name: String) -> CommonTable? { commonTables[Name(name)] ?? parent?.commonTable(name) }

  /// The slot of a value of the query around this one.
  func slot(for expression: BoundExpression) -> BoundExpression {
    if let slot = outerInputs.firstIndex(where: { $0.isSame(as: expression) }) {
      return .outer(slot: slot, expression.type)
    }
    outerInputs.append(expression)
    return .outer(slot: outerInputs.count - 1, expression.type)
  }

  enum Match {
    case found(BoundExpression)
    case ambiguous
    case missing
  }

  func resolve(_ names: [String], location: Int) -> Match {
    let name = names[names.count - 1]
    let relation = names.count > 1 ? names[names.count - 2] : nil
    let schema = names.count > 2 ? names[names.count - 3] : nil
    var found: Int?
    for (index, column) in columns.enumerated() where column.name.isSameName(as: name) {
      if let relation {
        if !column.relation.isSameName(as: relation) { continue }
        if let schema, !column.schema.isSameName(as: schema) { continue }
      } else if column.isMerged {
        continue
      }
      if found != nil { return .ambiguous }
      found = index
    }
    if let found { return .found(reference(found, location: location)) }
    if name == "tableoid", let expression = tableOID(relation, schema) { return .found(expression) }
    if relation == nil,
      let index = columns.firstIndex(where: { $0.isWholeRow && $0.relation.isSameName(as: name) })
    {
      return .found(reference(index, location: location))
    }
    guard let parent else { return .missing }
    switch parent.resolve(names, location: location) {
    case .found(let expression): return .found(slot(for: expression))
    case .ambiguous: return .ambiguous
    case .missing: return .missing
    }
  }

  private func reference(_ index: Int, location: Int) -> BoundExpression {
    let column = columns[index]
    return .column(ColumnReference(index: index, type: column.type, name: column.qualifiedName, location: location))
  }

  /// The columns of a relation, as a row of it; nil: there is no relation of the name. `isFromTable`: of a table, of whose
  /// rows none is NULL throughout.
  func wholeRow(_ name: String, location: Int) -> (names: [String], values: [BoundExpression], isFromTable: Bool)? {
    let own = columns.indices.filter { columns[$0].relation.isSameName(as: name) }
    guard own.isEmpty else {
      return (
        own.map { columns[$0].name }, own.map { reference($0, location: location) },
        columns[own[0]].tableOID != 0
      )
    }
    guard let row = parent?.wholeRow(name, location: location) else { return nil }
    return (row.names, row.values.map { slot(for: $0) }, row.isFromTable)
  }

  /// PostgreSQL's system column: the relation that a row is of. NULL in rows that an outer join made up, where the first
  /// column is NULL, too; nil: there is no relation of that name, or more than one.
  private func tableOID(_ relation: String?, _ schema: String?) -> BoundExpression? {
    let firsts = columns.indices.filter { index in
      let column = columns[index]
      guard column.tableOID != 0, column.attributeNumber == 1 else { return false }
      return relation.map { column.relation.isSameName(as: $0) } ?? true
        && schema.map { column.schema.isSameName(as: $0) } ?? true
    }
    guard firsts.count == 1, let index = firsts.first else { return nil }
    let first = reference(index, location: -1)
    return .choose(
      cases: [(when: .isNull(first, isNegated: true), result: .constant(.int(Int64(columns[index].tableOID)), .oid))],
      otherwise: .constant(.null, .oid), .oid)
  }

  func hasRelation(_ name: String) -> Bool {
    columns.contains { $0.relation.isSameName(as: name) } || (parent?.hasRelation(name) ?? false)
  }

  /// Columns whose names someone may have meant: the same but for case first, then within two edits.
  func suggestion(for name: String, relation: String?) -> ScopeColumn? {
    let candidates = columns.filter { column in relation.map { column.relation.isSameName(as: $0) } ?? true }
    if let same = candidates.first(where: { $0.name.lowercased() == name.lowercased() }) { return same }
    let distances = candidates.map { (Self.editDistance($0.name, name), $0) }
    if let best = distances.min(by: { $0.0 < $1.0 }), best.0 <= min(2, name.utf8.count / 2) { return best.1 }
    return parent?.suggestion(for: name, relation: relation)
  }

  static func editDistance(_ a: String, _ b: String) -> Int {
    let x = Array(a.lowercased().utf8)
    let y = Array(b.lowercased().utf8)
    if x.count > 64 || y.count > 64 { return .max }
    var row = Array(0...y.count)
    for i in 0..<x.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<y.count {
        let cost = x[i] == y[j] ? diagonal : diagonal + 1
        diagonal = row[j + 1]
        row[j + 1] = min(cost, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[y.count]
  }
}

/// A query of WITH, bound where it is written and planned again at each use.
struct CommonTable {
  let syntax: CommonTableSyntax
  let level: QueryLevel
  /// Names itself.
  var isRecursive = false
  /// Set within the part of it that does.
  var work: WorkTable?
}
