import Testing
import VarveSimulator

@testable import VarveStorage

extension FairQueue {
  fileprivate mutating func removeFirst() -> Element? { nextLane.map { removeFirst($0) } }
}

@Suite struct FairQueueTests {
  private struct Item: Equatable {
    let writer: UInt64
    let number: Int
  }

  @Test func aWriterWithLittleGoesAheadOfABacklog() {
    var queue = FairQueue<Item>()
    for number in 0..<100 { queue.append(Item(writer: 1, number: number), writer: 1, cost: 1_000_000, isSmall: false) }
    #expect(queue.removeFirst() == Item(writer: 1, number: 0))
    queue.append(Item(writer: 2, number: 0), writer: 2, cost: 300, isSmall: true)
    #expect(queue.removeFirst() == Item(writer: 2, number: 0))
    #expect(queue.removeFirst() == Item(writer: 1, number: 1))
  }

  @Test func ofOneWriterTheOrderStaysAndAllIsTaken() {
    let seed = UInt64.random(in: .min ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    var queue = FairQueue<Item>()
    var appended: [UInt64: Int] = [:]
    var taken: [UInt64: Int] = [:]
    func check(_ item: Item?) {
      guard let item else { return #expect(Bool(false), "nothing was taken") }
      #expect(item.number == taken[item.writer, default: 0])
      taken[item.writer] = item.number + 1
    }
    for _ in 0..<20_000 {
      if random.next() % 5 < 3 || queue.isEmpty {
        let writer = UInt64(random.next() % 40)
        let number = appended[writer, default: 0]
        let cost = Int(random.next() % 1000)
        queue.append(Item(writer: writer, number: number), writer: writer, cost: cost, isSmall: cost < 500)
        appended[writer] = number + 1
      } else if random.chance(30), let small = queue.first(.small) {
        // Small ones go ahead while large ones have to wait.
        let item = queue.removeFirst(.small)
        #expect(item == small)
        check(item)
      } else {
        let first = queue.nextLane.flatMap { queue.first($0) }
        let item = queue.removeFirst()
        #expect(first == item)
        check(item)
      }
    }
    while !queue.isEmpty { check(queue.removeFirst()) }
    #expect(taken == appended && queue.count == 0)
  }

  @Test func aSmallElementBehindALargeOneOfItsWriterWaitsForIt() {
    var queue = FairQueue<Item>()
    queue.append(Item(writer: 1, number: 0), writer: 1, cost: 1_000_000, isSmall: false)
    queue.append(Item(writer: 1, number: 1), writer: 1, cost: 10, isSmall: true)
    #expect(queue.first(.small) == nil)
    queue.append(Item(writer: 2, number: 0), writer: 2, cost: 10, isSmall: true)
    #expect(queue.first(.small) == Item(writer: 2, number: 0))
    #expect(queue.removeFirst(.small) == Item(writer: 2, number: 0))
    #expect(queue.removeFirst(.large) == Item(writer: 1, number: 0))
    #expect(queue.removeFirst(.large) == Item(writer: 1, number: 1))
    queue.append(Item(writer: 1, number: 2), writer: 1, cost: 10, isSmall: true)
    #expect(queue.removeFirst(.small) == Item(writer: 1, number: 2) && queue.isEmpty)
  }

  /// Each of those who always have something waiting gets the same number of bytes, whatever its pieces are.
  @Test func bytesAreSharedEquallyAmongThoseWhoAlwaysWait() {
    var queue = FairQueue<Item>()
    let costs: [UInt64: Int] = [1: 100, 2: 1_000, 3: 10_000]
    for (writer, cost) in costs {
      queue.append(Item(writer: writer, number: 0), writer: writer, cost: cost, isSmall: cost < 500)
    }
    var bytes: [UInt64: Int] = [:]
    for _ in 0..<11_100 {
      guard let item = queue.removeFirst() else { return #expect(Bool(false), "somebody always waits") }
      let cost = costs[item.writer] ?? 0
      bytes[item.writer, default: 0] += cost
      queue.append(
        Item(writer: item.writer, number: item.number + 1), writer: item.writer, cost: cost, isSmall: cost < 500)
    }
    for (writer, count) in bytes { #expect(abs(count - 1_000_000) <= 20_000, "writer \(writer): \(count)") }
  }

  /// Who comes back at once each time must not keep one who waits from its turn.
  @Test func whoComesAgainAtOnceDoesNotStarveTheOthers() {
    var queue = FairQueue<Item>()
    for number in 0..<10 { queue.append(Item(writer: 1, number: number), writer: 1, cost: 1_000, isSmall: false) }
    queue.append(Item(writer: 2, number: 0), writer: 2, cost: 1_000, isSmall: false)
    var taken = 0
    for _ in 0..<12 {
      guard let item = queue.removeFirst() else { return #expect(Bool(false), "somebody always waits") }
      if item.writer == 1 { taken += 1 } else { queue.append(item, writer: 2, cost: 1_000, isSmall: false) }
    }
    #expect(taken >= 5)
  }
}
