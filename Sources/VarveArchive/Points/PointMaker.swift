// One batch of rows: first each row is found good or not, then the good ones are copied.

import VarveCore

struct PointMaker {
  private let layout: PointLayout
  private let vectors: [ParquetVector]
  private let firstRow: Int
  private(set) var rejections: [Rejection] = []
  /// 1 where the row stays.
  private let isGood: Buffer<UInt8>

  init(_ layout: PointLayout, _ vectors: [ParquetVector], firstRow: Int) {
    self.layout = layout
    self.vectors = vectors
    self.firstRow = firstRow
    isGood = Buffer(repeating: 1, count: vectors[0].count)
  }

  mutating func batch(table: String) -> PointBatch {
    let times = readTimes()
    let fields = layout.fields.map { ($0, field($0)) }
    for tag in layout.tags { checkText(tag, limit: Limits.tagValueByteCount, "a tag value") }
    let (series, rowSeries) = makeSeries()
    let kept = Buffer<Int>()
    for row in 0..<isGood.count where isGood.base[row] != 0 { kept.append(row) }
    rejections.sort { $0.line < $1.line }
    return PointBatch(
      table: table, series: series, rowSeries: keep(rowSeries, kept), times: keep(times, kept),
      fields: fields.compactMap { column, made in
        // A column without any value makes none.
        if let states = made.states, !states.span.contains(CellState.value.rawValue) { return nil }
        return PointBatch.Field(
          name: column.name,
          column: FieldColumn(
            type: column.type, words: keep(made.words, kept), text: made.text,
            states: made.states.map { keep($0, kept) }
          ))
      },
      lines: lines(kept))
  }

  private func keep<Element>(_ buffer: Buffer<Element>, _ rows: Buffer<Int>) -> Buffer<Element> {
    if rows.count == buffer.count { return buffer }
    let out = Buffer<Element>(capacity: rows.count)
    for index in 0..<rows.count { out.append(buffer.base[rows.base[index]]) }
    return out
  }

  private func lines(_ rows: Buffer<Int>) -> Buffer<UInt32> {
    let out = Buffer<UInt32>(capacity: rows.count)
    for index in 0..<rows.count { out.append(UInt32(rows.base[index] + 1)) }
    return out
  }

  /// The first thing that is wrong with a row is told.
  private mutating func reject(_ row: Int, _ place: Int, _ code: VarveError.Code, _ message: String) {
    guard isGood.base[row] != 0 else { return }
    isGood.base[row] = 0
    rejections.append(Rejection(line: firstRow + row + 1, column: place + 1, code: code, message: message))
  }

  // MARK: Times

  private mutating func readTimes() -> Buffer<Int64> {
    let out = Buffer<Int64>(repeating: 0, count: isGood.count)
    let vector = vectors[layout.time.place]
    for row in 0..<out.count {
      guard vector.isPresent(row) else {
        reject(row, layout.time.place, .invalidTimestamp, "the row has no time: \(layout.time.name) is NULL")
        continue
      }
      guard let time = time(layout.time, row) else {
        reject(row, layout.time.place, .invalidTimestamp, "the time lies beyond the years 1677 to 2262")
        continue
      }
      out.base[row] = time
    }
    return out
  }

  /// Nanoseconds of a time that is there; nil: they do not fit 64 bits.
  private func time(_ column: PointColumn, _ row: Int) -> Int64? {
    let word = Int64(bitPattern: vectors[column.place].words.base[row])
    guard case .scaled(let unit) = column.conversion else { return word }
    let (time, isBeyond) = word.multipliedReportingOverflow(by: unit)
    guard let remainder = column.remainder.map({ vectors[$0] }), remainder.isPresent(row) else {
      return isBeyond ? nil : time
    }
    let (sum, isBeyondToo) = time.addingReportingOverflow(Int64(bitPattern: remainder.words.base[row]))
    return isBeyond || isBeyondToo ? nil : sum
  }

  // MARK: Fields

  private typealias Made = (words: Buffer<UInt64>, text: Buffer<UInt8>?, states: Buffer<UInt8>?)

  private mutating func field(_ column: PointColumn) -> Made {
    let vector = vectors[column.place]
    // Both say 1 where there is a value, and 0 where there is none.
    let states = vector.presence
    switch column.conversion {
    case .none:
      if column.type == .text { checkText(column, limit: Limits.textValueByteCount, "a text") }
      return (vector.words, column.type == .text ? vector.bytes : nil, states)
    case .single:
      return (map(vector) { Double(Float(bitPattern: UInt32(truncatingIfNeeded: $0))).bitPattern }, nil, states)
    case .unsigned32: return (map(vector) { $0 & 0xFFFF_FFFF }, nil, states)
    case .scaled:
      let out = Buffer<UInt64>(repeating: 0, count: vector.count)
      for row in 0..<vector.count where vector.isPresent(row) {
        guard let time = time(column, row) else {
          reject(row, column.place, .invalidTimestamp, "a time of \(column.name) lies beyond the years 1677 to 2262")
          continue
        }
        out.base[row] = UInt64(bitPattern: time)
      }
      return (out, nil, states)
    case .decimal(let scale): return (decimals(column, vector, scale: scale), nil, states)
    case .uuid:
      let (words, text) = Self.uuids(vector)
      return (words, text, states)
    }
  }

  private func map(_ vector: ParquetVector, _ convert: (UInt64) -> UInt64) -> Buffer<UInt64> {
    let out = Buffer<UInt64>(capacity: vector.count)
    for row in 0..<vector.count { out.append(convert(vector.words.base[row])) }
    return out
  }

