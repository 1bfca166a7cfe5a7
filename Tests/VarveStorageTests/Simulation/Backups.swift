// Backups of simulated stores, with what each must restore to; and a store that goes on while they are taken.

import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

final class Backups {
  private let disk: SimulatedFileSystem
  private(set) var store: StoreIdentity?
  /// What each backup that was taken and not pruned must restore to.
  private(set) var held: [Int: Model] = [:]
  /// The same of all that were ever begun.
  private var known: [Int: Model] = [:]

  private let root: String

  static let root = "/sim/backups"

  init(_ disk: SimulatedFileSystem, root: String = Backups.root) {
    self.disk = disk
    self.root = root
    do {
      try disk.createDirectory(root)
      try disk.syncDirectory("/sim")
    } catch { preconditionFailure("the disk is sound: \(error)") }
  }

  /// A store to which something has happened so many times, and none of its backups yet.
  static func of(
    seed: UInt64, steps: Int, tune: (inout StoreOptions) -> Void = { _ in }
  ) throws -> (disk: SimulatedFileSystem, backups: Backups, life: Life) {
    let disk = SimulatedFileSystem()
    let life = try Life(seed: seed, disk, tune: tune)
    for _ in 0..<steps { try life.go() }
    return (disk, Backups(disk), life)
  }

  func place(_ disk: SimulatedFileSystem) -> BackupPlace {
    BackupPlace(DirectoryStore(root: root, files: disk))
  }

  @discardableResult
  func take(_ store: Store, _ model: Model, check: @escaping () throws -> Void = {}) throws -> BackupReport {
    known[(known.keys.max() ?? 0) + 1] = model
    let report = try BackupWriter.run(
      store, to: place(disk), begin: { try store.beginBackup() }, check: check)
    self.store = StoreIdentity(report.store)
    known[report.number] = model
    held[report.number] = model
    return report
  }

  func prune(keeping count: Int) throws {
    guard let store else { return }
    let report = try BackupPruner.prune(store, in: place(disk), keeping: .count(count))
    for number in report.removed { held[number] = nil }
    #expect(report.kept == held.keys.sorted())
  }

  /// Restores every backup that the disk lists, and holds it against what it was taken of. Gives their numbers.
  @discardableResult
  func expectAll(on disk: SimulatedFileSystem, _ label: String) throws -> Set<Int> {
    var listed = Set<Int>()
    for store in try place(disk).stores() where self.store == nil || store == self.store {
      for number in try place(disk).numbers(of: store) {
        listed.insert(number)
        let found = try restored(number, of: store, on: disk.clone())
        #expect(found == known[number], "\(label): backup \(number) restores to something else")
      }
    }
    return listed
  }

  func manifest(_ number: Int, on disk: SimulatedFileSystem) throws -> BackupManifest {
    try BackupChoice(place(disk), store: store).manifest(number: number, at: nil)
  }

  func restore(_ number: Int, on disk: SimulatedFileSystem, to directory: String, _ target: RestoreTarget = .backup)
    throws
    -> RestoreReport
  {
    try BackupRestore(
      try manifest(number, on: disk), from: place(disk), files: disk,
      clock: ManualClock(wall: 1_800_000_000_000_000_000)
    ).run(to: directory, target)
  }

