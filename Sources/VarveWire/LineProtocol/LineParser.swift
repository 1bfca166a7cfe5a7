// The parser's state and its walk over chunks. One parser serves one connection or one body from begin to end.
//
// `parseLine` is a function of a window of bytes: the line's first byte up to the line limit. It says what the line
// is, or that the window ends too early. So the same text gives the same result however it was cut: an unfinished
// line is kept in `tail` and looked at again once its end can be there, and a window as long as the limit that is
// still not enough is a line too long, wherever it was cut.

import CVarve
import VarveCore

struct LineParser: ~Copyable {
  enum Outcome { case row, nothing, sync, failed, incomplete }

  let options: LineProtocolOptions
  /// Tables, kept here because a global costs a check at each use.
  let classes = ByteClass.table
  let powersOfTen = Number.integerPowersOfTen

  // What has been found, taken by the caller.
  var events: [LineProtocolEvent] = []
  var rejected = RejectionSummary()
  /// All of them by table and reason, taken by the caller.
  var rejections = RejectionCounts()
  /// 1-based number of the line that begins at the next byte.
  var line = 1

  // The caller's clock, for the chunk at hand.
  var defaultTime: Int64 = 0
  var latestTime: Int64 = .max

  // What is remembered of earlier lines.
  var series = SeriesDictionary()
  /// What the store noted about the tag sets of `series`.
  private var memo = SeriesMemo()
  private var memoryShare: ByteShare
  var shapes = SeriesShapes()
  var lastEntry: Int32 = -1
  var predictedEntry: Int32 = -1
  var stamp = StampCache()
  var tables: UnsafeMutablePointer<TableState>
  var tableCount = 0
  var tableCapacity = 0
  var tableIndex: [Name: Int] = [:]
  /// Tables whose batch has begun.
  var openTables: [Int] = []
  var batchNumber: UInt64 = 0

  // What `parseLine` says beside its outcome.
  var cursor: UnsafePointer<UInt8>
  var currentTable = -1
  var stringLineBreaks = 0
  var openString: UnsafePointer<UInt8>?
  var problemAt: UnsafePointer<UInt8>
  var problemCode = VarveError.Code.syntax
  var problemMessage = ""
  var syncToken = ""

  // The unfinished line.
  private var tail: UnsafeMutablePointer<UInt8>
  private(set) var tailCount = 0
  private var tailCapacity = 0
  /// Where the last physical line within the tail begins.
  private var tailLineStart = 0
  /// The unfinished line ends only behind a quote (or a sync), which has not come yet.
  private var waitsForQuote = false
  /// Bytes looked at more than once for the sake of the line in `tail`.
  private var repeatedByteCount = 0
  private var repeatAtByteCount = 0
  /// Behind a line too long: everything up to the next line break is dropped.
  private var skipping = false

  init(options: LineProtocolOptions) {
    precondition(options.lineByteLimit > 0 && options.batchRowLimit > 0, "limits are positive")
    self.options = options
    memoryShare = ByteShare(of: options.seriesMemory)
    tables = .allocate(capacity: 0)
    tail = .allocate(capacity: 0)
    cursor = UnsafePointer(tail)
    problemAt = cursor
  }

  deinit {
    for index in 0..<tableCount { tables[index].destroy() }
    tables.deinitialize(count: tableCount)
    tables.deallocate()
    tail.deallocate()
  }

  // MARK: chunks

  mutating func parse(_ chunk: UnsafeRawBufferPointer, now: Int64) {
    guard let start = chunk.baseAddress?.assumingMemoryBound(to: UInt8.self), chunk.count > 0 else { return }
    setClock(now)
    let end = start + chunk.count
    var p = start
    while tailCount > 0, p < end { p = extendTail(p, end) }
    guard p < end else { return }
    let rest = process(p, end, final: false)
    if rest < end {
      appendToTail(rest, end - rest)
      noteIncomplete()
    }
  }

  /// The text is over: what is left of it is a line.
  mutating func finish(now: Int64) {
    setClock(now)
    if tailCount > 0 {
      let rest = process(UnsafePointer(tail), UnsafePointer(tail) + tailCount, final: true)
      precondition(rest == UnsafePointer(tail) + tailCount, "at the end of the text every byte is consumed")
      dropTail(tailCount)
    }
  }

