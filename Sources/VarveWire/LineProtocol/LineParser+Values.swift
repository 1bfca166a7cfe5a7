// Field values and the time stamp, in full. Each function gives `.row` and sets `cursor` behind what it took,
// `.failed`, or `.incomplete` when the window ends before the value surely does.

import VarveCore

extension LineParser {
  /// A number as one token: everything up to a comma, a space or the line's end.
  mutating func parseNumber(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool, type: inout UInt8, word: inout UInt64
  ) -> Outcome {
    var q = p
    while q < end, classes[Int(q[0])] & ByteClass.endsValue == 0 { q += 1 }
    if q == end, !final { return .incomplete }
    let count = q - p
    cursor = q
    switch q[-1] {
    case 0x69:
      type = TypeCode.int64
      switch Number.signed(p, count - 1) {
      case .success(let value): word = UInt64(bitPattern: value)
      case .failure(.range): return fail(p, .invalidNumber, "\(excerpt(p, count)) is out of range of a 64-bit integer")
      case .failure(.syntax): return fail(p, .invalidNumber, "\(excerpt(p, count)) is not an integer")
      }
    case 0x75:
      type = TypeCode.uint64
      switch Number.unsigned(p, count - 1) {
      case .success(let value): word = value
      case .failure(.range):
        return fail(p, .invalidNumber, "\(excerpt(p, count)) is out of range of a 64-bit unsigned integer")
      case .failure(.syntax): return fail(p, .invalidNumber, "\(excerpt(p, count)) is not an unsigned integer")
      }
    case 0x74:
      // QuestDB's dialect: a timestamp in microseconds.
      type = TypeCode.timestamp
      switch Number.signed(p, count - 1) {
      case .success(let value):
        let (time, overflow) = value.multipliedReportingOverflow(by: 1000)
        if overflow {
          return fail(p, .invalidTimestamp, "\(excerpt(p, count)) is out of range: times are 64-bit nanoseconds")
        }
        word = UInt64(bitPattern: time)
      case .failure(.range):
        return fail(p, .invalidTimestamp, "\(excerpt(p, count)) is out of range: times are 64-bit nanoseconds")
      case .failure(.syntax): return fail(p, .invalidNumber, "\(excerpt(p, count)) is not a time in microseconds")
      }
    default:
      type = TypeCode.float64
      switch Number.double(p, count) {
      case .success(let value): word = value.bitPattern
      case .failure(.range): return fail(p, .invalidNumber, "\(excerpt(p, count)) is out of range of a double")
      case .failure(.syntax): return fail(p, .invalidNumber, "\(excerpt(p, count)) is not a number")
      }
    }
    return .row
  }

  mutating func parseBoolean(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool, word: inout UInt64
  ) -> Outcome {
    guard p[0] == 0x74 || p[0] == 0x54 || p[0] == 0x66 || p[0] == 0x46 else {
      return fail(p, .syntax, "a field value is a number, a boolean or a quoted string")
    }
    var q = p
    while q < end, classes[Int(q[0])] & ByteClass.endsValue == 0 { q += 1 }
    if q == end, !final { return .incomplete }
    let count = q - p
    for (spelling, value) in LineParser.booleans
    where spelling.utf8CodeUnitCount == count && equalBytes(spelling.utf8Start, p, count) {
      word = value
      cursor = q
      return .row
    }
    return fail(p, .syntax, "\(excerpt(p, count)) is not a boolean")
  }

  private static let booleans: [(StaticString, UInt64)] = [
    ("t", 1), ("T", 1), ("true", 1), ("True", 1), ("TRUE", 1),
    ("f", 0), ("F", 0), ("false", 0), ("False", 0), ("FALSE", 0),
  ]

  /// A quoted string at `quote`; `escaped` becomes 1 if it has escapes.
  mutating func scanString(
    _ quote: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool, escaped: inout UInt64
  ) -> Outcome {
    let start = quote + 1
    var p = start
    var seen: UInt64 = 0
    escaped = 0
    while true {
      if end - p >= 8 {
        let word = Word.load(p)
        seen |= word
        let stops =
          Word.matches(word, 0x2222_2222_2222_2222) | Word.matches(word, 0x5C5C_5C5C_5C5C_5C5C)
          | Word.matches(word, 0x0A0A_0A0A_0A0A_0A0A)
        if stops == 0 {
          p += 8
          continue
        }
        p += Word.index(stops)
      } else {
        guard p < end else {
          openString = quote
          return final ? fail(quote, .syntax, "the string is not closed before the end of the text") : .incomplete
        }
        seen |= UInt64(p[0])
      }
      switch p[0] {
      case 0x22:
        cursor = p + 1
        return checkString(quote, p, hasHighBytes: seen & Word.highs != 0, escaped: escaped != 0)
      case 0x5C:
        guard p + 1 < end else {
          p += 1
          continue
        }
        if p[1] == 0x22 || p[1] == 0x5C {
          seen |= UInt64(p[1])
          escaped = 1
          p += 2
        } else {
          p += 1
        }
      case 0x0A:
        stringLineBreaks += 1
        p += 1
        guard options.recognizesSync, p < end, p[0] == 0x23 else { continue }
        if syncLine(p, end, atEnd: final) {
          openString = quote
          return fail(quote, .syntax, "the string is not closed before #sync")
        }
      default:
        p += 1
      }
    }
  }

