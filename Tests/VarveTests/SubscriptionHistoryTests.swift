import Testing
import Varve
import VarveCompute
import VarveCore
import VarveIO
import VarveQuery
import VarveSimulator
import VarveStorage

/// Random histories of writes, late rows, replaced rows, deletes, seals, connections that break and crashes: who follows is
/// told every row, in order, and what it has of finished buckets is what a query gives.
@Suite struct SubscriptionHistoryTests {
  private static let second: Int64 = 1_000_000_000
  /// 2023-11-14 22:13:20
  private static let start: Int64 = 1_700_000_000_000_000_000

  /// One that follows, as a program would: it keeps what it was told, and goes on from the last offset.
  private final class Reader {
    let sql: String
    var live: LiveQuery?
    var offset: String?
    /// Of rows: each as its text.
    var rows: [String] = []
    /// By bucket.
    var buckets: [Int64: Set<String>] = [:]
    var first = Int64.max
    /// Told as changed, and to be asked for.
    var changed: [(from: Int64?, to: Int64?)] = []
    var (corrections, changes, resumes) = (0, 0, 0)

    init(_ sql: String) { self.sql = sql }

    func connect(_ database: Database) throws {
      var options = LiveQuery.Options()
      options.offset = offset
      options.graceNanoseconds = 2_000_000_000
      let live = try LiveQuery(
        database, database.makeSession(user: "u", database: "d"), sql, options)
      if offset != nil {
        resumes += 1
      } else if let at = live.first.split(separator: "@").last {
        first = Int64(at) ?? 0
      }
      offset = offset ?? live.first
      self.live = live
    }

    struct Told: Sendable {
      let kind: LiveQuery.Piece.Kind
      let from: Int64?
      let to: Int64?
      let isPart: Bool
      let offset: String?
      let rows: [[Datum]]
    }

    /// Everything that there is now.
    func read(_ database: Database) async throws {
      guard let live else { return }
      var isPart = false
      var misses = 0
      while misses < 2 {
        let told = try await live.next(within: .milliseconds(2)) { piece, _, _ in
          Told(
            kind: piece.kind, from: piece.time.from, to: piece.time.to, isPart: piece.isPart, offset: piece.offset,
            rows: piece.batch.map { batch in
              (0..<batch.count).map { row in batch.columns.map { $0.datum(at: row) } }
            } ?? [])
        }
        guard let told else {
          misses += 1
          continue
        }
        misses = 0
        take(told, isContinued: isPart)
        isPart = told.isPart
        if let end = told.offset { offset = end }
      }
      // What a heartbeat would say.
      if !isPart { offset = live.offset }
      guard !changed.isEmpty else { return }
      let all = try query(database)
      for range in changed {
        func isIn(_ bucket: Int64) -> Bool { (range.from ?? .min) <= bucket && bucket < (range.to ?? .max) }
        buckets = buckets.filter { !isIn($0.key) }.merging(all.filter { isIn($0.key) }) { $1 }
      }
      changes += changed.count
      changed = []
    }

    /// What the query gives now.
    func query(_ database: Database) throws -> [Int64: Set<String>] {
      let session = database.makeSession(user: "u", database: "d")
      defer { session.close() }
      var found: [Int64: Set<String>] = [:]
      let result = try session.execute(try session.prepare(sql))
      while let batch = try result.next() {
        for row in 0..<batch.count { add(batch.columns.map { $0.datum(at: row) }, to: &found) }
      }
      return found
    }

    private func add(_ row: [Datum], to found: inout [Int64: Set<String>]) {
      guard case .timestamp(let bucket) = row[0] else { preconditionFailure("the bucket comes first") }
      found[bucket, default: []].insert(row.map { "\($0)" }.joined(separator: "|"))
    }

    private func take(_ told: Told, isContinued: Bool) {
      switch told.kind {
      case .rows: rows += told.rows.map { row in row.map { "\($0)" }.joined(separator: "|") }
      case .changed: changed.append((told.from, told.to))
      case .bucket, .corrected:
        if told.kind == .corrected { corrections += 1 }
        if !isContinued, let from = told.from, let to = told.to {
          for bucket in buckets.keys where bucket >= from && bucket < to { buckets[bucket] = nil }
        }
        for row in told.rows { add(row, to: &buckets) }
      }
    }
  }

  private final class History {
    var disk = SimulatedFileSystem()
    let clock = ManualClock(wall: SubscriptionHistoryTests.start)
    var database: Database
    var random: SeededRandom
    let rows = Reader("SELECT n, host FROM t WHERE host <> 'h0'")
    let buckets = [
      Reader("SELECT time_bucket('5 seconds', time) AS b, host, count(*), sum(v), max(n) FROM t GROUP BY 1, 2"),
      Reader("SELECT b, host, c FROM r"),
      Reader("SELECT time_bucket('20 seconds', b) AS bb, sum(c) FROM r WHERE host <> 'h1' GROUP BY 1"),
    ]
    var written: [String] = []
    var made = 0
    var readers: [Reader] { [rows] + buckets }

