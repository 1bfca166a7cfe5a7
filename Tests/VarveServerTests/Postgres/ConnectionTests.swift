import Foundation
import NIOCore
import Testing
import class VarveQuery.SessionActivity
import VarveServer
import VarveWire

@Suite(.serialized, .timeLimit(.minutes(20))) struct PostgresConnectionTests {
  @Test func aSimpleQueryGivesItsRows() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(RawClient.query("rows 3"))
      #expect(types(answer) == "TDDDCZ")
      #expect(
        answer[2].body
          == [0, 5, 0, 0, 0, 1, 0x31, 0, 0, 0, 4] + Array("0.25".utf8) + [0, 0, 0, 2] + Array("s1".utf8)
          + [0, 0, 0, 26] + Array("2016-01-01 00:00:00.001+00".utf8) + [0, 0, 0, 1] + Array("f".utf8))
      #expect(answer[1].body[7..<15] == [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
      #expect(answer[4].body == Array("SELECT 3".utf8) + [0])
    }
  }

  @Test func aCopySendsAMessageALine() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(RawClient.query("send 3"))
      #expect(types(answer) == "HdddcCZ")
      #expect(answer[0].body == [0, 0, 1, 0, 0])
      #expect(answer[1...3].map { String(decoding: $0.body, as: UTF8.self) } == ["0\n", "1\n", "2\n"])
      #expect(answer[5].body == Array("COPY 3".utf8) + [0])
      #expect(types(try client.run(RawClient.query("send 0; rows 1"))) == "HcCTDCZ")
      // A row limit is for rows of results.
      let extended = try client.run(
        RawClient.parse("", "send 2") + RawClient.bind("", "") + RawClient.execute("", limit: 1) + RawClient.execute("")
          + RawClient.sync)
      #expect(types(extended) == "12HddcCEZ")
    }
  }

  @Test func aLongCopyIsSentInPieces() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(RawClient.query("send 100000"))
      let lines = answer.filter { $0.type == "d" }
      #expect(lines.count == 100_000)
      #expect(lines.enumerated().allSatisfy { $1.body == Array("\($0)\n".utf8) })
    }
  }

  @Test func aCopyThatFailsLeavesNoHalfLine() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(RawClient.query("failing send 2"))
      #expect(types(answer) == "HddEZ")
      #expect(answer[3].field("C") == "22012")
      #expect(types(try client.run(RawClient.query("send 1"))) == "HdcCZ")
    }
  }

  @Test func describeFindsCursorsAmongThePortals() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      _ = try client.run(RawClient.query("begin"))
      _ = try client.run(RawClient.query("cursor c"))
      let answer = try client.run(RawClient.message("D", Array("Pc".utf8) + [0]) + RawClient.sync)
      #expect(types(answer) == "TZ")
      let unknown = try client.run(RawClient.message("D", Array("Pd".utf8) + [0]) + RawClient.sync)
      #expect(types(unknown) == "EZ")
    }
  }

  @Test func binaryRowsAreByteExact() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(
        RawClient.parse("", "rows 2") + RawClient.bind("", "", binaryResults: true) + RawClient.execute("")
          + RawClient.sync)
      #expect(types(answer) == "12DDCZ")
      // 2016-01-01 00:00:00.001 is 504921600001000 µs after 2000.
      #expect(
        answer[3].body
          == [0, 5] + [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 0, 8, 0x3F, 0xD0, 0, 0, 0, 0, 0, 0]
          + [0, 0, 0, 2, 0x73, 0x31] + [0, 0, 0, 8, 0, 1, 0xCB, 0x39, 0x38, 0x9B, 0x83, 0xE8] + [0, 0, 0, 1, 0])
    }
  }

  @Test func aPipelineIsAnsweredInOrder() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      var bytes: [UInt8] = []
      for i in 0..<200 {
        bytes += RawClient.parse("", i % 10 == 3 ? "fail 4" : "rows \(i)") + RawClient.bind("", "")
        bytes += RawClient.execute("") + RawClient.sync
      }
      try client.send(bytes)
      for i in 0..<200 {
        let answer = try client.until("Z")
        if i % 10 == 3 {
          #expect(types(answer) == "EZ")
          #expect(answer[0].field("P") == "4")
        } else {
          #expect(answer[answer.count - 2].body == Array("SELECT \(i)".utf8) + [0])
        }
      }
    }
  }

  @Test func portalsGiveTheirRowsInPieces() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let answer = try client.run(
        RawClient.parse("", "rows 2500") + RawClient.bind("", "") + RawClient.execute("", limit: 1000)
          + RawClient.execute("", limit: 1) + RawClient.execute("") + RawClient.execute("") + RawClient.sync)
      let marks = answer.filter { $0.type != "D" }
      #expect(types(marks) == "12ssCCZ")
      #expect(answer.count { $0.type == "D" } == 2500)
      #expect(marks[4].body == Array("SELECT 1499".utf8) + [0])
      #expect(marks[5].body == Array("SELECT 0".utf8) + [0])
      let again = try client.run(
        RawClient.parse("", "insert 1") + RawClient.bind("", "") + RawClient.execute("") + RawClient.execute("")
          + RawClient.sync)
      #expect(types(again) == "12CEZ")
      #expect(again[3].field("C") == "55000")
    }
  }

  @Test func emptyAndSeveralStatements() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      #expect(types(try client.run(RawClient.query(" "))) == "IZ")
      #expect(types(try client.run(RawClient.query("insert 1; rows 1; insert 2"))) == "CTDCCZ")
      #expect(
        types(try client.run(RawClient.parse("", "") + RawClient.bind("", "") + RawClient.execute("") + RawClient.sync))
          == "12IZ")
      let several = try client.run(RawClient.parse("", "insert 1; insert 2") + RawClient.sync)
      #expect(several[0].field("C") == "42601")
      let parameter = try client.run(RawClient.query("rows $1"))
      #expect(parameter[0].field("C") == "42P02")
    }
  }

  @Test func aStatementThatCannotCommitIsNotAnsweredAsDone() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      let simple = try client.run(RawClient.query("failing commit"))
      #expect(types(simple) == "EZ")
      #expect(simple[0].field("C") == "53100")
      #expect(simple[0].field("D") == "at wal/1")
      let extended = try client.run(
        RawClient.parse("", "failing commit") + RawClient.bind("", "") + RawClient.execute("") + RawClient.sync)
      #expect(types(extended) == "12CEZ")
      #expect(types(try client.run(RawClient.query("insert 1"))) == "CZ")
    }
  }

  @Test func transactionsSettingsAndNoticesReachTheClient() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      #expect(try client.run(RawClient.query("begin")).last?.body == [0x54])
      let failed = try client.run(RawClient.query("fail 1"))
      #expect(failed.last?.body == [0x45])
      #expect(try client.run(RawClient.query("rollback")).last?.body == [0x49])
      let set = try client.run(RawClient.query("set timezone +05:30"))
      #expect(set.first == RawClient.Message(type: "S", body: Array("TimeZone\u{0}+05:30\u{0}".utf8)))
      let row = try client.run(RawClient.query("rows 1"))[1]
      #expect(String(decoding: row.body, as: UTF8.self).contains("2016-01-01 05:30:00+05:30"))
      let notice = try client.run(RawClient.query("notice hello"))
      #expect(types(notice) == "NCZ")
      #expect(notice[0].field("M") == "hello")
    }
  }

  @Test func deallocateSharesItsNamesWithParse() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      #expect(
        types(try client.run(RawClient.parse("a", "rows 1") + RawClient.parse("b", "rows 1") + RawClient.sync)) == "11Z"
      )
      #expect(types(try client.run(RawClient.query("deallocate a"))) == "CZ")
      #expect(try client.run(RawClient.query("deallocate a"))[0].field("C") == "26000")
      #expect(try client.run(RawClient.bind("", "a") + RawClient.sync)[0].field("C") == "26000")
      #expect(types(try client.run(RawClient.bind("", "b") + RawClient.sync)) == "2Z")
      #expect(types(try client.run(RawClient.query("deallocate all"))) == "CZ")
      #expect(try client.run(RawClient.bind("", "b") + RawClient.sync)[0].field("C") == "26000")
    }
  }

  @Test func aCancelRequestStopsTheStatementOfItsKeyOnly() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server)
      try client.send(RawClient.query("slow"))
      while server.backend.counts.withLock({ $0.slowStarted }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
      let wrong = try RawClient(port: server.port)
      try wrong.send(RawClient.int32(16) + RawClient.int32(80_877_102) + client.key.prefix(4) + [1, 2, 3, 4])
      #expect(try wrong.rest() == [])
      let right = try RawClient(port: server.port)
      try right.send(RawClient.int32(16) + RawClient.int32(80_877_102) + client.key)
      #expect(try right.rest() == [])
      let answer = try client.until("Z")
      #expect(types(answer) == "EZ")
      #expect(answer[0].field("C") == "57014")
      // While nothing runs, a cancel hits nothing, and nothing later either.
      let late = try RawClient(port: server.port)
      try late.send(RawClient.int32(16) + RawClient.int32(80_877_102) + client.key)
      #expect(try late.rest() == [])
      #expect(types(try client.run(RawClient.query("rows 1"))) == "TDCZ")
    }
  }

  @Test func aCancelRequestCountsThoughItsClientIsGoneAtOnce() async throws {
    // The only worker is busy until the request is heeded.
    try await TestServer.with({ $0.workerThreads = 1 }) { server in
      for round in 1...50 {
        let client = try RawClient(startedOn: server)
        try client.send(RawClient.query("slow"))
        while server.backend.counts.withLock({ $0.slowStarted }) < round { try await Task.sleep(for: .milliseconds(1)) }
        var canceller: RawClient? = try RawClient(port: server.port)
        try canceller!.send(RawClient.int32(16) + RawClient.int32(80_877_102) + client.key)
        canceller = nil
        let answer = try client.until("Z")
        #expect(types(answer) == "EZ" && answer[0].field("C") == "57014")
      }
    }
  }

  @Test func aClientThatLeavesStopsItsStatement() async throws {
    try await TestServer.with { server in
      var client: RawClient? = try RawClient(startedOn: server)
      try client!.send(RawClient.query("slow"))
      while server.backend.counts.withLock({ $0.slowStarted }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
      client = nil
      while server.backend.counts.withLock({ $0.closed }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
      #expect(server.backend.counts.withLock { $0.opened == 1 && $0.closed == 1 })
    }
  }

  @Test func aClientThatStopsReadingHoldsNeitherMemoryNorThreads() async throws {
    try await TestServer.with({ $0.workerThreads = 1 }) { server in
      let slow = try RawClient(port: server.port, receiveBufferByteCount: 4096)
      try slow.startUp()
      let rowCount = 400_000
      try slow.send(RawClient.query("rows \(rowCount)"))
      // The only worker serves others as soon as the slow one is parked.
      let quick = try RawClient(startedOn: server)
      #expect(types(try quick.run(RawClient.query("rows 1"))) == "TDCZ")
      let pulled = server.backend.counts.withLock { $0.batches }
      // About 60 bytes a row: what is pulled is what fits the bound and the sockets' buffers.
      #expect(pulled < rowCount / FakePortal.batchRowCount / 2)
      var rows = 0
      while let message = try slow.next() {
        if message.type == "D" { rows += 1 }
        if message.type == "Z" { break }
      }
      #expect(rows == rowCount)
      // One that never reads and goes away is let go of.
      try slow.send(RawClient.query("rows \(rowCount)"))
    }
  }

  @Test func aFloodOfRequestsWaitsInTheSocket() async throws {
    try await TestServer.with({
      $0.inboundByteLimit = 64 * 1024
      $0.outboundByteLimit = 64 * 1024
    }) { server in
      let client = try RawClient(startedOn: server)
      let count = 3000
      let request = RawClient.query("rows 1" + String(repeating: " ", count: 1000))
      let socket = client.socket
      let sender = Thread { for _ in 0..<count { try? RawClient.send(request, to: socket) } }
      sender.start()
      for _ in 0..<count { #expect(types(try client.until("Z")) == "TDCZ") }
    }
  }

  @Test func oneConnectionTooManyIsRefusedAndASlotIsFreeAfterwards() async throws {
    try await TestServer.with({ $0.maxConnections = 2 }) { server in
      var first: RawClient? = try RawClient(startedOn: server)
      let second = try RawClient(startedOn: server)
      let third = try RawClient(port: server.port)
      try third.send(RawClient.int32(8) + RawClient.int32(3 << 16))
      let malformed = try third.until("E")
      #expect(malformed.last?.field("C") == "08P01")
      let fourth = try RawClient(port: server.port)
      try fourth.send(RawClient.int32(9) + RawClient.int32(3 << 16) + [0])
      let refused = try fourth.until("Z")
      #expect(types(refused) == "E")
      #expect(refused[0].field("C") == "53300")
      #expect(refused[0].field("S") == "FATAL")
      try first!.send(RawClient.message("X"))
      #expect(try first!.rest() == [])
      first = nil
      while server.backend.counts.withLock({ $0.closed }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
      try await Task.sleep(for: .milliseconds(20))
      let fifth = try RawClient(startedOn: server)
      #expect(types(try fifth.run(RawClient.query("rows 0"))) == "TCZ")
      #expect(types(try second.run(RawClient.query("rows 0"))) == "TCZ")
    }
  }

  @Test func socketsBeyondTheReserveAreClosedAtOnce() async throws {
    try await TestServer.with({
      $0.maxConnections = 1
      $0.extraSockets = 1
    }) { server in
      let first = try RawClient(startedOn: server)
      let reserve = try RawClient(port: server.port)
      try reserve.send(RawClient.int32(8) + RawClient.int32(80_877_103))
      let beyond = try RawClient(port: server.port)
      #expect(((try? beyond.rest()) ?? []) == [])
      #expect(types(try first.run(RawClient.query("rows 0"))) == "TCZ")
    }
  }

  @Test func aDatabaseThatIsNotThereIsAFatalError() async throws {
    try await TestServer.with { server in
      let client = try RawClient(port: server.port)
      let body = RawClient.int32(3 << 16) + Array("user\u{0}u\u{0}database\u{0}nowhere\u{0}\u{0}".utf8)
      let answer = try client.run(RawClient.int32(Int32(body.count + 4)) + body)
      #expect(types(answer) == "E")
      #expect(answer[0].field("C") == "3D000")
    }
  }

  @Test func strangersReadWhyTheyAreClosed() async throws {
    try await TestServer.with { server in
      let http = try RawClient(port: server.port)
      // More than the server reads before it answers: closing on unread bytes would take the answer back.
      try http.send(Array("POST /write HTTP/1.1\r\n\r\n".utf8) + [UInt8](repeating: 0x61, count: 200_000))
      #expect(String(decoding: try http.rest(), as: UTF8.self).hasPrefix("HTTP/1.1 400"))
      let line = try RawClient(port: server.port)
      try line.send(Array("cpu,host=a v=1\n".utf8))
      #expect(try line.until("E").last?.field("C") == "08P01")
      let garbage = try RawClient(startedOn: server)
      #expect(try garbage.run([0, 1, 2, 3, 4, 5]).last?.field("S") == "FATAL")
    }
  }

  @Test func aSilentPeerIsClosed() async throws {
    try await TestServer.with({ $0.startupTimeoutSeconds = 1 }) { server in
      let silent = try RawClient(port: server.port)
      let started = try RawClient(startedOn: server)
      #expect(try silent.rest() == [])
      try await Task.sleep(for: .milliseconds(200))
      #expect(types(try started.run(RawClient.query("rows 0"))) == "TCZ")
    }
  }

  @Test func anIdleConnectionIsToldWhyItEnds() async throws {
    try await TestServer.with { server in
      let client = try RawClient(startedOn: server, ["user", "ada", "idle", "1000000000"])
      // Busy again and again, for longer than the limit in all.
      for _ in 0..<5 {
        try await Task.sleep(for: .milliseconds(300))
        #expect(types(try client.run(RawClient.query("rows 1"))) == "TDCZ")
      }
      #expect(try client.next()?.field("C") == "57P05")
      #expect(try client.next() == nil)
      let inBlock = try RawClient(startedOn: server, ["user", "ada", "idle", "1000000000"])
      _ = try inBlock.run(RawClient.query("begin"))
      #expect(try inBlock.next()?.field("C") == "25P03")
      #expect(try inBlock.next() == nil)
      // A client in the middle of a pipeline is not idle.
      let busy = try RawClient(startedOn: server, ["user", "ada", "idle", "1000000000"])
      try busy.send(RawClient.parse("", "rows 1"))
      try await Task.sleep(for: .milliseconds(1500))
      #expect(types(try busy.run(RawClient.sync)) == "1Z")
    }
  }

  @Test func othersCancelAndTerminateASession() async throws {
    try await TestServer.with { server in
      func interruption(_ client: RawClient) throws -> SessionActivity.Interruption {
        let processID = Int32(client.key.prefix(4).reduce(0) { $0 << 8 | Int($1) })
        return try #require(server.backend.interruptions.withLock { $0[processID] })
      }
      let client = try RawClient(startedOn: server)
      let other = try RawClient(startedOn: server)
      #expect(client.key.prefix(4) != other.key.prefix(4))
      // Nothing runs: a cancel must not hit what comes next.
      try interruption(client).cancel()
      #expect(types(try client.run(RawClient.query("rows 1"))) == "TDCZ")
      try client.send(RawClient.query("slow"))
      while server.backend.counts.withLock({ $0.slowStarted }) < 1 { try await Task.sleep(for: .milliseconds(1)) }
      try interruption(client).cancel()
      #expect(try client.until("Z").first?.field("C") == "57014")
      try client.send(RawClient.query("slow"))
      while server.backend.counts.withLock({ $0.slowStarted }) < 2 { try await Task.sleep(for: .milliseconds(1)) }
      try interruption(client).terminate()
      #expect(try client.next()?.field("C") == "57P01", "the last word is why, not that a statement was cancelled")
      #expect(try client.next() == nil)
      try interruption(other).terminate()
      #expect(try other.next()?.field("C") == "57P01")
      #expect(try other.next() == nil)
      // Both are gone; whoever asks again does no harm.
      try interruption(other).terminate()
    }
  }

  @Test func stoppingFinishesWhatRunsAndTellsEveryone() async throws {
    let server = try await TestServer { $0.stopGraceSeconds = 2 }
    let idle = try RawClient(startedOn: server)
    let stuck = try RawClient(startedOn: server)
    try stuck.send(RawClient.query("slow"))
    let busy = try RawClient(startedOn: server)
    try busy.send(RawClient.query("rows 20000"))
    while server.backend.counts.withLock({ $0.slowStarted == 0 || $0.batches == 0 }) {
      try await Task.sleep(for: .milliseconds(5))
    }
    async let stopped: Void = server.server.stop()
    let answer = try busy.until("E")
    #expect(answer.count { $0.type == "D" } == 20000)
    #expect(types(answer.suffix(3)) == "CZE")
    #expect(answer.last?.field("C") == "57P01")
    #expect(try idle.until("E").last?.field("C") == "57P01")
    // What doesn't end by itself is cancelled after the grace period.
    let cancelled = try stuck.until("Z") + stuck.until("E")
    #expect(types(cancelled) == "EZE")
    #expect(cancelled[0].field("C") == "57014")
    #expect(cancelled[2].field("C") == "57P01")
    try await stopped
    #expect(server.backend.counts.withLock { $0.opened == 3 && $0.closed == 3 })
    let port = server.port
    #expect(throws: SocketError.self) { try RawClient(port: port) }
  }
}
