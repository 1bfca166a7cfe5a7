// Pages of one chunk file, read together. Neighbours are read as one stretch, and what lies between near ones is read
// along: copying it costs less than another call.
//
// Pages are asked for by their place in the file, and whoever decodes one asks for its bytes by the same place. The
// memory is used again for the next batch.

import VarveCore
import VarveFormat
import VarveIO

final class PageBatch {
  /// A stretch of the file, and where it stands in `memory`.
  private struct Stretch {
    var offset: Int
    var byteCount: Int
    let start: Int
    var end: Int { offset + byteCount }
  }

  /// Copying so much from the page cache takes as long as a call.
  private static let gapByteCount = 4096

  private var stretches: [Stretch] = []
  private var memory = Buffer<UInt8>()
  private var requests: [ReadRequest] = []

  /// Reads the pages, which stand in ascending order of their offsets; forgets those of the batch before.
  func read(_ pages: [PageReference], from file: any File) throws {
    lay(out: pages)
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

  /// The bytes of a page of the last batch. Valid until the next one is read.
  func bytes(_ page: PageReference) -> UnsafeRawBufferPointer {
    var low = 0
    var high = stretches.count
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].end <= page.offset { low = middle + 1 } else { high = middle }
    }
    precondition(
      low < stretches.count && stretches[low].offset <= page.offset
        && page.offset + page.byteCount <= stretches[low].end, "the page was read with this batch")
    let start = stretches[low].start + page.offset - stretches[low].offset
    return UnsafeRawBufferPointer(start: memory.base + start, count: page.byteCount)
  }

  private func lay(out pages: [PageReference]) {
    stretches.removeAll(keepingCapacity: true)
    var total = 0
    for page in pages {
      if let last = stretches.last, page.offset - last.end <= Self.gapByteCount {
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
