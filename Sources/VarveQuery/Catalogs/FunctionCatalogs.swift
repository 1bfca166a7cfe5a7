// pg_proc, pg_aggregate, pg_operator, pg_cast and pg_language: what there is to call.

import VarveCompute
import VarveCore

enum FunctionCatalogs {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "pg_catalog", "pg_proc", oid: 1255,
      """
      oid oid proname name pronamespace oid proowner oid prolang oid procost float4 prorows float4 \
      provariadic oid prosupport regproc prokind char prosecdef bool proleakproof bool proisstrict bool \
      proretset bool provolatile char proparallel char pronargs int2 pronargdefaults int2 prorettype oid \
      proargtypes oidvector proallargtypes oid[] proargmodes char[] proargnames text[] proargdefaults text \
      protrftypes oid[] prosrc text probin text prosqlbody text proconfig text[] proacl text[]
      """, rows: functions),
    VirtualTable(
      "pg_catalog", "pg_aggregate", oid: 2600,
      """
      aggfnoid regproc aggkind char aggnumdirectargs int2 aggtransfn regproc aggfinalfn regproc aggcombinefn regproc \
      aggserialfn regproc aggdeserialfn regproc aggmtransfn regproc aggminvtransfn regproc aggmfinalfn regproc \
      aggfinalextra bool aggmfinalextra bool aggfinalmodify char aggmfinalmodify char aggsortop oid aggtranstype oid \
      aggtransspace int4 aggmtranstype oid aggmtransspace int4 agginitval text aggminitval text
      """, rows: aggregates),
    VirtualTable(
      "pg_catalog", "pg_operator", oid: 2617,
      """
      oid oid oprname name oprnamespace oid oprowner oid oprkind char oprcanmerge bool oprcanhash bool oprleft oid \
      oprright oid oprresult oid oprcom oid oprnegate oid oprcode regproc oprrest regproc oprjoin regproc
      """, rows: operators),
    VirtualTable(
      "pg_catalog", "pg_cast", oid: 2605,
      "oid oid castsource oid casttarget oid castfunc oid castcontext char castmethod char", rows: casts),
    VirtualTable(
      "pg_catalog", "pg_language", oid: 2612,
      """
      oid oid lanname name lanowner oid lanispl bool lanpltrusted bool lanplcallfoid oid laninline oid \
      lanvalidator oid lanacl text[]
      """
    ) { _ in
      [
        [
          .int(internalLanguage), .text("internal"), Cell.oid(CatalogView.ownerOID), Cell.no, Cell.no, .int(0), .int(0),
          .int(0), .null,
        ]
      ]
    },
  ]

  private static let internalLanguage: Int64 = 12
  private static let firstOperatorOID = 10_000
  private static let firstCastOID = 11_000

  @Sendable private static func functions(_ view: CatalogView) -> [VirtualTable.Row] {
    FunctionListing.all.map { function in
      let volatility =
        switch function.volatility {
        case .immutable: "i"
        case .stable: "s"
        case .volatile: "v"
        }
      return [
        .int(function.oid), .text(function.name), Cell.oid(Namespace.oid(function.schema)),
        Cell.oid(CatalogView.ownerOID), .int(internalLanguage), .float(1), .float(function.givesRows ? 1000 : 0),
        .int(0),
        .int(0), .text(function.kind.rawValue), Cell.no, Cell.no, .bool(function.isStrict), .bool(function.givesRows),
        .text(volatility), .text("s"), Cell.int(function.arguments.count), .int(0), Cell.oid(function.result.oid),
        .array(function.arguments.map { Cell.oid($0.oid) }), .null, .null, .null, .null, .null, .text(function.name),
        .null, .null, .null, .null,
      ]
    }
  }

  @Sendable private static func aggregates(_ view: CatalogView) -> [VirtualTable.Row] {
    FunctionListing.all.filter { $0.kind == .aggregate }.map { function in
      [.int(function.oid), .text("n"), .int(0)] + Array(repeating: .int(0), count: 8)
        + [Cell.no, Cell.no, .text("r"), .text("r"), .int(0), .int(0), .int(0), .int(0), .int(0), .null, .null]
    }
  }

  @Sendable private static func operators(_ view: CatalogView) -> [VirtualTable.Row] {
    FunctionCatalog.operators.enumerated().map { index, function in
      let isPrefix = function.argumentTypes.count == 1
      return [
        Cell.int(firstOperatorOID + index), .text(function.name), .int(11), Cell.oid(CatalogView.ownerOID),
        .text(isPrefix ? "l" : "b"), Cell.no, Cell.no, isPrefix ? .int(0) : Cell.oid(function.argumentTypes[0].oid),
        Cell.oid(function.argumentTypes[isPrefix ? 0 : 1].oid), Cell.oid(function.resultType.oid), .int(0), .int(0),
        .int(0), .int(0), .int(0),
      ]
    }
  }

  /// Those of pg_cast: what goes through text is not among them, as in PostgreSQL.
  @Sendable private static func casts(_ view: CatalogView) -> [VirtualTable.Row] {
    var rows: [VirtualTable.Row] = []
    for from in SQLType.scalarTypes where from != .unknown && from != .void {
      for to in SQLType.scalarTypes where to != from && to != .unknown && to != .void {
        guard let context = FunctionCatalog.castContext(from: from, to: to), !isThroughText(from, to, context) else {
          continue
        }
        rows.append([
          Cell.int(firstCastOID + rows.count), Cell.oid(from.oid), Cell.oid(to.oid), .int(0),
          .text(context == .implicit ? "i" : context == .assignment ? "a" : "e"), .text("i"),
        ])
      }
    }
    return rows
  }

  private static func isThroughText(_ from: SQLType, _ to: SQLType, _ context: CastContext) -> Bool {
    if from.category == "S", to.category == "S" { return false }
    return (to.category == "S" && context == .assignment) || (from.category == "S" && context == .explicit)
  }
}
