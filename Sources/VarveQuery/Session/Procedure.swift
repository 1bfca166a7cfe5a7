// CALL: what a database does on request. What TimescaleDB has as functions can be run by a SELECT that does nothing else,
// too.

import VarveCompute
import VarveCore

enum Procedure: String, CaseIterable {
  /// All rows in memory into chunk files; gives the last commit that is in them.
  case flush
  /// Every byte of the files read and checked; gives a row a file, and one a problem.
  case verify
  /// All there is at one moment copied to a place for backups, while writes go on; gives what it came to.
  case backup
  /// Rows in memory into chunk files, and those of each partition (of one table or of all) into one, the smallest there
  /// can be; gives chunks and bytes before and after, a row a table.
  case compactChunks = "compact_chunks"
  /// Everything of a rollup made that can be, within a range of time.
  case refresh = "refresh_continuous_aggregate"
  /// How a rollup is refreshed by itself; gives the job's id.
  case addRefreshPolicy = "add_continuous_aggregate_policy"
  /// A rollup is not refreshed by itself any more.
  case removeRefreshPolicy = "remove_continuous_aggregate_policy"
  case pauseJob = "pause_job"
  case resumeJob = "resume_job"

  /// Chunks that are wholly older than a time, or newer than another, go, or only would.
  case dropChunks = "drop_chunks"
  case showChunks = "show_chunks"
  /// What would go, with rows and bytes: a row a chunk.
  case retentionPreview = "retention_preview"
  /// What is old goes at once, or only would: by policy or by time, a row a table.
  case runRetention = "run_retention"
  case addRetentionPolicy = "add_retention_policy"
  case removeRetentionPolicy = "remove_retention_policy"
  /// Rollups of rollups, each kept longer than what it is made from, in one call.
  case addDownsampling = "add_downsampling_policy"
  /// Rows of a table and of the rollups that such a call made do not go by themselves any more.
  case removeDownsampling = "remove_downsampling_policy"
  /// What is old of a table goes to the archive by itself; gives the job's id.
  case addTieringPolicy = "add_tiering_policy"
  case removeTieringPolicy = "remove_tiering_policy"
  /// What is old goes to the archive at once, or only would: by policy or by time, a row a table.
  case archiveRun = "archive_run"
  /// A row an archived chunk.
  case archiveList = "archive_list"
  /// Every byte of the archive's objects read and checked; gives a row a problem, and one that sums up.
  case archiveVerify = "archive_verify"
  /// What is archived of a table, within a range of time, is in local chunks again.
  case archiveRestore = "archive_restore"
  /// The time of day is what it should be, however far it has jumped.
  case trustClock = "trust_clock"

  /// nil: there is no such procedure.
  init?(_ name: [String]) {
    guard let last = name.last, name.count == 1 || (name.count == 2 && name[0] == "varve") else { return nil }
    self.init(rawValue: last)
  }

  /// Whether SELECT runs it.
  var isFunction: Bool {
    switch self {
    case .flush, .verify, .backup, .refresh: false
    case .addTieringPolicy, .removeTieringPolicy, .archiveRun, .archiveList, .archiveVerify, .archiveRestore: true
    case .compactChunks: true
    case .addRefreshPolicy, .removeRefreshPolicy, .pauseJob, .resumeJob: true
    case .dropChunks, .showChunks, .retentionPreview, .runRetention: true
    case .addRetentionPolicy, .removeRetentionPolicy, .trustClock, .addDownsampling, .removeDownsampling: true
    }
  }

  struct Parameter {
    let name: String
    let type: SQLType
    /// What may be left out is then NULL.
    let isOptional: Bool
    /// A time may be given as how long it is ago.
    var takesAge: Bool { name == "older_than" || name == "newer_than" }
    init(_ name: String, _ type: SQLType, isOptional: Bool = false) {
      self.name = name
      self.type = type
      self.isOptional = isOptional
    }
  }

