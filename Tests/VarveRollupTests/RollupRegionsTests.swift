import Testing
import VarveCore
import VarveFormat
import VarveRollup
import VarveSimulator

/// Which rows answer, held against what each time for itself says.
@Suite struct RollupRegionsTests {
  private static let width: Int64 = 10

  private static func floor(_ time: Int64) -> Int64 {
    let rest = time % width
    return time - (rest < 0 ? rest + width : rest)
  }

  private static let fixed = BucketGrid(fixed: BucketGrid.Fixed(width: width, origin: 0)) { floor($0) }
  /// The same, with its borders to be searched for.
  private static let searched = BucketGrid { floor($0) }

  @Test(arguments: 1...40) func eachTimeIsReadFromOneSide(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    for _ in 0..<50 {
      var state = RollupState(table: TableID(rawValue: 1))
      state.frozen = random.chance(50) ? .min : Int64.random(in: -40...60, using: &random)
      let borders = (-5...10).map { Int64($0) * Self.width } + [state.frozen]
      state.watermark = borders.filter { $0 >= state.frozen }.randomElement(using: &random) ?? state.frozen
      state.threshold = max(state.watermark, Int64.random(in: 0...100, using: &random))
      if random.chance(40) {
        state.dropped =
          borders.filter { $0 % Self.width == 0 && $0 <= state.watermark }.randomElement(using: &random) ?? .min
      }
      let settled = max(state.frozen, state.dropped)
      var time: Int64 = -60
      while time < state.threshold, state.threshold > -60 {
        let upper = min(time + Int64.random(in: 1...25, using: &random), state.threshold)
        // Nothing is marked where the rollup's rows are gone and the source's are not.
        if random.chance(30), upper > time, upper <= state.frozen || time >= state.dropped {
          state.invalid.append(InvalidRange(lower: time, upper: upper, sequence: Sequence(rawValue: 1)))
        }
        time = upper + Int64.random(in: 0...9, using: &random)
      }
      let lower = Int64.random(in: -80...80, using: &random)
      let range =
        random.chance(20)
        ? TimeRange.all : TimeRange(lower: lower, upper: lower + Int64.random(in: 0...90, using: &random))
      let includesFrozen = random.chance(50)
      let hides = random.chance(50)
      func answer(_ grid: BucketGrid) throws -> RollupRegions {
        try RollupRegions(state, grid, within: range, includesFrozen: includesFrozen, hidesDropped: hides)
      }
      let regions = try answer(Self.fixed)
      #expect(regions == (try answer(Self.searched)), "seed \(seed)")
      func holds(_ ranges: [TimeRange], _ time: Int64) -> Bool { ranges.contains { $0.contains(time) } }
      for time in Int64(-100)...120 {
        let isMarked = state.invalid.contains { $0.lower <= time && time < $0.upper }
        var (stored, raw) = (false, false)
        if range.contains(time), !(includesFrozen && hides && time < state.dropped) {
          if time < settled {
            (stored, raw) = includesFrozen ? (true, isMarked && time < state.frozen) : (false, true)
          } else {
            let cell = max(Self.floor(time), settled)..<(Self.floor(time) + Self.width)
            let isInvalid = state.invalid.contains { $0.lower < cell.upperBound && cell.lowerBound < $0.upper }
            let isWhole = range.lower <= cell.lowerBound && cell.upperBound - 1 <= range.upper
            stored = time < state.watermark && !isInvalid && isWhole
            raw = !stored
          }
        }
        #expect(holds(regions.stored, time) == stored, "seed \(seed), \(state), \(range), \(time)")
        #expect(holds(regions.raw, time) == raw, "seed \(seed), \(state), \(range), \(time)")
      }
    }
  }

  @Test func bordersThatAreSearchedForAreThoseOfTheBuckets() throws {
    for time in Int64(-35)...35 {
      #expect(try Self.searched.end(of: time) == Self.fixed.end(of: time))
      #expect(try Self.searched.boundary(notBefore: time) == Self.fixed.boundary(notBefore: time))
    }
    #expect(try Self.searched.end(of: .max - 3) == .max)
    #expect(try Self.fixed.end(of: .max - 3) == .max)
  }

  @Test func bucketsAreMadeOfThoseThatDivideThem() throws {
    func grid(_ width: Int64, _ origin: Int64 = 0, searched: Bool = false) -> BucketGrid {
      let start: @Sendable (Int64) -> Int64 = { time in
        let rest = (time - origin) % width
        return time - (rest < 0 ? rest + width : rest)
      }
      return BucketGrid(fixed: searched ? nil : BucketGrid.Fixed(width: width, origin: origin), startOf: start)
    }
    let range = TimeRange(lower: -1000, upper: 1000)
    for searched in [false, true] {
      #expect(try grid(60, searched: searched).isMadeOf(grid(20), within: range))
      #expect(try !grid(60, searched: searched).isMadeOf(grid(25), within: range))
      #expect(try !grid(60, searched: searched).isMadeOf(grid(20, 5), within: range))
      #expect(try grid(60, 5, searched: searched).isMadeOf(grid(20, 45), within: range))
      #expect(try !grid(20, searched: searched).isMadeOf(grid(60), within: range))
    }
  }
}
