// When the next rows are due: at once, or by a schedule that a slow server does not hold up. With a schedule, latency
// counts from when rows were due, so that waiting for one's turn to be sent is part of it.

struct Pace {
  private let start: Int64
  /// nil: as fast as it goes.
  private let nanosecondsPerRow: Double?
  private var rowCount = 0

  init(start: Int64, rowsPerSecond: Double?) {
    self.start = start
    nanosecondsPerRow = rowsPerSecond.map { 1e9 / $0 }
  }

  /// Nanoseconds of the monotonic clock; nil: now.
  var due: Int64? { nanosecondsPerRow.map { start + Int64(Double(rowCount) * $0) } }

  mutating func advance(by rows: Int) { rowCount += rows }
}
