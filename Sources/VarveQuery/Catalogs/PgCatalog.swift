// pg_catalog, as far as clients read it: columns as in PostgreSQL 15, rows from the snapshot.

import VarveCompute
import VarveCore
import VarveStorage

enum PgCatalog {
  static let tables: [VirtualTable] = [
    VirtualTable("pg_catalog", "pg_namespace", oid: 2615, "oid oid nspname name nspowner oid nspacl text[]") { _ in
      Namespace.all.map { [Cell.oid($0.oid), .text($0.name), Cell.oid(CatalogView.ownerOID), .null] }
    },
    VirtualTable(
      "pg_catalog", "pg_class", oid: 1259,
      """
      oid oid relname name relnamespace oid reltype oid reloftype oid relowner oid relam oid relfilenode oid \
      reltablespace oid relpages int4 reltuples float4 relallvisible int4 reltoastrelid oid relhasindex bool \
      relisshared bool relpersistence char relkind char relnatts int2 relchecks int2 relhasrules bool \
      relhastriggers bool relhassubclass bool relrowsecurity bool relforcerowsecurity bool relispopulated bool \
      relreplident char relispartition bool relrewrite oid relfrozenxid oid relminmxid oid relacl text[] \
      reloptions text[] relpartbound text
      """, rows: classes),
    VirtualTable(
      "pg_catalog", "pg_attribute", oid: 1249,
      """
      attrelid oid attname name atttypid oid attstattarget int4 attlen int2 attnum int2 attndims int4 \
      attcacheoff int4 atttypmod int4 attbyval bool attalign char attstorage char attcompression char \
      attnotnull bool atthasdef bool atthasmissing bool attidentity char attgenerated char attisdropped bool \
      attislocal bool attinhcount int4 attcollation oid attacl text[] attoptions text[] attfdwoptions text[] \
      attmissingval text[]
      """, rows: attributes),
    VirtualTable(
      "pg_catalog", "pg_type", oid: 1247,
      """
      oid oid typname name typnamespace oid typowner oid typlen int2 typbyval bool typtype char typcategory char \
      typispreferred bool typisdefined bool typdelim char typrelid oid typsubscript regproc typelem oid \
      typarray oid typinput regproc typoutput regproc typreceive regproc typsend regproc typmodin regproc \
      typmodout regproc typanalyze regproc typalign char typstorage char typnotnull bool typbasetype oid \
      typtypmod int4 typndims int4 typcollation oid typdefaultbin text typdefault text typacl text[]
      """, rows: types),
    VirtualTable(
      "pg_catalog", "pg_database", oid: 1262,
      """
      oid oid datname name datdba oid encoding int4 datlocprovider char datistemplate bool datallowconn bool \
      datconnlimit int4 datfrozenxid oid datminmxid oid dattablespace oid datcollate text datctype text \
      daticulocale text datcollversion text datacl text[]
      """
    ) { view in
      [
        [
          Cell.oid(CatalogView.databaseOID), .text(view.session.database), Cell.oid(CatalogView.ownerOID), .int(6),
          .text("c"), Cell.no, Cell.yes, .int(-1), .int(0), .int(0), .int(1663), .text("C"), .text("C"), .null, .null,
          .null,
        ]
      ]
    },
    VirtualTable("pg_catalog", "pg_roles", roleColumns, rows: roles),
    VirtualTable(
      "pg_catalog", "pg_authid", oid: 1260, authColumns, rows: { view in roles(view).map { Array($0.dropLast()) } }),
    VirtualTable("pg_catalog", "pg_shadow", userColumns, rows: users),
    VirtualTable("pg_catalog", "pg_user", userColumns, rows: users),
    VirtualTable(
      "pg_catalog", "pg_tables",
      "schemaname name tablename name tableowner name tablespace name hasindexes bool hasrules bool hastriggers bool rowsecurity bool"
    ) { view in
      view.relations().filter { !$0.isView }.map {
        [
          .text($0.schema), .text($0.name), .text(view.session.user), .null, Cell.no, Cell.no, Cell.no, Cell.no,
        ]
      }
    },
    VirtualTable("pg_catalog", "pg_views", "schemaname name viewname name viewowner name definition text") { view in
      view.relations().filter(\.isView).map { [.text($0.schema), .text($0.name), .text(view.session.user), .null] }
    },
    VirtualTable("pg_catalog", "pg_am", oid: 2601, "oid oid amname name amhandler regproc amtype char") { _ in
      [[.int(2), .text("heap"), .int(3), .text("t")], [.int(403), .text("btree"), .int(330), .text("i")]]
    },
    VirtualTable(
      "pg_catalog", "pg_collation", oid: 3456,
      """
      oid oid collname name collnamespace oid collowner oid collprovider char collisdeterministic bool \
      collencoding int4 collcollate text collctype text colliculocale text collversion text
      """
    ) { _ in
      [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")].map { oid, name, provider in
        [
          .int(oid), .text(name), .int(11), Cell.oid(CatalogView.ownerOID), .text(provider), Cell.yes, .int(-1),
          .text("C"), .text("C"), .null, .null,
        ]
      }
    },
    VirtualTable(
      "pg_catalog", "pg_settings",
      """
      name text setting text unit text category text short_desc text extra_desc text context text vartype text \
      source text min_val text max_val text enumvals text[] boot_val text reset_val text sourcefile text \
      sourceline int4 pending_restart bool
      """
    ) { view in
      view.session.listing().map { name, value, summary in
        [
          .text(name), .text(value), .null, .text("Session"), .text(summary), .null, .text("user"), .text("string"),
          .text("session"), .null, .null, .null, .null, .null, .null, .null, Cell.no,
        ]
      }
    },
    VirtualTable(
      "pg_catalog", "pg_cursors",
      "name text statement text is_holdable bool is_binary bool is_scrollable bool creation_time timestamptz"
    ) { view in
      view.session.cursors.map {
        [.text($0.name), .text($0.text), Cell.no, Cell.no, Cell.no, .timestamp($0.createdAt)]
      }
    },
    VirtualTable(
      "pg_catalog", "pg_tablespace", oid: 1213, "oid oid spcname name spcowner oid spcacl text[] spcoptions text[]"
    ) { _ in
      [[.int(1663), .text("pg_default"), Cell.oid(CatalogView.ownerOID), .null, .null]]
    },
  ]

