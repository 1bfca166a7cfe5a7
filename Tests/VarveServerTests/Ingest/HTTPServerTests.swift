import Foundation
import NIOCore
import Testing
import VarveCore
import VarveStorage
import VarveWire

@testable import VarveServer

struct HTTPServerTests {
  /// One exchange on a connection of its own; the whole answer.
  private func exchange(_ address: SocketAddress, _ request: String, _ body: [UInt8] = []) async throws -> String {
    try await SocketClient.run {
      let client = try SocketClient(address)
      client.send(Array(request.replacing("\n", with: "\r\n").utf8) + body)
      return client.readToEnd()
    }
  }

  private func post(
    _ address: SocketAddress, _ target: String, _ body: String, headers: String = ""
  ) async throws -> String {
    try await exchange(
      address, "POST \(target) HTTP/1.1\nHost: x\n\(headers)Connection: close\nContent-Length: \(body.utf8.count)\n\n",
      Array(body.utf8))
  }

  private func get(_ address: SocketAddress, _ target: String, method: String = "GET") async throws -> String {
    try await exchange(address, "\(method) \(target) HTTP/1.1\nHost: x\nConnection: close\n\n")
  }

  private func json(_ answer: String) throws -> [String: Any] {
    let body = try #require(answer.range(of: "\r\n\r\n")).upperBound
    return try #require(JSONSerialization.jsonObject(with: Data(answer[body...].utf8)) as? [String: Any])
  }

