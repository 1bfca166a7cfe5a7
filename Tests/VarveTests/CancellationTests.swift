import Testing
import Varve

/// Tasks that are cancelled: what they asked for ends soon, lets go of what it held, and the database goes on.
@Suite struct CancellationTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func aCancelledTaskStopsItsQueryAndLetsGoOfItsFiles() async throws {
    // A compaction would have files open too.
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    try await database.write((0..<5000).map { point($0) })
    try await database.flush()
    let barrier = Barrier()
    let rows = Collected<Void>()
    let task = Task {
      try await database.query("SELECT n FROM t, LATERAL generate_series(t.v, t.v + 999) AS n") { _ in
        rows.append(())
        barrier.arriveAndWait()
      }
    }
    await barrier.waitForArrival()
    task.cancel()
    barrier.letGo()
    let error = await failure { _ = try await task.value }
    #expect(error?.code == .cancelled && error?.sqlState == "57014")
    #expect(rows.values.count <= 1000, "it ended within its batch")
    #expect(try scratch.openFiles().filter { $0.contains("/chunks/") } == [], "no chunk is held open")
    #expect(try await count(database) == 5000)
    try await database.close()
  }

  @Test func aCancelledTaskStopsItsScan() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write((0..<20).map { point($0, host: "h\($0)") })
    let barrier = Barrier()
    let slices = Collected<Int>()
    let task = Task {
      try await database.scan(Scan("t", fields: ["v"])) { _ in
        slices.append(1)
        withUnsafeCurrentTask { #expect($0 == nil, "the body runs on a thread of the database") }
        barrier.arriveAndWait()
      }
    }
    await barrier.waitForArrival()
    task.cancel()
    barrier.letGo()
    let error = await failure { try await task.value }
    #expect(error?.code == .cancelled && error?.sqlState == "57014")
    #expect(slices.values.count == 1, "no slice after the cancelling")
    #expect(try await count(database) == 20)
    try await database.close()
  }

  @Test func aTaskThatIsCancelledBeforehandRunsNothing() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(1)])
    let query = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await database.query(endlessQuery) { _ in Issue.record("a cancelled query delivers nothing") }
    }
    #expect(await failure { _ = try await query.value }?.code == .cancelled)
    let scan = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await database.scan(Scan("t", fields: ["v"])) { _ in Issue.record("a cancelled scan delivers nothing") }
    }
    #expect(await failure { try await scan.value }?.code == .cancelled)
    try await database.close()
  }

  @Test func aTaskThatWaitsForAThreadCanBeCancelledThere() async throws {
    let database = try await Database.open(scratch.database)
    // Each holds one of the two threads.
    let barriers = [Barrier(), Barrier()]
    let holders = barriers.map { barrier in
      Task { try await database.query("SELECT 1") { _ in barrier.arriveAndWait() } }
    }
    for barrier in barriers { await barrier.waitForArrival() }
    let waiting = Task { try await database.query("SELECT 1").count }
    waiting.cancel()
    #expect(await failure { _ = try await waiting.value }?.code == .cancelled, "though no thread is free")
    for barrier in barriers { barrier.letGo() }
    for holder in holders { #expect(try await holder.value == "SELECT 1") }
    try await database.close()
  }
}
