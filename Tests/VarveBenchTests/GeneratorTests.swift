// Lines of the load generator: what they say is what is expected of the table, and the same plan says the same.

import Testing
import VarveCore

@testable import VarveBench

private let plans: [LoadPlan] = LoadPlan.Schema.allCases.flatMap { schema in
  LoadPlan.Order.allCases.flatMap { order in
    [(0.0, 0.0), (0.05, 0.0), (0.1, 0.3), (1.0, 0.0)].map { late, duplicates in
      plan(schema) {
        $0.order = order
        $0.lateShare = late
        $0.duplicateShare = duplicates
      }
    }
  }
}

@Suite struct GeneratorTests {
  @Test(arguments: plans)
  func expectedRowsAreThoseThatAParserFinds(plan: LoadPlan) throws {
    let shape = RowShape(plan.schema)
    var all: [GeneratedRow] = []
    let expected = ExpectedRows(
      fieldCount: shape.fields.count, startStep: UInt64(plan.start / plan.stepNanoseconds))
    for lane in 0..<plan.connectionCount {
      let generator = generator(plan, lane: lane)
      let (rows, rejected) = rows(text(generator))
      #expect(rejected == 0)
      all += rows
      expected.add(generator.expected)
    }
    let table = table(all)
    #expect(table.count == plan.rowCount)
    #expect(expected.rowCount == plan.rowCount)
    #expect(expected.seriesCount == Set(table.keys.map(\.series)).count)
    #expect(plan.start + Int64(expected.firstStep) * plan.stepNanoseconds == table.keys.map(\.time).min())
    #expect(plan.start + Int64(expected.lastStep) * plan.stepNanoseconds == table.keys.map(\.time).max())
    var sums = Array(repeating: 0, count: shape.fields.count)
    var checksum = 0
    for (identity, values) in table {
      #expect(values.count == shape.fields.count)
      for (index, field) in shape.fields.enumerated() {
        let value = try #require(values[field.name])
        var whole = Int(value)
        if case .decimal(let places) = field.kind {
          whole = Int((value * (0..<places).reduce(1.0) { power, _ in power * 10 }).rounded())
        }
        sums[index] += whole
        if index == 0 {
          checksum += whole * Int(identity.time / plan.stepNanoseconds % Int64(ExpectedRows.weightModulus))
        }
      }
    }
    #expect(expected.sums.array == sums)
    #expect(expected.checksum == checksum)
  }

  @Test func theSamePlanMakesTheSameBytesWhateverThePieces() {
    let plan = plan(.iot) {
      $0.order = .random
      $0.lateShare = 0.2
    }
    let whole = text(RowGenerator(plan, lane: 1))
    #expect(text(RowGenerator(plan, lane: 1), piece: 7) == whole)
    var other = plan
    other.seed = 2
    #expect(text(RowGenerator(other, lane: 1)) != whole)
  }

  @Test func connectionsShareSeriesAndRowsWithoutOverlap() {
    for connections in [1, 2, 5, 37] {
      let plan = plan(.narrow) {
        $0.connectionCount = connections
        $0.rowCount = 1_000
      }
      var found: Set<Identity> = []
      for lane in 0..<connections {
        for row in rows(text(generator(plan, lane: lane))).rows {
          #expect(found.insert(row.identity).inserted)
        }
      }
      var single = plan
      single.connectionCount = 1
      #expect(found == Set(rows(text(generator(single))).rows.map(\.identity)))
    }
  }

  @Test func theShareOfLateRowsIsWhatWasAskedForAndNoneIsLater() {
    let plan = plan(.narrow) {
      $0.connectionCount = 1
      $0.rowCount = 40_000
      $0.lateShare = 0.05
      $0.lateSteps = 50
    }
    var latest = Int64.min
    var late = 0
    for row in rows(text(generator(plan))).rows {
      if row.identity.time < latest {
        late += 1
        #expect(latest - row.identity.time <= Int64(plan.lateSteps) * plan.stepNanoseconds)
      }
      latest = max(latest, row.identity.time)
    }
    // Ten standard deviations of the binomial distribution, and more.
    #expect((1_500...2_500).contains(late), "\(late) of \(plan.rowCount) rows are late")
  }

  @Test func theFirstOfTwoRowsHasOtherValues() {
    let plan = plan(.narrow) {
      $0.connectionCount = 1
      $0.duplicateShare = 0.25
    }
    let all = rows(text(generator(plan))).rows
    let twice = all.count - plan.rowCount
    #expect((400...850).contains(twice), "\(twice) rows came twice")
    var seen: [Identity: [String: Double]] = [:]
    var changed = 0
    for row in all {
      if let before = seen.updateValue(row.values, forKey: row.identity), before != row.values { changed += 1 }
    }
    #expect(changed > twice * 9 / 10)
  }

