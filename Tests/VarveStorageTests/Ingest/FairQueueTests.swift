import Testing
import VarveSimulator

@testable import VarveStorage

@Suite struct FairQueueTests {
  private struct Item: Equatable {
    let writer: UInt64
    let number: Int
  }

  @Test func aWriterWithLittleGoesAheadOfABacklog() {
    var queue = FairQueue<Item>()
    for number in 0..<100 { queue.append(Item(writer: 1, number: number), writer: 1, cost: 1_000_000) }
    #expect(queue.removeFirst() == Item(writer: 1, number: 0))
    queue.append(Item(writer: 2, number: 0), writer: 2, cost: 300)
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
    for _ in 0..<20_000 {
      if random.next() % 5 < 3 || queue.isEmpty {
        let writer = UInt64(random.next() % 40)
        let number = appended[writer, default: 0]
        queue.append(Item(writer: writer, number: number), writer: writer, cost: Int(random.next() % 1000))
        appended[writer] = number + 1
      } else {
        let first = queue.first
        let item = queue.removeFirst()
        #expect(first == item && item.number == taken[item.writer, default: 0])
        taken[item.writer] = item.number + 1
      }
    }
    while !queue.isEmpty { taken[queue.removeFirst().writer, default: 0] += 1 }
    #expect(taken == appended)
  }

  /// Each of those who always have something waiting gets the same number of bytes, whatever its pieces are.
  @Test func bytesAreSharedEquallyAmongThoseWhoAlwaysWait() {
    var queue = FairQueue<Item>()
    let costs: [UInt64: Int] = [1: 100, 2: 1_000, 3: 10_000]
    for (writer, cost) in costs { queue.append(Item(writer: writer, number: 0), writer: writer, cost: cost) }
    var bytes: [UInt64: Int] = [:]
    for _ in 0..<11_100 {
      let item = queue.removeFirst()
      let cost = costs[item.writer] ?? 0
      bytes[item.writer, default: 0] += cost
      queue.append(Item(writer: item.writer, number: item.number + 1), writer: item.writer, cost: cost)
    }
    for (writer, count) in bytes { #expect(abs(count - 1_000_000) <= 20_000, "writer \(writer): \(count)") }
  }

  /// Who comes back at once each time must not keep one who waits from its turn.
  @Test func whoComesAgainAtOnceDoesNotStarveTheOthers() {
    var queue = FairQueue<Item>()
    for number in 0..<10 { queue.append(Item(writer: 1, number: number), writer: 1, cost: 1_000) }
    queue.append(Item(writer: 2, number: 0), writer: 2, cost: 1_000)
    var taken = 0
    for _ in 0..<12 {
      let item = queue.removeFirst()
      if item.writer == 1 { taken += 1 } else { queue.append(item, writer: 2, cost: 1_000) }
    }
    #expect(taken >= 5)
  }
}
