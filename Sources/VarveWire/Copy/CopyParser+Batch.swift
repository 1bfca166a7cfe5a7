// The batch that rows are gathered in, straight into the columns that the store will keep.
//
// Words of a row are written as its fields are read, at row `rows`, and count only once `endRow` has counted the row.
// Texts are copied into their columns by `endRow`: a row that turned out incomplete has left nothing to be taken back.

import VarveCore

/// What a column of the COPY is: `TypeCode`'s types of fields, and these.
enum CopyKind {
  static let time: UInt8 = 0
  static let tag: UInt8 = 255
  static let value: UInt8 = 254
}

/// The hot part of a column. Trivial: it lives in raw memory, and its buffers are kept alive by `CopyStorage`.
struct CopySlot {
  let kind: UInt8
  let isNeverNull: Bool
  let isNullInQuotes: Bool
  /// Of fields only.
  var words: UnsafeMutablePointer<UInt64>?
  /// nil: no row of the batch had a NULL here.
  var states: UnsafeMutablePointer<UInt8>?

  init(_ column: CopyColumn) {
    switch column.role {
    case .time: kind = CopyKind.time
    case .tag: kind = CopyKind.tag
    case .field(let type): kind = type.rawValue
    case .value: kind = CopyKind.value
    }
    isNeverNull = column.isNeverNull
    isNullInQuotes = column.isNullInQuotes
  }
}

extension CopySlot {
  static func allocate(_ columns: [CopyColumn]) -> UnsafeMutablePointer<CopySlot> {
    let slots = UnsafeMutablePointer<CopySlot>.allocate(capacity: columns.count)
    for (index, column) in columns.enumerated() { (slots + index).initialize(to: CopySlot(column)) }
    return slots
  }
}

struct CopyStorage {
  var words: Buffer<UInt64>?
  var text: Buffer<UInt8>?
  var states: Buffer<UInt8>?
}

extension CopyParser {
  var batchByteCount: Int { capacity * (12 + 8 * columnCount) + textByteCount }

  /// Called when the batch has no room for another row.
  mutating func makeRoom() {
    if capacity == 0 {
      batchNumber += 1
      reserve(min(layout.rowLimit, max(16, lastBatchRowCount)))
    } else {
      reserve(min(layout.rowLimit, capacity * 2))
    }
  }

  private mutating func reserve(_ newCapacity: Int) {
    capacity = newCapacity
    timesBuffer.count = rows
    timesBuffer.reserve(newCapacity - rows)
    times = timesBuffer.base
    rowSeriesBuffer.count = rows
    rowSeriesBuffer.reserve(newCapacity - rows)
    rowSeries = rowSeriesBuffer.base
    for (index, column) in options.columns.enumerated() {
      guard case .field(let type) = column.role else { continue }
      let words = storage[index].words ?? Buffer<UInt64>()
      words.count = rows
      words.reserve(newCapacity - rows)
      storage[index].words = words
      slots[index].words = words.base
      if type == .text, storage[index].text == nil { storage[index].text = Buffer() }
      if let states = storage[index].states {
        states.count = rows
        states.reserve(newCapacity - rows)
        slots[index].states = states.base
      }
    }
  }

  /// Makes a batch of the rows there are.
  mutating func handOver() {
    guard rows > 0 else { return }
    var columns: [PointBatch.Field] = []
    for (index, column) in options.columns.enumerated() {
      guard case .field(let type) = column.role, let words = storage[index].words else { continue }
      words.count = rows
      storage[index].states?.count = rows
      columns.append(
        PointBatch.Field(
          name: column.name,
          column: FieldColumn(type: type, words: words, text: storage[index].text, states: storage[index].states)))
      storage[index] = CopyStorage()
      slots[index].words = nil
      slots[index].states = nil
    }
    timesBuffer.count = rows
    rowSeriesBuffer.count = rows
    batches.append(
      CopyBatch(
        points: PointBatch(
          table: options.table, series: seriesOfBatch, rowSeries: rowSeriesBuffer, times: timesBuffer, fields: columns,
          memo: (memo, seriesNumbers)),
        firstRow: rowCount - rows + 1))
    lastBatchRowCount = rows
    rows = 0
    capacity = 0
    textByteCount = 0
    seriesOfBatch = []
    seriesNumbers = []
    timesBuffer = Buffer()
    rowSeriesBuffer = Buffer()
    if !mayRemember(series.memoryByteCount) { forgetSeries() }
  }

