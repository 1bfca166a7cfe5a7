// What planning costs where a table has ten chunks and where it has thousands. The statements read the same rows in both,
// and every text is one that the session has not seen, so what they cost more is what the other chunks cost.

import Varve
import VarveQuery

enum Planning {
  private static let few = 10
  private static let repeats = 400

  static func run(in directory: String, chunks: Int) async throws {
    let statements: [(name: String, sql: String)] = [
      ("one host, one hour", "SELECT max(v) AS NAME FROM t WHERE host = 'host_1' AND \(hours(4, 5))"),
      ("last ten rows", "SELECT time AS NAME, v FROM t WHERE \(hours(0, few)) ORDER BY time DESC LIMIT 10"),
      (
        "by hour, from a rollup",
        "SELECT time_bucket('1 hour', time) AS NAME, sum(v) FROM t WHERE \(hours(2, 6)) GROUP BY 1"
      ),
      ("rollup by name", "SELECT bucket AS NAME, total FROM r WHERE bucket >= \(time(2)) AND bucket < \(time(6))"),
    ]
    let small = try await database("\(directory)/\(few)", chunks: few)
    let large = try await database("\(directory)/\(chunks)", chunks: chunks)
    for (name, sql) in statements {
      print("\(name):")
      for (kind, explain) in [("run", ""), ("EXPLAIN", "EXPLAIN ")] {
        var durations = [Durations(), Durations()]
        // In turn, so that whatever else the machine does meets both.
        for number in 0..<repeats {
          for (index, session) in [small.session, large.session].enumerated() {
            let text = explain + sql.replacing("NAME", with: "\(kind.lowercased())_\(number)")
            _ = try durations[index].measure { try planning_benchmark.run(session, text) }
          }
        }
        let (a, b) = (durations[0], durations[1])
        print(
          "  \(kind): \(few) chunks p50 \(milliseconds(a.median)) p99 \(milliseconds(a.percentile(0.99)));",
          "\(chunks) chunks p50 \(milliseconds(b.median)) p99 \(milliseconds(b.percentile(0.99)));",
          "more: p50 \(milliseconds(b.median - a.median))")
      }
    }
    for each in [small, large] {
      each.session.close()
      try await each.database.close()
    }
  }

  private static func time(_ hours: Int) -> String {
    "timestamptz '2023-01-01Z' + interval '\(hours) hours'"
  }

  private static func hours(_ from: Int, _ to: Int) -> String { "time >= \(time(from)) AND time < \(time(to))" }

  /// A table, and a rollup of it, with a partition and a chunk an hour.
  private static func database(_ directory: String, chunks: Int) async throws -> (
    database: Database, session: QuerySession
  ) {
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(directory, options: options)
    let session = database.makeSession()
    if try planning_benchmark.run(session, "SELECT 1 FROM information_schema.tables WHERE table_name = 't'").isEmpty {
      try planning_benchmark.run(
        session,
        """
        CREATE TABLE t (time timestamptz, host text, v bigint, x double precision)
        WITH (varve.tags = 'host', varve.partition = '1 hour')
        """)
      try await fill(database, "t", hosts: 2, hours: chunks)
      try planning_benchmark.run(
        session,
        """
        CREATE MATERIALIZED VIEW r WITH (continuous, varve.partition = '1 hour') AS
          SELECT time_bucket('10 minutes', time) AS bucket, host, sum(v) AS total, max(v) AS top FROM t GROUP BY 1, 2
        """)
      try await database.flush()
    }
    let counted = "SELECT count(*) FROM varve.chunks WHERE table_name = 't'"
    print("\(directory): \(chunks) chunks wanted, there are", try planning_benchmark.run(session, counted)[0][0])
    return (database, session)
  }
}
