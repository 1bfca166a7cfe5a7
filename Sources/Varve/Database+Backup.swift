// Backups of an open database, taken while it is written and read: on a thread of their own, which stands back behind all
// others. Whoever asks for one waits for it.

import VarveArchive
import VarveCore
import VarveIO
import VarveStorage

extension Database {
  package func backupBlocking(to url: String, check: () throws -> Void) throws -> BackupReport {
    try backupBlocking(to: url, check: check) { _ in }
  }

  /// `check` and `progress` are called now and then, on the calling thread.
  package func backupBlocking(
    to url: String, check: () throws -> Void, progress: (BackupProgress) -> Void
  ) throws -> BackupReport {
    let pipeline = try writer()
    let place = try BackupPlace.open(url, files: store.files, schemes: objectStores)
    let run = BackupRun()
    return try workers.standingIn {
      // Closing waits for it: the files it kept are removed by the process that has the directory.
      try reading(stop: { run.stop() }) {
        run.start { [store] check, progress in
          try BackupWriter.run(
            store, to: place, begin: { try pipeline.betweenCommits { try $0.beginBackup() } }, check: check,
            progress: progress)
        }
        return try run.wait(check: check, progress: progress)
      }
    }
  }
}

/// A backup's thread, and who waits for it.
private final class BackupRun: Sendable {
  private struct State: Sendable {
    var isStopped = false
    var progress: BackupProgress?
    var outcome: Result<BackupReport, VarveError>?
  }
  private let state = Gate(State())

  /// Ends soon.
  func stop() { state.update { $0.isStopped = true } }

  func start(
    _ body:
      @escaping @Sendable (
        _ check: @escaping () throws -> Void, _ progress: @escaping (BackupProgress) -> Void
      ) throws -> BackupReport
  ) {
    _ = WorkerThread(name: "varve-backup", priority: .patient(niceness: 10)) { [state] in
      let outcome = Result {
        try body(
          { if state.read({ $0.isStopped }) { throw VarveError(.cancelled, "the backup was cancelled") } },
          { progress in state.update(waking: []) { $0.progress = progress } })
      }.mapError(asVarveError)
      state.update { $0.outcome = outcome }
    }
  }

  /// Waits for the thread to be done in any case. Throws what `check` threw, if it did.
  func wait(check: () throws -> Void, progress: (BackupProgress) -> Void) throws -> BackupReport {
    var refusal: (any Error)?
    while true {
      if let outcome = state.wait(milliseconds: 100, until: { $0.outcome }) {
        if let refusal { throw refusal }
        return try outcome.get()
      }
      if let known = state.read({ $0.progress }) { progress(known) }
      if refusal == nil {
        do { try check() } catch {
          refusal = error
          stop()
        }
      }
    }
  }
}
