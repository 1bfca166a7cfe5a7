// Rows with lengths before their values are those that writing each value by itself gives.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct RowValuesTests {
  /// A column in any of its storages.
  private static func column(_ type: SQLType, _ count: Int, _ random: inout SeededGenerator) throws -> Column {
    func datum() -> Datum {
      if Int.random(in: 0...5, using: &random) == 0 { return .null }
      // Short integers and the ends of time are written in ways of their own.
      switch type {
      case .int4, .int8:
        if Bool.random(using: &random) { return .int(Int64.random(in: -120...120, using: &random)) }
      case .timestamp, .timestamptz:
        if Int.random(in: 0...7, using: &random) == 0 {
          return .timestamp(Bool.random(using: &random) ? .max : .min)
        }
        return .timestamp(Int64(bitPattern: random.next()))
      case .regtype: return .int(Int64.random(in: 0...30, using: &random))
      default: break
      }
      return RoundTripTests.random(type, &random)
    }
    switch Int.random(in: 0...4, using: &random) {
    case 0: return .constant(datum(), type: type, count: count)
    case 1 where type == .text:
      let values = [""] + (0..<5).map { "value \($0) é" }
      let codes = Buffer<UInt32>((0..<count).map { _ in UInt32.random(in: 0...5, using: &random) })
      let nulls = Buffer<UInt8>(codes.span.map { $0 == 0 ? 1 : 0 })
      return Column(type: type, count: count, storage: .dictionary(codes, TextDictionary(values)), nulls: nulls)
    default: return try Column(type: type, data: (0..<count).map { _ in datum() })
    }
  }

  @Test(.enabled(if: Support.hasZones)) func rowsAreTheirValuesWithLengths() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for round in 0..<400 {
      let context = Support.context(round % 2 == 0 ? "UTC" : "America/New_York")
      let count = Int.random(in: 1...20, using: &random)
      var columns: [Column] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        columns.append(
          try Self.column((RoundTripTests.types + [.regtype]).randomElement(using: &random) ?? .text, count, &random))
      }
      let isBinary = columns.map { _ in Bool.random(using: &random) }
      let rows = try RowValues(ColumnBatch(count: count, columns: columns), context: context) { isBinary[$0] }
      #expect(rows.rowCount == count)
      // What stands in the buffer before stays.
      let out = Buffer<UInt8>([1, 2, 3])
      var expected: [UInt8] = [1, 2, 3]
      for row in 0..<count {
        try rows.append(row, to: out)
        for (column, isBinary) in zip(columns, isBinary) {
          let value = Buffer<UInt8>()
          let datum = column.datum(at: row)
          var length = Int32(-1)
          if !datum.isNull {
            if isBinary {
              try TypeBinary.append(datum, type: column.type, to: value, context: context)
            } else {
              try TypeText.append(datum, type: column.type, to: value, context: context)
            }
            length = Int32(value.count)
          }
          withUnsafeBytes(of: length.bigEndian) { expected += $0 }
          expected += value.array
        }
      }
      #expect(out.array == expected, "seed \(seed) round \(round): \(columns.map(\.type.name)) binary \(isBinary)")
    }
  }

  @Test(.enabled(if: Support.hasZones)) func textsByThemselvesHaveNoLength() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for round in 0..<400 {
      let context = Support.context(round % 2 == 0 ? "UTC" : "Asia/Kolkata")
      let type = RoundTripTests.types.randomElement(using: &random) ?? .text
      let column = try Self.column(type, 20, &random)
      let rows = try RowValues(ColumnBatch(count: 20, columns: [column]), context: context) { _ in false }
      for row in 0..<20 {
        let datum = column.datum(at: row)
        #expect(rows.isNull(row, column: 0) == datum.isNull, "seed \(seed) round \(round)")
        if datum.isNull { continue }
        let out = Buffer<UInt8>()
        try rows.appendText(row, column: 0, to: out)
        #expect(
          String(decoding: out.span, as: UTF8.self) == (try TypeText.string(datum, type: type, context: context)),
          "seed \(seed) round \(round) \(type.name)")
      }
    }
  }
}
