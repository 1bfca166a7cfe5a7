// Connections of the load generator against a server that says what the test wants it to.

import Foundation
import Testing
import VarveCore
import VarveIO
import VarveServer

@testable import VarveBench

private func drive(_ lane: any Lane) -> VarveError? {
  let worker = LaneWorker([lane], stop: LoadStop(), clock: SystemClock())
  worker.run()
  return worker.error
}

private func feed(rows: Int, batch: Int) -> LaneFeed {
  let plan = plan(.narrow) {
    $0.connectionCount = 1
    $0.rowCount = rows
  }
  return LaneFeed(
    generator(plan), batchRowCount: batch, pace: Pace(start: 0, rowsPerSecond: nil), counts: LoadCounts())
}

/// The body of a request if it has come whole.
private func body(_ request: [UInt8]) -> String? {
  let text = String(decoding: request, as: UTF8.self)
  guard let end = text.range(of: "\r\n\r\n"), let name = text.range(of: "Content-Length: ") else { return nil }
  let length = Int(text[name.upperBound...].prefix { $0.isNumber })
  let body = text[end.upperBound...]
  return body.utf8.count == length ? String(body) : nil
}

@Suite struct LaneTests {
  @Test func aRequestThatTheServerHasNoRoomForIsSentAgain() throws {
    let server = try ScriptedServer(connections: 2) { connection, received in
      if connection == 0 {
        // Before all of it has come, as a server does that will not read it.
        let text =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
        return (Array(text.utf8), true)
      }
      return body(received) == nil ? nil : (Array("HTTP/1.1 204 No Content\r\n\r\n".utf8), false)
    }
    let feed = feed(rows: 250, batch: 100)
    do {
      let lane = try RequestLane(feed, server.address, clock: SystemClock())
      #expect(drive(lane) == nil)
    }
    #expect(feed.retryCount == 1)
    #expect(feed.rowsAcknowledged == 250)
    #expect(feed.latencies.count == 3)
    #expect(feed.rowsRejected == 0)
  }

  @Test func whatHTTPRejectsIsCountedAndSaid() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard body(received) != nil else { return nil }
      let json = #"{"code":"invalid","message":"partial write: 3 lines were rejected, 97 written; \"x\"","errors":[]}"#
      return (Array("HTTP/1.1 400 Bad Request\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)".utf8), false)
    }
    let feed = feed(rows: 1_000, batch: 100)
    do {
      let lane = try RequestLane(feed, server.address, clock: SystemClock())
      #expect(drive(lane) == nil)
    }
    // The load ends with the batch that was rejected.
    #expect((feed.rowsAcknowledged, feed.rowsRejected) == (97, 3))
    #expect(feed.firstRejection == "partial write: 3 lines were rejected, 97 written; \"x\"")
  }

  @Test func aServerThatLeavesBeforeItsAnswerIsAnError() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      received.count < 500 ? nil : ([], true)
    }
    let lane = StreamLane(
      feed(rows: 5_000, batch: 1_000), try ClientSocket(host: server.address.host, port: server.address.port),
      clock: SystemClock())
    #expect(drive(lane)?.code == .inputOutput)
  }

  @Test func batchesOverTCPAreCountedWhenTheyAreAnswered() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      // One answer for all syncs of what has come, if it ends with one.
      let lines = String(decoding: received, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      guard lines.last == "", lines.dropLast().last?.hasPrefix("#sync ") == true else { return nil }
      var rows = 0
      var text = ""
      for line in lines.dropLast() {
        if line.hasPrefix("#sync ") {
          text += "\(line.dropFirst(6)) ok rows=\(rows) rejected=0 sequence=1\n"
          rows = 0
        } else {
          rows += 1
        }
      }
      return (Array(text.utf8), false)
    }
    let feed = feed(rows: 2_345, batch: 100)
    do {
      let lane = StreamLane(
        feed, try ClientSocket(host: server.address.host, port: server.address.port), clock: SystemClock())
      #expect(drive(lane) == nil)
      #expect(lane.isFinished)
    }
    #expect(feed.rowsSent == 2_345)
    #expect(feed.rowsAcknowledged == 2_345)
    #expect(feed.latencies.count == 24)
  }

  @Test func aPortThatSpeaksOtherwiseIsSaid() throws {
    let server = try ScriptedServer(connections: 1) { _, _ in (Array("220 mail.example ESMTP\n".utf8), false) }
    let lane = StreamLane(
      feed(rows: 5_000, batch: 1_000), try ClientSocket(host: server.address.host, port: server.address.port),
      clock: SystemClock())
    #expect(drive(lane)?.message.contains("220 mail.example") == true)
  }
}
