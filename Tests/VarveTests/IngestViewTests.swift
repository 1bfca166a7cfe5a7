import Testing
import Varve

/// What a database says of what was written to it, without a server.
@Suite struct IngestViewTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func writesInProcessAndBySQLAreCountedApart() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(1), point(2), point(3, table: "u")])
    try await database.query("INSERT INTO t (time, host, v) VALUES (now(), 'a', 1), (now(), 'b', 2)")
    // Its value has another type.
    let refused = try await database.write([
      Point("t", tags: ["host": "a"], fields: ["v": .text("x")], timeNanoseconds: 4)
    ])
    #expect(refused.rejected.count == 1)
    let rows = try await database.query(
      """
      SELECT table_name, protocol, rows, rejected, rejected_by, syncs, queued_bytes, column_bytes > 0, last_write > now() - interval '1 hour'
      FROM varve.ingest ORDER BY table_name, protocol
      """)
    let found = rows.map { row in row.values.map { "\($0)" }.joined(separator: " ") }
    #expect(
      rows.map { Array($0.values[0...3]) } == [
        [.text("t"), .text("embedded"), .integer(2), .integer(1)],
        [.text("t"), .text("sql"), .integer(2), .integer(0)],
        [.text("u"), .text("embedded"), .integer(1), .integer(0)],
      ], "\(found)")
    #expect(rows[0]["rejected_by"] == .array([.text("type_conflict=1")]))
    #expect(rows[1]["rejected_by"] == .array([]))
    #expect(rows.map { $0["syncs"] } == [.integer(2), .integer(1), .integer(1)])
    #expect(rows.allSatisfy { Array($0.values[6...8]) == [.integer(0), .boolean(true), .boolean(true)] }, "\(found)")
    let queue = try await database.query(
      "SELECT commits, rows, saturated, waits_for, refused, commit_max_ms > 0 FROM varve.ingest_queue")
    #expect(
      queue.map(\.values) == [
        [.integer(3), .integer(5), .boolean(false), .text("nothing"), .integer(0), .boolean(true)]
      ])
    #expect(try await database.query("SELECT * FROM varve.connections").count == 0, "there is no listener")
    try await database.close()
  }

  @Test func maintenanceIsCounted() async throws {
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    let query =
      "SELECT task, runs, failures, rows, written_bytes > 0, due_bytes > 0, last_run, last_error FROM varve.maintenance"
    let idle = try await database.query(query)
    #expect(
      idle.map { Array($0.values[0...5]) }
        == ["seal", "compaction", "checkpoint"].map {
          [.text($0), .integer(0), .integer(0), .integer(0), .boolean(false), .boolean(false)]
        })
    #expect(idle.allSatisfy { $0["last_run"] == .null && $0["last_error"] == .null })
    for second in 1...4 {
      try await database.write([point(second)])
      if second == 1 {
        let due = try await database.query("SELECT due_bytes > 0 FROM varve.maintenance WHERE task = 'seal'")
        #expect(due.map(\.values) == [[.boolean(true)]])
      }
      try await database.flush()
    }
    let sealed = try await database.query(query)
    #expect(
      sealed[0].values.prefix(6) == [
        .text("seal"), .integer(4), .integer(0), .integer(4), .boolean(true), .boolean(false),
      ]
    )
    #expect(sealed[1].values[5] == .boolean(true), "four small chunks are due")
    #expect(sealed[2].values[5] == .boolean(true), "edits are behind the checkpoint")
    _ = try await database.query("CALL compact_chunks('t')")
    let compacted = try await database.query(query)
    #expect(
      compacted[1].values.prefix(6)
        == [.text("compaction"), .integer(1), .integer(0), .integer(4), .boolean(true), .boolean(false)])
    #expect(compacted[0]["last_run"] != .null && compacted[1]["last_run"] != .null)
    try await database.close()
  }

  @Test func aDatabaseThatIsOnlyReadHasNothingToTell() async throws {
    let writing = try await Database.open(scratch.database)
    try await writing.write([point(1)])
    try await writing.close()
    var options = Database.Options()
    options.readOnly = true
    let reading = try await Database.open(scratch.database, options: options)
    #expect(try await reading.query("SELECT * FROM varve.ingest").count == 0)
    try await reading.close()
  }
}
