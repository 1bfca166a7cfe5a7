import Testing
import VarveCore
import VarveFormat
import VarveRollup
import VarveSimulator

/// The windows of a refresh, one after the other, settle everything, none of them larger than need be.
@Suite struct RefreshPlanTests {
  private let grid = BucketGrid(fixed: BucketGrid.Fixed(width: 10, origin: 0)) { time in
    let rest = time % 10
    return time - (rest < 0 ? rest + 10 : rest)
  }

  @Test(arguments: 1...30) func windowsSettleAllThereIs(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var state = RollupState(table: TableID(rawValue: 1))
    if random.chance(50) {
      state.frozen = Int64.random(in: -5...20, using: &random) * 3
      state.watermark = random.chance(50) ? state.frozen : 60
    }
    state.threshold = 200
    for start in stride(from: Int64(-90), to: 60, by: 17) where start < state.watermark && random.chance(40) {
      state.invalid.append(InvalidRange(lower: start, upper: start + 9, sequence: Sequence(rawValue: 1)))
    }
    let rowLimit = Int.random(in: 1...40, using: &random)
    let data = TimeRange(lower: -80, upper: 190)
    func rowCount(_ range: TimeRange) -> Int { Int(range.upper - range.lower + 1) }
    var count = 0
    while let window = try RefreshPlan.next(
      state, grid, target: 200, data: data, rowLimit: rowLimit, rowCount: { rowCount($0) })
    {
      count += 1
      #expect(count < 200, "seed \(seed): a refresh comes to its end")
      let range = window.range
      #expect(range.lower == .min || range.lower >= state.frozen)
      #expect(range.upper % 10 == 9 || range.upper < 0, "seed \(seed): a window ends where a bucket does")
      let held = range.intersection(data)
      #expect(held.isEmpty || rowCount(held) <= max(rowLimit, 10), "seed \(seed): \(range) of at most \(rowLimit) rows")
      // What the commit of the window does to the state.
      if range.lower <= state.watermark { state.watermark = max(state.watermark, range.upper + 1) }
      state.invalid.removeAll { $0.lower >= range.lower && $0.upper <= range.upper + 1 && $0.upper > state.frozen }
      state.invalid = state.invalid.flatMap { mark -> [InvalidRange] in
        guard mark.lower <= range.upper, mark.upper > range.lower else { return [mark] }
        return [
          InvalidRange(
            lower: mark.lower, upper: min(mark.upper, max(mark.lower, range.lower)), sequence: mark.sequence),
          InvalidRange(lower: max(mark.lower, range.upper + 1), upper: mark.upper, sequence: mark.sequence),
        ].filter { $0.lower < $0.upper }
      }
    }
    #expect(state.watermark == 200, "seed \(seed)")
    #expect(state.invalid.allSatisfy { $0.upper <= state.frozen }, "seed \(seed): \(state)")
  }

  @Test func aLateRowCostsItsBucket() throws {
    var state = RollupState(table: TableID(rawValue: 1))
    (state.watermark, state.threshold) = (1_000_000, 1_000_000)
    state.invalid = [InvalidRange(lower: 500, upper: 510, sequence: Sequence(rawValue: 1))]
    let window = try RefreshPlan.next(
      state, grid, target: 1_000_000, data: TimeRange(lower: 0, upper: 1_000_000), rowLimit: 1_000_000,
      rowCount: { Int($0.upper - $0.lower) })
    #expect(window == RefreshWindow(range: TimeRange(lower: 500, upper: 509), hasRows: true))
  }
}