  var parameters: [Parameter] {
    let rollup = Parameter("continuous_aggregate", .text)
    return switch self {
    case .flush, .verify: []
    case .backup:
      [Parameter("place", .text, isOptional: true), Parameter("bytes_per_second", .int8, isOptional: true)]
    case .compactChunks: [Parameter("table_name", .text, isOptional: true)]
    case .refresh: [rollup, Parameter("window_start", .timestamptz), Parameter("window_end", .timestamptz)]
    case .addRefreshPolicy:
      [
        rollup, Parameter("start_offset", .interval), Parameter("end_offset", .interval),
        Parameter("schedule_interval", .interval, isOptional: true),
        Parameter("if_not_exists", .bool, isOptional: true),
      ]
    case .removeRefreshPolicy: [rollup, Parameter("if_exists", .bool, isOptional: true)]
    case .pauseJob, .resumeJob: [Parameter("job_id", .int8)]
    case .dropChunks, .showChunks, .retentionPreview:
      [
        Parameter("relation", .text), Parameter("older_than", .timestamptz, isOptional: true),
        Parameter("newer_than", .timestamptz, isOptional: true),
      ]
    case .runRetention:
      [
        Parameter("relation", .text, isOptional: true), Parameter("older_than", .timestamptz, isOptional: true),
        Parameter("newer_than", .timestamptz, isOptional: true), Parameter("dry_run", .bool, isOptional: true),
      ]
    case .addDownsampling:
      [
        Parameter("relation", .text), Parameter("levels", .jsonb), Parameter("if_not_exists", .bool, isOptional: true),
        Parameter("dry_run", .bool, isOptional: true),
      ]
    case .removeDownsampling: [Parameter("relation", .text), Parameter("if_exists", .bool, isOptional: true)]
    case .addRetentionPolicy:
      [
        Parameter("relation", .text), Parameter("drop_after", .interval),
        Parameter("if_not_exists", .bool, isOptional: true),
      ]
    case .removeRetentionPolicy: [Parameter("relation", .text), Parameter("if_exists", .bool, isOptional: true)]
    case .addTieringPolicy:
      [
        Parameter("hypertable", .text), Parameter("move_after", .interval),
        Parameter("if_not_exists", .bool, isOptional: true),
      ]
    case .removeTieringPolicy: [Parameter("hypertable", .text), Parameter("if_exists", .bool, isOptional: true)]
    case .archiveRun:
      [
        Parameter("relation", .text, isOptional: true), Parameter("older_than", .timestamptz, isOptional: true),
        Parameter("dry_run", .bool, isOptional: true), Parameter("delete_unneeded", .bool, isOptional: true),
        Parameter("adopt", .bool, isOptional: true),
      ]
    case .archiveList, .archiveVerify: [Parameter("relation", .text, isOptional: true)]
    case .archiveRestore:
      [
        Parameter("relation", .text), Parameter("older_than", .timestamptz, isOptional: true),
        Parameter("newer_than", .timestamptz, isOptional: true),
      ]
    case .trustClock: []
    }
  }

  /// As users write it.
  var signature: String {
    let list = parameters.map { "\($0.name) \($0.type.name)\($0.isOptional ? " DEFAULT NULL" : "")" }
    return "\(rawValue)(\(list.joined(separator: ", ")))"
  }

  /// nil: it gives no rows.
  var columns: [ResultColumn]? {
    let columns: [(String, SQLType)] =
      switch self {
      case .flush: [("commit", .int8)]
      case .compactChunks:
        [
          ("table_name", .text), ("chunks_before", .int8), ("chunks_after", .int8), ("bytes_before", .int8),
          ("bytes_after", .int8),
        ]
      case .backup:
        [
          ("store", .text), ("backup", .int8), ("commit", .int8), ("files", .int8), ("bytes", .int8),
          ("bytes_sent", .int8), ("bytes_shared", .int8), ("seconds", .float8),
        ]
      case .verify: [("kind", .text), ("file", .text), ("bytes", .int8), ("message", .text)]
      case .addRefreshPolicy, .pauseJob, .resumeJob: [(rawValue, .int8)]
      case .dropChunks, .showChunks: [(rawValue, .text)]
      case .retentionPreview:
        [
          ("chunk", .text), ("range_start", .timestamptz), ("range_end", .timestamptz), ("rows", .int8),
          ("bytes", .int8),
        ]
      case .runRetention:
        [("table_name", .text), ("older_than", .timestamptz), ("chunks", .int8), ("rows", .int8), ("bytes", .int8)]
      case .addDownsampling:
        [
          ("relation", .text), ("source", .text), ("bucket", .text), ("drop_after", .text), ("change", .text),
          ("statement", .text),
        ]
      case .archiveRun:
        [
          ("table_name", .text), ("older_than", .timestamptz), ("rows", .int8), ("chunks", .int8), ("bytes", .int8),
          ("objects", .int8), ("object_bytes", .int8),
        ]
      case .archiveList:
        [
          ("table_name", .text), ("file", .text), ("object", .text), ("rows", .int8), ("bytes", .int8),
          ("object_bytes", .int8), ("first_time", .timestamptz), ("last_time", .timestamptz), ("own", .bool),
        ]
      case .archiveVerify: [("kind", .text), ("object", .text), ("bytes", .int8), ("message", .text)]
      case .archiveRestore:
        [
          ("table_name", .text), ("rows", .int8), ("objects", .int8), ("object_bytes", .int8), ("chunks", .int8),
          ("bytes", .int8),
        ]
      case .addRetentionPolicy, .addTieringPolicy: [(rawValue, .int8)]
      case .removeRefreshPolicy, .removeRetentionPolicy, .removeTieringPolicy, .trustClock, .removeDownsampling:
        [(rawValue, .void)]
      case .refresh: []
      }
    return columns.isEmpty ? nil : columns.map { ResultColumn(name: $0.0, type: $0.1) }
  }
}

extension ParsedStatement {
  /// The statement as a call, if all it does is to SELECT a procedure that is a function.
  var asProcedureCall: ParsedStatement? {
    guard case .select(let select) = syntax, case .select = select.body, select.targets.count == 1, select.isPlain,
      case .call(var call)? = select.targets[0].expression?.kind, let procedure = Procedure(call.name),
      procedure.isFunction
    else { return nil }
    call.isSelected = true
    let location = select.targets[0].expression?.location ?? 0
    return ParsedStatement(syntax: .call(call, location: location), source: source, text: text)
  }
}

extension SelectSyntax {
  /// Nothing but a list of expressions.
  fileprivate var isPlain: Bool {
    commonTables.isEmpty && !isDistinct && distinctOn.isEmpty && from.isEmpty && filter == nil && groupBy.isEmpty
      && having == nil && windows.isEmpty && orderBy.isEmpty && limit == nil && offset == nil && unsupported == nil
  }
}
