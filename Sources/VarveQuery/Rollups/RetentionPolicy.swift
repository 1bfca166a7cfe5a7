// What the catalog keeps of how a table's old rows go by themselves, and by which time of day they do. FORMAT.md,
// "Policies".

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

package struct RetentionPolicy: Sendable, Hashable {
  package var isPaused = false
  /// Rows go that are wholly older.
  package var dropAfter: Interval

  package init(dropAfter: Interval) { self.dropAfter = dropAfter }

  package var bytes: [UInt8] {
    var out = ByteWriter()
    out.append(byte: isPaused ? PolicyFlags.paused : 0)
    out.append(zigzag: Int64(dropAfter.months))
    out.append(zigzag: Int64(dropAfter.days))
    out.append(zigzag: dropAfter.microseconds)
    return out.bytes
  }

  /// Throws `.corruption` for what is no policy.
  package init(_ bytes: [UInt8]) throws {
    var reader = ByteReader(bytes)
    let flags = try reader.readByte()
    guard flags & ~PolicyFlags.paused == 0, let months = Int32(exactly: try reader.readZigzag()),
      let days = Int32(exactly: try reader.readZigzag())
    else { throw VarveError(.corruption, "a retention policy is described impossibly") }
    isPaused = flags & PolicyFlags.paused != 0
    dropAfter = Interval(months: months, days: days, microseconds: try reader.readZigzag())
    try reader.expectEnd()
  }

  /// What is older than this goes, at this time of day.
  package func limit(at now: Int64) throws -> Int64 { try dropAfter.before(now) }
}

/// The wall clock decides what is old, but not alone: where it has jumped far past what commits have seen, nothing is old
/// until somebody says that it is right. Stamps of rows say nothing about the time of day.
package enum RetentionClock {
  /// Why policies drop nothing now; nil if they may.
  package static func objection(wall: Int64, trusted: Int64) -> VarveError? {
    let limit = trusted.addingReportingOverflow(Catalog.trustedJumpNanoseconds)
    guard trusted > .min else {
      return VarveError(.query, "retention holds: nothing was ever committed", sqlState: "55000")
    }
    guard !limit.overflow, wall > limit.partialValue else { return nil }
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
