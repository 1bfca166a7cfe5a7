// Tag name → column of one table. Canonical keys list their tags in order of name, and most series of a table have the
// same tags, so the next name is usually the one behind the last: that is tried first.

import CVarve
import VarveCore

final class TagNames {
  private var names: [(bytes: [UInt8], id: ColumnID)]
  private var expected = 0

  init(_ table: TableSchema) {
    names = table.columns.filter(\.isTag).map { (Array($0.name.utf8), $0.id) }
      .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  func find(_ name: UnsafeBufferPointer<UInt8>) -> ColumnID? {
    guard !names.isEmpty else { return nil }
    if expected >= names.count { expected = 0 }
    if !equal(names[expected].bytes, name) {
      guard let at = names.firstIndex(where: { equal($0.bytes, name) }) else { return nil }
      expected = at
    }
    defer { expected += 1 }
    return names[expected].id
  }

  private func equal(_ a: [UInt8], _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    return a.withUnsafeBytes { a in
      guard let x = a.baseAddress, let y = b.baseAddress else { return true }
      return cvarve_memcmp(x, y, a.count) == 0
    }
  }
}
