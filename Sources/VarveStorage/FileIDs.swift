// Gives out file ids. One counter for all files of a data directory; it never goes back, so an id salts a file's
// checksums like no other's.

import Synchronization
import VarveCore

package final class FileIDs: Sendable {
  private let nextID: Mutex<UInt64>
  package init(next: FileID) { nextID = Mutex(next.rawValue) }
  package var next: FileID { FileID(rawValue: nextID.withLock { $0 }) }
  package func take() throws -> FileID {
    let id = nextID.withLock { next in
      defer { next += 1 }
      return next
    }
    guard id <= UInt64(UInt32.max) else {
      throw VarveError(.limitExceeded, "the data directory has used all \(UInt32.max) file ids")
    }
    return FileID(rawValue: id)
  }
}
