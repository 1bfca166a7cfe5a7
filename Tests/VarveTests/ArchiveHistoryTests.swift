import Testing
import Varve
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// Random histories of writes, late rows, deletes, runs of the archive, chunks taken out of it again and crashes: whatever is
/// where, each row that was accepted is there once, with the values that were written last.
@Suite struct ArchiveHistoryTests {
  private struct Key: Hashable, Comparable {
    var host: String
    var time: Int64
    static func < (a: Key, b: Key) -> Bool { (a.host, a.time) < (b.host, b.time) }
  }

  /// SQL's text of each field's value; nil: NULL.
  private struct Values: Equatable {
    var fields = [String?](repeating: nil, count: History.fields.count)
    var text: String { fields.map { $0 ?? "null" }.joined(separator: "|") }
  }

  private final class History {
    static let minute: Int64 = 60_000_000_000
    /// 2023-11-14 00:00.
    static let start: Int64 = 1_699_920_000_000_000_000
    static let fields = ["v", "f", "s", "b", "u", "at"]

    var disk = SimulatedFileSystem()
    let clock = ManualClock()
    var database: Database
    var session: QuerySession
    var random: SeededRandom
    var rows: [Key: Values] = [:]
    var (runs, restores, crashes, archived) = (0, 0, 0, 0)

    init(seed: Int) throws {
      random = SeededRandom(seed: UInt64(seed))
      clock.set(wall: Self.start + 40 * 1440 * Self.minute)
      database = try Self.open(disk, clock)
      session = database.makeSession(user: "u", database: "d")
      let partition = ["6 hours", "1 day", "36 hours", "5 days"][Int(random.next() % 4)]
      try session.run(
        """
        CREATE TABLE t (time timestamptz, host text, rack text, v bigint, f double precision, s text, b boolean,
          u numeric(20,0), at timestamptz) WITH (varve.tags = 'host,rack', varve.partition = '\(partition)')
        """)
    }

    static func open(_ disk: SimulatedFileSystem, _ clock: ManualClock) throws -> Database {
      var options = Database.Options()
      options.compaction = false
      options.archive = "/sim/archive"
      options.archiveCacheByteCount = 20_000
      return try Database.openBlocking("/sim/db", options: options, fileSystem: disk, clock: clock) {
        $0.makeFilesSmall()
        $0.objectByteCount = 3000
      }
    }

    private func value(_ field: Int) -> String? {
      let number = random.next() % 1000
      if number % 11 == 0 { return nil }
      switch field {
      case 0: return "\(Int(number) - 500)"
      case 1: return "\(Double(number) / 8)"
      case 2: return number % 3 == 0 ? "" : "text \(number % 7) ä"
      case 3: return number % 2 == 0 ? "true" : "false"
      case 4: return "\(UInt64.max - UInt64(number))"
      default: return "\(Self.start + Int64(number) * 1_001_000)"
      }
    }

    /// As SQL says it.
    private static func time(_ time: Int64) -> String {
      "timestamptz '2023-11-14Z' + interval '\((time - start) / 1000) microseconds'"
    }

    private func literal(_ field: Int, _ value: String?) -> String {
      guard let value else { return "NULL" }
      return switch field {
      case 2: "'\(value)'"
      case 5: Self.time(Int64(value) ?? 0)
      default: value
      }
    }

    func write(_ count: Int) throws {
      let chosen = (0..<Self.fields.count).filter { _ in random.chance(70) }
      guard !chosen.isEmpty else { return }
      var lines: [String: String] = [:]
      for _ in 0..<count {
        let offset = Int64(random.next() % (5 * 1440)) * Self.minute + (random.chance(20) ? 17_000 : 0)
        let key = Key(host: "h\(random.next() % 4)", time: Self.start + offset)
        var values = rows[key] ?? Values()
        for field in chosen { values.fields[field] = value(field) }
        rows[key] = values
        lines["\(key)"] =
          "(\(Self.time(key.time)), '\(key.host)', \(key.host == "h3" ? "NULL" : "'r1'"), "
          + chosen.map { literal($0, values.fields[$0]) }.joined(separator: ", ") + ")"
      }
      try session.run(
        "INSERT INTO t (time, host, rack, \(chosen.map { Self.fields[$0] }.joined(separator: ", "))) VALUES "
          + lines.values.joined(separator: ", "))
    }

    func delete() throws {
      let (from, length) = (Int64(random.next() % (5 * 1440)), Int64(random.next() % 2000))
      let host = random.chance(50) ? "h\(random.next() % 4)" : nil
      let (lower, upper) = (Self.start + from * Self.minute, Self.start + (from + length) * Self.minute)
      try session.run(
        "DELETE FROM t WHERE time >= \(Self.time(lower)) AND time < \(Self.time(upper))"
          + (host.map { " AND host = '\($0)'" } ?? ""))
      rows = rows.filter { key, _ in
        !(key.time >= lower && key.time < upper && (host.map { $0 == key.host } ?? true))
      }
    }

    func run() throws {
      let before = Self.start + Int64(random.next() % (6 * 1440)) * Self.minute
      let report = try database.archiveBlocking(
        table: random.chance(50) ? "t" : nil, before: before, ArchiveChoice(deletesUnneeded: random.chance(40))
      ) {}
      #expect(report.failures.isEmpty)
      runs += 1
      archived += report.tables.reduce(0) { $0 + $1.chunksAfter }
    }

