// A hash table over the groups of runs: combinations of tags by buckets of time, both words.

import VarveCore

/// Numbers distinct pairs from 0 in order of appearance.
struct RunGroupTable {
  /// What a group takes, with the room that grown buffers and slots have free.
  static let byteCountPerGroup = 40

  let tags = Buffer<UInt32>()
  let buckets = Buffer<UInt64>()
  /// A power of two, at most half of them taken; linear probing.
  private var slots = Buffer<UInt32>(repeating: .max, count: 64)
  var count: Int { tags.count }

  mutating func group(_ tag: UInt32, _ bucket: UInt64) -> UInt32 {
    let mask = slots.count - 1
    var slot = Self.hash(tag, bucket) & mask
    while true {
      let group = slots.base[slot]
      if group == .max { break }
      if buckets.base[Int(group)] == bucket, tags.base[Int(group)] == tag { return group }
      slot = (slot + 1) & mask
    }
    let group = UInt32(count)
    slots.base[slot] = group
    tags.append(tag)
    buckets.append(bucket)
    if count * 2 > slots.count { grow() }
    return group
  }

  private mutating func grow() {
    let larger = Buffer<UInt32>(repeating: .max, count: slots.count * 2)
    let mask = larger.count - 1
    for group in 0..<count {
      var slot = Self.hash(tags.base[group], buckets.base[group]) & mask
      while larger.base[slot] != .max { slot = (slot + 1) & mask }
      larger.base[slot] = UInt32(group)
    }
    slots = larger
  }

  /// A product folded: its high word depends on all bits of both, also where buckets are multiples of a large width.
  @inline(__always) private static func hash(_ tag: UInt32, _ bucket: UInt64) -> Int {
    let mixed = bucket ^ UInt64(tag) &* 0x9E37_79B9_7F4A_7C15
    let (high, low) = mixed.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return Int(truncatingIfNeeded: high ^ low)
  }
}
