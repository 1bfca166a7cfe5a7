// SQL scripts with expected results: Scripts/*.sql-test. A case is
//
//   statement            until a line of ----
//   ----
//   rows                 values joined by |, NULL for NULL; `error 42703 position 8`; nothing for no rows
//   (empty line)
//
// Lines that begin with # are comments. A script has one session and starts with an empty store. Expected values
// of what PostgreSQL can do come from PostgreSQL 15.

import Testing
import VarveCore

@testable import VarveQuery

#if canImport(Glibc)
  import Glibc
#endif

struct ScriptCase: Sendable {
  var sql: String
  var expected: String
  var line: Int
}

enum Script {
  static let directory: String = {
    var path = #filePath
    while !path.isEmpty, path.last != "/" { path.removeLast() }
    return path + "Scripts"
  }()

  static func names() -> [String] {
    guard let handle = opendir(directory) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".sql-test") { names.append(name) }
    }
    return names.sorted()
  }

  static func read(_ name: String) -> String {
    guard let file = fopen(directory + "/" + name, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&part, 1, part.count, file)
      if count == 0 { break }
      bytes += part[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func cases(_ text: String) -> [ScriptCase] {
    var result: [ScriptCase] = []
    var sql: [Substring] = []
    var expected: [Substring] = []
    var isExpected = false
    var start = 1
    func finish() {
      if isExpected {
        result.append(
          ScriptCase(sql: sql.joined(separator: "\n"), expected: expected.joined(separator: "\n"), line: start))
      }
      sql = []
      expected = []
      isExpected = false
    }
    var lines: [Substring] = text.split(separator: "\n", omittingEmptySubsequences: false)
    lines.append("")
    for (index, line) in lines.enumerated() {
      if line.hasPrefix("#") { continue }
      if line == "----" {
        isExpected = true
      } else if isExpected {
        if line.isEmpty { finish() } else { expected.append(line) }
      } else if !line.isEmpty || !sql.isEmpty {
        if sql.isEmpty { start = index + 1 }
        sql.append(line)
      }
    }
    finish()
    return result
  }
}

struct ScriptTests {
  @Test func thereAreScripts() {
    #expect(Script.names().count >= 5)
  }

  @Test(arguments: Script.names()) func aScriptGivesItsExpectedResults(_ name: String) throws {
    for batchRowCount in [1, 7, 4096] {
      try run(name, makeSession(MemoryStore(batchRowCount: batchRowCount)), batchRowCount)
    }
  }

  /// Each SELECT by a plan in which what its columns are compared with are parameters.
  @Test(arguments: Script.names()) func aScriptGivesTheSameByTemplates(_ name: String) throws {
    let session = makeSession(MemoryStore())
    session.cache.isEager = true
    try run(name, session, 4096)
  }

  private func run(_ name: String, _ session: QuerySession, _ batchRowCount: Int) throws {
    for item in Script.cases(Script.read(name)) {
      var actual: String
      do {
        actual = try session.text(item.sql)
      } catch let error as VarveError {
        actual = "error \(error.sqlState ?? error.code.rawValue)"
        if let position = error.position { actual += " position \(position)" }
        if !item.expected.hasPrefix("error") { actual += ": \(error)" }
      }
      #expect(actual == item.expected, "\(name):\(item.line), batches of \(batchRowCount): \(item.sql)")
    }
  }
}
