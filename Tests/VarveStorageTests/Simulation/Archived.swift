// A life whose store has an archive, on the simulated disk with the objects beside the database.

import Synchronization
import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

final class Archived {
  /// What of the tier's store and of the store itself a test has its own way with.
  struct Choice {
    var objects: (any ObjectStore)?
    var directory = "/sim/db"
    var cacheByteLimit = 0
    /// Between the store and the tier.
    var wrap: (ParquetTier) -> any ArchiveTier = { $0 }
  }

  let tier: ParquetTier
  let life: Life

  init(seed: UInt64, _ disk: SimulatedFileSystem, _ choice: Choice = Choice()) throws {
    let tier = Self.tier(disk, choice)
    self.tier = tier
    life = try Life(seed: seed, disk) { Self.tune(&$0, choice.wrap(tier)) }
  }

  init(after life: Life, _ disk: SimulatedFileSystem, model: Model? = nil, _ choice: Choice = Choice()) throws {
    let tier = Self.tier(disk, choice)
    self.tier = tier
    self.life = try Life(after: life, disk, directory: choice.directory, model: model) {
      Self.tune(&$0, choice.wrap(tier))
    }
  }

  private static func tier(_ disk: SimulatedFileSystem, _ choice: Choice) -> ParquetTier {
    ParquetTier(
      choice.objects ?? DirectoryStore(root: "/sim/archive", files: disk), files: disk,
      directory: choice.directory + "/archive", cacheByteLimit: choice.cacheByteLimit, random: { RandomWords.next() })
  }

  private static func tune(_ options: inout StoreOptions, _ tier: any ArchiveTier) {
    options.archive = tier
    options.objectByteCount = 2000
    // What is read of objects is theirs.
    options.pageCacheByteCount = 0
  }

  /// Of all partitions that end before a time.
  @discardableResult func run(
    deletingUnneeded: Bool = false, adopting: Bool = false, before: Int64 = .max
  ) throws -> ArchiveRunReport {
    try life.store.sealAll()
    let run = ArchiveRun(life.store, tier, pace: { _ in }) { [store = life.store] chunks in
      do { return try store.install(chunks) } catch {
        if asVarveError(error).isWant { store.discard(chunks) }
        throw error
      }
    }
    return try run.run(
      life.store.snapshot().tables().map { ($0, before: before) },
      ArchiveChoice(deletesUnneeded: deletingUnneeded, adopts: adopting))
  }

  func expectAll(_ label: String) throws {
    #expect(try Model.reading(life.store) == life.model, "\(label)")
    let report = try ArchiveVerifier.verify(life.store, tier, table: nil) {}
    #expect(report.problems.isEmpty, "\(label): \(report.problems)")
  }
}

/// Words of which none comes twice in a test.
private enum RandomWords {
  private static let last = Mutex<UInt64>(0x5EED)
  static func next() -> UInt64 {
    last.withLock { last in
      last += 1
      return last &* 0x9E37_79B9_7F4A_7C15
    }
  }
}
