// Text and CSV, the fast way: each field is read where it ends, in one walk over the line. It takes lines that are as
// nearly all lines are, without escapes, with plain quotes at most; of any other, of one that ends beyond the bytes at
// hand and of one with an error it says that it is not sure, and `wholeLine` says what there is. What it does take, it
// takes as `wholeLine` does.

import CVarve
import VarveCore

extension CopyParser {
  mutating func fieldsOfLine(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, readable: UnsafePointer<UInt8>
  ) -> Outcome {
    guard lineEnd == .newline || lineEnd == .both, layout.makesBatches else { return .unsure }
    // The mark of the end, perhaps.
    if isCSV, start[0] == 0x5C { return .unsure }
    line &+= 1
    let run = layout.tagRun ?? (-1 ..< -1)
    let delimiter = options.delimiter
    let stops = CopyStops(delimiter: delimiter, special: isCSV ? options.quote : 0x5C)
    var entry: Int32 = -1
    var p = start
    var column = 0
    while true {
      // What is looked ahead for numbers, and one word of a scan.
      guard readable - p >= 16 else { return .unsure }
      if column == run.lowerBound, let behind = predictedText(p, end, isLast: run.upperBound == columnCount) {
        entry = predictedEntry
        column = run.upperBound &- 1
        p = behind
      } else if let behind = shortInteger(p, end, column) {
        p = behind
      } else {
        guard let behind = plainField(p, end, readable, column, stops) else { return .unsure }
        p = behind
      }
      if p[0] == delimiter {
        column &+= 1
        if column == columnCount { return .unsure }
        p += 1
      } else {
        guard column == columnCount &- 1, let behind = endOfLine(p, end) else { return .unsure }
        p = behind
        break
      }
    }
    if entry < 0 {
      guard let found = findSeries() else { return takeBack() }
      entry = found
    }
    cursor = p
    return endRow(entry) == .row ? .row : takeBack()
  }

  /// An error that was met here may not be the line's first.
  private mutating func takeBack() -> Outcome {
    failure = nil
    return .unsure
  }

  /// Behind the line break at `p`; nil: there is none of the kind that the first line had.
  @inline(__always)
  private func endOfLine(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    if lineEnd == .newline { return p < end && p[0] == 0x0A ? p + 1 : nil }
    return end - p >= 2 && p[0] == 0x0D && p[1] == 0x0A ? p + 2 : nil
  }

  /// Behind all tags if they are those of the predicted entry.
  @inline(__always)
  private func predictedText(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, isLast: Bool
  ) -> UnsafePointer<UInt8>? {
    guard let behind = predicted(p, end), behind < end else { return nil }
    guard isLast ? endOfLine(behind, end) != nil : behind[0] == options.delimiter else { return nil }
    // Lines within quotes are counted elsewhere.
    if isCSV, find(0x0A, p, behind) != nil || find(0x0D, p, behind) != nil { return nil }
    return behind
  }

  /// Behind a whole number of up to seven digits in a column that takes it.
  @inline(__always)
  private mutating func shortInteger(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ column: Int
  ) -> UnsafePointer<UInt8>? {
    guard slots[column].kind == TypeCode.int64, layout.digitsArePlain else { return nil }
    let digits = Word.load(p)
    let others = Word.nonDigits(digits)
    if others == 0 { return nil }
    let count = Word.index(others)
    let behind = p + count
    guard count > 0, behind < end, behind[0] == options.delimiter || endOfLine(behind, end) != nil else { return nil }
    put(Word.decimal(digits, count: count), column: column)
    return behind
  }

  /// Reads a field without surprises, and gives the place behind it; nil: it may have some.
  private mutating func plainField(
    _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>, _ column: Int,
    _ stops: CopyStops
  ) -> UnsafePointer<UInt8>? {
    let nullCount = nullText.count
    var behind = p
    var isNull = false
    if isCSV, p[0] == options.quote {
      guard !slots[column].isNullInQuotes, let close = quotedEnd(p + 1, end) else { return nil }
      behind = close + 1
      fields[column] = CopyField(start: p + 1, count: close - p - 1, rawStart: p, rawCount: behind - p)
    } else {
      if !isCSV, p[0] == 0x5C {
        // NULL, as it is spelled if nobody says otherwise.
        guard nullCount > 0, end - p > nullCount, equalBytes(nullText.base, p, nullCount) else { return nil }
        behind = p + nullCount
        isNull = true
      } else {
        guard let found = stops.first(p, readable) else { return nil }
        behind = found
        isNull = behind - p == nullCount && equalBytes(nullText.base, p, nullCount)
      }
      fields[column] = CopyField(start: p, count: behind - p, rawStart: p, rawCount: behind - p)
    }
    guard behind < end, behind[0] == options.delimiter || endOfLine(behind, end) != nil else { return nil }
    if isNull {
      if slots[column].isNeverNull || slots[column].kind == CopyKind.time { return nil }
      putNull(column: column)
    } else if !putText(column: column) {
      failure = nil
      return nil
    }
    return behind
  }

  /// The closing quote, if nothing between is escaped and no line ends there.
  private func quotedEnd(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    guard let close = find(options.quote, p, end) else { return nil }
    if options.escape != options.quote, find(options.escape, p, close) != nil { return nil }
    if find(0x0A, p, close) != nil || find(0x0D, p, close) != nil { return nil }
    return close
  }
}

/// The bytes at which a field may end, each spread over a word.
struct CopyStops {
  private let delimiter: UInt64
  private let special: UInt64

  init(delimiter: UInt8, special: UInt8) {
    self.delimiter = Word.spread(delimiter)
    self.special = Word.spread(special)
  }

  /// nil: there is none in the bytes that may be looked at.
  @inline(__always)
  func first(_ start: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    let newline: UInt64 = 0x0A0A_0A0A_0A0A_0A0A
    let carriageReturn: UInt64 = 0x0D0D_0D0D_0D0D_0D0D
    var p = start
    while readable - p >= 8 {
      let word = Word.load(p)
      let found =
        Word.matches(word, delimiter) | Word.matches(word, special) | Word.matches(word, newline)
        | Word.matches(word, carriageReturn)
      if found != 0 { return p + Word.index(found) }
      p += 8
    }
    return nil
  }
}
