import Testing
import Varve
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// Random histories of writes, late rows, replaced rows, deletes, refreshes, retention, columns added and crashes: each
/// bucket of each rollup is what the rows that were ever accepted make, and as many rows are counted as were accepted.
@Suite struct RetentionHistoryTests {
  private struct Row: Hashable {
    var host: String
    var time: Int64
  }

  private struct Sums: Equatable {
    var (rows, total, least, most, positive) = (0, 0, Int.max, Int.min, 0)
    mutating func add(_ value: Int) {
      rows += 1
      total += value
      least = min(least, value)
      most = max(most, value)
      positive += value > 0 ? 1 : 0
    }
  }

  private final class History {
    static let minute: Int64 = 60_000_000_000
    /// Where buckets of all widths start: 2000-01-03.
    static let origin: Int64 = 946_857_600_000_000_000
    /// 2023-11-14 00:00.
    static let start: Int64 = 1_699_920_000_000_000_000
    static let rollups: [(name: String, width: Int64, statement: String)] = [
      (
        "minutes", 10 * minute,
        """
        SELECT time_bucket('10 minutes', time) AS bucket, host, count(*) AS n, sum(v) AS total, min(v) AS least,
          max(v) AS most FROM t GROUP BY 1, 2
        """
      ),
      (
        "odd", 25 * minute,
        """
        SELECT time_bucket('25 minutes', time) AS bucket, host, count(*) AS n, sum(v) AS total, min(v) AS least,
          max(v) AS most FROM t GROUP BY 1, 2
        """
      ),
      (
        "days", 1440 * minute,
        """
        SELECT time_bucket('1 day', bucket) AS bucket, host, sum(n) AS n, sum(total) AS total, min(least) AS least,
          max(most) AS most FROM minutes GROUP BY 1, 2
        """
      ),
    ]

    var disk = SimulatedFileSystem()
    let clock = ManualClock()
    var database: Database
    var session: QuerySession
    var random: SeededRandom
    var rows: [Row: Int] = [:]
    var dropped: [(row: Row, value: Int)] = []
    var made = 0
    /// Rows that were dropped before the rollup was made.
    var bases: [Int] = []
    var (drops, conflicts) = (0, 0)
    /// Minutes before were dropped.
    var floor = Int64.min
    var hidden = 0
    /// Rollups that were given one more column, and where buckets begin in which it is known.
    var known: [String: Int64] = [:]

    init(seed: Int) throws {
      random = SeededRandom(seed: UInt64(seed))
      database = try Self.open(disk, clock)
      session = database.makeSession(user: "u", database: "d")
      try session.run(
        "CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host', varve.partition = '1 hour')")
    }

    static func open(_ disk: SimulatedFileSystem, _ clock: ManualClock) throws -> Database {
      var options = Database.Options()
      options.compaction = false
      return try Database.openBlocking("/sim/db", options: options, fileSystem: disk, clock: clock) {
        $0.makeFilesSmall()
      }
    }

    func write() throws {
      var added: [Row: Int] = [:]
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let time = Self.start + Int64(random.next() % 1300) * Self.minute + Int64(random.next() % 2) * 1000
        added[Row(host: "h\(random.next() % 3)", time: time)] = Int(random.next() % 1000) - 500
      }
      rows.merge(added) { $1 }
      let values = added.map { row, value in
        "(timestamptz '2023-11-14Z' + interval '\((row.time - Self.start) / 1000) microseconds', '\(row.host)', \(value))"
      }
      try session.run("INSERT INTO t VALUES \(values.joined(separator: ", "))")
    }

    func delete() throws {
      let (from, length) = (Int(random.next() % 1300), Int(random.next() % 200))
      let host = random.chance(50) ? "h\(random.next() % 3)" : nil
      try session.run(
        """
        DELETE FROM t WHERE time >= timestamptz '2023-11-14Z' + interval '\(from) minutes'
          AND time < timestamptz '2023-11-14Z' + interval '\(from + length) minutes'
        """ + (host.map { " AND host = '\($0)'" } ?? ""))
      let (lower, upper) = (Self.start + Int64(from) * Self.minute, Self.start + Int64(from + length) * Self.minute)
      rows = rows.filter { row, _ in
        !(row.time >= lower && row.time < upper && (host.map { $0 == row.host } ?? true))
      }
    }

    func drop() throws {
      let time = Self.start + Int64(random.next() % 1400) * Self.minute
      var run = RetentionRun(session, "t")
      run.lateRowsPerCommit = Int.random(in: 1...20, using: &random)
      if random.chance(30) { run.bytesPerCommit = 20_000 }
      var disturbances = Int(random.next() % 3)
      let report =
        try random.chance(30)
        ? run.run(exactlyBefore: time) {}
        : run.run(before: time) {
          guard disturbances > 0, self.random.chance(20) else { return }
          disturbances -= 1
          try self.random.chance(80) ? self.write() : self.alter()
        }
      conflicts += report.conflicts
      guard let before = report.before else { return }
      drops += 1
      #expect(before <= time, "never more than was asked")
      settle(before)
    }

    /// Rows of the table before the time are in its rollups only.
    func settle(_ before: Int64) {
      dropped += rows.filter { $0.key.time < before }.map { ($0.key, $0.value) }
      rows = rows.filter { $0.key.time >= before }
    }

