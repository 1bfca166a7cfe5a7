// What the server says ("Message Formats", protocol 3.0), appended to a buffer.
//
// A message is begun, filled and ended; ending writes its length into the place that beginning left for it.
// Names and texts cannot hold NUL on the wire: it is left out.

import VarveCore

/// Where a connection stands towards transactions, as ReadyForQuery tells it.
package enum TransactionStatus: UInt8, Sendable {
  case idle = 0x49  // I
  case inTransaction = 0x54  // T
  case failed = 0x45  // E
}

/// One column of a result, as RowDescription tells it.
package struct ResultColumn: Equatable, Sendable {
  package var name: String
  /// The table's object id and the column's attribute number; 0 if it is no plain column.
  package var tableOID: UInt32
  package var attributeNumber: Int16
  package var typeOID: UInt32
  /// Bytes of a value; negative: variable.
  package var typeSize: Int16
  package var typeModifier: Int32

  package init(
    name: String, tableOID: UInt32 = 0, attributeNumber: Int16 = 0, typeOID: UInt32, typeSize: Int16,
    typeModifier: Int32 = -1
  ) {
    self.name = name
    self.tableOID = tableOID
    self.attributeNumber = attributeNumber
    self.typeOID = typeOID
    self.typeSize = typeSize
    self.typeModifier = typeModifier
  }
}

/// Appends backend messages to its buffer. Used by one thread at a time.
@usableFromInline package struct BackendWriter {
  @usableFromInline package let buffer: Buffer<UInt8>

  package init(_ buffer: Buffer<UInt8> = Buffer()) { self.buffer = buffer }

  package var byteCount: Int { buffer.count }

  // MARK: Parts of messages

  /// Starts a message; `end` takes what it returns.
  @inlinable package func begin(_ type: Unicode.Scalar) -> Int {
    buffer.append(UInt8(truncatingIfNeeded: type.value))
    let start = buffer.count
    buffer.append(repeating: 0, count: 4)
    return start
  }

  @inlinable package func end(_ start: Int) {
    let length = buffer.count - start
    precondition(length <= Int32.max, "a message beyond its 32-bit length")
    patch(Int32(truncatingIfNeeded: length), at: start)
  }

  @inlinable package func patch(_ value: Int32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= buffer.count)
    UnsafeMutableRawPointer(buffer.base + offset).storeBytes(of: value.bigEndian, as: Int32.self)
  }

  @inlinable package func int16(_ value: Int16) { fixedWidth(value.bigEndian, byteCount: 2) }
  @inlinable package func int32(_ value: Int32) { fixedWidth(value.bigEndian, byteCount: 4) }
  @inlinable package func int64(_ value: Int64) { fixedWidth(value.bigEndian, byteCount: 8) }
  @inlinable package func uint32(_ value: UInt32) { int32(Int32(bitPattern: value)) }

  @inlinable package func fixedWidth<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, byteCount: Int) {
    buffer.reserve(byteCount)
    UnsafeMutableRawPointer(buffer.base + buffer.count).storeBytes(of: value, as: Value.self)
    buffer.count += byteCount
  }

  package func raw(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { buffer.append($0) } }

  package func string(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      if utf8.contains(0) {
        for byte in utf8 where byte != 0 { buffer.append(byte) }
      } else {
        buffer.append(utf8)
      }
    }
    buffer.append(0)
  }

  // MARK: Session

  package func authenticationOk() {
    let start = begin("R")
    int32(0)
    end(start)
  }

  package func negotiateProtocolVersion(unknownOptions: [String]) {
    let start = begin("v")
    int32(3 << 16)
    int32(Int32(unknownOptions.count))
    for option in unknownOptions { string(option) }
    end(start)
  }

  package func parameterStatus(_ name: String, _ value: String) {
    let start = begin("S")
    string(name)
    string(value)
    end(start)
  }

  package func backendKeyData(processID: Int32, secretKey: Int32) {
    let start = begin("K")
    int32(processID)
    int32(secretKey)
    end(start)
  }

  package func readyForQuery(_ status: TransactionStatus) {
    let start = begin("Z")
    buffer.append(status.rawValue)
    end(start)
  }

  package func notification(processID: Int32, channel: String, payload: String) {
    let start = begin("A")
    int32(processID)
    string(channel)
    string(payload)
    end(start)
  }

  // MARK: Errors and notices

  package func error(_ error: PostgresError) { fields("E", error) }
  package func notice(_ notice: PostgresError) { fields("N", notice) }

  private func fields(_ type: Unicode.Scalar, _ error: PostgresError) {
    let start = begin(type)
    field("S", error.severity.rawValue)
    field("V", error.severity.rawValue)
    field("C", error.sqlState)
    field("M", error.message)
    if let detail = error.detail { field("D", detail) }
    if let hint = error.hint { field("H", hint) }
    if let position = error.position { field("P", String(position)) }
    if let context = error.context { field("W", context) }
    buffer.append(0)
    end(start)
  }

  private func field(_ code: Unicode.Scalar, _ value: String) {
    buffer.append(UInt8(truncatingIfNeeded: code.value))
    string(value)
  }
}
