// The groups of runs: combinations of tags, numbered from 0, by buckets of time, which are words.
//
// A scan gives the rows of a series by time, so of nearly all combinations each bucket is behind the ones before: a new
// group, found without a search. Only where buckets come again are the groups put into a hash table.

import VarveCore

/// Numbers distinct pairs from 0 in order of appearance.
struct RunGroupTable {
  /// What a group takes, with the room that grown buffers and slots have free.
  static let byteCountPerGroup = 40

  let tags = Buffer<UInt32>()
  let buckets = Buffer<UInt64>()
  /// Of each combination the group of its greatest bucket, as signed numbers go; `.max`: none.
  private let latest = Buffer<UInt32>()
  /// Groups below `slotted` are in the slots: a power of two, at most half of them taken; linear probing.
  private var slots = Buffer<UInt32>(repeating: .max, count: 64)
  private var slotted = 0
  var count: Int { tags.count }

  mutating func group(_ tag: UInt32, _ bucket: UInt64) -> UInt32 {
    if latest.count <= Int(tag) { latest.append(repeating: .max, count: Int(tag) + 1 - latest.count) }
    let last = latest.base[Int(tag)]
    if last == .max || Int64(bitPattern: bucket) > Int64(bitPattern: buckets.base[Int(last)]) {
      let group = append(tag, bucket)
      latest.base[Int(tag)] = group
      return group
    }
    return buckets.base[Int(last)] == bucket ? last : search(tag, bucket)
  }

  private func append(_ tag: UInt32, _ bucket: UInt64) -> UInt32 {
    tags.append(tag)
    buckets.append(bucket)
    return UInt32(count - 1)
  }

  private mutating func search(_ tag: UInt32, _ bucket: UInt64) -> UInt32 {
    if slotted < count { insert() }
    var slot = Self.hash(tag, bucket) & (slots.count - 1)
    while true {
      let group = slots.base[slot]
      if group == .max { return append(tag, bucket) }
      if buckets.base[Int(group)] == bucket, tags.base[Int(group)] == tag { return group }
      slot = (slot + 1) & (slots.count - 1)
    }
  }

  /// Puts the groups that are in no slot into slots.
  private mutating func insert() {
    var size = slots.count
    while size < count * 2 { size *= 2 }
    if size > slots.count {
      slots = Buffer(repeating: .max, count: size)
      slotted = 0
    }
    for group in slotted..<count {
      var slot = Self.hash(tags.base[group], buckets.base[group]) & (size - 1)
      while slots.base[slot] != .max { slot = (slot + 1) & (size - 1) }
      slots.base[slot] = UInt32(group)
    }
    slotted = count
  }

  /// A product folded: its high word depends on all bits of both, also where buckets are multiples of a large width.
  @inline(__always) private static func hash(_ tag: UInt32, _ bucket: UInt64) -> Int {
    let mixed = bucket ^ UInt64(tag) &* 0x9E37_79B9_7F4A_7C15
    let (high, low) = mixed.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return Int(truncatingIfNeeded: high ^ low)
  }
}