  private mutating func setClock(_ now: Int64) {
    defaultTime = options.precision.floor(now)
    guard let future = options.maxFutureNanoseconds else {
      latestTime = .max
      return
    }
    let (latest, overflow) = now.addingReportingOverflow(future)
    latestTime = overflow ? .max : latest
  }

  /// Takes bytes of the chunk into the tail up to the next line break, and looks at the tail if the line can end
  /// there. Gives the place in the chunk to go on from.
  private mutating func extendTail(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
    let room = options.lineByteLimit + 1 - tailCount
    let available = min(end - p, room)
    let lineBreak = find(0x0A, p, p + available)
    let taken = lineBreak.map { $0 + 1 - p } ?? available
    if waitsForQuote, find(0x22, p, p + taken) != nil { waitsForQuote = false }
    appendToTail(p, taken)
    let isFull = tailCount == options.lineByteLimit + 1
    var mayEnd = lineBreak != nil && !waitsForQuote && tailCount >= repeatAtByteCount
    if lineBreak != nil {
      if options.recognizesSync, syncLine(UnsafePointer(tail) + tailLineStart, UnsafePointer(tail) + tailCount) {
        mayEnd = true
      }
      tailLineStart = tailCount
    }
    guard mayEnd || isFull else { return p + taken }
    let rest = process(UnsafePointer(tail), UnsafePointer(tail) + tailCount, final: false)
    dropTail(rest - UnsafePointer(tail))
    if tailCount > 0 { noteIncomplete() }
    return p + taken
  }

  /// Many short pieces of one long line with many strings must not cost a look at the whole line each.
  private mutating func noteIncomplete() {
    repeatedByteCount += tailCount
    repeatAtByteCount = repeatedByteCount > 16 * 1024 * 1024 ? tailCount + tailCount / 8 : 0
    tailLineStart = tailCount
    var i = tailCount
    while i > 0, tail[i - 1] != 0x0A { i -= 1 }
    tailLineStart = i
    waitsForQuote = openString != nil
  }

  private mutating func appendToTail(_ p: UnsafePointer<UInt8>, _ count: Int) {
    if tailCount + count > tailCapacity {
      let capacity = max(512, tailCount + count, tailCapacity * 2)
      let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
      moved.update(from: tail, count: tailCount)
      tail.deallocate()
      tail = moved
      tailCapacity = capacity
    }
    (tail + tailCount).update(from: p, count: count)
    tailCount += count
  }

  private mutating func dropTail(_ count: Int) {
    guard count > 0 else { return }
    tailCount -= count
    tail.update(from: tail + count, count: tailCount)
    tailLineStart = 0
    repeatedByteCount = 0
    repeatAtByteCount = 0
    waitsForQuote = false
    if tailCount == 0, tailCapacity > 64 * 1024 {
      tail.deallocate()
      tail = .allocate(capacity: 0)
      tailCapacity = 0
    }
  }

  // MARK: lines

  /// Parses lines from `start` on; gives the start of the first line that is not complete.
  private mutating func process(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, final: Bool
  ) -> UnsafePointer<UInt8> {
    var p = start
    let windowLimit = options.lineByteLimit + 1
    while p < end {
      if skipping {
        guard let lineBreak = find(0x0A, p, end) else { return end }
        skipping = false
        line += 1
        p = lineBreak + 1
        continue
      }
      let isFull = end - p >= windowLimit
      let windowEnd = isFull ? p + windowLimit : end
      let atEnd = final && !isFull
      currentTable = -1
      openString = nil
      let outcome = parseLine(p, windowEnd, final: atEnd)
      switch outcome {
      case .row:
        line &+= 1 &+ stringLineBreaks
        p = cursor
      case .nothing:
        line &+= 1
        p = cursor
      case .sync:
        flush()
        events.append(.sync(token: syncToken, rejected: rejected))
        rejected = RejectionSummary()
        line &+= 1
        p = cursor
      case .failed:
        if currentTable >= 0 { tables[currentTable].rollBack() }
        if let lineBreak = find(0x0A, problemAt, windowEnd) {
          reject(lineStart: p)
          line += lineBreaks(p, lineBreak) + 1
          p = lineBreak + 1
        } else if isFull {
          p = rejectTooLong(p, windowEnd)
        } else if final {
          reject(lineStart: p)
          line += lineBreaks(p, end)
          p = end
        } else {
          openString = nil
          return p
        }
      case .incomplete:
        if currentTable >= 0 { tables[currentTable].rollBack() }
        guard isFull else { return p }
        p = rejectTooLong(p, windowEnd)
      }
    }
    return p
  }

