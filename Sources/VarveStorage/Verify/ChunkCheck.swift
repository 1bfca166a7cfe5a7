// Everything that must hold of one live chunk: what the manifest, the catalog and the series file say of it, and every
// page's own checksum. Shared by verify and repair, so that both mean the same by "damaged".

import VarveCore
import VarveFormat
import VarveIO

struct ChunkCheck {
  let paths: StorePaths
  let files: any FileSystem
  let catalog: Catalog
  let series: SeriesIndexes
  /// Where given, archived chunks are read whole; else their stubs are.
  var archive: (any ArchiveTier)?

  /// Everything that is wrong with it; empty when it is sound. Throws what says nothing about the chunk, such as a
  /// failing disk.
  /// Read through `handle` where there is one: a file that a server may remove is held by it.
  func problems(of chunk: ChunkMetadata, through handle: ChunkHandle? = nil) throws -> [VarveError] {
    let path = paths.chunk(chunk.file)
    do {
      return try check(chunk, path, handle ?? ownHandle(chunk, path))
    } catch let error as VarveError where error.code == .corruption { return [error] }
  }

  private func ownHandle(_ chunk: ChunkMetadata, _ path: String) -> ChunkHandle {
    ChunkHandle(chunk, path: path, files: files, caches: .off, archive: archive)
  }

  private func check(_ chunk: ChunkMetadata, _ path: String, _ handle: ChunkHandle) throws -> [VarveError] {
    let file = try handle.hold()
    defer { withExtendedLifetime(file) {} }
    let contents = try handle.contents()
    guard let table = catalog.tables[chunk.table] else {
      throw VarveError(.corruption, "the chunk belongs to no table", place: path)
    }
    for column in contents.index.columns where table.everHad(column.id)?.kind != .field(column.type) {
      throw VarveError(
        .corruption, "column \(column.id.rawValue) is not what table \"\(table.name)\" says", place: path)
    }
    guard chunk.lastSeries.rawValue < UInt32(series[chunk.table].count) else {
      throw VarveError(.corruption, "the chunk has series that the series file lacks", place: path)
    }
    if chunk.level == .archived {
      let stub = try handle.holdStub()
      guard archive != nil else {
        return try StubVerifier.verify(try stub.map(), contents, place: path) { try handle.read($0) }
      }
      try stub.expectAll()
      return try ChunkVerifier.verify(fileByteCount: stub.header.chunkByteCount, file: chunk.file, place: path) {
        try ChunkHandle.read(stub, $0, path)
      }
    }
    return try ChunkVerifier.verify(fileByteCount: chunk.byteCount, file: chunk.file, place: path) {
      try handle.read($0)
    }
  }
}
