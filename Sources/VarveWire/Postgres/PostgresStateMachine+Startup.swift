// Up to the session: requests for encryption are declined, then comes the startup packet, or a stranger.

import VarveCore

extension PostgresStateMachine {
  /// nil: something was consumed, ask again.
  mutating func nextAtStartup() -> Action? {
    let available = inbound.count - consumed
    guard available >= 4 else { return .wait }
    let length = Int(bigEndianUInt32(at: consumed))
    // The length counts itself, and a code follows in every packet.
    guard length >= 8, length <= PostgresLimits.startupPacketByteCount else {
      StrangerAtStartup(inbound[consumed...]).answer(to: writer)
      close()
      return nil
    }
    guard available >= length else { return .wait }
    let body = consumed + 4..<consumed + length
    consumed += length
    do throws(PostgresError) {
      return try act(on: try StartupPacket(body: inbound[body]))
    } catch {
      terminate(error)
      return nil
    }
  }

  private mutating func act(on packet: StartupPacket) throws(PostgresError) -> Action? {
    switch packet {
    case .sslRequest:
      if sawSSLRequest { throw Self.repeatedRequest(code: 5679) }
      sawSSLRequest = true
      writer.buffer.append(UInt8(ascii: "N"))
      return .flush
    case .gssEncryptionRequest:
      if sawGSSRequest { throw Self.repeatedRequest(code: 5680) }
      sawGSSRequest = true
      writer.buffer.append(UInt8(ascii: "N"))
      return .flush
    case .cancelRequest(let processID, let secretKey):
      close()
      return .cancel(processID: processID, secretKey: secretKey)
    case .startup(let parameters, let minorVersion, let unknownOptions):
      if minorVersion > 0 || !unknownOptions.isEmpty {
        writer.negotiateProtocolVersion(unknownOptions: unknownOptions)
      }
      phase = .starting
      return .startUp(parameters)
    }
  }

  private static func repeatedRequest(code: Int) -> PostgresError {
    PostgresError(.fatal, "0A000", "unsupported frontend protocol 1234.\(code): server supports 3.0 to 3.0")
  }

  func bigEndianUInt32(at index: Int) -> UInt32 {
    inbound[index..<(index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
