// How functions run over columns: constants once, words in plain loops, everything else row by row. NULL in,
// NULL out (strict) unless a function does it itself.

import VarveCore

enum Evaluation {
  typealias Body = @Sendable ([Column], _ count: Int, EvaluationContext) throws -> Column

  /// Arguments that are all constant are worked on once, as a single row.
  static func foldingConstants(_ volatility: ScalarFunction.Volatility, _ body: @escaping Body) -> Body {
    if volatility == .volatile { return body }
    return { columns, count, context in
      guard !columns.isEmpty, columns.allSatisfy({ $0.constantValue != nil }) else {
        return try body(columns, count, context)
      }
      let rows = min(count, 1)
      let single = columns.map { Column(type: $0.type, count: rows, storage: $0.storage).materialized() }
      let result = try body(single, rows, context)
      return rows == 0 ? result : .constant(result.datum(at: 0), type: result.type, count: count)
    }
  }

  /// The union of two columns' NULLs. Constants are not looked at.
  static func nulls(_ a: Column, _ b: Column) -> Buffer<UInt8>? {
    guard let x = a.nulls else { return b.nulls }
    guard let y = b.nulls else { return x }
    let n = x.count
    let out = Buffer<UInt8>(capacity: n)
    out.count = n
    for i in 0..<n { out.base[i] = x.base[i] | y.base[i] }
    return out
  }

  static func isConstantNull(_ column: Column) -> Bool { column.constantValue?.isNull == true }

  @inline(__always)
  static func words1(_ a: Column, _ n: Int, _ type: SQLType, _ op: (UInt64) -> UInt64) -> Column {
    if isConstantNull(a) { return .null(type, count: n) }
    if let datum = a.constantValue {
      let word = op(ColumnBuilder.word(datum))
      return Column(type: type, count: n, storage: .words(Buffer(repeating: word, count: n)))
    }
    let out = Buffer<UInt64>(capacity: n)
    out.count = n
    let x = a.wordBuffer.base
    let target = out.base
    for i in 0..<n { target[i] = op(x[i]) }
    return Column(type: type, count: n, storage: .words(out), nulls: a.nulls)
  }

  /// Rows that are NULL are worked on too and must not matter to `op`.
  @inline(__always)
  static func words2(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType, _ op: (UInt64, UInt64) -> UInt64) -> Column {
    if isConstantNull(a) || isConstantNull(b) { return .null(type, count: n) }
    let out = Buffer<UInt64>(capacity: n)
    out.count = n
    let target = out.base
    if let constant = b.constantValue {
      let y = ColumnBuilder.word(constant)
      let left = a.constantValue == nil ? a : a.materialized()
      let x = left.wordBuffer.base
      withExtendedLifetime(left) { for i in 0..<n { target[i] = op(x[i], y) } }
    } else if let constant = a.constantValue {
      let x = ColumnBuilder.word(constant)
      let y = b.wordBuffer.base
      for i in 0..<n { target[i] = op(x, y[i]) }
    } else {
      let x = a.wordBuffer.base
      let y = b.wordBuffer.base
      for i in 0..<n { target[i] = op(x[i], y[i]) }
    }
    return Column(type: type, count: n, storage: .words(out), nulls: nulls(a, b))
  }

  /// After a loop that met something suspicious: looks at each row that is not NULL and throws what `check` says.
  static func recheck(_ a: Column, _ b: Column, _ n: Int, _ check: (UInt64, UInt64) throws -> Void) throws {
    let x = a.materialized()
    let y = b.materialized()
    for i in 0..<n where !x.isNull(at: i) && !y.isNull(at: i) { try check(x.wordBuffer[i], y.wordBuffer[i]) }
  }
  static func recheck(_ a: Column, _ n: Int, _ check: (UInt64) throws -> Void) throws {
    let x = a.materialized()
    for i in 0..<n where !x.isNull(at: i) { try check(x.wordBuffer[i]) }
  }

  /// Word by word where an operation may throw.
  static func throwingWords1(_ a: Column, _ n: Int, _ type: SQLType, _ op: (UInt64) throws -> UInt64) throws -> Column {
    if isConstantNull(a) { return .null(type, count: n) }
    let source = a.materialized()
    let words = source.wordBuffer
    let out = Buffer<UInt64>(repeating: 0, count: n)
    for i in 0..<n where !source.isNull(at: i) { out.base[i] = try op(words.base[i]) }
    return Column(type: type, count: n, storage: .words(out), nulls: source.nulls)
  }
  static func throwingWords2(
    _ a: Column, _ b: Column, _ n: Int, _ type: SQLType, _ op: (UInt64, UInt64) throws -> UInt64
  ) throws -> Column {
    if isConstantNull(a) || isConstantNull(b) { return .null(type, count: n) }
    let left = a.materialized()
    let right = b.materialized()
    let x = left.wordBuffer
    let y = right.wordBuffer
    let out = Buffer<UInt64>(repeating: 0, count: n)
    for i in 0..<n where !left.isNull(at: i) && !right.isNull(at: i) { out.base[i] = try op(x.base[i], y.base[i]) }
    return Column(type: type, count: n, storage: .words(out), nulls: nulls(left, right))
  }

