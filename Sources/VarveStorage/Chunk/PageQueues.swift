// The page cache's books: which pages it holds, and which one goes next. Not locked; `PageCache` does that.
//
// Replacement is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023):
//
//   new page → small, a tenth of the room → used twice since it came: main, else: out, its key to the ghosts
//   main     → used since it last passed (at most three passes are remembered): around again, else: out
//   a new page whose key is among the ghosts → main at once
//
// So pages that are read once, as scans of cold data do, pass through the small queue and push nothing hot out of the
// main one. Every operation takes constant time (an eviction amortised), and a hit moves nothing.
//
// Queues are lists through one array of slots, found through an open-addressing hash table over it. There are at most
// as many ghosts as pages; each page is charged for itself and for its part of all this.

import VarveCore

struct PageQueues {
  typealias SlotNumber = UInt32
  private static let none = SlotNumber.max

  private enum Queue: UInt8 { case free, small, main, ghost }

  private struct Slot {
    var file: UInt64
    var offset: Int
    /// nil in ghosts and free slots.
    var page: Buffer<UInt8>?
    var byteCount: Int
    /// Towards the newest and the oldest of its queue.
    var newer = PageQueues.none
    var older = PageQueues.none
    var queue: Queue
    var uses: UInt8 = 0
  }

  private struct List {
    var newest = PageQueues.none
    var oldest = PageQueues.none
    var count = 0
    var byteCount = 0
  }

  /// What a page takes besides its bytes: its buffer's own memory, two slots, and their places in the hash table.
  private static let overheadByteCount = 320
  private static let usesLimit: UInt8 = 3

  let byteLimit: Int
  private var slots: [Slot] = []
  private var firstFree = PageQueues.none
  /// Hash → slot + 1; 0 is free. A power of two, at most half full.
  private var table: [UInt32] = Array(repeating: 0, count: 64)
  private var small = List()
  private var main = List()
  private var ghosts = List()

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  var byteCount: Int { small.byteCount + main.byteCount }
  var pageCount: Int { small.count + main.count }

  /// Bytes of the largest page that is taken in.
  var pageByteLimit: Int { byteLimit / 32 - Self.overheadByteCount }

  /// `isUse`: whether this is a reason to keep the page.
  mutating func find(_ file: FileID, _ offset: Int, isUse: Bool = true) -> Buffer<UInt8>? {
    guard let place = locate(file.rawValue, offset) else { return nil }
    let number = Int(table[place] - 1)
    guard let page = slots[number].page else { return nil }
    if isUse, slots[number].uses < Self.usesLimit { slots[number].uses += 1 }
    return page
  }

  /// Takes the page in, unless it is there already or too large. What goes for it is added to `evicted`.
  mutating func insert(_ file: FileID, _ offset: Int, _ page: Buffer<UInt8>, evicted: inout [Buffer<UInt8>]) {
    guard page.count <= pageByteLimit else { return }
    let byteCount = page.count + Self.overheadByteCount
    var queue = Queue.small
    if let place = locate(file.rawValue, offset) {
      let known = table[place] - 1
      guard slots[Int(known)].queue == .ghost else { return }
      remove(known)
      queue = .main
    }
    while self.byteCount + byteCount > byteLimit { evictOne(&evicted) }
    let number = takeSlot(
      Slot(file: file.rawValue, offset: offset, page: page, byteCount: byteCount, queue: queue))
    enter(number)
    push(number)
  }

  // MARK: - Replacement

  /// One step towards room: a page goes, or moves to where it goes later.
  private mutating func evictOne(_ evicted: inout [Buffer<UInt8>]) {
    if small.byteCount >= byteLimit / 10 || main.count == 0 {
      let oldest = small.oldest
      unlink(oldest)
      if slots[Int(oldest)].uses > 1 {
        slots[Int(oldest)].uses = 0
        slots[Int(oldest)].queue = .main
        push(oldest)
      } else {
        makeGhost(oldest, &evicted)
      }
    } else {
      let oldest = main.oldest
      if slots[Int(oldest)].uses > 0 {
        slots[Int(oldest)].uses -= 1
        unlink(oldest)
        push(oldest)
      } else {
        if let page = slots[Int(oldest)].page { evicted.append(page) }
        remove(oldest)
      }
    }
  }

