// Restoring a backup: into a directory beside the one that is wanted, which gets its name at the end.
//
//   series file, dimension files, chunks, log: each piece checked, each file synced → directories synced → log cut, if it
//   is not to go to its end → manifest → opened and read → renamed → directory synced
//
// Until the rename there is nothing under the name; a failure removes what was written, a crash leaves it, and the next
// try removes it first. The restored store is a new one: its series file says that it was made now.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

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

  package init(
    _ manifest: BackupManifest, from place: BackupPlace, files: any FileSystem, clock: any Clock,
    check: @escaping () throws -> Void = {}, progress: @escaping (BackupProgress) -> Void = { _ in }
  ) {
    self.manifest = manifest
    self.place = place
    self.files = files
    self.clock = clock
    self.check = check
    self.progress = progress
  }

  /// Throws `.alreadyExists` if `directory` holds anything, `.diskFull`, and `.corruption` naming the object.
  package func run(to directory: String, limit: LogLimit? = nil) throws -> RestoreReport {
    let began = clock.monotonicNanoseconds()
    try checkReach(limit)
    let target = Self.trimmed(directory)
    let parent = Self.parent(of: target)
    try checkTarget(target, parent)
    let scratch = StorePaths(root: target + ".restoring")
    try Self.remove(scratch, files)
    do {
      let sequence = try write(scratch, limit)
      try files.rename(scratch.root, to: target)
      try files.syncDirectory(parent)
      return RestoreReport(
        sequence: sequence, files: manifest.files.count, byteCount: manifest.byteCount,
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

  private func checkReach(_ limit: LogLimit?) throws {
    guard case .sequence(let last) = limit else { return }
    guard last >= manifest.leastSequence, last <= manifest.sequence else { throw outOfReach("commit \(last.rawValue)") }
  }

  private func outOfReach(_ what: String) -> VarveError {
    VarveError(
      .invalidArgument,
      "backup \(manifest.number) does not reach \(what): it can be restored to commits "
        + "\(manifest.leastSequence.rawValue) to \(manifest.sequence.rawValue)",
      hint: "`varve backup list` shows what other backups reach")
  }

  private func checkTarget(_ target: String, _ parent: String) throws {
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
    guard free >= manifest.byteCount else {
      throw VarveError(
        .diskFull, "the backup has \(manifest.byteCount) bytes, and there is room for \(free)",
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

  private func write(_ paths: StorePaths, _ limit: LogLimit?) throws -> Sequence {
    try files.createDirectory(paths.root)
    let folders = [paths.log, paths.chunks, paths.manifests, paths.series, paths.dimensions]
    for folder in folders { try files.createDirectory(folder) }
    var done = 0
    for file in manifest.files { try write(file, paths, &done) }
    for folder in folders { try files.syncDirectory(folder) }
    var state = ManifestState()
    try state.apply(manifest.checkpoint)
    let last = try limit.map { try cut(at: $0, state, paths) } ?? manifest.sequence
    try writeManifest(state, paths)
    try files.syncDirectory(paths.root)
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

  private func write(_ file: BackupFile, _ paths: StorePaths, _ done: inout Int) throws {
    let path = file.path(paths)
    let restored = try files.open(path, .createNew)
    defer { restored.close() }
    for (key, offset, piece) in file.keys {
      try check()
      var bytes = try place.read(piece, key, of: manifest)
      if file.kind == .series, offset == 0 { try renew(&bytes, path) }
      try restored.write(bytes, at: offset)
      done += bytes.count
      progress(BackupProgress(byteCount: manifest.byteCount, doneByteCount: done))
    }
    // Of a log segment, which has room for what was to come: zeros.
    if file.sentByteCount < file.byteCount { try restored.truncate(to: file.byteCount) }
    try restored.sync()
  }

  /// Has the series file say that it is made now.
  private func renew(_ bytes: inout [UInt8], _ path: String) throws {
    let header = try LogHeader.decode(bytes, expected: .series, place: path)
    let renewed = LogHeader(
      kind: .series, version: header.version, file: header.file, preallocatedByteCount: header.preallocatedByteCount,
      wallNanoseconds: clock.wallNanoseconds())
    bytes.replaceSubrange(0..<LogHeader.byteCount, with: renewed.encoded())
  }

  private func cut(at limit: LogLimit, _ state: ManifestState, _ paths: StorePaths) throws -> Sequence {
    let cut = try LogCut.find(limit, from: state.logStart, flushed: state.flushed, paths: paths, files: files)
    guard cut.last >= manifest.leastSequence else { throw outOfReach("that time") }
    // Of commits in chunks no single one has its time any more, only all together.
    if case .time(let time) = limit, cut.last == state.flushed, time < state.catalog.trustedClock {
      throw outOfReach("that time")
    }
    try cut.apply(paths, files)
    return cut.last
  }

  private func writeManifest(_ state: ManifestState, _ paths: StorePaths) throws {
    let highest = manifest.files.map(\.id.rawValue).max() ?? 0
    let next = FileID(rawValue: max(manifest.checkpoint.nextFile.rawValue, highest + 1))
    try ManifestLog.create(paths: paths, files: files, clock: clock, ids: FileIDs(next: next), state: state).close()
  }
}
