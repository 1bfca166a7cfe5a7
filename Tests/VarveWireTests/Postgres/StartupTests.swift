import Testing

@testable import VarveWire

@Suite struct PostgresStartupTests {
  @Test func startupIsAnsweredByteForByte() {
    var c = Conversation()
    c.send(Client.startup([("user", "ada"), ("database", "lab")]))
    #expect(c.actions == ["startUp ada@lab", "flush"])
    #expect(
      c.output
        == [0x52, 0, 0, 0, 8, 0, 0, 0, 0]  // AuthenticationOk
        + [0x53, 0, 0, 0, 8, 0x6B, 0, 0x76, 0]  // ParameterStatus k=v
        + [0x4B, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 9]  // BackendKeyData
        + [0x5A, 0, 0, 0, 5, 0x49])  // ReadyForQuery idle
  }

  @Test func encryptionIsDeclinedOnceEachAndStartupGoesOn() {
    var c = Conversation()
    c.send(Client.gssRequest)
    #expect(c.output == [0x4E])
    c.send(Client.sslRequest)
    #expect(c.output == [0x4E, 0x4E])
    c.send(Client.startup())
    #expect(c.actions == ["flush", "flush", "startUp u@varve", "flush"])

    var again = Conversation()
    again.send(Client.sslRequest + Client.sslRequest)
    #expect(again.closed)
    #expect(Reply.split(Array(again.output.dropFirst())).first?.field("C") == "0A000")
  }

  @Test func settingsComeFromTheOptionsFirstThenFromThePacket() throws {
    let packet = Client.startup([
      ("user", "u"), ("application_name", "psql"),
      ("options", #"-c statement_timeout=5s --search-path=a\ b  -cTimeZone=UTC"#), ("TimeZone", "Europe/Berlin"),
    ])
    guard case .startup(let parameters, _, _) = try StartupPacket(body: packet[4...]) else {
      Issue.record("no startup")
      return
    }
    #expect(
      parameters.settings.map { "\($0.name)=\($0.value)" } == [
        "statement_timeout=5s", "search_path=a b", "TimeZone=UTC", "application_name=psql", "TimeZone=Europe/Berlin",
      ])
    #expect(parameters.setting("timezone") == "Europe/Berlin")
    #expect(parameters.database == "varve")
  }

  @Test(arguments: ["-c", "-c x", "--x", "-d 5", "y"]) func malformedOptionsAreFatal(options: String) {
    var c = Conversation()
    c.send(Client.startup([("user", "u"), ("options", options)]))
    #expect(c.closed)
    #expect(c.lastError?.field("S") == "FATAL")
    #expect(c.lastError?.field("C") == "42601")
  }

  @Test(arguments: [("UTF8", true), ("'utf-8'", true), ("SQL_ASCII", true), ("LATIN1", false), ("", false)])
  func onlyUTF8IsSpoken(encoding: String, accepted: Bool) {
    var c = Conversation()
    c.send(Client.startup([("user", "u"), ("client_encoding", encoding)]))
    #expect(c.closed == !accepted)
    #expect((c.lastError?.field("C") == "22023") == !accepted)
  }

  @Test func higherMinorVersionsAndUnknownOptionsAreNegotiated() {
    var c = Conversation()
    c.send(Client.startup(version: 3 << 16 | 2, [("user", "u"), ("_pq_.x", "1")]))
    #expect(
      Array(c.output.prefix(20)) == [
        0x76, 0, 0, 0, 19, 0, 3, 0, 0, 0, 0, 0, 1, 0x5F, 0x70, 0x71, 0x5F, 0x2E, 0x78, 0,
      ])
    #expect(c.replyTypes == "vRSKZ")
  }

  @Test(arguments: [2 << 16, 4 << 16, 0, 1234 << 16 | 1]) func otherMajorVersionsAreRefused(version: Int32) {
    var c = Conversation()
    c.send(Client.startup(version: version))
    #expect(c.closed)
    #expect(c.lastError?.field("C") == "0A000")
    #expect(c.lastError?.field("S") == "FATAL")
  }

  @Test func replicationIsRefused() {
    var c = Conversation()
    c.send(Client.startup([("user", "u"), ("replication", "database")]))
    #expect(c.closed)
    #expect(c.lastError?.field("C") == "0A000")
  }

  @Test func aCancelRequestGivesItsKeyAndCloses() {
    var c = Conversation()
    c.send(Client.cancel(-3, 77))
    #expect(c.actions == ["cancel -3 77"])
    #expect(c.closed)
    #expect(c.output.isEmpty)
  }

  @Test func strangersAreAnsweredInTheirOwnProtocol() {
    var http = Conversation()
    http.send(Array("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
    #expect(http.closed)
    let text = String(decoding: http.output, as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
    #expect(
      text.hasSuffix(
        "this port speaks the PostgreSQL protocol, and what was received is not a startup packet but HTTP\n"))
    let parts = text.components(separatedBy: "\r\n\r\n")
    #expect(parts.count == 2 && text.contains("Content-Length: \(parts[1].utf8.count)\r\n"))

    var tls = Conversation()
    tls.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
    #expect(tls.closed)
    #expect(tls.output == [0x15, 3, 1, 0, 2, 2, 40])

    var line = Conversation()
    line.send(Array("cpu,host=a v=1 1\n".utf8))
    #expect(line.closed)
    #expect(line.lastError?.field("S") == "FATAL")
    #expect(line.lastError?.field("C") == "08P01")
    #expect(line.lastError?.field("M")?.contains("PostgreSQL protocol") == true)
  }

  @Test(arguments: [Int32.min, -1, 0, 4, 7, 10_001, Int32.max]) func impossibleStartupLengthsClose(length: Int32) {
    var c = Conversation()
    c.send(Client.int32(length) + [0, 3, 0, 0])
    #expect(c.closed)
    #expect(c.lastError?.field("C") == "08P01")
  }

  @Test func malformedStartupPacketsAreFatal() {
    let bodies: [[UInt8]] = [
      Client.int32(3 << 16),  // no terminator
      Client.int32(3 << 16) + Client.string("user"),  // no value
      Client.int32(3 << 16) + [0, 1],  // more behind the end
      Client.int32(3 << 16) + [0x75, 0xFF, 0, 0, 0],  // no UTF-8
      Client.int32(80_877_102) + [0, 0, 0, 1],  // a cancel request without its key
      Client.int32(80_877_103) + [0],
    ]
    for body in bodies {
      var c = Conversation()
      c.send(Client.packet(body))
      #expect(c.closed, "\(body)")
      #expect(c.lastError?.field("S") == "FATAL", "\(body)")
    }
  }

  @Test func aRefusedSessionIsFatal() {
    var machine = PostgresStateMachine<Int, Int>()
    Client.startup().withUnsafeBytes { machine.receive($0) }
    _ = machine.next()
    machine.failed(PostgresError(.fatal, "3D000", "database \"x\" does not exist"))
    guard case .close = machine.next() else {
      Issue.record("not closed")
      return
    }
    #expect(Reply.split(machine.writer.buffer.array).map(\.type) == ["E"])
  }

  @Test func serverParametersTakeTheSessionsWords() {
    let parameters = StartupParameters(user: "ada", settings: [.init(name: "application_name", value: "psql")])
    let all = ServerParameters.atStartup(of: parameters, overrides: [("timezone", "Asia/Tokyo"), ("x", "y")])
    func value(_ name: String) -> String? { all.first { $0.name == name }?.value }
    #expect(value("TimeZone") == "Asia/Tokyo")
    #expect(value("application_name") == "psql")
    #expect(value("session_authorization") == "ada")
    #expect(value("server_version") == "15.8")
    #expect(value("x") == "y")
    #expect(Set(all.map(\.name)).count == all.count)
  }
}

extension String {
  func components(separatedBy separator: String) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while let range = rest.firstRange(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }
}
