// One line: measurement[,tag=value…] field=value[,…] [stamp]
//
// What lines of one sender repeat is predicted and compared: the series by the one that followed last time, each
// field's key by the one that followed last time, the stamp by the one of the line before. What was not predicted
// is looked up by hash; what is not known is parsed in full. The three ways give the same result for the same bytes.

import CVarve
import VarveCore

/// The text of the last time stamp with the line break that ended it, to be compared as three words.
struct StampCache {
  var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
  var masks: (UInt64, UInt64, UInt64) = (0, 0, 0)
  /// With the line break; 0 when there is none.
  var byteCount = 0
  var time: Int64 = 0

  mutating func set(_ text: UnsafePointer<UInt8>, _ count: Int, time: Int64) {
    guard count <= 24 else { return }
    var bytes: (UInt64, UInt64, UInt64) = (0, 0, 0)
    var maskBytes: (UInt64, UInt64, UInt64) = (0, 0, 0)
    for i in 0..<count {
      let shift = UInt64(8 * (i & 7))
      switch i >> 3 {
      case 0:
        bytes.0 |= UInt64(text[i]) << shift
        maskBytes.0 |= 0xFF << shift
      case 1:
        bytes.1 |= UInt64(text[i]) << shift
        maskBytes.1 |= 0xFF << shift
      default:
        bytes.2 |= UInt64(text[i]) << shift
        maskBytes.2 |= 0xFF << shift
      }
    }
    words = bytes
    masks = maskBytes
    byteCount = count
    self.time = time
  }

  /// Whether the 24 bytes at `p` begin with the text.
  @inline(__always)
  func matches(_ p: UnsafePointer<UInt8>) -> Bool {
    ((Word.load(p) & masks.0) ^ words.0) | ((Word.load(p + 8) & masks.1) ^ words.1)
      | ((Word.load(p + 16) & masks.2) ^ words.2) == 0
  }
}

