import Testing
import Varve
import VarveSimulator

@Suite struct WriteTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func whatWasWrittenIsThereAfterCloseAndOpen() async throws {
    let database = try await Database.open(scratch.database)
    let kinds: [String: Point.Value] = [
      "d": .double(-0.0), "i": .integer(.min), "u": .unsigned(.max), "b": .boolean(true), "s": .text("é€𝄞\"\n"),
      "z": .timestamp(start + 1),
    ]
    let summary = try await database.write([
      Point("kinds", tags: ["a": "x", "c": "y"], fields: kinds, timeNanoseconds: -1), point(1),
    ])
    #expect(summary.rejected.isEmpty)
    #expect(summary.rowsWritten == 2 && summary.sequence == 1)
    try await database.close()
    for round in 1...2 {
      let again = try await Database.open(scratch.database)
      let rows = try await again.query("SELECT d, i, u, s, z, a, time FROM kinds")
      #expect(
        rows[0].values == [
          .double(-0.0), .integer(.min), .numeric("18446744073709551615"), .text("é€𝄞\"\n"), .timestamp(start + 1),
          .text("x"), .timestamp(-1),
        ], "round \(round)")
      #expect(try await count(again) == 1)
      if round == 1 { try await again.flush() }
      try await again.close()
    }
  }

  @Test func rejectedPointsAreNamedByTheirIndex() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(0)])
    let long = String(repeating: "n", count: 64)
    let summary = try await database.write([
      point(1),  // 0
      Point("other", fields: ["x": .double(1)], timeNanoseconds: start),  // 1
      Point("t", tags: ["host": "a"], fields: ["v": .text("no")], timeNanoseconds: start),  // 2: type
      Point(long, fields: ["x": .double(1)], timeNanoseconds: start),  // 3: name
      Point("other", fields: ["x": .text("no")], timeNanoseconds: start + 1),  // 4: type, within this write
      Point("t", tags: ["v": "tag"], fields: ["w": .double(1)], timeNanoseconds: start),  // 5: name conflict
      Point("t", fields: [:], timeNanoseconds: start),  // 6: no field
      Point("t", fields: ["s": .text(String(repeating: "x", count: 1 << 20 + 1))], timeNanoseconds: start),  // 7
      Point(
        "t", tags: ["host": String(repeating: "x", count: 1 << 17)], fields: ["v": .integer(1)], timeNanoseconds: 1),
      Point("t", tags: [long: "x"], fields: ["v": .integer(1)], timeNanoseconds: 1),  // 9: tag name
      Point("t", tags: ["time": "x"], fields: ["v": .integer(1)], timeNanoseconds: 1),  // 10: reserved
      Point("t", fields: ["v": .integer(1)], timeNanoseconds: .max),  // 11: future
      Point("", fields: ["v": .integer(1)], timeNanoseconds: 1),  // 12: empty name
      point(2),  // 13
    ])
    #expect(summary.rejected.map(\.index) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    #expect(
      summary.rejected.prefix(10).map(\.code) == [
        .typeConflict, .nameTooLong, .typeConflict, .nameConflict, .invalidArgument, .valueTooLong, .valueTooLong,
        .nameTooLong, .reservedName, .timestampInFuture,
      ])
    #expect(summary.rowsWritten == 3 && summary.sequence == 2)
    #expect(try await count(database) == 3)
    #expect(try await count(database, "other") == 1)
    let nothing = try await database.write([Point("t", fields: ["v": .text("no")], timeNanoseconds: 1)])
    #expect(nothing.sequence == 0 && nothing.rowsWritten == 0 && nothing.rejected.map(\.index) == [0])
    let empty = try await database.write([])
    #expect(empty.rowsWritten == 0 && empty.rejected.isEmpty)
    try await database.close()
  }

  @Test func theSameIdentityMergesAndEquivalentNamesStayApart() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([
      Point("t", fields: ["a": .integer(1), "b": .integer(1)], timeNanoseconds: 1),
      Point("t", fields: ["a": .integer(2)], timeNanoseconds: 1),
      // U+00E9, and e with a combining accent.
      Point("t", fields: ["\u{E9}": .integer(1)], timeNanoseconds: 2),
      Point("t", fields: ["e\u{301}": .integer(2)], timeNanoseconds: 3),
    ])
    #expect(try await database.query("SELECT a, b FROM t WHERE a = 2")[0].values == [.integer(2), .integer(1)])
    for (name, time, value) in [("\u{E9}", Int64(2), Int64(1)), ("e\u{301}", 3, 2)] {
      let found = Collected<[Int64]>()
      try await database.scan(Scan("t", fields: [name])) { slice in
        for (row, cell) in try slice.integers(name).enumerated() {
          if let cell { found.append([slice.times[row], cell]) }
        }
      }
      #expect(found.values == [[time, value]])
    }
    let both = Collected<Int64?>()
    try await database.scan(Scan("t", time: 2...3, fields: ["e\u{301}", "\u{E9}"])) { slice in
      for cell in try slice.integers("\u{E9}") { both.append(cell) }
    }
    #expect(both.values == [1, nil])
    let row = try await database.query("SELECT 1 AS \"e\u{301}\", 2 AS \"\u{E9}\"")[0]
    #expect(row["\u{E9}"] == .integer(2))
    try await database.close()
  }

  @Test func aFullDiskRefusesAndTakesWritesAgain() async throws {
    let disk = SimulatedFileSystem()
    let database = try Database.openBlocking("/sim/db", options: .init(), fileSystem: disk) {
      $0.segmentByteCount = 4096
      $0.manifestByteCount = 2048
      $0.reserveByteCount = 1024
    }
    disk.set(capacity: 20_000)
    var taken: Int64 = 0
    var refused: VarveError?
    for number in 0..<400 where refused == nil {
      refused = await failure { try await database.write([point(number, host: "h\(number)")]) }
      if refused == nil { taken += 1 }
    }
    #expect(refused?.code == .diskFull && taken > 0)
    #expect(try await count(database) == taken)
    disk.releaseSpace()
    try await database.write([point(1000)])
    #expect(try await count(database) == taken + 1)
    try await database.close()
  }

  @Test func afterAFailedSyncWritesAreRefusedAndCloseStillEnds() async throws {
    let disk = SimulatedFileSystem()
    let database = try Database.openBlocking("/sim/db", options: .init(), fileSystem: disk) {
      $0.segmentByteCount = 4096
    }
    try await database.write([point(1)])
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput, forGood: true))
    #expect(await failure { try await database.write([point(2)]) } != nil)
    #expect(await failure { try await database.write([point(3)]) }?.code == .readOnly)
    #expect(try await count(database) == 1)
    _ = await failure { try await database.close() }
    #expect(await failure { _ = try await count(database) }?.code == .closed)
  }
}