    /// Of the rollup that another is made from.
    func dropMinutes() throws {
      guard made == Self.rollups.count else { return }
      let time = Self.start + Int64(random.next() % 1400) * Self.minute
      var run = RetentionRun(session, "minutes")
      run.lateRowsPerCommit = Int.random(in: 1...20, using: &random)
      let report = try run.run(before: time)
      guard let before = report.before else { return }
      #expect(before <= time, "never more than was asked")
      // What came late for them was merged first.
      settle(before)
      floor = max(floor, before)
      hidden += 1
    }

    func refresh() throws {
      guard made > 0 else { return }
      try RollupRefresh(session, Self.rollups[Int(random.next() % UInt64(made))].name).run()
    }

    func make() throws {
      guard made < Self.rollups.count else { return }
      let rollup = Self.rollups[made]
      try session.run(
        "CREATE MATERIALIZED VIEW \(rollup.name) WITH (continuous, varve.partition = '2 hours') AS \(rollup.statement)"
          + (random.chance(50) ? " WITH NO DATA" : ""))
      made += 1
      // A rollup of another has what that has.
      bases.append(rollup.name == "days" ? bases[0] : dropped.count)
    }

    /// Adds a column: what is frozen by now lacks it.
    func alter() throws {
      let names = Self.rollups.prefix(made).map(\.name).filter {
        known[$0] == nil && ($0 != "days" || known["minutes"] != nil)
      }
      guard let name = names.randomElement(using: &random) else { return }
      let snapshot = try session.store.snapshot()
      let state = snapshot.table(named: name).flatMap { snapshot.rollup($0.id)?.state }
      let aggregate = name == "days" ? "sum(positive)" : "count(*) FILTER (WHERE v > 0)"
      try session.run(
        "ALTER MATERIALIZED VIEW \(name) ADD COLUMN positive bigint GENERATED ALWAYS AS (\(aggregate)) STORED")
      known[name] = max(state?.frozen ?? .min, name == "days" ? known["minutes"] ?? .min : .min)
    }

    func crash() throws {
      let next = disk.afterCrash([Survival.nothing, .everything, .chance][Int(random.next() % 3)], seed: random.next())
      try database.closeBlocking()
      disk = next
      database = try Self.open(disk, clock)
      session = database.makeSession(user: "u", database: "d")
    }

    func step() throws {
      clock.advance(nanoseconds: 1_000_000)
      switch random.next() % 17 {
      case 0...5: try write()
      case 6: try delete()
      case 7...9: try refresh()
      case 10, 11: try random.chance(70) ? drop() : dropMinutes()
      case 12: try crash()
      case 13: try session.run("CALL flush()")
      case 14: if random.chance(60) { try alter() }
      default: try make()
      }
    }

    /// With the added column in buckets from `known` on, NULL before; nil: without it.
    func expected(_ width: Int64, since base: Int, from floor: Int64, known: Int64?) -> [String] {
      var sums: [Row: Sums] = [:]
      for (row, value) in rows.map({ ($0.key, $0.value) }) + dropped.dropFirst(base).map({ ($0.row, $0.value) }) {
        let rest = (row.time - Self.origin) % width
        sums[Row(host: row.host, time: row.time - rest), default: Sums()].add(value)
      }
      return sums.filter { $0.key.time >= floor }.sorted { ($0.key.time, $0.key.host) < ($1.key.time, $1.key.host) }.map
      {
        let (key, sums) = ($0.key, $0.value)
        let added = known.map { key.time >= $0 ? "|\(sums.positive)" : "|null" } ?? ""
        return "\(key.time)|\(key.host)|\(sums.rows)|\(sums.total)|\(sums.least)|\(sums.most)" + added
      }
    }

    func isRight(_ comment: String) throws -> Bool {
      for (rollup, base) in zip(Self.rollups, bases) {
        let found = try session.run(
          """
          SELECT bucket, host, n::bigint, total::bigint, least, most\(known[rollup.name] == nil ? "" : ", positive")
            FROM \(rollup.name) ORDER BY 1, 2
          """)
        let wanted = expected(
          rollup.width, since: base, from: rollup.name == "minutes" ? floor : .min, known: known[rollup.name])
        guard found == wanted else {
          let missing = wanted.filter { !found.contains($0) }
          let wrong = found.filter { !wanted.contains($0) }
          Issue.record("\(comment), \(rollup.name): not there \(missing.prefix(3)), but \(wrong.prefix(3))")
          return false
        }
      }
      let left = try session.run("SELECT count(*) FROM t")
      #expect(left == ["\(rows.count)"], "\(comment)")
      // Not by name: of the rows that are left, whether a rollup answers or not.
      let positive = try session.run("SELECT count(*) FILTER (WHERE v > 0) FROM t")
      #expect(positive == ["\(rows.values.count { $0 > 0 })"], "\(comment)")
      return left == ["\(rows.count)"] && positive == ["\(rows.values.count { $0 > 0 })"]
    }
  }

  @Test(arguments: 1...5) func everyRowThatWasAcceptedIsCountedOnce(seed: Int) throws {
    let history = try History(seed: seed)
    for number in 0..<90 {
      try history.step()
      if number == 60, history.known.isEmpty { try history.alter() }
      // One failure is enough to look at.
      guard try history.isRight("seed \(seed), step \(number)") else { return }
    }
    print(
      "retention: seed \(seed), \(history.drops) drops, \(history.hidden) of minutes, \(history.conflicts) conflicts, \(history.dropped.count) rows"
    )
    #expect(
      history.made == 3 && history.drops > 0 && history.hidden > 0 && !history.known.isEmpty, "seed \(seed)")
    try history.database.closeBlocking()
  }
}
