// Line protocol over HTTP: a batch a request, the next one when it is answered. A server that has no room for now (503)
// gets the same batch again when it asked for it.

import VarveCore
import VarveIO
import VarveServer

final class RequestLane: Lane {
  private enum State {
    /// The next batch is to be made.
    case idle
    /// It is on its way, or at the server.
    case waiting
    /// To be sent once more, at this time.
    case retry(Int64)
    case finished
  }

  let feed: LaneFeed
  private let address: ListenAddress
  private let clock: any Clock
  private var socket: ClientSocket?
  private var state = State.idle

  private let head = Buffer<UInt8>()
  private let body = Buffer<UInt8>()
  private var sentByteCount = 0
  private var batch = (rowCount: 0, scheduled: Int64(0))
  private let inbound = Buffer<UInt8>()

  init(_ feed: LaneFeed, _ address: ListenAddress, clock: any Clock) throws {
    self.feed = feed
    self.address = address
    self.clock = clock
    socket = try ClientSocket(host: address.host, port: address.port)
  }

  var isFinished: Bool { if case .finished = state { true } else { false } }
  var nextDue: Int64? {
    switch state {
    case .idle: feed.pace.due ?? 0
    case .retry(let time): time
    case .waiting, .finished: nil
    }
  }
  var waiting: (socket: ClientSocket, forSending: Bool)? {
    guard case .waiting = state else { return nil }
    return socket.map { ($0, isSending) }
  }

  private var isSending: Bool { if case .waiting = state { sentByteCount < head.count + body.count } else { false } }

  func step() throws -> Bool {
    switch state {
    case .idle: return try begin()
    case .retry(let time):
      guard time <= clock.monotonicNanoseconds() else { return false }
      sentByteCount = 0
      state = .waiting
      return true
    case .waiting:
      let sent = try send()
      let received = try receive()
      return sent || received
    case .finished: return false
    }
  }

  private func begin() throws -> Bool {
    let (isDue, scheduled) = feed.mayBegin(clock.monotonicNanoseconds())
    guard isDue else { return false }
    body.count = 0
    let rows = feed.generator.write(atMost: feed.batchRowCount, to: body)
    guard rows > 0 else {
      state = .finished
      return true
    }
    feed.generated(rows)
    batch = (rows, scheduled)
    head.count = 0
    let text = "POST /write?db=varve HTTP/1.1\r\nHost: \(address)\r\nContent-Length: \(body.count)\r\n\r\n"
    head.append(contentsOf: Buffer(Array(text.utf8)))
    sentByteCount = 0
    state = .waiting
    return true
  }

  private func send() throws -> Bool {
    guard isSending else { return false }
    let socket = try self.socket ?? ClientSocket(host: address.host, port: address.port)
    self.socket = socket
    let (part, offset) = sentByteCount < head.count ? (head, sentByteCount) : (body, sentByteCount - head.count)
    let count = try socket.sendSome(
      UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(part.span)[offset...]))
    sentByteCount += count
    feed.sent(count)
    return count > 0
  }

  private func receive() throws -> Bool {
    guard let socket else { return false }
    switch try socket.receiveSome(into: inbound) {
    case .nothing: return false
    case .end:
      throw VarveError(.inputOutput, "the server closed the connection before it answered the request")
    case .bytes: break
    }
    guard let response = try HTTPResponse.take(from: inbound) else { return true }
    // Whoever is answered early does not go on with what the server has not read.
    if response.closes || isSending {
      self.socket = nil
      inbound.count = 0
    }
    let now = clock.monotonicNanoseconds()
    switch response.status {
    case 200..<300:
      feed.acknowledged(rows: batch.rowCount, scheduled: batch.scheduled, now: now)
      state = .idle
    case 503, 429:
      feed.retryCount += 1
      state = .retry(now + Int64(response.retryAfterSeconds ?? 1) * 1_000_000_000)
    case 400:
      let rejected = min(batch.rowCount, Self.rejectedCount(response.body) ?? batch.rowCount)
      feed.acknowledged(rows: batch.rowCount - rejected, scheduled: batch.scheduled, now: now)
      feed.rejected(rows: rejected, Self.message(response.body))
      state = .idle
    default:
      throw VarveError(.inputOutput, "the server answered \(response.status): \(response.body.prefix(500))")
    }
    return true
  }

  /// Of the answer's JSON.
  private static func message(_ body: String) -> String {
    let name = "\"message\":"
    guard let start = body.indices.first(where: { body[$0...].hasPrefix(name) }) else {
      return String(body.prefix(500))
    }
    // A string behind an equals sign is what answers over TCP have.
    return LineProtocolClient.fields("message=" + body[start...].dropFirst(name.count))["message"] ?? body
  }

  /// Of `partial write: 3 lines were rejected, 97 written`.
  private static func rejectedCount(_ body: String) -> Int? {
    let words = body.split { $0 == " " || $0 == "\"" }
    guard let index = words.firstIndex(of: "write:"), index + 1 < words.count else { return nil }
    return Int(words[index + 1])
  }
}
