// The rows of a batch that a commit does not take; each once, for the first reason found.

import VarveCore

struct RowRejections {
  private let batch: PointBatch
  private var rows = Set<Int>()
  private(set) var rejections: [Rejection] = []

  init(batch: PointBatch) { self.batch = batch }

  var isEmpty: Bool { rows.isEmpty }
  func contains(_ row: Int) -> Bool { rows.contains(row) }

  mutating func reject(_ rejected: [Int], column: Int, _ code: VarveError.Code, _ message: String) {
    for row in rejected where rows.insert(row).inserted {
      rejections.append(
        Rejection(line: batch.lines.map { Int($0[row]) } ?? row + 1, column: column, code: code, message: message))
    }
  }
}

/// What names may be.
enum NameRule {
  static func problem(_ name: String, of kind: String) -> String? {
    if name.utf8.count > Limits.nameByteCount {
      return
        "the \(kind) name \"\(name.prefix(20))…\" has \(name.utf8.count) bytes; at most \(Limits.nameByteCount) are taken"
    }
    if name.isEmpty { return "a \(kind) name cannot be empty" }
    if name.utf8.contains(0) { return "a \(kind) name cannot hold a zero byte" }
    return nil
  }
}