    init(seed: Int) throws {
      random = SeededRandom(seed: UInt64(seed))
      database = try Self.open(disk, clock)
      try run("CREATE TABLE t (time timestamptz, host text, v bigint, n bigint) WITH (varve.tags = 'host')")
      try run(
        """
        CREATE MATERIALIZED VIEW r WITH (continuous) AS
          SELECT time_bucket('4 seconds', time) AS b, host, count(*) AS c FROM t GROUP BY 1, 2
        """)
      for reader in readers { try reader.connect(database) }
    }

    static func open(_ disk: SimulatedFileSystem, _ clock: ManualClock) throws -> Database {
      var options = Database.Options()
      options.compaction = false
      options.refresh = false
      options.keptLogByteCount = 1 << 30
      return try Database.openBlocking("/sim/db", options: options, fileSystem: disk, clock: clock) {
        $0.makeFilesSmall()
        $0.feedByteCount = 4_000
      }
    }

    @discardableResult func run(_ sql: String) throws -> [String] {
      let session = database.makeSession(user: "u", database: "d")
      defer { session.close() }
      return try session.run(sql)
    }

    func write() throws {
      var values: [String] = []
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        // Mostly of now, now and then late by up to ten minutes.
        let late = random.chance(70) ? Int64(random.next() % 3_000) : Int64(random.next() % 600_000)
        let time = clock.wallNanoseconds() - late * 1_000_000
        let host = "h\(random.next() % 4)"
        made += 1
        if host != "h0" { written.append("int(\(made))|text(\"\(host)\")") }
        values.append(
          "(to_timestamp(0) + interval '\(time / 1000) microseconds', '\(host)', \(random.next() % 100), \(made))")
      }
      try run("INSERT INTO t VALUES \(values.joined(separator: ", "))")
    }

    func delete() throws {
      let upper = clock.wallNanoseconds() / 1000 - Int64(random.next() % 300_000_000)
      let lower = upper - Int64(random.next() % 60_000_000)
      let host = random.chance(50) ? " AND host = 'h\(random.next() % 4)'" : ""
      let from = random.chance(10) ? "" : "time >= to_timestamp(0) + interval '\(lower) microseconds' AND "
      try run("DELETE FROM t WHERE \(from)time < to_timestamp(0) + interval '\(upper) microseconds'\(host)")
    }

    func step() async throws {
      switch Int(random.next() % 16) {
      case 0...6: try write()
      case 7: try delete()
      case 8, 9: clock.advance(nanoseconds: Int64(random.next() % 8_000) * 1_000_000)
      case 10, 11: for reader in readers where random.chance(60) { try await reader.read(database) }
      case 12:
        guard let reader = readers.randomElement(using: &random) else { return }
        reader.live = nil
        try reader.connect(database)
      case 13: _ = try database.flushBlocking()
      case 14: try run("CALL refresh_continuous_aggregate('r', NULL, NULL)")
      default: if random.chance(40) { try crash() }
      }
    }

    func crash() throws {
      for reader in readers { reader.live = nil }
      let left = disk.afterCrash(.chance, seed: random.next())
      try database.closeBlocking()
      disk = left
      database = try Self.open(disk, clock)
      for reader in readers { try reader.connect(database) }
    }

    func finish() async throws {
      for _ in 0..<6 {
        clock.advance(nanoseconds: 40 * SubscriptionHistoryTests.second)
        for reader in readers { try await reader.read(database) }
      }
    }
  }

  @Test(arguments: 1...12) func whoFollowsHasWhatThereIs(seed: Int) async throws {
    let history = try History(seed: seed)
    for _ in 0..<150 { try await history.step() }
    try await history.finish()
    // Every row, and those that came again after a break only again.
    var told: [String] = []
    var known = Set<String>()
    for row in history.rows.rows where known.insert(row).inserted { told.append(row) }
    #expect(Set(told) == Set(history.written), "seed \(seed): every row is told")
    for reader in history.buckets {
      let expected = try reader.query(history.database)
      for bucket in Set(expected.keys).union(reader.buckets.keys) where bucket >= reader.first {
        #expect(
          reader.buckets[bucket] ?? [] == expected[bucket] ?? [], "seed \(seed): \(reader.sql), bucket \(bucket)")
      }
    }
    print(
      "subscriptions: seed \(seed), \(history.written.count) rows, "
        + "\(history.buckets.reduce(0) { $0 + $1.corrections }) corrections, "
        + "\(history.buckets.reduce(0) { $0 + $1.changes }) ranges changed, "
        + "\(history.readers.reduce(0) { $0 + $1.resumes }) resumes")
    for reader in history.readers { reader.live = nil }
    try history.database.closeBlocking()
  }
}
