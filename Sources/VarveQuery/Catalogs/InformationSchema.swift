// information_schema: what reflection tools read.

import VarveCompute
import VarveCore

enum InformationSchema {
  static let tables: [VirtualTable] = [
    VirtualTable("information_schema", "information_schema_catalog_name", "catalog_name name") { view in
      [[.text(view.session.database)]]
    },
    VirtualTable("information_schema", "enabled_roles", "role_name name") { view in [[.text(view.session.user)]] },
    VirtualTable(
      "information_schema", "schemata",
      "catalog_name name schema_name name schema_owner name default_character_set_catalog name default_character_set_schema name default_character_set_name name sql_path varchar"
    ) { view in
      Namespace.all.map {
        [.text(view.session.database), .text($0.name), .text(view.session.user), .null, .null, .null, .null]
      }
    },
    VirtualTable(
      "information_schema", "tables",
      """
      table_catalog name table_schema name table_name name table_type varchar self_referencing_column_name name \
      reference_generation varchar user_defined_type_catalog name user_defined_type_schema name user_defined_type_name \
      name is_insertable_into varchar is_typed varchar commit_action varchar
      """
    ) { view in
      view.relations().map {
        [
          .text(view.session.database), .text($0.schema), .text($0.name), .text($0.isView ? "VIEW" : "BASE TABLE"),
          .null, .null, .null, .null, .null, .text($0.isSystem ? "NO" : "YES"), .text("NO"), .null,
        ]
      }
    },
    VirtualTable(
      "information_schema", "views",
      """
      table_catalog name table_schema name table_name name view_definition varchar check_option varchar is_updatable varchar \
      is_insertable_into varchar is_trigger_updatable varchar is_trigger_deletable varchar is_trigger_insertable_into varchar
      """,
      cells: { view in
        view.relations().filter(\.isView).map {
          place($0, view).merging(
            [
              "check_option": .text("NONE"), "is_updatable": .text("NO"), "is_insertable_into": .text("NO"),
              "is_trigger_updatable": .text("NO"), "is_trigger_deletable": .text("NO"),
              "is_trigger_insertable_into": .text("NO"),
            ]) { $1 }
        }
      }),
    VirtualTable(
      "information_schema", "columns",
      """
      table_catalog name table_schema name table_name name column_name name ordinal_position int4 column_default \
      varchar is_nullable varchar data_type varchar character_maximum_length int4 character_octet_length int4 \
      numeric_precision int4 numeric_precision_radix int4 numeric_scale int4 datetime_precision int4 interval_type \
      varchar interval_precision int4 character_set_catalog name character_set_schema name character_set_name name \
      collation_catalog name collation_schema name collation_name name domain_catalog name domain_schema name \
      domain_name name udt_catalog name udt_schema name udt_name name scope_catalog name scope_schema name \
      scope_name name maximum_cardinality int4 dtd_identifier name is_self_referencing varchar is_identity varchar \
      identity_generation varchar identity_start varchar identity_increment varchar identity_maximum varchar identity_minimum \
      varchar identity_cycle varchar is_generated varchar generation_expression varchar is_updatable varchar
      """,
      cells: { view in
        view.relations().flatMap { relation in
          relation.columns.enumerated().map { column(relation, $0.offset, $0.element, view) }
        }
      }),
    VirtualTable("information_schema", "table_privileges", privilegeColumns, cells: privileges),
    VirtualTable("information_schema", "role_table_grants", privilegeColumns, cells: privileges),
    VirtualTable(
      "information_schema", "column_privileges",
      """
      grantor name grantee name table_catalog name table_schema name table_name name column_name name privilege_type \
      varchar is_grantable varchar
      """,
      cells: { view in
        privileges(view, of: ["SELECT", "INSERT"]).flatMap { relation, row in
          relation.columns.map { column in row.merging(["column_name": .text(column.name)]) { $1 } }
        }
      }),
    VirtualTable(
      "information_schema", "collations",
      """
      collation_catalog name collation_schema name collation_name name pad_attribute varchar
      """,
      cells: { view in
        ["default", "C", "POSIX"].map {
          [
            "collation_catalog": .text(view.session.database), "collation_schema": .text("pg_catalog"),
            "collation_name": .text($0), "pad_attribute": .text("NO PAD"),
          ]
        }
      }),
    VirtualTable(
      "information_schema", "routines",
      """
      specific_catalog name specific_schema name specific_name name routine_catalog name routine_schema name \
      routine_name name routine_type varchar module_catalog name module_schema name module_name name udt_catalog name \
      udt_schema name udt_name name data_type varchar character_maximum_length int4 character_octet_length int4 \
      character_set_catalog name character_set_schema name character_set_name name collation_catalog name \
      collation_schema name collation_name name numeric_precision int4 numeric_precision_radix int4 numeric_scale \
      int4 datetime_precision int4 interval_type varchar interval_precision int4 type_udt_catalog name type_udt_schema \
      name type_udt_name name scope_catalog name scope_schema name scope_name name maximum_cardinality int4 \
      dtd_identifier name routine_body varchar routine_definition varchar external_name varchar external_language varchar \
      parameter_style varchar is_deterministic varchar sql_data_access varchar is_null_call varchar sql_path varchar \
      schema_level_routine varchar max_dynamic_result_sets int4 is_user_defined_cast varchar is_implicitly_invocable varchar \
      security_type varchar to_sql_specific_catalog name to_sql_specific_schema name to_sql_specific_name name \
      as_locator varchar created timestamptz last_altered timestamptz new_savepoint_level varchar is_udt_dependent varchar \
      result_cast_from_data_type varchar result_cast_as_locator varchar result_cast_char_max_length int4 \
      result_cast_char_octet_length int4 result_cast_char_set_catalog name result_cast_char_set_schema name \
      result_cast_char_set_name name result_cast_collation_catalog name result_cast_collation_schema name \
      result_cast_collation_name name result_cast_numeric_precision int4 result_cast_numeric_precision_radix int4 \
      result_cast_numeric_scale int4 result_cast_datetime_precision int4 result_cast_interval_type varchar \
      result_cast_interval_precision int4 result_cast_type_udt_catalog name result_cast_type_udt_schema name \
      result_cast_type_udt_name name result_cast_scope_catalog name result_cast_scope_schema name \
      result_cast_scope_name name result_cast_maximum_cardinality int4 result_cast_dtd_identifier name
      """,
      cells: { view in
        FunctionListing.all.map { function in
          let database = Datum.text(view.session.database)
          let schema = Datum.text(function.schema)
          return [
            "specific_catalog": database, "specific_schema": schema,
            "specific_name": .text("\(function.name)_\(function.oid)"), "routine_catalog": database,
            "routine_schema": schema, "routine_name": .text(function.name),
            "routine_type": .text(function.kind == .procedure ? "PROCEDURE" : "FUNCTION"),
            "data_type": .text(function.result.name), "type_udt_catalog": database,
            "type_udt_schema": .text("pg_catalog"), "routine_body": .text("EXTERNAL"),
            "external_name": .text(function.name), "external_language": .text("INTERNAL"),
            "parameter_style": .text("GENERAL"),
            "is_deterministic": .text(function.volatility == .immutable ? "YES" : "NO"),
            "sql_data_access": .text("MODIFIES"), "is_null_call": .text(function.isStrict ? "YES" : "NO"),
            "schema_level_routine": .text("YES"), "max_dynamic_result_sets": .int(0), "security_type": .text("INVOKER"),
          ]
        }
      }),
  ]

