import Foundation
import Testing
import VarveCore

@testable import VarveWire

/// Drives a session as a server would, with a store that completes when told.
private final class Driver {
  let session: LineProtocolSession
  var submitted: [(id: Int, batches: [PointBatch])] = []
  var replies = ""
  var isClosed = false
  var logged: [Rejection] = []

  init(inFlightByteLimit: Int = 16 * 1024 * 1024, options: LineProtocolOptions = .test) {
    session = LineProtocolSession(options: options, inFlightByteLimit: inFlightByteLimit)
  }

  func run(_ actions: [LineProtocolSession.Action]) {
    for action in actions {
      #expect(!isClosed, "nothing follows a close")
      switch action {
      case .submit(let id, let batches): submitted.append((id, batches))
      case .reply(let bytes): replies += String(decoding: bytes, as: UTF8.self)
      case .log(let rejections): logged += rejections
      case .close: isClosed = true
      }
    }
  }

  func send(_ text: String) { run(session.receive(Array(text.utf8), now: 1000)) }
  func end() { run(session.receiveEnd(now: 1000)) }

  /// Completes the submission at `index` of those in flight, all rows taken.
  func complete(_ index: Int = 0, sequence: UInt64 = 1, rejections: [Rejection] = []) {
    let flight = submitted.remove(at: index)
    var left = rejections
    run(
      session.complete(
        id: flight.id,
        .success(
          flight.batches.map { batch in
            defer { left = [] }
            return LineProtocolCompletion(
              rowsWritten: batch.rowCount - left.count, sequence: sequence, rejections: left)
          })))
  }

  func fail(_ error: VarveError) {
    run(session.complete(id: submitted.removeFirst().id, .failure(error)))
  }
}

struct LineProtocolSessionTests {
  @Test func aSyncIsAnsweredOnceItsRowsAreDurable() {
    let driver = Driver()
    driver.send("m v=1 1\nm v=2 2\n#sync a\nm v=3 3\n")
    #expect(driver.replies == "")
    #expect(driver.submitted.map { $0.batches.map(\.rowCount) } == [[2], [1]])
    driver.complete(1, sequence: 9)
    #expect(driver.replies == "")
    driver.complete(0, sequence: 8)
    #expect(driver.replies == "a ok rows=2 rejected=0 sequence=9\n")
    driver.send("#sync b\n")
    #expect(driver.replies.hasSuffix("b ok rows=1 rejected=0 sequence=9\n"))
    driver.send("#sync c\n")
    #expect(driver.replies.hasSuffix("c ok rows=0 rejected=0 sequence=9\n"))
    driver.end()
    #expect(driver.replies.hasSuffix("end ok rows=3 rejected=0 sequence=9\n"))
    #expect(driver.isClosed && driver.session.isClosed)
  }

