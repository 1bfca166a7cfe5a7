// What the catalog keeps of how a rollup is refreshed by itself. FORMAT.md, "Policies".

import VarveCompute
import VarveCore
import VarveFormat

package struct RefreshPolicy: Sendable, Hashable {
  package var isPaused = false
  /// What came late for times further back is left alone (reading it is as right as ever); nil: nothing is.
  package var startOffset: Interval?
  /// What is not so old is left alone; nil: all buckets that have ended are made.
  package var endOffset: Interval?
  /// From the beginning of one run to that of the next; nil: runs begin as soon as there is something to do.
  package var scheduleNanoseconds: Int64?

  package init(startOffset: Interval? = nil, endOffset: Interval? = nil, scheduleNanoseconds: Int64? = nil) {
    self.startOffset = startOffset
    self.endOffset = endOffset
    self.scheduleNanoseconds = scheduleNanoseconds
  }

  private enum Flag {
    static let paused: UInt8 = 1
    static let start: UInt8 = 2
    static let end: UInt8 = 4
    static let schedule: UInt8 = 8
    static let all = paused | start | end | schedule
  }

  package var bytes: [UInt8] {
    var out = ByteWriter()
    out.append(
      byte: (isPaused ? Flag.paused : 0) | (startOffset != nil ? Flag.start : 0) | (endOffset != nil ? Flag.end : 0)
        | (scheduleNanoseconds != nil ? Flag.schedule : 0))
    for offset in [startOffset, endOffset].compactMap({ $0 }) {
      out.append(zigzag: Int64(offset.months))
      out.append(zigzag: Int64(offset.days))
      out.append(zigzag: offset.microseconds)
    }
    if let scheduleNanoseconds { out.append(varint: UInt64(scheduleNanoseconds)) }
    return out.bytes
  }

  /// Throws `.corruption` for what is no policy.
  package init(_ bytes: [UInt8]) throws {
    var reader = ByteReader(bytes)
    let flags = try reader.readByte()
    guard flags & ~Flag.all == 0 else { throw Self.damaged }
    isPaused = flags & Flag.paused != 0
    startOffset = flags & Flag.start != 0 ? try Self.interval(&reader) : nil
    endOffset = flags & Flag.end != 0 ? try Self.interval(&reader) : nil
    if flags & Flag.schedule != 0 {
      guard let nanoseconds = Int64(exactly: try reader.readVarint()), nanoseconds > 0 else { throw Self.damaged }
      scheduleNanoseconds = nanoseconds
    }
    try reader.expectEnd()
  }

  private static func interval(_ reader: inout ByteReader) throws -> Interval {
    guard let months = Int32(exactly: try reader.readZigzag()), let days = Int32(exactly: try reader.readZigzag())
    else {
      throw damaged
    }
    return Interval(months: months, days: days, microseconds: try reader.readZigzag())
  }

  private static var damaged: VarveError { VarveError(.corruption, "a refresh policy is described impossibly") }

  /// The times that it is about, at this time of day.
  package func range(at now: Int64) throws -> TimeRange {
    TimeRange(
      lower: try startOffset?.before(now) ?? .min, upper: try endOffset.map { try $0.before(now) - 1 } ?? .max)
  }
}