  // MARK: cells of the current row

  @inline(__always)
  mutating func put(_ word: UInt64, column: Int) {
    let slot = slots + column
    slot.pointee.words.unsafelyUnwrapped[rows] = word
    if let states = slot.pointee.states { states[rows] = CellState.value.rawValue }
  }

  /// The time may be NULL until the row is read to its end.
  mutating func putNull(column: Int) {
    fields[column].count = -1
    switch slots[column].kind {
    case CopyKind.tag: break
    case CopyKind.time: isTimeNull = true
    default:
      slots[column].words.unsafelyUnwrapped[rows] = 0
      if slots[column].states == nil {
        let states = Buffer<UInt8>(capacity: capacity)
        states.append(repeating: CellState.value.rawValue, count: rows)
        storage[column].states = states
        slots[column].states = states.base
      }
      slots[column].states.unsafelyUnwrapped[rows] = CellState.null.rawValue
    }
  }

  var nullTime: VarveError {
    VarveError(
      .syntax, "null value in column \"time\" of relation \"\(options.table)\" violates not-null constraint",
      sqlState: "23502")
  }

  /// All fields are read, and the series is `entry`.
  @inline(__always)
  mutating func endRow(_ entry: Int32) -> Outcome {
    if !layout.textColumns.isEmpty, !putTexts() { return .failed }
    lastEntry = entry
    let seriesEntry = series.entries + Int(entry)
    predictedEntry = seriesEntry.pointee.next
    if seriesEntry.pointee.batchNumber != batchNumber { beginSeries(entry) }
    times[rows] = time
    rowSeries[rows] = seriesEntry.pointee.placeInBatch
    rows &+= 1
    rowCount &+= 1
    if rows >= layout.rowLimit || textByteCount >= options.batchTextByteLimit { handOver() }
    return .row
  }

  private mutating func beginSeries(_ entry: Int32) {
    let seriesEntry = series.entries + Int(entry)
    seriesEntry.pointee.batchNumber = batchNumber
    seriesEntry.pointee.placeInBatch = UInt32(seriesOfBatch.count)
    seriesOfBatch.append(series.keys[Int(entry)])
    seriesNumbers.append(UInt32(entry))
  }

  private mutating func putTexts() -> Bool {
    for column in layout.textColumns {
      let field = fields[column]
      guard field.count >= 0, let text = storage[column].text else { continue }
      guard isText(field, column: column, byteLimit: Limits.textValueByteCount) else { return false }
      put(TextRef(offset: text.count, length: field.count).word, column: column)
      text.append(UnsafeBufferPointer(start: field.start, count: field.count))
      textByteCount &+= field.count
    }
    return true
  }

  /// Whether the bytes are text as PostgreSQL has it, and not too long.
  mutating func isText(_ field: CopyField, column: Int, byteLimit: Int) -> Bool {
    if field.count > byteLimit {
      fail(
        "22001",
        "value too long for column \"\(options.columns[column].name)\": \(field.count) bytes, at most \(byteLimit)")
      return false
    }
    if let problem = invalidText(field.start, field.count) {
      // Text in lines was looked at before it was taken apart.
      fail(problem, column: options.format == .binary ? column : nil)
      return false
    }
    return true
  }

  mutating func isValid(_ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    guard let problem = invalidText(start, count) else { return true }
    fail(problem)
    return false
  }

  /// nil: it is UTF-8 without zero bytes.
  func invalidText(_ start: UnsafePointer<UInt8>, _ count: Int) -> VarveError? {
    let invalid = UTF8Validation.firstInvalid(start, count)
    guard let place = find(0, start, start + (invalid ?? count)).map({ $0 - start }) ?? invalid else { return nil }
    let shown = (place..<min(count, place + 3)).map { index in
      "0x" + (start[index] < 16 ? "0" : "") + String(start[index], radix: 16)
    }
    // A zero byte is wrong by itself; of others, those that the first one announced are shown.
    let length =
      start[place] < 0x80 ? 1 : start[place] >= 0xF0 ? 4 : start[place] >= 0xE0 ? 3 : start[place] >= 0xC0 ? 2 : 1
    return VarveError(
      .invalidUTF8, "invalid byte sequence for encoding \"UTF8\": \(shown.prefix(length).joined(separator: " "))",
      sqlState: "22021")
  }
}
