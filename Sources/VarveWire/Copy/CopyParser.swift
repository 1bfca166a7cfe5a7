// The state of a COPY that is read, and its walk over chunks.
//
// Rows are parsed where they stand, without a copy, but for those that a cut goes through and chunks so small that they
// are gathered first: these are in `tail`. A row's parser is a function of the bytes from its first one on and says
// `incomplete` when they end too early; then it is asked again from the row's start when there are more.

import CVarve
import VarveCore

/// Where a field of the current row stands.
struct CopyField {
  var start: UnsafePointer<UInt8>
  /// Negative: NULL.
  var count: Int
  /// As it was sent: in quotes, with escapes, with its length before it.
  var rawStart: UnsafePointer<UInt8>
  var rawCount: Int
}

struct CopyParser: ~Copyable {
  enum Outcome {
    case row, incomplete, failed
    /// Bytes that are no row: a header.
    case nothing
    /// The end that the data marks itself.
    case ended
    /// For another parser to look at.
    case unsure
  }

  enum LineEnd { case unknown, newline, carriageReturn, both }

  let options: CopyOptions
  let layout: CopyLayout
  let columnCount: Int
  let isCSV: Bool

  // What has been found.
  var failure: VarveError?
  var batches: [CopyBatch] = []
  var rowCount = 0
  /// 1-based number of the line (binary: row) that is read, as PostgreSQL counts; 0 before the first.
  var line = 0
  var isEnded = false
  /// Behind the row that was read last.
  var cursor: UnsafePointer<UInt8>

  // The row at hand.
  let fields: UnsafeMutablePointer<CopyField>
  var time: Int64 = 0
  var isTimeNull = false
  /// Fields in quotes or with escapes as they read. Never more than the row has bytes.
  var decoded = Buffer<UInt8>()

  // The format's own state.
  /// Text that spells NULL, where it stands still.
  let nullText: Buffer<UInt8>
  /// Where the line that `scanLine` found ends, without its line break.
  var lineContentEnd: UnsafePointer<UInt8>
  var lineEnd = LineEnd.unknown
  var awaitsHeader: Bool
  var headerByteCount = 0
  /// The time as it stood in the row before, and what it is.
  var timeText = Buffer<UInt8>()
  var lastTime: Int64 = 0

  // What is remembered of earlier rows.
  var series = SeriesDictionary()
  var memo = SeriesMemo()
  /// Of the memory for `series`. Asked at the end of each batch: the tag sets of one are remembered in any case.
  var memoryShare: ByteShare
  var lastEntry: Int32 = -1
  var predictedEntry: Int32 = -1
  /// Bytes of tags that do not stand side by side.
  var gathered = Buffer<UInt8>()

  // The batch under construction.
  var rows = 0
  var capacity = 0
  var batchNumber: UInt64 = 0
  var times: UnsafeMutablePointer<Int64>
  var rowSeries: UnsafeMutablePointer<UInt32>
  let slots: UnsafeMutablePointer<CopySlot>
  var storage: [CopyStorage]
  var textByteCount = 0
  var seriesOfBatch: [SeriesKey] = []
  var seriesNumbers: [UInt32] = []
  var timesBuffer = Buffer<Int64>()
  var rowSeriesBuffer = Buffer<UInt32>()
  var lastBatchRowCount = 0

  /// Bytes of rows that are not complete, or not looked at yet.
  private var tail = Buffer<UInt8>()
  /// It makes no sense to look at `tail` before it is this long.
  private var nextLookByteCount = 0

  /// Shorter chunks are gathered: the fast parsers look some bytes ahead, which a short chunk has not.
  private static let smallChunkByteCount = 16 * 1024
  /// What may be read behind the bytes of a `Buffer`.
  static let slackByteCount = 64

  init(options: CopyOptions) {
    self.options = options
    layout = CopyLayout(options)
    memoryShare = ByteShare(of: options.seriesMemory)
    columnCount = options.columns.count
    isCSV = options.format == .csv
    awaitsHeader = options.format == .binary || options.header != .none
    cursor = UnsafePointer(tail.base)
    lineContentEnd = cursor
    nullText = Buffer(options.null)
    fields = .allocate(capacity: columnCount)
    fields.initialize(repeating: CopyField(start: cursor, count: -1, rawStart: cursor, rawCount: 0), count: columnCount)
    slots = CopySlot.allocate(options.columns)
    storage = Array(repeating: CopyStorage(), count: columnCount)
    times = timesBuffer.base
    rowSeries = rowSeriesBuffer.base
  }

  deinit {
    fields.deallocate()
    slots.deallocate()
  }

  var heldByteCount: Int { tail.byteCount + decoded.byteCount + series.memoryByteCount + batchByteCount }

  // MARK: chunks

