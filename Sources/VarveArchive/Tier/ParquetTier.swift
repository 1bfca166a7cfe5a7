// The archive as the store sees it: objects are Parquet files in an object store, read by range through a cache on disk.

import Synchronization
import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

package final class ParquetTier: ArchiveTier {
  let objects: any ObjectStore
  let files: any FileSystem
  /// Of the data directory, for what it keeps of the archive.
  let directory: String
  let cache: ObjectCache?
  private let random: @Sendable () -> UInt64
  private let identity = Mutex<ArchiveIdentity?>(nil)

  /// `directory` is made when it is needed. Without `cacheByteLimit` nothing that is fetched is kept.
  package init(
    _ objects: any ObjectStore, files: any FileSystem, directory: String, cacheByteLimit: Int,
    random: @escaping @Sendable () -> UInt64 = { .random(in: 0...UInt64.max) },
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.objects = objects
    self.files = files
    self.directory = directory
    self.random = random
    cache =
      cacheByteLimit > 0
      ? ObjectCache(files: files, directory: directory, byteLimit: cacheByteLimit, log: log) : nil
  }

  package func address(_ object: ArchivedObject) -> String { objects.address(object.key) }

  package func open(_ object: ArchivedObject) -> any ArchivedPages { ParquetPages(object, objects, cache) }

  package func makeObject(_ description: ObjectDescription) throws -> any ObjectSink {
    ParquetSink(description, objects, key: try key(of: description))
  }

  /// The folder that a data directory with `directory` for the archive writes to; nil before its first run.
  package static func folder(of directory: String, _ files: any FileSystem) throws -> String? {
    try ArchiveIdentity.read(directory, files)?.folder
  }

  /// Whether the object is in the folder.
  package static func isIn(_ folder: String?, _ object: ArchivedObject) -> Bool {
    ArchiveKeys.isIn(folder, object.key)
  }

  private func key(of description: ObjectDescription) throws -> String {
    guard let folder = identity.withLock({ $0?.folder }) else {
      preconditionFailure("objects are made by a run, which has taken its folder")
    }
    let chunk = description.identity
    return ArchiveKeys.object(folder, chunk.table, day: description.day, chunk.file)
  }

  /// Takes the folder for a run; gives its name, and a lock that the run holds.
  func claim() throws -> (folder: String, lock: any ObjectLock) {
    try files.createDirectory(directory)
    if let slash = directory.lastIndex(of: "/") { try files.syncDirectory(String(directory[..<slash])) }
    var identity = try ArchiveIdentity.open(directory, files, random: random)
    // Before the first run the place may be new; after it, a directory that is not there is a disk that is not mounted.
    if identity.written == hexadecimal(0), let place = objects as? DirectoryStore { try place.makePlace() }
    try objects.checkPlace()
    let lock = try objects.lock(ArchiveKeys.lock(identity.folder))
    do { try identity.claim(objects, directory, files, word: random()) } catch {
      lock.release()
      throw error
    }
    self.identity.withLock { $0 = identity }
    return (identity.folder, lock)
  }
}

/// An object on its way: made in memory, then put, then read back.
private final class ParquetSink: ObjectSink {
  private let writer: ObjectWriter
  private let objects: any ObjectStore
  private let key: String

  init(_ description: ObjectDescription, _ objects: any ObjectStore, key: String) {
    self.objects = objects
    self.key = key
    let (chunk, table) = (description.identity, description.table)
    let columns = Dictionary(uniqueKeysWithValues: description.tags.map { ($0.id, $0.column) })
    // All fields of the table, so that objects of days without some of them look like the others.
    writer = ObjectWriter(
      ObjectSchema(
        tags: table.tags.map { .init(id: $0.id, name: $0.name) },
        fields: table.columns.compactMap { column in
          if case .field(let type) = column.kind { .init(id: column.id, name: column.name, type: type) } else { nil }
        }.sorted { $0.id < $1.id }),
      keyValues: [
        ("varve.format", "1"), ("varve.table", "\(table.id.rawValue)"), ("varve.table_name", table.name),
        ("varve.chunk", "\(chunk.file.rawValue)"), ("varve.partition", "\(chunk.partition)"),
        ("varve.partition_nanoseconds", "\(chunk.partitionNanoseconds)"),
        ("varve.sequences", "\(chunk.firstSequence.rawValue) \(chunk.lastSequence.rawValue)"),
      ],
      tagCells: { column, series in
        guard let tag = columns[column] else { return nil }
        let code = tag.code(of: series)
        return code == 0 ? nil : tag.value(code)
      })
  }

  var byteCount: Int { writer.byteCount }
  func begin(runs: [SeriesRun], times: Buffer<Int64>) throws { try writer.begin(runs: runs, times: times) }
  func append(_ id: ColumnID, _ column: FieldColumn) { writer.append(id, column) }
  func end() { writer.end() }

  func finish() throws -> (object: ArchivedObject, rowBlocks: [ObjectRowBlock]) {
    let (bytes, rowBlocks) = writer.finish()
    let object = ArchivedObject(key: key, byteCount: bytes.count, checksum: CRC32C.checksum(bytes))
    try objects.put(key, bytes)
    try ObjectProof.check(object, objects)
    return (object, rowBlocks)
  }
}

/// Whether an object is what its stub says, all of it.
enum ObjectProof {
  private static let pieceByteCount = 8 << 20

  static func check(_ object: ArchivedObject, _ objects: any ObjectStore, check: () throws -> Void = {}) throws {
    var key = object.key
    var found = try objects.byteCount(key)
    if found == nil {
      key = ArchiveKeys.unneeded(key)
      found = try objects.byteCount(key)
    }
    let place = objects.address(found == nil ? object.key : key)
    guard let byteCount = found else {
      throw VarveError(.corruption, "the object is gone", hint: hint, place: place)
    }
    guard byteCount == object.byteCount else {
      throw VarveError(
        .corruption, "the object has \(byteCount) bytes instead of the \(object.byteCount) that were archived",
        hint: hint, place: place)
    }
    var (offset, checksum) = (0, CRC32C.checksum([UInt8]()))
    while offset < byteCount {
      try check()
      let end = min(offset + pieceByteCount, byteCount)
      let bytes = try objects.get(key, offset..<end)
      guard bytes.count == end - offset else {
        throw VarveError(.corruption, "the object ends at byte \(offset + bytes.count)", hint: hint, place: place)
      }
      checksum = bytes.withUnsafeBytes { CRC32C.checksum($0, seed: checksum) }
      offset = end
    }
    guard checksum == object.checksum else {
      throw VarveError(
        .corruption, "the object is not what was archived: its checksum differs", hint: hint, place: place)
    }
  }

  private static let hint =
    "put it back from a copy of the archive; until then queries that need it fail, and no others"
}
