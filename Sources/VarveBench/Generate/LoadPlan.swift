// What a load consists of: which rows there are, in which order they go, and over how many connections.
//
// The rows are those of `seriesCount` series at every step of time from `start` on, `rowCount` of them, all series of a
// step before the next step. Which connection sends a row follows from its series alone, so what is sent for a series
// arrives in order, and what the table must hold afterwards is known whatever the threads do.

import VarveCore

package struct LoadPlan: Sendable, Equatable {
  package enum Schema: String, CaseIterable, Sendable {
    /// Ten tags, ten integer fields that walk at random from 0 to 100: TSBS's.
    case cpu
    /// Four tags, five decimals of one to five places, a boolean and a short text.
    case iot
    /// One tag, one decimal of two places.
    case narrow
  }

  package enum Order: String, CaseIterable, Sendable {
    /// Time by time, the series always in the same order.
    case interleaved
    /// Time by time, the series in another order each time.
    case random
    /// Series by series.
    case series
  }

  package var schema = Schema.cpu
  /// A name that needs no escape, neither in line protocol nor (in quotes) in SQL.
  package var table = "cpu"
  package var seriesCount = 1000
  /// Distinct rows, by series and time.
  package var rowCount = 1_000_000
  package var stepNanoseconds: Int64 = 10_000_000_000
  /// Of the first row, in nanoseconds since 1970; a multiple of the step.
  package var start: Int64 = 0
  package var order = Order.interleaved
  /// Part of the rows that come later than their time, by one step to `lateSteps` of them.
  package var lateShare = 0.0
  /// Part of the rows that are sent twice: first with other values, and as late as late rows with the right ones.
  package var duplicateShare = 0.0
  package var lateSteps = 360
  /// Part of the series that have ended at each step, with new ones in their place.
  package var churn = 0.0
  package var connectionCount = 4
  package var seed: UInt64 = 1

  package init() {}

  /// Steps of time that the rows take.
  package var stepCount: Int { rowCount / seriesCount + (rowCount % seriesCount == 0 ? 0 : 1) }

  /// The plan of one connection's rows.
  package func lane(_ index: Int) -> LanePlan {
    let (steps, rest) = rowCount.quotientAndRemainder(dividingBy: seriesCount)
    let width = Self.share(of: seriesCount, index, connectionCount)
    return LanePlan(
      index: index, count: connectionCount, seriesCount: width,
      rowCount: steps * width + Self.share(of: rest, index, connectionCount), fullSteps: steps,
      longSeriesCount: Self.share(of: rest, index, connectionCount))
  }

  /// How many of 0 ..< total are `index` modulo `count`.
  private static func share(of total: Int, _ index: Int, _ count: Int) -> Int { (total - index + count - 1) / count }

  // MARK: what cannot be

  /// Latest of all times is at most `now`.
  package func check(now: Int64) throws(VarveError) {
    func refuse(_ message: String, _ hint: String? = nil) -> VarveError {
      VarveError(.invalidArgument, message, hint: hint)
    }
    guard Self.isPlainName(table) else {
      throw refuse("the table '\(table)' is not a name of letters, digits and _ (at most \(Limits.nameByteCount))")
    }
    guard seriesCount >= 1, rowCount >= 1, connectionCount >= 1 else { throw refuse("a load has at least one of each") }
    guard connectionCount <= seriesCount else {
      throw refuse("each connection sends series of its own, and \(seriesCount) are fewer than \(connectionCount)")
    }
    guard stepNanoseconds >= 1, start >= 0, start % stepNanoseconds == 0 else {
      throw refuse("the start is a whole number of steps since 1970")
    }
    guard stepCount < Int(PlannedRow.stepLimit) else { throw refuse("\(stepCount) steps of time are too many") }
    let (span, isTooLong) = stepNanoseconds.multipliedReportingOverflow(by: Int64(stepCount - 1))
    guard !isTooLong, start <= now, span <= now - start else {
      throw refuse(
        "\(rowCount) rows of \(seriesCount) series reach into the future",
        "take an earlier start, a smaller step, more series or fewer rows")
    }
    let shares = [lateShare, duplicateShare, churn]
    guard shares.allSatisfy({ $0 >= 0 && $0 <= 1 }), lateShare + duplicateShare <= 1 else {
      throw refuse("shares are from 0 % to 100 %")
    }
    guard (1...1_000_000).contains(lateSteps) else { throw refuse("late rows are late by 1 to 1000000 steps") }
    if order == .series, churn > 0 {
      throw refuse("series that come and go have no order of one series after the other")
    }
    guard Double(seriesCount) * (1 + churn * Double(stepCount)) < 4e9 else { throw refuse("too many series") }
  }

  private static func isPlainName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (1...Limits.nameByteCount).contains(bytes.count) else { return false }
    let isLetter = { (byte: UInt8) in (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F }
    return isLetter(bytes[0]) && bytes.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
  }
}

/// What one of `count` connections sends: the series whose number is `index` modulo `count`.
package struct LanePlan: Sendable, Equatable {
  package let index: Int
  package let count: Int
  /// At any time.
  package let seriesCount: Int
  package let rowCount: Int
  /// Rows of each series; the first `longSeriesCount` of them have one more.
  package let fullSteps: Int
  package let longSeriesCount: Int
}

/// A row that is to be written.
package struct PlannedRow: BitwiseCopyable, Equatable, Sendable {
  static let stepLimit: UInt32 = 1 << 31

  package let series: UInt32
  private let word: UInt32

  init(series: UInt32, step: UInt32, isProvisional: Bool) {
    self.series = series
    word = step << 1 | (isProvisional ? 1 : 0)
  }

  /// Steps since the start.
  package var step: UInt32 { word >> 1 }
  /// The same row comes again, with the values that count.
  package var isProvisional: Bool { word & 1 == 1 }
}