  /// Gives the place to go on from, or sets `skipping` when that is not in the window.
  private mutating func rejectTooLong(
    _ start: UnsafePointer<UInt8>, _ windowEnd: UnsafePointer<UInt8>
  ) -> UnsafePointer<UInt8> {
    problemAt = start
    problemCode = .lineTooLong
    problemMessage =
      openString == nil
      ? "the line is longer than \(options.lineByteLimit) bytes"
      : "a string that is not closed makes the line longer than \(options.lineByteLimit) bytes"
    reject(lineStart: start)
    // A string without an end swallows good lines: those behind the line on which it begins are lines again.
    if let lineBreak = find(0x0A, openString ?? windowEnd - 1, windowEnd) {
      line += lineBreaks(start, lineBreak) + 1
      return lineBreak + 1
    }
    line += lineBreaks(start, windowEnd)
    skipping = true
    return windowEnd
  }

  private mutating func reject(lineStart: UnsafePointer<UInt8>) {
    rejected.count += 1
    rejections.add(currentTable >= 0 ? tables[currentTable].name : nil, problemCode)
    guard rejected.rejections.count < options.reportedRejectionLimit else { return }
    var column = 1
    var physicalLine = line
    var p = lineStart
    while p < problemAt {
      if p[0] == 0x0A {
        physicalLine += 1
        column = 1
      } else {
        column += 1
      }
      p += 1
    }
    rejected.rejections.append(
      Rejection(line: physicalLine, column: column, code: problemCode, message: problemMessage))
  }

  /// Says why the line is bad. Parsing goes on behind the first line break from `at` on.
  mutating func fail(
    _ at: UnsafePointer<UInt8>, _ code: VarveError.Code, _ message: @autoclosure () -> String
  ) -> Outcome {
    problemAt = at
    problemCode = code
    if rejected.rejections.count < options.reportedRejectionLimit { problemMessage = message() }
    return .failed
  }

  // MARK: batches

  /// Hands over all rows that are there.
  mutating func flush() {
    for index in openTables {
      hand(over: index)
      tables[index].isListed = false
    }
    openTables.removeAll(keepingCapacity: true)
  }

  mutating func hand(over table: Int) {
    if let batch = tables[table].take(memo: memo) { events.append(.batch(batch)) }
  }

  mutating func mayRemember(_ byteCount: Int) -> Bool {
    byteCount <= options.seriesMemoryByteLimit && memoryShare.covers(byteCount)
  }

  /// Forgets all series and tables; what there is of rows is handed over.
  mutating func forget() {
    flush()
    memoryShare.giveBack()
    series = SeriesDictionary()
    memo = SeriesMemo()
    shapes = SeriesShapes()
    lastEntry = -1
    predictedEntry = -1
    for index in 0..<tableCount { tables[index].destroy() }
    tables.deinitialize(count: tableCount)
    tableCount = 0
    tableIndex = [:]
  }

  /// Memory held between chunks, roughly, without the batches under construction.
  var heldByteCount: Int { tailCapacity + series.memoryByteCount + tableCount * 1024 }
}

/// The first `byte` in start ..< end.
@inline(__always)
func find(_ byte: UInt8, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
  cvarve_memchr(start, Int32(byte), end - start)?.assumingMemoryBound(to: UInt8.self)
}

func lineBreaks(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int {
  var count = 0
  var p = start
  while let found = find(0x0A, p, end) {
    count += 1
    p = found + 1
  }
  return count
}
