// Plans by the text they were made from. Small, and thrown away whole when full: a session that has that many
// different texts does not repeat them.

import VarveCompute
import VarveCore

struct PlanCache {
  private struct Key: Hashable {
    let text: Name
    let types: [SQLType?]
  }
  private var plans: [Key: PreparedStatement] = [:]
  private var parsed: [Name: [ParsedStatement]] = [:]
  private static let capacity = 256
  private static let longestText = 16_384

  func find(_ text: String, _ types: [SQLType?]) -> PreparedStatement? {
    plans[Key(text: Name(text), types: types)]
  }

  func statements(_ text: String) -> [ParsedStatement]? { parsed[Name(text)] }

  mutating func add(_ text: String, _ statements: [ParsedStatement]) {
    guard text.utf8.count <= Self.longestText else { return }
    if parsed.count >= Self.capacity { parsed.removeAll() }
    parsed[Name(text)] = statements
  }

  mutating func add(_ text: String, _ types: [SQLType?], _ statement: PreparedStatement) {
    guard text.utf8.count <= Self.longestText else { return }
    if plans.count >= Self.capacity { plans.removeAll() }
    plans[Key(text: Name(text), types: types)] = statement
  }
}
