// Whether the time of day is believed, before rows go for being old.

import VarveCompute
import VarveCore
import VarveStorage

/// The wall clock decides what is old, but not alone: where it has jumped far past what commits have seen, nothing is old
/// until somebody says that it is right. Stamps of rows say nothing about the time of day.
package enum RetentionClock {
  /// Why policies drop nothing now; nil if they may.
  package static func objection(wall: Int64, trusted: Int64) -> VarveError? {
    guard trusted > .min else {
      return VarveError(.query, "retention holds: nothing was ever committed", sqlState: "55000")
    }
    if Catalog.believes(wall, trusted: trusted) { return nil }
    func text(_ time: Int64) -> String {
      do { return try TypeText.string(.timestamp(time), type: .timestamptz, context: EvaluationContext(now: 0)) } catch
      {
        return "\(time) ns"
      }
    }
    return VarveError(
      .query,
      "retention holds: the clock says \(text(wall)), more than 7 days past \(text(trusted)), the latest time of day "
        + "that is believed",
      hint: "If the clock is right, CALL trust_clock() says so.", sqlState: "55000")
  }
}
