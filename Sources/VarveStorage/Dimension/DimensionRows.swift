// The rows of one dimension table at one moment, in order of their keys. A value: changing a copy leaves the original as
// it was, so a snapshot is a copy.
//
// Rows stand in immutable blocks of some kilobytes, key and row one behind the other; a change makes the blocks anew
// that it touches, and shares the rest.

import CVarve
import VarveCore

package struct DimensionRows: Sendable {
  package private(set) var blocks: [DimensionBlock] = []
  package private(set) var rowCount = 0
  /// Of keys and rows.
  package private(set) var byteCount = 0

  package init() {}

  /// Whether they are the same version of the same rows. A version that was made anew is taken for another.
  package func isSame(as other: DimensionRows) -> Bool {
    blocks.count == other.blocks.count && zip(blocks, other.blocks).allSatisfy { $0 === $1 }
  }

  /// A row to be in place of the one with its key, or none.
  package struct Change: Sendable {
    package let key: [UInt8]
    package let row: [UInt8]?
    package init(key: [UInt8], row: [UInt8]?) {
      self.key = key
      self.row = row
    }
  }

  /// The row with this key.
  package func find(_ key: [UInt8]) -> [UInt8]? {
    guard let place = block(for: key) else { return nil }
    let block = blocks[place]
    let row = block.firstRow(notBefore: key)
    guard row < block.count, block.compareKey(row, key) == 0 else { return nil }
    return block.withRow(row) { Array($0) }
  }

  package func forEachRow(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    for block in blocks { try block.forEachRow(body) }
  }

  /// Changes in strictly ascending order of key.
  package mutating func apply(_ changes: [Change]) {
    guard !changes.isEmpty else { return }
    if blocks.isEmpty { return replace(0..<0, with: Self.merged(nil, changes[...])) }
    var result: [DimensionBlock] = []
    var kept = 0
    var next = 0
    while next < changes.count {
      let place = block(for: changes[next].key) ?? 0
      var end = next + 1
      // Those before the first key of the block behind.
      if place + 1 < blocks.count {
        while end < changes.count, blocks[place + 1].compareKey(0, changes[end].key) > 0 { end += 1 }
      } else {
        end = changes.count
      }
      result += blocks[kept..<place]
      result += Self.merged(blocks[place], changes[next..<end])
      kept = place + 1
      next = end
    }
    result += blocks[kept...]
    replace(blocks.indices, with: result)
  }

  /// Rows that come in order of key, behind all that there are.
  mutating func append(_ builder: consuming DimensionBlockBuilder) {
    replace(blocks.endIndex..<blocks.endIndex, with: builder.finish())
  }

  private mutating func replace(_ range: Range<Int>, with new: [DimensionBlock]) {
    for block in blocks[range] { count(block, -1) }
    blocks.replaceSubrange(range, with: new)
    for block in new { count(block, 1) }
  }

  private mutating func count(_ block: DimensionBlock, _ sign: Int) {
    rowCount += sign * block.count
    byteCount += sign * block.byteCount
  }

  /// The last block that begins at the key or before it, or else the first; nil without blocks.
  private func block(for key: [UInt8]) -> Int? {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].compareKey(0, key) <= 0 { low = middle + 1 } else { high = middle }
    }
    return blocks.isEmpty ? nil : max(0, low - 1)
  }

  private static func merged(_ block: DimensionBlock?, _ changes: ArraySlice<Change>) -> [DimensionBlock] {
    var builder = DimensionBlockBuilder()
    var row = 0
    let count = block?.count ?? 0
    for change in changes {
      if let block {
        while row < count, block.compareKey(row, change.key) < 0 {
          block.withKeyAndRow(row) { builder.append(key: $0, row: $1) }
          row += 1
        }
        if row < count, block.compareKey(row, change.key) == 0 { row += 1 }
      }
      guard let new = change.row else { continue }
      change.key.withUnsafeBytes { key in new.withUnsafeBytes { builder.append(key: key, row: $0) } }
    }
    if let block {
      while row < count {
        block.withKeyAndRow(row) { builder.append(key: $0, row: $1) }
        row += 1
      }
    }
    return builder.finish()
  }
}

