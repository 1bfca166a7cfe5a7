// The names of a simulated disk: what a directory sync made sure, and every change since.
//
// A crash keeps or loses each change by chance. Changes of one name keep their order: what builds on a lost change is
// lost with it. Changes of different names know no order, as on file systems that promise none.

struct SimulatedNames {
  enum Entry: Hashable {
    case directory
    case file(Int)
  }

  private enum Change {
    case set(String, Entry)
    case remove(String)
    case rename(String, String)

    var names: [String] {
      switch self {
      case .set(let name, _), .remove(let name): [name]
      case .rename(let source, let target): [source, target]
      }
    }
  }

  /// What lookups see: path → entry.
  private(set) var entries: [String: Entry] = [:]
  private var base: [String: Entry] = [:]
  private var changes: [Change] = []

  init(root: String) {
    entries[root] = .directory
    base = entries
  }

  static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return String(path[..<slash])
  }

  mutating func set(_ path: String, _ entry: Entry) { record(.set(path, entry)) }
  mutating func remove(_ path: String) { record(.remove(path)) }
  mutating func rename(_ source: String, _ target: String) { record(.rename(source, target)) }

  mutating func syncDirectory(_ path: String) {
    var rest: [Change] = []
    for change in changes {
      if Self.parent(change.names[0]) == path { Self.apply(change, &base) } else { rest.append(change) }
    }
    changes = rest
  }

  func children(_ path: String) -> [String] {
    entries.keys.filter { Self.parent($0) == path && $0 != path }.map { String($0.dropFirst(path.count + 1)) }
      .sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  func afterCrash(_ survival: Survival, _ random: inout SeededRandom) -> SimulatedNames {
    var result = self
    result.entries = base
    var lost = Set<String>()
    for change in changes {
      let survives = survival.pick(0...1, &random) == 1 && lost.isDisjoint(with: change.names)
      if survives { Self.apply(change, &result.entries) } else { lost.formUnion(change.names) }
    }
    // A directory that is gone takes its contents along.
    result.entries = result.entries.filter { path, _ in
      var at = Self.parent(path)
      while !at.isEmpty {
        if result.entries[at] == nil, self.entries[at] != nil { return false }
        at = Self.parent(at)
      }
      return true
    }
    result.base = result.entries
    result.changes = []
    return result
  }

  private mutating func record(_ change: Change) {
    Self.apply(change, &entries)
    changes.append(change)
  }

  private static func apply(_ change: Change, _ entries: inout [String: Entry]) {
    switch change {
    case .set(let path, let entry): entries[path] = entry
    case .remove(let path): entries[path] = nil
    case .rename(let source, let target):
      if let entry = entries.removeValue(forKey: source) { entries[target] = entry }
    }
  }
}
