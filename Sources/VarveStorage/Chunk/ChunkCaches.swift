// What a store remembers of its chunks' files. One for each store: several databases in a process each have their own.

package struct ChunkCaches: Sendable {
  package let pages: PageCache
  package let indexes: ChunkIndexCache
  package let tails: TailCache

  package init(pageByteLimit: Int, indexByteLimit: Int, tailByteLimit: Int) {
    pages = PageCache(byteLimit: pageByteLimit)
    indexes = ChunkIndexCache(byteLimit: indexByteLimit)
    tails = TailCache(byteLimit: tailByteLimit)
  }

  /// Keeps no pages, no tails, and no more than one index: for reading what is on disk now.
  static var off: ChunkCaches { ChunkCaches(pageByteLimit: 0, indexByteLimit: 0, tailByteLimit: 0) }
}
