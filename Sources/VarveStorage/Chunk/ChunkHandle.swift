// A live chunk: what the manifest says of it, and its file, open while it is read. A chunk that is damaged or gone
// fails the reads that need it, by name, and nothing else. Of an archived chunk the file is a stub, and what is handed out
// reads as the whole chunk (`StubFile`).

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

final class ChunkHandle: Sendable {
  let metadata: ChunkMetadata
  let path: String
  let caches: ChunkCaches
  private let files: any FileSystem
  private let archive: (any ArchiveTier)?

  private struct Opened: Sendable {
    /// Open as long as somebody reads: thousands of chunks must not hold thousands of descriptors.
    weak var file: (any File)?
    /// Open until the handle goes.
    var pinned: (any File)?
    /// Why the file could not be pinned.
    var pinFailure: VarveError?
    /// Of a stub, for those that read it.
    weak var map: StubMapCache?
  }
  private let opened = Mutex(Opened())

  init(
    _ metadata: ChunkMetadata, path: String, files: any FileSystem, caches: ChunkCaches, archive: (any ArchiveTier)?
  ) {
    self.metadata = metadata
    self.archive = archive
    self.path = path
    self.files = files
    self.caches = caches
  }

  var isArchived: Bool { metadata.level == .archived }

  /// The open file. Whoever reads much keeps it, and with it the descriptor; for the archive each reader has its own.
  func hold() throws -> any File { isArchived ? try holdStub() : try holdFile() }

  /// The same for whoever will read everything.
  func holdForAll() throws -> any File {
    guard isArchived else { return try holdFile() }
    let stub = try holdStub()
    try stub.expectAll()
    return stub
  }

  func holdStub() throws -> StubFile {
    let file = try holdFile()
    let map = opened.withLock { state in
      let map = state.map ?? StubMapCache()
      state.map = map
      return map
    }
    return try StubFile(file, file: metadata.file, map, archive)
  }

  /// The file as it is on disk.
  private func holdFile() throws -> any File {
    let (known, pinFailure) = opened.withLock { ($0.file, $0.pinFailure) }
    if let known { return known }
    let file: any File
    do { file = try open() } catch { throw pinFailure ?? error }
    return opened.withLock { state in
      // Another thread may have been faster.
      if let first = state.file { return first }
      state.file = file
      return file
    }
  }

  /// Keeps the file open, so that snapshots can read it after its name is gone. Where it cannot be opened now, their
  /// reads will fail once it is gone, and say why.
  func pin() {
    guard opened.withLock({ $0.pinned == nil }) else { return }
    do {
      let file = try holdFile()
      opened.withLock { $0.pinned = file }
    } catch {
      opened.withLock { $0.pinFailure = asVarveError(error) }
    }
  }

  /// Header, index and footer, verified. Whoever uses them more than once keeps them: the cache may not.
  func contents() throws -> ChunkContents {
    if let contents = caches.indexes.find(metadata.file) { return contents }
    let contents = try openContents()
    guard contents.identity.table == metadata.table, contents.identity.partition == metadata.partition,
      contents.footer.rowCount == metadata.rowCount, contents.footer.valueCount == metadata.valueCount,
      contents.footer.time == metadata.time, contents.footer.firstSeries == metadata.firstSeries,
      contents.footer.lastSeries == metadata.lastSeries, contents.identity.firstSequence == metadata.firstSequence,
      contents.identity.lastSequence == metadata.lastSequence
    else { throw VarveError(.corruption, "chunk is not the one that the manifest names", place: path) }
    caches.indexes.insert(contents, of: metadata.file)
    return contents
  }

  private func openContents() throws -> ChunkContents {
    let file = try holdFile()
    let byteCount = try file.byteCount()
    guard byteCount == metadata.byteCount else {
      throw VarveError(
        .corruption, "chunk has \(byteCount) bytes instead of the \(metadata.byteCount) it was made with", place: path
      )
    }
    guard isArchived else {
      return try ChunkContents.open(fileByteCount: byteCount, file: metadata.file, place: path) {
        try Self.read(file, $0, path)
      }
    }
    let stub = try holdStub()
    return try ChunkContents.open(
      fileByteCount: stub.header.chunkByteCount, file: metadata.file, place: path,
      cheapByteCount: stub.header.tailByteCount
    ) { try Self.read(stub, $0, path) }
  }

  func read(_ reference: PageReference) throws -> [UInt8] { try Self.read(try hold(), reference, path) }

  /// Row blocks that a scan has to read, after all that the chunk's `index` can rule out.
  static func rowBlocks(_ index: ChunkIndex, _ selection: RowSelection, _ zones: [ZonePredicate]) -> (
    selected: [Int], total: Int, rowCount: Int
  ) {
    let series: [SeriesID]? = if case .some(let list) = selection.series { list } else { nil }
    var selected = index.rowBlocks(of: series, in: selection.time)
    if !selection.exclusions.isEmpty {
      selected.removeAll {
        let block = index.rowBlocks[$0]
        return selection.exclusions.cover(block.time, series: block.seriesBounds)
      }
    }
    if !zones.isEmpty { selected.removeAll { !ZoneTest.mayPass(index.rowBlocks[$0], zones) } }
    return (selected, index.rowBlocks.count, selected.reduce(0) { $0 + index.rowBlocks[$1].rowCount })
  }

  private func open() throws -> any File {
    do {
      return try files.open(path, .read)
    } catch let error as VarveError where error.code == .notFound {
      throw VarveError(
        .corruption, "a chunk that the manifest names is missing",
        hint: "`varve repair` gives it up and opens the rest", place: path)
    }
  }

  static func read(_ file: any File, _ reference: PageReference, _ path: String) throws -> [UInt8] {
    let bytes = try file.read(count: reference.byteCount, at: reference.offset)
    guard bytes.count == reference.byteCount else {
      throw VarveError(.corruption, "chunk ends within a page", place: "\(path) at \(reference.offset)")
    }
    return bytes
  }
}

/// Whether a row block can hold a row that passes all zone predicates.
enum ZoneTest {
  static func mayPass(_ block: RowBlockEntry, _ zones: [ZonePredicate]) -> Bool {
    zones.allSatisfy { zone in
      // A column without a page is NULL in every row, and NULL passes no range.
      guard let field = block.field(zone.column) else { return false }
      guard field.type != .text else { return true }
      let map = field.zone
      guard map.valueCount > 0 else { return false }
      // NaN is greater than every number.
      if map.nanCount > 0, zone.upper == nil { return true }
      guard map.hasRange(field.type) else { return false }
      if let lower = zone.lower, number(map.maximum, field.type, .up) < lower { return false }
      if let upper = zone.upper, number(map.minimum, field.type, .down) > upper { return false }
      return true
    }
  }

  /// The word as a double that is not below (up) or not above (down) it.
  private static func number(_ word: UInt64, _ type: FieldType, _ rounding: FloatingPointRoundingRule) -> Double {
    switch type {
    case .float64: return Double(bitPattern: word)
    case .uint64:
      let value = Double(word)
      return rounding == .up ? value.nextUp : value.nextDown
    case .int64, .timestamp, .bool, .text:
      let value = Double(Int64(bitPattern: word))
      return rounding == .up ? value.nextUp : value.nextDown
    }
  }
}
