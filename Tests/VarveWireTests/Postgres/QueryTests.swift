import Testing

@testable import VarveWire

@Suite struct PostgresQueryTests {
  @Test func aSimpleQueryIsAnsweredByteForByte() {
    var c = Conversation.started()
    c.send(Client.query("rows 1"))
    #expect(
      c.output
        == [0x54, 0, 0, 0, 26, 0, 1, 0x6E, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]
        + [0x44, 0, 0, 0, 11, 0, 1, 0, 0, 0, 1, 0x30]
        + [0x43, 0, 0, 0, 13] + Array("SELECT 1".utf8) + [0]
        + [0x5A, 0, 0, 0, 5, 0x49])
  }

  @Test func anExtendedQueryIsAnsweredByteForByte() {
    var c = Conversation.started()
    c.send(
      Client.parse("s", "params 1", [23]) + Client.describe("S", "s")
        + Client.bind("p", "s", formats: [0], values: [[0x35]], results: [1]) + Client.describe("P", "p")
        + Client.execute("p", limit: 9) + Client.close("P", "p") + Client.close("S", "s") + Client.sync)
    #expect(
      c.actions == [
        "parse params 1 [23]", #"bind params 1 ["5"]"#, "execute params 1 [] 9", "synchronize ok", "flush",
      ])
    #expect(
      c.output
        == [0x31, 0, 0, 0, 4]
        + [0x74, 0, 0, 0, 10, 0, 1, 0, 0, 0, 23] + [0x6E, 0, 0, 0, 4]
        + [0x32, 0, 0, 0, 4] + [0x6E, 0, 0, 0, 4]
        + [0x43, 0, 0, 0, 7, 0x4F, 0x4B, 0]
        + [0x33, 0, 0, 0, 4] + [0x33, 0, 0, 0, 4]
        + [0x5A, 0, 0, 0, 5, 0x49])
  }

  @Test func severalStatementsOfASimpleQueryAnswerInOrderUpToTheFirstError() {
    var c = Conversation.started()
    c.send(Client.query("rows 2;x;;fail;rows 1"))
    #expect(c.replyTypes == "TDDCCIEZ")
    #expect(c.lastError?.field("P") == "3")
    c.send(Client.query("rows 0"))
    #expect(c.replyTypes == "TDDCCIEZTCZ")
  }

  @Test func errorsCarryTheirFieldsByteForByte() {
    let writer = BackendWriter()
    writer.error(
      PostgresError("42601", "m\u{0}é", detail: "d", hint: "h", position: 12, context: "w"))
    let fields = "SERROR\u{0}VERROR\u{0}C42601\u{0}Mmé\u{0}Dd\u{0}Hh\u{0}P12\u{0}Ww\u{0}\u{0}"
    #expect(writer.buffer.array == Client.message("E", Array(fields.utf8)))
    writer.buffer.count = 0
    writer.notice(PostgresError(.warning, "01000", "n"))
    #expect(writer.buffer.array == Client.message("N", Array("SWARNING\u{0}VWARNING\u{0}C01000\u{0}Mn\u{0}\u{0}".utf8)))
  }

  @Test func copyMessagesAreByteExact() {
    let writer = BackendWriter()
    writer.copyInResponse(format: .text, columnCount: 2)
    writer.copyOutResponse(format: .binary, columnCount: 1)
    [UInt8]([1, 2]).withUnsafeBufferPointer { writer.copyData($0) }
    writer.copyDone()
    #expect(
      writer.buffer.array
        == [0x47, 0, 0, 0, 11, 0, 0, 2, 0, 0, 0, 0] + [0x48, 0, 0, 0, 9, 1, 0, 1, 0, 1]
        + [0x64, 0, 0, 0, 6, 1, 2] + [0x63, 0, 0, 0, 4])
  }

  @Test func rowsHoldNullsAndValuesOfUnknownLength() throws {
    let writer = BackendWriter()
    let row = writer.beginDataRow(columnCount: 3)
    writer.null()
    let value = writer.beginValue()
    writer.buffer.append(0x61)
    writer.buffer.append(0x62)
    writer.endValue(value)
    writer.int32(8)
    writer.int64(-2)
    try writer.endDataRow(row)
    #expect(
      writer.buffer.array
        == Client.message(
          "D",
          [0, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 2, 0x61, 0x62, 0, 0, 0, 8] + [255, 255, 255, 255, 255, 255, 255, 254])
    )
  }

  @Test func anErrorIsFollowedBySilenceUpToSync() {
    var c = Conversation.started()
    c.send(
      Client.parse("", "fail parse") + Client.bind() + Client.execute() + Client.query("rows 1") + Client.flush
        + Client.sync + Client.query("x"))
    #expect(c.replyTypes == "EZCZ")
    #expect(c.actions == ["parse fail parse []", "synchronize failed", "flush", "query x", "flush"])
  }

  @Test func anErrorInExecuteSkipsThePipelineUpToItsSyncOnly() {
    var c = Conversation.started()
    c.send(
      Client.parse("", "fail") + Client.bind() + Client.execute() + Client.execute() + Client.sync
        + Client.parse("", "rows 1") + Client.bind() + Client.execute() + Client.sync)
    #expect(c.replyTypes == "12EZ12DCZ")
  }

  @Test func rowLimitsSuspendAPortalThatGoesOnLater() {
    var c = Conversation.started()
    c.send(
      Client.parse("", "rows 5") + Client.bind() + Client.execute(limit: 2) + Client.execute(limit: -4) + Client.sync)
    #expect(c.replyTypes == "12DDsDDDDDCZ")
    #expect(c.actions.contains("execute rows 5 [] 2"))
    #expect(c.actions.contains("execute rows 5 [] all"))
  }

  @Test func describeTellsTheFormatsOfThePortal() {
    var c = Conversation.started()
    c.send(
      Client.parse("", "rows 5") + Client.bind(results: [1]) + Client.describe("S") + Client.describe("P")
        + Client.flush)
    #expect(c.replyTypes == "12tTT")
    #expect(c.replies[3].body.suffix(2) == [0, 0])
    #expect(c.replies[4].body.suffix(2) == [0, 1])
    #expect(c.actions.last == "flush")
  }

  @Test func describeFindsCursorsOfSQLUntilTheyAreClosed() {
    var c = Conversation.started()
    c.machine.openCursor("c", [Conversation.column])
    c.send(Client.describe("P", "c") + Client.sync)
    #expect(c.replyTypes == "TZ")
    c.output = []
    c.machine.closeCursor("c")
    c.send(Client.describe("P", "c") + Client.sync)
    #expect(c.replyTypes == "EZ")
    #expect(c.lastError?.field("C") == "34000")
  }

  @Test func namesAreUniqueAndUnknownOnesAreErrors() {
    func code(_ messages: [UInt8]...) -> String? {
      var c = Conversation.started()
      c.send(messages.flatMap(\.self) + Client.sync)
      #expect(c.replyTypes.hasSuffix("EZ"))
      return c.lastError?.field("C")
    }
    #expect(code(Client.parse("a", "x"), Client.parse("a", "x")) == "42P05")
    #expect(code(Client.parse("", "x"), Client.bind("p"), Client.bind("p")) == "42P03")
    #expect(code(Client.bind("", "nope")) == "26000")
    #expect(code(Client.bind()) == "26000")
    #expect(code(Client.describe("S", "nope")) == "26000")
    #expect(code(Client.describe("P", "nope")) == "34000")
    #expect(code(Client.execute("nope")) == "34000")
    #expect(code(Client.parse("", "params 2"), Client.bind(values: [nil])) == "08P01")
    #expect(code(Client.parse("", "params 2"), Client.bind(formats: [0, 0, 0], values: [nil, nil])) == "08P01")
    #expect(code(Client.parse("", "rows 2"), Client.bind(results: [0, 0])) == "08P01")
    #expect(code(Client.parse("", "rows 2"), Client.bind(results: [2])) == "22023")
    #expect(code(Client.message("D", [0x58, 0])) == "08P01")
    #expect(code(Client.message("C", [0x58, 0])) == "08P01")
  }

  @Test func theUnnamedStatementLastsUntilTheNextParseOrSimpleQuery() {
    var c = Conversation.started()
    c.send(Client.parse("", "x") + Client.sync + Client.bind() + Client.sync)
    #expect(c.replyTypes == "1Z2Z")
    c.send(Client.parse("", "fail parse") + Client.sync + Client.bind() + Client.sync)
    #expect(c.replyTypes == "1Z2ZEZEZ")
    c.send(Client.parse("", "x") + Client.sync + Client.query("x") + Client.bind() + Client.sync)
    #expect(c.replyTypes == "1Z2ZEZEZ1ZCZEZ")
    #expect(c.lastError?.field("C") == "26000")
  }

  @Test func namedStatementsLastUntilTheyAreClosed() {
    var c = Conversation.started()
    c.send(Client.parse("s", "x") + Client.sync + Client.query("x") + Client.bind("", "s") + Client.sync)
    #expect(c.replyTypes == "1ZCZ2Z")
    c.send(Client.close("S", "s") + Client.close("S", "s") + Client.bind("", "s") + Client.sync)
    #expect(c.replyTypes == "1ZCZ2Z33EZ")
    let again = c.machine.deallocate("s")
    #expect(!again)
    c.send(Client.parse("t", "x") + Client.parse("u", "x") + Client.sync)
    let found = c.machine.deallocate("t")
    #expect(found)
    c.machine.deallocateAll()
    c.send(Client.bind("", "u") + Client.sync)
    #expect(c.lastError?.field("C") == "26000")
  }

  @Test func portalsEndWithTheirTransaction() {
    var c = Conversation.started()
    // Outside of a block, Sync ends the implicit transaction.
    c.send(Client.parse("s", "rows 3") + Client.bind("p", "s") + Client.execute("p", limit: 1) + Client.sync)
    c.send(Client.execute("p") + Client.sync)
    #expect(c.lastError?.field("C") == "34000")
    // Within a block, they outlive it.
    c.output = []
    c.send(Client.query("begin") + Client.bind("p", "s") + Client.sync + Client.execute("p") + Client.sync)
    #expect(c.replyTypes == "CZ2ZDDDCZ")
    #expect(c.replies.last?.body == [0x54])
    // COMMIT takes them along, within a pipeline too.
    c.output = []
    c.send(
      Client.parse("c", "commit") + Client.bind("", "c") + Client.execute() + Client.execute("p") + Client.sync)
    #expect(c.replyTypes == "12CEZ")
    #expect(c.lastError?.field("C") == "34000")
  }

  @Test func anErrorInABlockFailsTheTransaction() {
    var c = Conversation.started()
    c.send(Client.query("begin") + Client.execute("nope") + Client.sync)
    #expect(c.replies.last?.body == [0x45])
    #expect(c.machine.transaction == .failed)
  }

  @Test func leftoversOfACopyAreIgnored() {
    var c = Conversation.started()
    c.send(Client.message("d", [1, 2, 3]) + Client.message("c") + Client.message("f", [0x78, 0]) + Client.query("x"))
    #expect(c.replyTypes == "CZ")
  }

  @Test func functionCallsAreNotSupportedAndTheSessionGoesOn() {
    var c = Conversation.started()
    c.send(Client.message("F", [0, 0, 0, 1]) + Client.query("x"))
    #expect(c.replyTypes == "EZCZ")
    #expect(c.lastError?.field("C") == "0A000")
    #expect(c.actions == ["synchronize failed", "flush", "query x", "flush"])
  }

  @Test func terminateCloses() {
    var c = Conversation.started()
    c.send(Client.query("x") + Client.terminate + Client.query("y"))
    #expect(c.closed)
    #expect(c.actions == ["query x", "flush"])
  }

  @Test func terminateIsHeardWhileSkipping() {
    var c = Conversation.started()
    c.send(Client.execute("nope") + Client.terminate)
    #expect(c.closed)
  }

  @Test func unknownMessagesAndWrongLengthsEndTheConnection() {
    let bad: [[UInt8]] = [
      Client.message("z"), [0], [0xFF],
      [0x51] + Client.int32(3), [0x51] + Client.int32(-1), [0x51] + Client.int32(.min), [0x51] + Client.int32(.max),
      [0x51] + Client.int32(Int32(PostgresLimits.messageByteCount + 5)), [0x53] + Client.int32(10_005),
      Array("GET / HTTP/1.1\r\n\r\n".utf8),
    ]
    for bytes in bad {
      var c = Conversation.started()
      c.send(bytes)
      #expect(c.closed, "\(bytes)")
      #expect(c.replyTypes == "E", "\(bytes)")
      #expect(c.lastError?.field("S") == "FATAL", "\(bytes)")
      #expect(c.lastError?.field("C") == "08P01", "\(bytes)")
    }
  }

  @Test func malformedBodiesAreErrorsThatTheSessionSurvives() {
    let bad: [[UInt8]] = [
      Client.message("P", [0x61]), Client.message("P", [0, 0, 0, 1]), Client.message("B", [0, 0, 0xFF, 0xFF]),
      Client.message("B", [0, 0, 0, 0, 0, 1] + Client.int32(-2)),
      Client.message("B", [0, 0, 0, 0, 0, 1] + Client.int32(.max)),
      Client.message("E", [0]), Client.message("E", [0, 0, 0, 0, 0, 0]), Client.message("D"), Client.message("C"),
      Client.message("D", [0x53]),
    ]
    for bytes in bad {
      var c = Conversation.started()
      c.send(bytes + Client.sync + Client.query("x"))
      #expect(c.replyTypes == "EZCZ", "\(bytes)")
      #expect(c.lastError?.field("C") == "08P01", "\(bytes)")
    }
    var query = Conversation.started()
    query.send(Client.message("Q", [0x61]) + Client.message("Q", [0xC3, 0]) + Client.query("x"))
    #expect(query.replyTypes == "EZEZCZ")
    #expect(query.replies[2].field("C") == "22021")
  }

  @Test func fatalErrorsClose() {
    var c = Conversation.started()
    c.send(Client.query("fatal") + Client.query("x"))
    #expect(c.closed)
    #expect(c.replyTypes == "E")
    var d = Conversation.started()
    d.machine.terminate(PostgresError("57P01", "terminating connection due to administrator command"))
    d.send(Client.query("x"))
    #expect(d.closed)
    #expect(d.actions.isEmpty)
    #expect(d.lastError?.field("S") == "FATAL")
  }

  @Test func preparedStatementsAndPortalsAreBounded() {
    var c = Conversation.started()
    for i in 0..<PostgresLimits.preparedStatements { c.send(Client.parse("s\(i)", "x")) }
    #expect(c.lastError == nil)
    c.send(Client.parse("one more", "x") + Client.sync)
    #expect(c.lastError?.field("C") == "54000")
    c.output = []
    for i in 0..<PostgresLimits.portals { c.send(Client.bind("p\(i)", "s0")) }
    #expect(c.lastError == nil)
    c.send(Client.bind("one more", "s0") + Client.sync)
    #expect(c.lastError?.field("C") == "54000")
  }
}
