// The names of a simulated disk: what a directory sync made sure, and every change since.
//
// A crash keeps or loses each change by chance. Changes of one name keep their order: what builds on a lost change is
// lost with it. Changes of different names know no order, as on file systems that promise none. What a failed sync left
// in doubt stays in doubt for later syncs of the directory; only a later change of the same name settles it.

struct SimulatedNames {
  enum Entry: Hashable {
    case directory
    case file(Int)
  }

  private struct Change {
    let kind: Kind
    var isDoubtful = false
    var names: [String] { kind.names }
    func touches(_ directory: String) -> Bool { names.contains { SimulatedNames.parent($0) == directory } }
  }

  private enum Kind {
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

  private let root: String

  init(root: String) {
    self.root = root
    entries[root] = .directory
    base = entries
  }

  static func parent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[..<slash])
  }

  mutating func set(_ path: String, _ entry: Entry) { record(.set(path, entry)) }
  mutating func remove(_ path: String) { record(.remove(path)) }
  mutating func rename(_ source: String, _ target: String) { record(.rename(source, target)) }

  mutating func syncDirectory(_ path: String) {
    var safe = [Bool](repeating: false, count: changes.count)
    var names = Set<String>()
    // What a safe change builds on is safe as well, wherever it was made.
    for (index, change) in changes.enumerated().reversed() {
      safe[index] = !change.isDoubtful && change.touches(path) || !names.isDisjoint(with: change.names)
      if safe[index] { names.formUnion(change.names) }
    }
    for (index, change) in changes.enumerated() where safe[index] { Self.apply(change.kind, &base) }
    changes = zip(changes, safe).compactMap { $1 ? nil : $0 }
  }

  mutating func failSync(_ path: String) {
    for index in changes.indices where changes[index].touches(path) { changes[index].isDoubtful = true }
  }

  func children(_ path: String) -> [String] {
    entries.keys.filter { Self.parent($0) == path && $0 != path }
      .map { String(decoding: $0.utf8.dropFirst(path.utf8.count + 1), as: UTF8.self) }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  func afterCrash(_ survival: Survival, _ random: inout SeededRandom) -> SimulatedNames {
    var result = self
    result.entries = base
    var lost = Set<String>()
    for change in changes {
      let survives = survival.pick(0...1, &random) == 1 && lost.isDisjoint(with: change.names)
      if survives { Self.apply(change.kind, &result.entries) } else { lost.formUnion(change.names) }
    }
    // A directory that is gone takes its contents along.
    result.entries = result.entries.filter { path, _ in
      var at = Self.parent(path)
      while at.utf8.count >= root.utf8.count {
        if result.entries[at] == nil { return false }
        at = Self.parent(at)
      }
      return true
    }
    result.base = result.entries
    result.changes = []
    return result
  }

  private mutating func record(_ kind: Kind) {
    Self.apply(kind, &entries)
    changes.append(Change(kind: kind))
  }

  private static func apply(_ kind: Kind, _ entries: inout [String: Entry]) {
    switch kind {
    case .set(let path, let entry): entries[path] = entry
    case .remove(let path): entries[path] = nil
    case .rename(let source, let target):
      guard let entry = entries.removeValue(forKey: source) else { return }
      entries[target] = entry
      guard entry == .directory else { return }
      // What a directory holds goes with it.
      for path in entries.keys where path.hasPrefix(source + "/") {
        entries[target + path.dropFirst(source.count)] = entries.removeValue(forKey: path)
      }
    }
  }
}
