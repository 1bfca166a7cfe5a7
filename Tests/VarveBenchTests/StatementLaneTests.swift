// COPY and INSERT of the load generator against a server that says what the test wants it to.

import Testing
import VarveCore
import VarveIO
import VarveServer

@testable import VarveBench

/// What a client has sent, as messages: their types and bodies. The startup packet, which has no type, is `\0`.
private func messages(_ bytes: [UInt8]) -> [(type: Character, body: [UInt8])]? {
  var rest = bytes[...]
  var found: [(Character, [UInt8])] = []
  while !rest.isEmpty {
    let hasType = rest.first != 0
    let start = rest.startIndex + (hasType ? 1 : 0)
    guard rest.endIndex - start >= 4 else { return nil }
    let length = rest[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
    guard rest.endIndex - start >= length else { return nil }
    let type = hasType ? Character(Unicode.Scalar(rest[rest.startIndex])) : "\0"
    found.append((type, Array(rest[(start + 4)..<(start + length)])))
    rest = rest[(start + length)...]
  }
  return found
}

private func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
  Array(String(type).utf8) + PostgresStream.bigEndian(body.count + 4) + body
}

private let ready = message("Z", [0x49])
private let welcome = message("R", [0, 0, 0, 0]) + ready

private func complete(_ tag: String) -> [UInt8] { message("C", Array(tag.utf8) + [0]) }

private func refusal(_ text: String) -> [UInt8] {
  message("E", Array("SERROR\0C42703\0M\(text)\0".utf8) + [0])
}

private let copyIsAsked = message("G", [1, 0, 0])

/// Rows of three values in COPY's binary format.
private func tupleCount(_ bytes: [UInt8]) -> Int {
  // Behind the signature.
  var (index, count) = (19, 0)
  func integer(_ width: Int) -> Int {
    defer { index += width }
    return bytes[index..<(index + width)].reduce(0) { $0 << 8 | Int($1) }
  }
  while integer(2) == 3 {
    for _ in 0..<3 { index += integer(4) }
    count += 1
  }
  return count
}

/// Of Bind, without a portal's name and with one format.
private func parameterCount(_ body: [UInt8]) -> Int {
  let behindNames = body.dropFirst().firstIndex(of: 0).map { $0 + 1 } ?? 0
  return Int(body[behindNames + 4]) << 8 | Int(body[behindNames + 5])
}

private func narrowPlan(rows: Int) -> LoadPlan {
  plan(.narrow) {
    $0.connectionCount = 1
    $0.rowCount = rows
  }
}

/// A lane that writes so many rows in such batches, driven to its end.
private func drive(_ kind: StatementLane.Kind, rows: Int, batch: Int, _ server: ScriptedServer) throws -> (
  LaneFeed, VarveError?
) {
  let plan = narrowPlan(rows: rows)
  let encoding: RowEncoding = kind == .copy ? .copy : .parameters
  let feed = LaneFeed(
    RowGenerator(plan, lane: 0, encoding), batchRowCount: batch, pace: Pace(start: 0, rowsPerSecond: nil),
    counts: LoadCounts())
  let address = server.address
  let stream = try PostgresStream(host: address.host, port: address.port, user: "varve", database: "varve")
  let lane = StatementLane(kind, feed, stream, RowStatements(plan), clock: SystemClock())
  let worker = LaneWorker([lane], stop: LoadStop(), clock: SystemClock())
  worker.run()
  return (feed, worker.error)
}

@Suite struct StatementLaneTests {
  @Test func rowsOfACopyGoWhenTheyAreAskedFor() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard let messages = messages(received), let last = messages.last else { return nil }
      switch last.type {
      case "\0": return (welcome, false)
      case "Q":
        // Nothing comes behind the statement before that.
        return messages.count == 1 ? (copyIsAsked, false) : (refusal("rows came too early") + ready, true)
      case "c":
        return (complete("COPY \(tupleCount(messages.filter { $0.type == "d" }.flatMap(\.body)))") + ready, false)
      default: return nil
      }
    }
    let (feed, error) = try drive(.copy, rows: 300, batch: 100, server)
    #expect(error == nil)
    #expect((feed.rowsSent, feed.rowsAcknowledged, feed.rowsRejected) == (300, 300, 0))
    #expect(feed.latencies.count == 3)
  }

  @Test func aCopyThatIsRefusedIsRejectedRowsWithTheServersWords() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard let messages = messages(received), let last = messages.last else { return nil }
      switch last.type {
      case "\0": return (welcome, false)
      case "Q": return (refusal("no such column") + ready, false)
      default: return nil
      }
    }
    let (feed, error) = try drive(.copy, rows: 300, batch: 100, server)
    #expect(error == nil)
    #expect((feed.rowsAcknowledged, feed.rowsRejected) == (0, 100))
    #expect(feed.firstRejection == "no such column")
  }

  @Test func aCopyThatFailsAmidItsRowsIsSentToItsEnd() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard let messages = messages(received), let last = messages.last else { return nil }
      switch last.type {
      case "\0": return (welcome, false)
      case "Q": return (copyIsAsked + refusal("bad row") + ready, false)
      default: return nil
      }
    }
    let (feed, error) = try drive(.copy, rows: 60_000, batch: 60_000, server)
    server.join()
    #expect(error == nil)
    #expect(feed.rowsRejected == 60_000)
    let received = try #require(server.received.first)
    #expect(try #require(messages(received)).suffix(2).map(\.type) == ["c", "X"])
  }

  @Test func anInsertIsPreparedOnceForEachNumberOfRows() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard let messages = messages(received), let last = messages.last else { return nil }
      if last.type == "\0" { return (welcome, false) }
      guard last.type == "S" else { return nil }
      var answer: [UInt8] = []
      for sent in messages {
        switch sent.type {
        case "P": answer += message("1")
        // Three parameters a row.
        case "B": answer += message("2") + complete("INSERT 0 \(parameterCount(sent.body) / 3)")
        default: break
        }
      }
      return (answer + ready, false)
    }
    let (feed, error) = try drive(.insert, rows: 6_500, batch: 3_000, server)
    server.join()
    #expect(error == nil)
    #expect(feed.rowsAcknowledged == 6_500)
    #expect(feed.latencies.count == 3)
    let received = try #require(server.received.first)
    let sent = try #require(messages(received))
    #expect(sent.count { $0.type == "P" } == 2)
    #expect(sent.count { $0.type == "B" } == 7)
  }

  @Test func rowsThatTheServerDoesNotCountAreAnError() throws {
    let server = try ScriptedServer(connections: 1) { _, received in
      guard let messages = messages(received), let last = messages.last else { return nil }
      if last.type == "\0" { return (welcome, false) }
      return last.type == "S" ? (message("1") + message("2") + complete("INSERT 0 9") + ready, false) : nil
    }
    let (_, error) = try drive(.insert, rows: 10, batch: 10, server)
    #expect(error?.message.contains("9 of 10") == true)
  }
}
