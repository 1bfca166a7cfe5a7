// COPY … FROM STDIN: what the client sends is passed on as it comes, however its messages are cut.

import VarveCore

extension PostgresStateMachine {
  /// Instead of rows: the client is to send data. The answer to the statement follows `copyDone` or `copyFailed`.
  package mutating func beginCopyIn(format: FormatCode, columnCount: Int) {
    switch phase {
    case .busy(.simpleQuery(failed: false)), .busy(.execute): break
    default: preconditionFailure("beginCopyIn() without simpleQuery or execute")
    }
    guard case .busy(let work) = phase else { return }
    writer.copyInResponse(format: format, columnCount: columnCount)
    phase = .copying(work)
    flushNext = true
  }

  /// What `.copyData` is about.
  package func withCopyData<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try inbound.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[copyDataPiece])) }
  }

  /// True: `withCopyData` has more. The same as asking `next`, for clients that send each row in a message of its own.
  package mutating func nextCopyData() -> Bool {
    guard case .copying = phase else { return false }
    return takeCopyData()
  }

  /// Takes what has come of CopyData; false: nothing, or another message is next.
  mutating func takeCopyData() -> Bool {
    while copyDataRemaining == 0 {
      guard inbound.count - consumed >= 5, inbound[consumed] == FrontendMessageKind.copyData.rawValue else {
        return false
      }
      let length = inbound.withUnsafeBytes {
        Int(UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: consumed + 1, as: UInt32.self)))
      }
      guard length > 4, length - 4 <= FrontendMessageKind.copyData.byteLimit else { return false }
      consumed += 5
      copyDataRemaining = length - 4
    }
    let count = min(inbound.count - consumed, copyDataRemaining)
    guard count > 0 else { return false }
    copyDataPiece = consumed..<(consumed + count)
    consumed += count
    copyDataRemaining -= count
    return true
  }

  /// Any other message within a COPY.
  mutating func next(
    inCopyFor work: Work, _ kind: FrontendMessageKind, _ body: ArraySlice<UInt8>
  ) -> Action? {
    switch kind {
    case .flush, .sync:
      // A client that sends Execute and Sync together does not know yet that it is a COPY.
      return nil
    case .terminate:
      close()
      return .close
    case .copyDone:
      phase = .busy(work)
      return .copyDone
    case .copyFail:
      phase = .busy(work)
      var reader = WireReader(body)
      do throws(PostgresError) {
        return .copyFailed(PostgresError("57014", "COPY from stdin failed: \(try reader.string())"))
      } catch {
        return .copyFailed(error)
      }
    default:
      phase = .busy(work)
      let code = String(kind.rawValue, radix: 16, uppercase: true)
      return .copyFailed(.protocolViolation("unexpected message type 0x\(code) during COPY from stdin"))
    }
  }
}