extension LineParser {
  mutating func parseLine(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool
  ) -> Outcome {
    var p = start
    while p < end, p[0] == 0x20 { p += 1 }
    guard p < end else {
      cursor = end
      return final ? .nothing : .incomplete
    }
    if p[0] <= 0x23 {
      if let outcome = parseLineWithoutRow(start, p, end, final: final) { return outcome }
    }

    // The series
    var entry: Int32 = -1
    if predictedEntry >= 0 {
      let candidate = series.entries + Int(predictedEntry)
      let count = Int(candidate.pointee.byteCount)
      if end - p > count, p[count] == 0x20, cvarve_memcmp(candidate.pointee.text, p, count) == 0 {
        entry = predictedEntry
        p += count
      }
    }
    if entry < 0 {
      let keyEnd = endOfSeriesText(p, end)
      if keyEnd == end, !final { return .incomplete }
      let hash = hashBytes(p, keyEnd - p, seed: options.hashSeed)
      var found = -1
      if keyEnd < end, keyEnd[0] == 0x20 { found = series.find(p, keyEnd - p, hash: hash) }
      if found < 0 {
        cursor = p
        let outcome = parseSeries(p, end, final: final, hash: hash, entry: &found)
        if outcome != .row { return outcome }
        p = cursor
      } else {
        p = keyEnd
      }
      entry = Int32(truncatingIfNeeded: found)
      if lastEntry >= 0 { series.entries[Int(lastEntry)].next = entry }
    }
    lastEntry = entry
    predictedEntry = series.entries[Int(entry)].next
    while p < end, p[0] == 0x20 { p += 1 }

    // The row
    let tableNumber = Int(series.entries[Int(entry)].table)
    let table = tables + tableNumber
    currentTable = tableNumber
    if table.pointee.rows == table.pointee.capacity || line &- table.pointee.lineBase > Int(UInt32.max) {
      makeRoom(tableNumber)
    }
    stringLineBreaks = 0

    // The fields
    var previous = -1
    var fieldCount = 0
    while true {
      fieldCount &+= 1
      let keyStart = p
      if fieldCount > Limits.columnsPerTable {
        return fail(keyStart, .limitExceeded, "a line has at most \(Limits.columnsPerTable) fields")
      }
      var slot = previous < 0 ? Int(table.pointee.firstSlot) : Int(table.pointee.slots[previous].next)
      if slot >= 0, matchesSpelling(table.pointee.slots + slot, p, end) {
        p += Int(table.pointee.slots[slot].spellingByteCount)
      } else {
        slot = -1
        let outcome = scanFieldKey(p, end, final: final)
        if outcome != .row { return outcome }
        p = cursor
      }
      if slot >= 0, end - p >= 16, table.pointee.slots[slot].type == TypeCode.int64 {
        // A short integer of the type the column has, followed by another field: no choice to make.
        let digits = Word.load(p)
        let others = Word.nonDigits(digits)
        if others != 0 {
          let count = Word.index(others)
          if count > 0, p[count] == 0x69, p[count &+ 1] == 0x2C {
            table.pointee.store(Word.decimal(digits, count: count), slot: slot, column: keyStart - start + 1)
            previous = slot
            p += count &+ 2
            continue
          }
        }
      }
      let keyByteCount = p - keyStart
      guard p < end else {
        return final ? fail(p, .syntax, "a field value is missing at the end of the text") : .incomplete
      }

      var word: UInt64 = 0
      var type = TypeCode.int64
      let first = p[0]
      if first &- 0x30 < 10 || first == 0x2D || first == 0x2E {
        let short =
          end - p >= 32 ? shortNumber(p, powers: powersOfTen) : ShortNumber(end: nil, type: 0, word: 0)
        if let behind = short.end {
          word = short.word
          type = short.type
          p = behind
        } else {
          let outcome = parseNumber(p, end, final: final, type: &type, word: &word)
          if outcome != .row { return outcome }
          p = cursor
        }
      } else if first == 0x22 {
        let outcome = scanString(p, end, final: final, escaped: &word)
        if outcome != .row { return outcome }
        type = TypeCode.text
      } else {
        let outcome = parseBoolean(p, end, final: final, word: &word)
        if outcome != .row { return outcome }
        type = TypeCode.bool
        p = cursor
      }

      if slot < 0 || table.pointee.slots[slot].type != type {
        let outcome = resolveField(
          keyStart, keyByteCount, type: type, table: tableNumber, previous: previous, slot: &slot)
        if outcome != .row { return outcome }
      }
      if type == TypeCode.text {
        table.pointee.storeText(
          p + 1, cursor - 1 - (p + 1), escaped: word != 0, slot: slot, column: keyStart - start + 1)
        p = cursor
      } else {
        table.pointee.store(word, slot: slot, column: keyStart - start + 1)
      }
      previous = slot

      guard p < end else {
        if final { break }
        return .incomplete
      }
      if p[0] == 0x2C {
        p += 1
        continue
      }
      if classes[Int(p[0])] & ByteClass.endsValue == 0 {
        return fail(p, .syntax, "a comma, a space or the line's end must follow a field value")
      }
      break
    }

    // The stamp
    while p < end, p[0] == 0x20 { p += 1 }
    var time = defaultTime
    if end - p >= 24, stamp.byteCount > 0, stamp.matches(p) {
      time = stamp.time
      if time > latestTime { return failInFuture(p) }
      cursor = p + stamp.byteCount
    } else {
      let outcome = parseStamp(p, end, final: final, time: &time)
      if outcome != .row { return outcome }
    }

    // The line is good.
    let seriesEntry = series.entries + Int(entry)
    if seriesEntry.pointee.batchNumber != table.pointee.batchNumber {
      seriesEntry.pointee.batchNumber = table.pointee.batchNumber
      seriesEntry.pointee.placeInBatch = UInt32(table.pointee.series.count)
      table.pointee.series.append(series.keys[Int(entry)])
      table.pointee.seriesNumbers.append(UInt32(entry))
    }
    let row = table.pointee.rows
    table.pointee.times[row] = time
    table.pointee.rowSeries[row] = seriesEntry.pointee.placeInBatch
    table.pointee.lines[row] = UInt32(truncatingIfNeeded: line &- table.pointee.lineBase)
    table.pointee.commit()
    if row &+ 1 >= table.pointee.rowLimit || table.pointee.textByteCount >= options.batchTextByteLimit {
      hand(over: tableNumber)
    }
    return .row
  }

