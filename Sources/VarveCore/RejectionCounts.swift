// How many lines were not taken, and why: all of them, where answers spell out the first ones only.

/// Lines that were not taken, by table (nil where it could not be read) and reason.
package struct RejectionCounts: Sendable, Equatable {
  package struct Key: Hashable, Sendable {
    package let table: Name?
    package let code: VarveError.Code
    package init(table: Name?, code: VarveError.Code) {
      self.table = table
      self.code = code
    }
  }
  package private(set) var counts: [Key: Int] = [:]
  package init() {}
  package var isEmpty: Bool { counts.isEmpty }

  package mutating func add(_ table: String?, _ code: VarveError.Code, _ count: Int = 1) {
    counts[Key(table: table.map { Name($0) }, code: code), default: 0] += count
  }

  package mutating func add(_ other: RejectionCounts) { counts.merge(other.counts, uniquingKeysWith: +) }
}
