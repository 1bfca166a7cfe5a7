// The batch that CSV records are gathered into.

import VarveCore

final class CSVBatchBuilder {
  private struct Column {
    var words = Buffer<UInt64>()
    var text: Buffer<UInt8>?
    var states: Buffer<UInt8>?
  }

  private let options: CSVOptions
  private let header: CSVReader.Header
  private let types: [FieldType]
  private let tagNames: [[UInt8]]
  private var series = SeriesDictionary()
  private var key: [UInt8] = []
  private var keysOfBatch: [SeriesKey] = []
  private var batchNumber: UInt64 = 1
  private var times = Buffer<Int64>()
  private var rowSeries = Buffer<UInt32>()
  private var lines = Buffer<UInt32>()
  private var columns: [Column] = []
  private var words: [UInt64?] = []
  private var textByteCount = 0
  private var lineBase = 0
  private var mustFlush = false

  init(options: CSVOptions, header: CSVReader.Header, types: [FieldType]) {
    precondition(types.count == header.fields.count, "each field has a type")
    self.options = options
    self.header = header
    self.types = types
    tagNames = header.tags.map { Array(header.names[$0].utf8) }
    begin()
  }

  private func begin() {
    times = Buffer()
    rowSeries = Buffer()
    lines = Buffer()
    columns = types.map { Column(text: $0 == .text ? Buffer() : nil) }
    keysOfBatch = []
    batchNumber += 1
    textByteCount = 0
    mustFlush = false
    if series.memoryByteCount > 64 * 1024 * 1024 { series = SeriesDictionary() }
  }

  var isFull: Bool {
    times.count >= options.batchRowLimit || textByteCount >= options.batchTextByteLimit
      || times.count * columns.count >= 4 * 1024 * 1024 || mustFlush
  }

  func take() -> SourceBatch? {
    guard times.count > 0 else { return nil }
    let fields = zip(header.fields, zip(types, columns)).compactMap { index, content -> PointBatch.Field? in
      let (type, column) = content
      if let states = column.states, !states.span.contains(CellState.value.rawValue) { return nil }
      return PointBatch.Field(
        name: header.names[index],
        column: FieldColumn(type: type, words: column.words, text: column.text, states: column.states))
    }
    let batch = SourceBatch(
      points: PointBatch(
        table: options.table, series: keysOfBatch, rowSeries: rowSeries, times: times, fields: fields, lines: lines),
      lineBase: lineBase)
    begin()
    return batch
  }

  /// Why the record was not taken; nil if it was.
  func add(_ record: CSVRecord) -> Rejection? {
    record.bytes.withUnsafeBufferPointer { bytes in
      // A record of empty fields only has no bytes, and nothing reads any of them.
      let empty: [UInt8] = [0]
      return empty.withUnsafeBufferPointer { add(record, bytes.baseAddress ?? $0.baseAddress!) }
    }
  }