  /// Of a slot that is in no queue.
  private mutating func makeGhost(_ number: SlotNumber, _ evicted: inout [Buffer<UInt8>]) {
    if let page = slots[Int(number)].page { evicted.append(page) }
    slots[Int(number)].page = nil
    slots[Int(number)].queue = .ghost
    push(number)
    while ghosts.count > max(1, pageCount) || ghosts.byteCount > byteLimit { remove(ghosts.oldest) }
  }

  // MARK: - Queues

  private mutating func push(_ number: SlotNumber) {
    let slot = slots[Int(number)]
    withList(of: slot.queue) { slots, list in
      slots[Int(number)].newer = PageQueues.none
      slots[Int(number)].older = list.newest
      if list.newest == PageQueues.none { list.oldest = number } else { slots[Int(list.newest)].newer = number }
      list.newest = number
      list.count += 1
      list.byteCount += slot.byteCount
    }
  }

  private mutating func unlink(_ number: SlotNumber) {
    let slot = slots[Int(number)]
    withList(of: slot.queue) { slots, list in
      if slot.newer == PageQueues.none { list.newest = slot.older } else { slots[Int(slot.newer)].older = slot.older }
      if slot.older == PageQueues.none { list.oldest = slot.newer } else { slots[Int(slot.older)].newer = slot.newer }
      list.count -= 1
      list.byteCount -= slot.byteCount
    }
  }

  private mutating func withList(of queue: Queue, _ body: (inout [Slot], inout List) -> Void) {
    switch queue {
    case .small: body(&slots, &small)
    case .main: body(&slots, &main)
    case .ghost: body(&slots, &ghosts)
    case .free: preconditionFailure("a free slot is in no queue")
    }
  }

  // MARK: - Slots and their table

  private mutating func takeSlot(_ slot: Slot) -> SlotNumber {
    guard firstFree != Self.none else {
      slots.append(slot)
      return SlotNumber(slots.count - 1)
    }
    let number = firstFree
    firstFree = slots[Int(number)].older
    slots[Int(number)] = slot
    return number
  }

  /// Out of its queue and the table.
  private mutating func remove(_ number: SlotNumber) {
    unlink(number)
    leave(number)
    slots[Int(number)] = Slot(file: 0, offset: 0, page: nil, byteCount: 0, older: firstFree, queue: .free)
    firstFree = number
  }

  private static func hash(_ file: UInt64, _ offset: Int) -> Int {
    let product = (file ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(
      by: UInt64(bitPattern: Int64(offset)) ^ 0xE703_7ED1_A0B4_28DB)
    return Int(truncatingIfNeeded: product.high ^ product.low)
  }

  /// Where the table has the key.
  private func locate(_ file: UInt64, _ offset: Int) -> Int? {
    let mask = table.count - 1
    var place = Self.hash(file, offset) & mask
    while table[place] != 0 {
      let number = Int(table[place] - 1)
      if slots[number].offset == offset, slots[number].file == file { return place }
      place = (place + 1) & mask
    }
    return nil
  }

  private mutating func enter(_ number: SlotNumber) {
    if (pageCount + ghosts.count + 1) * 2 > table.count {
      let old = table
      table = Array(repeating: 0, count: table.count * 2)
      for entry in old where entry != 0 { place(entry - 1) }
    }
    place(number)
  }

  private mutating func place(_ number: SlotNumber) {
    let mask = table.count - 1
    var place = Self.hash(slots[Int(number)].file, slots[Int(number)].offset) & mask
    while table[place] != 0 { place = (place + 1) & mask }
    table[place] = number + 1
  }

  /// Frees the slot's place, and moves up what only stands behind it because it was taken.
  private mutating func leave(_ number: SlotNumber) {
    guard var hole = locate(slots[Int(number)].file, slots[Int(number)].offset) else {
      preconditionFailure("a slot in a queue is in the table")
    }
    let mask = table.count - 1
    var next = hole
    while true {
      next = (next + 1) & mask
      guard table[next] != 0 else { break }
      let slot = slots[Int(table[next] - 1)]
      let home = Self.hash(slot.file, slot.offset) & mask
      if (next - home) & mask >= (next - hole) & mask {
        table[hole] = table[next]
        hole = next
      }
    }
    table[hole] = 0
  }
}
