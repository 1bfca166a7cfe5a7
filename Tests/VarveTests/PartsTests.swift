import Synchronization
import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// Large scans are read in parts by several threads; that shows in nothing but time.
@Suite struct PartsTests {
  private typealias Workload = AggregateWorkload
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func eachCallIsMadeOnceWhoeverHelps() {
    for threadCount in [0, 1, 3] {
      let helpers = HelperThreads(threadCount: threadCount)
      for count in [0, 1, 2, 50] {
        let calls = Mutex<[Int]>([])
        helpers.run(count) { number in
          // Whoever is asked may ask in turn.
          helpers.run(3) { inner in calls.withLock { $0.append(number * 3 + inner) } }
        }
        #expect(calls.withLock { $0.sorted() } == Array(0..<(count * 3)))
      }
      helpers.stop()
      let after = Mutex(0)
      helpers.run(5) { _ in after.withLock { $0 += 1 } }
      #expect(after.withLock { $0 } == 5)
    }
  }

  @Test(arguments: 31...31) func rowsOfPartsAreThoseOfTheWhole(seed: Int) async throws {
    var g = Workload.Random(state: UInt64(seed))
    let database = try await Database.open(scratch.database)
    try await Workload.fill(database, &g)
    let session = database.makeSession()
    for sql in [
      "SELECT host, time, i, f, s FROM m", "SELECT time, host, u FROM m WHERE i % 3 = 0",
      "SELECT host, i FROM m WHERE host <> 'h2' AND f > 20 AND time < to_timestamp(\(Workload.midnight / 1_000_000_000 + 90_000))",
      "SELECT a.host, a.time, b.i FROM m a JOIN m b ON a.host = b.host AND a.time = b.time WHERE a.i > 90",
      "SELECT host, time, min(i), count(DISTINCT i) FROM m GROUP BY host, time",
    ] {
      var answers: [[[SQLValue]]] = []
      for rowsPerPart in ["1000000", "300", "7000"] {
        try session.set("varve.rows_per_part", rowsPerPart)
        answers.append(try Workload.answer(session, sql).sorted { "\($0)" < "\($1)" })
      }
      for answer in answers.dropFirst() {
        #expect(answer.count == answers[0].count, "seed \(seed): \(sql)")
        for (a, b) in zip(answer, answers[0]) {
          #expect(zip(a, b).allSatisfy { Workload.isSame($0, $1) }, "seed \(seed): \(sql): \(a) and not \(b)")
        }
      }
      #expect(try Workload.answer(session, "SELECT * FROM (\(sql)) q LIMIT 7").count == min(7, answers[0].count))
    }
    session.close()
    try await database.close()
  }

  @Test func aPartThatNeedsTooMuchMemoryEndsTheQueryAlone() async throws {
    var g = Workload.Random(state: 1)
    let database = try await Database.open(scratch.database)
    for host in 0..<4 { try await database.write(Workload.points(host, from: Workload.midnight, count: 8_640, &g)) }
    let session = database.makeSession()
    try session.set("varve.rows_per_part", "1000")
    try session.set("varve.query_memory_limit", "1MB")
    do {
      _ = try Workload.answer(session, "SELECT host, time, max(i) FROM m GROUP BY 1, 2")
      Issue.record("34,560 groups fit in a megabyte")
    } catch let error as VarveError {
      #expect(error.sqlState == "53200")
      #expect(error.hint?.contains("varve.query_memory_limit") == true)
    }
    #expect(try Workload.answer(session, "SELECT count(*) FROM m") == [[.integer(34_560)]])
    session.close()
    try await database.close()
  }
}
