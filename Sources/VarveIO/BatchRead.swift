// Many stretches of one file at once. The disk serves several requests in the time of one, but only if it is told of
// them together: through a ring where there is one, else by asking the system to read ahead all that is missing and
// then taking one after the other. The figures are in Varve.docc, "Decisions".

import CURing
import Glibc
import VarveCore

/// A stretch of a file, and where its bytes go.
package struct ReadRequest {
  package let offset: Int
  package let buffer: UnsafeMutableRawBufferPointer
  /// Bytes read so far, from the front of the buffer.
  package var byteCount = 0

  package init(offset: Int, buffer: UnsafeMutableRawBufferPointer) {
    self.offset = offset
    self.buffer = buffer
  }
}

enum BatchRead {
  /// For fewer a ring costs as much as it gains.
  private static let leastRingCount = 4
  /// Nearer together than this on average, the system's own reading ahead does better than advice.
  private static let leastAdvisedDistance = 16 << 10

  static func fill(_ descriptor: Int32, _ path: String, _ requests: inout [ReadRequest], rings: IORings?) throws {
    if requests.count >= leastRingCount, let rings, let lent = rings.lend() {
      let isGood = requests.withUnsafeMutableBufferPointer { lent.ring.read(descriptor, $0) }
      if isGood { rings.giveBack(lent) }
    } else if requests.count > 1 {
      readCached(descriptor, &requests)
    }
    for i in requests.indices { try complete(descriptor, path, &requests[i]) }
  }

  /// Reads what stands in the page cache, up to the first request that does not; that and all behind it the system is
  /// asked to fetch together.
  private static func readCached(_ descriptor: Int32, _ requests: inout [ReadRequest]) {
    let extent = requests[requests.count - 1].offset - requests[0].offset
    guard extent / requests.count >= leastAdvisedDistance else { return }
    for i in requests.indices {
      let (buffer, offset) = (requests[i].buffer, off_t(requests[i].offset))
      requests[i].byteCount = max(0, curing_read_cached(descriptor, buffer.baseAddress, buffer.count, offset))
      if requests[i].byteCount == buffer.count { continue }
      // To the system no length means all of the rest.
      for request in requests[i...] where request.buffer.count > 0 {
        // Advice only: where it is not taken, the reads below wait one by one.
        _ = posix_fadvise(descriptor, off_t(request.offset), off_t(request.buffer.count), POSIX_FADV_WILLNEED)
      }
      return
    }
  }

  /// Reads what is missing of a request; stops early only at the end of the file.
  static func complete(_ descriptor: Int32, _ path: String, _ request: inout ReadRequest) throws {
    while request.byteCount < request.buffer.count, let base = request.buffer.baseAddress {
      let count = pread(
        descriptor, base + request.byteCount, request.buffer.count - request.byteCount,
        off_t(request.offset + request.byteCount))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw systemError("pread", path, errno) }
      if count == 0 { break }
      request.byteCount += count
    }
  }
}
