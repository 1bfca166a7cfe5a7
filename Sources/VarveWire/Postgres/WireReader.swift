// Reads the body of one message. Total: what isn't there is a protocol violation, never a trap.

/// A cursor over one message body; integers are big-endian.
struct WireReader {
  private let bytes: ArraySlice<UInt8>
  private var index: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    index = bytes.startIndex
  }

  var remaining: Int { bytes.endIndex - index }

  mutating func byte() throws(PostgresError) -> UInt8 {
    guard remaining >= 1 else { throw Self.insufficient }
    defer { index += 1 }
    return bytes[index]
  }

  mutating func uint16() throws(PostgresError) -> UInt16 {
    guard remaining >= 2 else { throw Self.insufficient }
    defer { index += 2 }
    return UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1])
  }

  mutating func uint32() throws(PostgresError) -> UInt32 {
    guard remaining >= 4 else { throw Self.insufficient }
    defer { index += 4 }
    return bytes[index..<(index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
  }

  mutating func int32() throws(PostgresError) -> Int32 { Int32(bitPattern: try uint32()) }

  mutating func bytes(_ count: Int) throws(PostgresError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else { throw Self.insufficient }
    defer { index += count }
    return bytes[index..<(index + count)]
  }

  /// A string up to its NUL.
  mutating func string() throws(PostgresError) -> String {
    guard let end = bytes[index...].firstIndex(of: 0) else { throw .protocolViolation("invalid string in message") }
    let raw = bytes[index..<end]
    index = end + 1
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw PostgresError("22021", "invalid byte sequence for encoding \"UTF8\"")
    }
    return text
  }

  /// Throws unless the body was read to its end.
  func finish() throws(PostgresError) {
    guard remaining == 0 else { throw .protocolViolation("invalid message format") }
  }

  private static let insufficient = PostgresError.protocolViolation("insufficient data left in message")
}
