// Batches to a server over line protocol's TCP port, each acknowledged by `#sync`.
//
// One batch is with the server while the next is sent; the answer to it is read before the one after that. Rejections
// come back with the lines of our text, and leave with the lines of the source.

import VarveCore
import VarveWire

package final class LineProtocolClient {
  /// What the server said of one batch.
  package struct Answer: Sendable {
    package var rowsWritten = 0
    package var rejectedCount = 0
    /// With lines of the source; at most as many as the server spells out.
    package var rejections: [Rejection] = []
  }

  private struct Flight {
    let token: String
    /// Number of its first line on the connection.
    let firstLine: Int
    /// The source's line of each line from there.
    let sourceLines: [Int]
    /// Rows that line protocol cannot say.
    let unsent: [Rejection]
  }

  private let socket: ClientSocket
  private let inbound = Buffer<UInt8>()
  private var flights: [Flight] = []
  private var nextLine = 1
  private var batchCount = 0

  package init(_ url: ConnectionURL) throws { socket = try ClientSocket(host: url.host, port: url.port) }

  /// Sends a batch; gives the answers that were due.
  package func send(_ batch: SourceBatch) throws -> [Answer] {
    var encoder = LineProtocolEncoder(batch.points)
    encoder.encode(lineBase: batch.lineBase)
    batchCount += 1
    let token = "b\(batchCount)"
    let text = encoder.text
    text.append(contentsOf: Buffer(Array("#sync \(token)\n".utf8)))
    try socket.send(UnsafeRawBufferPointer(text.span))
    flights.append(
      Flight(token: token, firstLine: nextLine, sourceLines: encoder.sourceLines, unsent: encoder.unsent))
    nextLine += encoder.sourceLines.count + 1
    return flights.count > 1 ? [try answer()] : []
  }

  /// Waits for what is still out.
  package func finish() throws -> [Answer] {
    var answers: [Answer] = []
    while !flights.isEmpty { answers.append(try answer()) }
    return answers
  }

  private func answer() throws -> Answer {
    let flight = flights.removeFirst()
    var answer = Answer(rejectedCount: flight.unsent.count, rejections: flight.unsent)
    let first = try line()
    let fields = Self.fields(first)
    guard first.hasPrefix(flight.token + " ok "), let rows = fields["rows"].flatMap({ Int($0) }),
      let rejected = fields["rejected"].flatMap({ Int($0) })
    else {
      guard first.hasPrefix(flight.token + " error ") else { throw Self.stranger(first) }
      throw VarveError(
        VarveError.Code(rawValue: fields["code"] ?? "") ?? .inputOutput,
        "the server refused: \(fields["message"] ?? first)")
    }
    answer.rowsWritten = rows
    answer.rejectedCount += rejected
    for _ in 0..<min(rejected, Limits.reportedRejections) {
      let text = try line()
      let fields = Self.fields(text)
      guard text.hasPrefix(flight.token + " error "), let number = fields["line"].flatMap({ Int($0) }) else {
        throw Self.stranger(text)
      }
      let index = number - flight.firstLine
      answer.rejections.append(
        Rejection(
          line: flight.sourceLines.indices.contains(index) ? flight.sourceLines[index] : number,
          column: fields["column"].flatMap { Int($0) } ?? 1,
          code: VarveError.Code(rawValue: fields["code"] ?? "") ?? .syntax, message: fields["message"] ?? ""))
    }
    if rejected > Limits.reportedRejections { _ = try line() }
    return answer
  }

  private func line() throws -> String {
    while true {
      if let end = inbound.span.firstIndex(of: 0x0A) {
        let text = String(decoding: inbound.span[..<end], as: UTF8.self)
        let rest = inbound.count - end - 1
        inbound.base.update(from: inbound.base + end + 1, count: rest)
        inbound.count = rest
        return text
      }
      guard try socket.receive(into: inbound) else {
        throw VarveError(.inputOutput, "the server closed the connection before it acknowledged all rows")
      }
    }
  }

  private static func stranger(_ text: String) -> VarveError {
    VarveError(.inputOutput, "this is no line protocol port of Varve: it answered '\(text.prefix(100))'")
  }

  /// `key=value` pairs; a value in quotes is a JSON string.
  package static func fields(_ line: String) -> [String: String] {
    var result: [String: String] = [:]
    var rest = Substring(line)
    while let equals = rest.firstIndex(of: "=") {
      let key = rest[..<equals].split(separator: " ").last.map(String.init) ?? ""
      rest = rest[rest.index(after: equals)...]
      if rest.first == "\"" {
        var value = ""
        rest = rest.dropFirst()
        while let character = rest.first, character != "\"" {
          rest = rest.dropFirst()
          guard character == "\\", let escaped = rest.first else {
            value.append(character)
            continue
          }
          rest = rest.dropFirst()
          switch escaped {
          case "n": value.append("\n")
          case "r": value.append("\r")
          case "t": value.append("\t")
          case "u":
            if let code = UInt32(rest.prefix(4), radix: 16), let scalar = Unicode.Scalar(code) {
              value.unicodeScalars.append(scalar)
            }
            rest = rest.dropFirst(4)
          default: value.append(escaped)
          }
        }
        rest = rest.dropFirst()
        result[key] = value
      } else {
        let value = rest.prefix { $0 != " " }
        rest = rest.dropFirst(value.count)
        result[key] = String(value)
      }
    }
    return result
  }
}