  private func add(_ record: CSVRecord, _ bytes: UnsafePointer<UInt8>) -> Rejection? {
    func rejection(_ field: CSVField, _ code: VarveError.Code, _ message: String) -> Rejection {
      Rejection(line: record.line, column: field.column, code: code, message: message)
    }
    let timeField = record.fields[header.time]
    guard let time = parseTime(bytes + timeField.start, timeField.end - timeField.start) else {
      return rejection(
        timeField, .invalidTimestamp,
        "\(excerpt(bytes + timeField.start, timeField.end - timeField.start)) is not a time")
    }
    if time > options.latestTime {
      return rejection(timeField, .timestampInFuture, "the time lies too far in the future (--max-future)")
    }

    key.removeAll(keepingCapacity: true)
    for (name, index) in zip(tagNames, header.tags) {
      let field = record.fields[index]
      guard field.end > field.start else { continue }
      if field.end - field.start > Limits.tagValueByteCount {
        return rejection(field, .valueTooLong, "a tag value is at most \(Limits.tagValueByteCount) bytes long")
      }
      if UTF8Validation.firstInvalid(bytes + field.start, field.end - field.start) != nil {
        return rejection(field, .invalidUTF8, "the value is not UTF-8")
      }
      SeriesKey.append(name: name[...], value: record.bytes[field.start..<field.end], to: &key)
    }
    if key.count > Limits.seriesKeyByteCount {
      return rejection(timeField, .limitExceeded, "the tags of a row take at most \(Limits.seriesKeyByteCount) bytes")
    }

    // All values are read before any is kept.
    words.removeAll(keepingCapacity: true)
    for (index, type) in zip(header.fields, types) {
      let field = record.fields[index]
      let count = field.end - field.start
      guard count > 0 || (field.isQuoted && type == .text) else {
        words.append(nil)
        continue
      }
      if type == .text {
        if count > Limits.textValueByteCount {
          return rejection(field, .valueTooLong, "a text is at most \(Limits.textValueByteCount) bytes long")
        }
        if UTF8Validation.firstInvalid(bytes + field.start, count) != nil {
          return rejection(field, .invalidUTF8, "the value is not UTF-8")
        }
        words.append(0)
      } else if let word = CSVValue.word(bytes + field.start, count, type) {
        words.append(word)
      } else {
        return rejection(
          field, .typeConflict,
          "\(excerpt(bytes + field.start, count)) is not of type \(type.sqlName), as '\(header.names[index])' was so far"
        )
      }
    }

    if times.count == 0 { lineBase = record.line & ~((1 << 30) - 1) }
    times.append(time)
    rowSeries.append(seriesIndex())
    lines.append(UInt32(truncatingIfNeeded: record.line - lineBase))
    if record.line - lineBase >= 1 << 31 { mustFlush = true }
    for column in columns.indices { append(words[column], to: column, record, bytes) }
    return nil
  }

  private func append(_ word: UInt64?, to column: Int, _ record: CSVRecord, _ bytes: UnsafePointer<UInt8>) {
    guard let word else {
      if columns[column].states == nil {
        columns[column].states = Buffer(repeating: CellState.value.rawValue, count: columns[column].words.count)
      }
      columns[column].states?.append(CellState.absent.rawValue)
      columns[column].words.append(0)
      return
    }
    columns[column].states?.append(CellState.value.rawValue)
    guard let text = columns[column].text else {
      columns[column].words.append(word)
      return
    }
    let field = record.fields[header.fields[column]]
    let offset = text.count
    text.append(UnsafeBufferPointer(start: bytes + field.start, count: field.end - field.start))
    textByteCount += field.end - field.start
    columns[column].words.append(TextRef(offset: offset, length: field.end - field.start).word)
  }

  private func seriesIndex() -> UInt32 {
    key.withUnsafeBufferPointer { bytes in
      let none: [UInt8] = [0]
      return none.withUnsafeBufferPointer { seriesIndex(bytes.baseAddress ?? $0.baseAddress!, bytes.count) }
    }
  }

  private func seriesIndex(_ text: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
    let hash = hashBytes(text, count, seed: options.hashSeed)
    var entry = series.find(text, count, hash: hash)
    if entry < 0 {
      entry = series.insert(text, count, hash: hash, table: 0, key: SeriesKey(canonical: key))
    }
    if series.entries[entry].batchNumber != batchNumber {
      series.entries[entry].batchNumber = batchNumber
      series.entries[entry].placeInBatch = UInt32(keysOfBatch.count)
      keysOfBatch.append(series.keys[entry])
    }
    return series.entries[entry].placeInBatch
  }

  private func parseTime(_ p: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
    if case .success(let value) = Number.signed(p, count) {
      let (time, overflow) = value.multipliedReportingOverflow(by: options.precision.nanoseconds)
      return overflow ? nil : time
    }
    return parseTimeText(p, count)
  }
}
