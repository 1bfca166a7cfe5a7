// Types that no value has: those that stand for any in the signature of a function, and what clients look functions up by.

import VarveCompute
import VarveCore

/// A type by its name and object id: of values, or one of those.
struct PseudoType: Sendable, Hashable {
  let oid: UInt32
  let name: String

  init(_ type: SQLType) { (oid, name) = (type.oid, type.name) }
  private init(_ oid: UInt32, _ name: String) { (self.oid, self.name) = (oid, name) }

  static let any = PseudoType(2276, "any")
  static let anyArray = PseudoType(2277, "anyarray")
  static let anyElement = PseudoType(2283, "anyelement")
  static let record = PseudoType(2249, "record")
  static let all = [
    any, anyArray, anyElement, record, PseudoType(2275, "cstring"), PseudoType(2279, "trigger"),
    PseudoType(2281, "internal"), PseudoType(3838, "event_trigger"),
  ]

  static func find(_ name: String) -> PseudoType? {
    let plain = name.hasPrefix("pg_catalog.") ? String(name.dropFirst(11)) : name
    return all.first { $0.name == plain }
  }
}
