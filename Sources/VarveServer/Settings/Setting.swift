// Every setting of the server, declared once: its name, what values it takes, its default and its help.
//
// The name is the flag (`--seal-age`), the key of the TOML file (`seal-age`) and, in capitals, the environment
// variable (`VARVE_SEAL_AGE`).

import VarveCore
import VarveIO

package struct Setting: Sendable {
  package let name: String
  package let kind: SettingKind
  /// What stands for the value in help: `HOST:PORT`.
  package let valueName: String
  package let help: String
  /// As it would be written in a flag.
  private let defaultText: @Sendable () -> String

  private init(
    _ name: String, _ kind: SettingKind, _ valueName: String,
    default defaultText: @escaping @autoclosure @Sendable () -> String,
    _ help: String
  ) {
    self.name = name
    self.kind = kind
    self.valueName = valueName
    self.help = help
    self.defaultText = defaultText
  }

  package var environmentVariable: String { "VARVE_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined() }

  package var defaultValue: SettingValue {
    guard case .success(let value) = kind.value(of: defaultText()) else {
      preconditionFailure("the default of \(name) is a value of its kind")
    }
    return value
  }

  package static let data = Setting(
    "data", .text, "DIR", default: "./varve-data", "Directory of the database; created if it is missing.")
  package static let lineProtocol = Setting(
    "line-protocol", .address, "HOST:PORT", default: "127.0.0.1:9009",
    "Where line protocol is taken over TCP. Port 0 picks a free one, here and below.")
  package static let http = Setting(
    "http", .address, "HOST:PORT", default: "127.0.0.1:8086",
    "Where HTTP is answered: /write, /api/v2/write, /query, /metrics.")
  package static let postgres = Setting(
    "postgres", .address, "HOST:PORT", default: "127.0.0.1:5433", "Where the PostgreSQL protocol is spoken.")
  package static let sync = Setting(
    "sync", .sync, "MODE", default: "always",
    "When acknowledged rows are durable: always (before the answer), interval=MS (a crash may lose that much) or off.")
  package static let memory = Setting(
    "memory", .byteCount(minimum: 64 << 20), "BYTES", default: String(MemoryInformation.usableByteCount() / 2),
    "Memory for rows not yet in chunks, the series index, cached pages, queries and queues, such as 512MB or 4GB; by default half of the machine's."
  )
  package static let maxFuture = Setting(
    "max-future", .duration, "DURATION", default: "1d",
    "Rows with stamps further ahead of the clock are rejected; 90s, 15m, 24h, 1d.")
  package static let sealAge = Setting(
    "seal-age", .duration, "DURATION", default: "10m",
    "Rows are written to chunk files at the latest this long after they came.")
  package static let sealIdle = Setting(
    "seal-idle", .duration, "DURATION", default: "2s",
    "Rows are written to chunk files when none came for this long, unless they are few; 0s: not for that.")
  package static let sealSize = Setting(
    "seal-size", .byteCount(minimum: 4 << 20), "BYTES", default: "256MB",
    "Rows are written to chunk files when they take this much memory; at most a quarter of --memory.")
  package static let keptLog = Setting(
    "kept-log", .byteCount(minimum: 0), "BYTES", default: "128MB",
    "Log that is kept, though all in it is in chunk files, so that subscriptions can go on where they were; 0 keeps none."
  )
  package static let pageCache = Setting(
    "page-cache", .byteCount(minimum: 0), "BYTES", default: String(MemoryInformation.usableByteCount() / 16),
    "Memory for pages of chunk files that were read; at most a quarter of --memory; by default an eighth of it; 0 keeps none."
  )
  package static let compaction = Setting(
    "compaction", .choice(["on", "off"]), "on|off", default: "on",
    "Whether chunk files are merged, and deleted rows removed from them, without being asked for.")
  package static let compactionRate = Setting(
    "compaction-rate", .byteCount(minimum: 1 << 20), "BYTES", default: "64MB",
    "Bytes a second that compaction writes at most, unless it was asked for.")
  package static let maxSeries = Setting(
    "max-series", .count(1...2_000_000_000), "COUNT", default: "10000000",
    "Series (distinct tag sets) of a table; rows that would make more are rejected.")
  package static let connections = Setting(
    "connections", .count(1...1_000_000), "COUNT", default: "20000",
    "Connections at a time for line protocol, and as many for HTTP; fewer if the system allows too few open files.")
  package static let sessions = Setting(
    "sessions", .count(1...100_000), "COUNT", default: "1000",
    "Sessions at a time over the PostgreSQL protocol.")
  package static let queriesFirst = Setting(
    "queries-first", .choice(["on", "off"]), "on|off", default: "on",
    "Whether the first milliseconds of a statement go before ingest and everything else, as far as the system lets the process have real-time or negative nice priorities (CAP_SYS_NICE; LimitRTPRIO=, LimitNICE=)."
  )
  package static let backupTo = Setting(
    "backup-to", .textOrNone, "URL", default: "",
    "Where the server backs itself up to, such as file:///mnt/backups: a directory that is there, or s3://bucket/prefix."
  )
  package static let backupEvery = Setting(
    "backup-every", .durationOrOff, "DURATION|off", default: "1d",
    "How often a backup is taken, with --backup-to; the first at once if there is none. off: only when one is asked for."
  )
  package static let shipEvery = Setting(
    "ship-every", .durationOrOff, "DURATION|off", default: "10s",
    "How long it takes at most until what was written is at --backup-to too, so that a restore reaches it; off: only with the next backup."
  )
  package static let backupKeep = Setting(
    "backup-keep", .countOrDurationOrAll, "COUNT|DURATION|all", default: "all",
    "Which backups stay when a new one was taken: so many of the newest, or what it takes to restore any moment of the last 30d, and the log behind the oldest of them."
  )
  package static let backupRate = Setting(
    "backup-rate", .byteCount(minimum: 0), "BYTES", default: "32MB",
    "Bytes a second that a backup reads at most; 0: as fast as it goes.")
  package static let unshippedLog = Setting(
    "unshipped-log", .byteCount(minimum: 1 << 20), "BYTES", default: "1GB",
    "Log that is kept while --backup-to cannot be reached; what is older goes, and no moment in it can be restored to.")
  package static let backupAnywhere = Setting(
    "backup-anywhere", .choice(["auto", "on", "off"]), "auto|on|off", default: "auto",
    "Whether CALL backup() may name another place than --backup-to; auto: where that is not set and nobody but this machine can connect."
  )
  package static let maxBody = Setting(
    "max-body", .byteCount(minimum: 1 << 10), "BYTES", default: "64MB", "Largest HTTP request body, after unpacking.")
  package static let logLevel = Setting(
    "log-level", .choice(["debug", "info", "warning", "error"]), "LEVEL", default: "info",
    "debug, info, warning or error.")
  package static let logFormat = Setting(
    "log-format", .choice(["auto", "text", "json"]), "FORMAT", default: "auto",
    "text, json (an object a line), or auto: text on a terminal and json elsewhere.")
  package static let insecure = Setting(
    "insecure", .flag, "BOOL", default: "false",
    "Lets listeners take other addresses than loopback, although there are neither TLS nor passwords.")

  package static let archive = Setting(
    "archive", .textOrNone, "URL", default: "",
    "Where old chunks go and are read from: file:///path or s3://bucket/prefix.")
  package static let archiveCache = Setting(
    "archive-cache", .byteCount(minimum: 0), "BYTES", default: "1GB",
    "Disk for pieces of archived chunks that were fetched; 0 keeps none.")
  package static let s3Endpoint = Setting(
    "s3-endpoint", .textOrNone, "URL", default: "",
    "Where the S3 API is spoken, such as http://127.0.0.1:9000; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile, or AWS itself."
  )
  package static let s3Region = Setting(
    "s3-region", .textOrNone, "REGION", default: "",
    "Region of the buckets; else AWS_REGION, AWS_DEFAULT_REGION, the profile, or us-east-1.")
  package static let s3PathStyle = Setting(
    "s3-path-style", .flag, "BOOL", default: "false",
    "Puts the bucket into the path of S3's addresses, never into the host; so it is anyway where the host is an IP address."
  )
  package static let s3Timeout = Setting(
    "s3-timeout", .duration, "DURATION", default: "\(Limits.objectIdleMilliseconds / 1000)s",
    "How long an S3 store may take to answer, or to go on with it, before it is asked again.")

  package static let logMinDurationStatement = Setting(
    "log-min-duration-statement", .durationOrOff, "DURATION|off", default: "1s",
    "Statements that run for so long are logged with their plan; 0s: all. Sessions change theirs with SET log_min_duration_statement."
  )

  package static let all = [
    data, lineProtocol, http, postgres, sync, memory, pageCache, maxFuture, sealAge, sealIdle, sealSize,
    keptLog, compaction, compactionRate, maxSeries, connections, sessions, queriesFirst, backupTo, backupEvery,
    shipEvery, backupKeep, backupRate, unshippedLog, backupAnywhere, maxBody, logLevel, logFormat,
    logMinDurationStatement, insecure, archive, archiveCache, s3Endpoint, s3Region, s3PathStyle, s3Timeout,
  ]

  package static func named(_ name: String) -> Setting? { all.first { $0.name == name } }
}
