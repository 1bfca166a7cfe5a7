// RFC 4180: text cut anywhere into records. Fields in quotes may hold delimiters, line breaks and doubled quotes;
// lines end in LF or CRLF; empty lines are skipped. A record that breaks the rules, or is too long, is skipped to
// the next line break and reported; memory is one record at most.

import VarveCore

/// One field of a record: where it stands in the record's bytes.
struct CSVField {
  var start: Int
  var end: Int
  var isQuoted: Bool
  /// 1-based byte column of its first byte in the line on which the record begins.
  var column: Int
}

struct CSVRecord {
  /// 1-based, where it begins.
  var line = 1
  /// Unquoted contents of all fields, one behind the other.
  var bytes: [UInt8] = []
  var fields: [CSVField] = []
}

struct CSVRecords {
  enum Problem { case tooLong, quote(column: Int), textBehindQuote(column: Int), openQuote(column: Int) }

  private enum State { case fieldStart, plain, quoted, quoteInQuoted, carriageReturn, skipping }

  private let delimiter: UInt8
  private let byteLimit: Int
  private var state = State.fieldStart
  private var record = CSVRecord()
  private var fieldStart = 0
  private var fieldColumn = 1
  private var fieldIsQuoted = false
  /// Of the next byte.
  private var line = 1
  private var column = 1
  private var recordByteCount = 0

  init(delimiter: UInt8, byteLimit: Int) {
    self.delimiter = delimiter
    self.byteLimit = byteLimit
  }

  /// Calls `take` for each record that ends in the chunk and `report` for each that is bad.
  mutating func parse(
    _ chunk: UnsafeRawBufferPointer, take: (inout CSVRecord) throws -> Void, report: (_ line: Int, Problem) -> Void
  ) rethrows {
    for byte in chunk {
      try step(byte, take: take, report: report)
    }
  }

  /// The text is over: a last record needs no line break.
  mutating func finish(
    take: (inout CSVRecord) throws -> Void, report: (_ line: Int, Problem) -> Void
  ) rethrows {
    switch state {
    case .skipping: break
    case .quoted: report(record.line, .openQuote(column: fieldColumn))
    default: try end(take: take)
    }
    restart(line: line)
  }

  @inline(__always)
  private mutating func step(
    _ byte: UInt8, take: (inout CSVRecord) throws -> Void, report: (_ line: Int, Problem) -> Void
  ) rethrows {
    defer {
      if byte == 0x0A {
        line += 1
        column = 1
      } else {
        column += 1
      }
    }
    if state == .skipping {
      if byte == 0x0A { restart(line: line + 1) }
      return
    }
    recordByteCount += 1
    if recordByteCount > byteLimit, byte != 0x0A {
      report(record.line, .tooLong)
      state = .skipping
      record.bytes = []
      return
    }
    switch state {
    case .fieldStart:
      if record.fields.isEmpty, fieldStart == 0, recordByteCount == 1 { record.line = line }
      fieldColumn = column
      if byte == 0x22 {
        fieldIsQuoted = true
        state = .quoted
        return
      }
      state = .plain
      try plain(byte, take: take, report: report)
    case .plain:
      try plain(byte, take: take, report: report)
    case .quoted:
      if byte == 0x22 { state = .quoteInQuoted } else { record.bytes.append(byte) }
    case .quoteInQuoted:
      switch byte {
      case 0x22:
        record.bytes.append(byte)
        state = .quoted
      case delimiter, 0x0A, 0x0D:
        state = .plain
        try plain(byte, take: take, report: report)
      default:
        skip(.textBehindQuote(column: column), report)
      }
    case .carriageReturn:
      if byte == 0x0A {
        try end(take: take)
      } else {
        // A carriage return within a field without quotes is part of it.
        record.bytes.append(0x0D)
        state = .plain
        try plain(byte, take: take, report: report)
      }
    case .skipping: break
    }
  }

  @inline(__always)
  private mutating func plain(
    _ byte: UInt8, take: (inout CSVRecord) throws -> Void, report: (_ line: Int, Problem) -> Void
  ) rethrows {
    switch byte {
    case delimiter:
      endField()
      state = .fieldStart
    case 0x0A: try end(take: take)
    case 0x0D: state = .carriageReturn
    case 0x22: skip(.quote(column: column), report)
    default: record.bytes.append(byte)
    }
  }

  private mutating func endField() {
    record.fields.append(
      CSVField(start: fieldStart, end: record.bytes.count, isQuoted: fieldIsQuoted, column: fieldColumn))
    fieldStart = record.bytes.count
    fieldIsQuoted = false
  }

  private mutating func end(take: (inout CSVRecord) throws -> Void) rethrows {
    let isEmptyLine = record.fields.isEmpty && record.bytes.isEmpty && !fieldIsQuoted
    if !isEmptyLine {
      endField()
      try take(&record)
    }
    restart(line: line + 1)
  }

  private mutating func skip(_ problem: Problem, _ report: (_ line: Int, Problem) -> Void) {
    report(record.line, problem)
    state = .skipping
  }

  private mutating func restart(line: Int) {
    record.line = line
    record.bytes.removeAll(keepingCapacity: true)
    record.fields.removeAll(keepingCapacity: true)
    fieldStart = 0
    fieldColumn = 1
    fieldIsQuoted = false
    recordByteCount = 0
    state = .fieldStart
  }
}