  @Test func rejectedLinesAreListedWithTheirPlace() {
    let driver = Driver()
    driver.send("m v=1\nm v=?\nm w=\"\u{7}\" \"\nm v=4\n#sync t1\nbad\n")
    driver.complete(rejections: [
      Rejection(line: 1, column: 3, code: .typeConflict, message: "column \"v\" is text")
    ])
    #expect(
      driver.replies == """
        t1 ok rows=1 rejected=3 sequence=1
        t1 error line=1 column=3 code=type_conflict message="column \\"v\\" is text"
        t1 error line=2 column=5 code=syntax message="a field value is a number, a boolean or a quoted string"
        t1 error line=3 column=9 code=invalid_timestamp message="a time stamp is a whole number"

        """)
    #expect(driver.logged.map(\.line).sorted() == [1, 2, 3, 6])
    driver.end()
    #expect(
      driver.replies.hasSuffix(
        """
        end ok rows=1 rejected=4 sequence=1
        end error line=6 column=4 code=syntax message="a space and fields must follow the measurement and its tags"

        """))
  }

  @Test func aHundredRejectionsAreListedAndTheRestCounted() {
    let driver = Driver()
    driver.send(String(repeating: "bad\n", count: 150) + "#sync x\n")
    let lines = driver.replies.split(separator: "\n")
    #expect(lines.count == 102)
    #expect(lines[0] == "x ok rows=0 rejected=150 sequence=0")
    #expect(lines[100].hasPrefix("x error line=100 column=4 code=syntax"))
    #expect(lines[101] == "x error count=50 message=\"50 more rejected lines are not listed\"")
  }

  @Test func theHalfCloseIsAnsweredWithTheWholeConnection() {
    let driver = Driver()
    driver.send("m v=1\nbad\n#sync a\nm v=2\nm v=3")
    driver.complete()
    driver.end()
    #expect(!driver.isClosed)
    while !driver.submitted.isEmpty { driver.complete(sequence: 5) }
    #expect(driver.isClosed)
    #expect(driver.replies.hasSuffix("end ok rows=3 rejected=1 sequence=5\n"))
  }

  @Test func anEmptyConnectionEndsWithAnEmptySummary() {
    let driver = Driver()
    driver.end()
    #expect(driver.replies == "end ok rows=0 rejected=0 sequence=0\n")
    #expect(driver.isClosed)
  }

  @Test func aStoreThatFailsForGoodIsToldAndEndsTheConnection() {
    let driver = Driver()
    driver.send("m v=1\n#sync a\nm v=2\n#sync b\nm v=3\n")
    driver.fail(VarveError(.readOnly, "the store is read-only", hint: "restart it"))
    #expect(
      driver.replies == """
        a error line=0 column=0 code=read_only message="the store is read-only (restart it)"
        b error line=0 column=0 code=read_only message="the store is read-only (restart it)"

        """)
    #expect(driver.isClosed)
    #expect(!driver.session.wantsMoreInput)
    // Completions that come later are taken in silence.
    while !driver.submitted.isEmpty { driver.complete() }
    #expect(!driver.session.hasSubmissionsInFlight)

    let silent = Driver()
    silent.send("m v=1\n")
    silent.fail(VarveError(.inputOutput, "broken"))
    #expect(silent.replies == "end error line=0 column=0 code=io_error message=\"broken\"\n")
    #expect(silent.isClosed)
  }

  @Test func aSyncBeforeTheFailureIsStillAnswered() {
    let driver = Driver()
    driver.send("m v=1\n#sync a\nm v=2\n#sync b\n")
    let second = driver.submitted.remove(at: 1)
    driver.run(driver.session.complete(id: second.id, .failure(VarveError(.inputOutput, "broken"))))
    #expect(driver.replies == "")
    driver.complete()
    #expect(
      driver.replies == """
        a ok rows=1 rejected=0 sequence=1
        b error line=0 column=0 code=io_error message="broken"

        """)
    #expect(driver.isClosed)
  }

  @Test func readingStopsWhileTooMuchIsInFlight() {
    let driver = Driver(inFlightByteLimit: 10_000)
    let line = "m v=1\n"
    var sent = 0
    while driver.session.wantsMoreInput, sent < 1_000_000 {
      driver.send(String(repeating: line, count: 100))
      sent += 100
    }
    #expect(sent < 10_000)
    let before = driver.session.inFlightByteCount
    driver.send(line)
    while !driver.submitted.isEmpty { driver.complete() }
    #expect(before > 10_000 && driver.session.inFlightByteCount == 0)
    #expect(driver.session.wantsMoreInput)
    driver.send("#sync z\n")
    while !driver.submitted.isEmpty { driver.complete() }
    #expect(driver.replies.contains("z ok rows=\(sent + 1) "))
  }

  @Test func rowsGatherWhileManySubmissionsAreInFlight() {
    let driver = Driver()
    for _ in 0..<50 { driver.send("m v=1\n") }
    #expect(driver.submitted.count == 4)
    driver.complete()
    #expect(driver.submitted.count == 4)
    #expect(driver.submitted.last?.batches.map(\.rowCount) == [46])
  }

  @Test func manySyncsInOneChunkAreAnsweredInOrder() {
    let driver = Driver()
    driver.send((0..<50_000).map { "#sync \($0)\n" }.joined())
    let lines = driver.replies.split(separator: "\n")
    #expect(lines.count == 50_000)
    #expect(lines.last == "49999 ok rows=0 rejected=0 sequence=0")
  }

  @Test func otherProtocolsAreToldWhereTheyAre() {
    for request in [
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /write?db=x HTTP/1.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
      for cut in 1..<request.utf8.count {
        let driver = Driver()
        driver.send(String(request.prefix(cut)))
        if !driver.isClosed { driver.send(String(request.dropFirst(cut))) }
        #expect(driver.replies.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(driver.replies.contains("Connection: close\r\n"))
        #expect(driver.isClosed)
      }
    }
    let tls = Driver()
    tls.run(tls.session.receive([0x16, 0x03, 0x01, 0x02, 0x00, 0x01], now: 0))
    #expect(tls.replies.hasPrefix("end error line=1 column=1 code=unsupported message=\"") && tls.isClosed)
    let postgres = Driver()
    postgres.run(postgres.session.receive([0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F], now: 0))
    #expect(postgres.replies.hasPrefix("E") && postgres.replies.contains("--postgres") && postgres.isClosed)
  }

  @Test func linesThatLookLikeRequestsAreLines() {
    for text in ["GET v=1 5\n", "POST,a=b v=\"HTTP/1.1\"\n", "P", "GET", "HEAD HTTP=1\n"] {
      let driver = Driver()
      for byte in text.utf8 { driver.run(driver.session.receive([byte], now: 5)) }
      driver.end()
      while !driver.submitted.isEmpty { driver.complete() }
      #expect(driver.replies.hasPrefix("end ok rows=\(text.contains("=") ? 1 : 0) "))
    }
  }

  @Test func aBinaryStreamIsRejectedAndTheConnectionLivesOn() {
    let driver = Driver()
    driver.run(driver.session.receive([0x00, 0x01, 0xFF, 0xFE, 0x0A] + [UInt8](repeating: 0x80, count: 5000), now: 1))
    driver.send("\nm v=1\n#sync ok\n")
    driver.complete()
    #expect(driver.replies.hasPrefix("ok ok rows=1 rejected=2 sequence=1\n"))
    #expect(!driver.isClosed)
  }
}

