// A client's messages, and a server that answers each action of the state machine in the simplest way.

import VarveCore

@testable import VarveWire

/// Frontend messages as bytes.
enum Client {
  static func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
    [type.asciiValue!] + int32(Int32(body.count + 4)) + body
  }
  static func int16(_ v: Int) -> [UInt8] { [UInt8(truncatingIfNeeded: v >> 8), UInt8(truncatingIfNeeded: v)] }
  static func int32(_ v: Int32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: v >> (24 - 8 * Int32($0))) } }
  static func string(_ s: String) -> [UInt8] { Array(s.utf8) + [0] }
  static func packet(_ body: [UInt8]) -> [UInt8] { int32(Int32(body.count + 4)) + body }

  static let sslRequest = packet(int32(80_877_103))
  static let gssRequest = packet(int32(80_877_104))
  static func startup(version: Int32 = 3 << 16, _ parameters: [(String, String)] = [("user", "u")]) -> [UInt8] {
    packet(int32(version) + parameters.flatMap { string($0.0) + string($0.1) } + [0])
  }
  static func cancel(_ pid: Int32, _ key: Int32) -> [UInt8] { packet(int32(80_877_102) + int32(pid) + int32(key)) }

  static func query(_ sql: String) -> [UInt8] { message("Q", string(sql)) }
  static func parse(_ name: String = "", _ sql: String, _ types: [Int32] = []) -> [UInt8] {
    message("P", string(name) + string(sql) + int16(types.count) + types.flatMap(int32))
  }
  static func bind(
    _ portal: String = "", _ statement: String = "", formats: [Int] = [], values: [[UInt8]?] = [],
    results: [Int] = []
  ) -> [UInt8] {
    message(
      "B",
      string(portal) + string(statement) + int16(formats.count) + formats.flatMap(int16) + int16(values.count)
        + values.flatMap { $0.map { int32(Int32($0.count)) + $0 } ?? int32(-1) }
        + int16(results.count) + results.flatMap(int16))
  }
  static func describe(_ subject: Character, _ name: String = "") -> [UInt8] {
    message("D", [subject.asciiValue!] + string(name))
  }
  static func execute(_ portal: String = "", limit: Int32 = 0) -> [UInt8] {
    message("E", string(portal) + int32(limit))
  }
  static func close(_ subject: Character, _ name: String = "") -> [UInt8] {
    message("C", [subject.asciiValue!] + string(name))
  }
  static let sync = message("S")
  static let flush = message("H")
  static let terminate = message("X")
}

/// Backend messages taken apart again.
struct Reply: Equatable, CustomStringConvertible {
  var type: Character
  var body: [UInt8]
  var description: String { "\(type)\(body)" }

  static func split(_ bytes: [UInt8]) -> [Reply] {
    var replies: [Reply] = []
    var i = 0
    while i + 5 <= bytes.count {
      let length = bytes[(i + 1)..<(i + 5)].reduce(0) { $0 << 8 | Int($1) }
      guard length >= 4, i + 1 + length <= bytes.count else { break }
      replies.append(
        Reply(type: Character(Unicode.Scalar(bytes[i])), body: Array(bytes[(i + 5)..<(i + 1 + length)])))
      i += 1 + length
    }
    return replies
  }

  /// Of an error or notice.
  func field(_ code: Character) -> String? {
    for part in body.split(separator: 0) where part.first == code.asciiValue {
      return String(decoding: part.dropFirst(), as: UTF8.self)
    }
    return nil
  }
}

/// Plays both sides: feeds bytes, answers actions, and writes down what happened.
///
/// SQL texts are commands: `fail` fails, `fatal` fails fatally, `rows N` has N rows of one int4 column, `params N`
/// takes N parameters, `copy` takes data up to `x`, which fails, `begin` and `commit` do that, an empty text is an empty
/// query.
struct Conversation {
  var machine = PostgresStateMachine<String, String>()
  var actions: [String] = []
  var output: [UInt8] = []
  var transaction: TransactionStatus = .idle
  var closed = false
  /// Data of COPY, message by message as it was passed on, and all of it.
  var copied: [UInt8] = []
  /// What is left of a simple query behind its COPY; nil: the COPY is of an Execute.
  private var rest: [String]?
  private var isCopying = false
  static let column = ResultColumn(name: "n", typeOID: 23, typeSize: 4)

  var replies: [Reply] { Reply.split(output) }
  var replyTypes: String { String(replies.map(\.type)) }
  var lastError: Reply? { replies.last { $0.type == "E" } }

  /// A conversation past its startup, with nothing noted yet.
  static func started() -> Conversation {
    var conversation = Conversation()
    conversation.send(Client.startup())
    conversation.actions = []
    conversation.output = []
    return conversation
  }

  mutating func send(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { machine.receive($0) }
    run()
  }