  private static let authColumns = """
    oid oid rolname name rolsuper bool rolinherit bool rolcreaterole bool rolcreatedb bool rolcanlogin bool \
    rolreplication bool rolconnlimit int4 rolpassword text rolvaliduntil timestamptz rolbypassrls bool
    """
  private static let roleColumns = authColumns + " rolconfig text[]"

  private static let userColumns = """
    usename name usesysid oid usecreatedb bool usesuper bool userepl bool usebypassrls bool passwd text \
    valuntil timestamptz useconfig text[]
    """

  @Sendable private static func users(_ view: CatalogView) -> [VirtualTable.Row] {
    [
      [
        .text(view.session.user), Cell.oid(CatalogView.ownerOID), Cell.yes, Cell.yes, Cell.no, Cell.yes,
        .text("********"), .null, .null,
      ]
    ]
  }

  @Sendable private static func roles(_ view: CatalogView) -> [VirtualTable.Row] {
    [
      [
        Cell.oid(CatalogView.ownerOID), .text(view.session.user), Cell.yes, Cell.yes, Cell.yes, Cell.yes, Cell.yes,
        Cell.no, .int(-1), .text("********"), .null, Cell.yes, .null,
      ]
    ]
  }

  @Sendable private static func classes(_ view: CatalogView) -> [VirtualTable.Row] {
    let keys = view.snapshot.dimensions().map { table in
      classRow(
        oid: DimensionCatalog.keyOID(table), name: table.keyName, schema: "public", kind: "i",
        rows: Double(view.snapshot.rows(of: table).rowCount), columnCount: table.key.count)
    }
    return keys + view.relations().map { classRow($0, view) }
  }

  private static func classRow(_ relation: Relation, _ view: CatalogView) -> VirtualTable.Row {
    var options = Datum.null
    var rows = -1.0
    var hasIndex = false
    switch relation.source {
    case .series(let table):
      rows = Double(view.snapshot.statistics(of: table.id).rows)
      options = .array([
        .text("varve.tags=" + table.tags.map(\.name).joined(separator: ",")),
        .text("varve.partition=\(table.partitionNanoseconds / 1_000_000_000) seconds"),
      ])
    case .dimension(let table):
      rows = Double(view.snapshot.rows(of: table).rowCount)
      hasIndex = true
    case .rollup(let table): rows = Double(view.snapshot.statistics(of: table.id).rows)
    case .virtual: break
    }
    return classRow(
      oid: relation.oid, name: relation.name, schema: relation.schema, kind: relation.isView ? "v" : "r", rows: rows,
      columnCount: relation.columns.count, hasIndex: hasIndex, options: options)
  }

