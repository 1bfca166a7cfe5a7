import NIOCore
import Testing
import VarveCore
import VarveStorage
import VarveWire

@testable import VarveServer

struct LineProtocolServerTests {
  @Test func aSyncIsAnsweredOverTheSocketOnceDurable() async throws {
    try await Ingest.withLineServer { _, sink, address in
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("m v=1 1\nm v=2 2\nbad\n#sync a\n")
        _ = client.read(until: "a error line=3")
        client.send("m v=3")
        client.endOutput()
        return client.readToEnd()
      }
      #expect(text.hasPrefix("a ok rows=2 rejected=1 sequence="))
      #expect(text.contains("\na error line=3 column=4 code=syntax message=\""))
      #expect(text.contains("\nend ok rows=3 rejected=1 sequence="))
      #expect(sink.times == [1, 2, 1000])
    }
  }

  @Test func noAnswerComesBeforeTheStoreHasCompleted() async throws {
    try await Ingest.withLineServer { _, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      client.send("m v=1 1\n#sync a\n")
      #expect(try await Ingest.wait { sink.heldCount == 1 })
      #expect(client.isSilent)
      sink.release()
      #expect(client.read(until: "\n").hasPrefix("a ok rows=1"))
    }
  }

  @Test func allRowsOfAManyMegabyteStreamArriveOnce() async throws {
    try await Ingest.withLineServer { server, sink, address in
      let rows = 200_000
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        var piece = ""
        for i in 0..<rows {
          piece += "cpu,host=h\(i % 100) v=\(i)i,w=\(i % 7).5 \(i)\n"
          if piece.utf8.count > 100_000 {
            client.send(piece)
            piece = ""
          }
        }
        client.send(piece)
        client.endOutput()
        return client.readToEnd()
      }
      #expect(text.hasPrefix("end ok rows=\(rows) rejected=0 "))
      #expect(Set(sink.times).count == rows && sink.rowCount == rows)
      #expect(server.statistics.rowsWritten == rows)
    }
  }

  @Test func theSocketIsNotReadWhileTheStoreIsBehind() async throws {
    try await Ingest.withLineServer({ $0.inFlightByteLimit = 1_000_000 }) { server, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      let piece = Array(String(repeating: "m,host=a v=1i,w=2i,x=3i 1\n", count: 4000).utf8)
      let sender = Task {
        try await SocketClient.run {
          var sent = 0
          for _ in 0..<600 { sent += client.send(piece) }
          client.endOutput()
          return sent
        }
      }
      #expect(try await Ingest.wait { sink.heldCount > 0 })
      var seen = -1
      for _ in 0..<50 where server.statistics.bytesReceived != seen {
        seen = server.statistics.bytesReceived
        try await Task.sleep(for: .milliseconds(100))
      }
      #expect(server.statistics.bytesReceived < 20_000_000)
      sink.release()
      #expect(try await sender.value == 600 * piece.count)
      let text = try await SocketClient.run { client.readToEnd() }
      #expect(text.hasPrefix("end ok rows=\(600 * 4000) rejected=0 "))
    }
  }

  @Test func aSaturatedStoreHoldsConnectionsWithRowsInFlightOnly() async throws {
    try await Ingest.withLineServer { _, sink, address in
      sink.isSaturated = true
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        for i in 0..<20 {
          client.send("m v=\(i)\n#sync s\(i)\n")
          _ = client.read(until: "s\(i) ok rows=1")
        }
        client.endOutput()
        return client.readToEnd()
      }
      #expect(text.contains("end ok rows=20 "))
    }
  }

  @Test func aFullDiskIsWaitedForAndNoRowIsLost() async throws {
    try await Ingest.withLineServer { _, sink, address in
      sink.failNext(Array(repeating: VarveError(.diskFull, "no space"), count: 5))
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("m v=1 1\nm v=2 2\n#sync a\n")
        return client.read(until: "\n")
      }
      #expect(text.hasPrefix("a ok rows=2 rejected=0"))
      #expect(sink.submissions == 6)
    }
  }

  /// Else an older write of a row would come behind a newer one.
  @Test func whatComesBehindARefusedBatchWaitsForIt() async throws {
    try await Ingest.withLineServer({ $0.retryMilliseconds = 1000 }) { _, sink, address in
      sink.failNext([VarveError(.diskFull, "no space")])
      let client = try SocketClient(address)
      client.send("m v=1 1\n")
      #expect(try await Ingest.wait { sink.submissions >= 1 })
      let text = try await SocketClient.run {
        client.send("m v=2 2\n#sync a\n")
        return client.read(until: "\n")
      }
      #expect(text.hasPrefix("a ok rows=2 rejected=0"))
      #expect(sink.times == [1, 2])
    }
  }

  @Test func anOverfullStoreIsReadForByNobodyUntilItHasRoom() async throws {
    try await Ingest.withLineServer { server, sink, address in
      sink.isOverfull = true
      let client = try SocketClient(address)
      client.send("m v=1 1\n#sync a\n")
      #expect(client.isSilent && server.statistics.bytesReceived == 0)
      sink.isOverfull = false
      #expect(client.read(until: "\n").hasPrefix("a ok rows=1"))
    }
  }

  @Test func aConnectionIsCountedAndItsAnswersAreTimed() async throws {
    let meter = IngestMeter()
    try await Ingest.withLineServer(meter: meter) { _, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      client.send("m v=1 1\nbad\n#sync a\n#sync b\n")
      #expect(try await Ingest.wait { sink.heldCount == 1 })
      let waiting = try #require(meter.report.connections.first?.counts)
      #expect(waiting.unansweredSyncs == 2 && waiting.inFlightByteCount > 0 && waiting.receivedByteCount == 28)
      #expect(waiting.rejected == 1 && waiting.rows == 0)
      sink.release()
      _ = client.read(until: "b ok")
      #expect(try await Ingest.wait { meter.report.connections.first?.counts.syncs == 2 })
      let counts = try #require(meter.report.connections.first?.counts)
      #expect(counts.rows == 1 && counts.unansweredSyncs == 0 && counts.inFlightByteCount == 0)
      #expect(meter.report.syncs[.lineProtocol]?.count == 2)
      client.endOutput()
      #expect(client.readToEnd().contains("end ok rows=1 rejected=1"))
      #expect(try await Ingest.wait { meter.report.connections.isEmpty })
    }
  }

  @Test func aFullDiskIsTheStateOfItsConnections() async throws {
    let meter = IngestMeter()
    try await Ingest.withLineServer({ $0.retryMilliseconds = 50 }, meter: meter) { _, sink, address in
      sink.failAlways(VarveError(.diskFull, "no space"))
      let client = try SocketClient(address)
      client.send("m v=1 1\n")
      #expect(try await Ingest.wait { meter.report.connections.first?.counts.state == .waitingForRoom })
      sink.failAlways(nil)
      client.send("#sync a\n")
      #expect(client.read(until: "\n").hasPrefix("a ok rows=1"))
      #expect(try await Ingest.wait { meter.report.connections.first?.counts.state == .reading })
    }
  }

  @Test func aConnectionBeyondTheLimitIsToldSoAndTheOthersGoOn() async throws {
    try await Ingest.withLineServer({ $0.connectionLimit = 1 }) { _, _, address in
      let first = try SocketClient(address)
      first.send("m v=1 1\n#sync a\n")
      _ = first.read(until: "a ok")
      let text = try await SocketClient.run {
        let second = try SocketClient(address)
        second.send("m v=2 2\n#sync b\n")
        return second.readToEnd()
      }
      #expect(text.hasPrefix("end error line=0 column=0 code=overloaded message=\"there are 1 connections"))
      first.send("#sync c\n")
      #expect(first.read(until: "c ok").contains("c ok rows=0"))
    }
  }

  @Test func aStoreThatFailsForGoodIsToldAndTheConnectionClosed() async throws {
    try await Ingest.withLineServer { _, sink, address in
      sink.failNext([VarveError(.inputOutput, "the disk is gone")])
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("m v=1 1\n#sync a\n")
        return client.readToEnd()
      }
      #expect(text == "a error line=0 column=0 code=io_error message=\"the disk is gone\"\n")
    }
  }

  @Test func rejectionsOfTheStoreComeWithTheirLine() async throws {
    try await Ingest.withLineServer { server, _, address in
      let text = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("m v=1 1\nrefuse v=2 2\n#sync a\n")
        return client.read(until: "is text\"\n")
      }
      #expect(text.contains("a ok rows=1 rejected=1"))
      #expect(text.contains("a error line=2 column=3 code=type_conflict message=\"column \\\"v\\\" is text\""))
    }
  }

  @Test func aClientThatReadsNoAnswersIsCutOffAndHarmsNobody() async throws {
    try await Ingest.withLineServer({
      $0.stalledClientMilliseconds = 300
      $0.unreadAnswerByteLimit = 10_000
    }) { server, sink, address in
      let bad = try SocketClient(address, receiveBufferByteCount: 4096)
      let sender = Task {
        try await SocketClient.run {
          let piece = Array(String(repeating: "#sync t\n", count: 10_000).utf8)
          var sent = 0
          for _ in 0..<2000 {
            let n = bad.send(piece)
            sent += n
            if n < piece.count { break }
          }
          return sent
        }
      }
      let good = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("m v=1\n#sync ok\n")
        return client.read(until: "\n")
      }
      #expect(good.hasPrefix("ok ok rows=1"))
      #expect(try await Ingest.wait { server.statistics.connectionsAborted == 1 })
      #expect(try await sender.value < 2000 * 80_000)
    }
  }

  @Test func otherProtocolsAreAnsweredAndClosed() async throws {
    try await Ingest.withLineServer { _, _, address in
      let http = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send("POST /write?db=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nm v=1\n")
        return client.readToEnd()
      }
      #expect(http.hasPrefix("HTTP/1.1 400 Bad Request\r\n") && http.contains("8086"))
      let tls = try await SocketClient.run {
        let client = try SocketClient(address)
        client.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03])
        return client.readToEnd()
      }
      #expect(tls.contains("TLS"))
    }
  }

  @Test func binaryGarbageIsRejectedInBoundedMemoryAndTheNextClientIsFine() async throws {
    try await Ingest.withLineServer { server, sink, address in
      let garbage = try await SocketClient.run {
        let client = try SocketClient(address)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<8 { client.send((0..<262_144).map { _ in UInt8.random(in: 1...255, using: &generator) }) }
        client.send("\nm v=1 7\n")
        client.endOutput()
        return client.readToEnd()
      }
      #expect(garbage.hasPrefix("end ok rows=1 rejected="))
      #expect(sink.times == [7])
    }
  }

  @Test func aResetConnectionsWholeLinesAreWritten() async throws {
    try await Ingest.withLineServer { server, sink, address in
      do {
        let client = try SocketClient(address)
        client.send("m v=1 1\nm v=2 2\nm v=3")
        #expect(try await Ingest.wait { server.statistics.bytesReceived == 21 })
        client.reset()
      }
      #expect(try await Ingest.wait { sink.rowCount >= 2 })
    }
  }

  @Test func aGracefulStopMakesDurableWhatHasArrivedAndAnswers() async throws {
    try await Ingest.withLineServer { server, sink, address in
      sink.hold()
      let client = try SocketClient(address)
      client.send("m v=1 1\nm v=2 2\nm v=3")
      #expect(try await Ingest.wait { server.statistics.bytesReceived == 21 })
      let stop = Task { try await server.stop(gracefully: true) }
      try await Task.sleep(for: .milliseconds(50))
      sink.release()
      try await stop.value
      let text = try await SocketClient.run { client.readToEnd() }
      #expect(text.hasPrefix("end ok rows=2 rejected=1 "))
      #expect(text.contains("end error line=3 column=1 code=closed"))
      #expect(sink.times == [1, 2])
      #expect(throws: SocketClient.Refused.self) { try SocketClient(address) }
    }
  }

  @Test func aRestartedListenerBindsTheSamePortAtOnce() async throws {
    var port = 0
    for _ in 0..<3 {
      try await Ingest.withLineServer({ $0.port = port }) { server, _, address in
        port = address.port!
        let client = try SocketClient(address)
        client.send("m v=1\n#sync a\n")
        #expect(client.read(until: "\n").hasPrefix("a ok"))
      }
    }
  }

  @Test func manyClientsAtOnceEachGetTheirOwnAnswers() async throws {
    try await Ingest.withLineServer { _, sink, address in
      try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<20 {
          group.addTask {
            try await SocketClient.run {
              let client = try SocketClient(address)
              for i in 0..<50 { client.send("m,c=\(number) v=\(i)i \(number * 1000 + i)\n") }
              client.endOutput()
              return client.readToEnd()
            }
          }
        }
        for try await text in group { #expect(text.hasPrefix("end ok rows=50 rejected=0 ")) }
      }
      #expect(Set(sink.times).count == 1000)
    }
  }
}
