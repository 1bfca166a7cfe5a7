// What waits to be committed, in fair order (start-time fair queueing: Goyal, Vin, Cheng, 1996).
//
// Each element costs bytes and begins where the one before it from the same writer ends, but not before the element
// that was taken last; elements are taken in order of their beginnings. So a writer with little to say goes ahead of
// the backlog of a writer with much, each writer's own elements stay in order, and nobody waits for ever.

struct FairQueue<Element: Sendable>: Sendable {
  private struct Entry: Sendable {
    let begin: UInt64
    /// Of equals, the one that came first.
    let arrival: UInt64
    let element: Element

    func goes(before other: Entry) -> Bool { (begin, arrival) < (other.begin, other.arrival) }
  }

  /// A binary heap.
  private var entries: [Entry] = []
  /// Where the last element of a writer ends. Ends that lie behind say nothing any more and are swept now and then.
  private var ends: [UInt64: UInt64] = [:]
  /// Where the element that was taken last begins.
  private var now: UInt64 = 0
  private var arrivals: UInt64 = 0

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }
  /// The next one to be taken.
  var first: Element? { entries.first?.element }
  /// In no order.
  var elements: some Collection<Element> { entries.lazy.map(\.element) }

  mutating func append(_ element: Element, writer: UInt64, cost: Int) {
    let begin = max(now, ends[writer] ?? 0)
    ends[writer] = begin + UInt64(max(1, cost))
    arrivals += 1
    entries.append(Entry(begin: begin, arrival: arrivals, element: element))
    rise(entries.count - 1)
    if ends.count > 2 * entries.count + 64 { ends = ends.filter { $0.value > now } }
  }

  mutating func removeFirst() -> Element {
    entries.swapAt(0, entries.count - 1)
    let entry = entries.removeLast()
    sink(0)
    now = entry.begin
    return entry.element
  }

  private mutating func rise(_ start: Int) {
    var index = start
    while index > 0, entries[index].goes(before: entries[(index - 1) / 2]) {
      entries.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in (2 * index + 1)...(2 * index + 2)
      where child < entries.count && entries[child].goes(before: entries[least]) { least = child }
      if least == index { return }
      entries.swapAt(index, least)
      index = least
    }
  }
}
