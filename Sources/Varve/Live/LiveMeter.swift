// What subscriptions have come to since the database was opened.

import Synchronization
import VarveCompute
import VarveCore

package final class LiveMeter: Sendable {
  package struct Counts: Sendable {
    package var open = 0
    package var opened = 0
    package var rowPieces = 0
    package var buckets = 0
    package var corrections = 0
    package var rows = 0
    /// Ended since the log did not reach back to where they were.
    package var gone = 0

    mutating func told(_ piece: LiveQuery.Piece) {
      switch piece.kind {
      case .rows: rowPieces += 1
      case .bucket: buckets += 1
      case .corrected, .changed: corrections += 1
      }
      rows += piece.batch?.count ?? 0
    }
  }

  private let state = Mutex(Counts())

  package init() {}

  package var counts: Counts { state.withLock { $0 } }
  func update(_ body: (inout Counts) -> Void) { state.withLock { body(&$0) } }
}