  private mutating func checkString(
    _ quote: UnsafePointer<UInt8>, _ close: UnsafePointer<UInt8>, hasHighBytes: Bool, escaped: Bool
  ) -> Outcome {
    let count = close - (quote + 1)
    if count > Limits.textValueByteCount {
      return fail(quote, .valueTooLong, "a string is at most \(Limits.textValueByteCount) bytes long")
    }
    if hasHighBytes, let offset = UTF8Validation.firstInvalid(quote + 1, count) {
      return fail(quote + 1 + offset, .invalidUTF8, "the string is not UTF-8")
    }
    return .row
  }

  /// What follows the spaces behind the last field: a stamp or nothing, then the line's end.
  mutating func parseStamp(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool, time: inout Int64
  ) -> Outcome {
    if p == end || p[0] == 0x0A || p[0] == 0x0D {
      return takeLineEnd(p, end, final: final)
    }
    var q = p
    while q < end, classes[Int(q[0])] & ByteClass.stamp != 0 { q += 1 }
    if q == end, !final { return .incomplete }
    let count = q - p
    var unit = options.precision.nanoseconds
    if q < end, count > 0, q[0] == 0x6E || q[0] == 0x74 {
      // QuestDB's dialect names the unit: nanoseconds or microseconds.
      unit = q[0] == 0x6E ? 1 : 1000
      q += 1
      if q == end, !final { return .incomplete }
    }
    guard count > 0, q == end || q[0] == 0x20 || q[0] == 0x0A || q[0] == 0x0D else {
      return fail(p, .invalidTimestamp, "a time stamp is a whole number")
    }
    switch Number.signed(p, count) {
    case .failure(.syntax): return fail(p, .invalidTimestamp, "\(excerpt(p, count)) is not a time stamp")
    case .failure(.range):
      return fail(p, .invalidTimestamp, "\(excerpt(p, count)) is out of range: times are 64-bit nanoseconds")
    case .success(let value):
      let (product, overflow) = value.multipliedReportingOverflow(by: unit)
      // The least and the greatest are SQL's infinities.
      if overflow || product == .min || product == .max {
        return fail(p, .invalidTimestamp, "\(excerpt(p, count)) is out of range: times are 64-bit nanoseconds")
      }
      time = product
    }
    if time > latestTime { return failInFuture(p) }
    if q < end, q[0] == 0x0A {
      stamp.set(p, q + 1 - p, time: time)
      cursor = q + 1
      return .row
    }
    while q < end, q[0] == 0x20 { q += 1 }
    return takeLineEnd(q, end, final: final)
  }

  mutating func failInFuture(_ p: UnsafePointer<UInt8>) -> Outcome {
    let seconds = (options.maxFutureNanoseconds ?? 0) / 1_000_000_000
    return fail(p, .timestampInFuture, "the time stamp lies more than \(seconds) s in the future (--max-future)")
  }

  private mutating func takeLineEnd(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool
  ) -> Outcome {
    guard p < end else {
      cursor = end
      return final ? .row : .incomplete
    }
    if p[0] == 0x0A {
      cursor = p + 1
      return .row
    }
    if p[0] == 0x0D {
      guard p + 1 < end else {
        cursor = end
        return final ? .row : .incomplete
      }
      if p[1] == 0x0A {
        cursor = p + 2
        return .row
      }
    }
    return fail(p, .syntax, "unexpected text before the end of the line")
  }
}

/// The text for a message: quoted, made printable, and cut.
func excerpt(_ p: UnsafePointer<UInt8>, _ count: Int) -> String {
  let shown = min(count, 40)
  var text = "'"
  for scalar in String(decoding: UnsafeBufferPointer(start: p, count: shown), as: UTF8.self).unicodeScalars {
    text.unicodeScalars.append(scalar.value < 32 || scalar.value == 127 ? "?" : scalar)
  }
  return text + (shown < count ? "…'" : "'")
}
