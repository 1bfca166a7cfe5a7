// One table's batch while it is built, straight into the columns that the store will keep.
//
// A column is opened by the first value its name and type get within a batch. It covers rows 0 ..< filled; rows
// between are filled in as absent when a later row has a value, or when the batch is handed over. A line that turns
// out bad has written into row `rows` only; `rollBack` takes that back.

import VarveCore

/// The hot part of a column. Trivial: it lives in raw memory, and its buffers are kept alive by `FieldStorage`.
struct FieldSlot {
  /// The key as it stands on lines, with its `=`; at least 8 zero bytes follow.
  var spelling: UnsafeMutablePointer<UInt8>
  var words: UnsafeMutablePointer<UInt64>
  /// Rows covered; -1 while the column is not open in this batch.
  var filled: Int
  var spellingByteCount: Int32
  /// The slot that followed on the line last time; -1 at first.
  var next: Int32
  /// A `FieldType`'s raw value.
  var type: UInt8
  var hasStates: Bool
  /// Whether another slot holds the same field with another type, or spelled with other escapes.
  var hasSiblings: Bool
}

struct FieldStorage {
  let name: String
  var words: Buffer<UInt64>?
  var text: Buffer<UInt8>?
  var states: Buffer<UInt8>?
  var sourceColumn = 0
  /// The row whose line opened the column: if that line is bad, the column goes with it.
  var openedAtRow = 0
}

struct TableState {
  let name: String
  var rows = 0
  var capacity = 0
  /// The batch is handed over at this many rows: fewer than the parser's limit when it is wide.
  var rowLimit = 0
  var batchNumber: UInt64 = 0
  var lineBase = 0
  var times: UnsafeMutablePointer<Int64>
  var rowSeries: UnsafeMutablePointer<UInt32>
  var lines: UnsafeMutablePointer<UInt32>
  var slots: UnsafeMutablePointer<FieldSlot>
  var slotCount = 0
  var firstSlot: Int32 = -1
  var textByteCount = 0
  /// The batch's tag sets, and the parser's number for each.
  var series: [SeriesKey] = []
  var seriesNumbers: [UInt32] = []
  /// Whether the parser has the table on its list of tables to be flushed.
  var isListed = false

  private var slotCapacity = 0
  private var storage: [FieldStorage] = []
  private var arena: Spellings
  private var lookup: [UInt64: Int32] = [:]
  private var timesBuffer = Buffer<Int64>()
  private var rowSeriesBuffer = Buffer<UInt32>()
  private var linesBuffer = Buffer<UInt32>()
  private var openCount = 0
  private var lastRowCount = 0
  /// Texts begun by the current line, to be taken back if it is bad: slot and bytes before.
  private var begunTexts: [(slot: Int32, byteCount: Int)] = []

  /// A batch has at most this many cells (32 MiB of words).
  private static let cellLimit = 4 * 1024 * 1024

