// The states of all rollups, as a value: snapshots copy it.
//
// That a commit changed what a rollup has materialised is in no record of its own: the rows and the deletes say so
// themselves, and are looked at the same way when they are committed and when they are replayed. So a late row and its
// mark cannot come apart.

import VarveCore
import VarveFormat

/// A rollup as a snapshot has it.
package struct Rollup: Sendable {
  /// Of the series table that holds its rows.
  package let schema: TableSchema
  package let definition: RollupDefinition
  package let state: RollupState
  package init(schema: TableSchema, definition: RollupDefinition, state: RollupState) {
    self.schema = schema
    self.definition = definition
    self.state = state
  }
}

package struct RollupStates: Sendable {
  private var states: [TableID: RollupState] = [:]

  package init() {}

  package var isEmpty: Bool { states.isEmpty }
  /// Of a rollup; of one that has only been made: nothing is materialised.
  package subscript(table: TableID) -> RollupState { states[table] ?? RollupState(table: table) }
  mutating func set(_ state: RollupState) { states[state.table] = state }
  mutating func remove(_ table: TableID) { states[table] = nil }
  var all: [RollupState] { states.values.sorted { $0.table < $1.table } }

  /// Rows of a table were written.
  mutating func note(_ rows: HeadBlock, of table: TableID, _ catalog: Catalog, _ sequence: Sequence) {
    forEachRollup(of: table, catalog) { state, steps in
      guard rows.timeRange.lower < state.threshold else { return }
      for range in steps.ranges(of: rows.times.span, below: state.threshold) {
        state.invalidate(from: range.lower, to: range.upper, sequence)
      }
    }
  }

  /// Rows of a table were deleted.
  mutating func note(_ deletion: Deletion, _ catalog: Catalog, _ sequence: Sequence) {
    forEachRollup(of: deletion.table, catalog) { state, steps in
      guard deletion.time.lower < state.threshold else { return }
      state.invalidate(
        from: steps.start(of: deletion.time.lower), to: steps.end(of: deletion.time.upper), sequence)
    }
  }

  mutating func apply(_ step: RollupStep, _ catalog: Catalog, _ sequence: Sequence) throws {
    guard catalog.rollups[step.table] != nil else {
      throw VarveError(.corruption, "a record is about rollup \(step.table.rawValue), which does not exist")
    }
    var state = self[step.table]
    state.apply(step.kind, sequence)
    states[step.table] = state
  }

  private mutating func forEachRollup(
    of table: TableID, _ catalog: Catalog, _ body: (inout RollupState, InvalidationSteps) -> Void
  ) {
    // Nothing was materialised of what has no state yet.
    guard !states.isEmpty else { return }
    for (id, definition) in catalog.rollups where definition.source == table {
      guard var state = states[id] else { continue }
      body(&state, InvalidationSteps(definition))
      states[id] = state
    }
  }
}
