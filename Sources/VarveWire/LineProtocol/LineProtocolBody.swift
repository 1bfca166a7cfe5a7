// A body of HTTP's /write: text in pieces to batches, and what became of them to the status and JSON that
// InfluxDB's clients read (`code` and `message` as in v2, `error` as in v1, `errors` is ours).

import VarveCore

package final class LineProtocolBody {
  private let parser: LineProtocolParser
  private let reportedRejectionLimit: Int
  private var rejections: [Rejection] = []
  package private(set) var rejectedCount = 0
  package private(set) var rowsWritten = 0

  package init(options: LineProtocolOptions = LineProtocolOptions()) {
    var options = options
    options.recognizesSync = false
    reportedRejectionLimit = options.reportedRejectionLimit
    parser = LineProtocolParser(options: options)
  }

  /// Takes a piece of the body; gives the batches that are full.
  package func parse(_ piece: UnsafeRawBufferPointer, now: Int64) -> [SourceBatch] {
    parser.parse(piece, now: now)
    return batches()
  }

  /// The rows that are there, however few.
  package func flush() -> [SourceBatch] {
    parser.flush()
    return batches()
  }

  /// The body is over; gives the remaining batches.
  package func finish(now: Int64) -> [SourceBatch] {
    parser.finish(now: now)
    return batches()
  }

  private func batches() -> [SourceBatch] {
    parser.takeEvents().compactMap { event in
      if case .batch(let batch) = event { return batch }
      return nil
    }
  }

  /// The lines that no batch holds since the last call, counted by table and reason.
  package func takeRejectionCounts() -> RejectionCounts { parser.takeRejectionCounts() }

  /// What became of batches, one completion each; `lineBases` are theirs.
  package func complete(_ completions: [LineProtocolCompletion], lineBases: [Int]) {
    precondition(completions.count == lineBases.count, "each batch has a completion")
    for (completion, lineBase) in zip(completions, lineBases) {
      rowsWritten += completion.rowsWritten
      rejectedCount += completion.rejections.count
      for var rejection in completion.rejections.prefix(reportedRejectionLimit) {
        rejection.line += lineBase
        rejections.append(rejection)
      }
    }
    trim()
  }

  /// The JSON for a body with bad lines; nil if all lines were taken. After `finish` and all completions.
  package func errorJSON() -> [UInt8]? {
    let parsed = parser.takeRejected()
    rejectedCount += parsed.count
    rejections += parsed.rejections
    trim()
    guard rejectedCount > 0 else { return nil }
    let lines = rejectedCount == 1 ? "1 line was" : "\(rejectedCount) lines were"
    let rows = rowsWritten == 1 ? "1 row was" : "\(rowsWritten) rows were"
    var message = "partial write: \(lines) rejected, \(rows) written"
    if let first = rejections.first {
      message += "; line \(first.line), column \(first.column): \(first.message)"
    }
    return LineProtocolBody.json(code: "invalid", message: message, errors: rejections)
  }

  private func trim() {
    rejections.sort { ($0.line, $0.column) < ($1.line, $1.column) }
    if rejections.count > reportedRejectionLimit { rejections.removeLast(rejections.count - reportedRejectionLimit) }
  }

  /// `code` is one of InfluxDB v2's names; the codes of `errors` are ours.
  package static func json(code: String, message: String, errors: [Rejection] = []) -> [UInt8] {
    var out = Array("{\"code\":".utf8)
    JSONText.append(code, to: &out)
    out += Array(",\"message\":".utf8)
    JSONText.append(message, to: &out)
    out += Array(",\"error\":".utf8)
    JSONText.append(message, to: &out)
    if !errors.isEmpty {
      out += Array(",\"errors\":[".utf8)
      for (index, error) in errors.enumerated() {
        if index > 0 { out.append(0x2C) }
        out += Array("{\"line\":\(error.line),\"column\":\(error.column),\"code\":".utf8)
        JSONText.append(error.code.rawValue, to: &out)
        out += Array(",\"message\":".utf8)
        JSONText.append(error.message, to: &out)
        out.append(0x7D)
      }
      out.append(0x5D)
    }
    out += Array("}\n".utf8)
    return out
  }
}
