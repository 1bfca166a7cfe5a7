import Testing
import Varve

@Suite struct ScanTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// Ten minutes of two hosts on two days, partly in chunks.
  private func filled() async throws -> Database {
    let database = try await Database.open(scratch.database)
    for day in 0..<2 {
      var points: [Point] = []
      for number in 0..<10 {
        var fields: [String: Point.Value] = [
          "v": .double(Double(number)), "n": .integer(Int64(number)), "u": .unsigned(UInt64(number)),
          "b": .boolean(number % 2 == 0), "at": .timestamp(Int64(number)),
        ]
        if number < 8 { fields["s"] = .text("s\(number)") }
        let time = start + Int64(day * 86_400 + number * 60) * second
        points.append(Point("t", tags: ["host": "a", "zone": "z"], fields: fields, timeNanoseconds: time))
        points.append(Point("t", tags: ["host": "b"], fields: fields, timeNanoseconds: time))
      }
      try await database.write(points)
      if day == 0 { try await database.flush() }
    }
    return database
  }

  @Test(arguments: [false, true]) func slicesHaveTheirTagsTimesAndValues(isFlushed: Bool) async throws {
    let database = try await filled()
    if isFlushed { try await database.flush() }
    let slices = Collected<ScanSlice>()
    try await database.scan(Scan("t", fields: ["s", "v", "n", "u", "b", "at"])) { slices.append($0) }
    #expect(slices.values.map(\.count).reduce(0, +) == 40)
    var times: [[String: String]: [Int64]] = [:]
    for slice in slices.values {
      times[slice.tags, default: []] += slice.times
      for (row, time) in slice.times.enumerated() {
        let number = Int((time - start) / second % 86_400 / 60)
        #expect(try slice.doubles("v")[row] == Double(number) && slice.integers("n")[row] == Int64(number))
        #expect(try slice.unsigned("u")[row] == UInt64(number) && slice.booleans("b")[row] == (number % 2 == 0))
        #expect(try slice.texts("s")[row] == (number < 8 ? "s\(number)" : nil))
        #expect(try slice.timestamps("at")[row] == Int64(number))
      }
    }
    #expect(Set(times.keys) == [["host": "a", "zone": "z"], ["host": "b"]])
    #expect(times.values.allSatisfy { $0.count == 20 && $0 == $0.sorted() }, "oldest first")
    try await database.close()
  }

  @Test func rangesAndTagsSelectRows() async throws {
    let database = try await filled()
    func found(_ scan: Scan) async throws -> Int {
      let counts = Collected<Int>()
      try await database.scan(scan) { counts.append($0.count) }
      return counts.values.reduce(0, +)
    }
    #expect(try await found(Scan("t", tags: ["host": "a"], fields: ["v"])) == 20)
    #expect(try await found(Scan("t", tags: ["host": "a", "zone": "z"], fields: [])) == 20)
    #expect(try await found(Scan("t", tags: ["host": "b", "zone": "z"], fields: ["v"])) == 0)
    #expect(try await found(Scan("t", tags: ["host": "c"], fields: ["v"])) == 0)
    #expect(try await found(Scan("t", time: start...(start + 60 * second), fields: ["v"])) == 4)
    #expect(try await found(Scan("t", time: (start + 1)...(start + 59 * second), fields: ["v"])) == 0)
    try await database.close()
  }

  @Test func whatDoesNotExistIsSaid() async throws {
    let database = try await filled()
    #expect(await failure { try await database.scan(Scan("x", fields: ["v"])) { _ in } }?.sqlState == "42P01")
    #expect(await failure { try await database.scan(Scan("t", fields: ["x"])) { _ in } }?.code == .notFound)
    #expect(await failure { try await database.scan(Scan("t", fields: ["host"])) { _ in } }?.code == .notFound)
    #expect(
      await failure { try await database.scan(Scan("t", tags: ["v": "1"], fields: ["v"])) { _ in } }?.code == .notFound)
    #expect(
      await failure { try await database.scan(Scan("t", fields: ["v", "v"])) { _ in } }?.code == .invalidArgument)
    #expect(
      await failure { try await database.scan(Scan("t", fields: ["v"])) { _ = try $0.integers("v") } }?.code
        == .typeConflict)
    #expect(
      await failure { try await database.scan(Scan("t", fields: ["v"])) { _ = try $0.integers("n") } }?.code
        == .notFound)
    try await database.close()
  }

  @Test func partitionsComeOldestFirstAndASeriesInOneStretch() async throws {
    let database = try await filled()
    let order = Collected<(host: String, first: Int64)>()
    try await database.scan(Scan("t", tags: [:], fields: ["v"])) { slice in
      #expect(slice.times == slice.times.sorted())
      order.append((slice.tags["host"] ?? "", slice.times[0]))
    }
    let days = order.values.map { ($0.first - start) / second / 86_400 }
    #expect(days == days.sorted() && Set(days) == [0, 1])
    for day in Set(days) {
      let hosts = zip(days, order.values).filter { $0.0 == day }.map(\.1.host)
      #expect(hosts == hosts.sorted() && Set(hosts) == ["a", "b"])
    }
    try await database.close()
  }

  @Test func aScanShowsOneMoment() async throws {
    let database = try await filled()
    let barrier = Barrier()
    let rows = Collected<Int>()
    let scan = Task {
      try await database.scan(Scan("t", fields: ["v"])) { slice in
        rows.append(slice.count)
        barrier.arriveAndWait()
      }
    }
    await barrier.waitForArrival()
    try await database.write((0..<50).map { point($0, host: "late") })
    try await database.flush()
    barrier.letGo()
    try await scan.value
    #expect(rows.values.reduce(0, +) == 40)
    try await database.close()
  }

  @Test func anErrorOfTheBodyEndsTheScan() async throws {
    struct Enough: Error {}
    let database = try await filled()
    let slices = Collected<Void>()
    await #expect(throws: Enough.self) {
      try await database.scan(Scan("t", fields: ["v"])) { _ in
        slices.append(())
        throw Enough()
      }
    }
    #expect(slices.values.count == 1)
    try await database.close()
  }
}
