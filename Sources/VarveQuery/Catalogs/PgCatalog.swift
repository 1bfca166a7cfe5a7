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
    VirtualTable("pg_catalog", "pg_authid", oid: 1260, roleColumns, rows: roles),
    VirtualTable(
      "pg_catalog", "pg_user",
      "usename name usesysid oid usecreatedb bool usesuper bool userepl bool usebypassrls bool passwd text valuntil timestamptz useconfig text[]"
    ) { view in
      [
        [
          .text(view.session.user), Cell.oid(CatalogView.ownerOID), Cell.yes, Cell.yes, Cell.no, Cell.yes,
          .text("********"), .null, .null,
        ]
      ]
    },
    VirtualTable(
      "pg_catalog", "pg_tables",
      "schemaname name tablename name tableowner name tablespace name hasindexes bool hasrules bool hastriggers bool rowsecurity bool"
    ) { view in
      view.relations().filter { $0.schema != "information_schema" }.map {
        [
          .text($0.schema), .text($0.name), .text(view.session.user), .null, Cell.no, Cell.no, Cell.no, Cell.no,
        ]
      }
    },
    VirtualTable("pg_catalog", "pg_am", oid: 2601, "oid oid amname name amhandler regproc amtype char") { _ in
      [[.int(2), .text("heap"), .int(3), .text("t")]]
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
      "pg_catalog", "pg_tablespace", oid: 1213, "oid oid spcname name spcowner oid spcacl text[] spcoptions text[]"
    ) { _ in
      [[.int(1663), .text("pg_default"), Cell.oid(CatalogView.ownerOID), .null, .null]]
    },
    VirtualTable(
      "pg_catalog", "pg_proc", oid: 1255,
      """
      oid oid proname name pronamespace oid proowner oid prolang oid procost float4 prorows float4 \
      provariadic oid prosupport regproc prokind char prosecdef bool proleakproof bool proisstrict bool \
      proretset bool provolatile char proparallel char pronargs int2 pronargdefaults int2 prorettype oid \
      proargtypes oidvector proallargtypes oid[] proargmodes char[] proargnames text[] proargdefaults text \
      protrftypes oid[] prosrc text probin text prosqlbody text proconfig text[] proacl text[]
      """, rows: functions),
  ]

  private static let roleColumns = """
    oid oid rolname name rolsuper bool rolinherit bool rolcreaterole bool rolcreatedb bool rolcanlogin bool \
    rolreplication bool rolconnlimit int4 rolpassword text rolvaliduntil timestamptz rolbypassrls bool \
    rolconfig text[]
    """

  @Sendable private static func roles(_ view: CatalogView) -> [VirtualTable.Row] {
    [
      [
        Cell.oid(CatalogView.ownerOID), .text(view.session.user), Cell.yes, Cell.yes, Cell.yes, Cell.yes, Cell.yes,
        Cell.no, .int(-1), .text("********"), .null, Cell.yes, .null,
      ]
    ]
  }

  @Sendable private static func classes(_ view: CatalogView) -> [VirtualTable.Row] {
    view.relations().map { relation in
      var options = Datum.null
      var rows = -1.0
      var kind = "v"
      if case .series(let table) = relation.source {
        kind = "r"
        rows = Double(view.snapshot.statistics(of: table.id).rows)
        options = .array([
          .text("varve.tags=" + table.tags.map(\.name).joined(separator: ",")),
          .text("varve.partition=\(table.partitionNanoseconds / 1_000_000_000) seconds"),
        ])
      } else if relation.schema == "pg_catalog", relation.oid < 12_000 {
        kind = "r"
      }
      return [
        Cell.oid(relation.oid), .text(relation.name), Cell.oid(Namespace.oid(relation.schema)), .int(0), .int(0),
        Cell.oid(CatalogView.ownerOID), .int(kind == "r" ? 2 : 0), Cell.oid(relation.oid), .int(0), .int(0),
        .float(rows), .int(0), .int(0), Cell.no, Cell.no, .text("p"), .text(kind),
        Cell.int(relation.columns.count), .int(0), Cell.no, Cell.no, Cell.no, Cell.no, Cell.no, Cell.yes,
        .text(kind == "r" ? "d" : "n"), Cell.no, .int(0), .int(0), .int(0), .null, options, .null,
      ]
    }
  }

  @Sendable private static func attributes(_ view: CatalogView) -> [VirtualTable.Row] {
    view.relations().flatMap { relation in
      relation.columns.enumerated().map { index, column -> VirtualTable.Row in
        let type = column.type
        let isUserTime = !relation.isSystem && index == 0
        return [
          Cell.oid(relation.oid), .text(column.name), Cell.oid(type.oid), .int(-1), .int(Int64(type.typlen)),
          Cell.int(index + 1), .int(type.element == nil ? 0 : 1), .int(-1), .int(Int64(type.typmod)),
          .bool(isByValue(type)), .text(alignment(type)), .text(type.typlen > 0 ? "p" : "x"), .text(""),
          .bool(isUserTime), Cell.no, Cell.no, .text(""), .text(""), Cell.no, Cell.yes, .int(0),
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
    return all.map { type in
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

  @Sendable private static func functions(_ view: CatalogView) -> [VirtualTable.Row] {
    SystemFunctions.signatures.enumerated().map { index, signature in
      [
        Cell.int(14_000 + index), .text(signature.name), .int(11), Cell.oid(CatalogView.ownerOID), .int(12),
        .float(1), .float(0), .int(0), .int(0), .text("f"), Cell.no, Cell.no, Cell.yes, Cell.no, .text("s"),
        .text("s"), Cell.int(signature.arguments.count), .int(0), Cell.oid(signature.result.oid),
        .array(signature.arguments.map { Cell.oid($0.oid) }), .null, .null, .null, .null, .null,
        .text(signature.name), .null, .null, .null, .null,
      ]
    }
  }

  /// Catalogs of things that are not there: their columns, and no rows.
  static let emptyTables: [VirtualTable] = [
    (
      "pg_index", 2610,
      "indexrelid oid indrelid oid indnatts int2 indnkeyatts int2 indisunique bool indnullsnotdistinct bool indisprimary bool indisexclusion bool indimmediate bool indisclustered bool indisvalid bool indcheckxmin bool indisready bool indislive bool indisreplident bool indkey int2vector indcollation oidvector indclass oidvector indoption int2vector indexprs text indpred text"
    ),
    (
      "pg_constraint", 2606,
      "oid oid conname name connamespace oid contype char condeferrable bool condeferred bool convalidated bool conrelid oid contypid oid conindid oid conparentid oid confrelid oid confupdtype char confdeltype char confmatchtype char conislocal bool coninhcount int4 connoinherit bool conkey int2[] confkey int2[] conpfeqop oid[] conppeqop oid[] conffeqop oid[] confdelsetcols int2[] conexclop oid[] conbin text"
    ),
    ("pg_description", 2609, "objoid oid classoid oid objsubid int4 description text"),
    ("pg_shdescription", 2396, "objoid oid classoid oid description text"),
    (
      "pg_range", 3541,
      "rngtypid oid rngsubtype oid rngmultitypid oid rngcollation oid rngsubopc oid rngcanonical regproc rngsubdiff regproc"
    ),
    ("pg_enum", 3501, "oid oid enumtypid oid enumsortorder float4 enumlabel name"),
    ("pg_attrdef", 2604, "oid oid adrelid oid adnum int2 adbin text"),
    ("pg_inherits", 2611, "inhrelid oid inhparent oid inhseqno int4 inhdetachpending bool"),
    (
      "pg_policy", 3256,
      "oid oid polname name polrelid oid polcmd char polpermissive bool polroles oid[] polqual text polwithcheck text"
    ),
    (
      "pg_trigger", 2620,
      "oid oid tgrelid oid tgparentid oid tgname name tgfoid oid tgtype int2 tgenabled char tgisinternal bool tgconstrrelid oid tgconstrindid oid tgconstraint oid tgdeferrable bool tginitdeferred bool tgnargs int2 tgattr int2vector tgargs text tgqual text tgoldtable name tgnewtable name"
    ),
    (
      "pg_publication", 6104,
      "oid oid pubname name pubowner oid puballtables bool pubinsert bool pubupdate bool pubdelete bool pubtruncate bool pubviaroot bool"
    ),
    ("pg_publication_rel", 6106, "oid oid prpubid oid prrelid oid prqual text prattrs int2vector"),
    ("pg_publication_namespace", 6237, "oid oid pnpubid oid pnnspid oid"),
    (
      "pg_statistic_ext", 3381,
      "oid oid stxrelid oid stxname name stxnamespace oid stxowner oid stxstattarget int4 stxkeys int2vector stxkind char[] stxexprs text"
    ),
    (
      "pg_rewrite", 2618,
      "oid oid rulename name ev_class oid ev_type char ev_enabled char is_instead bool ev_qual text ev_action text"
    ),
    ("pg_foreign_table", 3118, "ftrelid oid ftserver oid ftoptions text[]"),
    (
      "pg_foreign_server", 1417,
      "oid oid srvname name srvowner oid srvfdw oid srvtype text srvversion text srvacl text[] srvoptions text[]"
    ),
    (
      "pg_partitioned_table", 3350,
      "partrelid oid partstrat char partnatts int2 partdefid oid partattrs int2vector partclass oidvector partcollation oidvector partexprs text"
    ),
    (
      "pg_sequence", 2224,
      "seqrelid oid seqtypid oid seqstart int8 seqincrement int8 seqmax int8 seqmin int8 seqcache int8 seqcycle bool"
    ),
    (
      "pg_depend", 2608, "classid oid objid oid objsubid int4 refclassid oid refobjid oid refobjsubid int4 deptype char"
    ),
    ("pg_auth_members", 1261, "roleid oid member oid grantor oid admin_option bool"),
    (
      "pg_extension", 3079,
      "oid oid extname name extowner oid extnamespace oid extrelocatable bool extversion text extconfig oid[] extcondition text[]"
    ),
    (
      "pg_language", 2612,
      "oid oid lanname name lanowner oid lanispl bool lanpltrusted bool lanplcallfoid oid laninline oid lanvalidator oid lanacl text[]"
    ),
    (
      "pg_operator", 2617,
      "oid oid oprname name oprnamespace oid oprowner oid oprkind char oprcanmerge bool oprcanhash bool oprleft oid oprright oid oprresult oid oprcom oid oprnegate oid oprcode regproc oprrest regproc oprjoin regproc"
    ),
    (
      "pg_opclass", 2616,
      "oid oid opcmethod oid opcname name opcnamespace oid opcowner oid opcfamily oid opcintype oid opcdefault bool opckeytype oid"
    ),
    ("pg_cast", 2605, "oid oid castsource oid casttarget oid castfunc oid castcontext char castmethod char"),
    (
      "pg_event_trigger", 3466,
      "oid oid evtname name evtevent name evtowner oid evtfoid oid evtenabled char evttags text[]"
    ),
    ("pg_views", 0, "schemaname name viewname name viewowner name definition text"),
    (
      "pg_matviews", 0,
      "schemaname name matviewname name matviewowner name tablespace name hasindexes bool ispopulated bool definition text"
    ),
    ("pg_indexes", 0, "schemaname name tablename name indexname name tablespace name indexdef text"),
    (
      "pg_stat_activity", 0,
      "datid oid datname name pid int4 usesysid oid usename name application_name text client_addr text backend_start timestamptz xact_start timestamptz query_start timestamptz state text query text backend_type text"
    ),
    ("pg_locks", 0, "locktype text database oid relation oid pid int4 mode text granted bool"),
    ("pg_prepared_xacts", 0, "transaction oid gid text prepared timestamptz owner name database name"),
  ].map { name, oid, columns in VirtualTable("pg_catalog", name, oid: UInt32(oid), columns) }
}
