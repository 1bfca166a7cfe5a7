import Testing
import Varve
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

/// `Database.subscribe`: what an app is told of a query that it follows.
@Suite struct SubscriptionTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func open(keptLog: Int = 64 << 20) async throws -> Database {
    var options = Database.Options()
    options.keptLogByteCount = keptLog
    return try await Database.open(scratch.database, options: options)
  }

  /// The next so many rows, and where to go on behind them.
  private func rows(_ count: Int, of subscription: Subscription) async throws -> (values: [SQLValue], offset: String?) {
    var values: [SQLValue] = []
    var offset: String?
    var iterator = subscription.makeAsyncIterator()
    while values.count < count, let event = try await iterator.next() {
      #expect(event.kind == .rows)
      values += event.rows.map { $0[0] }
      offset = event.offset ?? offset
    }
    return (values, offset)
  }

  private func code(_ body: () async throws -> Void) async -> VarveError.Code? {
    do {
      try await body()
      return nil
    } catch { return (error as? VarveError)?.code }
  }

  @Test func rowsAreToldInOrderOnceAndFromAnyOffsetOn() async throws {
    let database = try await open()
    try await database.write([point(0)])
    let subscription = try await database.subscribe("SELECT to_ns(time) FROM t")
    #expect(subscription.offset == "1")
    for number in 1...30 { try await database.write([point(number), point(number, table: "u")]) }
    let told = try await rows(30, of: subscription)
    let expected = (1...30).map { SQLValue.integer(point($0).timeNanoseconds) }
    #expect(told.values == expected)
    let middle = try await database.subscribe("SELECT to_ns(time) FROM t", after: "11")
    #expect(try await rows(20, of: middle).values == Array(expected[10...]))
    try await database.flush()
    try await database.close()
    // Everything is in chunks, and the process is another.
    let again = try await open()
    let later = try await again.subscribe("SELECT to_ns(time) FROM t", after: "11")
    let rest = try await rows(20, of: later)
    #expect(rest.values == Array(expected[10...]))
    #expect(rest.offset == told.offset, "the same ids")
    try await again.close()
  }

  @Test func whatIsGoneOrYetToComeIsSaid() async throws {
    let database = try await open(keptLog: 0)
    for number in 0..<5 { try await database.write([point(number)]) }
    try await database.flush()
    #expect(await code { _ = try await database.subscribe("SELECT * FROM t", after: "4") } == .gone)
    #expect(await code { _ = try await database.subscribe("SELECT * FROM t", after: "6") } == .invalidArgument)
    #expect(await code { _ = try await database.subscribe("SELECT * FROM t", after: "5@7") } == .invalidArgument)
    #expect(await code { _ = try await database.subscribe("SELECT * FROM t ORDER BY 1") } == .unsupported)
    _ = try await database.subscribe("SELECT * FROM t", after: "5")
    try await database.close()
  }

  @Test func aSubscriptionEndsWithItsDatabase() async throws {
    let database = try await open()
    try await database.write([point(0)])
    let subscription = try await database.subscribe("SELECT * FROM t")
    let ended = Task { await code { for try await _ in subscription {} } }
    try await database.close()
    #expect(await ended.value == .closed)
    #expect(await code { _ = try await database.subscribe("SELECT * FROM t") } == .closed)
  }

  @Test func aTaskThatIsCancelledWaitsNoLonger() async throws {
    let database = try await open()
    try await database.write([point(0)])
    let subscription = try await database.subscribe("SELECT * FROM t")
    let waiting = Task {
      for try await _ in subscription { Issue.record("nothing was committed") }
    }
    waiting.cancel()
    try await waiting.value
    try await database.close()
  }

  @Test func manyWritersAndSubscribersLoseNothing() async throws {
    let database = try await open()
    try await database.write([point(0, host: "first")])
    let subscriptions = try await withThrowingTaskGroup(of: Subscription.self) { group in
      for _ in 0..<4 { group.addTask { try await database.subscribe("SELECT host FROM t") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let reading = subscriptions.map { subscription in Task { try await rows(400, of: subscription).values } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0..<50 {
            try await database.write([point(number, host: "h\(writer)-\(number)")])
            try await database.write([point(number, table: "u", host: "h")])
          }
        }
      }
      try await group.waitForAll()
    }
    let expected = Set((0..<8).flatMap { writer in (0..<50).map { SQLValue.text("h\(writer)-\($0)") } })
    for task in reading { #expect(Set(try await task.value) == expected) }
    try await database.close()
  }

  @Test func parametersStandForValues() async throws {
    let database = try await open()
    try await database.write([point(0)])
    let subscription = try await database.subscribe(
      "SELECT host FROM t WHERE host = $1 OR time = $2", [.text("b"), .timestamp(point(3).timeNanoseconds)])
    try await database.write([point(1), point(2, host: "b"), point(3, host: "c")])
    #expect(Set(try await rows(2, of: subscription).values) == [.text("b"), .text("c")])
    try await database.close()
  }
}