  mutating func read(_ chunk: UnsafeRawBufferPointer) {
    guard failure == nil, let start = chunk.baseAddress?.assumingMemoryBound(to: UInt8.self), chunk.count > 0 else {
      return
    }
    let end = start + chunk.count
    var p = start
    if chunk.count < Self.smallChunkByteCount {
      tail.append(UnsafeBufferPointer(start: start, count: chunk.count))
      if tail.count >= nextLookByteCount { lookAtTail(final: false) }
      return
    }
    var taken = 4096
    while tail.count > 0, p < end, failure == nil {
      // Enough of the chunk to complete the row that the cut goes through; what is parsed of it there is left out here.
      let before = tail.count
      let count = min(taken, end - p)
      tail.append(UnsafeBufferPointer(start: p, count: count))
      lookAtTail(final: false)
      let left = tail.count
      if left <= count {
        p += count - left
        tail.count = 0
      } else {
        precondition(left <= before + count, "parsing only takes bytes away")
        p += count
        taken *= 2
      }
    }
    guard p < end, failure == nil else { return }
    let rest = process(p, end, readable: end, final: false)
    keep(rest, end - rest)
  }

  mutating func finish() {
    guard failure == nil else { return }
    lookAtTail(final: true)
    guard failure == nil else { return }
    if options.format == .binary { finishBinary(UnsafePointer(tail.base), tail.count) }
    tail.count = 0
  }

  private mutating func lookAtTail(final: Bool) {
    let start = UnsafePointer(tail.base)
    let end = start + tail.count
    let rest = process(start, end, readable: end + Self.slackByteCount, final: final)
    let left = end - rest
    if left > 0, rest > start { tail.base.update(from: rest, count: left) }
    tail.count = left
    nextLookByteCount = left + left / 8 + 1
  }

  private mutating func keep(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    tail.append(UnsafeBufferPointer(start: bytes, count: count))
    nextLookByteCount = count + 1
  }

  // MARK: rows

  /// Parses rows from `start` on; gives the start of the first one that is not complete. Bytes up to `readable` may be
  /// looked at, of which those from `end` on say nothing.
  private mutating func process(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, readable: UnsafePointer<UInt8>, final: Bool
  ) -> UnsafePointer<UInt8> {
    var p = start
    while p < end {
      if isEnded {
        // Behind its end text is not looked at; PostgreSQL refuses to read more of binary data.
        if options.format == .binary { fail("22P04", "received copy data after EOF marker") }
        return end
      }
      if rows == capacity { makeRoom() }
      let isFull = end - p > options.rowByteLimit
      let windowEnd = isFull ? p + options.rowByteLimit : end
      let lineBefore = line
      var outcome = Outcome.unsure
      if awaitsHeader {
        outcome = header(p, windowEnd, final: final && !isFull)
      } else if options.format == .binary {
        outcome = binaryRow(p, windowEnd)
      } else {
        outcome = fieldsOfLine(p, windowEnd, readable: readable)
        if outcome == .unsure {
          line = lineBefore
          outcome = wholeLine(p, windowEnd, final: final && !isFull)
        }
      }
      switch outcome {
      case .row, .nothing: p = cursor
      case .incomplete:
        line = lineBefore
        guard isFull else { return p }
        line += 1
        fail(
          VarveError(.limitExceeded, "a row of COPY is longer than \(options.rowByteLimit) bytes", sqlState: "54000"))
        return end
      case .failed: return end
      case .ended:
        isEnded = true
        p = cursor
      case .unsure: preconditionFailure("the last parser decides")
      }
    }
    return p
  }

  private mutating func header(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool) -> Outcome {
    options.format == .binary ? binaryHeader(start, end) : headerLine(start, end, final: final)
  }

  // MARK: errors

  /// The first error stands.
  mutating func fail(_ error: VarveError, column: Int? = nil) {
    guard failure == nil else { return }
    var error = error
    error.context = error.context ?? context(column: column)
    failure = error
  }

  mutating func fail(_ sqlState: String, _ message: String, hint: String? = nil, column: Int? = nil) {
    fail(VarveError(.syntax, message, hint: hint, sqlState: sqlState), column: column)
  }

  func context(column: Int? = nil) -> String {
    var text = "COPY \(options.table), line \(line)"
    guard let column else { return text }
    text += ", column \(options.columns[column].name)"
    let field = fields[column]
    if field.count < 0 { return text + ": null input" }
    // Binary values are not for people.
    if options.format != .binary { text += ": \(Self.quoted(field.start, field.count))" }
    return text
  }

  /// At most a hundred bytes, in quotes.
  static func quoted(_ start: UnsafePointer<UInt8>, _ count: Int) -> String {
    let limit = 100
    let shown = String(decoding: UnsafeBufferPointer(start: start, count: min(count, limit)), as: UTF8.self)
    return "\"\(shown)\(count > limit ? "..." : "")\""
  }
}