  private mutating func decimals(_ column: PointColumn, _ vector: ParquetVector, scale: Int) -> Buffer<UInt64> {
    let out = Buffer<UInt64>(repeating: 0, count: vector.count)
    var divisor = 1.0
    // Powers of ten up to 10^22 are exact.
    for _ in 0..<scale { divisor *= 10 }
    for row in 0..<vector.count where vector.isPresent(row) {
      guard let value = Self.integer(vector, row) else {
        reject(row, column.place, .invalidNumber, "a number of \(column.name) has more than 16 bytes")
        continue
      }
      if column.type == .float64 {
        out.base[row] = (Double(value) / divisor).bitPattern
      } else if let whole = UInt64(exactly: value) {
        out.base[row] = whole
      } else {
        reject(row, column.place, .typeConflict, "\(value) of \(column.name) is not within 0 to 2^64 - 1")
      }
    }
    return out
  }

  private static func integer(_ vector: ParquetVector, _ row: Int) -> Int128? {
    guard vector.bytes != nil else { return Int128(Int64(bitPattern: vector.words.base[row])) }
    let bytes = vector.bytes(row)
    guard let first = bytes.first, bytes.count <= 16 else { return bytes.isEmpty ? 0 : nil }
    return bytes.reduce(Int128(Int8(bitPattern: first) >> 7)) { $0 << 8 | Int128($1) }
  }

  private static func uuids(_ vector: ParquetVector) -> (Buffer<UInt64>, Buffer<UInt8>) {
    let digits = Array("0123456789abcdef".utf8)
    let (words, text) = (Buffer<UInt64>(capacity: vector.count), Buffer<UInt8>())
    for row in 0..<vector.count {
      guard vector.isPresent(row) else {
        words.append(0)
        continue
      }
      words.append(TextRef(offset: text.count, length: 36).word)
      for (index, byte) in vector.bytes(row).enumerated() {
        if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
      }
    }
    return (words, text)
  }

  private mutating func checkText(_ column: PointColumn, limit: Int, _ what: String) {
    let vector = vectors[column.place]
    guard vector.bytes != nil, column.conversion == .none else { return }
    var last: UInt64?
    for row in 0..<vector.count where vector.isPresent(row) && vector.words.base[row] != last {
      let text = vector.bytes(row)
      if text.count > limit {
        reject(row, column.place, .valueTooLong, "\(what) is at most \(limit) bytes long")
      } else if !Self.isUTF8(text) {
        reject(row, column.place, .invalidUTF8, "the value of \(column.name) is not UTF-8")
      } else {
        last = vector.words.base[row]
      }
    }
  }

  private static func isUTF8(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    if text.allSatisfy({ $0 < 0x80 }) { return true }
    return String(validating: text, as: UTF8.self) != nil
  }

  // MARK: Series

  private mutating func makeSeries() -> ([SeriesKey], Buffer<UInt32>) {
    var keys: [SeriesKey] = []
    var numbers: [SeriesKey: UInt32] = [:]
    let rowSeries = Buffer<UInt32>(capacity: isGood.count)
    let places = layout.tags.map(\.place)
    /// The rows that first had these words, by a mixture of them.
    var seen: [UInt64: (row: Int, number: UInt32)] = [:]
    for row in 0..<isGood.count {
      guard isGood.base[row] != 0 else {
        rowSeries.append(0)
        continue
      }
      let mixture = mix(row, places)
      if let known = seen[mixture], isSame(row, known.row, places) {
        rowSeries.append(known.number)
        continue
      }
      let key = key(row)
      guard key.bytes.count <= Limits.seriesKeyByteCount else {
        reject(
          row, layout.time.place, .limitExceeded,
          "the tags of a row take at most \(Limits.seriesKeyByteCount) bytes")
        rowSeries.append(0)
        continue
      }
      let number = numbers[key] ?? UInt32(keys.count)
      if Int(number) == keys.count {
        keys.append(key)
        numbers[key] = number
      }
      seen[mixture] = (row, number)
      rowSeries.append(number)
    }
    return (keys, rowSeries)
  }

  private func mix(_ row: Int, _ places: [Int]) -> UInt64 {
    var mixture: UInt64 = 0
    for place in places {
      let word = vectors[place].isPresent(row) ? vectors[place].words.base[row] &+ 1 : 0
      mixture = (mixture ^ word) &* 0x9E37_79B9_7F4A_7C15
      mixture ^= mixture >> 29
    }
    return mixture
  }

  private func isSame(_ a: Int, _ b: Int, _ places: [Int]) -> Bool {
    for place in places {
      let vector = vectors[place]
      guard vector.isPresent(a) == vector.isPresent(b), vector.words.base[a] == vector.words.base[b] else {
        return false
      }
    }
    return true
  }

  private func key(_ row: Int) -> SeriesKey {
    var bytes: [UInt8] = []
    for tag in layout.tags where vectors[tag.place].isPresent(row) {
      let value = tagValue(tag, row)
      // An empty tag is no tag.
      if !value.isEmpty { SeriesKey.append(name: Array(tag.name.utf8)[...], value: value[...], to: &bytes) }
    }
    return SeriesKey(canonical: bytes)
  }

  private func tagValue(_ tag: PointColumn, _ row: Int) -> [UInt8] {
    let vector = vectors[tag.place]
    switch (tag.type, tag.conversion) {
    case (.text, .uuid):
      let one = ParquetVector(words: Buffer([vector.words.base[row]]), bytes: vector.bytes)
      return Self.uuids(one).1.array
    case (.text, _): return Array(vector.bytes(row))
    case (.bool, _): return Array((vector.words.base[row] != 0 ? "true" : "false").utf8)
    default: return Array(String(Int64(bitPattern: vector.words.base[row])).utf8)
    }
  }
}
