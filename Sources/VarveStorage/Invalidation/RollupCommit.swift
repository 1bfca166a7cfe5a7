// What a refresh commits: rows of rollups in place of those they had, and how far the rollups are then. All of it is one
// commit, made only if the rollup is still what the refresh began with.

import VarveCore
import VarveFormat

package struct RollupWrite: Sendable {
  package var table: TableID
  /// As the refresh read it.
  package var definition: RollupDefinition
  /// Commit of the snapshot that the rows were made from.
  package var basis: Sequence
  /// The refresh's own last commit of this rollup, if this goes on with it.
  package var continuing: Sequence?
  /// Rows of the rollup that go: all of these times.
  package var clearing: [TimeRange]
  package var batches: [PointBatch]
  package var steps: [RollupStep.Kind]

  package init(
    table: TableID, definition: RollupDefinition, basis: Sequence, continuing: Sequence? = nil,
    clearing: [TimeRange] = [], batches: [PointBatch] = [], steps: [RollupStep.Kind] = []
  ) {
    self.table = table
    self.definition = definition
    self.basis = basis
    self.continuing = continuing
    self.clearing = clearing
    self.batches = batches
    self.steps = steps
  }
}

/// Rows of a source that go with this commit, all of whose rollups are frozen by it.
package struct RetentionDrop: Sendable {
  package var source: TableID
  /// Rows of times below.
  package var before: Int64
  /// Nothing below may wait to be materialised in any of the rollups: at least `before`.
  package var settledBefore: Int64
  package init(source: TableID, before: Int64, settledBefore: Int64) {
    self.source = source
    self.before = before
    self.settledBefore = settledBefore
  }
}

package struct RollupCommit: Sendable {
  package var writes: [RollupWrite]
  package var drop: RetentionDrop?
  package init(_ writes: [RollupWrite], drop: RetentionDrop? = nil) {
    self.writes = writes
    self.drop = drop
  }

  package var byteCount: Int {
    writes.reduce(0) { $0 + $1.batches.reduce(0) { $0 + $1.byteCount } }
  }

  /// Another refresh, a change of the rollup or rows that came late were faster.
  package static func conflict(_ reason: String) -> VarveError {
    VarveError(.query, "the rollup could not be refreshed: \(reason)", hint: "Try again.", sqlState: "40001")
  }

  /// Throws SQLSTATE 40001 if what the refresh read is no longer so. `lastWrites` has the last commit that wrote each
  /// rollup.
  func check(_ catalog: Catalog, _ states: RollupStates, _ lastWrites: [TableID: Sequence]) throws {
    for write in writes {
      guard catalog.rollups[write.table] == write.definition else { throw Self.conflict("it was changed meanwhile") }
      let last = lastWrites[write.table] ?? .zero
      guard last <= write.basis || last == write.continuing else {
        throw Self.conflict("another refresh was faster")
      }
    }
    guard let drop else { return }
    for rollup in catalog.rollups(of: drop.source) {
      guard writes.contains(where: { $0.table == rollup && $0.steps.contains(.frozen(drop.before)) }) else {
        throw Self.conflict("a rollup was made meanwhile")
      }
      // The watermark is what the steps of this commit make it.
      var state = states[rollup]
      for write in writes where write.table == rollup {
        for step in write.steps where step != .frozen(drop.before) { state.apply(step, write.basis) }
      }
      guard state.watermark >= drop.before, !state.invalid.contains(where: { $0.lower < drop.settledBefore }) else {
        throw Self.conflict("rows came late for times that are to be dropped")
      }
    }
  }
}
