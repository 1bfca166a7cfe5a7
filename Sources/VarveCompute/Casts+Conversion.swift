// The conversions themselves.

import VarveCore

extension Casts {
  static func conversion(from: SQLType, to: SQLType) -> Evaluation.Body? {
    if case .numeric(let precision?, let scale) = to {
      if from == to { return { columns, _, _ in columns[0] } }
      if from.isText {
        return { columns, n, context in try parse(columns[0], n, to, context) }
      }
      guard let inner = conversion(from: from, to: .numeric) else { return nil }
      return { columns, n, context in
        let whole = try inner(columns, n, context)
        return try Evaluation.rows1(whole, n, to) {
          .numeric(try $0.numeric.applying(precision: precision, scale: scale ?? 0))
        }
      }
    }
    let from = from.base
    if from == to { return { columns, _, _ in columns[0].relabelled(to) } }
    switch (from, to) {
    case (.unknown, .text), (.unknown, .varchar), (.unknown, .bpchar),
      (.text, .varchar), (.text, .bpchar), (.varchar, .text), (.varchar, .bpchar), (.name, .text), (.name, .varchar),
      (.name, .bpchar), (.char, .text), (.char, .varchar), (.char, .bpchar):
      return { columns, _, _ in columns[0].relabelled(to) }
    case (.bpchar, .text), (.bpchar, .varchar):
      return { columns, n, _ in
        try Evaluation.textMap(columns[0], n, to) { bytes, builder in
          var count = bytes.count
          while count > 0, bytes[count - 1] == 0x20 { count -= 1 }
          try builder.append(text: UnsafeBufferPointer(start: bytes.baseAddress, count: count))
        }
      }
    case (.bool, .int4): return { columns, _, _ in words(columns[0], to) }
    case (.int4, .bool): return { columns, n, _ in Evaluation.words1(columns[0], n, .bool) { $0 != 0 ? 1 : 0 } }
    case (.int4, .char):
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .char) {
          guard let byte = Int8(exactly: $0.integer) else { throw SQLError.make("22003", "\"char\" out of range") }
          if byte == 0 { return .text("") }
          guard byte > 0 else { throw SQLError.unsupported("\"char\" beyond ASCII is not supported") }
          return .text(String(UnicodeScalar(UInt8(byte))))
        }
      }
    case (.char, .int4):
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .int4) { .int(Int64($0.text.utf8.first ?? 0)) }
      }
    case (_, _) where (from.isInteger || from.isOID) && (to.isInteger || to.isOID):
      return { columns, n, _ in try integers(columns[0], n, from, to) }
    case (_, _) where from.isInteger && to.isFloat:
      return { columns, n, _ in
        Evaluation.words1(columns[0], n, to) {
          let value = Int64(bitPattern: $0)
          return (to == .float4 ? Double(Float(value)) : Double(value)).bitPattern
        }
      }
    case (.float4, .float8): return { columns, _, _ in words(columns[0], to) }
    case (.float8, .float4):
      return { columns, n, _ in
        try Evaluation.throwingWords1(columns[0], n, to) {
          let value = Double(bitPattern: $0)
          let narrow = Float(value)
          if narrow.isInfinite, value.isFinite { throw SQLError.outOfRange(.float4) }
          if narrow == 0, value != 0 { throw SQLError.underflow }
          return Double(narrow).bitPattern
        }
      }
    case (_, _) where from.isFloat && to.isInteger:
      return { columns, n, _ in
        try Evaluation.throwingWords1(columns[0], n, to) {
          let value = Double(bitPattern: $0).rounded(.toNearestOrEven)
          guard let whole = Int64(exactly: value), IntegerKernels.fits(whole, to) else { throw SQLError.outOfRange(to) }
          return UInt64(bitPattern: whole)
        }
      }
    case (_, .numeric) where from.isInteger:
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .numeric) { .numeric(Numeric($0.integer)) }
      }
    case (_, .numeric) where from.isFloat:
      let digits = from == .float4 ? 6 : 15
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .numeric) { .numeric(try Numeric($0.double, digits: digits)) }
      }
    case (.numeric, _) where to.isInteger:
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, to) {
          guard let value = Int64(exactly: try $0.numeric.integerRounded(to)), IntegerKernels.fits(value, to) else {
            throw SQLError.outOfRange(to)
          }
          return .int(value)
        }
      }
    case (.numeric, .float8), (.numeric, .float4):
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, to) {
          let numeric = $0.numeric
          let value = numeric.double
          let narrow = FloatKernels.narrow(value, to)
          if narrow.isInfinite, numeric.isFinite {
            throw SQLError.make("22003", "\"\(numeric.text)\" is out of range for type \(to.name)")
          }
          if narrow == 0, !numeric.isZero {
            throw SQLError.make("22003", "\"\(numeric.text)\" is out of range for type \(to.name)")
          }
          return .float(narrow)
        }
      }
    case (.date, .timestamp), (.date, .timestamptz), (.timestamp, .timestamptz), (.timestamptz, .timestamp),
      (.timestamp, .date), (.timestamptz, .date):
      return { columns, n, context in try TimeKernels.convert(columns[0], n, to: to, context) }
    case (.timestamp, .time), (.timestamptz, .time):
      return { columns, n, context in
        let local = try TimeKernels.convert(columns[0], n, to: .timestamp, context)
        return try Evaluation.rows1(local, n, .time) {
          TimeMath.isInfinite($0.timestamp) ? .null : .int(Calendar.timeOfDay($0.timestamp))
        }
      }
    case (.interval, .time):
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .time) {
          .int(Calendar.wrapped(0, $0.interval.microseconds % Calendar.dayMicroseconds))
        }
      }
    case (.time, .interval):
      return { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .interval) { .interval(Interval(microseconds: $0.integer)) }
      }
    case (.int2vector, .array(.int2)), (.oidvector, .array(.oid)), (.array(.int2), .int2vector),
      (.array(.oid), .oidvector):
      return { columns, _, _ in columns[0].relabelled(to) }
    case (.array(let a), .array(let b)):
      guard let inner = conversion(from: a, to: b) else { return nil }
      return { columns, n, context in
        try Evaluation.rows1(columns[0], n, to) {
          let elements = $0.array
          let converted = try inner([try Column(type: a, data: elements)], elements.count, context)
          return .array((0..<elements.count).map { converted.datum(at: $0) })
        }
      }
    default: break
    }
    if from.isText { return { columns, n, context in try parse(columns[0], n, to, context) } }
    if to.isText { return { columns, n, context in try print(columns[0], n, to, context) } }
    return nil
  }

  private static func words(_ column: Column, _ to: SQLType) -> Column {
    if let datum = column.constantValue {
      if case .bool(let value) = datum, to != .bool {
        return .constant(.int(value ? 1 : 0), type: to, count: column.count)
      }
    }
    return column.relabelled(to)
  }

  private static func integers(_ column: Column, _ n: Int, _ from: SQLType, _ to: SQLType) throws -> Column {
    switch to {
    case .int8: return column.relabelled(to)
    case .int4 where from == .int2: return column.relabelled(to)
    case .int4 where from.isOID:
      // As C does it: the bits are kept.
      return Evaluation.words1(column, n, to) { UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: $0))) }
    case .int2, .int4:
      return try Evaluation.throwingWords1(column, n, to) {
        guard IntegerKernels.fits(Int64(bitPattern: $0), to) else { throw SQLError.outOfRange(to) }
        return $0
      }
    default:
      if from.isOID { return column.relabelled(to) }
      if from != .int8 { return Evaluation.words1(column, n, to) { $0 & 0xFFFF_FFFF } }
      return try Evaluation.throwingWords1(column, n, to) {
        guard $0 <= UInt64(UInt32.max) else { throw SQLError.outOfRange(to) }
        return $0
      }
    }
  }

  /// Text to anything, through its input function.
  private static func parse(_ column: Column, _ n: Int, _ to: SQLType, _ context: EvaluationContext) throws -> Column {
    if Evaluation.isConstantNull(column) { return .null(to, count: n) }
    var builder = ColumnBuilder(to, capacity: n)
    let view = TextView(column)
    for i in 0..<n {
      if column.isNull(at: i) {
        builder.appendNull()
      } else {
        try builder.append(TypeText.parse(bytes: view.bytes(i), as: to, context: context))
      }
    }
    return builder.finish()
  }

  /// Anything to text, through its output function, but for bool, which says the whole word.
  private static func print(_ column: Column, _ n: Int, _ to: SQLType, _ context: EvaluationContext) throws -> Column {
    var builder = ColumnBuilder(to, capacity: n)
    if column.type == .bool {
      for i in 0..<n {
        if column.isNull(at: i) {
          builder.appendNull()
        } else {
          try builder.append(text: column.datum(at: i) == .bool(true) ? "true" : "false")
        }
      }
      return builder.finish()
    }
    var writer = try ColumnTextWriter(column, context: context)
    let scratch = Buffer<UInt8>(capacity: 64)
    for i in 0..<n {
      if writer.isNull(i) {
        builder.appendNull()
        continue
      }
      scratch.count = 0
      try writer.append(i, to: scratch)
      if to == .char {
        try builder.append(text: UnsafeBufferPointer(rebasing: scratch.span.prefix(1)))
      } else {
        try builder.append(text: scratch.span)
      }
    }
    return builder.finish()
  }
}
