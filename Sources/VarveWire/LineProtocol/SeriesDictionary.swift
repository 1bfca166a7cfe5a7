// The series a connection has sent, by the text that named them: "measurement,tag=value,…" as it stood on the line.
//
// Two texts may name the same series (tags in another order): each is an entry with a key of its own, and the store
// finds that they are one. An entry remembers which entry followed it last time, so that a sender that goes round its
// series in order is answered by one comparison, without hashing. Entries are only ever made from text that was checked
// in full: equal bytes need no second check.

import CVarve
import VarveCore

struct SeriesEntry {
  /// The text; 8 readable bytes follow it.
  var text: UnsafeMutablePointer<UInt8>
  var hash: UInt64
  /// The batch that has the entry's series, and where in its list.
  var batchNumber: UInt64
  var placeInBatch: UInt32
  var byteCount: Int32
  var table: Int32
  /// The entry that followed this one on the connection; -1 at first.
  var next: Int32
}

struct SeriesDictionary: ~Copyable {
  private(set) var entries: UnsafeMutablePointer<SeriesEntry>
  private(set) var count = 0
  private var capacity: Int
  /// Open addressing, linear probing: entry index + 1, or 0.
  private var slots: UnsafeMutablePointer<Int32>
  private var slotMask: Int
  /// By entry.
  private(set) var keys: [SeriesKey] = []
  private var arena = TextArena()
  private var keyByteCount = 0

  init() {
    capacity = 16
    entries = .allocate(capacity: capacity)
    slotMask = 31
    slots = .allocate(capacity: 32)
    slots.initialize(repeating: 0, count: 32)
  }

  deinit {
    entries.deallocate()
    slots.deallocate()
  }

  /// Roughly what is held, in bytes, the store's notes included.
  var memoryByteCount: Int { arena.byteCount + keyByteCount + count * 128 }

  @inline(__always)
  func find(_ text: UnsafePointer<UInt8>, _ byteCount: Int, hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & slotMask
    while true {
      let stored = slots[slot]
      if stored == 0 { return -1 }
      let entry = entries + Int(stored &- 1)
      if entry.pointee.hash == hash, Int(entry.pointee.byteCount) == byteCount,
        cvarve_memcmp(entry.pointee.text, text, byteCount) == 0
      {
        return Int(stored &- 1)
      }
      slot = (slot &+ 1) & slotMask
    }
  }

  /// Adds a text that is not there yet.
  mutating func insert(
    _ text: UnsafePointer<UInt8>, _ byteCount: Int, hash: UInt64, table: Int, key: SeriesKey
  ) -> Int {
    if count == capacity {
      let moved = UnsafeMutablePointer<SeriesEntry>.allocate(capacity: capacity * 2)
      moved.update(from: entries, count: count)
      entries.deallocate()
      entries = moved
      capacity *= 2
    }
    if count * 2 > slotMask { growSlots() }
    entries[count] = SeriesEntry(
      text: arena.store(text, byteCount), hash: hash, batchNumber: 0, placeInBatch: 0, byteCount: Int32(byteCount),
      table: Int32(table), next: -1)
    keys.append(key)
    keyByteCount += key.bytes.count
    place(count, hash: hash)
    count += 1
    return count - 1
  }

  private func place(_ index: Int, hash: UInt64) {
    var slot = Int(truncatingIfNeeded: hash) & slotMask
    while slots[slot] != 0 { slot = (slot + 1) & slotMask }
    slots[slot] = Int32(index + 1)
  }

  private mutating func growSlots() {
    slots.deallocate()
    slotMask = slotMask * 2 + 1
    slots = .allocate(capacity: slotMask + 1)
    slots.initialize(repeating: 0, count: slotMask + 1)
    for index in 0..<count { place(index, hash: entries[index].hash) }
  }
}

/// Bytes that live as long as the arena, in blocks that never move.
struct TextArena: ~Copyable {
  private var blocks: [UnsafeMutablePointer<UInt8>] = []
  private var free: UnsafeMutablePointer<UInt8>?
  private var left = 0
  private(set) var byteCount = 0

  init() {}

  deinit { for block in blocks { block.deallocate() } }

  /// A copy followed by at least 8 zero bytes.
  mutating func store(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UnsafeMutablePointer<UInt8> {
    let needed = (count + 15) & ~7
    if needed > left {
      let size = max(needed, min(64 * 1024, max(1024, byteCount)))
      let block = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
      blocks.append(block)
      byteCount += size
      free = block
      left = size
    }
    let place = free!
    place.update(from: bytes, count: count)
    (place + count).initialize(repeating: 0, count: needed - count)
    free = place + needed
    left -= needed
    return place
  }
}
