// What SQL and the command line ask of the archive, and what they are told.

import VarveCore

/// What a run of the archive, or taking chunks out of it, came to for one table.
package struct ArchiveReport: Sendable, Equatable {
  package var table: String
  /// Chunks that went, and those that came in their place.
  package var chunksBefore = 0
  package var chunksAfter = 0
  package var rows = 0
  /// Of the local files that went, and of the objects (or chunks, out of the archive) that came.
  package var bytesBefore = 0
  package var bytesAfter = 0
  package init(table: String) { self.table = table }
}

/// What a run of the archive came to. `unneeded` objects are named by no chunk any more and wait to be deleted.
package struct ArchiveRunReport: Sendable, Equatable {
  package var tables: [ArchiveReport] = []
  package var unneededObjects = 0
  package var unneededBytes = 0
  /// Whether some of them were kept for long enough by a clock that is not believed.
  package var isClockDoubted = false
  package var deletedObjects = 0
  package var deletedBytes = 0
  /// That chunks name, in folders of other directories.
  package var foreignObjects = 0
  /// Partitions that could not be archived, and why; the others were.
  package var failures: [String] = []
  package init() {}

  /// What people are told of `isClockDoubted`.
  package static let clockDoubt =
    "the clock is more than 7 days past the latest time of day that is believed, so what nothing needs is kept on; if it "
    + "is right, CALL trust_clock() says so"
}

/// An archived chunk.
package struct ArchivedChunkLine: Sendable, Equatable {
  package var table: String
  package var file: String
  package var key: String
  /// Whether the object is in this directory's folder, so that nobody else deletes it.
  package var isOwn: Bool
  package var rows: Int
  /// Of the stub, and of the object.
  package var stubBytes: Int
  package var objectBytes: Int
  package var time: TimeRange
  package init(
    table: String, file: String, key: String, isOwn: Bool, rows: Int, stubBytes: Int, objectBytes: Int,
    time: TimeRange
  ) {
    self.table = table
    self.file = file
    self.key = key
    self.isOwn = isOwn
    self.rows = rows
    self.stubBytes = stubBytes
    self.objectBytes = objectBytes
    self.time = time
  }
}

package struct ArchiveVerifyReport: Sendable, Equatable {
  package var objects = 0
  package var bytes = 0
  package var rows = 0
  /// Objects that are damaged, gone or of no chunk of ours, by address, and what is wrong.
  package var problems: [VerifyReport.Problem] = []
  package init() {}
}

/// What a run of the archive does beside archiving what is old.
package struct ArchiveChoice: Sendable {
  /// Objects that nothing needs go at once.
  package var deletesUnneeded = false
  /// Partitions whose objects are in the folder of another directory are archived anew into this one's, however old.
  package var adopts = false
  package init(deletesUnneeded: Bool = false, adopts: Bool = false) {
    self.deletesUnneeded = deletesUnneeded
    self.adopts = adopts
  }
}

/// The archive as SQL needs it. Calls block; `check` is called now and then, and throws to end them. They throw
/// `.unavailable` where no archive is open or it cannot be reached, `.notFound` for a table that is not there.
package protocol ArchiveAccess: AnyObject, Sendable {
  /// Whether an archive is open, be it within reach or not.
  var hasArchive: Bool { get }
  /// Seals what is in memory, and archives all partitions of each table that end before its time; then deletes objects, of
  /// any table, that nothing has needed for as long as they are kept, or at once. Tables that are gone are left out.
  func archiveBlocking(
    _ tables: [(name: String, before: Int64)], _ choice: ArchiveChoice, check: () throws -> Void
  ) throws -> ArchiveRunReport
  /// What `archiveBlocking` would take: chunks and bytes.
  func previewArchive(table: String?, before time: Int64, adopting: Bool) throws -> [ArchiveReport]
  func archivedChunks(table: String?) throws -> [ArchivedChunkLine]
  /// Reads all objects and holds them against what their chunks say.
  func verifyArchiveBlocking(table: String?, check: () throws -> Void) throws -> ArchiveVerifyReport
  /// Takes partitions with times of the range out of the archive: they are local chunks again.
  func restoreArchivedBlocking(table: String, time: TimeRange, check: () throws -> Void) throws -> ArchiveReport
}

/// Of a store without an archive.
extension ArchiveAccess {
  package var hasArchive: Bool { false }
  package func archiveBlocking(
    _ tables: [(name: String, before: Int64)], _ choice: ArchiveChoice, check: () throws -> Void
  ) throws -> ArchiveRunReport { throw VarveError.noArchive }
  package func previewArchive(table: String?, before time: Int64, adopting: Bool) throws -> [ArchiveReport] {
    throw VarveError.noArchive
  }
  package func archivedChunks(table: String?) throws -> [ArchivedChunkLine] { throw VarveError.noArchive }
  package func verifyArchiveBlocking(table: String?, check: () throws -> Void) throws -> ArchiveVerifyReport {
    throw VarveError.noArchive
  }
  package func restoreArchivedBlocking(table: String, time: TimeRange, check: () throws -> Void) throws -> ArchiveReport
  { throw VarveError.noArchive }
}

extension VarveError {
  package static var noArchive: VarveError {
    VarveError(.unavailable, "no archive is open", hint: archiveHint)
  }

  static let archiveHint = "name the archive: --archive URL, VARVE_ARCHIVE or archive in the configuration"
}