    func restore() throws {
      let from = Self.start + Int64(random.next() % (5 * 1440)) * Self.minute
      _ = try database.restoreArchivedBlocking(
        table: "t", time: TimeRange(lower: from, upper: from + 1440 * Self.minute)
      ) {}
      restores += 1
    }

    func crash() throws {
      let next = disk.afterCrash([Survival.nothing, .everything, .chance][Int(random.next() % 3)], seed: random.next())
      try database.closeBlocking()
      try reopen(next)
      crashes += 1
    }

    func reopen(_ disk: SimulatedFileSystem) throws {
      self.disk = disk
      database = try Self.open(disk, clock)
      session = database.makeSession(user: "u", database: "d")
    }

    func step() throws {
      clock.advance(nanoseconds: 86_400_000_000_000)
      switch random.next() % 16 {
      case 0...4: try write(Int(random.next() % 60) + 1)
      case 5: try delete()
      case 6...8: try run()
      case 9: try restore()
      case 10: try crash()
      case 11, 12: try session.run("CALL flush()")
      case 13: try session.run("CALL compact_chunks('t')")
      default: try write(3)
      }
    }

    func isRight(_ comment: String) throws -> Bool {
      let found = try session.run(
        "SELECT host, to_ns(time), v, f, s, b, u::text, to_ns(at) FROM t ORDER BY host, time")
      let wanted = rows.sorted { $0.key < $1.key }.map { "\($0.key.host)|\($0.key.time)|\($0.value.text)" }
      guard found == wanted else {
        let missing = wanted.filter { !found.contains($0) }
        let wrong = found.filter { !wanted.contains($0) }
        Issue.record(
          "\(comment): \(found.count) rows of \(wanted.count), not there \(missing.prefix(3)), but \(wrong.prefix(3))")
        return false
      }
      // From summaries, where they say it.
      let daily = try session.run(
        "SELECT host, to_ns(time_bucket('1 day', time)), count(*), count(v), coalesce(sum(v), 0)::bigint FROM t GROUP BY 1, 2 ORDER BY 1, 2"
      )
      var sums: [Key: (Int, Int, Int)] = [:]
      for (key, values) in rows {
        let day = key.time - (key.time - Self.start) % (1440 * Self.minute)
        let v = values.fields[0].flatMap { Int($0) }
        let known = sums[Key(host: key.host, time: day)] ?? (0, 0, 0)
        sums[Key(host: key.host, time: day)] = (known.0 + 1, known.1 + (v == nil ? 0 : 1), known.2 + (v ?? 0))
      }
      let wantedSums = sums.sorted { $0.key < $1.key }.map {
        "\($0.key.host)|\($0.key.time)|\($0.value.0)|\($0.value.1)|\($0.value.2)"
      }
      #expect(daily == wantedSums, "\(comment)")
      return daily == wantedSums
    }

    func areObjectsSound(_ comment: String) throws {
      let report = try database.verifyArchiveBlocking(table: nil) {}
      #expect(report.problems.isEmpty, "\(comment)")
    }
  }

  @Test(arguments: 1...8) func everyRowIsThereOnceWhereverItIs(seed: Int) throws {
    let history = try History(seed: seed)
    for number in 0..<60 {
      do { try history.step() } catch {
        Issue.record("seed \(seed), step \(number): \(error)")
        return
      }
      // One failure is enough to look at.
      guard try history.isRight("seed \(seed), step \(number)") else { return }
    }
    try history.areObjectsSound("seed \(seed)")
    print(
      "archive: seed \(seed), \(history.runs) runs, \(history.archived) objects, \(history.restores) restores, \(history.crashes) crashes, \(history.rows.count) rows"
    )
    #expect(history.runs > 0 && history.archived > 0, "seed \(seed)")
    try history.database.closeBlocking()
  }

  @Test(arguments: 1...3) func aCrashAnywhereInARunLosesNothingAndCountsNothingTwice(seed: Int) throws {
    let history = try History(seed: seed * 100)
    try history.write(150)
    try history.run()
    try history.write(40)
    try history.delete()
    try history.session.run("CALL flush()")
    history.disk.startHistory()
    try history.run()
    try history.restore()
    try history.run()
    let moments = history.disk.takeHistory()
    try history.database.closeBlocking()
    for (number, moment) in moments.enumerated() where history.random.chance(30) {
      let survival = [Survival.nothing, .everything, .chance][number % 3]
      try history.reopen(moment.disk.crash(survival, seed: UInt64(number)))
      let comment = "seed \(seed), call \(number) of \(moments.count), \(survival)"
      guard try history.isRight(comment) else { return }
      try history.areObjectsSound(comment)
      _ = try history.database.archiveBlocking(table: nil, before: .max, ArchiveChoice(deletesUnneeded: true)) {}
      guard try history.isRight(comment + ", after another run") else { return }
      try history.areObjectsSound(comment + ", after another run")
      try history.database.closeBlocking()
    }
    print("archive: seed \(seed), \(moments.count) calls")
  }
}
