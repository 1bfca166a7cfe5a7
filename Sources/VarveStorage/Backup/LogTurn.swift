// Who sends parts of the log to a place for backups: a backup, or whoever ships the log, one at a time, so that the one
// finds what the other has sent, and both never write one object.

import VarveIO

package final class LogTurn: Sendable {
  private let state = Gate((isTaken: false, backups: 0))

  /// False: somebody else has it.
  package func take() -> Bool {
    state.update(waking: []) { state in
      defer { state.isTaken = true }
      return !state.isTaken
    }
  }

  package func giveBack(byBackup: Bool = false) {
    state.update { state in
      state.isTaken = false
      if byBackup { state.backups += 1 }
    }
  }

  /// How many backups have sent of the log.
  package var backups: Int { state.read { $0.backups } }

  /// Until it is given back, or a moment has passed.
  package func wait() { _ = state.wait(milliseconds: 50) { $0.isTaken ? nil : true } }
}
