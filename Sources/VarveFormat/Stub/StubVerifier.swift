// Everything that a stub itself can be held against: what it kept, by checksums and by what the index says, and its map,
// by the index. Whether the object is as it was only the archive can tell.

import VarveCore

package enum StubVerifier {
  /// Everything that is wrong; empty for a sound stub. `read` gives bytes of the chunk that the stub kept.
  package static func verify(
    _ map: StubMap, _ contents: ChunkContents, place: String, read: (PageReference) throws -> [UInt8]
  ) throws -> [VarveError] {
    var found: [VarveError] = []
    func collect(_ body: () throws -> Void) throws {
      do { try body() } catch let error as VarveError where error.code == .corruption { found.append(error) }
    }
    try collect { try placed(place) { try compare(map, contents.index) } }
    let file = contents.identity.file
    for block in contents.index.rowBlocks {
      try collect {
        _ = try read(block.seriesPage).withUnsafeBytes {
          try RowBlockReader.decodeSeries($0, block: block, file: file, place: place)
        }
      }
    }
    for page in (contents.index.summaries?.blocks ?? []).flatMap(\.pages) {
      try collect {
        guard try read(page).withUnsafeBytes({ PageHeader.isIntact($0, file: file, offset: page.offset) }) else {
          throw VarveError(
            .corruption, "a page of summaries fails its checksum", place: "\(place), byte \(page.offset)")
        }
      }
    }
    return found
  }

  private static func compare(_ map: StubMap, _ index: ChunkIndex) throws {
    guard map.rowBlocks.count == index.rowBlocks.count else {
      throw VarveError(.corruption, "a stub's map has other row blocks than its index")
    }
    for (block, entry) in zip(map.rowBlocks, index.rowBlocks) {
      let pages = map.pages[block.pages]
      guard block.rowCount == entry.rowCount, block.seriesPage == entry.seriesPage,
        pages.first?.reference == entry.timesPage, pages.dropFirst().map(\.reference) == entry.fields.map(\.page),
        pages.dropFirst().map(\.type) == entry.fields.map({ $0.type })
      else { throw VarveError(.corruption, "a stub's map has other pages than its index") }
    }
  }
}

extension SummaryBlockEntry {
  fileprivate var pages: [PageReference] {
    [seriesPage, bucketsPage, rowCountsPage, firstOffsetsPage, lastOffsetsPage]
      + fields.flatMap { $0.pages.map(\.page) }
  }
}