/// Some rows in order of key, never none. Immutable.
package final class DimensionBlock: Sendable {
  private let bytes: [UInt8]
  /// Where each key begins, and each row behind its key; then the end.
  private let bounds: [UInt32]

  init(bytes: [UInt8], bounds: [UInt32]) {
    precondition(bounds.count >= 3 && bounds.count % 2 == 1, "a block has a row, and each row a key")
    self.bytes = bytes
    self.bounds = bounds
  }

  package var count: Int { bounds.count / 2 }
  package var byteCount: Int { bytes.count + bounds.count * 4 + 64 }

  /// Below 0 if the row's key comes before `key`, 0 if it is that.
  func compareKey(_ row: Int, _ key: [UInt8]) -> Int {
    bytes.withUnsafeBytes { own in
      key.withUnsafeBytes { Self.compare(Self.part(own, bounds[2 * row], bounds[2 * row + 1]), $0) }
    }
  }

  /// The number of rows before `key`.
  func firstRow(notBefore key: [UInt8]) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if compareKey(middle, key) < 0 { low = middle + 1 } else { high = middle }
    }
    return low
  }

  package func withRow<T>(_ row: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
    try bytes.withUnsafeBytes { try body(Self.part($0, bounds[2 * row + 1], bounds[2 * row + 2])) }
  }

  func withKeyAndRow(_ row: Int, _ body: (_ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) -> Void) {
    bytes.withUnsafeBytes {
      body(Self.part($0, bounds[2 * row], bounds[2 * row + 1]), Self.part($0, bounds[2 * row + 1], bounds[2 * row + 2]))
    }
  }

  package func forEachRow(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try bytes.withUnsafeBytes { raw in
      for row in 0..<count { try body(Self.part(raw, bounds[2 * row + 1], bounds[2 * row + 2])) }
    }
  }

  private static func part(_ raw: UnsafeRawBufferPointer, _ from: UInt32, _ to: UInt32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: raw[Int(from)..<Int(to)])
  }

  static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    if let x = a.baseAddress, let y = b.baseAddress {
      let order = Int(cvarve_memcmp(x, y, min(a.count, b.count)))
      if order != 0 { return order }
    }
    return a.count - b.count
  }
}

/// Cuts rows that come in order of key into blocks.
struct DimensionBlockBuilder {
  /// A block that grows beyond `most` becomes several of about `usual`.
  private static let usual = 16 << 10
  private static let most = 32 << 10

  private var bytes: [UInt8] = []
  private var bounds: [UInt32] = []
  private var lastKey = 0..<0
  /// Rows that were cut off already, for callers that append many.
  private var done: [DimensionBlock] = []

  mutating func append(key: UnsafeRawBufferPointer, row: UnsafeRawBufferPointer) {
    if bytes.count >= 2 * Self.most { cut(keepingLast: true) }
    lastKey = bytes.count..<(bytes.count + key.count)
    bounds.append(UInt32(bytes.count))
    bytes += key
    bounds.append(UInt32(bytes.count))
    bytes += row
  }

  /// Whether `key` may come next.
  func isBehindLast(_ key: [UInt8]) -> Bool {
    bytes.isEmpty
      || bytes.withUnsafeBytes { own in
        key.withUnsafeBytes { DimensionBlock.compare(UnsafeRawBufferPointer(rebasing: own[lastKey]), $0) < 0 }
      }
  }

  consuming func finish() -> [DimensionBlock] {
    cut(keepingLast: false)
    return done
  }

  /// Makes blocks of what there is; the last may still grow.
  private mutating func cut(keepingLast: Bool) {
    guard !bounds.isEmpty else { return }
    bounds.append(UInt32(bytes.count))
    let parts = bytes.count <= Self.most ? 1 : (bytes.count + Self.usual - 1) / Self.usual
    let size = (bytes.count + parts - 1) / parts
    var first = 0
    var row = 0
    let count = bounds.count / 2
    while row < count {
      row += 1
      let isLast = row == count
      guard isLast || Int(bounds[2 * row] - bounds[2 * first]) >= size else { continue }
      if isLast, keepingLast { break }
      done.append(block(first..<row))
      first = row
    }
    let kept = Int(bounds[2 * first])
    bounds = bounds[(2 * first)...].dropLast().map { $0 - UInt32(kept) }
    bytes.removeFirst(kept)
    lastKey = bytes.isEmpty ? 0..<0 : (lastKey.lowerBound - kept)..<(lastKey.upperBound - kept)
  }

  private func block(_ rows: Range<Int>) -> DimensionBlock {
    let start = bounds[2 * rows.lowerBound]
    return DimensionBlock(
      bytes: Array(bytes[Int(start)..<Int(bounds[2 * rows.upperBound])]),
      bounds: bounds[(2 * rows.lowerBound)...(2 * rows.upperBound)].map { $0 - start })
  }
}