  mutating func run() {
    while true {
      let action = machine.next()
      answer(action)
      output += machine.writer.buffer.array
      machine.writer.buffer.count = 0
      switch action {
      case .wait: return
      case .close:
        closed = true
        return
      default: continue
      }
    }
  }

  private static func columns(of sql: String) -> [ResultColumn]? { sql.hasPrefix("rows") ? [column] : nil }
  private static func count(_ sql: String) -> Int { Int(sql.split(separator: " ").last ?? "") ?? 0 }

  private mutating func answer(_ action: PostgresStateMachine<String, String>.Action) {
    switch action {
    case .wait, .close: break
    case .flush: actions.append("flush")
    case .startUp(let parameters):
      actions.append("startUp \(parameters.user)@\(parameters.database)")
      machine.accepted(parameterStatus: [("k", "v")], processID: 7, secretKey: 9)
    case .cancel(let processID, let secretKey): actions.append("cancel \(processID) \(secretKey)")
    case .simpleQuery(let text):
      actions.append("query \(text)")
      runAll(text.split(separator: ";", omittingEmptySubsequences: false).map(String.init))
    case .parse(let sql, let types):
      actions.append("parse \(sql) \(types)")
      if sql == "fail parse" {
        machine.failed(PostgresError("42601", "no"))
      } else {
        let count = sql.hasPrefix("params") ? Self.count(sql) : 0
        machine.parsed(sql, parameterTypes: Array(repeating: 23, count: count), columns: Self.columns(of: sql))
      }
    case .bind(let statement, let values, _):
      actions.append(
        "bind \(statement) \(values.map { $0.bytes.map { String(decoding: $0, as: UTF8.self) } ?? "NULL" })")
      machine.bound(statement)
    case .execute(let portal, let formats, let limit):
      actions.append("execute \(portal) \(formats.map(\.rawValue)) \(limit.map(String.init) ?? "all")")
      _ = run(portal, limit: limit, simple: false)
    case .synchronize(let failed):
      actions.append("synchronize \(failed ? "failed" : "ok")")
      if failed && transaction == .inTransaction { transaction = .failed }
      machine.finished(transaction)
    case .copyData:
      actions.append("data")
      var fails = false
      repeat {
        machine.withCopyData { copied += Array($0) }
        fails = copied.last == UInt8(ascii: "x")
      } while !fails && machine.nextCopyData()
      if fails { endCopy(PostgresError("22P04", "an x")) }
    case .copyDone:
      actions.append("done")
      endCopy(nil)
    case .copyFailed(let error):
      actions.append("fail \(error.message)")
      endCopy(error)
    }
  }

  private mutating func endCopy(_ error: PostgresError?) {
    isCopying = false
    if let error {
      machine.failed(error)
    } else {
      machine.commandComplete("COPY \(copied.count)", transaction: transaction)
    }
    guard let rest else { return }
    self.rest = nil
    if error == nil { return runAll(rest) }
    if transaction == .inTransaction { transaction = .failed }
    machine.finished(transaction)
  }

  private mutating func runAll(_ statements: [String]) {
    var failed = false
    for (index, sql) in statements.enumerated() {
      guard run(sql, limit: nil, simple: true) else {
        failed = true
        break
      }
      if isCopying {
        rest = Array(statements[(index + 1)...])
        return
      }
    }
    if machine.isClosed { return }
    if failed && transaction == .inTransaction { transaction = .failed }
    machine.finished(transaction)
  }

  private mutating func run(_ sql: String, limit: Int?, simple: Bool) -> Bool {
    switch sql {
    case "fail":
      machine.failed(PostgresError("22012", "division by zero", position: 3))
      return false
    case "fatal":
      machine.failed(PostgresError(.fatal, "57P01", "bye"))
      return false
    case "": machine.emptyQuery()
    case "copy":
      copied = []
      isCopying = true
      machine.beginCopyIn(format: .binary, columnCount: 2)
    case "begin":
      transaction = .inTransaction
      machine.commandComplete("BEGIN", transaction: transaction)
    case "commit":
      transaction = .idle
      machine.commandComplete("COMMIT", transaction: transaction)
    default:
      guard let columns = Self.columns(of: sql) else {
        machine.commandComplete("OK", transaction: transaction)
        return true
      }
      if simple { machine.beginRows(columns) }
      let count = Self.count(sql)
      for i in 0..<min(count, limit ?? count) {
        let row = machine.writer.beginDataRow(columnCount: 1)
        Array(String(i).utf8).withUnsafeBufferPointer { machine.writer.value($0) }
        try! machine.writer.endDataRow(row)
      }
      if let limit, limit <= count {
        machine.portalSuspended()
      } else {
        machine.commandComplete("SELECT \(count)", transaction: transaction)
      }
    }
    return true
  }
}

/// SplitMix64: the same sequence for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
