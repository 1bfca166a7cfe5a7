// An exact sum as parts. An integer of up to 127 bits is two signed words, value = low + high × 2^64, where a high word
// of 0 is NULL and costs nothing; so each word sums by itself, and sums of words are summed up at the end. What is no
// such integer, a fraction or one that shows digits behind its point among them, is text.

import VarveCore

struct ExactParts {
  let parts: [AggregateParts.Part]
  /// The sum of all merged parts, a numeric.
  let total: AggregateParts.Derived

  /// `partial` gives a numeric, of the call's first argument. `isInteger`: never one that needs the text; the sum of
  /// bigints does not, for no store has 2^63 rows.
  init(_ name: String, _ partial: AggregateFunction, isInteger: Bool, at place: Int) {
    let encodings = isInteger ? [Self.lowWord, Self.highWord] : [Self.lowWord, Self.highWord, Self.textBeyondWords]
    let merged = encodings.indices.map { AggregateParts.Derived.part(place + $0) }
    let total = AggregateParts.Derived.call(isInteger ? Self.wordTotal : Self.mixedTotal, merged)
    self.total = total
    parts = zip(encodings, ["", "_high", "_text"]).enumerated().map { index, form in
      let isText = form.0.resultType == .text
      return AggregateParts.Part(
        name + form.1, isText ? .text : .int64, partial, [0], encode: form.0,
        merge: isText ? TextNumericAggregate.sum : AggregateParts.catalogued("sum", [.int8]), [place + index],
        encodeMerged: .call(form.0, [total]))
    }
  }

  /// The words of an integer that has them; nil: it is text.
  private static func words(_ value: Numeric) -> (low: Int64, high: Int64)? {
    // What no Int128 holds has a mantissa at the bound.
    let mantissa = value.mantissa
    guard value.scale == 0, mantissa.magnitude < Numeric.bound.magnitude else { return nil }
    let low = Int64(truncatingIfNeeded: mantissa)
    return (low, Int64(truncatingIfNeeded: (mantissa - Int128(low)) >> 64))
  }

  private static let lowWord = ScalarFunction(
    name: "low_word", argumentTypes: [.numeric], resultType: .int8,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int8) { words($0.numeric).map { .int($0.low) } ?? .null }
    })

  private static let highWord = ScalarFunction(
    name: "high_word", argumentTypes: [.numeric], resultType: .int8,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int8) {
        guard let words = words($0.numeric), words.high != 0 else { return .null }
        return .int(words.high)
      }
    })

  private static let textBeyondWords = ScalarFunction(
    name: "text_beyond_words", argumentTypes: [.numeric], resultType: .text,
    evaluate: Evaluation.foldingConstants(.immutable) { columns, n, context in
      try Evaluation.rows1(columns[0], n, .text) {
        words($0.numeric) == nil ? .text(try TypeText.string($0, type: .numeric, context: context)) : .null
      }
    })

  private static let wordTotal = total([.numeric, .numeric])
  private static let mixedTotal = total([.numeric, .numeric, .numeric])

  /// Of the sum of low words, that of high words, and that of texts. NULL where all are.
  private static func total(_ types: [SQLType]) -> ScalarFunction {
    ScalarFunction(
      name: "total", argumentTypes: types, resultType: .numeric,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, n, _ in
        var builder = ColumnBuilder(.numeric, capacity: n)
        for row in 0..<n {
          var sum = columns[0].datum(at: row)
          for (place, column) in columns.enumerated().dropFirst() {
            guard case .numeric(var more) = column.datum(at: row) else { continue }
            if place == 1 { more = try Numeric.multiplying(more, highUnit) }
            if case .numeric(let known) = sum { more = try Numeric.adding(known, more) }
            sum = .numeric(more)
          }
          try builder.append(sum)
        }
        return builder.finish()
      })
  }
  private static let highUnit = Numeric(mantissa: 1 << 64, scale: 0)
}

/// An aggregate over numerics that are stored as text.
final class TextNumericAggregate: GroupedAggregate {
  static let sum = AggregateFunction(name: "sum_of_texts", argumentTypes: [.text], resultType: .numeric) {
    TextNumericAggregate(DatumSumAggregate(.numeric, average: false))
  }
  static func extreme(greatest: Bool) -> AggregateFunction {
    AggregateFunction(
      name: greatest ? "max_of_texts" : "min_of_texts", argumentTypes: [.text], resultType: .numeric
    ) { TextNumericAggregate(DatumExtremeAggregate(.numeric, greatest: greatest)) }
  }

  private let inner: any GroupedAggregate

  init(_ inner: any GroupedAggregate) { self.inner = inner }

  private func numerics(_ column: Column, _ rows: Range<Int>) throws -> Column {
    var data: [Datum] = []
    data.reserveCapacity(rows.count)
    let text = TextView(column)
    for row in rows {
      guard !column.isNull(at: row) else {
        data.append(.null)
        continue
      }
      let bytes = text.bytes(row)
      guard let value = try Numeric(parsing: bytes) else {
        throw SQLError.invalidText(TypeText.string(bytes), .numeric)
      }
      data.append(.numeric(value))
    }
    return Column(type: .numeric, count: data.count, storage: .data(data))
  }

  func resize(to count: Int) throws { try inner.resize(to: count) }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try inner.update([try numerics(arguments[0], 0..<groups.count)], groups: groups)
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try inner.update([try numerics(arguments[0], range)], rows: 0..<range.count, group: group)
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? TextNumericAggregate else { preconditionFailure("states of one aggregate merge") }
    try inner.merge(other.inner, groups: groups)
  }
  func result() throws -> Column { try inner.result() }
  var heldByteCount: Int { inner.heldByteCount }
}
