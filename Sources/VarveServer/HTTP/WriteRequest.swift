// The body of a /write on its way to the store: parsed as it comes, handed over in pieces, answered once all of it
// is durable. Reading pauses while too much is with the store.

import NIOCore
import VarveCore
import VarveStorage
import VarveWire

final class WriteRequest {
  private let body: LineProtocolBody
  private let sink: any BatchSink
  private let connections: IngestConnections
  private let counters: IngestCounters
  private let eventLoop: any EventLoop
  private let options: HTTPServerOptions
  private let now: @Sendable () -> Int64
  /// Called when reading may go on, and when the answer is there.
  private let progress: () -> Void

  private var gathered: [SourceBatch] = []
  private var gatheredByteCount = 0
  private var inFlightByteCount = 0
  private var flights = 0
  private var byteCount = 0
  private var isFinished = false
  private var failure: VarveError?

  /// The rows of one submission, but for the last one.
  private static let submissionByteCount = 4 * 1024 * 1024

  init(
    precision: TimestampPrecision, options: HTTPServerOptions, sink: any BatchSink, connections: IngestConnections,
    counters: IngestCounters, eventLoop: any EventLoop, now: @escaping @Sendable () -> Int64,
    progress: @escaping () -> Void
  ) {
    var lines = options.lines
    lines.precision = precision
    body = LineProtocolBody(options: lines)
    self.options = options
    self.sink = sink
    self.connections = connections
    self.counters = counters
    self.eventLoop = eventLoop
    self.now = now
    self.progress = progress
  }

  var wantsMoreInput: Bool { inFlightByteCount < options.inFlightByteLimit }

  /// False when the body is too long.
  func receive(_ buffer: ByteBuffer) -> Bool {
    byteCount += buffer.readableBytes
    guard byteCount <= options.bodyByteLimit else { return false }
    guard failure == nil else { return true }
    gather(buffer.withUnsafeReadableBytes { body.parse($0, now: now()) })
    // What the parser holds back is less than a batch; the rest goes once it is worth a commit.
    if gatheredByteCount >= Self.submissionByteCount { submit() }
    return true
  }

  func finish() {
    gather(body.finish(now: now()))
    submit()
    isFinished = true
  }

  private func gather(_ batches: [SourceBatch]) {
    gathered += batches
    gatheredByteCount += batches.reduce(0) { $0 + $1.points.heldByteCount }
  }

  private func submit() {
    guard !gathered.isEmpty, failure == nil else { return }
    let batches = gathered
    let byteCount = gatheredByteCount
    gathered = []
    gatheredByteCount = 0
    inFlightByteCount += byteCount
    flights += 1
    connections.submissionBegins()
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let eventLoop = eventLoop
    let lineBases = batches.map(\.lineBase)
    sink.submit(batches.map(\.points)) { result in
      eventLoop.execute { bound.value.completed(byteCount, lineBases, result) }
    }
  }

  private func completed(_ byteCount: Int, _ lineBases: [Int], _ result: Result<[WriteResult], VarveError>) {
    inFlightByteCount -= byteCount
    flights -= 1
    connections.submissionEnds()
    switch result {
    case .failure(let error): failure = failure ?? error
    case .success(let results):
      let before = body.rowsWritten
      body.complete(
        results.map {
          LineProtocolCompletion(
            rowsWritten: $0.rowsWritten, sequence: $0.sequence.rawValue, rejections: $0.rejections)
        }, lineBases: lineBases)
      let rows = body.rowsWritten - before
      counters.withLockedValue { $0.rowsWritten += rows }
    }
    progress()
  }

  /// The answer, once the body is over and nothing is with the store any more. To be asked for once.
  func answer() -> HTTPAnswer? {
    guard isFinished, flights == 0 else { return nil }
    if let failure { return .failure(failure, retryAfterSeconds: options.retryAfterSeconds) }
    guard let json = body.errorJSON() else { return .noContent() }
    let rejected = body.rejectedCount
    counters.withLockedValue { $0.linesRejected += rejected }
    return .json(.badRequest, json)
  }
}