  /// Stands where a column that is not open has its words; nothing reads or writes it.
  nonisolated(unsafe) private static let noWords = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)

  private final class Spellings {
    var arena = TextArena()
  }

  init(name: String) {
    self.name = name
    times = timesBuffer.base
    rowSeries = rowSeriesBuffer.base
    lines = linesBuffer.base
    slots = .allocate(capacity: 0)
    arena = Spellings()
  }

  /// Frees what is not counted by references.
  mutating func destroy() { slots.deallocate() }

  // MARK: batches

  /// Called before the first row of a batch.
  mutating func begin(batchNumber: UInt64, line: Int, rowLimit: Int) {
    self.batchNumber = batchNumber
    self.rowLimit = rowLimit
    lineBase = line & ~((1 << 30) - 1)
    if slotCount > Limits.columnsPerTable { forgetSlots() }
    reserve(min(rowLimit, max(16, lastRowCount + lastRowCount / 8)))
  }

  /// Makes room for more rows in all open columns.
  mutating func reserve(_ newCapacity: Int) {
    capacity = newCapacity
    timesBuffer.count = rows
    timesBuffer.reserve(newCapacity - rows)
    times = timesBuffer.base
    rowSeriesBuffer.count = rows
    rowSeriesBuffer.reserve(newCapacity - rows)
    rowSeries = rowSeriesBuffer.base
    linesBuffer.count = rows
    linesBuffer.reserve(newCapacity - rows)
    lines = linesBuffer.base
    for index in 0..<slotCount where slots[index].filled >= 0 {
      guard let words = storage[index].words else { preconditionFailure("an open column has words") }
      words.count = slots[index].filled
      words.reserve(newCapacity - words.count)
      slots[index].words = words.base
    }
  }

  mutating func grow() { reserve(min(max(rowLimit, rows + 1), capacity * 2)) }

  /// Hands the rows over and starts empty; nil when there are none.
  mutating func take(memo: SeriesMemo) -> SourceBatch? {
    defer { reset() }
    guard rows > 0 else { return nil }
    var fields: [PointBatch.Field] = []
    for index in 0..<slotCount where slots[index].filled > 0 {
      if slots[index].filled < rows { pad(index, to: rows) }
      guard let words = storage[index].words else { preconditionFailure("an open column has words") }
      words.count = rows
      storage[index].states?.count = rows
      guard let type = FieldType(rawValue: slots[index].type) else { preconditionFailure("a slot has a field type") }
      fields.append(
        PointBatch.Field(
          name: storage[index].name,
          column: FieldColumn(
            type: type, words: words, text: storage[index].text, states: storage[index].states),
          sourceColumn: storage[index].sourceColumn))
    }
    timesBuffer.count = rows
    rowSeriesBuffer.count = rows
    linesBuffer.count = rows
    let points = PointBatch(
      table: name, series: series, rowSeries: rowSeriesBuffer, times: timesBuffer, fields: fields, lines: linesBuffer,
      memo: (memo, seriesNumbers))
    lastRowCount = rows
    return SourceBatch(points: points, lineBase: lineBase)
  }

  /// Lets go of everything a batch has.
  private mutating func reset() {
    for index in 0..<slotCount where slots[index].filled >= 0 { close(index) }
    rows = 0
    capacity = 0
    openCount = 0
    textByteCount = 0
    series = []
    seriesNumbers = []
    timesBuffer = Buffer()
    rowSeriesBuffer = Buffer()
    linesBuffer = Buffer()
  }

  private mutating func close(_ index: Int) {
    slots[index].filled = -1
    slots[index].hasStates = false
    storage[index].words = nil
    storage[index].text = nil
    storage[index].states = nil
  }

  // MARK: columns

  /// The slot of a key as spelled on the line and a type; -1 if there is none.
  func find(spelling: UnsafePointer<UInt8>, _ count: Int, hash: UInt64, type: UInt8) -> Int {
    guard let found = lookup[TableState.mixed(hash, type)] else { return -1 }
    let slot = slots[Int(found)]
    guard slot.type == type, Int(slot.spellingByteCount) == count, equalBytes(slot.spelling, spelling, count) else {
      // Two spellings of one 64-bit hash: rarer than anything, and still right.
      for index in 0..<slotCount
      where slots[index].type == type && Int(slots[index].spellingByteCount) == count
        && equalBytes(slots[index].spelling, spelling, count)
      { return index }
      return -1
    }
    return Int(found)
  }

  mutating func insert(name: String, spelling: UnsafePointer<UInt8>, _ count: Int, hash: UInt64, type: UInt8) -> Int {
    if slotCount == slotCapacity {
      slotCapacity = max(16, slotCapacity * 2)
      let moved = UnsafeMutablePointer<FieldSlot>.allocate(capacity: slotCapacity)
      moved.update(from: slots, count: slotCount)
      slots.deallocate()
      slots = moved
    }
    slots[slotCount] = FieldSlot(
      spelling: arena.arena.store(spelling, count), words: TableState.noWords, filled: -1,
      spellingByteCount: Int32(count), next: -1, type: type, hasStates: false, hasSiblings: false)
    for index in 0..<slotCount where storage[index].name.utf8.elementsEqual(name.utf8) {
      slots[index].hasSiblings = true
      slots[slotCount].hasSiblings = true
    }
    storage.append(FieldStorage(name: name))
    lookup[TableState.mixed(hash, type)] = Int32(slotCount)
    slotCount += 1
    return slotCount - 1
  }

  private static func mixed(_ hash: UInt64, _ type: UInt8) -> UInt64 {
    hash ^ (UInt64(type) &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A sender that invents names all the time must not make the table wider for ever. Only between batches.
  private mutating func forgetSlots() {
    slotCount = 0
    firstSlot = -1
    storage = []
    lookup = [:]
    arena = Spellings()
  }

  // MARK: cells

  @inline(__always)
  mutating func store(_ word: UInt64, slot index: Int, column: Int) {
    let slot = slots + index
    if slot.pointee.filled == rows, !slot.pointee.hasStates, !slot.pointee.hasSiblings {
      slot.pointee.words[rows] = word
      slot.pointee.filled = rows &+ 1
    } else {
      storeSlow(word, slot: index, column: column)
    }
  }

  private mutating func storeSlow(_ word: UInt64, slot index: Int, column: Int) {
    if slots[index].hasSiblings { retractSiblings(of: index) }
    open(index, column: column)
    if slots[index].filled < rows { pad(index, to: rows) }
    slots[index].words[rows] = word
    slots[index].filled = rows + 1
    if let states = storage[index].states {
      states.count = rows
      states.append(CellState.value.rawValue)
    }
  }

  /// Of a field that a line has twice the last value counts, also where the two have different types.
  private mutating func retractSiblings(of index: Int) {
    for other in 0..<slotCount
    where other != index && slots[other].filled > rows
      && storage[other].name.utf8.elementsEqual(storage[index].name.utf8)
    {
      slots[other].filled = rows
      pad(other, to: rows + 1)
    }
  }

  private mutating func open(_ index: Int, column: Int) {
    guard slots[index].filled < 0 else { return }
    let words = Buffer<UInt64>(capacity: capacity)
    storage[index].words = words
    storage[index].sourceColumn = column
    storage[index].openedAtRow = rows
    if slots[index].type == TypeCode.text { storage[index].text = Buffer() }
    slots[index].words = words.base
    slots[index].filled = 0
    openCount += 1
    rowLimit = max(min(rowLimit, TableState.cellLimit / openCount), 1)
  }

  /// Rows up to `end` become absent.
  private mutating func pad(_ index: Int, to end: Int) {
    let filled = slots[index].filled
    (slots[index].words + filled).update(repeating: 0, count: end - filled)
    let states: Buffer<UInt8>
    if let present = storage[index].states {
      states = present
      states.count = filled
    } else {
      states = Buffer(repeating: CellState.value.rawValue, count: filled)
      storage[index].states = states
      slots[index].hasStates = true
    }
    states.append(repeating: CellState.absent.rawValue, count: end - filled)
    slots[index].filled = end
  }

  /// A string: `raw` as it stands between the quotes, with `\"` and `\\` still escaped if `escaped`.
  mutating func storeText(_ raw: UnsafePointer<UInt8>, _ count: Int, escaped: Bool, slot index: Int, column: Int) {
    open(index, column: column)
    guard let text = storage[index].text else { preconditionFailure("a text column has text") }
    if slots[index].filled <= rows { begunTexts.append((Int32(index), text.count)) }
    let offset = text.count
    if escaped {
      text.reserve(count)
      var out = text.base + text.count
      var i = 0
      while i < count {
        if raw[i] == 0x5C, i + 1 < count, raw[i + 1] == 0x22 || raw[i + 1] == 0x5C { i += 1 }
        out.pointee = raw[i]
        out += 1
        i += 1
      }
      text.count = out - text.base
    } else {
      text.append(UnsafeBufferPointer(start: raw, count: count))
    }
    textByteCount += text.count - offset
    store(TextRef(offset: offset, length: text.count - offset).word, slot: index, column: column)
  }

  // MARK: rows

  /// The row is good.
  @inline(__always)
  mutating func commit() {
    rows &+= 1
    if !begunTexts.isEmpty { begunTexts.removeAll(keepingCapacity: true) }
  }

  /// The line was bad: what it wrote into row `rows` is taken back.
  mutating func rollBack() {
    for index in 0..<slotCount where slots[index].filled > rows {
      if storage[index].openedAtRow == rows {
        textByteCount -= storage[index].text?.count ?? 0
        close(index)
        openCount -= 1
      } else {
        slots[index].filled = rows
      }
    }
    for (slot, byteCount) in begunTexts.reversed() {
      guard let text = storage[Int(slot)].text else { continue }
      textByteCount -= text.count - byteCount
      text.count = byteCount
    }
    begunTexts.removeAll(keepingCapacity: true)
  }
}

@inline(__always)
func equalBytes(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
  for i in 0..<count where a[i] != b[i] { return false }
  return true
}
