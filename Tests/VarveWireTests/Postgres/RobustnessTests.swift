import Testing
import VarveCore

@testable import VarveWire

@Suite struct PostgresRobustnessTests {
  static let script: [UInt8] =
    Client.sslRequest + Client.startup([("user", "ada"), ("options", "-c a=b")]) + Client.query("rows 2;x")
    + Client.parse("s", "params 2", [23, 25]) + Client.describe("S", "s")
    + Client.bind("p", "s", formats: [1], values: [[1, 2], nil], results: [0]) + Client.execute("p", limit: 1)
    + Client.flush + Client.execute("nope") + Client.bind() + Client.sync + Client.message("d", [9])
    + Client.message("F") + Client.close("S", "s") + Client.sync + Client.query("begin") + Client.terminate

  @Test func whereTheStreamIsCutMakesNoDifference() {
    var whole = Conversation()
    whole.send(Self.script)
    #expect(whole.closed)
    for cut in 0...Self.script.count {
      var c = Conversation()
      c.send(Array(Self.script[..<cut]))
      c.send(Array(Self.script[cut...]))
      #expect(c.output == whole.output, "cut at \(cut)")
      #expect(c.actions == whole.actions, "cut at \(cut)")
    }
    var single = Conversation()
    for byte in Self.script { single.send([byte]) }
    #expect(single.output == whole.output)
    #expect(single.actions == whole.actions)
  }

  @Test func aLargeMessageInSmallPiecesArrivesWhole() {
    var c = Conversation.started()
    let sql = String(repeating: "x", count: 3_000_000)
    let message = Client.query(sql)
    for start in stride(from: 0, to: message.count, by: 4096) {
      c.send(Array(message[start..<min(start + 4096, message.count)]))
    }
    #expect(c.actions == ["query \(sql)", "flush"])
    #expect(c.machine.pendingByteCount == 0)
  }

  @Test func randomBytesNeverTrap() {
    for seed in UInt64(1)...3000 {
      var random = SeededGenerator(state: seed)
      var c = seed % 2 == 0 ? Conversation() : Conversation.started()
      let bytes = (0..<Int.random(in: 1...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      c.send(bytes)
      #expect(Self.isWholeMessages(c.output), "seed \(seed)")
    }
  }

  @Test func damagedMessagesNeverTrap() {
    for seed in UInt64(1)...3000 {
      var random = SeededGenerator(state: seed)
      var bytes = Self.script
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let i = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[i] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[i] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
        case 2: bytes.remove(at: i)
        default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: i)
        }
      }
      var c = Conversation()
      var rest = bytes[...]
      while !rest.isEmpty && !c.closed {
        let count = min(rest.count, Int.random(in: 1...300, using: &random))
        c.send(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(Self.isWholeMessages(c.output), "seed \(seed)")
    }
  }

  @Test func randomWellFormedMessagesKeepTheirOrder() {
    // Each Sync and each simple query is answered by one ReadyForQuery, whatever stands between.
    for seed in UInt64(1)...500 {
      var random = SeededGenerator(state: seed)
      var c = Conversation.started()
      var syncs = 0
      for _ in 0..<60 {
        let name = ["", "a", "b"].randomElement(using: &random)!
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
          let sql = ["rows 3", "params 1", "fail", "begin", "commit", ""].randomElement(using: &random)!
          c.send(Client.parse(name, sql))
        case 1: c.send(Client.bind(name, ["", "a", "b"].randomElement(using: &random)!))
        case 2: c.send(Client.describe("S", name))
        case 3: c.send(Client.describe("P", name))
        case 4: c.send(Client.execute(name, limit: Int32.random(in: -1...4, using: &random)))
        case 5: c.send(Client.close("S", name))
        case 6: c.send(Client.close("P", name))
        default:
          c.send(Client.sync)
          syncs += 1
        }
      }
      c.send(Client.sync + Client.query("x"))
      #expect(c.replies.count { $0.type == "Z" } == syncs + 2, "seed \(seed)")
      #expect(!c.closed, "seed \(seed)")
    }
  }

  /// Every byte belongs to a message, or to an answer to a stranger, or to a declined encryption.
  private static func isWholeMessages(_ output: [UInt8]) -> Bool {
    if output.starts(with: "HTTP".utf8) || output.starts(with: [0x15]) { return true }
    let messages = Array(output.drop { $0 == UInt8(ascii: "N") })
    return Reply.split(messages).reduce(0) { $0 + $1.body.count + 5 } == messages.count
  }

  @Test func everyErrorCodeHasItsSQLState() {
    for code in VarveError.Code.allCases {
      let state = PostgresError(VarveError(code, "m")).sqlState
      #expect(state.utf8.count == 5)
      #expect(state != "00000")
    }
    let error = VarveError(
      .typeConflict, "m", hint: "h", place: "chunks/7", sqlState: "42703", position: 4)
    #expect(PostgresError(error) == PostgresError("42703", "m", detail: "at chunks/7", hint: "h", position: 4))
    #expect(PostgresError(VarveError(.typeConflict, "m", sqlState: "nonsense")).sqlState == "42804")
    #expect(PostgresError(VarveError(.diskFull, "m")).sqlState == "53100")
  }
}
