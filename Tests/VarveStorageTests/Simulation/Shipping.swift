// A simulated store whose log is shipped to a simulated place, with what must be restored at each commit.

import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

final class Shipping {
  private(set) var life: Life
  private(set) var place: BackupPlace
  private(set) var gaps = 0
  /// The last commit that was sent for sure.
  private(set) var sent = Sequence.zero
  private(set) var identity = StoreIdentity(rawValue: 0)
  private var objects: FlakyStore
  private var shipper: LogShipper?

  init(_ life: Life, seed: UInt64, failingPercent: Int = 0) throws {
    self.life = life
    objects = FlakyStore(
      DirectoryStore(root: Backups.root, files: life.disk), seed: seed, failingPercent: failingPercent)
    place = BackupPlace(objects)
    try life.disk.createDirectory(Backups.root)
    try life.disk.syncDirectory("/sim")
    try trying { shipper = try LogShipper(life.store, to: place) }
    identity = try StoreIdentity(of: life.store)
  }

  /// From now on so many calls of the place fail.
  func set(failingPercent: Int) { objects.set(failingPercent: failingPercent) }

  /// Runs `body`, which may fail where the place does.
  private func trying(_ body: () throws -> Void) throws {
    let failures = objects.failures
    do { try body() } catch { if objects.failures == failures { throw error } }
  }

  /// nil: the place failed.
  @discardableResult
  func ship() throws -> ShipReport? {
    var report: ShipReport?
    try trying {
      if shipper == nil { shipper = try LogShipper(life.store, to: place) }
      report = try shipper?.ship { try life.store.viewLog() }
    }
    if let report {
      if report.gap != nil { gaps += 1 }
      if !report.wasBusy { sent = report.last }
    }
    return report
  }

  func back(check: @escaping () throws -> Void = {}) throws {
    try trying {
      _ = try BackupWriter.run(life.store, to: place, begin: { try life.store.beginBackup() }, check: check)
    }
  }

  func prune(keeping count: Int) throws {
    try trying {
      let numbers = try place.numbers(of: identity)
      guard !numbers.isEmpty else { return }
      _ = try BackupPruner.prune(identity, in: place, keeping: .count(count))
    }
  }

  func stop() {
    shipper?.stop()
    shipper = nil
  }

  /// As after a kill.
  func restart(_ tune: (inout StoreOptions) -> Void) throws {
    stop()
    try life.store.close()
    life = try Life(after: life, life.disk, tune: tune)
  }

  /// As after the machine stopped, by itself or in the middle of `body`.
  func crash(
    _ survival: Survival, _ random: inout SeededRandom, in body: () throws -> Void, tune: (inout StoreOptions) -> Void
  ) throws {
    let disk = life.disk
    let call = disk.callCount + Int.random(in: 1...60, using: &random)
    disk.set(fault: Fault(call: call, kind: .crash))
    do { try body() } catch { #expect(disk.callCount >= call, "\(error)") }
    // Its lock is of the machine that stopped.
    shipper = nil
    let next = disk.crash(survival, seed: random.next())
    objects = FlakyStore(DirectoryStore(root: Backups.root, files: next), seed: random.next(), failingPercent: 0)
    place = BackupPlace(objects)
    life = try Life(after: life, next, tune: tune)
  }

  func newest() throws -> BackupManifest { try BackupChoice(place, store: identity).manifest(number: nil, at: nil) }

  func verify() throws -> BackupVerification {
    try BackupVerifier.verify(
      try newest(), from: place, scratch: "/sim/scratch", files: life.disk, clock: ManualClock())
  }

  // MARK: - Restoring

  func restore(at limit: LogLimit, on disk: SimulatedFileSystem, to directory: String) throws -> RestoreReport {
    let place = BackupPlace(DirectoryStore(root: Backups.root, files: disk))
    let (manifest, target) = try BackupChoice(place, store: identity).chosen(number: nil, at: limit)
    return try Self.restore(manifest, target, from: place, on: disk, to: directory)
  }

  func restored(at sequence: Sequence) throws -> Model {
    let (found, model) = try restored(at: .sequence(sequence))
    #expect(found == sequence)
    return model
  }

  func restored(at limit: LogLimit) throws -> (sequence: Sequence, model: Model) {
    let disk = life.disk.clone()
    let report = try restore(at: limit, on: disk, to: "/sim/restored")
    return (report.sequence, try Backups.reading("/sim/restored", disk))
  }

  /// Commits, and their times, that no backup leads to: a restore says so.
  func expectRefusal(of sequences: [Sequence], _ label: String) throws {
    for sequence in sequences {
      let time = try #require(life.times[sequence])
      for limit in [LogLimit.sequence(sequence), .time(time)] {
        let error = #expect(throws: VarveError.self, "\(label): \(limit)") { _ = try restored(at: limit) }
        #expect(error?.code == .invalidArgument, "\(label): \(limit): \(String(describing: error))")
      }
    }
  }

  /// Commits and their times give what there was.
  func expect(_ sequences: [Sequence], _ label: String) throws {
    for sequence in sequences {
      let time = try #require(life.times[sequence])
      for limit in [LogLimit.sequence(sequence), .time(time)] {
        let found = try restored(at: limit)
        #expect(found.sequence == sequence && found.model == life.models[sequence], "\(label): \(limit)")
      }
    }
  }

  /// Commits by chance between the oldest backup's first and the last one that was sent.
  func expectAnyCommit(_ label: String, _ random: inout SeededRandom, count: Int) throws {
    let oldest = try place.manifest(of: identity, try #require(place.numbers(of: identity).first))
    // A request may take several commits: only what it came to is known.
    let known = life.models.keys.filter { oldest.leastSequence <= $0 && $0 <= sent }
    for sequence in known.shuffled(using: &random).prefix(count) {
      #expect(try restored(at: sequence) == life.models[sequence], "\(label): commit \(sequence)")
    }
  }

  /// Each backup at its own moment, and all there is.
  func expectAll(_ label: String) throws {
    for number in try place.numbers(of: identity) {
      let manifest = try place.manifest(of: identity, number)
      _ = try Self.restore(manifest, .backup, from: place, on: life.disk, to: "/sim/restored")
      #expect(try Self.takeModel(on: life.disk) == life.models[manifest.sequence], "\(label): backup \(number)")
    }
    #expect(try Self.restoredToEnd(on: life.disk, identity).model == life.models[sent], "\(label): the end")
  }

  /// What the newest backup and all of the log restore to. Restores in small batches.
  static func restoredToEnd(on disk: SimulatedFileSystem, _ store: StoreIdentity? = nil) throws -> (
    last: Sequence, model: Model
  ) {
    let place = BackupPlace(DirectoryStore(root: Backups.root, files: disk))
    let (manifest, target) = try BackupChoice(place, store: store).chosen(number: nil, at: nil)
    let report = try restore(manifest, target, from: place, on: disk, to: "/sim/restored")
    return (report.sequence, try takeModel(on: disk))
  }

  private static func restore(
    _ manifest: BackupManifest, _ target: RestoreTarget, from place: BackupPlace, on disk: SimulatedFileSystem,
    to directory: String
  ) throws -> RestoreReport {
    try BackupRestore(
      manifest, from: place, files: disk, clock: ManualClock(wall: 1_800_000_000_000_000_000), batchByteCount: 4096
    ).run(to: directory, target)
  }

  private static func takeModel(on disk: SimulatedFileSystem) throws -> Model {
    defer { #expect(throws: Never.self) { try BackupRestore.remove(StorePaths(root: "/sim/restored"), disk) } }
    return try Backups.reading("/sim/restored", disk)
  }
}
