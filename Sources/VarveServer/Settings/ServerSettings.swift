// The settings as the server uses them.

import VarveCore
import Varve

package struct ServerSettings: Sendable {
  package enum LogFormat: Sendable { case automatic, text, json }

  package var data: String
  package var lineProtocol: ListenAddress
  package var http: ListenAddress
  package var postgres: ListenAddress
  package var sync: SyncSetting
  package var memoryByteCount: Int
  package var pageCacheByteCount: Int
  package var maxFutureMilliseconds: Int
  package var sealAgeMilliseconds: Int
  package var sealIdleMilliseconds: Int
  package var keptLogByteCount: Int
  package var sealByteCount: Int
  package var isCompacting: Bool
  package var compactionBytesPerSecond: Int
  package var maxSeries: Int
  package var connections: Int
  package var sessions: Int
  /// Whether somebody asked for so many connections or sessions.
  package var areConnectionsAskedFor: Bool
  package var areQueriesFirst: Bool
  package var maxBodyByteCount: Int
  /// nil: it does not back itself up.
  package var backups: Database.Backups?
  package var backupBytesPerSecond: Int
  package var backupsGoAnywhere: Bool
  package var logLevel: String
  package var logFormat: LogFormat
  /// nil: none are logged.
  package var slowStatementMilliseconds: Int?
  package var isInsecure: Bool
  /// nil: there is none.
  package var archive: String?
  package var archiveCacheByteCount: Int
  /// nil: what else says it.
  package var s3Endpoint: String?
  package var s3Region: String?
  package var isS3PathStyle: Bool
  package var s3IdleMilliseconds: Int

  /// Throws if they don't go together.
  package init(_ effective: EffectiveSettings) throws {
    func text(_ setting: Setting) -> String { effective[setting].value.text }
    func address(_ setting: Setting) -> ListenAddress {
      guard case .address(let address) = effective[setting].value else { preconditionFailure("an address") }
      return address
    }
    func number(_ setting: Setting) -> Int {
      switch effective[setting].value {
      case .byteCount(let number), .count(let number), .duration(milliseconds: let number): return number
      default: preconditionFailure("a number")
      }
    }
    data = text(.data)
    lineProtocol = address(.lineProtocol)
    http = address(.http)
    postgres = address(.postgres)
    guard case .sync(let mode) = effective[.sync].value else { preconditionFailure("a sync mode") }
    sync = mode
    memoryByteCount = number(.memory)
    pageCacheByteCount = number(.pageCache)
    maxFutureMilliseconds = number(.maxFuture)
    sealAgeMilliseconds = number(.sealAge)
    sealIdleMilliseconds = number(.sealIdle)
    keptLogByteCount = number(.keptLog)
    sealByteCount = number(.sealSize)
    isCompacting = effective[.compaction].value == .choice("on")
    compactionBytesPerSecond = number(.compactionRate)
    maxSeries = number(.maxSeries)
    connections = number(.connections)
    sessions = number(.sessions)
    areConnectionsAskedFor = [Setting.connections, .sessions].contains { effective[$0].source != "default" }
    areQueriesFirst = effective[.queriesFirst].value == .choice("on")
    maxBodyByteCount = number(.maxBody)
    backups = Self.backups(effective)
    backupBytesPerSecond = number(.backupRate)
    let isReached = [lineProtocol, http, postgres].contains { !$0.isLoopback }
    backupsGoAnywhere =
      switch text(.backupAnywhere) {
      case "on": true
      case "off": false
      default: backups == nil && !isReached
      }
    logLevel = text(.logLevel)
    logFormat =
      switch text(.logFormat) {
      case "text": .text
      case "json": .json
      default: .automatic
      }
    if case .duration(let milliseconds) = effective[.logMinDurationStatement].value {
      slowStatementMilliseconds = milliseconds
    }
    isInsecure = effective[.insecure].value == .flag(true)
    archive = text(.archive).isEmpty ? nil : text(.archive)
    archiveCacheByteCount = number(.archiveCache)
    s3Endpoint = text(.s3Endpoint).isEmpty ? nil : text(.s3Endpoint)
    s3Region = text(.s3Region).isEmpty ? nil : text(.s3Region)
    isS3PathStyle = effective[.s3PathStyle].value == .flag(true)
    s3IdleMilliseconds = number(.s3Timeout)
    guard s3IdleMilliseconds >= Limits.objectLeastIdleMilliseconds else {
      throw VarveError(
        .invalidArgument,
        "\(effective[.s3Timeout].source): s3-timeout must be at least \(Limits.objectLeastIdleMilliseconds)ms")
    }

    for (setting, address) in [(Setting.lineProtocol, lineProtocol), (.http, http), (.postgres, postgres)]
    where !isInsecure && !address.isLoopback {
      throw VarveError(
        .invalidArgument,
        "\(setting.name) (\(effective[setting].source)): \(address) can be reached from other machines, and this version has neither TLS nor passwords",
        hint: "listen on 127.0.0.1, or pass --insecure if the network is trusted")
    }
  }

  private static func backups(_ effective: EffectiveSettings) -> Database.Backups? {
    let place = effective[.backupTo].value.text
    guard !place.isEmpty else { return nil }
    func duration(_ setting: Setting) -> Duration? {
      if case .duration(let milliseconds) = effective[setting].value { .milliseconds(milliseconds) } else { nil }
    }
    var backups = Database.Backups(place: place)
    backups.every = duration(.backupEvery)
    backups.shipEvery = duration(.shipEvery)
    switch effective[.backupKeep].value {
    case .count(let count): backups.keep = .newest(count)
    case .duration(let milliseconds): backups.keep = .age(.milliseconds(milliseconds))
    default: backups.keep = .all
    }
    if case .byteCount(let count) = effective[.unshippedLog].value { backups.unshippedLogByteCount = count }
    return backups
  }

  package var databaseOptions: Database.Options {
    var options = Database.Options()
    options.sync =
      switch sync {
      case .always: .always
      case .interval(let milliseconds): .interval(milliseconds: milliseconds)
      case .off: .off
      }
    options.memoryBudgetByteCount = memoryByteCount
    options.pageCacheByteCount = pageCacheByteCount
    options.maxFuture = .milliseconds(maxFutureMilliseconds)
    options.sealAge = .milliseconds(sealAgeMilliseconds)
    options.sealIdle = .milliseconds(sealIdleMilliseconds)
    options.keptLogByteCount = keptLogByteCount
    options.sealByteCount = sealByteCount
    options.backups = backups
    options.backupBytesPerSecond = backupBytesPerSecond
    options.backupsGoAnywhere = backupsGoAnywhere
    options.compaction = isCompacting
    options.compactionBytesPerSecond = compactionBytesPerSecond
    options.maxSeriesPerTable = maxSeries
    options.archive = archive
    options.archiveCacheByteCount = archiveCacheByteCount
    options.queryThreads = areQueriesFirst ? .preferred : .normal
    options.slowStatement = slowStatementMilliseconds.map { .milliseconds($0) }
    return options
  }
}
