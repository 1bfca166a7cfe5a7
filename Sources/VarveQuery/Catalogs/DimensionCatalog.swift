// Primary keys and defaults of dimension tables as the catalogs show them.
//
// The index of a primary key has the table's object id, moved by a fixed distance; it is the constraint's id too, in a
// catalog of its own. A default's id is made of its table's and its column's.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

enum DimensionCatalog {
  /// Beyond the ids of 100,000 tables many times over.
  private static let keyDistance: UInt32 = 1 << 30

  static func keyOID(_ table: DimensionSchema) -> UInt32 { CatalogView.oid(table.id) &+ keyDistance }

  /// The table whose key's index has the id.
  static func table(ofKey oid: Int64, _ snapshot: any ReadSnapshot) -> DimensionSchema? {
    snapshot.dimensions().first { Int64(keyOID($0)) == oid }
  }

  /// Numbers of the key's columns, as pg_attribute counts.
  static func attributes(_ table: DimensionSchema) -> [Int] {
    table.key.compactMap { id in table.columns.firstIndex { $0.id == id }.map { $0 + 1 } }
  }

  static func keyNames(_ table: DimensionSchema) -> String {
    table.key.compactMap { table.column($0)?.name }.map(Binder.quoteIfNeeded).joined(separator: ", ")
  }

  /// As pg_get_constraintdef says it.
  static func constraintDefinition(_ table: DimensionSchema) -> String { "PRIMARY KEY (\(keyNames(table)))" }

  /// As pg_get_indexdef says it.
  static func indexDefinition(_ table: DimensionSchema) -> String {
    "CREATE UNIQUE INDEX \(Binder.quoteIfNeeded(table.keyName)) ON public.\(Binder.quoteIfNeeded(table.name)) "
      + "USING btree (\(keyNames(table)))"
  }

  /// A column's default as SQL; nil without one.
  static func defaultText(_ column: DimensionColumn) -> String? {
    switch column.default {
    case nil: return nil
    case .now: return column.type == .date ? "CURRENT_DATE" : "now()"
    case .value(let value):
      let context = EvaluationContext(now: 0, timeZone: "UTC", zones: .builtIn)
      do {
        let type = column.type.sqlType
        var builder = ColumnBuilder(type)
        try builder.append(value, column.type, context)
        let text = try TypeText.string(builder.finish().datum(at: 0), type: type, context: context)
        switch column.type {
        case .smallint, .integer, .bigint, .numeric: return text
        case .boolean: return text == "t" ? "true" : "false"
        default:
          return
            "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'::\(type.name)"
        }
      } catch {
        preconditionFailure("a default was of its column's type when it was made: \(error)")
      }
    }
  }

  // MARK: Rows

  static let tables: [VirtualTable] = [
    VirtualTable(
      "pg_catalog", "pg_index", oid: 2610,
      """
      indexrelid oid indrelid oid indnatts int2 indnkeyatts int2 indisunique bool indnullsnotdistinct bool \
      indisprimary bool indisexclusion bool indimmediate bool indisclustered bool indisvalid bool indcheckxmin bool \
      indisready bool indislive bool indisreplident bool indkey int2vector indcollation oidvector indclass oidvector \
      indoption int2vector indexprs text indpred text
      """, rows: indexes),
    VirtualTable(
      "pg_catalog", "pg_constraint", oid: 2606,
      """
      oid oid conname name connamespace oid contype char condeferrable bool condeferred bool convalidated bool \
      conrelid oid contypid oid conindid oid conparentid oid confrelid oid confupdtype char confdeltype char \
      confmatchtype char conislocal bool coninhcount int4 connoinherit bool conkey int2[] confkey int2[] conpfeqop \
      oid[] conppeqop oid[] conffeqop oid[] confdelsetcols int2[] conexclop oid[] conbin text
      """, rows: constraints),
    VirtualTable(
      "pg_catalog", "pg_attrdef", oid: 2604,
      "oid oid adrelid oid adnum int2 adbin text", rows: defaults),
    VirtualTable(
      "pg_catalog", "pg_indexes",
      "schemaname name tablename name indexname name tablespace name indexdef text", rows: indexNames),
    VirtualTable(
      "information_schema", "table_constraints",
      """
      constraint_catalog name constraint_schema name constraint_name name table_catalog name table_schema name \
      table_name name constraint_type text is_deferrable text initially_deferred text enforced text nulls_distinct \
      text
      """, rows: tableConstraints),
    VirtualTable(
      "information_schema", "key_column_usage",
      """
      constraint_catalog name constraint_schema name constraint_name name table_catalog name table_schema name \
      table_name name column_name name ordinal_position int4 position_in_unique_constraint int4
      """, rows: keyColumns),
  ]

