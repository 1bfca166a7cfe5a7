// What archived chunks are written to and read from. VarveArchive fills it with Parquet objects in an object store; the
// store itself knows only that an object's pages can be made, and where in it they come from.

import VarveCore
import VarveFormat

package protocol ArchiveTier: Sendable {
  /// Begins the object of a chunk.
  func makeObject(_ description: ObjectDescription) throws -> any ObjectSink
  /// For one reader of the object; nothing is read yet.
  func open(_ object: ArchivedObject) -> any ArchivedPages
  /// For messages: where the object is.
  func address(_ object: ArchivedObject) -> String
}

/// What an object is, known before its first row.
package struct ObjectDescription {
  package let identity: ChunkIdentity
  package let table: TableSchema
  /// Days since 1970, in UTC: all rows are of it.
  package let day: Int64
  /// That rows may have, by id, ascending.
  package let fields: [(id: ColumnID, type: FieldType)]
  /// Of each of the table's tags, in order.
  package let tags: [(id: ColumnID, column: TagColumn)]
}

/// An object that is being written. Used by one thread.
package protocol ObjectSink: AnyObject {
  /// The rows of a row block; its columns follow, by id, then `end`. Absent ones are left out, and none has a null.
  func begin(runs: [SeriesRun], times: Buffer<Int64>) throws
  func append(_ id: ColumnID, _ column: FieldColumn)
  func end()
  /// Bytes that the object has so far, or little more.
  var byteCount: Int { get }
  /// Puts the object in its place. When this returns it is there, durable, and was read back.
  func finish() throws -> (object: ArchivedObject, rowBlocks: [ObjectRowBlock])
}

/// A page as an object has it.
package enum ObjectCells {
  case times(Buffer<Int64>)
  case field(FieldColumn)
}

/// Reads pages of one object, for one reader at a time.
package protocol ArchivedPages: AnyObject, Sendable {
  /// Of each page its cells. What has to be fetched for them is fetched together.
  func make(_ pages: [StubMap.MadePage]) throws -> [ObjectCells]
  /// What was made is not what was archived: forgets what is at hand of the object, so that it is fetched anew. False if
  /// nothing was at hand.
  func distrust() -> Bool
  /// All pages will be asked for: fetches the object whole, where there is room to keep it.
  func expectAll() throws
  var reads: ArchiveReads { get }
}

/// What was read of archived chunks. EXPLAIN prints it.
package struct ArchiveReads: Sendable, Hashable {
  /// Objects of which something was needed, be it at hand or not.
  package var objects = 0
  /// Requests to the object store, and bytes that it sent.
  package var requests = 0
  package var byteCount = 0
  /// Bytes that were at hand on disk.
  package var cachedByteCount = 0
  package init() {}

  package mutating func add(_ other: ArchiveReads) {
    objects += other.objects
    requests += other.requests
    byteCount += other.byteCount
    cachedByteCount += other.cachedByteCount
  }
}
