// A line protocol connection as a state machine without sockets: bytes and completions in, actions out.
//
// Between two syncs lies an interval: the batches its lines went into, and what became of them. Intervals are
// answered in order, each once it has ended (with `#sync`, or with the half-close) and all its batches are durable;
// so an answer covers every line before it. Nothing is dropped: while too much is in flight the session does not
// want more input, and a store that can take it later is the sink's to wait for. An error of the store that is final
// is told to the client, and the connection is over.

import VarveCore

/// What became of one batch.
package struct LineProtocolCompletion: Sendable {
  package var rowsWritten: Int
  /// The commit that holds the rows; 0 if there are none.
  package var sequence: UInt64
  /// As the batch counts lines.
  package var rejections: [Rejection]
  package init(rowsWritten: Int, sequence: UInt64, rejections: [Rejection]) {
    self.rowsWritten = rowsWritten
    self.sequence = sequence
    self.rejections = rejections
  }
}

package final class LineProtocolSession {
  package enum Action: Sendable {
    /// To be written together; ends in `complete` with the same id.
    case submit(id: Int, batches: [PointBatch])
    case reply([UInt8])
    /// Lines that were rejected, for the log. Of many only the first ones.
    case log([Rejection])
    /// After the replies before it; nothing follows.
    case close
  }

  private struct Interval {
    var outstanding = 0
    var rows = 0
    var rejectedCount = 0
    var rejections: [Rejection] = []
    var failure: VarveError?
    /// Set when the interval has ended.
    var token: String?
    var isEnd = false
  }

  private struct Flight {
    let interval: Int
    let lineBases: [Int]
    let byteCount: Int
  }

  private enum State { case recognising, open, ended, closed }

  private let parser: LineProtocolParser
  private let reportedRejectionLimit: Int
  private let inFlightByteLimit: Int
  private var state = State.recognising
  private var prelude: [UInt8] = []
  /// Those not answered yet; the last one is the current one. `firstInterval` is the number of the first.
  private var intervals: [Interval] = [Interval()]
  private var firstInterval = 0
  private var flights: [Int: Flight] = [:]
  private var nextFlight = 0
  private var unloggedCount = 0
  private var sequence: UInt64 = 0
  /// The line that the end of the connection cut, for `takeRejectionCounts`.
  private var cutOff = RejectionCounts()

  /// Totals since the connection began, of intervals that are answered.
  package private(set) var rowsWritten = 0
  package private(set) var linesRejected = 0
  /// Rows that are durable, answered or not.
  package private(set) var rowsCompleted = 0
  package private(set) var inFlightByteCount = 0
  /// Syncs and ends that have come, and those that are answered, in order.
  package private(set) var questionCount = 0
  package private(set) var answerCount = 0

  /// Below this many submissions in flight rows are handed over at once, else they gather.
  private static let pipelineDepth = 4
  /// Answers that may be waiting before reading stops.
  private static let waitingSyncLimit = 1024

  package init(options: LineProtocolOptions = LineProtocolOptions(), inFlightByteLimit: Int = 16 * 1024 * 1024) {
    var options = options
    options.recognizesSync = true
    reportedRejectionLimit = options.reportedRejectionLimit
    self.inFlightByteLimit = inFlightByteLimit
    parser = LineProtocolParser(options: options)
  }

  /// Whether the connection should be read. What is read nevertheless is taken.
  package var wantsMoreInput: Bool {
    (state == .open || state == .recognising) && inFlightByteCount < inFlightByteLimit
      && intervals.count <= Self.waitingSyncLimit
  }

  /// Whether all is durable and answered, as far as it came.
  package var isIdle: Bool { flights.isEmpty && intervals.count == 1 && parser.unfinishedByteCount == 0 }
  package var hasSubmissionsInFlight: Bool { !flights.isEmpty }
  package var isClosed: Bool { state == .closed }

  /// The lines that no batch holds since the last call, counted by table and reason.
  package func takeRejectionCounts() -> RejectionCounts {
    var counts = parser.takeRejectionCounts()
    counts.add(cutOff)
    cutOff = RejectionCounts()
    return counts
  }

  // MARK: input

  package func receive(_ chunk: UnsafeRawBufferPointer, now: Int64) -> [Action] {
    switch state {
    case .ended, .closed: return []
    case .recognising:
      prelude.append(contentsOf: chunk)
      return recognise(ended: false, now: now)
    case .open:
      parser.parse(chunk, now: now)
      return collect()
    }
  }

  package func receive(_ bytes: [UInt8], now: Int64) -> [Action] { bytes.withUnsafeBytes { receive($0, now: now) } }

  /// The client has sent everything.
  package func receiveEnd(now: Int64) -> [Action] {
    var actions: [Action] = []
    if state == .recognising { actions = recognise(ended: true, now: now) }
    guard state == .open else { return actions }
    state = .ended
    parser.finish(now: now)
    actions += collect(flushing: true)
    endInterval("end", rejected: parser.takeRejected(), isEnd: true)
    return actions + answer()
  }

  /// No more input will be taken, though the client may have more: what came in whole lines is written and answered
  /// with token `end`. An unfinished line is not written, for what is there of it may be wrong.
  package func receiveStop() -> [Action] {
    guard state == .open || state == .recognising else { return [] }
    state = .ended
    let actions = collect(flushing: true)
    var rejected = parser.takeRejected()
    if parser.unfinishedByteCount > 0 || !prelude.isEmpty {
      rejected.count += 1
      rejected.rejections.append(
        Rejection(line: parser.line, column: 1, code: .closed, message: "the line was not complete at the end"))
      cutOff.add(nil, .closed)
    }
    prelude = []
    endInterval("end", rejected: rejected, isEnd: true)
    return actions + answer()
  }

  private func recognise(ended: Bool, now: Int64) -> [Action] {
    let found = ForeignProtocol.recognise(prelude, ended: ended)
    if case .undecided = found { return [] }
    let bytes = prelude
    prelude = []
    if let answer = found.answer {
      state = .closed
      return [.reply(answer), .close]
    }
    state = .open
    return bytes.isEmpty ? [] : receive(bytes, now: now)
  }

  /// Turns what the parser found into submissions and ended intervals.
  private func collect(flushing: Bool = false) -> [Action] {
    if flushing || flights.count < Self.pipelineDepth { parser.flush() }
    var actions: [Action] = []
    var gathered: [SourceBatch] = []
    for event in parser.takeEvents() {
      switch event {
      case .batch(let batch): gathered.append(batch)
      case .sync(let token, let rejected):
        submit(&gathered, &actions)
        log(rejected, &actions)
        unloggedCount = 0
        endInterval(token, rejected: rejected, isEnd: false)
      }
    }
    submit(&gathered, &actions)
    log(parser.rejectedSoFar, &actions)
    return actions + answer()
  }

  private func submit(_ batches: inout [SourceBatch], _ actions: inout [Action]) {
    guard !batches.isEmpty else { return }
    let byteCount = batches.reduce(0) { $0 + $1.points.heldByteCount }
    nextFlight += 1
    flights[nextFlight] = Flight(
      interval: firstInterval + intervals.count - 1, lineBases: batches.map(\.lineBase), byteCount: byteCount)
    inFlightByteCount += byteCount
    intervals[intervals.count - 1].outstanding += 1
    actions.append(.submit(id: nextFlight, batches: batches.map(\.points)))
    batches = []
  }

  private func log(_ rejected: RejectionSummary, _ actions: inout [Action]) {
    guard rejected.rejections.count > unloggedCount else { return }
    actions.append(.log(Array(rejected.rejections[unloggedCount...])))
    unloggedCount = rejected.rejections.count
  }

  private func endInterval(_ token: String, rejected: RejectionSummary, isEnd: Bool) {
    let last = intervals.count - 1
    questionCount += 1
    intervals[last].rejectedCount += rejected.count
    intervals[last].rejections += rejected.rejections
    intervals[last].token = token
    intervals[last].isEnd = isEnd
    if !isEnd { intervals.append(Interval()) }
  }

  // MARK: completions

  /// One completion for each batch of the submission, or the error that kept all of them from the store.
  package func complete(id: Int, _ result: Result<[LineProtocolCompletion], VarveError>) -> [Action] {
    guard let flight = flights.removeValue(forKey: id) else { preconditionFailure("a submission is completed once") }
    inFlightByteCount -= flight.byteCount
    guard state != .closed else { return [] }
    let index = flight.interval - firstInterval
    precondition(index >= 0, "an interval is answered after its batches are completed")
    intervals[index].outstanding -= 1
    var actions: [Action] = []
    switch result {
    case .success(let completions):
      precondition(completions.count == flight.lineBases.count, "each batch has a completion")
      for (completion, lineBase) in zip(completions, flight.lineBases) {
        intervals[index].rows += completion.rowsWritten
        rowsCompleted += completion.rowsWritten
        sequence = max(sequence, completion.sequence)
        guard !completion.rejections.isEmpty else { continue }
        intervals[index].rejectedCount += completion.rejections.count
        let rejections = completion.rejections.prefix(reportedRejectionLimit).map { rejection in
          var rejection = rejection
          rejection.line += lineBase
          return rejection
        }
        intervals[index].rejections += rejections
        actions.append(.log(rejections))
      }
      if intervals[index].rejections.count > 4 * reportedRejectionLimit { trim(&intervals[index].rejections) }
    case .failure(let error):
      intervals[index].failure = intervals[index].failure ?? error
    }
    actions += answer()
    if state == .open, intervals[0].failure == nil { actions += collect() }
    return actions
  }

  private func trim(_ rejections: inout [Rejection]) {
    rejections.sort { ($0.line, $0.column) < ($1.line, $1.column) }
    if rejections.count > reportedRejectionLimit { rejections.removeLast(rejections.count - reportedRejectionLimit) }
  }

  /// Answers the intervals at the front that are complete.
  private func answer() -> [Action] {
    guard state != .closed else { return [] }
    var text: [UInt8] = []
    var isOver = false
    var answered = 0
    while answered < intervals.count, !isOver {
      if let failure = intervals[answered].failure {
        answerFailure(failure, intervals[answered...], &text)
        isOver = true
        break
      }
      guard let token = intervals[answered].token, intervals[answered].outstanding == 0 else { break }
      var interval = intervals[answered]
      answered += 1
      rowsWritten += interval.rows
      linesRejected += interval.rejectedCount
      trim(&interval.rejections)
      let rows = interval.isEnd ? rowsWritten : interval.rows
      let rejected = interval.isEnd ? linesRejected : interval.rejectedCount
      text += Array("\(token) ok rows=\(rows) rejected=\(rejected) sequence=\(sequence)\n".utf8)
      for rejection in interval.rejections { Self.appendError(token, rejection, &text) }
      let more = interval.rejectedCount - interval.rejections.count
      if more > 0 {
        text += Array("\(token) error count=\(more) message=\"\(more) more rejected lines are not listed\"\n".utf8)
      }
      isOver = interval.isEnd
    }
    answerCount += isOver ? questionCount - answerCount : answered
    intervals.removeFirst(answered)
    firstInterval += answered
    var actions: [Action] = text.isEmpty ? [] : [.reply(text)]
    if isOver {
      state = .closed
      intervals = []
      actions.append(.close)
    }
    return actions
  }

  /// The store refused for good: each waiting answer says so, or `end` if none waits.
  private func answerFailure(_ failure: VarveError, _ waiting: ArraySlice<Interval>, _ text: inout [UInt8]) {
    var message = failure.message
    if let hint = failure.hint { message += " (\(hint))" }
    let rejection = Rejection(line: 0, column: 0, code: failure.code, message: message)
    var tokens = waiting.compactMap(\.token)
    if tokens.isEmpty { tokens = ["end"] }
    for token in tokens { Self.appendError(token, rejection, &text) }
  }

  /// What a connection is told that is not taken at all.
  package static func refusal(_ code: VarveError.Code, _ message: String) -> [UInt8] {
    var text: [UInt8] = []
    appendError("end", Rejection(line: 0, column: 0, code: code, message: message), &text)
    return text
  }

  private static func appendError(_ token: String, _ rejection: Rejection, _ text: inout [UInt8]) {
    text += Array(
      "\(token) error line=\(rejection.line) column=\(rejection.column) code=\(rejection.code.rawValue) message=".utf8)
    JSONText.append(rejection.message, to: &text)
    text.append(0x0A)
  }
}

extension PointBatch {
  /// Memory the rows hold, in bytes, roughly.
  package var heldByteCount: Int {
    times.byteCount + rowSeries.byteCount + (lines?.byteCount ?? 0)
      + fields.reduce(0) { $0 + $1.column.byteCount + 128 } + series.count * 32
  }
}