  // MARK: Row by row over datums

  static func rows1(_ a: Column, _ n: Int, _ type: SQLType, _ op: (Datum) throws -> Datum) throws -> Column {
    if isConstantNull(a) { return .null(type, count: n) }
    var builder = ColumnBuilder(type, capacity: n)
    for i in 0..<n {
      let x = a.datum(at: i)
      if x.isNull { builder.appendNull() } else { try builder.append(op(x)) }
    }
    return builder.finish()
  }
  static func rows2(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType, _ op: (Datum, Datum) throws -> Datum) throws
    -> Column
  {
    if isConstantNull(a) || isConstantNull(b) { return .null(type, count: n) }
    var builder = ColumnBuilder(type, capacity: n)
    for i in 0..<n {
      let x = a.datum(at: i)
      let y = b.datum(at: i)
      if x.isNull || y.isNull { builder.appendNull() } else { try builder.append(op(x, y)) }
    }
    return builder.finish()
  }
  static func rows(_ columns: [Column], _ n: Int, _ type: SQLType, _ op: ([Datum]) throws -> Datum) throws -> Column {
    if columns.contains(where: isConstantNull) { return .null(type, count: n) }
    var builder = ColumnBuilder(type, capacity: n)
    var row = [Datum](repeating: .null, count: columns.count)
    for i in 0..<n {
      for (k, column) in columns.enumerated() { row[k] = column.datum(at: i) }
      if row.contains(.null) { builder.appendNull() } else { try builder.append(op(row)) }
    }
    return builder.finish()
  }

  // MARK: Text

  /// A test of single strings; each distinct string of a dictionary once, where that is less work.
  static func textPredicate(_ a: Column, _ n: Int, _ test: (UnsafeBufferPointer<UInt8>) throws -> Bool) rethrows
    -> Column
  {
    if isConstantNull(a) { return .null(.bool, count: n) }
    let out = Buffer<UInt64>(repeating: 0, count: n)
    if case .dictionary(let codes, let dictionary) = a.storage, dictionary.values.count <= n {
      var answers = [UInt64](repeating: 0, count: dictionary.values.count)
      for (code, word) in dictionary.refs.span.enumerated() {
        let ref = TextRef(word: word)
        let bytes = UnsafeBufferPointer(start: dictionary.bytes.base + ref.offset, count: ref.length)
        answers[code] = try test(bytes) ? 1 : 0
      }
      for i in 0..<n where !a.isNull(at: i) { out.base[i] = answers[Int(codes.base[i])] }
    } else {
      let view = TextView(a)
      for i in 0..<n where !a.isNull(at: i) { out.base[i] = try test(view.bytes(i)) ? 1 : 0 }
    }
    return Column(type: .bool, count: n, storage: .words(out), nulls: a.nulls)
  }

  /// Text to text, row by row.
  static func textMap(
    _ a: Column, _ n: Int, _ type: SQLType = .text,
    _ op: (UnsafeBufferPointer<UInt8>, inout ColumnBuilder) throws -> Void
  ) throws -> Column {
    if isConstantNull(a) { return .null(type, count: n) }
    var builder = ColumnBuilder(type, capacity: n)
    let view = TextView(a)
    for i in 0..<n {
      if a.isNull(at: i) { builder.appendNull() } else { try op(view.bytes(i), &builder) }
    }
    return builder.finish()
  }
}
extension Datum {
  // What a function's declared types promise; anything else is a bug of the caller.
  var integer: Int64 {
    guard case .int(let value) = self else { preconditionFailure("an integer") }
    return value
  }
  var double: Double {
    guard case .float(let value) = self else { preconditionFailure("a float") }
    return value
  }
  var numeric: Numeric {
    guard case .numeric(let value) = self else { preconditionFailure("a numeric") }
    return value
  }
  var text: String {
    guard case .text(let value) = self else { preconditionFailure("a text") }
    return value
  }
  var timestamp: Int64 {
    guard case .timestamp(let value) = self else { preconditionFailure("a timestamp") }
    return value
  }
  var date: Int32 {
    guard case .date(let value) = self else { preconditionFailure("a date") }
    return value
  }
  var interval: Interval {
    guard case .interval(let value) = self else { preconditionFailure("an interval") }
    return value
  }
  var array: [Datum] {
    guard case .array(let value) = self else { preconditionFailure("an array") }
    return value
  }
}