  private static func classRow(
    oid: UInt32, name: String, schema: String, kind: String, rows: Double, columnCount: Int, hasIndex: Bool = false,
    options: Datum = .null
  ) -> VirtualTable.Row {
    [
      Cell.oid(oid), .text(name), Cell.oid(Namespace.oid(schema)), .int(0), .int(0), Cell.oid(CatalogView.ownerOID),
      .int(kind == "r" ? 2 : kind == "i" ? 403 : 0), Cell.oid(oid), .int(0), .int(0), .float(rows), .int(0), .int(0),
      .bool(hasIndex), Cell.no, .text("p"), .text(kind), Cell.int(columnCount), .int(0), Cell.no, Cell.no, Cell.no,
      Cell.no, Cell.no, Cell.yes, .text(kind == "r" ? "d" : "n"), Cell.no, .int(0), .int(0), .int(0), .null, options,
      .null,
    ]
  }

  @Sendable private static func attributes(_ view: CatalogView) -> [VirtualTable.Row] {
    view.relations().flatMap { relation in
      relation.columns.enumerated().map { index, column -> VirtualTable.Row in
        let type = column.type
        return [
          Cell.oid(relation.oid), .text(column.name), Cell.oid(type.oid), .int(-1), .int(Int64(type.typlen)),
          Cell.int(index + 1), .int(type.element == nil ? 0 : 1), .int(-1), .int(Int64(type.typmod)),
          .bool(isByValue(type)), .text(alignment(type)), .text(type.typlen > 0 ? "p" : "x"), .text(""),
          .bool(relation.isNotNull(index)), .bool(relation.dimensionColumn(index)?.default != nil), Cell.no, .text(""),
          .text(""), Cell.no, Cell.yes, .int(0),
          .int(collation(type)), .null, .null, .null, .null,
        ]
      }
    }
  }

  private static func isByValue(_ type: SQLType) -> Bool { type.typlen > 0 && type.typlen <= 8 }
  private static func alignment(_ type: SQLType) -> String {
    switch type.typlen {
    case 1: "c"
    case 2: "s"
    case 8, 16: "d"
    case 64: "c"
    default: "i"
    }
  }
  static func collation(_ type: SQLType) -> Int64 {
    switch type {
    case .text, .varchar, .bpchar: 100
    case .name: 950
    case .array(let element): collation(element)
    default: 0
    }
  }

  @Sendable private static func types(_ view: CatalogView) -> [VirtualTable.Row] {
    var all: [SQLType] = []
    for type in SQLType.scalarTypes {
      all.append(type)
      if type.arrayOID != nil { all.append(.array(type)) }
    }
    return all.map(type) + PseudoType.all.map(pseudoType)
  }

  private static func pseudoType(_ type: PseudoType) -> VirtualTable.Row {
    [
      Cell.oid(type.oid), .text(type.name), .int(11), Cell.oid(CatalogView.ownerOID), .int(4), Cell.yes, .text("p"),
      .text("P"), Cell.no, Cell.yes, .text(","), .int(0), .int(0), .int(0), .int(0), .int(0), .int(0), .int(0), .int(0),
      .int(0), .int(0), .int(0), .text("i"), .text("p"), Cell.no, .int(0), .int(-1), .int(0), .int(0), .null, .null,
      .null,
    ]
  }

  private static func type(_ type: SQLType) -> VirtualTable.Row {
    let isArray: Bool
    var element: UInt32 = 0
    if case .array(let inner) = type {
      isArray = true
      element = inner.oid
    } else {
      isArray = false
      if let inner = type.element { element = inner.oid }
    }
    return [
      Cell.oid(type.oid), .text(type.internalName), .int(11), Cell.oid(CatalogView.ownerOID),
      .int(Int64(type.typlen)), .bool(isByValue(type)), .text(type == .void || type == .unknown ? "p" : "b"),
      .text(String(type.category)), .bool(type.isPreferred), Cell.yes, .text(","), .int(0),
      .int(isArray ? 750 : 0), Cell.oid(element), Cell.oid(type.arrayOID ?? 0), .int(isArray ? 750 : 0), .int(0),
      .int(0), .int(0), .int(0), .int(0), .int(0), .text(alignment(type)), .text(type.typlen > 0 ? "p" : "x"),
      Cell.no, .int(0), .int(-1), .int(0), .int(collation(type)), .null, .null, .null,
    ]
  }
}
