// What a running backup needs, and nobody else any more: files that compaction, retention or a drop would remove, and the
// log before its start. They stay until the backup has read them, or is over.
//
// Nothing on disk says so. After a crash these files are leftovers that no manifest names, and the next open sweeps them.
// The backup gives way: where the disk gets short the hold is given up, what it kept goes at once, and the backup ends
// with the reason. Ingest does not wait for a backup.

import Synchronization
import VarveCore
import VarveFormat

final class BackupHold: Sendable {
  private struct State {
    /// Files that are still to be read; nil while no backup runs.
    var needed: Set<FileID>?
    var logStart: LogPosition?
    /// Paths of files that only the backup needs.
    var kept: [FileID: String] = [:]
    var failure: VarveError?
  }
  private let state = Mutex(State())

  /// Throws if a backup is under way.
  func begin(_ files: Set<FileID>, logStart: LogPosition) throws {
    try state.withLock { state in
      guard state.needed == nil else {
        throw VarveError(
          .overloaded, "a backup of this database is under way", hint: "wait for it to end, then try again",
          sqlState: "55006")
      }
      state = State(needed: files, logStart: logStart)
    }
  }

  /// Whether the file, which is to be removed, has to stay for now.
  func keeps(_ file: FileID, _ path: String) -> Bool {
    state.withLock { state in
      guard state.needed?.contains(file) == true else { return false }
      state.kept[file] = path
      return true
    }
  }

  /// How far the log may be let go of, if the manifest needs nothing before `start`.
  func logLimit(_ start: LogPosition) -> LogPosition { state.withLock { min(start, $0.logStart ?? start) } }

  /// The file was read: gives its path if it is to be removed.
  func release(_ file: FileID) -> String? {
    state.withLock { state in
      state.needed?.remove(file)
      return state.kept.removeValue(forKey: file)
    }
  }

  /// The log was read. What it kept goes with the next seal.
  func releaseLog() { state.withLock { $0.logStart = nil } }

  /// The backup is over: gives paths that are to be removed.
  func end() -> [String] {
    state.withLock { state in
      defer { state = State() }
      return Array(state.kept.values)
    }
  }

  /// The backup has to end, for want of room: gives paths that are to be removed; nil if it keeps nothing.
  func giveUp(_ reason: VarveError) -> [String]? {
    state.withLock { state in
      guard state.needed != nil, state.logStart != nil || !state.kept.isEmpty else { return nil }
      defer {
        state.needed = []
        state.kept = [:]
        state.logStart = nil
        state.failure = reason
      }
      return Array(state.kept.values)
    }
  }

  /// Throws if the hold was given up.
  func check() throws { if let failure = state.withLock({ $0.failure }) { throw failure } }
}
