// to_char, to_timestamp, to_date and to_number by templates.

import VarveCore

extension FunctionTable {
  mutating func addFormatting() {
    for type in [SQLType.timestamptz, .timestamp] {
      add("to_char", [type, .text], .text, volatility: .stable) { columns, n, context in
        let zone = type == .timestamptz ? try context.sessionZone() : .utc
        return try Formatting.each(columns, n, DateFormat.init) { format, datum in
          let t = datum.timestamp
          if TimeMath.isInfinite(t) { return nil }
          let (seconds, rest) = TimeMath.split(t)
          let offset = zone.offset(at: seconds)
          let fields = DateFields(
            local: seconds + offset, nanoseconds: rest,
            zone: type == .timestamptz ? (offset: offset, name: zone.abbreviation(at: seconds)) : nil)
          return try format.string(fields)
        }
      }
    }
    add("to_char", [.interval, .text], .text) { columns, n, _ in
      try Formatting.each(columns, n, DateFormat.init) { try $0.string(DateFields($1.interval)) }
    }
    for type in [SQLType.int4, .int8] {
      add("to_char", [type, .text], .text) { columns, n, _ in
        try Formatting.each(columns, n, NumberFormat.init) { try $0.string(Numeric($1.integer)) }
      }
    }
    add("to_char", [.numeric, .text], .text) { columns, n, _ in
      try Formatting.each(columns, n, NumberFormat.init) { try $0.string($1.numeric) }
    }
    for type in [SQLType.float4, .float8] {
      add("to_char", [type, .text], .text) { columns, n, _ in
        try Formatting.each(columns, n, NumberFormat.init) { try $0.string($1.double) }
      }
    }
    add("to_timestamp", [.text, .text], .timestamptz, volatility: .stable) { columns, n, context in
      let zone = try context.sessionZone()
      return try Evaluation.rows2(columns[0], columns[1], n, .timestamptz) {
        let text = $0.text
        let reading = try DateFormat($1.text).read(text)
        let local = try reading.days(text) * 86_400 + reading.seconds(text)
        let seconds =
          reading.zoneHours.map { local - $0 * 3600 - reading.zoneMinutes * 60 } ?? zone.utc(fromLocal: local)
        return .timestamp(try TimeMath.join(seconds, reading.microsecond * 1000))
      }
    }
    add("to_date", [.text, .text], .date, volatility: .stable) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .date) {
        let reading = try DateFormat($1.text).read($0.text)
        _ = try reading.seconds($0.text)
        let days = try reading.days($0.text)
        guard DateTimeText.isDate(days) else { throw SQLError.outOfRange(.date) }
        return .date(Int32(days))
      }
    }
    add("to_number", [.text, .text], .numeric, volatility: .stable) { columns, n, _ in
      try Formatting.each(columns, n, NumberFormat.init, .numeric) { format, datum in
        try format.number(datum.text)
      }
    }
  }
}

enum Formatting {
  /// A constant template is read once a call. nil: NULL.
  static func each<Format>(
    _ columns: [Column], _ n: Int, _ make: (String) throws -> Format, _ op: (Format, Datum) throws -> String?
  ) throws -> Column {
    try each(columns, n, make, .text) { try op($0, $1).map(Datum.text) ?? .null }
  }

  static func each<Format>(
    _ columns: [Column], _ n: Int, _ make: (String) throws -> Format, _ type: SQLType,
    _ op: (Format, Datum) throws -> Datum
  ) throws -> Column {
    if columns.contains(where: Evaluation.isConstantNull) { return .null(type, count: n) }
    var last: (template: String, format: Format)?
    return try Evaluation.rows2(columns[0], columns[1], n, type) {
      let template = $1.text
      if let last, last.template.utf8.elementsEqual(template.utf8) { return try op(last.format, $0) }
      // An empty template says nothing: of numbers an empty text, of times NULL.
      if template.isEmpty { return Format.self == NumberFormat.self && type == .text ? .text("") : .null }
      let format = try make(template)
      last = (template, format)
      return try op(format, $0)
    }
  }
}

extension NumberFormat {
  /// to_number: digits as far as the template has places for them; other characters where it has its own.
  func number(_ text: String) throws -> Datum {
    if isRoman { throw SQLError.unsupported("to_number of Roman numerals is not supported") }
    if isScientific { throw SQLError.unsupported("\"EEEE\" is supported in to_char only") }
    var isNegative = false
    var whole: [UInt8] = []
    var fraction: [UInt8] = []
    var seenPoint = false
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39:
        if seenPoint {
          if fraction.count < behind { fraction.append(byte) }
        } else if whole.count < before + shift {
          whole.append(byte)
        }
      case UInt8(ascii: ".") where hasPoint: seenPoint = true
      case UInt8(ascii: "-"), UInt8(ascii: "<"): isNegative = true
      default: break
      }
    }
    guard !whole.isEmpty || !fraction.isEmpty else { throw SQLError.invalidText(text, .numeric) }
    if whole.isEmpty { whole = [0x30] }
    var digits = String(decoding: whole, as: UTF8.self)
    if !fraction.isEmpty { digits += "." + String(decoding: fraction, as: UTF8.self) }
    guard var value = try Numeric(digits) else { throw SQLError.invalidText(text, .numeric) }
    if shift > 0 { value = try Numeric.dividing(value, Numeric(Int64(1)).shifted(shift)) }
    return .numeric(isNegative ? value.negated() : value)
  }
}
