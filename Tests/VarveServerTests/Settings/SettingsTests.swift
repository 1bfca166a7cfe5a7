import Foundation
import Testing
import VarveCore
import VarveIO

@testable import VarveServer

private func settings(
  flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
) throws -> EffectiveSettings {
  guard let file else {
    return try EffectiveSettings(flags: flags, environment: environment, file: nil, fileSystem: PosixFileSystem())
  }
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("varve-settings-\(UUID().uuidString).toml")
    .path
  try file.write(toFile: path, atomically: true, encoding: .utf8)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try EffectiveSettings(flags: flags, environment: environment, file: path, fileSystem: PosixFileSystem())
}

/// What the error of `body` says.
private func refusal(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing was refused"
  } catch {
    return "\(error)"
  }
}

@Suite struct SettingsTests {
  @Test func flagsWinOverTheEnvironmentOverTheFileOverDefaults() throws {
    let file = "http = \"127.0.0.1:1\"\npostgres = \"127.0.0.1:2\"\nline-protocol = \"127.0.0.1:3\"\n"
    let effective = try settings(
      flags: ["http": "127.0.0.1:10"], environment: ["VARVE_HTTP": "127.0.0.1:20", "VARVE_POSTGRES": "127.0.0.1:21"],
      file: file)
    #expect(effective[.http].value.text == "127.0.0.1:10")
    #expect(effective[.http].source == "--http")
    #expect(effective[.postgres].value.text == "127.0.0.1:21")
    #expect(effective[.postgres].source == "VARVE_POSTGRES")
    #expect(effective[.lineProtocol].value.text == "127.0.0.1:3")
    #expect(effective[.lineProtocol].source.hasSuffix("line 3"))
    #expect(effective[.sync].source == "default")
  }

