import Testing
import Varve
import VarveStorage

/// Deletes and compaction from end to end: SQL and the engine's own calls on files.
@Suite struct DeleteTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func chunkCount() throws -> Int { try scratch.files("db/chunks").count }

  @Test func deletedRowsStayAwayThroughCompactionAndOpening() async throws {
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    try await database.write((0..<100).map { point($0, host: "h\($0 % 4)") })
    try await database.flush()
    try await database.write((100..<200).map { point($0, host: "h\($0 % 4)") })
    let sequence = try await database.delete(from: "t", tags: ["host": "h1"])
    #expect(sequence == 3)
    #expect(try await count(database) == 150)
    _ = try await database.query("DELETE FROM t WHERE time < to_timestamp(\((start + 100 * second) / second))")
    #expect(try await count(database) == 75)
    try await database.flush()
    try await database.compact("t")
    #expect(try await count(database) == 75)
    let rows = try await database.query(
      "SELECT count(*), sum(rows), bool_and(level = 2), bool_or(overlapping) FROM varve.chunks")
    #expect(rows[0].values == [.integer(1), .numeric("75"), .boolean(true), .boolean(false)])
    #expect(try chunkCount() == 1)
    try await database.close()
    let again = try await Database.open(scratch.database)
    #expect(try await count(again) == 75)
    try await again.close()
  }

  @Test func whatDoesNotExistCannotBeDeletedFrom() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(0)])
    for (table, tags) in [("none", [:]), ("t", ["none": "x"]), ("t", ["v": "1"])] {
      let error = await failure { _ = try await database.delete(from: table, tags: tags) }
      #expect(error?.code == .notFound)
    }
    #expect(await failure { try await database.compact("none") }?.code == .notFound)
    // No such value: nothing goes.
    try await database.delete(from: "t", tags: ["host": "none"])
    #expect(try await count(database) == 1)
    try await database.close()
  }

  /// A directory at rest is its chunks, a manifest and a series file.
  @Test func aDirectoryThatIsCompactedForGoodKeepsNoLog() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write((0..<100).map { point($0) })
    let reports = try database.compactBlocking(table: nil) {}
    #expect(reports.map(\.table) == ["t"] && reports[0].chunksAfter == 1)
    try database.closeBlocking(releasingLog: true)
    #expect(try scratch.files("db/wal") == [])
    let again = try await Database.open(scratch.database)
    #expect(try await count(again) == 100)
    try await again.write([point(100)])
    try await again.close()
    let last = try await Database.open(scratch.database)
    #expect(try await count(last) == 101)
    try await last.close()
  }

  /// Who waits for compactions, however many, takes nobody's turn.
  @Test func queriesRunWhileCompactionsAreWaitedFor() async throws {
    let barrier = Barrier()
    var options = Database.Options()
    options.compaction = false
    options.log = { _, text in if text.hasPrefix("compacted ") { barrier.arriveAndWait() } }
    let database = try await Database.open(scratch.database, options: options)
    try await database.write((0..<100).map { point($0) })
    let compactions = (0..<4).map { number in
      Task {
        if number % 2 == 0 { try await database.compact() } else { try await database.query("CALL compact_chunks()") }
      }
    }
    await barrier.waitForArrival()
    #expect(try await count(database) == 100)
    barrier.letGo()
    for compaction in compactions { try await compaction.value }
    #expect(try await count(database) == 100)
    try await database.close()
  }
}
