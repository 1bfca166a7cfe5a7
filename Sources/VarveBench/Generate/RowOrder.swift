// Which row comes next on one connection.
//
// Rows that are late, or come a second time, wait in a ring with a slot for each step of time that they can be late by;
// behind the rows of each step go those of its slot, and the ring turns. What is left in it when there are no further
// rows comes at the end, so every row is sent. The ring is all the memory that grows with the load: eight bytes
// for each row in it.

struct RowOrder {
  private let plan: LoadPlan
  private let lane: LanePlan
  /// Of 2^32: below the first a row is late, from there below the second it comes twice.
  private let lateLimit: UInt32
  private let duplicateLimit: UInt32

  /// Rows that have not had their turn.
  private var remaining: Int
  /// The step, or in the order of series the place of the series.
  private var line = 0
  /// The place within it.
  private var position = 0
  private var width: Int
  /// Series of this connection that have ended.
  private var base = 0
  private var permutation: Permutation

  private var slots: [[PlannedRow]]
  private var slot = 0
  private var heldCount = 0
  private var due: [PlannedRow] = []
  private var dueIndex = 0

  init(_ plan: LoadPlan, _ lane: LanePlan) {
    self.plan = plan
    self.lane = lane
    let scale = { (share: Double) in UInt32(clamping: Int64(share * 4_294_967_296)) }
    lateLimit = scale(plan.lateShare)
    duplicateLimit = scale(plan.lateShare + plan.duplicateShare)
    remaining = lane.rowCount
    slots = Array(repeating: [], count: duplicateLimit > 0 ? plan.lateSteps + 1 : 1)
    permutation = Permutation(count: lane.seriesCount, key: plan.seed)
    width = 0
    begin(line: 0)
  }

  /// No further rows have their turn; those in the ring still come.
  mutating func end() { remaining = 0 }

  /// Fills the buffer with the next rows; gives how many there are, 0 at the end.
  mutating func fill(_ rows: UnsafeMutableBufferPointer<PlannedRow>) -> Int {
    var count = 0
    while count < rows.count {
      if dueIndex < due.count {
        rows[count] = due[dueIndex]
        dueIndex += 1
        count += 1
      } else if remaining == 0 {
        if heldCount == 0 { break }
        turn()
      } else if position == width {
        if plan.order == .series, heldCount > 0 {
          turn()
        } else {
          begin(line: line + 1)
          if plan.order != .series { turn() }
        }
      } else {
        let row = nextRow()
        if let row = duplicateLimit == 0 ? row : fate(row) {
          rows[count] = row
          count += 1
        }
      }
    }
    return count
  }

  private mutating func begin(line: Int) {
    self.line = line
    position = 0
    if plan.order == .series {
      width = lane.fullSteps + (line < lane.longSeriesCount ? 1 : 0)
    } else {
      width = lane.seriesCount
      base = plan.churn > 0 ? Int(Double(line) * Double(lane.seriesCount) * plan.churn) : 0
      if plan.order == .random {
        permutation = Permutation(
          count: lane.seriesCount, key: plan.seed &+ UInt64(line) &* 0x2545_F491_4F6C_DD1D &+ UInt64(lane.index))
      }
    }
  }

  private mutating func nextRow() -> PlannedRow {
    let place = position
    position += 1
    remaining -= 1
    switch plan.order {
    case .series:
      if heldCount > 0 { turn() }
      return row(series: line, step: place)
    case .interleaved: return row(series: base + place, step: line)
    case .random: return row(series: base + Int(permutation[UInt32(truncatingIfNeeded: place)]), step: line)
    }
  }

  private func row(series: Int, step: Int) -> PlannedRow {
    PlannedRow(
      series: UInt32(truncatingIfNeeded: series * lane.count + lane.index), step: UInt32(truncatingIfNeeded: step),
      isProvisional: false)
  }

  /// The row to be sent now; nil if it only comes later.
  private mutating func fate(_ row: PlannedRow) -> PlannedRow? {
    let draw = mixed(plan.seed ^ (UInt64(row.series) << 32 | UInt64(row.step)))
    let share = UInt32(truncatingIfNeeded: draw)
    if share >= duplicateLimit { return row }
    let delay = 1 + Int((draw >> 32) * UInt64(plan.lateSteps) >> 32)
    slots[(slot + delay) % slots.count].append(row)
    heldCount += 1
    if share < lateLimit { return nil }
    return PlannedRow(series: row.series, step: row.step, isProvisional: true)
  }

  /// The step is over: what waited for its end is due.
  private mutating func turn() {
    due.removeAll(keepingCapacity: true)
    dueIndex = 0
    swap(&due, &slots[slot])
    heldCount -= due.count
    slot = (slot + 1) % slots.count
  }
}
