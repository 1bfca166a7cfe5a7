// When each rollup is refreshed: what is new as soon as a bucket is over, what is late once its table is quiet or has not
// been for some seconds, both not before a while after something failed.
//
// Times are monotonic nanoseconds.

import VarveCore

struct RefreshTimes: Sendable {
  /// Rows that were on their way when a bucket ended are given so long.
  static let settleNanoseconds: Int64 = 1_000_000_000
  /// A table whose rows are of times past is taken to be complete when none came for so long.
  static let pastNanoseconds: Int64 = 5_000_000_000
  private static let quietNanoseconds: Int64 = 1_000_000_000
  private static let lateNanoseconds: Int64 = 5_000_000_000
  private static let firstPauseNanoseconds: Int64 = 1_000_000_000
  private static let longestPauseNanoseconds: Int64 = 300_000_000_000
  /// Buckets that rows go on coming late for are made again and again: a fifth of the time at most.
  private static let restFactor: Int64 = 4
  private static let longestRestNanoseconds: Int64 = 60_000_000_000

  private struct Entry: Sendable {
    /// Since when there is something late; nil: there is nothing.
    var lateSince: Int64?
    var lateNotBefore = Int64.min
    var notBefore = Int64.min
    var pauseNanoseconds: Int64 = 0
    var failure: VarveError.Code?
    var policy: [UInt8] = []
  }

  private var entries: [TableID: Entry] = [:]

  /// With another policy, nothing is waited for that came of the one before.
  mutating func policyIs(_ policy: [UInt8], of table: TableID) {
    if entries[table]?.policy == policy { return }
    var entry = Entry()
    entry.policy = policy
    entries[table] = entry
  }

  func isWaiting(_ table: TableID, now: Int64) -> Bool { entries[table].map { now < $0.notBefore } ?? false }

  /// When it waits no longer; nil: it does not wait for a time.
  func nextRun(_ table: TableID) -> Int64? {
    guard let time = entries[table]?.notBefore, time > .min else { return nil }
    return time
  }

  /// Whether what is late is due. `quiet`: how long no rows have come.
  mutating func takesLate(_ table: TableID, hasLate: Bool, quiet: Int64, now: Int64) -> Bool {
    var entry = entries[table] ?? Entry()
    defer { entries[table] = entry }
    guard hasLate else {
      entry.lateSince = nil
      return false
    }
    let since = entry.lateSince ?? now
    entry.lateSince = since
    if quiet >= Self.quietNanoseconds { return true }
    return now >= entry.lateNotBefore && now - since >= Self.lateNanoseconds
  }

  mutating func succeeded(
    _ table: TableID, from start: Int64, to end: Int64, isDone: Bool, tookLate: Bool, scheduleNanoseconds: Int64?
  ) {
    var entry = entries[table] ?? Entry()
    entry.pauseNanoseconds = 0
    entry.failure = nil
    entry.notBefore = .min
    if isDone {
      // From here on it is other rows that are late.
      if tookLate {
        entry.lateSince = nil
        entry.lateNotBefore = end + min((end - start) * Self.restFactor, Self.longestRestNanoseconds)
      }
      if let scheduleNanoseconds {
        let next = start.addingReportingOverflow(scheduleNanoseconds)
        entry.notBefore = next.overflow ? .max : next.partialValue
      }
    }
    entries[table] = entry
  }

  /// Whether that is news.
  mutating func failed(_ table: TableID, _ error: VarveError, now: Int64) -> Bool {
    var entry = entries[table] ?? Entry()
    let isNews = entry.failure != error.code
    entry.failure = error.code
    entry.pauseNanoseconds = min(
      entry.pauseNanoseconds == 0 ? Self.firstPauseNanoseconds : entry.pauseNanoseconds * 2,
      Self.longestPauseNanoseconds)
    entry.notBefore = now + entry.pauseNanoseconds
    entries[table] = entry
    return isNews
  }

  mutating func keep(_ tables: Set<TableID>) {
    if entries.contains(where: { !tables.contains($0.key) }) { entries = entries.filter { tables.contains($0.key) } }
  }
}
