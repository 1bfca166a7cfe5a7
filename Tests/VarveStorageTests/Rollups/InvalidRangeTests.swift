import Testing
import VarveCore
import VarveSimulator

@testable import VarveFormat
@testable import VarveStorage

/// The arithmetic of what is invalid, against one entry for every nanosecond.
@Suite struct InvalidRangeTests {
  @Test(arguments: 1...20) func rangesAreWhatEveryTimeForItselfWouldSay(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var state = RollupState(table: TableID(rawValue: 7))
    let times: Range<Int64> = -50..<150
    var marks: [Int64: Sequence] = [:]
    state.apply(.threshold(120), Sequence(rawValue: 1))
    for number in UInt64(2)..<200 {
      let sequence = Sequence(rawValue: number)
      let lower = Int64.random(in: times, using: &random)
      let upper = lower + Int64.random(in: 0...30, using: &random)
      if random.chance(60) {
        state.invalidate(from: lower, to: upper, sequence)
        for time in lower..<upper where time < 120 { marks[time] = sequence }
      } else {
        let through = Sequence(rawValue: UInt64.random(in: 1...number, using: &random))
        state.cut(from: lower, to: upper, through: through)
        for time in lower..<upper where marks[time].map({ $0 <= through }) ?? false { marks[time] = nil }
      }
      let found = Dictionary(
        uniqueKeysWithValues: state.invalid.flatMap { range in (range.lower..<range.upper).map { ($0, range.sequence) }
        })
      #expect(found == marks, "seed \(seed), step \(number)")
    }
  }

  @Test func tooManyRangesBecomeFewerThatHoldThemAll() {
    var state = RollupState(table: TableID(rawValue: 1))
    state.apply(.threshold(.max), Sequence(rawValue: 1))
    let count = Int64(Limits.invalidRangesPerRollup) + 500
    for number in 0..<count {
      state.invalidate(from: number * 10, to: number * 10 + 1, Sequence(rawValue: UInt64(number) + 1))
    }
    #expect(state.invalid.count <= Limits.invalidRangesPerRollup)
    for number in 0..<count {
      let holder = state.invalid.first { $0.lower <= number * 10 && number * 10 < $0.upper }
      #expect(holder.map { $0.sequence.rawValue > UInt64(number) } ?? false)
    }
  }

  @Test func stepsAtTheEndsOfTimeAreWiderRatherThanWrong() {
    let definition = RollupDefinition(
      source: TableID(rawValue: 1), stepNanoseconds: 1000, origin: 300, columns: [], statement: "")
    let steps = InvalidationSteps(definition)
    for time in [Int64.min, .min + 1, -1301, -700, -1, 0, 299, 300, 1299, 1300, .max - 1, .max] {
      let (start, end) = (steps.start(of: time), steps.end(of: time))
      #expect(start <= time && (time < end || end == .max), "\(time): \(start) to \(end)")
    }
    #expect(steps.start(of: 299) == -700 && steps.end(of: 299) == 300)
    #expect(steps.start(of: 300) == 300 && steps.end(of: 300) == 1300)
  }

  @Test func whatIsMaterialisedTakesOutOnlyWhatItHasSeen() {
    var state = RollupState(table: TableID(rawValue: 1))
    state.apply(.threshold(100), Sequence(rawValue: 1))
    state.apply(.materialised(lower: .min, upper: 100, through: Sequence(rawValue: 1)), Sequence(rawValue: 2))
    #expect(state.watermark == 100)
    state.invalidate(from: 10, to: 20, Sequence(rawValue: 3))
    state.invalidate(from: 30, to: 40, Sequence(rawValue: 5))
    state.apply(.materialised(lower: 10, upper: 40, through: Sequence(rawValue: 4)), Sequence(rawValue: 6))
    #expect(state.invalid == [InvalidRange(lower: 30, upper: 40, sequence: Sequence(rawValue: 5))])
    state.apply(.materialised(lower: 200, upper: 300, through: Sequence(rawValue: 6)), Sequence(rawValue: 7))
    #expect(state.watermark == 100, "a gap stays a gap")
  }

  @Test func whatGoesOnceMoreLeavesWhatWaitsAbove() throws {
    var state = RollupState(table: TableID(rawValue: 1))
    state.apply(.threshold(100), Sequence(rawValue: 1))
    state.apply(.materialised(lower: .min, upper: 100, through: Sequence(rawValue: 1)), Sequence(rawValue: 2))
    state.apply(.frozen(80), Sequence(rawValue: 3))
    state.invalidate(from: 10, to: 20, Sequence(rawValue: 4))
    state.invalidate(from: 50, to: 60, Sequence(rawValue: 5))
    state.apply(.frozen(40), Sequence(rawValue: 6))
    #expect(state.frozen == 80)
    #expect(state.invalid == [InvalidRange(lower: 50, upper: 60, sequence: Sequence(rawValue: 5))])
  }

  @Test func whatARollupHasDroppedIsNotMadeAgain() throws {
    var state = RollupState(table: TableID(rawValue: 1))
    state.apply(.threshold(100), Sequence(rawValue: 1))
    state.apply(.materialised(lower: .min, upper: 90, through: Sequence(rawValue: 1)), Sequence(rawValue: 2))
    state.apply(.frozen(20), Sequence(rawValue: 3))
    state.invalidate(from: 10, to: 80, Sequence(rawValue: 4))
    state.apply(.dropped(60), Sequence(rawValue: 5))
    #expect(state.settled == 60)
    state.invalidate(from: 0, to: 30, Sequence(rawValue: 6))
    #expect(
      state.invalid == [
        InvalidRange(lower: 0, upper: 20, sequence: Sequence(rawValue: 6)),
        InvalidRange(lower: 60, upper: 80, sequence: Sequence(rawValue: 4)),
      ])
    state.apply(.dropped(200), Sequence(rawValue: 7))
    #expect(state.watermark == 200 && state.threshold == 200, "nothing is made there")
  }
}
