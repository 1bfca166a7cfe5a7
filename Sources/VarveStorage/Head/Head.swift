// The mutable rows in memory: for each table and partition, blocks in order of arrival, of which older ones are gathered
// by series (`HeadGather`).
//
// A value: the store keeps one under its lock, and a snapshot is a copy of it, which shares all blocks.

import VarveCore

package struct PartitionKey: Hashable, Sendable {
  package let table: TableID
  /// floor(time / the table's partition width).
  package let index: Int64
  package init(table: TableID, index: Int64) {
    self.table = table
    self.index = index
  }
}

package struct Head: Sendable {
  /// Oldest block first.
  package private(set) var partitions: [PartitionKey: [HeadBlock]] = [:]
  package private(set) var byteCount = 0
  package private(set) var rowCount = 0
  /// What came since somebody looked for blocks to gather.
  private(set) var ungatheredByteCount = 0

  /// Blocks at least this long are not joined any more.
  package static let joinedRowCount = 16_384

  package init() {}

  package var isEmpty: Bool { rowCount == 0 }

  package mutating func append(_ block: HeadBlock, to key: PartitionKey) {
    rowCount += block.rowCount
    byteCount += block.byteCount
    ungatheredByteCount += block.byteCount
    var blocks = partitions.removeValue(forKey: key) ?? []
    var tail = block
    // As in a binary counter: join while the neighbour is not much longer than the tail.
    while let last = blocks.last, last.rowCount < Head.joinedRowCount, last.rowCount <= tail.rowCount * 2 {
      blocks.removeLast()
      byteCount -= last.byteCount + tail.byteCount
      tail = HeadBlock.joined([last, tail])
      byteCount += tail.byteCount
    }
    blocks.append(tail)
    partitions[key] = blocks
  }

  mutating func lookedForYoungBlocks() { ungatheredByteCount = 0 }

  /// Puts one block in the place of neighbours.
  mutating func replaceBlocks(of key: PartitionKey, _ places: Range<Int>, by block: HeadBlock) {
    guard var blocks = partitions.removeValue(forKey: key) else { return }
    for old in blocks[places] {
      rowCount -= old.rowCount
      byteCount -= old.byteCount
    }
    rowCount += block.rowCount
    byteCount += block.byteCount
    blocks.replaceSubrange(places, with: CollectionOfOne(block))
    partitions[key] = blocks
  }

  /// Puts in each block's place what `body` makes of it; nil: nothing.
  mutating func replaceBlocks(of key: PartitionKey, _ body: (HeadBlock) -> HeadBlock?) {
    guard let blocks = partitions[key] else { return }
    var kept: [HeadBlock] = []
    for block in blocks {
      rowCount -= block.rowCount
      byteCount -= block.byteCount
      guard let left = body(block) else { continue }
      rowCount += left.rowCount
      byteCount += left.byteCount
      kept.append(left)
    }
    partitions[key] = kept.isEmpty ? nil : kept
  }

  /// Forgets a dropped table's rows.
  package mutating func remove(table: TableID) {
    for (key, blocks) in partitions where key.table == table {
      for block in blocks {
        rowCount -= block.rowCount
        byteCount -= block.byteCount
      }
      partitions[key] = nil
    }
  }
}
