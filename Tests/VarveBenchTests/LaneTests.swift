// Connections of the load generator against a server that says what the test wants it to.

import Foundation
import Glibc
import Testing
import VarveCore
import VarveIO
import VarveServer

@testable import VarveBench

/// Accepts connections one after the other; for each, `answer` gets what has come so far and gives what to send, and
/// whether to close then. Ends with its last connection.
private final class ScriptedServer: @unchecked Sendable {
  // Unchecked: the descriptor is never changed, the rest is the thread's until `join`.
  let address: ListenAddress
  private let listener: Int32
  private var thread: WorkerThread?
  private(set) var received: [[UInt8]] = []

  init(connections: Int, _ answer: @escaping @Sendable (_ connection: Int, _ received: [UInt8]) -> (String, Bool)?)
    throws
  {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var local = sockaddr_in()
    local.sin_family = sa_family_t(AF_INET)
    local.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &local) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) + listen(listener, 8) + getsockname(listener, $0, &length)
      }
    }
    try #require(status == 0)
    self.listener = listener
    address = ListenAddress(host: "127.0.0.1", port: Int(UInt16(bigEndian: local.sin_port)))
    thread = WorkerThread(name: "scripted") { [self] in
      for connection in 0..<connections { serve(connection, answer) }
      close(listener)
    }
  }

  func join() { thread?.join() }

  private func serve(_ connection: Int, _ answer: (Int, [UInt8]) -> (String, Bool)?) {
    let peer = accept(listener, nil, nil)
    var all: [UInt8] = []
    var pending: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(peer, &piece, piece.count, 0)
      if count <= 0 { break }
      all += piece[..<count]
      pending += piece[..<count]
      guard let (text, ends) = answer(connection, pending) else { continue }
      pending = []
      _ = text.withCString { send(peer, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      if ends { break }
    }
    received.append(all)
    close(peer)
  }
}

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
        return (
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", true
        )
      }
      return body(received) == nil ? nil : ("HTTP/1.1 204 No Content\r\n\r\n", false)
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
      return ("HTTP/1.1 400 Bad Request\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)", false)
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
      received.count < 500 ? nil : ("", true)
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
      return (text, false)
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
    let server = try ScriptedServer(connections: 1) { _, _ in ("220 mail.example ESMTP\n", false) }
    let lane = StreamLane(
      feed(rows: 5_000, batch: 1_000), try ClientSocket(host: server.address.host, port: server.address.port),
      clock: SystemClock())
    #expect(drive(lane)?.message.contains("220 mail.example") == true)
  }
}
