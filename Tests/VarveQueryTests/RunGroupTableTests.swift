// Groups of runs: pairs are numbered once each, in order of appearance, also when the table has grown.

import Testing

@testable import VarveQuery

struct RunGroupTableTests {
  @Test func pairsAreNumberedAsTheyAppear() {
    let seed = UInt64.random(in: 1...UInt64.max)
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    struct Pair: Hashable {
      let tag: UInt32
      let bucket: UInt64
    }
    for width in [1, 60_000_000_000, 1 << 50] as [UInt64] {
      var table = RunGroupTable()
      var known: [Pair: UInt32] = [:]
      for _ in 0..<20_000 {
        let pair = Pair(tag: UInt32(random(50)), bucket: UInt64(random(100)) &* width &- width)
        let expected = known[pair] ?? UInt32(known.count)
        known[pair] = expected
        let group = table.group(pair.tag, pair.bucket)
        if group != expected { Issue.record("seed \(seed): \(pair) is \(group), not \(expected)") }
      }
      #expect(table.count == known.count && known.count > 4_000, "seed \(seed)")
      for (pair, group) in known {
        guard table.tags[Int(group)] == pair.tag, table.buckets[Int(group)] == pair.bucket else {
          Issue.record("seed \(seed): group \(group) is not \(pair)")
          continue
        }
      }
    }
  }
}
