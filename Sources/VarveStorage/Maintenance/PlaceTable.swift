// Places: a word for each row that a compaction reads, by which its values are found once the order of all rows is known.
//
//   bit 63 clear:   block << 32 | row of the block
//   bit 63 set:     a joint place: rows of one identity, whose places stand in a list
//
// Blocks and lists go when their rows are written.

import VarveCore

final class PlaceTable {
  /// Rows of one block that go to rows of the one being written.
  struct Part {
    /// `count` rows from `row` of the block on go to `target` and behind.
    struct Move {
      let row: Int
      let target: Int
      var count: Int
    }

    let number: UInt32
    let block: SourceBlock
    var moves: [Move] = []
    var rowCount = 0
  }

  private static let jointBit: UInt64 = 1 << 63

  private var blocks: [UInt32: SourceBlock] = [:]
  private var nextBlock: UInt32 = 0
  /// Of joint places in their order: how many there are, then the places.
  private var joints: [UInt64] = []
  /// Words of `joints` that went.
  private var jointsBefore: UInt64 = 0

  /// The places of rows of a block.
  func places(of block: SourceBlock, rows: [Range<Int>], count: Int) -> Buffer<UInt64> {
    let base = UInt64(nextBlock) << 32
    blocks[nextBlock] = block
    nextBlock += 1
    precondition(nextBlock < 1 << 31, "a compaction has fewer row blocks")
    let places = Buffer<UInt64>(capacity: count)
    for range in rows { for row in range { places.append(base | UInt64(row)) } }
    return places
  }

  /// The place of what rows of one identity come to.
  func join(_ places: some Swift.Collection<UInt64>) -> UInt64 {
    let joint = Self.jointBit | (jointsBefore + UInt64(joints.count))
    joints.append(UInt64(places.count))
    joints += places
    return joint
  }

  /// What goes where, for a row block of these places: oldest blocks first, so that what is newer overwrites it.
  func parts(of places: UnsafeBufferPointer<UInt64>) -> [Part] {
    var parts: [Part] = []
    var known: [UInt32: Int] = [:]
    var row = 0
    while row < places.count {
      let place = places[row]
      var count = 1
      if place & Self.jointBit == 0 {
        while row + count < places.count, places[row + count] == place + UInt64(count) { count += 1 }
        add(place, count: count, target: row, to: &parts, &known)
      } else {
        for each in list(place) { add(each, count: 1, target: row, to: &parts, &known) }
      }
      row += count
    }
    return parts.sorted { ($0.block.age, $0.number) < ($1.block.age, $1.number) }
  }

  /// Lets go of what a row block of these places, with these parts, needed: it is written.
  func didWrite(_ places: UnsafeBufferPointer<UInt64>, _ parts: [Part]) {
    for part in parts {
      part.block.didWrite(part.rowCount)
      if part.block.rowCount == 0 { blocks[part.number] = nil }
    }
    guard let last = places.last(where: { $0 & Self.jointBit != 0 }) else { return }
    let end = position(last) + 1 + list(last).count
    joints.removeFirst(end)
    jointsBefore += UInt64(end)
  }

  private func position(_ joint: UInt64) -> Int { Int(joint & ~Self.jointBit - jointsBefore) }

  private func list(_ joint: UInt64) -> ArraySlice<UInt64> {
    let position = position(joint)
    return joints[(position + 1)...].prefix(Int(joints[position]))
  }

  private func add(
    _ place: UInt64, count: Int, target: Int, to parts: inout [Part], _ known: inout [UInt32: Int]
  ) {
    let number = UInt32(place >> 32)
    let row = Int(place & 0xFFFF_FFFF)
    let index: Int
    if let last = parts.last, last.number == number {
      index = parts.count - 1
    } else if let found = known[number] {
      index = found
    } else {
      guard let block = blocks[number] else { preconditionFailure("a row that is not written has its block") }
      index = parts.count
      known[number] = index
      parts.append(Part(number: number, block: block))
    }
    parts[index].rowCount += count
    let last = parts[index].moves.count - 1
    if last >= 0, parts[index].moves[last].row + parts[index].moves[last].count == row,
      parts[index].moves[last].target + parts[index].moves[last].count == target
    {
      parts[index].moves[last].count += count
    } else {
      parts[index].moves.append(Part.Move(row: row, target: target, count: count))
    }
  }
}
