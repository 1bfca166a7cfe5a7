// The body of a /write on its way to the store: parsed as it comes, handed over in pieces, answered once all of it
// is durable. Reading pauses while too much is with the store.
//
// Pieces are large, since a commit costs a sync. What all requests gather meanwhile has a common bound, beyond which
// pieces are as small as reads: then it is the store's queue that grows, which makes reading pause.

import NIOCore
import VarveCore
import VarveStorage
import VarveWire

final class WriteRequest {
  private let body: LineProtocolBody
  private let sink: any BatchSink
  private let connections: IngestConnections
  private let counters: IngestCounters
  private let meter: IngestMeter
  private let writer = IngestWriter(.http)
  private let eventLoop: any EventLoop
  private let options: HTTPServerOptions
  private let now: @Sendable () -> Int64
  /// Called when reading may go on, and when the answer is there.
  private let progress: () -> Void

  private var gathered: [SourceBatch] = []
  private var gatheredByteCount = 0
  /// Of the body, since the last submission; rows take about as much memory as their text.
  private var unsubmittedByteCount = 0
  private var gatheringShare: ByteShare
  private(set) var inFlightByteCount = 0
  private var flights = 0
  private var byteCount = 0
  private var isFinished = false
  private var failure: VarveError?
  private let began = NIODeadline.now()
  private var tables: Set<Name> = []
  private(set) var rowsWritten = 0
  private(set) var rejectedCount = 0

  /// The rows of one submission, but for the last one.
  private static let submissionByteCount = 4 * 1024 * 1024

  init(
    precision: TimestampPrecision, options: HTTPServerOptions, sink: any BatchSink, connections: IngestConnections,
    counters: IngestCounters, meter: IngestMeter, eventLoop: any EventLoop, now: @escaping @Sendable () -> Int64,
    progress: @escaping () -> Void
  ) {
    var lines = options.lines
    lines.precision = precision
    body = LineProtocolBody(options: lines)
    self.options = options
    gatheringShare = ByteShare(of: options.gatheringMemory)
    self.sink = sink
    self.connections = connections
    self.counters = counters
    self.meter = meter
    self.eventLoop = eventLoop
    self.now = now
    self.progress = progress
  }

  /// A saturated store, and others' bodies, are waited for by those who have something with the store.
  var wantsMoreInput: Bool {
    guard flights > 0 else { return true }
    let mustWait = sink.isSaturated || options.gatheringMemory?.isExhausted == true
    return inFlightByteCount < options.inFlightByteLimit && !mustWait
  }

  /// False when the body is too long.
  func receive(_ buffer: ByteBuffer) -> Bool {
    byteCount += buffer.readableBytes
    guard byteCount <= options.bodyByteLimit else { return false }
    guard failure == nil else { return true }
    unsubmittedByteCount += buffer.readableBytes
    gather(buffer.withUnsafeReadableBytes { body.parse($0, now: now()) })
    if !gatheringShare.covers(unsubmittedByteCount) {
      gather(body.flush())
      submit()
    } else if gatheredByteCount >= Self.submissionByteCount {
      // What the parser holds back is less than a batch; the rest goes once it is worth a commit.
      submit()
    }
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
    unsubmittedByteCount = 0
    gatheringShare.giveBack()
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
    for batch in batches { tables.insert(Name(batch.points.table)) }
    sink.submit(batches.map(\.points), from: writer) { result in
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
      rowsWritten += rows
      rejectedCount += results.reduce(0) { $0 + $1.rejections.count }
      counters.withLockedValue { $0.rowsWritten += rows }
    }
    tellRejections()
    progress()
  }

  /// The answer, once the body is over and nothing is with the store any more. To be asked for once.
  func answer() -> HTTPAnswer? {
    guard isFinished, flights == 0 else { return nil }
    tellRejections()
    if let failure { return .failure(failure, retryAfterSeconds: options.retryAfterSeconds) }
    guard let json = body.errorJSON() else { return .noContent() }
    let rejected = body.rejectedCount
    counters.withLockedValue { $0.linesRejected += rejected }
    return .json(.badRequest, json)
  }

  /// Since the request's beginning; for the meters, once it is answered. Gives the nanoseconds.
  func answered() -> UInt64 {
    tellRejections()
    let nanoseconds = UInt64(max(0, (NIODeadline.now() - began).nanoseconds))
    meter.answered(nanoseconds, tables: tables, .http)
    return nanoseconds
  }

  private func tellRejections() {
    let found = body.takeRejectionCounts()
    rejectedCount += found.counts.values.reduce(0, +)
    meter.rejected(found, .http)
  }
}