  @Test func whatPrintConfigPrintsIsAFileWithTheSameSettings() throws {
    let first = try settings(flags: [
      "data": "a \"b\"\\c\n", "memory": "96MB", "sync": "interval=50", "max-future": "36h", "insecure": "true",
      "connections": "7",
    ])
    let second = try settings(file: first.toml)
    for setting in Setting.all { #expect(first[setting].value == second[setting].value, "\(setting.name)") }
    for setting in Setting.all { #expect(second[setting].source.contains(" line "), "\(setting.name)") }
  }

  @Test func variablesOfAWSCountWhereNothingOfOursIsSaid() throws {
    let theirs = [
      "AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3", "AWS_DEFAULT_REGION": "eu-west-1",
    ]
    let found = try settings(environment: theirs)
    #expect(found[.s3Endpoint].value == .text("http://s3") && found[.s3Endpoint].source == "AWS_ENDPOINT_URL_S3")
    #expect(found[.s3Region].value == .text("eu-west-1") && found[.s3Region].source == "AWS_DEFAULT_REGION")
    let ours = try settings(
      flags: ["s3-region": "us-west-2"], environment: theirs.merging(["VARVE_S3_ENDPOINT": "http://ours"]) { $1 })
    #expect(ours[.s3Endpoint].source == "VARVE_S3_ENDPOINT" && ours[.s3Region].value == .text("us-west-2"))
    let none = try settings(environment: ["AWS_REGION": ""])
    #expect(none[.s3Endpoint].value == .text("") && none[.s3Region].source == "default")
    #expect(try ServerSettings(none).s3Endpoint == nil && ServerSettings(none).s3IdleMilliseconds == 30_000)
    #expect(throws: VarveError.self) { try ServerSettings(settings(flags: ["s3-timeout": "0s"])) }
  }

  @Test func theArchiveIsNoneUnlessItIsNamed() throws {
    let none = try ServerSettings(try settings()).databaseOptions
    #expect(none.archive == nil && none.archiveCacheByteCount == 1 << 30)
    let file = "archive = \"file:///mnt/archive\"\narchive-cache = \"0\"\n"
    let named = try ServerSettings(try settings(environment: ["VARVE_ARCHIVE": "s3://bucket/prefix"], file: file))
    #expect(named.databaseOptions.archive == "s3://bucket/prefix")
    #expect(named.databaseOptions.archiveCacheByteCount == 0)
  }

  @Test func thePageCacheIsAShareOfTheMemoryUnlessItIsSaid() throws {
    let shared = try settings(flags: ["memory": "1GB"])
    #expect(shared[.pageCache].value == .byteCount(128 << 20) && shared[.pageCache].source == "an eighth of memory")
    let said = try settings(flags: ["memory": "1GB"], environment: ["VARVE_PAGE_CACHE": "0"])
    #expect(said[.pageCache].value == .byteCount(0) && said[.pageCache].source == "VARVE_PAGE_CACHE")
  }

  @Test(arguments: [
    // Files, connections and sessions asked for; those that there are, and line protocol's and HTTP's together.
    (0, 20_000, 1_000, 20_000, 1_000, 40_000), (1_048_576, 20_000, 1_000, 20_000, 1_000, 40_000),
    (20_000, 20_000, 1_000, 17_976, 1_000, 17_976), (4_096, 20_000, 1_000, 2_072, 1_000, 2_072),
    (1_024, 20_000, 1_000, 384, 384, 384), (16, 5, 5, 5, 5, 7), (1, 5, 5, 1, 1, 1),
  ])
  func connectionsLeaveTheDatabaseItsFiles(
    openFiles: Int, connections: Int, sessions: Int, allowed: Int, allowedSessions: Int, sockets: Int
  ) {
    let limits = ConnectionLimits(connections: connections, sessions: sessions, openFiles: openFiles)
    #expect(
      limits.connections == allowed && limits.sessions == allowedSessions && limits.sockets == sockets, "\(limits)")
  }

  @Test func anUnknownKeyIsNamedWithItsLine() throws {
    let message = refusal { _ = try settings(file: "# my server\n\nhttps = \"127.0.0.1:1\"\n") }
    #expect(message.contains("line 3") && message.contains("'https'"), "\(message)")
  }

  @Test func aTableInTheFileIsAnUnknownKey() throws {
    let message = refusal { _ = try settings(file: "\n[server]\nhttp = \"127.0.0.1:1\"\n") }
    #expect(message.contains("line 2") && message.contains("'server'"), "\(message)")
  }

  @Test func aBrokenFileIsRefusedWithLineAndColumn() throws {
    let message = refusal { _ = try settings(file: "http = \"127.0.0.1:1\"\nsync = always\n") }
    #expect(message.contains("line 2"), "\(message)")
  }

  @Test(arguments: [
    ("http", "nowhere"), ("http", "1.2.3.4:70000"), ("http", "1.2.3.4:+1"), ("http", ":1"), ("http", "::1:1"),
    ("sync", "sometimes"),
    ("sync", "interval=0"), ("memory", "12 parsecs"), ("memory", "1kB"), ("memory", "99999999999999999999"),
    ("memory", "99999999999TB"), ("max-future", "12"), ("max-future", "-1d"), ("seal-age", "99999999999999d"),
    ("connections", "0"),
    ("connections", "many"), ("log-level", "loud"), ("insecure", "maybe"), ("data", ""),
  ])
  func aBadValueIsRefusedWithItsSource(name: String, value: String) throws {
    let byFlag = refusal { _ = try settings(flags: [name: value]) }
    #expect(byFlag.contains("--\(name)"), "\(byFlag)")
    let variable = "VARVE_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
    let byVariable = refusal { _ = try settings(environment: [variable: value]) }
    #expect(byVariable.contains(variable), "\(byVariable)")
  }

  @Test(arguments: ["max-future", "seal-age", "seal-idle", "log-min-duration-statement"])
  func durationsFitAWordOfNanoseconds(name: String) throws {
    for value in ["106752d", "9223372036855s", "99999999999999d"] {
      let message = refusal { _ = try settings(flags: [name: value]) }
      #expect(message.contains("--\(name): \(name) must be at most 106751d, not '\(value)'"), "\(message)")
    }
    let longest = try ServerSettings(try settings(flags: [name: "106751d"])).databaseOptions
    let found: [Duration?] = [longest.maxFuture, longest.sealAge, longest.sealIdle, longest.slowStatement]
    #expect(found.contains(.seconds(106_751 * 86_400)), "\(found)")
  }

  @Test func valuesOfTheWrongTypeInTheFileAreRefused() throws {
    for line in ["connections = \"5\"", "insecure = 1", "http = 8086", "sync = true", "memory = 1.5", "data = [\"a\"]"]
    {
      #expect(refusal { _ = try settings(file: line + "\n") }.contains("line 1"), "\(line)")
    }
  }

  @Test func unitsOfBytesAndTime() throws {
    let effective = try settings(flags: [
      "memory": "512 MiB", "max-body": "1k", "max-future": "90s", "seal-age": "1500ms",
    ])
    #expect(effective[.memory].value == .byteCount(512 << 20))
    #expect(effective[.maxBody].value == .byteCount(1024))
    #expect(effective[.maxFuture].value == .duration(milliseconds: 90_000))
    #expect(effective[.sealAge].value.text == "1500ms")
  }

  @Test func anAddressBeyondLoopbackNeedsInsecure() throws {
    for address in ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "db.example.com:1", "127.0.0.1.example.com:1"] {
      for name in ["http", "postgres", "line-protocol"] {
        let message = refusal { _ = try ServerSettings(try settings(flags: [name: address])) }
        #expect(message.contains("--insecure") && message.contains(address), "\(message)")
        let permitted = try ServerSettings(try settings(flags: [name: address, "insecure": "true"]))
        #expect(permitted.isInsecure)
      }
    }
    for address in ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"] {
      _ = try ServerSettings(try settings(flags: ["http": address]))
    }
  }

  @Test func variablesThatAreNoSettingsAreReported() throws {
    let effective = try settings(environment: ["VARVE_HTPP": "x", "VARVE_TEST_DATA": "x", "PATH": "x"])
    #expect(effective.unknownVariables == ["VARVE_HTPP"])
  }

  @Test func theVariableNamesTheFileWhereNoFlagDoes() throws {
    #expect(
      refusal { _ = try settings(environment: ["VARVE_CONFIG": "/nowhere/varve.toml"]) }.contains("/nowhere/varve.toml")
    )
  }
}
