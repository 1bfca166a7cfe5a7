import Testing
import Varve

/// What runs in a database, as its own SQL sees and ends it.
@Suite struct SessionTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func aQueryInProcessIsSeenAndCancelledByAnother() async throws {
    let database = try await Database.open(scratch.database)
    let other = try await Database.open(scratch.path + "/other")
    let barrier = Barrier()
    let task = Task {
      try await database.query("SELECT b.m FROM generate_series(1, 1000) a(n), LATERAL generate_series(1, 1000) b(m)") {
        _ in barrier.arriveAndWait()
      }
    }
    await barrier.waitForArrival()
    let running =
      "SELECT pid, protocol, state FROM varve.queries WHERE query LIKE '%LATERAL%' AND pid <> pg_backend_pid()"
    let rows = try await database.query(running)
    #expect(rows.count == 1 && rows[0]["protocol"] == .text("embedded") && rows[0]["state"] == .text("active"))
    // Another database of the process has nothing to do with it, whatever the numbers are.
    #expect(try await other.query("SELECT pid FROM varve.queries").count == 1)
    let beside = "SELECT pg_cancel_backend(pid) AS done FROM varve.queries WHERE pid <> pg_backend_pid()"
    #expect(try await other.query(beside).count == 0)
    #expect(try await database.query(beside)[0]["done"] == .boolean(true))
    barrier.letGo()
    let error = await failure { _ = try await task.value }
    #expect(error?.code == .cancelled && error?.sqlState == "57014")
    #expect(try await database.query("SELECT pid FROM varve.queries").count == 1, "it is gone from the list")
    try await database.close()
    try await other.close()
  }

  @Test func aQueryThatWaitsForAThreadIsSeen() async throws {
    let database = try await Database.open(scratch.database)
    let barriers = [Barrier(), Barrier()]
    // One of the two threads is held, the other looks on; a third query is between them.
    let held = Task { try await database.query("SELECT 1") { _ in barriers[0].arriveAndWait() } }
    await barriers[0].waitForArrival()
    let looks = Task {
      try await database.query("SELECT 2") { _ in barriers[1].arriveAndWait() }
    }
    await barriers[1].waitForArrival()
    let waits = Task { try await database.query("SELECT 3 AS three") }
    while database.monitor.reports.count < 3 { await Task.yield() }
    let report = try #require(database.monitor.reports.first { $0.statement == "SELECT 3 AS three" })
    #expect(report.wait == .worker && report.state == .active)
    for barrier in barriers { barrier.letGo() }
    #expect(try await waits.value[0]["three"] == .integer(3))
    _ = try await held.value
    _ = try await looks.value
    try await database.close()
  }
}
