// What a rollup has to write so that its source's rows below a time can go with the same commit.
//
//            bucket     bucket        frozen          bucket   time    end of the bucket
//   ─────────┼──────────┼─────────────┼───────────────┼────────┼───────┼─────
//    stored  │ + late   │ stored      │ stored        │ from   │ from  │ as it is
//    stays   │ rows     │ stays       │ stays         │ source │ source│
//
// Rows that came late for frozen buckets are merged onto them. The bucket that the time falls into becomes two rows, the
// first for good, the second under the time itself, to be made anew when more comes.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

struct RollupFreeze {
  private let rollup: BoundRollup
  private let state: RollupState
  private let time: Int64
  private let context: ExecutionContext
  private var stored: [TimeRange] = []
  private var raw: [TimeRange] = []
  private var clearing: [TimeRange] = []

  /// Of the context's snapshot, in which everything between what is frozen and the bucket of the time is materialised.
  init(_ rollup: BoundRollup, _ state: RollupState, before time: Int64, _ context: ExecutionContext) {
    self.rollup = rollup
    self.state = state
    self.time = time
    self.context = context
  }

  /// Throws SQLSTATE 40001 if something is not materialised.
  mutating func write() throws -> RollupWrite {
    let grid = rollup.statement.grid
    let bucket = try grid.start(of: time)
    guard state.threshold >= time, state.watermark >= min(bucket, time),
      !state.invalid.contains(where: { $0.lower < bucket && $0.upper > state.frozen })
    else { throw RollupCommit.conflict("rows came late for times that are to be dropped") }
    try addLate(grid)
    var settled = time
    var batches: [PointBatch] = []
    if time > state.settled, bucket < time {
      if bucket < state.frozen { stored.append(TimeRange(lower: bucket, upper: state.frozen - 1)) }
      raw.append(TimeRange(lower: max(bucket, state.frozen), upper: time - 1))
      let end = try grid.end(of: time)
      if state.watermark >= end {
        settled = end
        let rest = TimeRange(lower: time, upper: end - 1)
        var keys = rollup.statement.keys
        keys[rollup.statement.bucketKey] = RollupRefresh.cellKey(rollup.statement, cutAt: time)
        batches += try run(RollupReader.rawParts(rollup.statement.query, [rest], keys: keys))
      }
      clearing.append(TimeRange(lower: bucket, upper: settled - 1))
    }
    batches = try merged() + batches
    return RollupWrite(
      table: rollup.schema.id, definition: rollup.definition, basis: context.snapshot.sequence,
      clearing: clearing, batches: batches,
      steps: [.materialised(lower: .min, upper: settled, through: context.snapshot.sequence), .frozen(time)])
  }

  /// Buckets that late rows lie in, as far as they are frozen.
  private mutating func addLate(_ grid: BucketGrid) throws {
    let limit = min(state.frozen, time)
    let waiting = state.invalid.filter { $0.lower < limit }.map {
      TimeRange(lower: $0.lower, upper: min($0.upper, limit) - 1)
    }
    guard !waiting.isEmpty else { return }
    raw = waiting
    let rows = try run(RollupReader.rawParts(rollup.statement.query, waiting))
    var buckets: Set<Int64> = []
    for batch in rows { for time in batch.times.span { buckets.insert(time) } }
    if buckets.isEmpty { raw = [] }
    for bucket in buckets.sorted() {
      let range = TimeRange(lower: bucket, upper: min(try grid.end(of: bucket), state.frozen) - 1)
      if let last = stored.last, last.upper + 1 == range.lower {
        stored[stored.count - 1].upper = range.upper
      } else {
        stored.append(range)
      }
    }
    clearing = stored
  }

  /// What the rollup has there with what is to be added; the bucket that is cut may be one that late rows lie in.
  private func merged() throws -> [PointBatch] {
    let query = rollup.statement.query
    let kept = stored.isEmpty ? nil : RollupReader.storedParts(rollup, stored.merged)
    let added = raw.isEmpty ? nil : RollupReader.rawParts(query, raw.merged)
    guard let rows = RollupReader.union(kept, added) else { return [] }
    return try run(RollupReader.restored(query, RollupReader.merged(query, rows)))
  }

  private func run(_ plan: LogicalPlan) throws -> [PointBatch] {
    try RollupRefresh.batches(of: plan, rollup, context)
  }
}