struct LineProtocolBodyTests {
  private func pieces(_ text: String, _ size: Int) -> LineProtocolBody {
    let body = LineProtocolBody(options: .test)
    let bytes = Array(text.utf8)
    var batches: [SourceBatch] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      batches += bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { body.parse($0, now: 1) }
    }
    batches += body.finish(now: 1)
    for batch in batches {
      body.complete(
        [LineProtocolCompletion(rowsWritten: batch.points.rowCount, sequence: 1, rejections: [])],
        lineBases: [batch.lineBase])
    }
    return body
  }

  @Test func aGoodBodyHasNoError() {
    let body = pieces("m v=1\n# c\n#sync x\nm v=2", 3)
    #expect(body.errorJSON() == nil)
    #expect(body.rowsWritten == 2)
  }

  @Test func badLinesAreJSONForClients() throws {
    let body = pieces("m v=1\nm v=\"\\x\"y\nm,a= v=2\n", 5)
    let json = try #require(body.errorJSON())
    let object = try #require(JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    #expect(object["code"] as? String == "invalid")
    #expect(
      (object["message"] as? String)?.hasPrefix("partial write: 2 lines were rejected, 1 row was written") == true)
    #expect(object["error"] as? String == object["message"] as? String)
    let errors = try #require(object["errors"] as? [[String: Any]])
    #expect(errors.map { $0["line"] as? Int } == [2, 3])
    #expect(errors.map { $0["column"] as? Int } == [9, 5])
    #expect(errors.map { $0["code"] as? String } == ["syntax", "syntax"])
  }

  @Test func everyStringIsValidJSON() throws {
    let text = String(String.UnicodeScalarView((0..<0x300).map { Unicode.Scalar($0)! })) + "\"\\\u{10FFFF}"
    let object = try JSONSerialization.jsonObject(with: Data("[\(JSONText.string(text))]".utf8)) as? [String]
    #expect(object == [text])
  }
}