  /// What the backup restores to; the directory is gone afterwards.
  func restored(_ number: Int, on disk: SimulatedFileSystem, _ target: RestoreTarget = .backup) throws -> Model {
    _ = try restore(number, on: disk, to: "/sim/restored", target)
    defer { #expect(throws: Never.self) { try BackupRestore.remove(StorePaths(root: "/sim/restored"), disk) } }
    return try Self.reading("/sim/restored", disk)
  }

  private func restored(_ number: Int, of store: StoreIdentity, on disk: SimulatedFileSystem) throws -> Model {
    let manifest = try place(disk).manifest(of: store, number)
    _ = try BackupRestore(manifest, from: place(disk), files: disk, clock: ManualClock()).run(to: "/sim/restored")
    return try Self.reading("/sim/restored", disk)
  }

  func verify(_ number: Int, on disk: SimulatedFileSystem) throws -> BackupVerification {
    try BackupVerifier.verify(
      try manifest(number, on: disk), from: place(disk), scratch: "/sim/scratch", files: disk, clock: ManualClock())
  }

  static func reading(_ directory: String, _ disk: SimulatedFileSystem) throws -> Model {
    var options = StoreOptions(directory: directory, fileSystem: disk, clock: ManualClock())
    options.readOnly = true
    return try Model.reading(try Store.open(options))
  }
}

/// A store to which something happens at each step, by chance.
final class Life {
  let disk: SimulatedFileSystem
  let clock: ManualClock
  private(set) var store: Store
  private(set) var model: Model
  /// What there was at each commit.
  private(set) var models: [Sequence: Model] = [:]
  /// When it was, by wall time. A request that takes several commits takes them at one time.
  private(set) var times: [Sequence: Int64] = [:]
  private var random: SeededRandom

  init(seed: UInt64, _ disk: SimulatedFileSystem, tune: (inout StoreOptions) -> Void = { _ in }) throws {
    self.disk = disk
    random = SeededRandom(seed: seed)
    clock = ManualClock()
    model = Model()
    var options = Run.options(disk, clock)
    tune(&options)
    store = try Store.open(options)
    models[store.sequence] = model
  }

  /// The same store, or what was restored of it, opened anew.
  init(
    after life: Life, _ disk: SimulatedFileSystem, directory: String = "/sim/db", model: Model? = nil,
    tune: (inout StoreOptions) -> Void = { _ in }
  ) throws {
    self.disk = disk
    random = life.random
    clock = ManualClock(wall: life.clock.wallNanoseconds() + 1_000_000_000)
    self.model = model ?? life.model
    models = model == nil ? life.models : [:]
    times = model == nil ? life.times : [:]
    var options = Run.options(disk, clock)
    options.directory = directory
    tune(&options)
    store = try Store.open(options)
  }

  func go() throws {
    switch random.next() % 12 {
    case 0: try store.sealAll()
    case 1: if let task = store.pickCompaction() { _ = try store.install(try store.write(task)) }
    case 2: try store.compactAll()
    case 3:
      let table = "t\(random.next() % 3)"
      let delete = Request.delete(
        ModelDelete(table: table, host: random.chance(50) ? "h1" : nil, time: TimeRange(lower: 0, upper: 3_000)),
        then: [])
      try commit(delete)
    case 4: if random.chance(40) { try commit(.drop("t\(random.next() % 3)")) }
    case 5:
      let changes = ModelChanges(table: "d0", rows: ["k\(random.next() % 9)": ["n": Int64(random.next() % 100)]])
      if model.dimensions["d0"] == nil { try commit(.createDimension("d0")) }
      try commit(.transaction([], [changes]))
    default: try commit()
    }
  }

  /// Some rows.
  func commit() throws {
    try commit(
      .write(
        (0...Int(random.next() % 5)).map { _ in
          ModelRow(
            table: "t\(random.next() % 3)",
            identity: Identity(
              tags: ["host": "h\(random.next() % 3)"],
              time: Int64(random.next() % 8) * 1_000 + Int64(random.next() % 3) * 86_400_000_000_000),
            fields: ["v": .double(Double(random.next() % 1000).bitPattern), "n": .integer(Int64(random.next() % 9))])
        }))
  }

  private func commit(_ request: Request) throws {
    clock.advance(nanoseconds: 1_000_000)
    let before = store.sequence
    let expected = request.apply(to: &model)
    let outcome = store.commit([try request.forStore(store)])
    try expected.check(outcome[0])
    models[store.sequence] = model
    if store.sequence > before { times[store.sequence] = clock.wallNanoseconds() }
  }

  func drop(_ table: String) throws { try commit(.drop(table)) }

  /// All rows of a table.
  func empty(_ table: String) throws {
    try commit(.delete(ModelDelete(table: table, host: nil, time: TimeRange(lower: .min, upper: .max)), then: []))
  }
}