  /// A blank line or a comment; nil if it is neither.
  private mutating func parseLineWithoutRow(
    _ start: UnsafePointer<UInt8>, _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool
  ) -> Outcome? {
    switch p[0] {
    case 0x0A:
      cursor = p + 1
      return .nothing
    case 0x0D:
      guard p + 1 < end else {
        cursor = end
        return final ? .nothing : .incomplete
      }
      guard p[1] == 0x0A else { return fail(p, .syntax, "a carriage return without a line feed") }
      cursor = p + 2
      return .nothing
    case 0x23:
      if p == start, options.recognizesSync, syncLine(p, end, atEnd: final) { return .sync }
      var q = p
      while q < end, classes[Int(q[0])] & ByteClass.control == 0 { q += 1 }
      guard q < end else {
        cursor = end
        return final ? .nothing : .incomplete
      }
      if q[0] == 0x0A {
        cursor = q + 1
        return .nothing
      }
      if q[0] == 0x0D {
        guard q + 1 < end else {
          cursor = end
          return final ? .nothing : .incomplete
        }
        if q[1] == 0x0A {
          cursor = q + 2
          return .nothing
        }
      }
      return fail(q, .syntax, "a control character in a comment")
    default:
      return nil
    }
  }

  /// Whether a complete line `#sync TOKEN` stands at `p`; sets `syncToken` and `cursor` behind it.
  mutating func syncLine(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, atEnd: Bool = false) -> Bool {
    let prefix: StaticString = "#sync "
    guard end - p > prefix.utf8CodeUnitCount, equalBytes(prefix.utf8Start, p, prefix.utf8CodeUnitCount) else {
      return false
    }
    let token = p + prefix.utf8CodeUnitCount
    var q = token
    while q < end, q - token <= Limits.syncTokenByteCount, isTokenByte(q[0]) { q += 1 }
    let count = q - token
    guard count > 0, count <= Limits.syncTokenByteCount else { return false }
    if q < end, q[0] == 0x0D { q += 1 }
    if q < end {
      guard q[0] == 0x0A else { return false }
      q += 1
    } else if !atEnd {
      return false
    }
    let text = String(decoding: UnsafeBufferPointer(start: token, count: count), as: UTF8.self)
    guard text != "end" else { return false }
    syncToken = text
    cursor = q
    return true
  }

  private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
    default: false
    }
  }

  /// The first unescaped space or control character, which ends measurement and tags; `end` if there is none.
  @inline(__always)
  private func endOfSeriesText(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
    var p = start
    while true {
      if end - p >= 8 {
        let blanks = Word.blanks(Word.load(p))
        if blanks == 0 {
          p += 8
          continue
        }
        p += Word.index(blanks)
      } else {
        while p < end, p[0] > 0x20 { p += 1 }
        if p == end { return end }
      }
      if p[0] == 0x20, p > start, p[-1] == 0x5C {
        p += 1
        continue
      }
      return p
    }
  }

  /// Whether the field key predicted next stands at `p`, `=` included.
  @inline(__always)
  private func matchesSpelling(
    _ slot: UnsafePointer<FieldSlot>, _ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> Bool {
    let count = Int(slot.pointee.spellingByteCount)
    let spelling = UnsafePointer(slot.pointee.spelling)
    guard end - p >= count &+ 8 else { return end - p >= count && equalBytes(spelling, p, count) }
    var i = 0
    while i &+ 8 <= count {
      if Word.load(p + i) != Word.load(spelling + i) { return false }
      i &+= 8
    }
    let left = count &- i
    if left == 0 { return true }
    return (Word.load(p + i) ^ Word.load(spelling + i)) << UInt64(truncatingIfNeeded: 64 &- 8 &* left) == 0
  }

  private mutating func makeRoom(_ index: Int) {
    let table = tables + index
    if table.pointee.capacity > 0, line - table.pointee.lineBase > Int(UInt32.max) { hand(over: index) }
    if table.pointee.capacity > 0 {
      table.pointee.grow()
      return
    }
    if openTables.count >= 1024 { flush() }
    batchNumber += 1
    table.pointee.begin(batchNumber: batchNumber, line: line, rowLimit: options.batchRowLimit)
    if !table.pointee.isListed {
      table.pointee.isListed = true
      openTables.append(index)
    }
  }
}
