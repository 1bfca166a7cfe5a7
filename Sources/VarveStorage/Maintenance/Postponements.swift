// Partitions whose compaction failed for a reason that may pass, such as want of room or a disk that fails to read: they
// are left alone for a while, longer each time, and the others go on.

import VarveCore
import VarveIO

struct Postponements: Sendable {
  private struct Entry: Sendable {
    let until: Int64
    let nanoseconds: Int64
    let code: VarveError.Code

    /// One that was due long ago and never met again says nothing of today.
    func isForgotten(at now: Int64) -> Bool { now - until > nanoseconds }
  }

  private static let firstNanoseconds: Int64 = 30_000_000_000
  private static let longestNanoseconds: Int64 = 600_000_000_000

  private var entries: [PartitionKey: Entry] = [:]
  /// When forgotten ones are next looked for.
  private var nextCleanUp: Int64 = .min

  /// Puts the partition off from `now` on. Says whether that is news: want of room is once for all partitions, anything
  /// else once for each.
  mutating func add(_ key: PartitionKey, _ error: VarveError, now: Int64) -> Bool {
    if now >= nextCleanUp {
      entries = entries.filter { !$0.value.isForgotten(at: now) }
      nextCleanUp = now + Self.firstNanoseconds
    }
    let known = entries[key].flatMap { $0.isForgotten(at: now) ? nil : $0 }
    let isNews =
      error.isWant
      ? !entries.values.contains { $0.code == error.code && !$0.isForgotten(at: now) }
      : known.map { $0.code != error.code } ?? true
    let nanoseconds = min(known.map { $0.nanoseconds * 2 } ?? Self.firstNanoseconds, Self.longestNanoseconds)
    entries[key] = Entry(until: now + nanoseconds, nanoseconds: nanoseconds, code: error.code)
    return isNews
  }

  mutating func remove(_ key: PartitionKey) { entries[key] = nil }

  mutating func remove(table: TableID) { entries = entries.filter { $0.key.table != table } }

  /// When the first of those that are put off is tried again; nil: none is.
  func first(after now: Int64) -> Int64? { entries.values.lazy.map(\.until).filter { $0 > now }.min() }

  /// Whether the partition is put off at `now`.
  func contains(_ key: PartitionKey, at now: Int64) -> Bool { entries[key].map { now < $0.until } ?? false }
}
