import Testing

@testable import VarveBench

@Suite struct LatencyHistogramTests {
  @Test func percentilesAreThoseOfTheSortedTimesWithinOnePercent() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    for spread in [1, 10, 1_000, 1_000_000, 100_000_000_000] as [UInt64] {
      var histogram = LatencyHistogram()
      var times: [Int64] = []
      for _ in 0..<5_000 {
        state &+= 1
        // Small times are more frequent than large ones.
        let time = Int64(mixed(state) % (1 + mixed(state ^ 0xFFFF) % spread))
        times.append(time)
        histogram.record(time)
      }
      times.sort()
      #expect(histogram.count == 5_000)
      #expect(histogram.maximum == times.last)
      for part in [0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 1] {
        let exact = times[max(0, Int((part * 5_000).rounded(.up)) - 1)]
        let found = histogram.percentile(part)
        #expect(found >= exact && found <= exact + exact / 128, "seed \(seed), \(part) of times below \(spread)")
      }
    }
  }

  @Test func histogramsAddUp() {
    var (a, b, both) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    for time in 0..<1_000 as Range<Int64> {
      if time % 3 == 0 { a.record(time * time) } else { b.record(time * time) }
      both.record(time * time)
    }
    a.add(b)
    for part in [0, 0.25, 0.5, 0.75, 1] { #expect(a.percentile(part) == both.percentile(part)) }
    #expect(a.count == 1_000)
  }

  @Test func theEdgesOfTimeHaveBuckets() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(0.5) == 0)
    histogram.record(-5)
    #expect(histogram.percentile(1) == 0)
    histogram.record(.max)
    #expect(histogram.maximum == .max)
    #expect(histogram.percentile(1) == .max)
  }
}
