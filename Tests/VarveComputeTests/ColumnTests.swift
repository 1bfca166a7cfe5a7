// Rows of columns: gather, filter, concat, slice, hash, order, across storages.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct ColumnTests {
  static func samples() throws -> [Column] {
    let dictionary = TextDictionary(["x", "yy", ""])
    return [
      try Column(type: .int8, data: [.int(1), .null, .int(-5), .int(1)]),
      try Column(type: .float8, data: [.float(-0.0), .float(0), .float(.nan), .null]),
      try Column(type: .text, data: [.text("x"), .null, .text(""), .text("yy")]),
      Column(
        type: .text, count: 4, storage: .dictionary(Buffer([0, 9, 2, 1] as [UInt32]), dictionary),
        nulls: Buffer([0, 1, 0, 0] as [UInt8])),
      try Column(
        type: .numeric,
        data: [.numeric(Numeric(mantissa: 10, scale: 1)), .numeric(Numeric(mantissa: 1, scale: 0)), .null, .null]),
      .constant(.int(7), type: .int8, count: 4),
      .null(.text, count: 4),
    ]
  }

  @Test func pickingRowsKeepsTheirValues() throws {
    for column in try Self.samples() {
      func same(_ result: Column, _ rows: [Int]) {
        #expect(result.count == rows.count)
        for (i, row) in rows.enumerated() { #expect(result.isSame(i, column, row), "\(column.type.name) row \(row)") }
      }
      same(column.gather([3, 0, 0, 1]), [3, 0, 0, 1])
      same(column.slice(1..<3), [1, 2])
      same(column.materialized(), [0, 1, 2, 3])
      same(Column.concat([column, column.slice(2..<4), column.gather([1])], type: column.type), [0, 1, 2, 3, 2, 3, 1])
      let outer = column.gatherOrNull([2, -1, 0])
      #expect(outer.isNull(at: 1) && outer.isSame(0, column, 2) && outer.isSame(2, column, 0))
      let mask = try Column(type: .bool, data: [.bool(true), .null, .bool(false), .bool(true)])
      same(column.filter(mask), [0, 3])
    }
  }

  @Test func equalValuesHashAlikeWhateverTheirStorage() throws {
    let columns = try Self.samples()
    func hashes(_ column: Column) -> [UInt64] {
      var out = [UInt64](repeating: 42, count: column.count)
      out.withUnsafeMutableBufferPointer { column.hash(into: $0, combining: false) }
      var both = out
      both.withUnsafeMutableBufferPointer { column.hash(into: $0, combining: true) }
      return out + both
    }
    #expect(hashes(columns[2]) == hashes(columns[3]))
    let floats = hashes(columns[1])
    #expect(floats[0] == floats[1])
    let numerics = hashes(columns[4])
    #expect(numerics[0] == numerics[1])
    #expect(hashes(columns[5]) == hashes(columns[5].materialized()))
    #expect(hashes(columns[6]) == hashes(columns[6].materialized()))
  }

  @Test func orderIsPostgreSQLs() throws {
    let floats = try Self.samples()[1]
    #expect(floats.compare(0, floats, 1) == 0)
    #expect(floats.compare(2, floats, 1) == 1)
    #expect(floats.compare(3, floats, 2) == 1)
    #expect(floats.compare(3, floats, 2, descending: true, nullsFirst: true) == -1)
    let text = try Column(type: .text, data: [.text("Z"), .text("a"), .text("ab"), .text("é")])
    for i in 0..<3 { #expect(text.compare(i, text, i + 1) == -1) }
    let intervals = try Column(
      type: .interval, data: [.interval(Interval(days: 1)), .interval(Interval(microseconds: 86_400_000_000))])
    #expect(intervals.compare(0, intervals, 1) == 0)
  }

  @Test func logicHasThreeValues() throws {
    let values: [Datum] = [.bool(true), .bool(false), .null]
    var a: [Datum] = []
    var b: [Datum] = []
    for x in values { for y in values { a.append(x); b.append(y) } }
    let left = try Column(type: .bool, data: a)
    let right = try Column(type: .bool, data: b)
    let and = LogicKernels.and(left, right, 9)
    let or = LogicKernels.or(left, right, 9)
    for i in 0..<9 {
      let wantAnd: Datum =
        a[i] == .bool(false) || b[i] == .bool(false)
        ? .bool(false) : (a[i] == .null || b[i] == .null ? .null : .bool(true))
      let wantOr: Datum =
        a[i] == .bool(true) || b[i] == .bool(true)
        ? .bool(true) : (a[i] == .null || b[i] == .null ? .null : .bool(false))
      #expect(and.datum(at: i) == wantAnd && or.datum(at: i) == wantOr)
    }
  }

  @Test func resolutionRefusesAndPrefersAsPostgreSQL() throws {
    #expect(try FunctionCatalog.operator("+", [.text, .int4]) == nil)
    #expect(try FunctionCatalog.scalar("to_char", [.bool, .text]) == nil)
    #expect(try FunctionCatalog.scalar("sqrt", [.int4])?.argumentTypes == [.float8])
    #expect(try FunctionCatalog.scalar("length", [.unknown])?.argumentTypes == [.text])
    #expect(
      try FunctionCatalog.operator("<", [.timestamptz, .unknown])?.argumentTypes == [.timestamptz, .timestamptz])
    #expect(try FunctionCatalog.aggregate("sum", [.varchar]) == nil)
    #expect(try FunctionCatalog.aggregate("max", [.varchar])?.resultType == .text)
    #expect(throws: VarveError.self) { try FunctionCatalog.operator("+", [.unknown, .unknown]) }
    #expect(try FunctionCatalog.cast(from: .int8, to: .int4, context: .implicit) == nil)
    #expect(try FunctionCatalog.cast(from: .int8, to: .int4, context: .assignment) != nil)
    #expect(try FunctionCatalog.cast(from: .text, to: .int4, context: .assignment) == nil)
    #expect(try FunctionCatalog.cast(from: .text, to: .int4, context: .explicit) != nil)
    #expect(FunctionCatalog.commonType([.int4, .float8, .unknown]) == .float8)
    #expect(FunctionCatalog.commonType([.int4, .text]) == nil)
  }

  @Test func rowsThatAreNullNeverRaise() throws {
    let words = Buffer<UInt64>([UInt64(bitPattern: Int64.max), 0])
    let left = Column(type: .int8, count: 2, storage: .words(words), nulls: Buffer([1, 0] as [UInt8]))
    let right = try Column(type: .int8, data: [.int(1), .int(1)])
    let sum = try Support.call("op", "+", [left, right], 2, Support.context())
    #expect(sum.datum(at: 0) == .null && sum.datum(at: 1) == .int(1))
    let zero = Column(
      type: .int8, count: 2, storage: .words(Buffer([0, 1] as [UInt64])), nulls: Buffer([1, 0] as [UInt8]))
    #expect(try Support.call("op", "/", [right, zero], 2, Support.context()).datum(at: 1) == .int(1))
    #expect(throws: VarveError.self) {
      try Support.call("op", "/", [right, try Column(type: .int8, data: [.int(1), .int(0)])], 2, Support.context())
    }
  }
}
