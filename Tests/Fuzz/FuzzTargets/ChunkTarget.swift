// A chunk file whose checksums are made right first, as far as header, footer and index can be found: then everything
// in it is read.

import VarveCore
import VarveFormat

@Sendable func fuzzChunk(_ bytes: [UInt8]) {
  var bytes = bytes
  guard bytes.count >= ChunkHeader.byteCount + ChunkFooter.byteCount else {
    return attempt { _ = try ChunkContents.open(bytes, file: nil, place: "here") }
  }
  sealEnds(&bytes)
  attempt {
    let contents = try ChunkContents.open(bytes, file: nil, place: "here")
    let file = contents.identity.file
    for block in contents.index.rowBlocks {
      for page in [block.seriesPage, block.timesPage] + block.fields.map(\.page) { seal(page, file, &bytes) }
      attempt { _ = try RowBlockReader.decodeSeries(raw(block.seriesPage), block: block, file: file, place: "here") }
      attempt { _ = try RowBlockReader.decodeTimes(raw(block.timesPage), block: block, file: file, place: "here") }
      for field in block.fields {
        attempt {
          let column = try RowBlockReader.decodeField(
            raw(field.page), field: field, block: block, file: file, place: "here")
          for wanted in [PageAggregates.sum, [.sum, .range, .ends]] {
            _ = try PageAggregator.aggregate(
              raw(field.page),
              segments: [0..<(block.rowCount + 1) / 2, (block.rowCount + 1) / 2..<block.rowCount]
                .filter { !$0.isEmpty }, wanted: wanted, isVerified: true, file: file, offset: field.page.offset)
          }
          guard column.type == .text else { return }
          for row in 0..<column.count where column.state(row) == .value { _ = column.string(row) }
        }
      }
    }
    for block in contents.index.summaries?.blocks ?? [] {
      for page in SummaryReader.pages(block, SummaryReader.all(block)) { seal(page, file, &bytes) }
    }
    let read = { (page: PageReference) in Array(bytes[page.offset..<(page.offset + page.byteCount)]) }
    if let summaries = contents.index.summaries {
      for block in summaries.blocks {
        attempt {
          _ = try SummaryReader.decode(
            block, SummaryReader.all(block), step: summaries.step, identity: contents.identity, place: "here",
            read: { Array(raw($0)) })
        }
      }
    }
    attempt { _ = try ChunkVerifier.verify(fileByteCount: bytes.count, file: file, place: "here", read: read) }
    attempt {
      _ = try ChunkDescription.lines(fileByteCount: bytes.count, file: nil, place: "here", rowBlocks: true, read: read)
    }
    func raw(_ page: PageReference) -> UnsafeRawBufferPointer {
      copy(bytes[page.offset..<(page.offset + page.byteCount)])
    }
  }
  for copied in copies { copied.deallocate() }
  copies.removeAll()
}

/// Pages at addresses of their own, so that a read beyond one is seen.
nonisolated(unsafe) private var copies: [UnsafeMutableRawBufferPointer] = []

private func copy(_ bytes: ArraySlice<UInt8>) -> UnsafeRawBufferPointer {
  let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
  room.copyBytes(from: bytes)
  copies.append(room)
  return UnsafeRawBufferPointer(room)
}

private func sealEnds(_ bytes: inout [UInt8]) {
  let file = FileID(rawValue: word(bytes, 16))
  let footer = bytes.count - ChunkFooter.byteCount
  let index = Int(clamping: word(bytes, footer + 24))
  if index <= footer { store(checksum(bytes[index..<footer], file, index), &bytes, footer + 4) }
  store(checksum(bytes[(footer + 4)...], file, footer), &bytes, footer)
  let front = checksum(bytes[0..<12], file, 0)
  store(CRC32C.checksum(Array(bytes[16..<ChunkHeader.byteCount]), seed: front), &bytes, 12)
}

private func seal(_ page: PageReference, _ file: FileID, _ bytes: inout [UInt8]) {
  guard page.byteCount >= 4 else { return }
  store(checksum(bytes[(page.offset + 4)..<(page.offset + page.byteCount)], file, page.offset), &bytes, page.offset)
}

private func checksum(_ bytes: ArraySlice<UInt8>, _ file: FileID, _ offset: Int) -> UInt32 {
  CRC32C.checksum(Array(bytes), seed: CRC32C.salt(file: file, offset: offset))
}

private func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
  (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64($1 * 8) }
}

private func store(_ value: UInt32, _ bytes: inout [UInt8], _ at: Int) {
  for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: value >> (UInt32(i) * 8)) }
}