  @Sendable static func indexes(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().map { table in
      let columns = attributes(table)
      let types = table.key.compactMap { table.column($0)?.type.sqlType }
      return [
        Cell.oid(keyOID(table)), Cell.oid(CatalogView.oid(table.id)), Cell.int(columns.count), Cell.int(columns.count),
        Cell.yes, Cell.no, Cell.yes, Cell.no, Cell.yes, Cell.no, Cell.yes, Cell.no, Cell.yes, Cell.yes, Cell.no,
        .array(columns.map(Cell.int)), .array(types.map { .int(PgCatalog.collation($0)) }),
        .array(columns.map { _ in .int(0) }), .array(columns.map { _ in .int(0) }), .null, .null,
      ]
    }
  }

  @Sendable static func constraints(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().map { table in
      [
        Cell.oid(keyOID(table)), .text(table.keyName), Cell.oid(Namespace.oid("public")), .text("p"), Cell.no, Cell.no,
        Cell.yes, Cell.oid(CatalogView.oid(table.id)), .int(0), Cell.oid(keyOID(table)), .int(0), .int(0), .text(" "),
        .text(" "), .text(" "), Cell.yes, .int(0), Cell.yes, .array(attributes(table).map(Cell.int)), .null, .null,
        .null, .null, .null, .null, .null,
      ]
    }
  }

  @Sendable static func defaults(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().flatMap { table in
      table.columns.enumerated().compactMap { index, column in
        defaultText(column).map { text in
          [
            Cell.oid(keyOID(table) &+ UInt32(index + 1) &* keyDistance), Cell.oid(CatalogView.oid(table.id)),
            Cell.int(index + 1), .text(text),
          ]
        }
      }
    }
  }

  @Sendable static func indexNames(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().map { table in
      [.text("public"), .text(table.name), .text(table.keyName), .null, .text(indexDefinition(table))]
    }
  }

  /// In information_schema.
  @Sendable static func tableConstraints(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().map { table in
      [
        .text(view.session.database), .text("public"), .text(table.keyName), .text(view.session.database),
        .text("public"), .text(table.name), .text("PRIMARY KEY"), .text("NO"), .text("NO"), .text("YES"),
        .text("YES"),
      ]
    }
  }

  @Sendable static func keyColumns(_ view: CatalogView) -> [VirtualTable.Row] {
    view.snapshot.dimensions().flatMap { table in
      table.key.enumerated().map { index, id in
        [
          .text(view.session.database), .text("public"), .text(table.keyName), .text(view.session.database),
          .text("public"), .text(table.name), .text(table.column(id)?.name ?? ""), Cell.int(index + 1), .null,
        ]
      }
    }
  }
}

extension Relation {
  /// The column's definition, where it is a dimension table's.
  func dimensionColumn(_ index: Int) -> DimensionColumn? {
    if case .dimension(let table) = source { table.columns[index] } else { nil }
  }

  /// Whether NULL is never in the column.
  func isNotNull(_ index: Int) -> Bool {
    switch source {
    case .series: index == 0
    case .dimension(let table): table.columns[index].isNotNull
    case .virtual, .rollup: false
    }
  }
}
