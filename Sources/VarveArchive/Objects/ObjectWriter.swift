// The rows of a chunk as a Parquet file, as pure bytes: a data page of each column for each row block, so that whoever has
// the places of pages fetches what a row block's column needs and nothing else. FORMAT.md, "Archived objects".
//
//   (begin → append … append → end) … → finish
//
// Rows are packed as they come; in memory are packed pages alone. Used by one thread at a time.

import VarveCore
import VarveFormat

package final class ObjectWriter {
  /// A row group ends with the row block that brings it to so many rows. Engines hand row groups to threads and like
  /// 100,000 rows and more; what a row block's read needs are the places of its pages, which the row group does not
  /// change, and the dictionary, which grows with it.
  static let rowGroupRowCount = 131_072
  /// Or to so many bytes of packed pages: a reader holds a row group.
  static let rowGroupByteCount = 64 << 20
  /// Numbers are packed to symbols beforehand: higher levels search for matches that are not there.
  static let compressionLevel: Int32 = 1

  private struct RowBlock {
    var rowCount: Int
    var group: Int
    var page: Int
    var hasTimeRemainder: Bool
    /// Place in the schema, by id, and whether it has remainders.
    var fields: [(place: Int, hasRemainder: Bool)] = []
  }

  private let schema: ObjectSchema
  private let keyValues: [(key: String, value: String)]
  private let tagCells: (ColumnID, SeriesID) throws -> String?

  private var time: FieldPages
  private var timeRemainder: FieldPages
  private var tags: [TagPages]
  private var fields: [FieldPages]
  /// Of fields that are times.
  private var remainders: [FieldPages?]

  private var rowBlocks: [RowBlock] = []
  private var open: RowBlock?
  /// Fields of the row block at hand that were given, by place.
  private var given = 0
  private var groups: [ParquetRowGroup] = []
  private var group = ParquetRowGroup()
  private var order = RowOrder()

  /// `tagCells` gives a series' text of a tag, nil if it has none; what it throws comes out of `begin`. `keyValues` are
  /// the file's own metadata, beside `varve.columns`.
  package init(
    _ schema: ObjectSchema, keyValues: [(key: String, value: String)],
    tagCells: @escaping (_ column: ColumnID, _ series: SeriesID) throws -> String?
  ) {
    self.schema = schema
    self.keyValues = keyValues
    self.tagCells = tagCells
    let layout = ObjectLayout(schema)
    time = FieldPages(layout.time, mayHaveDictionary: false)
    timeRemainder = FieldPages(layout.timeRemainder, mayHaveDictionary: false)
    tags = layout.tags.map { TagPages($0) }
    fields = layout.fields.map { FieldPages($0) }
    remainders = layout.remainders.map { $0.map { FieldPages($0) } }
  }

  /// Bytes of all pages that are packed, with an estimate of dictionaries that are not written yet; the indexes and the
  /// footer come on top.
  package var byteCount: Int {
    var total = time.byteCount + timeRemainder.byteCount
    for tag in tags { total += tag.pages.byteCount }
    for field in fields { total += field.byteCount }
    for remainder in remainders { total += remainder?.byteCount ?? 0 }
    return total
  }

  /// The rows that come next: series ascending, their rows by time, behind all rows before.
  package func begin(runs: [SeriesRun], times: Buffer<Int64>) throws {
    precondition(open == nil, "a row block ends before the next begins")
    let rowCount = times.count
    precondition(
      rowCount > 0 && rowCount <= Limits.rowBlockRowCount && runs.reduce(0) { $0 + $1.count } == rowCount,
      "a row block has rows, and says whose")
    var cells: [[(value: String?, count: Int)]] = schema.tags.map { _ in [] }
    for run in runs {
      var values: [String?] = []
      for (place, tag) in schema.tags.enumerated() {
        let value = try tagCells(tag.id, run.series)
        cells[place].append((value, run.count))
        values.append(value)
      }
      order.add(run.series, values)
    }
    for place in tags.indices { tags[place].append(cells[place], level: Self.compressionLevel) }
    var block = RowBlock(rowCount: rowCount, group: groups.count, page: time.pages.openCount, hasTimeRemainder: false)
    times.base.withMemoryRebound(to: UInt64.self, capacity: rowCount) {
      block.hasTimeRemainder = Self.append(
        times: UnsafeBufferPointer(start: $0, count: rowCount), levels: [], rowCount, to: &time, &timeRemainder)
    }
    group.rowCount += rowCount
    open = block
    given = 0
  }

  /// A column of the row block at hand; by id.
  package func append(_ id: ColumnID, _ column: FieldColumn) {
    guard let rowCount = open?.rowCount else { preconditionFailure("a column belongs to a row block that has begun") }
    precondition(column.count == rowCount, "a column has a word a row")
    while given < fields.count, schema.fields[given].id < id { appendAbsent() }
    precondition(given < fields.count && schema.fields[given].id == id, "columns of the schema come by id")
    precondition(schema.fields[given].type == column.type, "a column has the type that the schema says")
    guard let states = column.states?.span, states.contains(where: { $0 != CellState.value.rawValue }) else {
      return append(column.words.span, column.text, levels: RunEncoding.levels(rowCount: rowCount, arePresent: true))
    }
    guard states.contains(where: { $0 != CellState.absent.rawValue }) else { return appendAbsent() }
    let values = Buffer<UInt64>(capacity: rowCount)
    let (words, kept) = (column.words.base, values.base)
    var count = 0
    for row in 0..<rowCount {
      kept[count] = words[row]
      count &+= states[row] == CellState.value.rawValue ? 1 : 0
    }
    values.count = count
    append(values.span, column.text, levels: RunEncoding.levels(states))
  }

  /// Ends the row block: columns that were not given are absent.
  package func end() {
    while given < fields.count { appendAbsent() }
    guard let block = open else { preconditionFailure("a row block ends that has begun") }
    rowBlocks.append(block)
    open = nil
    if group.rowCount >= Self.rowGroupRowCount || byteCount - endedByteCount >= Self.rowGroupByteCount { endRowGroup() }
  }

  // MARK: Row blocks

  private func appendAbsent() {
    guard let rowCount = open?.rowCount else { preconditionFailure("a column belongs to a row block that has begun") }
    let levels = RunEncoding.levels(rowCount: rowCount, arePresent: false)
    let nothing = UnsafeBufferPointer<UInt64>(start: nil, count: 0)
    fields[given].append(nothing, levels: levels, rowCount: rowCount, level: Self.compressionLevel)
    remainders[given]?.append(nothing, levels: levels, rowCount: rowCount, level: Self.compressionLevel)
    given += 1
  }

  private func append(_ words: UnsafeBufferPointer<UInt64>, _ bytes: Buffer<UInt8>?, levels: [UInt8]) {
    guard let rowCount = open?.rowCount else { preconditionFailure("a column belongs to a row block that has begun") }
    var hasRemainder = false
    if var remainder = remainders[given] {
      remainders[given] = nil
      hasRemainder = Self.append(times: words, levels: levels, rowCount, to: &fields[given], &remainder)
      remainders[given] = remainder
    } else {
      fields[given].append(
        words, bytes: bytes, levels: levels, rowCount: rowCount, level: Self.compressionLevel)
    }
    open?.fields.append((given, hasRemainder))
    given += 1
  }

  /// Answers whether the microseconds leave something.
  private static func append(
    times: UnsafeBufferPointer<UInt64>, levels: [UInt8], _ rowCount: Int, to pages: inout FieldPages,
    _ remainder: inout FieldPages
  ) -> Bool {
    let (whole, rest) = (Buffer<UInt64>(capacity: times.count), Buffer<UInt64>(capacity: times.count))
    (whole.count, rest.count) = (times.count, times.count)
    let hasRemainder =
      times.baseAddress.map {
        ParquetTimes.split($0, times.count, microseconds: whole.base, remainders: rest.base)
      } ?? false
    pages.append(whole.span, levels: levels, rowCount: rowCount, level: compressionLevel)
    remainder.append(rest.span, levels: levels, rowCount: rowCount, level: compressionLevel)
    remainder.hasNonZero = remainder.hasNonZero || hasRemainder
    return hasRemainder
  }

  // MARK: Row groups

  /// Bytes of row groups that ended.
  private var endedByteCount = 0

  private func endRowGroup() {
    guard group.rowCount > 0 else { return }
    time.endRowGroup()
    timeRemainder.endRowGroup()
    for place in tags.indices { tags[place].endRowGroup() }
    for place in fields.indices {
      fields[place].endRowGroup()
      remainders[place]?.endRowGroup()
    }
    endedByteCount = byteCount
    if order.isByTags {
      group.sorting =
        tags.indices.map { ParquetSorting(column: $0 + 1, areNullsFirst: true) } + [ParquetSorting(column: 0)]
    }
    groups.append(group)
    group = ParquetRowGroup()
    order = RowOrder()
  }

  /// The file, and where the pages of each row block stand in it. Nothing follows.
  package func finish() -> (bytes: [UInt8], rowBlocks: [ObjectRowBlock]) {
    precondition(open == nil, "a row block ends before the file does")
    endRowGroup()
    var file = ObjectAssembly(rowGroups: groups, byteCount: byteCount)
    file.add(time.pages, "time", as: .time)
    for (place, tag) in tags.enumerated() { file.add(tag.pages, "tag:\(schema.tags[place].id.rawValue)", as: nil) }
    for (place, field) in fields.enumerated() {
      file.add(field.pages, "field:\(schema.fields[place].id.rawValue)", as: .field(place))
    }
    if timeRemainder.hasNonZero { file.add(timeRemainder.pages, "nanos", as: .timeRemainder) }
    for (place, remainder) in remainders.enumerated() {
      guard let remainder, remainder.hasNonZero else { continue }
      file.add(remainder.pages, "nanos:\(schema.fields[place].id.rawValue)", as: .remainder(place))
    }
    let placed = file.finish(keyValues: keyValues)
    let blocks = rowBlocks.map { block in
      func page(_ part: ObjectPart, _ rest: ObjectPart, _ hasRemainder: Bool) -> ObjectPage {
        let places = ([part] + (hasRemainder ? [rest] : [])).map { placed.place(of: $0, block.group, block.page) }
        return ObjectPage(pieces: places.map(\.page), dictionaries: places.map(\.dictionary))
      }
      return ObjectRowBlock(
        times: page(.time, .timeRemainder, block.hasTimeRemainder),
        fields: block.fields.map {
          (schema.fields[$0.place].id, page(.field($0.place), .remainder($0.place), $0.hasRemainder))
        })
    }
    return (placed.bytes, blocks)
  }
}

/// Whether rows of a row group come in order of their tags' texts, those without one first, and then of their times.
private struct RowOrder {
  private(set) var isByTags = true
  private var last: (series: SeriesID, values: [String?])?

  mutating func add(_ series: SeriesID, _ values: [String?]) {
    defer { last = (series, values) }
    guard isByTags, let last, last.series != series else { return }
    isByTags = Self.precedes(last.values, values)
  }

  private static func precedes(_ a: [String?], _ b: [String?]) -> Bool {
    for (x, y) in zip(a, b) {
      guard let y else {
        if x != nil { return false }
        continue
      }
      guard let x else { return true }
      if x.utf8.elementsEqual(y.utf8) { continue }
      return x.utf8.lexicographicallyPrecedes(y.utf8)
    }
    return false
  }
}
