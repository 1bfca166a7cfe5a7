// Line protocol over TCP: batches one behind the other without waiting, a `#sync` behind each, and the answers as they
// come. The server slows us down by not reading, as it does any client.

import VarveCore
import VarveIO
import VarveServer

final class StreamLane: Lane {
  /// Generated and sent in pieces that stay in the processor's cache.
  private static let pieceRowCount = 512

  private struct Flight {
    let rowCount: Int
    let scheduled: Int64
  }

  let feed: LaneFeed
  private let socket: ClientSocket
  private let clock: any Clock

  private let outbound = Buffer<UInt8>()
  private var sentByteCount = 0
  private let inbound = Buffer<UInt8>()

  private var batch: (rowCount: Int, scheduled: Int64)?
  private var batchNumber = 0
  private var isExhausted = false
  /// Batches that have been sent and not answered, from `answered` on.
  private var flights: [Flight] = []
  private var answered = 0
  /// Lines about rejected rows that the answer just read still has.
  private var pendingErrorLines = 0

  init(_ feed: LaneFeed, _ socket: ClientSocket, clock: any Clock) {
    self.feed = feed
    self.socket = socket
    self.clock = clock
  }

  var isFinished: Bool { isExhausted && isFlushed && answered == flights.count && pendingErrorLines == 0 }
  var nextDue: Int64? { isExhausted || !isFlushed ? nil : batch == nil ? feed.pace.due : 0 }
  var waiting: (socket: ClientSocket, forSending: Bool)? { (socket, !isFlushed) }

  private var isFlushed: Bool { sentByteCount == outbound.count }

  func step() throws -> Bool {
    var progressed = try receive()
    if isFlushed, !isExhausted { fill() }
    if !isFlushed {
      let rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(outbound.span)[sentByteCount...])
      let count = try socket.sendSome(rest)
      sentByteCount += count
      feed.sent(count)
      progressed = progressed || count > 0
    }
    return progressed
  }

  private func fill() {
    outbound.count = 0
    sentByteCount = 0
    if batch == nil {
      let (isDue, scheduled) = feed.mayBegin(clock.monotonicNanoseconds())
      guard isDue else { return }
      batch = (0, scheduled)
    }
    guard var batch else { return }
    let rows = feed.generator.write(
      atMost: min(Self.pieceRowCount, feed.batchRowCount - batch.rowCount), to: outbound)
    feed.generated(rows)
    batch.rowCount += rows
    self.batch = batch
    isExhausted = rows == 0
    if batch.rowCount == feed.batchRowCount || (isExhausted && batch.rowCount > 0) { endBatch(batch) }
  }

  private func endBatch(_ batch: (rowCount: Int, scheduled: Int64)) {
    batchNumber += 1
    outbound.append(contentsOf: Buffer(Array("#sync \(batchNumber)\n".utf8)))
    // Forgets those that were answered now and then, in a piece.
    if answered >= 64 {
      flights.removeFirst(answered)
      answered = 0
    }
    flights.append(Flight(rowCount: batch.rowCount, scheduled: batch.scheduled))
    self.batch = nil
  }

  private func receive() throws -> Bool {
    switch try socket.receiveSome(into: inbound) {
    case .nothing: return false
    case .end:
      throw VarveError(.inputOutput, "the server closed the connection before it acknowledged all rows")
    case .bytes: break
    }
    let now = clock.monotonicNanoseconds()
    var start = 0
    while let end = inbound.span[start...].firstIndex(of: 0x0A) {
      try answer(String(decoding: inbound.span[start..<end], as: UTF8.self), now)
      start = end + 1
    }
    inbound.base.update(from: inbound.base + start, count: inbound.count - start)
    inbound.count -= start
    return true
  }

  private func answer(_ line: String, _ now: Int64) throws {
    let fields = LineProtocolClient.fields(line)
    if pendingErrorLines > 0 {
      pendingErrorLines -= 1
      // The last line counts those that are not spelled out.
      if let message = fields["message"] { feed.rejected(rows: 0, "line \(fields["line"] ?? "?"): \(message)") }
      return
    }
    guard answered < flights.count, let rows = fields["rows"].flatMap({ Int($0) }),
      let rejected = fields["rejected"].flatMap({ Int($0) }), line.contains(" ok ")
    else {
      if let message = fields["message"], line.contains(" error ") {
        throw VarveError(.inputOutput, "the server refused: \(message)")
      }
      throw VarveError(.inputOutput, "this is no line protocol port of Varve: it answered '\(line.prefix(100))'")
    }
    let flight = flights[answered]
    answered += 1
    feed.acknowledged(rows: rows, scheduled: flight.scheduled, now: now)
    guard rejected > 0 else { return }
    feed.rejected(rows: rejected, nil)
    pendingErrorLines = min(rejected, Limits.reportedRejections) + (rejected > Limits.reportedRejections ? 1 : 0)
  }
}
