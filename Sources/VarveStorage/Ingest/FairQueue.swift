// What waits to be committed, in fair order (start-time fair queueing: Goyal, Vin, Cheng, 1996).
//
// Each element costs bytes and begins where the one before it from the same writer ends, but not before the element
// that was taken last; elements are taken in order of their beginnings. So a writer with little to say goes ahead of
// the backlog of a writer with much, each writer's own elements stay in order, and nobody waits for ever.
//
// Small elements have a lane of their own, so that they can be taken while large ones have to wait. One that follows a
// larger one of its writer stays behind it, in the lane for large ones.

struct FairQueue<Element: Sendable>: Sendable {
  enum Lane: Sendable { case small, large }

  private var small = Heap()
  private var large = Heap()
  /// How many elements each writer has among the large ones.
  private var largeCounts: [UInt64: Int] = [:]
  /// Where the last element of a writer ends. Ends that lie behind say nothing any more and are swept now and then.
  private var ends: [UInt64: UInt64] = [:]
  /// Where the element that was taken last begins.
  private var now: UInt64 = 0
  private var arrivals: UInt64 = 0

  var isEmpty: Bool { small.entries.isEmpty && large.entries.isEmpty }
  var count: Int { small.entries.count + large.entries.count }
  /// In no order.
  var elements: some Collection<Element> { (small.entries + large.entries).lazy.map(\.element) }

  /// The lane of the element whose turn it is; nil if there is none.
  var nextLane: Lane? {
    guard let small = small.entries.first else { return large.entries.isEmpty ? nil : .large }
    guard let large = large.entries.first else { return .small }
    return small.goes(before: large) ? .small : .large
  }

  /// The element of the lane whose turn comes first.
  func first(_ lane: Lane) -> Element? { (lane == .small ? small : large).entries.first?.element }

  mutating func append(_ element: Element, writer: UInt64, cost: Int, isSmall: Bool) {
    let begin = max(now, ends[writer] ?? 0)
    ends[writer] = begin + UInt64(max(1, cost))
    arrivals += 1
    let entry = Entry(begin: begin, arrival: arrivals, writer: writer, element: element)
    if isSmall, largeCounts[writer] == nil {
      small.insert(entry)
    } else {
      large.insert(entry)
      largeCounts[writer, default: 0] += 1
    }
    if ends.count > 2 * count + 64 { ends = ends.filter { $0.value > now } }
  }

  /// Takes the first element of a lane that has one. From the lane for large ones only when it is its turn: an element
  /// there may follow a small one of its writer.
  mutating func removeFirst(_ lane: Lane) -> Element {
    let entry: Entry
    switch lane {
    case .small: entry = small.removeFirst()
    case .large:
      precondition(nextLane == .large, "a large element is taken when it is its turn")
      entry = large.removeFirst()
      let left = (largeCounts[entry.writer] ?? 1) - 1
      largeCounts[entry.writer] = left > 0 ? left : nil
    }
    now = max(now, entry.begin)
    return entry.element
  }

  private struct Entry: Sendable {
    let begin: UInt64
    /// Of equals, the one that came first.
    let arrival: UInt64
    let writer: UInt64
    let element: Element

    func goes(before other: Entry) -> Bool { (begin, arrival) < (other.begin, other.arrival) }
  }

  /// A binary heap.
  private struct Heap: Sendable {
    private(set) var entries: [Entry] = []

    mutating func insert(_ entry: Entry) {
      entries.append(entry)
      var index = entries.count - 1
      while index > 0, entries[index].goes(before: entries[(index - 1) / 2]) {
        entries.swapAt(index, (index - 1) / 2)
        index = (index - 1) / 2
      }
    }

    mutating func removeFirst() -> Entry {
      entries.swapAt(0, entries.count - 1)
      let first = entries.removeLast()
      var index = 0
      while true {
        var least = index
        for child in (2 * index + 1)...(2 * index + 2)
        where child < entries.count && entries[child].goes(before: entries[least]) { least = child }
        if least == index { return first }
        entries.swapAt(index, least)
        index = least
      }
    }
  }
}
