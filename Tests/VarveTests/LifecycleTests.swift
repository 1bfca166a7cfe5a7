import Foundation
import Testing
import Varve
import VarveStorage

@Suite struct LifecycleTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func afterCloseEveryCallSaysSo() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(1)])
    try await database.close()
    try await database.close()
    #expect(await failure { try await database.write([point(2)]) }?.code == .closed)
    #expect(await failure { try await database.write([]) }?.code == .closed)
    #expect(await failure { try await database.query("SELECT 1") }?.code == .closed)
    #expect(await failure { try await database.query("SHOW server_version") }?.code == .closed)
    #expect(await failure { try await database.query("SELECT 1", forEach: { _ in }) }?.code == .closed)
    #expect(await failure { try await database.scan(Scan("t", fields: ["v"])) { _ in } }?.code == .closed)
    #expect(await failure { try await database.flush() }?.code == .closed)
    for await _ in database.commits() { Issue.record("a closed database has no commits to tell") }
    #expect(try scratch.openFiles() == [])
  }

  @Test func closingStopsWhatIsRunningAndWaitsForItsClosure() async throws {
    let database = try await Database.open(scratch.database)
    let barrier = Barrier()
    let returned = Collected<Void>()
    let rows = Collected<Void>()
    // More than there are threads: some wait for one.
    let queries = (0..<6).map { _ in
      Task {
        try await database.query(endlessQuery) { _ in
          rows.append(())
          barrier.arriveAndWait()
          returned.append(())
        }
      }
    }
    await barrier.waitForArrival()
    let closing = Task {
      try await database.close()
      #expect(returned.values.count == rows.values.count, "no closure runs any more")
    }
    // Closing has begun once calls are refused.
    while await failure({ try await database.write([]) }) == nil { try await Task.sleep(for: .milliseconds(1)) }
    barrier.letGo()
    try await closing.value
    for query in queries { #expect(await failure { _ = try await query.value }?.code == .closed) }
    #expect(rows.values.count < 2 * 1000 + 1, "each was stopped within its batch")
    #expect(try scratch.openFiles() == [])
  }

  @Test func durationsOfAnyLengthAreTaken() async throws {
    for (duration, milliseconds) in [
      (Duration.seconds(Int64.max), Int(Int64.max / 1_000_000)), (.seconds(9_223_372_037), Int(Int64.max / 1_000_000)),
      (.milliseconds(1_500), 1_500), (.zero, 0), (.seconds(-1), 0), (.seconds(Int64.min), 0),
    ] {
      var options = Database.Options()
      options.maxFuture = duration
      options.sealAge = duration
      options.sealIdle = duration
      options.slowStatement = duration
      let database = try Database.openBlocking(scratch.database, options: options) { store in
        #expect(store.sealAgeMilliseconds == milliseconds && store.sealIdleMilliseconds == milliseconds, "\(duration)")
        #expect(store.maxFutureNanoseconds / 1_000_000 == Int64(milliseconds), "\(duration)")
      }
      try await database.write([point(1)])
      #expect(try await count(database) == 1)
      try await database.close()
    }
  }

  @Test func aCancelledTaskStillCloses() async throws {
    let database = try await Database.open(scratch.database)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await database.close()
    }
    try await task.value
    try await Database.open(scratch.database).close()
  }

  @Test func writesThatMeetTheCloseAreDoneOrRefused() async throws {
    let database = try await Database.open(scratch.database)
    let writers = (0..<6).map { writer in
      Task {
        var taken = 0
        while await failure({ try await database.write([point(taken, host: "h\(writer)")]) }) == nil { taken += 1 }
        return taken
      }
    }
    for number in 0..<50 { try await database.write([point(number, host: "main")]) }
    try await database.close()
    var taken = 50
    for writer in writers { taken += await writer.value }
    let again = try await Database.open(scratch.database)
    #expect(try await count(again) == Int64(taken), "no acknowledged row is missing, and no refused one there")
    try await again.close()
  }

  @Test func aDirectoryHasOneWriter() async throws {
    let database = try await Database.open(scratch.database)
    let error = await failure { _ = try await Database.open(scratch.database) }
    #expect(error?.code == .directoryLocked && error?.hint != nil)
    try await database.write([point(1)])
    #expect(try await count(database) == 1, "who came first is not disturbed")
    try await database.close()
    try await Database.open(scratch.database).close()
  }

  @Test func aDatabaseThatIsLetGoOfReleasesItsDirectory() async throws {
    try await Database.open(scratch.database).write([point(1)])
    let again = try await Database.open(scratch.database)
    #expect(try await count(again) == 1)
    try await again.close()
  }

  @Test func twoDatabasesLiveSideBySide() async throws {
    let one = try await Database.open(scratch.path + "/one")
    let two = try await Database.open(scratch.path + "/two")
    try await one.write([point(1)])
    try await two.write([point(1), point(2)])
    #expect(try await count(one) == 1)
    #expect(try await count(two) == 2)
    try await one.close()
    #expect(try await count(two) == 2)
    try await two.close()
  }

  @Test func foreignAndMissingDirectoriesAreRefused() async throws {
    try Data("hello".utf8).write(to: URL(fileURLWithPath: scratch.path + "/letter.txt"))
    #expect(await failure { _ = try await Database.open(scratch.path) }?.code == .notADataDirectory)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["letter.txt"], "and left alone")
    var options = Database.Options()
    options.createIfMissing = false
    #expect(await failure { _ = try await Database.open(scratch.path + "/no", options: options) }?.code == .notFound)
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/no"))
    let error = await failure { _ = try await Database.open(scratch.path + "/no", options: .forReading) }
    #expect(error?.code == .notADataDirectory || error?.code == .notFound)
    #expect(await failure { _ = try await Database.open(scratch.path + "/letter.txt") } != nil)
    #expect(await failure { _ = try await Database.open(scratch.path + "/no/deeper") } != nil)
  }

  @Test func flushMovesRowsToChunksAndNothingElse() async throws {
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    for number in 0..<10 { try await database.write([point(number)]) }
    let chunks = { try FileManager.default.contentsOfDirectory(atPath: scratch.database + "/chunks").count }
    #expect(try chunks() == 0)
    try await database.flush()
    #expect(try chunks() == 1)
    #expect(try await count(database) == 10)
    try await database.flush()
    #expect(try chunks() == 1, "there is nothing new to flush")
    try await database.write([point(11)])
    try await database.flush()
    #expect(try await count(database) == 11)
    try await database.close()
  }

  @Test func theMemoryBudgetDecidesWhenRowsAreSealed() async throws {
    var options = Database.Options()
    options.memoryBudgetByteCount = 1 << 20
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    // The least head is 4 MiB: thirty times a hundred texts of 4 KiB are three of those.
    let text = String(repeating: "x", count: 4096)
    for number in 0..<30 {
      try await database.write(
        (0..<100).map { row in
          Point("t", fields: ["s": .text(text)], timeNanoseconds: start + Int64(number * 100 + row) * second)
        })
      let bytes = database.store.headByteCounts
      #expect(bytes.active <= 12 << 20 && bytes.sealing <= 12 << 20)
    }
    try await database.flush()
    let chunks = try FileManager.default.contentsOfDirectory(atPath: scratch.database + "/chunks").count
    #expect(chunks >= 2, "the head was sealed before it was asked to be")
    #expect(try await count(database) == 3000)
    try await database.close()
  }
}
