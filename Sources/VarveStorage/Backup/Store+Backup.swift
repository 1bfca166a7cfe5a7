// What a backup takes of the store: all that a kill at this moment would leave and that counts, without reading any of it.
//
//   begin   (committing thread, between commits)  state, positions and snapshot, and a hold on the files
//   read    (any other thread)                    log, series file, dimension files and chunks; each let go of when read
//   end     (any thread)                          what nobody else needs is removed
//
// The files are immutable, or only grow behind what is taken of them, so the store goes on meanwhile.

import VarveCore
import VarveFormat
import VarveIO

/// One moment of the store, as its files say it.
package struct BackupPoint: Sendable {
  /// The state as of its last edit; file ids below its next are taken.
  package let checkpoint: ManifestEdit
  /// The last commit that the log holds.
  package let sequence: Sequence
  /// The first commit that the state and the log can be taken back to.
  package let leastSequence: Sequence
  package let wallNanoseconds: Int64
  /// Segments from the checkpoint's log start on, each up to its end: all durable.
  package let segments: [WriteAheadLog.Used]
  /// For counting rows; to be let go of then, since it holds open what is removed meanwhile.
  package var snapshot: Snapshot?
}

extension Store {
  /// Throws while another backup runs.
  package func beginBackup() throws -> BackupPoint {
    if let failure { throw failure }
    guard let log, let manifest else { throw Self.needsWriter }
    // In the weaker sync modes commits are visible that the log does not have for sure.
    try syncLog()
    var checkpoint = manifest.state.checkpoint
    checkpoint.nextFile = ids.next
    let state = manifest.state
    let segments = log.segments.filter { $0.end > state.logStart }
    try backupHold.begin(
      Set(state.chunks.keys).union(state.dimensionFiles.values.map(\.file)), logStart: state.logStart)
    return BackupPoint(
      checkpoint: checkpoint, sequence: sequence, leastSequence: max(state.highestKnownCommit, lastRemoval),
      wallNanoseconds: options.clock.wallNanoseconds(), segments: segments, snapshot: snapshot())
  }

  /// The file that says which store this is. From any thread: it is the same as long as the store is open.
  package func seriesFilePath() throws -> String {
    guard let seriesFile else { throw Self.needsWriter }
    return paths.seriesFile(seriesFile.id)
  }

  package var files: any FileSystem { options.fileSystem }

  /// Why a running backup has to end, if so.
  package func checkBackupHold() throws { try backupHold.check() }

  /// The file was read and need not be kept for the backup any more.
  package func backupRead(_ file: FileID) { removeUnkept(backupHold.release(file).map { [$0] } ?? []) }

  /// The log was read.
  package func backupReadLog() { backupHold.releaseLog() }

  package func endBackup() { removeUnkept(backupHold.end()) }

  /// To be called now and then by a running backup. Throws if it has to end: the disk got short.
  package func checkBackup() throws {
    try backupHold.check()
    let free = try options.fileSystem.freeByteCount(paths.root)
    guard free < options.backupFreeByteCount else { return }
    let reason = Self.backupGivesWay
    if let files = backupHold.giveUp(reason) { removeUnkept(files) }
    throw reason
  }

  /// Removes a file that no manifest names, unless a backup still has to read it.
  func removeFile(_ file: FileID, _ path: String) throws {
    if !backupHold.keeps(file, path) { try options.fileSystem.remove(path) }
  }

  /// Makes what room there is to make by giving up a running backup. False if there is none. The log's part goes only on
  /// the committing thread.
  func makeRoom(ofLog log: WriteAheadLog? = nil) -> Bool {
    guard let files = backupHold.giveUp(Self.backupGivesWay) else { return false }
    options.log(.warning, "no room on the disk: the running backup is given up")
    removeUnkept(files)
    guard let log, let manifest else { return true }
    do { try log.release(before: manifest.state.logStart, keepingSpares: 0) } catch {
      options.log(.warning, "cannot remove log segments that a backup needed; the next seal does: \(error)")
    }
    publishLogSize()
    feed.logHolds(log)
    return true
  }

  private static var needsWriter: VarveError {
    VarveError(
      .readOnly, "a backup is taken by the process that writes the database",
      hint: "open it for writing, or ask its server")
  }

  private static var backupGivesWay: VarveError {
    VarveError(
      .diskFull, "the backup was given up: the disk that holds the database has hardly any room left",
      hint: "make room, then back up again; what was sent is not needed twice")
  }

  private func removeUnkept(_ paths: [String]) {
    do { for path in paths { try options.fileSystem.remove(path) } } catch {
      options.log(.warning, "cannot remove files that a backup needed; the next start does: \(error)")
    }
  }
}
