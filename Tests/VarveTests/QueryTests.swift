import Testing
import Varve

@Suite struct QueryTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func parametersOfEveryKindComeBackAsTheyWent() async throws {
    let database = try await Database.open(scratch.database)
    let values: [SQLValue] = [
      .boolean(true), .boolean(false), .integer(.min), .integer(.max), .double(1.5), .double(-0.0), .double(.infinity),
      .numeric("123456789012345678901234567890.5"), .numeric("-0.001"), .text(""), .text("é€𝄞'\"\n"),
      .timestamp(start + 123_456_000), .timestamp(-1_000), .date(0), .date(-719_162), .date(20_000),
      .interval(months: 14, days: -3, microseconds: 1_500_000), .bytes([]), .bytes([0, 255, 92, 39]),
    ]
    for value in values {
      let rows = try await database.query("SELECT $1", [value])
      #expect(rows.count == 1 && rows[0][0] == value, "\(value) became \(rows[0][0])")
    }
    let nan = try await database.query("SELECT $1", [.double(.nan)])[0][0]
    if case .double(let value) = nan { #expect(value.isNaN) } else { Issue.record("NaN became \(nan)") }
    #expect(try await database.query("SELECT $1::bigint", [.null])[0][0] == .null)
    #expect(
      try await database.query("SELECT $2, $1", [.integer(1), .text("x")])[0].values == [.text("x"), .integer(1)])
    #expect(await failure { try await database.query("SELECT $1", [.array([.integer(1)])]) }?.code == .unsupported)
    #expect(await failure { try await database.query("SELECT $1", [.numeric("no number")]) } != nil)
    #expect(await failure { try await database.query("SELECT $2", [.integer(1)]) } != nil)
    #expect(try await database.query("SELECT ARRAY[1,2]")[0][0] == .array([.integer(1), .integer(2)]))
    try await database.close()
  }

  @Test func rowsAreFoundByNameAndErrorsSayWhere() async throws {
    let database = try await Database.open(scratch.database)
    try await database.query("CREATE TABLE m (time timestamptz, host text, v double precision)")
    let inserted = try await database.query("INSERT INTO m (time, host, v) VALUES ($1, 'a', 2)", [.timestamp(start)])
    #expect(inserted.commandTag == "INSERT 0 1" && inserted.count == 0)
    let rows = try await database.query("SELECT host, v AS value FROM m")
    #expect(rows.columns == ["host", "value"] && rows.commandTag == "SELECT 1")
    #expect(rows[0]["value"] == .double(2) && rows[0]["nothing"] == nil)
    let syntax = await failure { try await database.query("SELECT FROM WHERE") }
    #expect(syntax?.sqlState == "42601" && syntax?.position != nil)
    let unknown = await failure { try await database.query("SELECT x FROM m") }
    #expect(unknown?.sqlState == "42703" && unknown?.position == 8)
    #expect(try await database.query("").count == 0)
    #expect(await failure { try await database.query("SELECT 1; SELECT 2") } != nil)
    try await database.close()
  }

  @Test func forEachStreamsAndItsErrorEndsTheQuery() async throws {
    struct Enough: Error, Equatable { let row: Int }
    let database = try await Database.open(scratch.database)
    let rows = Collected<Int64>()
    let tag = try await database.query("SELECT n FROM generate_series(1, 20000) AS n") { row in
      if case .integer(let value) = row[0] { rows.append(value) }
    }
    #expect(tag == "SELECT 20000" && rows.values == Array(1...20000))
    let few = Collected<Int>()
    do {
      try await database.query(endlessQuery) { _ in
        few.append(1)
        if few.values.count >= 3 { throw Enough(row: 3) }
      }
      Issue.record("the error of the body is thrown on")
    } catch let error as Enough { #expect(error == Enough(row: 3)) }
    #expect(few.values.count == 3)
    #expect(try await database.query("SELECT 1").count == 1, "and the database goes on")
    try await database.close()
  }

  @Test func aResultBeyondTheMemoryBudgetIsRefusedWithAWayOut() async throws {
    var options = Database.Options()
    options.memoryBudgetByteCount = 4 << 20
    let database = try await Database.open(scratch.database, options: options)
    let sql = "SELECT n, 'some text' FROM generate_series(1, 100000) AS n"
    let error = await failure { try await database.query(sql) }
    #expect(error?.code == .limitExceeded && error?.hint?.contains("forEach") == true)
    #expect(try await database.query(sql, forEach: { _ in }) == "SELECT 100000", "row by row it needs no memory")
    #expect(try await database.query(sql + " LIMIT 1000").count == 1000)
    #expect(try await database.query("SELECT 1").count == 1, "and the database lives on")
    try await database.close()
  }
}
