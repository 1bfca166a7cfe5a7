// Restoring a backup: into a directory beside the one that is wanted, which gets its name at the end.
//
//   series file, dimension files, chunks, log: each piece checked, each file synced → directories synced → manifest →
//   log that was shipped behind the backup (`LogRestore`) → log cut, if it is not to go to its end → opened and read →
//   renamed → directory synced
//
// Until the rename there is nothing under the name; a failure removes what was written, a crash leaves it, and the next
// try removes it first. The restored store is a new one: its series file says that it was made now.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

/// Up to where.
package enum RestoreTarget: Sendable {
  /// The moment of the backup.
  case backup
  /// Before the backup's moment, or behind it as far as log was shipped.
  case limit(LogLimit)
  /// All that was shipped behind the backup.
  case end
}

/// What was restored.
package struct RestoreReport: Sendable {
  package let sequence: Sequence
  package let files: Int
  package let byteCount: Int
  package let nanoseconds: Int64
}

package struct BackupRestore {
  private let place: BackupPlace
  private let manifest: BackupManifest
  private let files: any FileSystem
  private let clock: any Clock
  private let check: () throws -> Void
  private let progress: (BackupProgress) -> Void
  /// Threads that fetch and write.
  private let threadCount: Int
  private let batchByteCount: Int

  package init(
    _ manifest: BackupManifest, from place: BackupPlace, files: any FileSystem, clock: any Clock, threadCount: Int = 1,
    batchByteCount: Int = LogRestore.batchByteCount,
    check: @escaping () throws -> Void = {}, progress: @escaping (BackupProgress) -> Void = { _ in }
  ) {
    self.manifest = manifest
    self.place = place
    self.files = files
    self.clock = clock
    self.threadCount = threadCount
    self.batchByteCount = batchByteCount
    self.check = check
    self.progress = progress
  }

  /// Throws `.alreadyExists` if `directory` holds anything, `.diskFull`, and `.corruption` naming the object.
  package func run(to directory: String, _ target: RestoreTarget = .backup) throws -> RestoreReport {
    let began = clock.monotonicNanoseconds()
    let chain = try chain(to: target)
    try checkReach(target, chain)
    let path = Self.trimmed(directory)
    let parent = Self.parent(of: path)
    try checkTarget(path, parent, manifest.byteCount + chain.byteCount)
    let scratch = StorePaths(root: path + ".restoring")
    try Self.remove(scratch, files)
    do {
      let sequence = try write(scratch, target, chain)
      try files.rename(scratch.root, to: path)
      try files.syncDirectory(parent)
      return RestoreReport(
        sequence: sequence, files: manifest.files.count, byteCount: manifest.byteCount + chain.byteCount,
        nanoseconds: clock.monotonicNanoseconds() - began)
    } catch {
      var first = asVarveError(error)
      do { try Self.remove(scratch, files) } catch let second {
        first.message += "; and \(scratch.root) stays: \(asVarveError(second).message)"
      }
      throw first
    }
  }

  /// Removes the files of a data directory, and the directory. Throws if it holds anything else.
  package static func remove(_ paths: StorePaths, _ files: any FileSystem) throws {
    guard try files.exists(paths.root) else { return }
    let folders = [paths.log, paths.chunks, paths.manifests, paths.series, paths.dimensions]
    let names = try files.list(paths.root)
    let own = Set(folders.map { String($0.dropFirst(paths.root.count + 1)) } + ["LOCK"])
    guard names.allSatisfy({ own.contains($0) }) else {
      throw VarveError(
        .alreadyExists, "the directory that restoring goes through holds other files",
        hint: "move them away, or restore to a directory of another name", place: paths.root)
    }
    for folder in folders where try files.exists(folder) {
      for name in try files.list(folder) { try files.remove("\(folder)/\(name)") }
      try files.removeDirectory(folder)
    }
    if try files.exists(paths.lock) { try files.remove(paths.lock) }
    try files.removeDirectory(paths.root)
  }

  // MARK: - Checks

  /// What of the log leads on from the backup, as far as it is wanted.
  private func chain(to target: RestoreTarget) throws -> LogChain {
    let none = LogChain(end: manifest.logEnd, last: manifest.sequence)
    switch target {
    case .backup: return none
    case .limit(.sequence(let last)) where last <= manifest.sequence: return none
    case .limit(.sequence(let last)):
      return try PlacedLog(of: manifest.store, in: place).chain(behind: manifest).cut(behind: last)
    case .limit(.time), .end: return try PlacedLog(of: manifest.store, in: place).chain(behind: manifest)
    }
  }

  private func checkReach(_ target: RestoreTarget, _ chain: LogChain) throws {
    guard case .limit(let limit) = target else { return }
    switch limit {
    case .sequence(let last):
      guard last >= manifest.leastSequence, last <= chain.last else {
        throw outOfReach("commit \(last.rawValue)", to: chain.last)
      }
    case .time(let time):
      guard try time <= BackupReach(of: manifest, chain, in: place).wallNanoseconds else {
        throw outOfReach("that time", to: chain.last)
      }
    }
  }

  private func outOfReach(_ what: String, to last: Sequence) -> VarveError {
    VarveError(
      .invalidArgument,
      "backup \(manifest.number) does not reach \(what): it can be restored to commits "
        + "\(manifest.leastSequence.rawValue) to \(last.rawValue)",
      hint: "`varve backup list` shows what other backups reach")
  }

  private func checkTarget(_ target: String, _ parent: String, _ byteCount: Int) throws {
    if try files.exists(target) {
      guard try files.list(target).isEmpty else {
        throw VarveError(
          .alreadyExists, "the directory is not empty, and a restore replaces nothing",
          hint: "restore to a directory that is new or empty", place: target)
      }
    } else {
      guard try files.exists(parent) else {
        throw VarveError(.notFound, "there is no such directory to restore into", place: parent)
      }
    }
    let free = try files.freeByteCount(parent)
    guard free >= byteCount else {
      throw VarveError(
        .diskFull, "the backup has \(byteCount) bytes, and there is room for \(free)",
        hint: "make room, or restore to another disk", place: parent)
    }
  }

  private static func trimmed(_ path: String) -> String {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    return String(path)
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  // MARK: - Writing

  private func write(_ paths: StorePaths, _ target: RestoreTarget, _ chain: LogChain) throws -> Sequence {
    try files.createDirectory(paths.root)
    let folders = [paths.log, paths.chunks, paths.manifests, paths.series, paths.dimensions]
    for folder in folders { try files.createDirectory(folder) }
    try writeFiles(paths, of: manifest.byteCount + chain.byteCount)
    for folder in folders { try files.syncDirectory(folder) }
    var state = ManifestState()
    try state.apply(manifest.checkpoint)
    try writeManifest(state, paths, chain)
    try files.syncDirectory(paths.root)
    var limit: LogLimit?
    if case .limit(let moment) = target { limit = moment }
    var last = try limit.map { try cut(at: $0, state, paths, to: chain.last) }
    if !chain.pieces.isEmpty, last.map({ !$0.isCut }) ?? true {
      let log = LogRestore(
        manifest, chain, from: place, to: paths, files, clock, threadCount: threadCount,
        batchByteCount: batchByteCount, check: check)
      last = try log.run(limit) { done in
        progress(
          BackupProgress(
            byteCount: manifest.byteCount + chain.byteCount, doneByteCount: manifest.byteCount + done))
      }
    }
    return try open(paths, at: last?.sequence ?? chain.last)
  }

  /// What was written, as a process finds it that opens it.
  private func open(_ paths: StorePaths, at last: Sequence) throws -> Sequence {
    var options = StoreOptions(directory: paths.root, fileSystem: files, clock: clock)
    options.readOnly = true
    let found = try Store.open(options).sequence
    guard found == last else {
      throw VarveError(
        .corruption, "backup \(manifest.number) opens at commit \(found.rawValue) instead of \(last.rawValue)",
        place: place.objects.address(BackupPlace.manifestKey(manifest.store, manifest.number)))
    }
    return last
  }

  /// Largest first, so that no thread is left with a large one at the end.
  private func writeFiles(_ paths: StorePaths, of byteCount: Int) throws {
    let sorted = manifest.files.sorted { ($1.sentByteCount, $0.id) < ($0.sentByteCount, $1.id) }
    let restore = FileRestore(place: place, manifest: manifest, paths: paths, files: files, clock: clock)
    let run = ParallelRun(sorted.count) { try restore.write(sorted[$0], note: $1) }
    try run.go(threadCount: threadCount, check: check) { done in
      progress(BackupProgress(byteCount: byteCount, doneByteCount: done))
    }
  }

  private func cut(at limit: LogLimit, _ state: ManifestState, _ paths: StorePaths, to end: Sequence) throws
    -> LogRestore.End
  {
    let cut = try LogCut.find(limit, from: state.logStart, flushed: state.flushed, paths: paths, files: files)
    guard cut.last >= manifest.leastSequence else { throw outOfReach("that time", to: end) }
    // Of commits in chunks no single one has its time any more, only all together.
    if case .time(let time) = limit, cut.last == state.flushed, time < state.catalog.trustedClock {
      throw outOfReach("that time", to: end)
    }
    try cut.apply(paths, files)
    return LogRestore.End(sequence: cut.last, isCut: cut.position != nil)
  }

  /// Ids of segments that are yet to come are taken.
  private func writeManifest(_ state: ManifestState, _ paths: StorePaths, _ chain: LogChain) throws {
    let highest = (manifest.files.map(\.id.rawValue) + chain.pieces.map(\.segment.rawValue)).max() ?? 0
    let next = FileID(rawValue: max(manifest.checkpoint.nextFile.rawValue, highest + 1))
    try ManifestLog.create(paths: paths, files: files, clock: clock, ids: FileIDs(next: next), state: state).close()
  }
}
