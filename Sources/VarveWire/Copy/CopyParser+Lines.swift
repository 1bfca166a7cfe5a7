// Text and CSV as PostgreSQL 15 reads them (copyfromparse.c): first a line's end is found, then its fields, then their
// values. The three steps decide what any bytes mean; `fieldsOfLine` only says the same of plain lines, faster.

import VarveCore

extension CopyParser {
  enum LineScan {
    case line
    /// `\.`, the end that the data marks itself.
    case marker
    case incomplete, failed
  }

  mutating func wholeLine(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> Outcome {
    line += 1
    switch scanLine(start, end, final: final) {
    case .incomplete: return .incomplete
    case .failed: return .failed
    case .marker:
      if lineContentEnd == start { return .ended }
      // What stands before the mark is a row yet.
      isEnded = true
    case .line: break
    }
    let next = cursor
    let count = lineContentEnd - start
    guard isValid(start, count), let fieldCount = split(start, lineContentEnd) else { return .failed }
    isTimeNull = false
    guard putFields(start, fieldCount) else { return .failed }
    if !layout.makesBatches {
      cursor = next
      return putRow(inLine: start)
    }
    if isTimeNull {
      fail(nullTime, inLine: start)
      return .failed
    }
    guard let entry = findSeries() else { return .failed }
    cursor = next
    return endRow(entry)
  }

  mutating func headerLine(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> Outcome {
    line += 1
    switch scanLine(start, end, final: final) {
    case .incomplete: return .incomplete
    case .failed: return .failed
    case .marker: isEnded = true
    case .line: break
    }
    awaitsHeader = false
    if isEnded, lineContentEnd == start { return .ended }
    let next = cursor
    guard isValid(start, lineContentEnd - start) else { return .failed }
    if options.header == .matched {
      guard let fieldCount = split(start, lineContentEnd), matchesHeader(start, fieldCount) else { return .failed }
    }
    cursor = next
    return isEnded ? .ended : .nothing
  }

  private mutating func matchesHeader(_ start: UnsafePointer<UInt8>, _ fieldCount: Int) -> Bool {
    guard fieldCount == columnCount else {
      failInLine(start, "wrong number of fields in header line: got \(fieldCount), expected \(columnCount)")
      return false
    }
    for (index, column) in options.columns.enumerated() {
      let field = fields[index]
      let place = "column name mismatch in header line field \(index + 1): got"
      guard field.count >= 0 else {
        let null = String(decoding: options.null, as: UTF8.self)
        failInLine(start, "\(place) null value (\"\(null)\"), expected \"\(column.name)\"")
        return false
      }
      let bytes = UnsafeBufferPointer(start: field.start, count: field.count)
      guard bytes.elementsEqual(column.name.utf8) else {
        failInLine(start, "\(place) \"\(String(decoding: bytes, as: UTF8.self))\", expected \"\(column.name)\"")
        return false
      }
    }
    return true
  }

  /// Every field in its column.
  private mutating func putFields(_ start: UnsafePointer<UInt8>, _ fieldCount: Int) -> Bool {
    if fieldCount > columnCount {
      failInLine(start, "extra data after last expected column")
      return false
    }
    for column in 0..<columnCount {
      guard column < fieldCount else {
        failInLine(start, "missing data for column \"\(options.columns[column].name)\"")
        return false
      }
      if isCSV, fields[column].count < 0, slots[column].isNeverNull {
        fields[column].start = UnsafePointer(nullText.base)
        fields[column].count = nullText.count
      } else if isCSV, slots[column].isNullInQuotes, fields[column].count == nullText.count,
        equalBytes(nullText.base, fields[column].start, nullText.count)
      {
        fields[column].count = -1
      }
      if !layout.makesBatches {
        guard putValue(column: column) else { return false }
      } else if fields[column].count < 0 {
        putNull(column: column)
      } else if !putText(column: column) {
        return false
      }
    }
    return true
  }

  // MARK: the end of a line

  /// Finds the line at `start`: its end is `lineContentEnd`, the next one's start `cursor`. All lines end as the first.
  private mutating func scanLine(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> LineScan {
    let quote = options.quote
    let escape: UInt8? = options.escape == quote ? nil : options.escape
    var isQuoted = false
    var isEscaped = false
    var linesWithin = 0
    var p = start
    while p < end {
      let byte = p[0]
      if isCSV {
        if isQuoted, byte == escape { isEscaped.toggle() }
        if byte == quote, !isEscaped { isQuoted.toggle() }
        if byte != escape { isEscaped = false }
        if isQuoted {
          if byte == (lineEnd == .newline ? 0x0A : 0x0D) { linesWithin += 1 }
          p += 1
          continue
        }
      }
      switch byte {
      case 0x0D:
        if lineEnd == .newline { return strayLineBreak(isNewline: false) }
        if lineEnd != .carriageReturn {
          guard end - p >= 2 || final else { return .incomplete }
          let isBoth = end - p >= 2 && p[1] == 0x0A
          if lineEnd == .both, !isBoth { return strayLineBreak(isNewline: false) }
          lineEnd = isBoth ? .both : .carriageReturn
        }
        return endLine(p, p + (lineEnd == .both ? 2 : 1), linesWithin)
      case 0x0A:
        if lineEnd == .carriageReturn || lineEnd == .both { return strayLineBreak(isNewline: true) }
        lineEnd = .newline
        return endLine(p, p + 1, linesWithin)
      case 0x5C where !isCSV || p == start:
        guard end - p >= 2 else {
          if !final { return .incomplete }
          // Just before the end of all it is a character like others.
          p += 1
          continue
        }
        if p[1] != 0x2E {
          // Whatever it is that is escaped, it ends no line. In CSV nothing is escaped here.
          p += isCSV ? 1 : 2
          continue
        }
        switch scanMarker(p, end, final: final) {
        case .line: p += 1
        case .marker:
          line += linesWithin
          return .marker
        case let other: return other
        }
      default: p += 1
      }
    }
    guard final else { return .incomplete }
    return endLine(end, end, linesWithin)
  }

  private mutating func endLine(
    _ contentEnd: UnsafePointer<UInt8>, _ next: UnsafePointer<UInt8>, _ linesWithin: Int
  ) -> LineScan {
    lineContentEnd = contentEnd
    cursor = next
    line += linesWithin
    return .line
  }

  private mutating func strayLineBreak(isNewline: Bool) -> LineScan {
    let what = isNewline ? "newline" : "carriage return"
    if isCSV {
      fail("22P04", "unquoted \(what) found in data", hint: "Use quoted CSV field to represent \(what).")
    } else {
      fail(
        "22P04", "literal \(what) found in data", hint: "Use \"\\\(isNewline ? "n" : "r")\" to represent \(what).")
    }
    return .failed
  }

  /// `\.` at `p`: a marker if a line break follows; in CSV otherwise data (`.line`).
  private mutating func scanMarker(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> LineScan {
    var q = p + 2
    /// A zero byte stands for the end of all.
    func next() -> UInt8? {
      if q < end { return q[0] }
      return final ? 0 : nil
    }
    func corrupt() -> LineScan {
      if isCSV { return .line }
      fail("22P04", "end-of-copy marker corrupt")
      return .failed
    }
    let mismatch = "end-of-copy marker does not match previous newline style"
    guard var byte = next() else { return .incomplete }
    if lineEnd == .both {
      if byte == 0x0A, !isCSV {
        fail("22P04", mismatch)
        return .failed
      }
      if byte != 0x0D { return corrupt() }
      q += 1
      guard let second = next() else { return .incomplete }
      byte = second
    }
    if byte != 0x0D, byte != 0x0A { return corrupt() }
    if byte != (lineEnd == .unknown ? byte : lineEnd == .carriageReturn ? 0x0D : 0x0A) {
      fail("22P04", mismatch)
      return .failed
    }
    lineContentEnd = p
    cursor = q + 1
    return .marker
  }

  // MARK: the fields of a line

  /// Finds the line's fields and takes their quotes and escapes away. Gives their number, of which no more than there
  /// are columns are kept.
  private mutating func split(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int? {
    decoded.count = 0
    // What is decoded is never longer, so it stays where it is.
    decoded.reserve(end - start)
    var p = start
    var count = 0
    while true {
      let field = UnsafePointer(decoded.base + decoded.count)
      let raw = p
      var isPlain = true
      guard isCSV ? splitCSV(&p, end, &isPlain) : splitText(&p, end, &isPlain) else {
        failInLine(start, "unterminated CSV quoted field")
        return nil
      }
      let byteCount = UnsafePointer(decoded.base + decoded.count) - field
      let isNull =
        (isPlain || !isCSV) && p - raw == nullText.count && equalBytes(nullText.base, raw, nullText.count)
      // Escapes may have made anything.
      if !isCSV, !isPlain, !isNull, let problem = invalidText(field, byteCount) {
        fail(problem, inLine: start)
        return nil
      }
      if count < columnCount {
        fields[count] = CopyField(start: field, count: isNull ? -1 : byteCount, rawStart: raw, rawCount: p - raw)
      }
      count += 1
      if p == end { return count }
      p += 1
    }
  }

  /// Up to a delimiter or the end.
  private mutating func splitText(
    _ p: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ isPlain: inout Bool
  ) -> Bool {
    while p < end, p[0] != options.delimiter {
      var byte = p[0]
      p += 1
      if byte == 0x5C {
        isPlain = false
        // A lone one at the end is dropped.
        if p == end { break }
        byte = p[0]
        p += 1
        switch byte {
        case 0x30...0x37: byte = Self.number(byte &- 0x30, &p, end, radix: 8, more: 2)
        case 0x78:
          if p < end, let digit = Self.digit(p[0], radix: 16) {
            p += 1
            byte = Self.number(digit, &p, end, radix: 16, more: 1)
          }
        case 0x62: byte = 0x08
        case 0x66: byte = 0x0C
        case 0x6E: byte = 0x0A
        case 0x72: byte = 0x0D
        case 0x74: byte = 0x09
        case 0x76: byte = 0x0B
        default: break
        }
      }
      decoded.append(byte)
    }
    return true
  }

  private static func number(
    _ first: UInt8, _ p: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, radix: UInt8, more: Int
  ) -> UInt8 {
    var value = Int(first)
    for _ in 0..<more {
      guard p < end, let digit = digit(p[0], radix: radix) else { break }
      value = value * Int(radix) + Int(digit)
      p += 1
    }
    return UInt8(truncatingIfNeeded: value)
  }

  private static func digit(_ byte: UInt8, radix: UInt8) -> UInt8? {
    let value: UInt8
    switch byte {
    case 0x30...0x39: value = byte - 0x30
    case 0x41...0x46: value = byte - 0x41 + 10
    case 0x61...0x66: value = byte - 0x61 + 10
    default: return nil
    }
    return value < radix ? value : nil
  }

  /// False: a quote is not closed.
  private mutating func splitCSV(
    _ p: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ isPlain: inout Bool
  ) -> Bool {
    while p < end, p[0] != options.delimiter {
      let byte = p[0]
      p += 1
      guard byte == options.quote else {
        decoded.append(byte)
        continue
      }
      isPlain = false
      while true {
        guard p < end else { return false }
        let byte = p[0]
        p += 1
        if byte == options.escape, p < end, p[0] == options.escape || p[0] == options.quote {
          decoded.append(p[0])
          p += 1
        } else if byte == options.quote {
          break
        } else {
          decoded.append(byte)
        }
      }
    }
    return true
  }

  /// An error of the line rather than of one of its fields.
  private mutating func failInLine(_ start: UnsafePointer<UInt8>, _ message: String) {
    fail(VarveError(.syntax, message, sqlState: "22P04"), inLine: start)
  }

  mutating func fail(_ error: VarveError, inLine start: UnsafePointer<UInt8>) {
    var error = error
    error.context = context() + ": " + Self.quoted(start, lineContentEnd - start)
    fail(error)
  }
}
