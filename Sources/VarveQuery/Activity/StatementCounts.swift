// What statements came to since the database was opened, by kind.

import VarveCore
import VarveStorage

package enum StatementKind: String, Sendable, CaseIterable {
  case select, insert, update, delete, copy, explain, call, definition, transaction, setting, other

  init(_ syntax: StatementSyntax) {
    switch syntax {
    case .select: self = .select
    case .insert: self = .insert
    case .update: self = .update
    case .delete, .truncate: self = .delete
    case .copy: self = .copy
    case .explain: self = .explain
    case .call: self = .call
    case .createTable, .createRollup, .alterTable, .dropTable: self = .definition
    case .transaction: self = .transaction
    case .set, .setTransaction, .show, .discard: self = .setting
    case .prepare(_, _, let inner): self.init(inner)
    // The rows of a cursor are those of its SELECT.
    case .fetch: self = .select
    case .empty, .deallocate, .execute, .declare, .closeCursor, .listen, .unlisten, .notify, .unsupported: self = .other
    }
  }
}

package struct StatementCounts: Sendable {
  package struct Kind: Sendable {
    /// Of those that ended in order.
    package var durations = LatencyHistogram()
    package var failures = 0
    package var rows = 0
  }

  /// What ended a statement before it was done.
  package enum Ending: String, Sendable, CaseIterable {
    case cancelled, timeout
    case overMemory = "memory"
  }

  package var kinds: [StatementKind: Kind] = [:]
  /// By the first two characters of their SQLSTATE.
  package var errorClasses: [String: Int] = [:]
  package var endings: [Ending: Int] = [:]
  package var planCacheHits = 0
  package var planCacheMisses = 0

  mutating func add(_ kind: StatementKind, nanoseconds: Int64, rows: Int) {
    kinds[kind, default: Kind()].durations.add(UInt64(max(0, nanoseconds)))
    kinds[kind, default: Kind()].rows += rows
  }

  mutating func addFailure(_ kind: StatementKind, _ sqlState: String, isTimeout: Bool) {
    kinds[kind, default: Kind()].failures += 1
    errorClasses[String(sqlState.prefix(2)), default: 0] += 1
    switch sqlState {
    case "57014": endings[isTimeout ? .timeout : .cancelled, default: 0] += 1
    case "53200": endings[.overMemory, default: 0] += 1
    default: break
    }
  }
}