  @Test func aWriteIsAnswered204OnceDurable() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      client.send("POST /write?db=x&precision=s HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\nm v=1 5\nm v=2 6\n")
      #expect(try await Ingest.wait { sink.heldCount == 1 })
      #expect(client.isSilent)
      sink.release()
      let text = client.read(until: "\r\n\r\n")
      #expect(text.hasPrefix("HTTP/1.1 204 No Content\r\n"))
      #expect(sink.times == [5_000_000_000, 6_000_000_000])
    }
  }

  @Test func bothWritePathsAndAllPrecisionsAreTaken() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      for (name, unit) in [("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("", 1)]
        as [(String, Int64)]
      {
        for path in ["/write?db=a&precision=\(name)", "/api/v2/write?org=o&bucket=b&precision=\(name)"] {
          let answer = try await post(address, path, "m v=1 7\n")
          #expect(answer.hasPrefix("HTTP/1.1 204"))
          #expect(sink.times.last == 7 * unit)
        }
      }
      let wrong = try await post(address, "/write?precision=d", "m v=1 7\n")
      #expect(wrong.hasPrefix("HTTP/1.1 400"))
      #expect(try json(wrong)["code"] as? String == "invalid")
      #expect(try await post(address, "/write?db=x", "").hasPrefix("HTTP/1.1 204"))
    }
  }

  @Test func badLinesAreListedAndTheGoodOnesStored() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      let answer = try await post(address, "/write?db=x", "m v=1 1\nm v=? 2\nrefuse v=1 3\nm v=4 4\n")
      #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
      let object = try json(answer)
      #expect(object["code"] as? String == "invalid")
      #expect((object["message"] as? String)?.contains("2 lines were rejected, 2 rows were written") == true)
      let errors = try #require(object["errors"] as? [[String: Any]])
      #expect(errors.map { $0["line"] as? Int } == [2, 3])
      #expect(errors.map { $0["code"] as? String } == ["syntax", "type_conflict"])
      #expect(sink.times == [1, 4])
    }
  }

  @Test func gzipBodiesAreUnpackedAndBombsAreNot() async throws {
    // gzip -9 of "m v=1 1\nm v=2 2\n"
    let packed = try gzip(Array("m v=1 1\nm v=2 2\n".utf8))
    let bomb = try gzip([UInt8](repeating: 0x0A, count: 5_000_000))
    try await Ingest.withHTTPServer({ options, _ in options.bodyByteLimit = 1_000_000 }) { _, sink, address in
      func send(_ body: [UInt8], encoding: String = "gzip") async throws -> String {
        try await exchange(
          address,
          "POST /api/v2/write?bucket=b HTTP/1.1\nHost: x\nConnection: close\nContent-Encoding: \(encoding)\nContent-Length: \(body.count)\n\n",
          body)
      }
      let good = try await send(packed)
      #expect(good.hasPrefix("HTTP/1.1 204"))
      #expect(sink.times == [1, 2])
      let tooLarge = try await send(bomb)
      #expect(tooLarge.hasPrefix("HTTP/1.1 413"))
      let foreign = try await send(Array("not gzip at all".utf8))
      #expect(foreign.hasPrefix("HTTP/1.1 400"))
      let cut = try await send(Array(packed.dropLast(9)))
      #expect(cut.hasPrefix("HTTP/1.1 400"))
      let unknown = try await send(packed, encoding: "br")
      #expect(unknown.hasPrefix("HTTP/1.1 415"))
      #expect(sink.times == [1, 2])
    }
  }

  private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-c"]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    DispatchQueue.global().async {
      input.fileHandleForWriting.write(Data(bytes))
      input.fileHandleForWriting.closeFile()
    }
    let packed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Array(packed)
  }

  @Test func aBodyTooLargeIsRefused() async throws {
    try await Ingest.withHTTPServer({ options, _ in options.bodyByteLimit = 100_000 }) { _, sink, address in
      let declared = try await post(address, "/write", String(repeating: "m v=1 1\n", count: 20_000))
      #expect(declared.hasPrefix("HTTP/1.1 413"))
      #expect(try json(declared)["code"] as? String == "request too large")
      #expect(sink.rowCount == 0)
      let chunk = String(repeating: "m v=1 1\n", count: 1000)
      let piece = "\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n"
      let chunked = try await exchange(
        address, "POST /write HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n",
        Array((String(repeating: piece, count: 30) + "0\r\n\r\n").utf8))
      #expect(chunked.hasPrefix("HTTP/1.1 413") && chunked.contains("Connection: close"))
    }
  }

  @Test func chunkedBodiesAndLongOnesArriveWhole() async throws {
    try await Ingest.withHTTPServer({ options, _ in options.inFlightByteLimit = 100_000 }) { server, sink, address in
      let rows = 300_000
      let text = (0..<rows).map { "m,host=a v=1i \($0)\n" }.joined()
      let answer = try await post(address, "/write", text)
      #expect(answer.hasPrefix("HTTP/1.1 204"))
      #expect(sink.rowCount == rows && Set(sink.times).count == rows)
      #expect(server.statistics.rowsWritten == rows)
      let cut = try await exchange(
        address, "POST /write HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nConnection: close\n\n",
        Array("5\r\nm v=1\r\n1\r\n \r\n4\r\n999\n\r\n0\r\n\r\n".utf8))
      #expect(cut.hasPrefix("HTTP/1.1 204"))
      #expect(sink.times.last == 999)
    }
  }

  @Test func aStoreThatCannotKeepUpIsA503WithRetryAfter() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      sink.isSaturated = true
      let saturated = try await post(address, "/write", "m v=1\n")
      #expect(saturated.hasPrefix("HTTP/1.1 503") && saturated.contains("Retry-After: 1\r\n"))
      sink.isSaturated = false
      for code in [VarveError.Code.diskFull, .overloaded, .readOnly, .closed] {
        sink.failNext([VarveError(code, "not now")])
        let answer = try await post(address, "/write", "m v=1\n")
        #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("Retry-After: 1\r\n"))
        #expect(try json(answer)["code"] as? String == "unavailable")
      }
      sink.failNext([VarveError(.inputOutput, "the disk is gone")])
      #expect(try await post(address, "/write", "m v=1\n").hasPrefix("HTTP/1.1 500"))
      #expect(try await post(address, "/write", "m v=1\n").hasPrefix("HTTP/1.1 204"))
    }
  }

  @Test func requestsShareTheMemoryForBodiesThatAreNotWithTheStore() async throws {
    let memory = ByteBudget(byteLimit: 300_000)
    try await Ingest.withHTTPServer({ options, _ in options.gatheringMemory = memory }) { server, sink, address in
      let piece = Array(String(repeating: "m,host=a v=1i 1\n", count: 20_000).utf8)
      func begin(_ client: SocketClient, length: Int) {
        client.send("POST /write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(length)\r\n\r\n")
      }
      // One has used the memory up, and keeps what it has gathered.
      let first = try SocketClient(address)
      begin(first, length: piece.count)
      first.send(Array(piece.dropLast(16_000)))
      #expect(try await Ingest.wait { memory.isExhausted })
      #expect(memory.byteCount <= 300_000)
      #expect(sink.rowCount == 0)
      // A new one is put off.
      let refused = try await post(address, "/write", "m v=1\n")
      #expect(refused.hasPrefix("HTTP/1.1 503") && refused.contains("Retry-After: 1\r\n"))
      #expect(try json(refused)["code"] as? String == "unavailable")
      #expect(sink.rowCount == 0)
      // One whose end gives the memory back lets others in.
      first.send(Array(piece.suffix(16_000)))
      #expect(first.readToEnd().hasPrefix("HTTP/1.1 204"))
      #expect(sink.rowCount == 20_000)
      #expect(memory.byteCount == 0)
      #expect(try await post(address, "/write", "m v=1\n").hasPrefix("HTTP/1.1 204"))
      // Beyond the bound a request hands over what it has, long before it is over.
      let long = try SocketClient(address)
      begin(long, length: 3 * piece.count)
      long.send(piece)
      long.send(piece)
      #expect(try await Ingest.wait { sink.rowCount > 30_000 })
      long.send(piece)
      #expect(long.readToEnd().hasPrefix("HTTP/1.1 204"))
      #expect(sink.rowCount == 80_001)
      // So does one that is cut off.
      let lost = try SocketClient(address)
      begin(lost, length: piece.count)
      lost.send(Array(piece.dropLast(20_000)))
      #expect(try await Ingest.wait { memory.byteCount > 0 })
      lost.reset()
      #expect(try await Ingest.wait { memory.byteCount == 0 })
    }
  }

  @Test func aRequestUnderWayIsNotReadWhileTheStoreIsSaturated() async throws {
    try await Ingest.withHTTPServer({ options, _ in options.inFlightByteLimit = 1 << 30 }) { server, sink, address in
      sink.hold()
      sink.saturateWhileHolding()
      let piece = Array(String(repeating: "m,host=a v=1i,w=2i,x=3i 1\n", count: 4000).utf8)
      let client = try SocketClient(address)
      let sender = Task {
        try await SocketClient.run {
          client.send(
            "POST /write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(piece.count * 500)\r\n\r\n")
          for _ in 0..<500 { client.send(piece) }
          return client.readToEnd()
        }
      }
      #expect(try await Ingest.wait { sink.heldCount > 0 })
      var seen = -1
      for _ in 0..<50 where server.statistics.bytesReceived != seen {
        seen = server.statistics.bytesReceived
        try await Task.sleep(for: .milliseconds(100))
      }
      #expect(server.statistics.bytesReceived < piece.count * 250)
      sink.release()
      #expect(try await sender.value.hasPrefix("HTTP/1.1 204"))
      #expect(sink.rowCount == 4000 * 500)
    }
  }

  @Test func pingHealthAndMetricsAnswer() async throws {
    try await Ingest.withHTTPServer({ _, services in
      services.metrics = { "varve_up 1\n" }
    }) { _, _, address in
      for method in ["GET", "HEAD"] {
        let ping = try await get(address, "/ping", method: method)
        #expect(ping.hasPrefix("HTTP/1.1 204") && ping.contains("X-Influxdb-Version: "))
        let health = try await get(address, "/health", method: method)
        #expect(health.hasPrefix("HTTP/1.1 200") && health.contains("Content-Length: "))
        #expect(health.hasSuffix("\r\n\r\n") == (method == "HEAD"))
      }
      #expect(try json(await get(address, "/health"))["status"] as? String == "pass")
      let metrics = try await get(address, "/metrics")
      #expect(metrics.contains("Content-Type: text/plain; version=0.0.4") && metrics.hasSuffix("varve_up 1\n"))
    }
    try await Ingest.withHTTPServer({ _, services in
      services.health = { HealthReport(isHealthy: false, message: "recovering") }
    }) { _, _, address in
      let health = try await get(address, "/health")
      #expect(health.hasPrefix("HTTP/1.1 503"))
      #expect(try json(health)["status"] as? String == "fail")
      #expect(try await get(address, "/metrics").hasPrefix("HTTP/1.1 404"))
    }
  }

  @Test func queriesGoToWhoAnswersThem() async throws {
    try await Ingest.withHTTPServer({ _, services in
      services.query = { request in
        let texts = request.parameters.map { $0 ?? "null" }
        return FixedAnswer(
          ([request.sql, "\(request.format)", request.database] + texts + [request.timeout].compactMap { $0 })
            .joined(separator: "|"))
      }
    }) { _, _, address in
      #expect(try await get(address, "/query?q=SELECT+1%2B1&format=csv&db=d").hasSuffix("SELECT 1+1|csv|d"))
      let form = "Content-Type: application/x-www-form-urlencoded\n"
      #expect(
        try await post(address, "/query", "q=SELECT%202&format=json", headers: form).hasSuffix("SELECT 2|json|varve"))
      #expect(try await post(address, "/query?format=csv", "SELECT 3").hasSuffix("SELECT 3|csv|varve"))
      #expect(
        try await get(address, "/query?q=a&params=%5B1,%22b%22,null,true%5D&timeout=5s")
          .hasSuffix("a|json|varve|1|b|null|true|5s"))
      for params in ["1", "%5B1", "%5B%5B1%5D%5D", "%7B%7D", "%5B01%5D"] {
        #expect(try await get(address, "/query?q=a&params=\(params)").hasPrefix("HTTP/1.1 400"), "\(params)")
      }
      let create = try await post(address, "/query", "q=CREATE+DATABASE+%22x%22", headers: form)
      #expect(create.hasPrefix("HTTP/1.1 200") && create.hasSuffix("{\"results\":[{\"statement_id\":0}]}\n"))
      #expect(try await get(address, "/query?q=SELECT+1&format=xml").hasPrefix("HTTP/1.1 400"))
      #expect(try await get(address, "/query").hasPrefix("HTTP/1.1 400"))
      #expect(try await get(address, "/query?q=%zz").hasPrefix("HTTP/1.1 400"))
      #expect(try await get(address, "/query?q=%ff").hasPrefix("HTTP/1.1 400"))
    }
    try await Ingest.withHTTPServer { _, _, address in
      let answer = try await get(address, "/query?q=SELECT+1")
      #expect(answer.hasPrefix("HTTP/1.1 501"))
      #expect(try json(answer)["code"] as? String == "unsupported")
    }
  }

  @Test func unknownPathsAndMethodsAreJSON() async throws {
    try await Ingest.withHTTPServer { _, _, address in
      let missing = try await get(address, "/nothing")
      #expect(missing.hasPrefix("HTTP/1.1 404"))
      #expect(try json(missing)["code"] as? String == "not found")
      for (method, path, allowed) in [
        ("GET", "/write", "POST"), ("DELETE", "/query", "GET, POST"), ("POST", "/ping", "GET, HEAD"),
      ] {
        let answer = try await get(address, path, method: method)
        #expect(answer.hasPrefix("HTTP/1.1 405") && answer.contains("Allow: \(allowed)\r\n"))
        #expect(try json(answer)["code"] as? String == "method not allowed")
      }
    }
  }

  @Test func requestsOnOneConnectionAreAnsweredInOrder() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        var requests = ""
        for i in 0..<50 {
          let body = i % 3 == 0 ? "bad" : "m v=\(i) \(i)"
          requests += "POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
          requests += "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
        }
        client.send(requests + "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.readToEnd()
      }
      var expected: [String] = []
      var times: [Int64] = []
      for i in 0..<50 {
        expected += [i % 3 == 0 ? "400" : "204", "204"]
        if i % 3 != 0 { times.append(Int64(i)) }
      }
      let statuses = text.components(separatedBy: "HTTP/1.1 ").dropFirst().map { String($0.prefix(3)) }
      #expect(statuses == expected + ["404"])
      #expect(sink.times == times)
    }
  }

  @Test func aClientThatHalfClosesStillGetsItsAnswer() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      client.send("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nm v=1 1")
      client.endOutput()
      #expect(try await Ingest.wait { sink.heldCount == 1 })
      sink.release()
      #expect(client.readToEnd().hasPrefix("HTTP/1.1 204"))
    }
  }

  @Test func expectContinueIsAnsweredBeforeTheBody() async throws {
    try await Ingest.withHTTPServer({ options, _ in options.bodyByteLimit = 1000 }) { _, sink, address in
      let client = try SocketClient(address)
      client.send("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n")
      #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 Continue\r\n"))
      client.forget()
      client.send("m v=1 1")
      #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
      let large = try SocketClient(address)
      large.send("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 7000\r\nExpect: 100-continue\r\n\r\n")
      #expect(large.readToEnd().hasPrefix("HTTP/1.1 413"))
    }
  }

  @Test func otherProtocolsGetAClear400() async throws {
    try await Ingest.withHTTPServer { _, _, address in
      for bytes in [
        Array("cpu,host=a v=1 5\n".utf8), [0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F], [0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
      ] {
        let answer = try await SocketClient.run {
          let client = try SocketClient(address)
          client.send(bytes)
          return client.readToEnd()
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n") && answer.contains("9009"))
      }
    }
  }

  @Test func aGracefulStopAnswersTheRequestAtHand() async throws {
    try await Ingest.withHTTPServer { server, sink, address in
      sink.hold()
      let idle = try SocketClient(address)
      idle.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(idle.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
      let client = try SocketClient(address)
      client.send("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nm v=1 1")
      #expect(try await Ingest.wait { sink.heldCount == 1 })
      let stop = Task { try await server.stop(gracefully: true) }
      try await Task.sleep(for: .milliseconds(50))
      sink.release()
      try await stop.value
      let text = try await SocketClient.run { client.readToEnd() }
      #expect(text.hasPrefix("HTTP/1.1 204"))
      #expect(sink.rowCount == 1)
    }
  }

  @Test func aClientThatGoesAwayInTheMiddleHarmsNobody() async throws {
    try await Ingest.withHTTPServer { _, sink, address in
      for _ in 0..<10 {
        let client = try SocketClient(address)
        client.send("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nm v=1 1\nm v=")
        client.reset()
      }
      #expect(try await post(address, "/write", "m v=1 42\n").hasPrefix("HTTP/1.1 204"))
      #expect(sink.times.last == 42)
    }
  }
}
