// A disk in memory that can be asked to fail, to fill up and to lose power. Every run follows from its seeds.
//
// Calls are counted; a `Fault` picks one by its number. `crash` gives the disk as a power failure leaves it, `restart`
// as a killed process leaves it (nothing is lost, nothing more is made sure); the old object then refuses all calls,
// so that what still holds its files cannot go on by accident.

import Synchronization
import VarveCore
import VarveIO

/// What goes wrong, from which call on.
package struct Fault: Sendable {
  package enum Kind: Sendable, CaseIterable {
    /// The call fails with an I/O error.
    case inputOutput
    /// A call that needs room finds none.
    case diskFull
    /// A call that changes anything finds no room, one that should need none included: directories grow, blocks are
    /// allocated when they are written out.
    case noRoomToChange
    /// A write stores a part of its bytes and fails; other calls fail.
    case shortWrite
    /// The machine stops: this call and all later ones do nothing.
    case crash
  }
  package let call: Int
  package let kind: Kind
  /// Whether later calls fail as well (disk full: until `releaseSpace`).
  package let forGood: Bool
  package init(call: Int, kind: Kind, forGood: Bool = false) {
    self.call = call
    self.kind = kind
    self.forGood = forGood
  }
}

package final class SimulatedFileSystem: FileSystem {
  struct State {
    var names: SimulatedNames { didSet { revision += 1 } }
    var files: [Int: SimulatedFile] = [:] { didSet { revision += 1 } }
    /// Counts changes: two moments with one revision have the same disk.
    var revision = 0
    var nextFile = 1
    var calls = 0
    var fault: Fault?
    var isFull = false
    var isDead = false
    var capacity = Int.max
    var locks: [String: (shared: Int, exclusive: Bool)] = [:]
    var trace: [String]?
    /// What the test is doing, in its own numbering; kept with each moment of the history.
    var mark = 0
    var history: [Moment]?
    /// Syncs of paths that end so do nothing: a planted bug, as if the engine forgot the call.
    var skippedSyncs: [String] = []
    func isSyncSkipped(_ path: String) -> Bool { skippedSyncs.contains { path.hasSuffix($0) } }
  }

  /// The disk before one call.
  struct Moment {
    let names: SimulatedNames
    let files: [Int: SimulatedFile]
    let nextFile: Int
    let mark: Int
    let revision: Int
  }

  let state: Mutex<State>

  /// An empty disk with the directory `root`.
  package convenience init(root: String = "/sim") { self.init(State(names: SimulatedNames(root: root))) }

  private init(_ state: State) { self.state = Mutex(state) }

  // MARK: - Control

  package var callCount: Int { state.withLock { $0.calls } }
  package func set(fault: Fault?) { state.withLock { $0.fault = fault } }
  /// Plants a bug: from now on syncs of files or directories whose path ends so are as good as never called.
  package func skipSyncs(of suffix: String) { state.withLock { $0.skippedSyncs.append(suffix) } }
  package func set(capacity: Int) { state.withLock { $0.capacity = capacity } }
  package func startTrace() { state.withLock { $0.trace = [] } }
  package var trace: [String] { state.withLock { $0.trace ?? [] } }

  /// From now on keeps the disk as it was before each call.
  package func startHistory() { state.withLock { $0.history = [] } }
  package var mark: Int {
    get { state.withLock { $0.mark } }
    set { state.withLock { $0.mark = newValue } }
  }

  /// The disk as it was before each call since `startHistory`, with the mark of that time. Moments that do not differ
  /// are given once.
  package func takeHistory() -> [(disk: SimulatedFileSystem, mark: Int)] {
    let (moments, skippedSyncs) = state.withLock { state in
      defer { state.history = nil }
      return (state.history ?? [], state.skippedSyncs)
    }
    return moments.map { moment in
      var state = State(names: moment.names)
      state.files = moment.files
      state.nextFile = moment.nextFile
      state.skippedSyncs = skippedSyncs
      return (SimulatedFileSystem(state), moment.mark)
    }
  }

  /// Ends a lack of room, wherever it came from.
  package func releaseSpace() {
    state.withLock { state in
      state.isFull = false
      state.capacity = .max
      if let kind = state.fault?.kind, kind == .diskFull || kind == .noRoomToChange { state.fault = nil }
    }
  }

  /// A disk of its own in the same state, with its own future.
  package func clone() -> SimulatedFileSystem {
    state.withLock { state in
      var copy = state
      copy.locks = [:]
      copy.fault = nil
      copy.isDead = false
      copy.history = nil
      return SimulatedFileSystem(copy)
    }
  }

  /// The disk after the process was killed; this object is dead.
  package func restart() -> SimulatedFileSystem {
    let next = clone()
    state.withLock { $0.isDead = true }
    next.state.withLock { state in
      state.calls = 0
      state.isFull = false
      state.trace = nil
    }
    return next
  }

  /// The disk after a power failure; this object is dead.
  package func crash(_ survival: Survival, seed: UInt64) -> SimulatedFileSystem {
    let next = afterCrash(survival, seed: seed)
    state.withLock { $0.isDead = true }
    return next
  }

  /// The disk as a power failure at this moment would leave it; this object lives on.
  package func afterCrash(_ survival: Survival, seed: UInt64) -> SimulatedFileSystem {
    var random = SeededRandom(seed: seed)
    return state.withLock { state in
      var next = State(names: state.names.afterCrash(survival, &random))
      next.nextFile = state.nextFile
      for id in state.files.keys.sorted() {
        next.files[id] = state.files[id]?.afterCrash(survival, &random)
      }
      return SimulatedFileSystem(next)
    }
  }

  /// Bytes of all files.
  package var usedByteCount: Int { paths.reduce(0) { $0 + (contents($1)?.count ?? 0) } }

  /// Paths of all files.
  package var paths: [String] {
    state.withLock { state in
      state.names.entries.compactMap { if case .file = $0.value { $0.key } else { nil } }.sorted()
    }
  }

  package func contents(_ path: String) -> [UInt8]? {
    state.withLock { state in
      guard case .file(let id) = state.names.entries[path] else { return nil }
      return state.files[id]?.bytes
    }
  }

  /// Equal for disks whose files and names are equal, as far as readers see.
  package var fingerprint: Int {
    state.withLock { state in
      var hasher = Hasher()
      for (path, entry) in state.names.entries.sorted(by: { $0.key < $1.key }) {
        hasher.combine(path)
        guard case .file(let id) = entry else { continue }
        state.files[id]?.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
      }
      return hasher.finalize()
    }
  }

  package func flip(_ path: String, bit: Int) { change(path) { $0.flip(bit: bit) } }
  package func cut(_ path: String, to byteCount: Int) { change(path) { $0.cut(to: byteCount) } }
  /// Replaces what is stored, for sure and for readers, as a disk does that errs.
  package func replace(_ path: String, with bytes: [UInt8]) { change(path) { $0 = SimulatedFile(settled: bytes) } }

  private func change(_ path: String, _ body: (inout SimulatedFile) -> Void) {
    state.withLock { state in
      guard case .file(let id) = state.names.entries[path], var file = state.files[id] else {
        preconditionFailure("the test names a file that is there")
      }
      body(&file)
      state.files[id] = file
    }
  }

  // MARK: - FileSystem

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    try state.withLock { state in
      try state.step("open \(mode) \(path)", path, needsSpace: mode == .createNew)
      switch (state.names.entries[path], mode) {
      case (.file(let id), .read), (.file(let id), .readWrite):
        return SimulatedHandle(self, id: id, path: path, mode: mode)
      case (.file, .createNew), (.directory, .createNew):
        throw VarveError(.alreadyExists, "open: File exists", place: path)
      case (.directory, _): throw VarveError(.inputOutput, "open: Is a directory", place: path)
      case (nil, .createNew):
        try state.requireParent(path)
        let id = state.nextFile
        state.nextFile += 1
        state.files[id] = SimulatedFile()
        state.names.set(path, .file(id))
        return SimulatedHandle(self, id: id, path: path, mode: mode)
      case (nil, _): throw VarveError(.notFound, "open: No such file or directory", place: path)
      }
    }
  }

  package func exists(_ path: String) throws -> Bool {
    try state.withLock { state in
      try state.step("exists \(path)", path)
      return state.names.entries[path] != nil
    }
  }

  package func byteCount(_ path: String) throws -> Int {
    try state.withLock { state in
      try state.step("byteCount \(path)", path)
      switch state.names.entries[path] {
      case .file(let id): return state.files[id]?.bytes.count ?? 0
      case .directory: throw VarveError(.inputOutput, "stat: Is a directory", place: path)
      case nil: throw VarveError(.notFound, "stat: No such file or directory", place: path)
      }
    }
  }

  package func createDirectory(_ path: String) throws {
    try state.withLock { state in
      try state.step("mkdir \(path)", path, needsSpace: true)
      switch state.names.entries[path] {
      case .directory: return
      case .file: throw VarveError(.alreadyExists, "mkdir: File exists", place: path)
      case nil:
        try state.requireParent(path)
        state.names.set(path, .directory)
      }
    }
  }

  package func list(_ path: String) throws -> [String] {
    try state.withLock { state in
      try state.step("list \(path)", path)
      guard state.names.entries[path] == .directory else {
        throw VarveError(.notFound, "opendir: No such file or directory", place: path)
      }
      return state.names.children(path)
    }
  }

  package func rename(_ source: String, to target: String) throws {
    try state.withLock { state in
      try state.step("rename \(source) \(target)", source, isChange: true)
      guard let entry = state.names.entries[source] else {
        throw VarveError(.notFound, "rename: No such file or directory", place: source)
      }
      try state.requireParent(target)
      if let there = state.names.entries[target] {
        guard (entry == .directory) == (there == .directory) else {
          throw VarveError(.inputOutput, "rename: Is a directory, or is not one", place: source)
        }
        guard there != .directory || state.names.children(target).isEmpty else {
          throw VarveError(.alreadyExists, "rename: Directory not empty", place: source)
        }
      }
      state.names.rename(source, target)
    }
  }

  package func remove(_ path: String) throws {
    try state.withLock { state in
      try state.step("remove \(path)", path, isChange: true)
      guard state.names.entries[path] != .directory else {
        throw VarveError(.inputOutput, "unlink: Is a directory", place: path)
      }
      guard state.names.entries[path] != nil else {
        throw VarveError(.notFound, "unlink: No such file or directory", place: path)
      }
      state.names.remove(path)
    }
  }

  package func removeDirectory(_ path: String) throws {
    try state.withLock { state in
      try state.step("rmdir \(path)", path, isChange: true)
      guard state.names.entries[path] == .directory else {
        throw VarveError(.notFound, "rmdir: No such file or directory", place: path)
      }
      guard state.names.children(path).isEmpty else {
        throw VarveError(.inputOutput, "rmdir: Directory not empty", place: path)
      }
      state.names.remove(path)
    }
  }

  package func syncDirectory(_ path: String) throws {
    try state.withLock { state in
      do {
        try state.step("syncDirectory \(path)", path, isChange: true)
      } catch {
        state.names.failSync(path)
        throw error
      }
      guard state.names.entries[path] == .directory else {
        throw VarveError(.notFound, "open: No such file or directory", place: path)
      }
      if !state.isSyncSkipped(path) { state.names.syncDirectory(path) }
    }
  }

  package func lock(_ path: String, shared: Bool) throws -> any FileLock {
    try state.withLock { state in
      try state.step("lock \(path)", path, needsSpace: state.names.entries[path] == nil)
      if state.names.entries[path] == nil {
        try state.requireParent(path)
        let id = state.nextFile
        state.nextFile += 1
        state.files[id] = SimulatedFile()
        state.names.set(path, .file(id))
      }
      var held = state.locks[path] ?? (0, false)
      guard !held.exclusive, shared || held.shared == 0 else {
        throw VarveError.directoryInUse(by: "another process", path)
      }
      if shared { held.shared += 1 } else { held.exclusive = true }
      state.locks[path] = held
    }
    return SimulatedLock(self, path: path, shared: shared)
  }

  package func freeByteCount(_ path: String) throws -> Int {
    try state.withLock { state in
      try state.step("free \(path)", path)
      return state.freeByteCount
    }
  }
}

