// What a client says once it is connected ("Message Formats", protocol 3.0): a type byte, a length that counts
// itself, a body. Startup packets, which have no type byte, are in StartupPacket.swift.

/// Text (0) or binary (1) form of a value.
package enum FormatCode: Int16, Sendable {
  case text = 0
  case binary = 1
}

/// A parameter of Bind as it came.
package struct ParameterValue: Equatable, Sendable {
  package var format: FormatCode
  /// nil: NULL.
  package var bytes: [UInt8]?
  package init(format: FormatCode, bytes: [UInt8]?) {
    self.format = format
    self.bytes = bytes
  }
}

enum FrontendMessage: Equatable {
  case query(String)
  case parse(statement: String, sql: String, parameterTypes: [UInt32])
  case bind(portal: String, statement: String, parameters: [ParameterValue], resultFormats: [FormatCode])
  case describeStatement(String)
  case describePortal(String)
  /// A limit of 0 or less: all rows.
  case execute(portal: String, rowLimit: Int32)
  case closeStatement(String)
  case closePortal(String)
  case flush
  case sync
  case functionCall
  case terminate
  /// CopyDone, CopyFail: without a running COPY these are leftovers of one that failed.
  case copy
}

/// The type byte of a message.
enum FrontendMessageKind: UInt8 {
  case query = 0x51  // Q
  case parse = 0x50  // P
  case bind = 0x42  // B
  case describe = 0x44  // D
  case execute = 0x45  // E
  case close = 0x43  // C
  case flush = 0x48  // H
  case sync = 0x53  // S
  case functionCall = 0x46  // F
  case terminate = 0x58  // X
  case copyData = 0x64  // d
  case copyDone = 0x63  // c
  case copyFail = 0x66  // f

  var byteLimit: Int {
    switch self {
    case .query, .parse, .bind, .functionCall: PostgresLimits.messageByteCount
    case .copyData: PostgresLimits.copyDataByteCount
    default: PostgresLimits.smallMessageByteCount
    }
  }

  /// An error in one of these is followed by silence up to the next Sync.
  var isExtendedQuery: Bool {
    switch self {
    case .parse, .bind, .describe, .execute, .close, .flush: true
    default: false
    }
  }
}

extension FrontendMessage {
  init(_ kind: FrontendMessageKind, body: ArraySlice<UInt8>) throws(PostgresError) {
    var reader = WireReader(body)
    switch kind {
    case .query:
      self = .query(try reader.string())
    case .parse:
      let statement = try reader.string()
      let sql = try reader.string()
      let count = try reader.uint16()
      var types: [UInt32] = []
      for _ in 0..<count { types.append(try reader.uint32()) }
      self = .parse(statement: statement, sql: sql, parameterTypes: types)
    case .bind:
      self = try Self.bind(&reader)
    case .describe:
      let subject = try reader.byte()
      let name = try reader.string()
      switch subject {
      case UInt8(ascii: "S"): self = .describeStatement(name)
      case UInt8(ascii: "P"): self = .describePortal(name)
      default: throw .protocolViolation("invalid DESCRIBE message subtype \(subject)")
      }
    case .execute:
      self = .execute(portal: try reader.string(), rowLimit: try reader.int32())
    case .close:
      let subject = try reader.byte()
      let name = try reader.string()
      switch subject {
      case UInt8(ascii: "S"): self = .closeStatement(name)
      case UInt8(ascii: "P"): self = .closePortal(name)
      default: throw .protocolViolation("invalid CLOSE message subtype \(subject)")
      }
    // The bodies of the following aren't looked into: the answer doesn't depend on them.
    case .flush:
      self = .flush
      return
    case .sync:
      self = .sync
      return
    case .functionCall:
      self = .functionCall
      return
    case .terminate:
      self = .terminate
      return
    case .copyData, .copyDone, .copyFail:
      self = .copy
      return
    }
    try reader.finish()
  }

  private static func bind(_ reader: inout WireReader) throws(PostgresError) -> FrontendMessage {
    let portal = try reader.string()
    let statement = try reader.string()
    let formats = try formatCodes(&reader)
    let count = Int(try reader.uint16())
    guard formats.count <= 1 || formats.count == count else {
      throw .protocolViolation("bind message has \(formats.count) parameter formats but \(count) parameters")
    }
    var parameters: [ParameterValue] = []
    for i in 0..<count {
      let format = formats.isEmpty ? .text : formats[formats.count == 1 ? 0 : i]
      let length = try reader.int32()
      let bytes = length == -1 ? nil : Array(try reader.bytes(Int(length)))
      parameters.append(ParameterValue(format: format, bytes: bytes))
    }
    return .bind(
      portal: portal, statement: statement, parameters: parameters, resultFormats: try formatCodes(&reader))
  }

  private static func formatCodes(_ reader: inout WireReader) throws(PostgresError) -> [FormatCode] {
    let count = try reader.uint16()
    var formats: [FormatCode] = []
    for _ in 0..<count {
      let code = Int16(bitPattern: try reader.uint16())
      guard let format = FormatCode(rawValue: code) else {
        throw PostgresError("22023", "unsupported format code: \(code)")
      }
      formats.append(format)
    }
    return formats
  }
}