  private static let privilegeColumns = """
    grantor name grantee name table_catalog name table_schema name table_name name privilege_type varchar \
    is_grantable varchar with_hierarchy varchar
    """

  @Sendable private static func privileges(_ view: CatalogView) -> [[String: Datum]] {
    privileges(view, of: ["SELECT", "INSERT", "DELETE", "TRUNCATE"]).map {
      $1.merging(["with_hierarchy": .text("NO")]) { $1 }
    }
  }

  /// Everyone may do everything with tables, and read the catalogs.
  private static func privileges(_ view: CatalogView, of kinds: [String]) -> [(Relation, [String: Datum])] {
    view.relations().flatMap { relation in
      kinds.filter { !relation.isSystem || $0 == "SELECT" }.map { kind in
        let granted: [String: Datum] = [
          "grantor": .text(view.session.user), "grantee": .text(view.session.user), "privilege_type": .text(kind),
          "is_grantable": .text("YES"),
        ]
        return (relation, place(relation, view).merging(granted) { $1 })
      }
    }
  }

  private static func place(_ relation: Relation, _ view: CatalogView) -> [String: Datum] {
    [
      "table_catalog": .text(view.session.database), "table_schema": .text(relation.schema),
      "table_name": .text(relation.name),
    ]
  }

  private static func column(
    _ relation: Relation, _ index: Int, _ column: (name: String, type: SQLType), _ view: CatalogView
  ) -> [String: Datum] {
    let type = column.type
    let isArray = if case .array = type { true } else { false }
    var row = place(relation, view)
    row["column_name"] = .text(column.name)
    row["ordinal_position"] = Cell.int(index + 1)
    row["is_nullable"] = .text(relation.isNotNull(index) ? "NO" : "YES")
    row["column_default"] = Cell.text(relation.dimensionColumn(index).flatMap(DimensionCatalog.defaultText))
    row["data_type"] = .text(isArray ? "ARRAY" : type.base.name)
    if type.category == "S" { row["character_octet_length"] = .int(1_073_741_824) }
    switch type {
    case .int2:
      (row["numeric_precision"], row["numeric_precision_radix"], row["numeric_scale"]) = (.int(16), .int(2), .int(0))
    case .int4:
      (row["numeric_precision"], row["numeric_precision_radix"], row["numeric_scale"]) = (.int(32), .int(2), .int(0))
    case .int8:
      (row["numeric_precision"], row["numeric_precision_radix"], row["numeric_scale"]) = (.int(64), .int(2), .int(0))
    case .float4: (row["numeric_precision"], row["numeric_precision_radix"]) = (.int(24), .int(2))
    case .float8: (row["numeric_precision"], row["numeric_precision_radix"]) = (.int(53), .int(2))
    case .numeric(let digits, let scale):
      row["numeric_precision_radix"] = .int(10)
      if let digits { (row["numeric_precision"], row["numeric_scale"]) = (Cell.int(digits), Cell.int(scale ?? 0)) }
    default: break
    }
    if type.category == "D" { row["datetime_precision"] = .int(type == .date ? 0 : 6) }
    row["udt_catalog"] = .text(view.session.database)
    row["udt_schema"] = .text("pg_catalog")
    row["udt_name"] = .text(type.internalName)
    row["dtd_identifier"] = .text(String(index + 1))
    for name in ["is_self_referencing", "is_identity", "identity_cycle"] { row[name] = .text("NO") }
    row["is_generated"] = .text("NEVER")
    row["is_updatable"] = .text(relation.isSystem ? "NO" : "YES")
    return row
  }
}
