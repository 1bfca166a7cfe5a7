// SQL over the PostgreSQL wire: a batch a COPY, or a batch of prepared INSERTs of many rows up to one Sync; the next one
// when it is answered.

import VarveCore
import VarveIO
import VarveServer

final class StatementLane: Lane {
  enum Kind { case copy, insert }

  private enum State {
    /// The next batch is to be made.
    case idle
    /// COPY was sent, or is being; its rows go when the server asks for them.
    case opening
    /// Rows are on their way, or at the server.
    case waiting
    case finished
  }

  let feed: LaneFeed
  private let kind: Kind
  private let stream: PostgresStream
  private let statements: RowStatements
  private let clock: any Clock
  private var state = State.idle

  /// On its way, of which so much has gone.
  private var outbound = Buffer<UInt8>()
  private var sentByteCount = 0
  /// COPY's rows until the server asks for them.
  private var held = Buffer<UInt8>()
  private var batch = (rowCount: 0, scheduled: Int64(0))
  /// INSERTs that are prepared, by their rows.
  private var prepared: Set<Int> = []

  /// Of the answer as far as it has come.
  private var answeredRowCount = 0
  private var failure: String?
  private var isAnswered = false

  init(_ kind: Kind, _ feed: LaneFeed, _ stream: PostgresStream, _ statements: RowStatements, clock: any Clock) {
    self.kind = kind
    self.feed = feed
    self.stream = stream
    self.statements = statements
    self.clock = clock
  }

  var isFinished: Bool { if case .finished = state { true } else { false } }
  var nextDue: Int64? { if case .idle = state { feed.pace.due ?? 0 } else { nil } }
  var waiting: (socket: ClientSocket, forSending: Bool)? { (stream.socket, sentByteCount < outbound.count) }

  func step() throws -> Bool {
    if case .idle = state { return begin() }
    if isFinished { return false }
    let sent = try send()
    let received = try receive()
    // Rows that were refused early are sent to their end, or the next message would be taken for the rest of theirs.
    if isAnswered, sentByteCount == outbound.count { state = .idle }
    return sent || received
  }

  private func begin() -> Bool {
    let (isDue, scheduled) = feed.mayBegin(clock.monotonicNanoseconds())
    guard isDue else { return false }
    outbound.count = 0
    sentByteCount = 0
    held.count = 0
    let rows =
      switch kind {
      case .copy: makeCopy()
      case .insert: makeInserts()
      }
    guard rows > 0 else {
      outbound.count = 0
      state = .finished
      return true
    }
    feed.generated(rows)
    batch = (rows, scheduled)
    answeredRowCount = 0
    failure = nil
    isAnswered = false
    state = kind == .copy ? .opening : .waiting
    return true
  }

  // MARK: what is sent

  /// Rows go in messages of so many.
  private static let pieceRowCount = 512

  private func makeCopy() -> Int {
    outbound.appendMessage(0x51) { $0.append(bytes: Array(statements.copy.utf8) + [0]) }
    // The signature, no flags, no extension.
    held.appendMessage(0x64) {
      $0.append(bytes: Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + Array(repeating: 0, count: 8))
    }
    var rows = 0
    while rows < feed.batchRowCount {
      let limit = min(Self.pieceRowCount, feed.batchRowCount - rows)
      var count = 0
      held.appendMessage(0x64) { count = feed.generator.write(atMost: limit, to: $0) }
      rows += count
      if count < limit { break }
    }
    held.appendMessage(0x64) { $0.append(bytes: [0xFF, 0xFF]) }
    held.appendMessage(0x63) { _ in }
    return rows
  }

  private func makeInserts() -> Int {
    var rows = 0
    let values = held
    while rows < feed.batchRowCount {
      let limit = min(statements.insertRowLimit, feed.batchRowCount - rows)
      values.count = 0
      let count = feed.generator.write(atMost: limit, to: values)
      if count == 0 { break }
      rows += count
      prepare(count)
      outbound.appendMessage(0x42) { out in
        // The portal without a name; all parameters in binary format, no formats of results.
        out.append(bytes: Array("\0rows_\(count)\0".utf8) + [0, 1, 0, 1])
        out.appendUInt16(statements.parameterCount(rowCount: count))
        out.append(contentsOf: values)
        out.appendUInt16(0)
      }
      // The portal without a name, all its rows.
      outbound.appendMessage(0x45) { $0.append(bytes: [0, 0, 0, 0, 0]) }
    }
    outbound.appendMessage(0x53) { _ in }
    return rows
  }

  private func prepare(_ rowCount: Int) {
    guard prepared.insert(rowCount).inserted else { return }
    outbound.appendMessage(0x50) { out in
      out.append(bytes: Array("rows_\(rowCount)\0\(statements.insert(rowCount: rowCount))\0".utf8))
      out.appendUInt16(statements.parameterCount(rowCount: rowCount))
      let types = statements.parameterTypes.flatMap { PostgresStream.bigEndian(Int($0)) }
      for _ in 0..<rowCount { out.append(bytes: types) }
    }
  }

  private func send() throws -> Bool {
    guard sentByteCount < outbound.count else { return false }
    let count = try stream.socket.sendSome(
      UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(outbound.span)[sentByteCount...]))
    sentByteCount += count
    feed.sent(count)
    return count > 0
  }

  // MARK: what is answered

  private func receive() throws -> Bool {
    guard try stream.receiveSome() else { return false }
    while let message = try stream.received() {
      switch message.type {
      case "G":
        guard case .opening = state else { throw PostgresStream.violation("rows of a COPY are asked for twice") }
        swap(&outbound, &held)
        sentByteCount = 0
        state = .waiting
      case "C": answeredRowCount += try message.text().split(separator: " ").last.flatMap { Int($0) } ?? 0
      case "E":
        let error = try message.error()
        failure =
          failure ?? ([error.message] + [error.detail, error.context].compactMap { $0 }).joined(separator: "; ")
      case "Z": try endBatch()
      // ParseComplete, BindComplete, and what a server may say at any time.
      case "1", "2", "N", "S", "A": break
      default: throw PostgresStream.violation("message '\(message.type)' to rows")
      }
    }
    return true
  }

  private func endBatch() throws {
    let now = clock.monotonicNanoseconds()
    if let failure {
      feed.rejected(rows: batch.rowCount, failure)
    } else if answeredRowCount == batch.rowCount {
      feed.acknowledged(rows: batch.rowCount, scheduled: batch.scheduled, now: now)
    } else {
      throw VarveError(
        .inputOutput, "the server has taken \(answeredRowCount) of \(batch.rowCount) rows, and says no more")
    }
    isAnswered = true
  }
}

extension Buffer<UInt8> {
  /// A message of this type around what `body` appends.
  fileprivate func appendMessage(_ type: UInt8, _ body: (Buffer<UInt8>) -> Void) {
    append(type)
    let start = count
    append(repeating: 0, count: 4)
    body(self)
    for (index, byte) in PostgresStream.bigEndian(count - start).enumerated() { self[start + index] = byte }
  }

  fileprivate func append(bytes: [UInt8]) { bytes.withUnsafeBufferPointer { append($0) } }

  fileprivate func appendUInt16(_ value: Int) {
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }
}