extension SimulatedFileSystem.State {
  /// The bytes of files that have a name: removing one makes room, even while it is open.
  var usedByteCount: Int {
    if capacity == .max { return 0 }
    return names.entries.values.reduce(0) { sum, entry in
      if case .file(let id) = entry { sum + (files[id]?.bytes.count ?? 0) } else { sum }
    }
  }

  var freeByteCount: Int { isFull ? 0 : max(0, capacity - usedByteCount) }

  /// Counts a call and makes it fail if it is its turn. `.shortWrite` is left to the writer.
  mutating func step(
    _ what: @autoclosure () -> String, _ path: String, needsSpace: Bool = false, isWrite: Bool = false,
    isChange: Bool = false
  ) throws {
    guard !isDead else { throw VarveError(.inputOutput, "the simulated machine has stopped", place: path) }
    calls += 1
    remember()
    if trace != nil { trace?.append(what()) }
    if isFull, needsSpace { throw VarveError(.diskFull, "No space left on device", place: path) }
    guard let fault, fault.forGood ? calls >= fault.call : calls == fault.call else { return }
    switch fault.kind {
    case .crash:
      isDead = true
      throw VarveError(.inputOutput, "the simulated machine has stopped", place: path)
    case .diskFull:
      if fault.forGood { isFull = true }
      if needsSpace { throw VarveError(.diskFull, "No space left on device", place: path) }
    case .noRoomToChange:
      if isChange || needsSpace { throw VarveError(.diskFull, "No space left on device", place: path) }
    case .shortWrite where isWrite: throw ShortWrite()
    case .inputOutput, .shortWrite: throw VarveError(.inputOutput, "Input/output error", place: path)
    }
  }

  private mutating func remember() {
    guard history != nil else { return }
    if let last = history?.last, last.revision == revision, last.mark == mark { return }
    let moment = SimulatedFileSystem.Moment(
      names: names, files: files, nextFile: nextFile, mark: mark, revision: revision)
    history?.append(moment)
  }

  func requireParent(_ path: String) throws {
    guard names.entries[SimulatedNames.parent(path)] == .directory else {
      throw VarveError(.notFound, "No such file or directory", place: path)
    }
  }
}

/// Thrown within the simulator: the write is to store a part of its bytes.
struct ShortWrite: Error {}
