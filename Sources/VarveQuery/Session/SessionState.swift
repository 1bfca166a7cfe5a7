// Who a session is and what it has set. Functions of running queries read it, so it is behind a lock.

import Synchronization
import VarveCompute
import VarveCore
import VarveStorage

package final class SessionState: Sendable {
  /// The sessions of the database, and this one's entry among them.
  package let monitor: SessionMonitor
  package let activity: SessionActivity
  package var user: String { activity.user }
  package var database: String { activity.database }
  let zones: TimeZoneDatabase
  /// What was written to the store.
  let ingestReport: @Sendable () -> IngestReport
  let maintenanceStatistics: @Sendable () -> MaintenanceStatistics
  let maintenanceReport: @Sendable () -> MaintenanceReport
  private struct Values {
    var settings: [String: String] = [:]
    /// Before the transaction, for ROLLBACK; nil outside of one.
    var beforeTransaction: [String: String]?
    /// Before SET LOCAL, for the end of the transaction.
    var beforeLocal: [String: String?] = [:]
    var effects: [SessionEffect] = []
    var snapshot: (any ReadSnapshot)?
    var cursors: [Name: CursorEntry] = [:]
    /// In the order they came.
    var listening: [Name] = []
    var pending = PendingNotifications()
  }
  private let values = Mutex(Values())

  init(
    monitor: SessionMonitor, activity: SessionActivity, zones: TimeZoneDatabase,
    ingestReport: @escaping @Sendable () -> IngestReport,
    maintenanceStatistics: @escaping @Sendable () -> MaintenanceStatistics,
    maintenanceReport: @escaping @Sendable () -> MaintenanceReport
  ) {
    self.monitor = monitor
    self.activity = activity
    self.zones = zones
    self.ingestReport = ingestReport
    self.maintenanceStatistics = maintenanceStatistics
    self.maintenanceReport = maintenanceReport
  }

  // MARK: Settings

  /// nil: there is no such setting.
  func setting(_ name: String) -> String? {
    let key = name.lowercased()
    if let value = values.withLock({ $0.settings[key] }) { return value }
    if key == "session_authorization" { return user }
    return defaultValue(key)
  }

  /// The database decides some.
  private func defaultValue(_ key: String) -> String? {
    if key == "log_min_duration_statement" { return String(monitor.slowStatementMilliseconds ?? -1) }
    return SettingDefinition.byName[key]?.defaultValue
  }

  /// nil: back to the default. Gives the value as it reads from now on.
  @discardableResult
  func set(_ name: String, _ value: String?, isLocal: Bool) throws -> String {
    let key = name.lowercased()
    let definition = SettingDefinition.byName[key]
    if definition == nil, !key.contains(".") {
      throw SQLError.make("42704", "unrecognized configuration parameter \"\(name)\"")
    }
    if definition == nil, key.hasPrefix("varve.") {
      throw SQLError.make(
        "42704", "unrecognized configuration parameter \"\(name)\"",
        hint: "SHOW ALL lists the settings there are.")
    }
    let normal = try value.map { try definition?.normalize($0, zones) ?? $0 } ?? defaultValue(key) ?? ""
    if key == "application_name" { activity.nameIs(normal) }
    values.withLock { values in
      if isLocal {
        if values.beforeTransaction == nil { return }
        if values.beforeLocal[key] == nil { values.beforeLocal[key] = .some(values.settings[key]) }
      } else {
        values.beforeLocal[key] = nil
      }
      let before = values.settings[key] ?? definition?.defaultValue
      values.settings[key] = value == nil ? nil : normal
      if let definition, definition.isReported, before != normal {
        values.effects.append(.parameterStatus(name: definition.name, value: normal))
      }
    }
    return normal
  }

  func resetAll() throws {
    let names = values.withLock { Array($0.settings.keys) }
    for name in names { try set(name, nil, isLocal: false) }
  }

  func listing() -> [(name: String, value: String, summary: String)] {
    SettingDefinition.all.map { ($0.name, setting($0.name) ?? "", $0.summary) }.sorted { $0.name < $1.name }
  }

  var reported: [(name: String, value: String)] {
    SettingDefinition.all.filter(\.isReported).map { ($0.name, setting($0.name) ?? "") }
  }

  var timeZone: String { setting("timezone") ?? "UTC" }
  var intervalStyle: IntervalStyle { setting("intervalstyle").flatMap(IntervalStyle.init) ?? .postgres }
  var statementTimeoutNanoseconds: Int64 { nanoseconds("statement_timeout") }
  var idleTimeoutNanoseconds: Int64 { nanoseconds("idle_in_transaction_session_timeout") }
  var lockTimeoutNanoseconds: Int64 { nanoseconds("lock_timeout") }
  /// Of a setting in milliseconds; 0: no limit.
  private func nanoseconds(_ name: String) -> Int64 {
    let product = (Int64(setting(name) ?? "0") ?? 0).multipliedReportingOverflow(by: 1_000_000)
    return product.overflow ? 0 : product.partialValue
  }
  /// How long a statement runs before it is told of; nil: it never is.
  var slowStatementNanoseconds: Int64? {
    let milliseconds =
      values.withLock { $0.settings["log_min_duration_statement"] }.map { Int64($0) }
      ?? monitor.slowStatementMilliseconds.map { Int64($0) }
    guard let milliseconds, milliseconds >= 0 else { return nil }
    let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : nanoseconds
  }

  /// How long a connection may do nothing; nil: for ever.
  package func idleLimitNanoseconds(isInTransaction: Bool) -> Int64? {
    let name = isInTransaction ? "idle_in_transaction_session_timeout" : "idle_session_timeout"
    guard let text = values.withLock({ $0.settings[name] }), let milliseconds = Int64(text), milliseconds > 0 else {
      return nil
    }
    let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : nanoseconds
  }

  func countFailure(_ kind: StatementKind, _ error: any Error) {
    let state = (error as? VarveError)?.finalSQLState ?? "XX000"
    let isTimeout = activity.control.hasExpired
    monitor.count { $0.addFailure(kind, state, isTimeout: isTimeout) }
  }

  var usesRollups: Bool { setting("varve.use_rollups") != "off" }
  var usesSummaries: Bool { setting("varve.use_summaries") != "off" }
  var usesPageAggregates: Bool { setting("varve.use_page_aggregates") != "off" }
  var rowsPerPart: Int { max(1, Int(setting("varve.rows_per_part") ?? "") ?? SettingDefinition.defaultRowsPerPart) }
  var queryMemoryByteCount: Int {
    Int(setting("varve.query_memory_limit") ?? "") ?? SettingDefinition.defaultQueryMemory
  }

  /// The settings of a moment within a transaction, and what it has said about channels.
  struct SettingsMark {
    fileprivate let settings: [String: String]
    fileprivate let beforeLocal: [String: String?]
    fileprivate let pending: PendingNotifications
  }
  func mark() -> SettingsMark {
    values.withLock { SettingsMark(settings: $0.settings, beforeLocal: $0.beforeLocal, pending: $0.pending) }
  }
  func rollback(to mark: SettingsMark) {
    let changed: [(String, String?)] = values.withLock { values in
      values.beforeLocal = mark.beforeLocal
      values.pending = mark.pending
      return Self.change(&values.settings, to: mark.settings)
    }
    report(changed)
  }

  func beginTransaction() { values.withLock { $0.beforeTransaction = $0.settings } }
  func endTransaction(committed: Bool) {
    let changed: [(String, String?)] = values.withLock { values in
      guard let before = values.beforeTransaction else { return [] }
      values.beforeTransaction = nil
      var target = values.settings
      if committed {
        for (key, value) in values.beforeLocal { target[key] = value }
      } else {
        target = before
      }
      values.beforeLocal = [:]
      return Self.change(&values.settings, to: target)
    }
    report(changed)
  }

  /// Gives what is another value now.
  private static func change(_ settings: inout [String: String], to target: [String: String]) -> [(String, String?)] {
    let keys = Set(settings.keys).union(target.keys)
    let changed = keys.filter { settings[$0] != target[$0] }.map { ($0, target[$0]) }
    settings = target
    return changed
  }

  private func report(_ changed: [(String, String?)]) {
    for (key, value) in changed {
      if let definition = SettingDefinition.byName[key], definition.isReported {
        add(.parameterStatus(name: definition.name, value: value ?? definition.defaultValue))
      }
    }
  }

  // MARK: Effects, and what functions see

  func add(_ effect: SessionEffect) { values.withLock { $0.effects.append(effect) } }
  func takeEffects() -> [SessionEffect] {
    values.withLock { values in
      defer { values.effects = [] }
      return values.effects
    }
  }

  // MARK: Channels

  /// What the session listens to.
  var listening: [Name] { values.withLock { $0.listening } }
  func listens(to channels: [Name]) { values.withLock { $0.listening = channels } }
  var pendingNotifications: PendingNotifications { values.withLock { $0.pending } }
  func changePending(_ body: (inout PendingNotifications) throws -> Void) rethrows {
    try values.withLock { try body(&$0.pending) }
  }
  func takePendingNotifications() -> PendingNotifications {
    values.withLock { values in
      defer { values.pending = PendingNotifications() }
      return values.pending
    }
  }

  // MARK: What functions see

  /// nil: there is no such cursor any more.
  func setCursor(_ name: String, _ entry: CursorEntry?) { values.withLock { $0.cursors[Name(name)] = entry } }
  var cursors: [CursorEntry] { values.withLock { $0.cursors.values.sorted { $0.name < $1.name } } }

  /// The snapshot of the running statement, for functions about tables.
  func setSnapshot(_ snapshot: (any ReadSnapshot)?) { values.withLock { $0.snapshot = snapshot } }

  /// A dimension table by the object id of its primary key.
  func table(ofKey oid: Int64) -> DimensionSchema? {
    values.withLock { $0.snapshot }.flatMap { DimensionCatalog.table(ofKey: oid, $0) }
  }

  /// The SELECT of a rollup.
  func rollupStatement(of oid: Int64) -> String? {
    values.withLock { $0.snapshot }.flatMap { snapshot in
      UInt32(exactly: oid).flatMap { snapshot.rollup(TableID(rawValue: $0 &- CatalogView.firstTableOID)) }
    }?.definition.statement
  }

  func tableSize(_ oid: Int64) -> Datum {
    guard let snapshot = values.withLock({ $0.snapshot }),
      let table = snapshot.tables().first(where: { Int64(CatalogView.oid($0.id)) == oid })
    else { return .int(0) }
    return .int(Int64(snapshot.statistics(of: table.id).chunkBytes))
  }

  /// Of the one database there is.
  func databaseSize() -> Datum {
    guard let snapshot = values.withLock({ $0.snapshot }) else { return .int(0) }
    return .int(snapshot.tables().reduce(0) { $0 + Int64(snapshot.statistics(of: $1.id).chunkBytes) })
  }
}

/// What a statement did beside its result.
package enum SessionEffect: Sendable {
  /// A setting that clients are told of has a new value.
  case parameterStatus(name: String, value: String)
  case notice(severity: String, sqlState: String, message: String)
  /// DEALLOCATE of a statement that SQL's PREPARE did not make.
  case deallocate(String)
  case deallocateAll
  case cursorOpened(String, columns: [ResultColumn])
  case cursorClosed(String)
}
