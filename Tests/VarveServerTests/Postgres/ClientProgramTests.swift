import Testing
import VarveServer
import VarveWire

@Suite(.serialized, .timeLimit(.minutes(20))) struct PostgresClientProgramTests {
  private func psql(_ server: TestServer, _ commands: String...) throws -> (status: Int32, output: String) {
    try Tool.run(
      "psql",
      ["-X", "-h", "127.0.0.1", "-p", "\(server.port)", "-U", "varve", "-d", "varve"] + commands.flatMap { ["-c", $0] })
  }

  @Test(.enabled(if: Tool.hasPsql, "psql is not installed")) func psqlPrintsRowsAndTimes() async throws {
    try await TestServer.with { server in
      let (status, output) = try psql(server, #"\timing on"#, "rows 2", "insert 3")
      #expect(status == 0)
      #expect(output.contains(" 1 | 0.25 | s1 | 2016-01-01 00:00:00.001+00 | f"), "\(output)")
      #expect(output.contains("(2 rows)"))
      #expect(output.contains("INSERT 0 3"))
      #expect(output.contains("Time: "))
    }
  }

  @Test(.enabled(if: Tool.hasPsql, "psql is not installed")) func psqlPointsAtTheError() async throws {
    try await TestServer.with { server in
      let (status, output) = try psql(server, "fail 6")
      #expect(status == 1)
      #expect(output.contains("ERROR:  nothing there\nLINE 1: fail 6\n             ^"), "\(output)")
      let hint = try psql(server, "nonsense")
      #expect(hint.output.contains("HINT:  Say something else."))
    }
  }

  @Test(.enabled(if: Tool.hasPsql, "psql is not installed")) func psqlIsToldOfADatabaseThatIsNotThere() async throws {
    try await TestServer.with { server in
      let (status, output) = try Tool.run(
        "psql", ["-X", "-h", "127.0.0.1", "-p", "\(server.port)", "-U", "varve", "-d", "nowhere", "-c", "rows 1"])
      #expect(status == 2)
      #expect(output.contains("FATAL:  database \"nowhere\" does not exist"))
    }
  }

  @Test(.enabled(if: Tool.hasPsycopg, "psycopg is not installed")) func psycopgBindsPreparesAndReadsBinary()
    async throws
  {
    let script = #"""
      import sys, psycopg, datetime
      from psycopg import sql
      utc = datetime.timezone.utc
      with psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="varve", dbname="varve") as c:
          assert c.info.server_version == 150008, c.info.server_version
          assert c.info.parameter_status("TimeZone") == "UTC"
          for binary in (False, True):
              for prepare in (False, True):
                  for _ in range(3):
                      rows = c.execute("rows %s", (3,), prepare=prepare, binary=binary).fetchall()
                      at = datetime.datetime(2016, 1, 1, tzinfo=utc)
                      ms = datetime.timedelta(milliseconds=1)
                      assert rows == [(0, None, None, at, True), (1, 0.25, "s1", at + ms, False),
                                      (2, 0.5, "s2", at + 2 * ms, True)], rows
              values = (7, 2**40, 1.5, "grün", None, True, datetime.datetime(2020, 2, 29, 12, 0, 0, 123456, utc),
                        datetime.date(1999, 12, 31), b"\x00\xff", datetime.timedelta(days=2, seconds=3))
              cur = c.cursor(binary=binary)
              cur.execute("echo " + ", ".join(["%s"] * len(values)), values, prepare=True)
              assert cur.fetchone() == values
              for t, v in (("t", "x"), ("b", b"raw")):
                  cur.execute("echo %" + t, ("x",))
                  assert cur.fetchone() == ("x",)
          try:
              c.execute("fail 3")
              assert False
          except psycopg.errors.SyntaxError as e:
              assert e.diag.statement_position == "3", e.diag.statement_position
          assert c.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
          c.rollback()
          c.execute("rows 1").fetchall()
          with c.pipeline():
              cursors = [c.execute("rows %s", (n,)) for n in range(20)]
          assert [len(cur.fetchall()) for cur in cursors] == list(range(20))
          cur = c.cursor()
          assert sum(1 for _ in cur.stream("rows 2000")) == 2000
      print("all good")
      """#
    try await TestServer.with { server in
      let (status, output) = try Tool.run("python3", ["-c", script, "\(server.port)"])
      #expect(status == 0, "\(output)")
      #expect(output.hasSuffix("all good\n"), "\(output)")
    }
  }

  @Test(.enabled(if: Tool.hasPsycopg, "psycopg is not installed")) func psycopgCancels() async throws {
    let script = #"""
      import sys, psycopg, threading, time
      with psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="varve", autocommit=True) as c:
          threading.Timer(0.3, c.cancel).start()
          try:
              c.execute("slow")
              assert False
          except psycopg.errors.QueryCanceled:
              pass
          assert c.execute("rows 1").fetchone()[0] == 0
      print("all good")
      """#
    try await TestServer.with { server in
      let (status, output) = try Tool.run("python3", ["-c", script, "\(server.port)"])
      #expect(status == 0, "\(output)")
    }
  }
}