  @Test func endingEarlyStillSendsWhatIsLate() {
    let plan = plan(.cpu) {
      $0.connectionCount = 1
      $0.lateShare = 0.3
      $0.duplicateShare = 0.3
    }
    let generator = generator(plan)
    let buffer = Buffer<UInt8>()
    #expect(generator.write(atMost: 700, to: buffer) == 700)
    generator.end()
    while generator.write(atMost: 100, to: buffer) > 0 {}
    let table = table(rows(buffer.array).rows)
    #expect(table.count == generator.expected.rowCount)
    #expect(table.count < plan.rowCount)
    let user = table.values.reduce(0) { $0 + Int($1["usage_user"] ?? 0) }
    #expect(user == generator.expected.sums[0])
  }

  @Test func withChurnSeriesEndAndNewOnesBegin() {
    let plan = plan(.narrow) {
      $0.connectionCount = 2
      $0.seriesCount = 100
      $0.rowCount = 10_000
      $0.churn = 0.1
    }
    var seriesOf: [Int64: Set<String>] = [:]
    var count = 0
    for lane in 0..<2 {
      let generator = generator(plan, lane: lane)
      for row in rows(text(generator)).rows { seriesOf[row.identity.time, default: []].insert(row.identity.series) }
      count += generator.expected.seriesCount
    }
    let times = seriesOf.keys.sorted()
    #expect(times.count == 100)
    for (before, after) in zip(times, times.dropFirst()) {
      #expect(seriesOf[after]?.count == 100)
      #expect(seriesOf[after]?.subtracting(seriesOf[before] ?? []).count == 10)
    }
    #expect(count == 100 + 99 * 10)
  }

  @Test(arguments: [1, 2, 3, 7, 64, 1000, 4097])
  func aPermutationHasEachNumberOnce(count: Int) {
    for key in 0..<20 {
      let permutation = Permutation(count: count, key: UInt64(key))
      let image = (0..<count).map { permutation[UInt32($0)] }
      #expect(image.sorted() == (0..<UInt32(count)).map { $0 })
      if count > 100 { #expect(zip(image, image.dropFirst()).count { $1 == $0 + 1 } < count / 20) }
    }
  }

  @Test func plansThatCannotBeAreRefused() {
    let now: Int64 = 1_700_100_000_000_000_000
    func isRefused(_ change: (inout LoadPlan) -> Void) -> Bool {
      do {
        try plan(.cpu, change).check(now: now)
        return false
      } catch {
        return error.code == .invalidArgument
      }
    }
    #expect(!isRefused { _ in })
    #expect(isRefused { $0.table = "no spaces" })
    #expect(isRefused { $0.table = "1st" })
    #expect(isRefused { $0.table = String(repeating: "x", count: 64) })
    #expect(isRefused { $0.connectionCount = 38 })
    #expect(isRefused { $0.start += 1 })
    #expect(isRefused { $0.rowCount = 1_000_000 })
    #expect(isRefused { $0.rowCount = .max })
    #expect(
      isRefused {
        $0.lateShare = 0.7; $0.duplicateShare = 0.7
      })
    #expect(
      isRefused {
        $0.order = .series; $0.churn = 0.1
      })
  }

  @Test(arguments: LoadPlan.Schema.allCases)
  func binaryRowsAreThoseOfTheLines(schema: LoadPlan.Schema) throws {
    let plan = plan(schema) {
      $0.connectionCount = 1
      $0.lateShare = 0.1
      $0.duplicateShare = 0.2
    }
    let (lines, binary) = (RowGenerator(plan), RowGenerator(plan, .copy))
    let expected = rows(text(lines)).rows
    let found = try binaryRows(text(binary), schema)
    #expect(found == expected)
    #expect(binary.expected.sums.array == lines.expected.sums.array)
    #expect(binary.expected.checksum == lines.expected.checksum)
    #expect(binary.expected.rowCount == lines.expected.rowCount)
  }

  @Test func parametersAreRowsOfACopyWithoutTheirCount() {
    let plan = plan(.iot) { $0.rowCount = 50 }
    let (copied, parameters) = (Buffer<UInt8>(), Buffer<UInt8>())
    let (copy, insert) = (RowGenerator(plan, .copy), RowGenerator(plan, .parameters))
    while copy.write(atMost: 1, to: copied) > 0 {
      #expect(insert.write(atMost: 1, to: parameters) == 1)
      #expect(Array(copied.array.prefix(2)) == [0, 12])
      #expect(Array(copied.array.dropFirst(2)) == parameters.array)
      (copied.count, parameters.count) = (0, 0)
    }
    #expect(insert.write(atMost: 1, to: parameters) == 0)
  }
}
