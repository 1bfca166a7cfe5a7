// `varve serve`: settings from flags, environment and file, then the server until a signal ends it.

import ArgumentParser
import VarveArchive
import VarveCore
import VarveIO
import VarveS3
import VarveServer

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the server.",
    discussion: """
      Listens for line protocol over TCP, HTTP and the PostgreSQL protocol, and prints one line for each on standard \
      output when it is ready. SIGTERM and SIGINT stop it: what was received is made durable first.

      Each setting is taken from its flag, else from the environment (VARVE_HTTP for --http), else from the TOML file \
      (http = "127.0.0.1:8086"), else it is the default.
      """)

  @Option(help: "TOML file with settings; also VARVE_CONFIG.", completion: .file())
  var config: String?

  @Flag(help: "Print the settings in effect, and where each comes from, as TOML; don't serve.")
  var printConfig = false

  @OptionGroup(title: "Settings") var settings: SettingFlags

  func run() async throws {
    let effective = try EffectiveSettings(
      flags: settings.given, environment: ProcessEnvironment.variables(), file: config, fileSystem: PosixFileSystem())
    let settings = try ServerSettings(effective)
    if printConfig { return try StandardStreams.write(effective.toml) }
    let logger = settings.logger("varve")
    for variable in effective.unknownVariables {
      logger.warning("environment variable is no setting", metadata: ["variable": "\(variable)"])
    }
    let objectLog = settings.logger("object-store")
    let schemes = S3Schemes.schemes(
      S3Options(settings), variables: ProcessEnvironment.variables(), files: PosixFileSystem(), clock: SystemClock()
    ) { objectLog.warning("\($0)") }
    try await Server.run(settings, objectStores: schemes, logger: logger) { name, address in
      try StandardStreams.write("listening \(name) \(address)\n")
    }
  }
}

/// A flag for each setting; what they say is declared in `Setting`.
struct SettingFlags: ParsableArguments {
  @Option(name: name(.data), help: help(.data), completion: .directory) var data: String?
  @Option(name: name(.lineProtocol), help: help(.lineProtocol)) var lineProtocol: String?
  @Option(name: name(.http), help: help(.http)) var http: String?
  @Option(name: name(.postgres), help: help(.postgres)) var postgres: String?
  @Option(name: name(.sync), help: help(.sync)) var sync: String?
  @Option(name: name(.memory), help: help(.memory)) var memory: String?
  @Option(name: name(.pageCache), help: help(.pageCache)) var pageCache: String?
  @Option(name: name(.maxFuture), help: help(.maxFuture)) var maxFuture: String?
  @Option(name: name(.sealAge), help: help(.sealAge)) var sealAge: String?
  @Option(name: name(.sealIdle), help: help(.sealIdle)) var sealIdle: String?
  @Option(name: name(.sealSize), help: help(.sealSize)) var sealSize: String?
  @Option(name: name(.keptLog), help: help(.keptLog)) var keptLog: String?
  @Option(name: name(.compaction), help: help(.compaction)) var compaction: String?
  @Option(name: name(.compactionRate), help: help(.compactionRate)) var compactionRate: String?
  @Option(name: name(.maxSeries), help: help(.maxSeries)) var maxSeries: String?
  @Option(name: name(.connections), help: help(.connections)) var connections: String?
  @Option(name: name(.sessions), help: help(.sessions)) var sessions: String?
  @Option(name: name(.queriesFirst), help: help(.queriesFirst)) var queriesFirst: String?
  @Option(name: name(.backupTo), help: help(.backupTo)) var backupTo: String?
  @Option(name: name(.backupEvery), help: help(.backupEvery)) var backupEvery: String?
  @Option(name: name(.shipEvery), help: help(.shipEvery)) var shipEvery: String?
  @Option(name: name(.backupKeep), help: help(.backupKeep)) var backupKeep: String?
  @Option(name: name(.backupRate), help: help(.backupRate)) var backupRate: String?
  @Option(name: name(.unshippedLog), help: help(.unshippedLog)) var unshippedLog: String?
  @Option(name: name(.backupAnywhere), help: help(.backupAnywhere)) var backupAnywhere: String?
  @Option(name: name(.maxBody), help: help(.maxBody)) var maxBody: String?
  @Option(name: name(.logLevel), help: help(.logLevel)) var logLevel: String?
  @Option(name: name(.logFormat), help: help(.logFormat)) var logFormat: String?
  @Option(name: name(.logMinDurationStatement), help: help(.logMinDurationStatement))
  var logMinDurationStatement: String?
  @Flag(name: name(.insecure), help: help(.insecure)) var insecure = false
  @Option(name: name(.archive), help: help(.archive)) var archive: String?
  @Option(name: name(.archiveCache), help: help(.archiveCache)) var archiveCache: String?
  @Option(name: name(.s3Endpoint), help: help(.s3Endpoint)) var s3Endpoint: String?
  @Option(name: name(.s3Region), help: help(.s3Region)) var s3Region: String?
  @Flag(name: name(.s3PathStyle), help: help(.s3PathStyle)) var s3PathStyle = false
  @Option(name: name(.s3Timeout), help: help(.s3Timeout)) var s3Timeout: String?

  /// The ones that were given, by setting.
  var given: [String: String] {
    var flags: [String: String] = [:]
    let values: [(Setting, String?)] = [
      (.data, data), (.lineProtocol, lineProtocol), (.http, http), (.postgres, postgres), (.sync, sync),
      (.memory, memory), (.pageCache, pageCache),
      (.maxFuture, maxFuture), (.sealAge, sealAge), (.sealIdle, sealIdle), (.sealSize, sealSize),
      (.keptLog, keptLog), (.compaction, compaction), (.compactionRate, compactionRate), (.maxSeries, maxSeries),
      (.connections, connections), (.sessions, sessions),
      (.backupTo, backupTo), (.backupEvery, backupEvery), (.shipEvery, shipEvery), (.backupKeep, backupKeep),
      (.backupRate, backupRate), (.unshippedLog, unshippedLog), (.backupAnywhere, backupAnywhere),
      (.queriesFirst, queriesFirst), (.maxBody, maxBody), (.logLevel, logLevel), (.logFormat, logFormat),
      (.logMinDurationStatement, logMinDurationStatement), (.insecure, insecure ? "true" : nil),
      (.archive, archive), (.archiveCache, archiveCache), (.s3Endpoint, s3Endpoint), (.s3Region, s3Region),
      (.s3PathStyle, s3PathStyle ? "true" : nil),
      (.s3Timeout, s3Timeout),
    ]
    for (setting, value) in values { flags[setting.name] = value }
    return flags
  }

  private static func name(_ setting: Setting) -> NameSpecification { .customLong(setting.name) }

  private static func help(_ setting: Setting) -> ArgumentHelp {
    // Defaults that are a part of this machine's memory are said in words.
    let isInWords =
      [Setting.memory.name, Setting.pageCache.name].contains(setting.name) || setting.kind == .flag
      || setting.kind == .textOrNone
    let value = isInWords ? "" : " (default: \(setting.defaultValue.text))"
    return ArgumentHelp("\(setting.help)\(value)", valueName: setting.valueName)
  }
}
