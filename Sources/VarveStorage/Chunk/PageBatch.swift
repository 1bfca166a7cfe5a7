// Pages of one chunk file, read together. Those that the page cache has are taken from it; of the rest, neighbours are
// read as one stretch, and what lies between near ones is read along: copying it costs less than another call.
//
// Pages are asked for by their place in the file, and whoever decodes one asks for it by the same place. The memory is
// used again for the next batch.

import VarveCore
import VarveFormat
import VarveIO

final class PageBatch: PageSource {
  /// A stretch of the file, and where it stands in `memory`.
  private struct Stretch {
    var offset: Int
    var byteCount: Int
    let start: Int
    var end: Int { offset + byteCount }
  }

  /// Copying so much from the system's page cache takes as long as a call. What is between pages of an archived chunk would
  /// have to be fetched.
  private let gapByteCount: Int

  private let cache: PageCache
  private let id: FileID
  /// Whether what is read is kept for others, and counts as used: reading everything once is no reason to.
  private let keepsPages: Bool

  private var pages: [PageReference] = []
  /// Of each page, its bytes if the cache had them.
  private var cached: [Buffer<UInt8>?] = []
  /// The other pages.
  private var stretches: [Stretch] = []
  private var memory = Buffer<UInt8>()
  private var requests: [ReadRequest] = []

  init(of chunk: ChunkHandle, keepsPages: Bool = true) {
    id = chunk.metadata.file
    cache = chunk.caches.pages
    gapByteCount = chunk.isArchived ? 0 : 4096
    self.keepsPages = keepsPages
  }

  /// Memory that pages take which the cache did not have.
  var byteCount: Int { memory.byteCount }

  /// Pages of the last batch that the cache had.
  var cachedCount: Int { cached.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }

  /// Reads the pages, which stand in ascending order of their offsets; forgets those of the batch before. `file` is
  /// asked for if anything must be read from it.
  func read(_ pages: [PageReference], from file: () throws -> any File) throws {
    self.pages = pages
    cached.removeAll(keepingCapacity: true)
    cache.find(pages, of: id, isUse: keepsPages, appendingTo: &cached)
    layOutMisses()
    if !stretches.isEmpty { try readStretches(try file()) }
  }

  /// Decodes a page of the last batch by `body`, which is told whether the bytes' checksum is known to be right. Where
  /// it was not, and `body` returns, it is: the cache keeps them. The bytes are valid within `body`.
  func decode<T>(
    _ page: PageReference, _ body: (_ bytes: UnsafeRawBufferPointer, _ isVerified: Bool) throws -> T
  ) throws -> T {
    let number = number(of: page)
    if let bytes = cached[number] {
      defer { withExtendedLifetime(bytes) {} }
      return try body(UnsafeRawBufferPointer(bytes.span), true)
    }
    let bytes = bytes(page)
    let result = try body(bytes, false)
    if keepsPages { cache.insert(bytes, at: page.offset, of: id) }
    return result
  }

  /// Lets the cache have a page of the last batch that turned out not to be needed, so that the next scan that asks for
  /// it in vain does not read it again. Whether it is damaged is for whoever needs it to say.
  func keepUnused(_ page: PageReference) {
    guard keepsPages, cached[number(of: page)] == nil else { return }
    let bytes = bytes(page)
    if PageHeader.isIntact(bytes, file: id, offset: page.offset) { cache.insert(bytes, at: page.offset, of: id) }
  }

  private func readStretches(_ file: any File) throws {
    requests.removeAll(keepingCapacity: true)
    for stretch in stretches {
      let bytes = UnsafeMutableRawBufferPointer(start: memory.base + stretch.start, count: stretch.byteCount)
      requests.append(ReadRequest(offset: stretch.offset, buffer: bytes))
    }
    if requests.count == 1 {
      requests[0].byteCount = try file.read(into: requests[0].buffer, at: requests[0].offset)
    } else {
      try file.read(&requests)
    }
    for request in requests where request.byteCount < request.buffer.count {
      throw VarveError(
        .corruption, "chunk ends within a page", place: "\(file.path) at \(request.offset + request.byteCount)")
    }
  }

  private func number(of page: PageReference) -> Int {
    var low = 0
    var high = pages.count
    while low < high {
      let middle = (low + high) / 2
      if pages[middle].offset < page.offset { low = middle + 1 } else { high = middle }
    }
    precondition(low < pages.count && pages[low] == page, "the page was asked for with this batch")
    return low
  }

  /// The bytes of a page that was read.
  private func bytes(_ page: PageReference) -> UnsafeRawBufferPointer {
    var low = 0
    var high = stretches.count
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].end <= page.offset { low = middle + 1 } else { high = middle }
    }
    let start = stretches[low].start + page.offset - stretches[low].offset
    return UnsafeRawBufferPointer(start: memory.base + start, count: page.byteCount)
  }

  private func layOutMisses() {
    stretches.removeAll(keepingCapacity: true)
    var total = 0
    for (page, bytes) in zip(pages, cached) where bytes == nil {
      if let last = stretches.last, page.offset - last.end <= gapByteCount {
        precondition(page.offset >= last.end, "pages are asked for in order")
        total += page.offset + page.byteCount - last.end
        stretches[stretches.count - 1].byteCount = page.offset + page.byteCount - last.offset
      } else {
        stretches.append(Stretch(offset: page.offset, byteCount: page.byteCount, start: total))
        total += page.byteCount
      }
    }
    if memory.capacity < total { memory = Buffer(capacity: max(total, memory.capacity * 2)) }
  }
}
