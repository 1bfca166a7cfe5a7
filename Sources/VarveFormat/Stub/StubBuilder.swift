// Makes the stub of a chunk that is being archived: the chunk is built as ever, with its values in their plainest form;
// its header, series pages, summaries, index and footer are kept, of the other pages only length and checksum.
//
// Memory held is what is kept.

import VarveCore

package struct StubBuilder {
  private var chunk: ChunkBuilder
  /// The chunk's header and series pages.
  private var front = ByteWriter()
  private var rowBlocks: [RowBlockEntry] = []
  /// Of the pages of all row blocks that are not kept, in order.
  private var checksums: [UInt32] = []

  /// Its summaries are as small as they can be.
  package init(identity: ChunkIdentity, summaryStep: SummaryStep?, fieldCount: Int) {
    chunk = ChunkBuilder(
      identity: identity, effort: .smallest, summaryStep: summaryStep, fieldCount: fieldCount, hasPlainValues: true)
  }

  package var identity: ChunkIdentity { chunk.identity }
  package var rowCount: Int { chunk.rowCount }
  package var valueCount: Int { chunk.valueCount }
  package var time: TimeRange { chunk.time }
  package var firstSeries: SeriesID? { chunk.firstSeries }
  package var lastSeries: SeriesID? { chunk.lastSeries }

  package mutating func beginRowBlock(runs: [SeriesRun], times: Buffer<Int64>) throws {
    let bytes = try chunk.beginRowBlock(runs: runs, times: times)
    guard let block = chunk.currentRowBlock else { preconditionFailure("a row block has begun") }
    front.append(Array(bytes.dropLast(block.timesPage.byteCount)))
    addChecksum(of: bytes[(bytes.count - block.timesPage.byteCount)...])
  }

  /// None of its cells is null. False: it is absent in all rows.
  package mutating func appendField(_ id: ColumnID, _ column: FieldColumn) throws -> Bool {
    let page = try chunk.appendField(id, column)
    if page.isEmpty { return false }
    addChecksum(of: page[...])
    return true
  }

  package mutating func endRowBlock() throws {
    guard let block = chunk.currentRowBlock else { preconditionFailure("a row block ends that has begun") }
    rowBlocks.append(block)
    try chunk.endRowBlock()
  }

  private mutating func addChecksum(of page: ArraySlice<UInt8>) {
    checksums.append(page.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// All bytes of the stub, whose object has these pages.
  package mutating func finish(_ object: ArchivedObject, _ blocks: [ObjectRowBlock]) throws -> [UInt8] {
    precondition(blocks.count == rowBlocks.count && chunk.rowCount > 0, "an object has its chunk's row blocks")
    let tailOffset = chunk.byteCount
    let tail = try chunk.finish()
    var map = StubMap(object: object)
    for (entry, block) in zip(rowBlocks, blocks) {
      precondition(entry.fields.map(\.column) == block.fields.map(\.column), "an object has its chunk's columns")
      let first = map.pages.count
      for (type, reference, source) in [(nil, entry.timesPage, block.times)]
        + zip(entry.fields, block.fields).map({ (FieldType?.some($0.type), $0.page, $1.page) })
      {
        map.pages.append(
          .init(
            type: type, rowCount: entry.rowCount, reference: reference, checksum: checksums[map.pages.count],
            source: source))
      }
      map.rowBlocks.append(
        .init(
          rowCount: entry.rowCount, seriesPage: entry.seriesPage, keptOffset: 0, pages: first..<map.pages.count))
    }
    let mapBytes = map.encoded()
    let file = chunk.identity.file
    let header = StubHeader(
      file: file, chunkByteCount: chunk.byteCount, tailOffset: tailOffset, mapByteCount: mapBytes.count,
      mapChecksum: mapBytes.withUnsafeBytes { CRC32C.salted($0, file: file, offset: StubHeader.byteCount) })
    return header.encoded() + mapBytes + front.bytes + tail
  }
}
