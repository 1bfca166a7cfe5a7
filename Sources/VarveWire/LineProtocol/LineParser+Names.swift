// Names and tags in full: escapes, UTF-8, limits. Only what was not seen before comes here.

import VarveCore

extension LineParser {
  /// A field key up to and with its `=`.
  mutating func scanFieldKey(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> Outcome {
    guard let q = scanToken(start, end, stops: ByteClass.endsKey, final: final) else { return .incomplete }
    if q == start {
      return q == end
        ? fail(q, .syntax, "a field key is missing at the end of the text")
        : fail(q, .syntax, "a field key is missing")
    }
    guard q < end else { return fail(q, .syntax, "'=' is missing after a field key at the end of the text") }
    guard q[0] == 0x3D else { return fail(q, .syntax, "'=' is missing after field key \(excerpt(start, q - start))") }
    cursor = q + 1
    return .row
  }

  /// Finds or makes the column for a key, as it stands on the line with its `=`, and a type.
  mutating func resolveField(
    _ key: UnsafePointer<UInt8>, _ count: Int, type: UInt8, table: Int, previous: Int, slot: inout Int
  ) -> Outcome {
    let hash = hashBytes(key, count, seed: options.hashSeed)
    var found = tables[table].find(spelling: key, count, hash: hash, type: type)
    if found < 0 {
      var name: [UInt8] = []
      let behind = cursor
      let outcome = takeName(key, count - 1, escapable: ByteClass.endsKey, what: "field", into: &name)
      cursor = behind
      if outcome != .row { return outcome }
      found = tables[table].insert(
        name: String(decoding: name, as: UTF8.self), spelling: key, count, hash: hash, type: type)
    }
    if previous < 0 {
      tables[table].firstSlot = Int32(found)
    } else {
      tables[table].slots[previous].next = Int32(found)
    }
    slot = found
    return .row
  }

  /// Measurement and tags from `cursor` to the space that ends them; remembers them as an entry.
  mutating func parseSeries(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool, hash: UInt64, entry: inout Int
  ) -> Outcome {
    if !mayRemember(series.memoryByteCount + tableCount * 1024) { forget() }
    if let known = shapes.read(start, end, classes) {
      entry = series.insert(start, known.byteCount, hash: hash, table: known.table, key: known.key)
      cursor = start + known.byteCount
      return .row
    }
    guard var p = scanToken(start, end, stops: ByteClass.endsMeasurement, final: final) else { return .incomplete }
    let measurementByteCount = p - start
    if p == start {
      return p == end
        ? fail(p, .syntax, "a measurement is missing at the end of the text")
        : fail(p, .syntax, "a measurement cannot begin with \(excerpt(p, 1))")
    }
    var name: [UInt8] = []
    var outcome = takeName(start, p - start, escapable: ByteClass.endsMeasurement, what: "measurement", into: &name)
    if outcome != .row { return outcome }

    var tags: [SpelledTag] = []
    while p < end, p[0] == 0x2C {
      p += 1
      let keyStart = p
      guard let keyEnd = scanToken(p, end, stops: ByteClass.endsKey, final: final) else { return .incomplete }
      if keyEnd == keyStart { return fail(keyStart, .syntax, "a tag key is missing after ','") }
      guard keyEnd < end, keyEnd[0] == 0x3D else {
        return fail(keyEnd, .syntax, "'=' is missing after tag key \(excerpt(keyStart, keyEnd - keyStart))")
      }
      let valueStart = keyEnd + 1
      guard let valueEnd = scanToken(valueStart, end, stops: ByteClass.endsKey, final: final) else {
        return .incomplete
      }
      if valueEnd == valueStart {
        return fail(valueStart, .syntax, "the value of tag \(excerpt(keyStart, keyEnd - keyStart)) is missing")
      }
      var tagName: [UInt8] = []
      outcome = takeName(keyStart, keyEnd - keyStart, escapable: ByteClass.endsKey, what: "tag", into: &tagName)
      if outcome != .row { return outcome }
      var value: [UInt8] = []
      outcome = takeText(valueStart, valueEnd - valueStart, escapable: ByteClass.endsKey, into: &value)
      if outcome != .row { return outcome }
      if value.count > Limits.tagValueByteCount {
        return fail(valueStart, .valueTooLong, "a tag value is at most \(Limits.tagValueByteCount) bytes long")
      }
      if tags.count == Limits.tagsPerSeries {
        return fail(keyStart, .limitExceeded, "a line has at most \(Limits.tagsPerSeries) tags")
      }
      tags.append(
        SpelledTag(name: tagName, value: value, at: keyStart, keyByteCount: valueStart - keyStart))
      p = valueEnd
    }
    guard p < end else { return final ? fail(p, .syntax, "fields are missing at the end of the text") : .incomplete }
    guard p[0] == 0x20 else { return fail(p, .syntax, "a space and fields must follow the measurement and its tags") }

    tags.sort { $0.name.lexicographicallyPrecedes($1.name) }
    var duplicate: UnsafePointer<UInt8>?
    for i in tags.indices.dropFirst() where tags[i].name == tags[i - 1].name {
      let later = max(tags[i].at, tags[i - 1].at)
      duplicate = duplicate.map { min($0, later) } ?? later
    }
    if let duplicate { return fail(duplicate, .duplicateTag, "the line has this tag twice") }
    var key: [UInt8] = []
    key.reserveCapacity(p - start)
    for tag in tags { SeriesKey.append(name: tag.name[...], value: tag.value[...], to: &key) }
    if key.count > Limits.seriesKeyByteCount {
      return fail(start, .limitExceeded, "the tags of a line take at most \(Limits.seriesKeyByteCount) bytes")
    }

    let table = tableNumber(String(decoding: name, as: UTF8.self))
    entry = series.insert(start, p - start, hash: hash, table: table, key: SeriesKey(canonical: key))
    shapes.learn(SeriesShape(table, measurement: UnsafeBufferPointer(start: start, count: measurementByteCount), tags))
    cursor = p
    return .row
  }

  private mutating func tableNumber(_ name: String) -> Int {
    if let known = tableIndex[Name(name)] { return known }
    if tableCount == tableCapacity {
      tableCapacity = max(4, tableCapacity * 2)
      let moved = UnsafeMutablePointer<TableState>.allocate(capacity: tableCapacity)
      moved.moveInitialize(from: tables, count: tableCount)
      tables.deallocate()
      tables = moved
    }
    (tables + tableCount).initialize(to: TableState(name: name))
    tableIndex[Name(name)] = tableCount
    tableCount += 1
    return tableCount - 1
  }

  /// The first byte of class `stops` that is not escaped; `end` if the text is over; nil if more may follow.
  private func scanToken(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, stops: UInt8, final: Bool
  ) -> UnsafePointer<UInt8>? {
    var p = start
    while p < end {
      if p[0] == 0x5C {
        if p + 1 < end, isEscapable(p[1], stops) { p += 1 }
      } else if classes[Int(p[0])] & stops != 0 {
        return p
      }
      p += 1
    }
    return final ? end : nil
  }

  /// What a backslash escapes: the printable bytes that would end the token.
  private func isEscapable(_ byte: UInt8, _ stops: UInt8) -> Bool {
    byte == 0x2C || byte == 0x20 || (byte == 0x3D && stops == ByteClass.endsKey)
  }

  private mutating func takeName(
    _ start: UnsafePointer<UInt8>, _ count: Int, escapable: UInt8, what: StaticString, into name: inout [UInt8]
  ) -> Outcome {
    let outcome = takeText(start, count, escapable: escapable, into: &name)
    if outcome != .row { return outcome }
    let limit = options.nameByteLimit
    if name.count > limit {
      let count = name.count
      return fail(start, .nameTooLong, "a \(what) name is at most \(limit) bytes long, this one has \(count)")
    }
    return .row
  }

  /// Checks and unescapes.
  private mutating func takeText(
    _ start: UnsafePointer<UInt8>, _ count: Int, escapable: UInt8, into text: inout [UInt8]
  ) -> Outcome {
    if let offset = UTF8Validation.firstInvalid(start, count) {
      return fail(start + offset, .invalidUTF8, "a name or tag value is not UTF-8")
    }
    text.reserveCapacity(count)
    var i = 0
    while i < count {
      if start[i] == 0x5C, i + 1 < count, isEscapable(start[i + 1], escapable) { i += 1 }
      text.append(start[i])
      i += 1
    }
    return .row
  }
}
