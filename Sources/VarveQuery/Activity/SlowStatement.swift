// A statement that took long, as the log tells of it.
//
// How the plan is had without running every statement under EXPLAIN ANALYZE: the operators of a statement are watched at
// their batches, which costs two looks at the clock for some thousand rows; those of subqueries, which may run once a
// row, are not. The plan is put into words only when the statement was slow.

/// A statement that took long, for the log.
package struct SlowStatement: Sendable {
  static let textByteCount = 2048
  static let parameterByteCount = 64
  static let parameterLimit = 20
  static let planLineLimit = 100

  package let session: SessionReport
  package let kind: StatementKind
  package let durationNanoseconds: Int64
  package let rows: Int
  /// nil: it did what it should.
  package let sqlState: String?
  package let text: String
  /// The first ones, each cut at a bound.
  package let parameters: [String]
  /// Lines as EXPLAIN gives them, with rows and what scans read.
  package let plan: [String]

  package var milliseconds: String {
    let microseconds = durationNanoseconds / 1000
    return "\(microseconds / 1000).\(String(1000 + microseconds % 1000).dropFirst())"
  }

  /// All of it for a log that takes texts.
  package var line: String {
    var text = "slow statement: \(milliseconds) ms, \(rows) rows"
    if let sqlState { text += ", failed with \(sqlState)" }
    text += ", session \(session.processID) (\(session.protocol.rawValue)): \(self.text)"
    if !parameters.isEmpty { text += "\n" + parameters.joined(separator: ", ") }
    return ([text] + plan).joined(separator: "\n")
  }

  /// At most so many bytes, cut between characters, with a sign that more was there.
  static func bounded(_ text: String, _ limit: Int = textByteCount) -> String {
    guard text.utf8.count > limit else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: limit)
    while String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
    return text[..<end] + "… (\(text.utf8.count) bytes)"
  }
}
