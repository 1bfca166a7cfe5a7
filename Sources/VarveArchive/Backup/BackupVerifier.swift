// Proving a backup by restoring it: every object read and checked, the files restored to a scratch directory, every byte
// of them verified as `varve verify` does, and the rows of each table counted against what the backup says. Then the same
// with the log that was shipped behind it, up to its end.

import VarveCore
import VarveIO
import VarveStorage

package struct BackupVerification: Sendable {
  package internal(set) var problems: [VerifyReport.Problem] = []
  package internal(set) var files = 0
  package internal(set) var byteCount = 0
  package internal(set) var rows = 0
  package internal(set) var tables = 0
  /// Tables of which some archived rows would have to be read to count them, and why they were not.
  package internal(set) var uncounted: [(table: String, reason: String)] = []
  /// Pieces of the log that were shipped behind it, and the last commit in them.
  package internal(set) var logPieces = 0
  package internal(set) var logEnd: Sequence?

  package var isSound: Bool { problems.isEmpty }

  /// In words.
  package func lines(of manifest: BackupManifest) -> [String] {
    problems.map { "DAMAGED \($0.path): \($0.message)" }
      + uncounted.map {
        "rows of table \"\($0.table)\" are not counted: \($0.reason)"
      } + [
        "backup \(manifest.number) of store \(manifest.store): \(files) files, \(byteCount) bytes, \(rows) rows of "
          + "\(tables) tables up to commit \(manifest.sequence.rawValue); "
          + (logEnd.map { "\(logPieces) pieces of log behind it, up to commit \($0.rawValue); " } ?? "")
          + (isSound ? "restored and all sound" : "\(problems.count) problems")
      ]
  }
}

package struct BackupVerifier {
  private let place: BackupPlace
  private let manifest: BackupManifest
  private let files: any FileSystem
  private let clock: any Clock
  private let archive: (any ArchiveTier)?
  private let progress: (BackupProgress) -> Void
  /// What was shipped behind the backup.
  private let chain: LogChain
  private var doneByteCount = 0
  private var outcome = BackupVerification()

  /// `scratch` is a directory that is not there yet, or empty; it is gone afterwards. `archive`, where given, is the one
  /// that archived chunks went to.
  package static func verify(
    _ manifest: BackupManifest, from place: BackupPlace, scratch: String, files: any FileSystem, clock: any Clock,
    archive: (any ArchiveTier)? = nil, progress: @escaping (BackupProgress) -> Void = { _ in }
  ) throws -> BackupVerification {
    let chain = try PlacedLog(of: manifest.store, in: place).chain(behind: manifest)
    var verifier = BackupVerifier(place, manifest, chain, files, clock, archive, progress)
    try verifier.run(scratch)
    return verifier.outcome
  }

  private init(
    _ place: BackupPlace, _ manifest: BackupManifest, _ chain: LogChain, _ files: any FileSystem, _ clock: any Clock,
    _ archive: (any ArchiveTier)?, _ progress: @escaping (BackupProgress) -> Void
  ) {
    self.archive = archive
    self.chain = chain
    self.progress = progress
    self.place = place
    self.manifest = manifest
    self.files = files
    self.clock = clock
    outcome.files = manifest.files.count
    outcome.byteCount = manifest.byteCount
  }

  private mutating func run(_ scratch: String) throws {
    try readObjects()
    guard outcome.isSound else { return }
    let paths = StorePaths(root: scratch)
    do { try restore(to: scratch, .backup) } catch let error as VarveError where error.isDamage {
      return note(error, "backup \(manifest.number)")
    }
    let checked = Result { try verifyFiles(paths) }
    try BackupRestore.remove(paths, files)
    try checked.get()
    if outcome.isSound { try verifyLog(paths) }
  }

  /// What was shipped behind the backup: each piece, and what all of them restore to.
  private mutating func verifyLog(_ paths: StorePaths) throws {
    guard !chain.pieces.isEmpty else { return }
    outcome.logPieces = chain.pieces.count
    outcome.logEnd = chain.last
    for piece in chain.pieces {
      do { _ = try place.content(of: piece, of: manifest.store) } catch let error as VarveError where error.isDamage {
        note(error, piece.key)
      }
      did(piece.byteCount)
    }
    guard outcome.isSound else { return }
    do { try restore(to: paths.root, .end) } catch let error as VarveError where error.isDamage {
      return note(error, "the log behind backup \(manifest.number)")
    }
    let report = Result { try StoreVerifier.verify(directory: paths.root, files: files) }
    try BackupRestore.remove(paths, files)
    outcome.problems += try report.get().problems
  }

  /// All that are missing or changed are named, not only the first.
  private mutating func readObjects() throws {
    for file in manifest.files {
      for (key, _, piece) in file.keys {
        do { _ = try place.read(piece, key, of: manifest) } catch let error as VarveError where error.isDamage {
          note(error, key)
        }
        did(piece.byteCount)
      }
    }
  }

  private mutating func restore(to directory: String, _ target: RestoreTarget) throws {
    let before = doneByteCount
    var restored = 0
    let restore = BackupRestore(
      manifest, from: place, files: files, clock: clock,
      progress: { [byteCount, progress] step in
        restored = step.doneByteCount
        progress(BackupProgress(byteCount: byteCount, doneByteCount: before + restored))
      })
    _ = try restore.run(to: directory, target)
    doneByteCount = before + restored
  }

  private mutating func did(_ count: Int) {
    doneByteCount += count
    progress(BackupProgress(byteCount: byteCount, doneByteCount: doneByteCount))
  }

  /// Each object is read twice, by itself and for a restore; those of the backup once more where log lies behind it.
  private var byteCount: Int {
    2 * (manifest.byteCount + chain.byteCount) + (chain.pieces.isEmpty ? 0 : manifest.byteCount)
  }

  private mutating func verifyFiles(_ paths: StorePaths) throws {
    let report = try StoreVerifier.verify(directory: paths.root, files: files)
    outcome.problems += report.problems
    guard report.isSound else { return }
    var options = StoreOptions(directory: paths.root, fileSystem: files, clock: clock)
    options.readOnly = true
    options.archive = archive
    let snapshot = try Store.open(options).snapshot()
    var found: [(name: String, id: TableID, rows: Int?)] = []
    for table in snapshot.tables() {
      do { found.append((table.name, table.id, try snapshot.rowCount(of: table) { _ in })) } catch let error
        as VarveError
        where error.code == .unavailable
      {
        outcome.uncounted.append((table.name, "\(error.message); --archive names the archive"))
        found.append((table.name, table.id, nil))
      }
    }
    found += snapshot.dimensions().map { ($0.name, $0.id, snapshot.rows(of: $0).rowCount) }
    let expected = Dictionary(uniqueKeysWithValues: manifest.rowCounts.map { ($0.table, $0.rows) })
    for table in found {
      guard let rows = expected[table.id], let restored = table.rows, rows != restored else { continue }
      outcome.problems.append(
        .init(path: "table \(table.name)", message: "\(restored) rows are restored, and \(rows) were backed up"))
    }
    for table in Set(expected.keys).subtracting(found.map(\.id)).sorted() {
      outcome.problems.append(
        .init(path: "backup \(manifest.number)", message: "table \(table.rawValue) is not restored"))
    }
    outcome.tables = found.count
    outcome.rows = found.reduce(0) { $0 + ($1.rows ?? 0) }
  }

  private mutating func note(_ error: VarveError, _ place: String) {
    outcome.problems.append(.init(path: error.place ?? place, message: error.message))
  }
}
