// information_schema: what reflection tools read.

import VarveCompute
import VarveCore

enum InformationSchema {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "information_schema", "schemata",
      "catalog_name name schema_name name schema_owner name default_character_set_catalog name default_character_set_schema name default_character_set_name name sql_path text"
    ) { view in
      Namespace.all.map {
        [.text(view.session.database), .text($0.name), .text(view.session.user), .null, .null, .null, .null]
      }
    },
    VirtualTable(
      "information_schema", "tables",
      "table_catalog name table_schema name table_name name table_type text self_referencing_column_name name reference_generation text user_defined_type_catalog name user_defined_type_schema name user_defined_type_name name is_insertable_into text is_typed text commit_action text"
    ) { view in
      view.relations().map {
        [
          .text(view.session.database), .text($0.schema), .text($0.name), .text($0.isSystem ? "VIEW" : "BASE TABLE"),
          .null, .null, .null, .null, .null, .text($0.isSystem ? "NO" : "YES"), .text("NO"), .null,
        ]
      }
    },
    VirtualTable(
      "information_schema", "columns",
      """
      table_catalog name table_schema name table_name name column_name name ordinal_position int4 \
      column_default text is_nullable text data_type text character_maximum_length int4 \
      character_octet_length int4 numeric_precision int4 numeric_precision_radix int4 numeric_scale int4 \
      datetime_precision int4 interval_type text collation_name name udt_catalog name udt_schema name \
      udt_name name is_identity text is_generated text is_updatable text
      """, rows: columns),
    VirtualTable(
      "information_schema", "views", "table_catalog name table_schema name table_name name view_definition text"),
    VirtualTable(
      "information_schema", "table_constraints",
      "constraint_catalog name constraint_schema name constraint_name name table_catalog name table_schema name table_name name constraint_type text is_deferrable text initially_deferred text enforced text"
    ),
    VirtualTable(
      "information_schema", "key_column_usage",
      "constraint_catalog name constraint_schema name constraint_name name table_catalog name table_schema name table_name name column_name name ordinal_position int4 position_in_unique_constraint int4"
    ),
  ]

  @Sendable private static func columns(_ view: CatalogView) -> [VirtualTable.Row] {
    view.relations().flatMap { relation in
      relation.columns.enumerated().map { index, column -> VirtualTable.Row in
        let type = column.type
        var precision: (Datum, Datum, Datum) = (.null, .null, .null)
        switch type {
        case .int2: precision = (.int(16), .int(2), .int(0))
        case .int4: precision = (.int(32), .int(2), .int(0))
        case .int8: precision = (.int(64), .int(2), .int(0))
        case .float4: precision = (.int(24), .int(2), .null)
        case .float8: precision = (.int(53), .int(2), .null)
        case .numeric(let digits?, let scale): precision = (Cell.int(digits), .int(10), Cell.int(scale ?? 0))
        default: break
        }
        let isArray = if case .array = type { true } else { false }
        return [
          .text(view.session.database), .text(relation.schema), .text(relation.name), .text(column.name),
          Cell.int(index + 1), .null, .text(!relation.isSystem && index == 0 ? "NO" : "YES"),
          .text(isArray ? "ARRAY" : type.base.name), .null, type.category == "S" ? .int(1_073_741_824) : .null,
          precision.0, precision.1, precision.2, type.category == "D" ? .int(type == .date ? 0 : 6) : .null, .null,
          .null, .text(view.session.database), .text("pg_catalog"), .text(type.internalName), .text("NO"),
          .text("NEVER"), .text(relation.isSystem ? "NO" : "YES"),
        ]
      }
    }
  }
}
