// The bytes of pages whose checksums were verified, kept for the next read of them; one cache a store, within a limit.
//
// A page is known by its file's id and its offset. Files are immutable and their ids are never given again, so what
// the cache holds is always right: even where the file has gone, or was damaged, since. Pages of files that are gone
// are asked for no more and age out like any others.
//
// The lock is held for moments: never across I/O, a copy, or the release of memory.

import Synchronization
import VarveCore
import VarveFormat

package final class PageCache: Sendable {
  package struct Statistics: Sendable, Equatable {
    /// Pages asked for that were there, and that were not.
    package var hits = 0
    package var misses = 0
    /// Pages that went for others.
    package var evictions = 0
    package var pages = 0
    /// What the pages take, all included.
    package var byteCount = 0
    package var byteLimit = 0
  }

  private struct State {
    var queues: PageQueues
    var hits = 0
    var misses = 0
    var evictions = 0
  }

  /// Pages looked up without letting another thread in between.
  private static let lookupsPerLock = 64

  private let state: Mutex<State>
  /// Larger pages are not kept: each would push out too many.
  package let pageByteLimit: Int

  /// 0 keeps nothing.
  package init(byteLimit: Int) {
    let queues = PageQueues(byteLimit: max(0, byteLimit))
    pageByteLimit = queues.pageByteLimit
    state = Mutex(State(queues: queues))
  }

  /// Appends to `found`, for each of the pages, its bytes if they are here. `isUse`: whether that counts, and is a reason
  /// to keep them.
  package func find(
    _ pages: [PageReference], of file: FileID, isUse: Bool = true, appendingTo found: inout [Buffer<UInt8>?]
  ) {
    for start in stride(from: 0, to: pages.count, by: Self.lookupsPerLock) {
      let end = min(start + Self.lookupsPerLock, pages.count)
      state.withLock { state in
        for page in pages[start..<end] {
          let bytes = state.queues.find(file, page.offset, isUse: isUse)
          if isUse { if bytes == nil { state.misses += 1 } else { state.hits += 1 } }
          found.append(bytes)
        }
      }
    }
  }

  /// Keeps a page's bytes, which its checksum vouches for. The cache holds a copy.
  package func insert(_ bytes: UnsafeRawBufferPointer, at offset: Int, of file: FileID) {
    guard bytes.count <= pageByteLimit else { return }
    let page = Buffer<UInt8>(capacity: bytes.count)
    page.append(bytes.assumingMemoryBound(to: UInt8.self))
    var evicted: [Buffer<UInt8>] = []
    state.withLock { state in
      state.queues.insert(file, offset, page, evicted: &evicted)
      state.evictions += evicted.count
    }
  }

  package var statistics: Statistics {
    state.withLock { state in
      Statistics(
        hits: state.hits, misses: state.misses, evictions: state.evictions, pages: state.queues.pageCount,
        byteCount: state.queues.byteCount, byteLimit: state.queues.byteLimit)
    }
  }
}
