// Times of nanoseconds as files hold them: whole microseconds, which every reader takes, and what these leave.

import VarveCore

package enum ParquetTimes {
  /// Behind the name of a time: the nanoseconds that its microseconds leave.
  package static let remainderSuffix = "_nanos"

  /// Floored. Both infinities, the greatest and the least of all words, are themselves.
  package static func microseconds(_ nanoseconds: Int64) -> Int64 {
    if nanoseconds == .max || nanoseconds == .min { return nanoseconds }
    return nanoseconds >= 0 ? nanoseconds / 1000 : (nanoseconds + 1) / 1000 - 1
  }

  /// 0 to 999.
  package static func remainder(_ nanoseconds: Int64) -> Int64 {
    if nanoseconds == .max || nanoseconds == .min { return 0 }
    let rest = nanoseconds % 1000
    return rest < 0 ? rest + 1000 : rest
  }

  /// All at once. Answers whether any leaves something.
  static func split(
    _ nanoseconds: UnsafePointer<UInt64>, _ count: Int, microseconds: UnsafeMutablePointer<UInt64>,
    remainders: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    var left: Int64 = 0
    for index in 0..<count {
      let time = Int64(bitPattern: nanoseconds[index])
      // Truncated, then floored.
      let (quotient, rest) = (time / 1000, time % 1000)
      let isBelow = rest &>> 63
      let isInfinite = time == .max || time == .min
      let remainder = isInfinite ? 0 : rest &+ (isBelow & 1000)
      microseconds[index] = UInt64(bitPattern: isInfinite ? time : quotient &+ isBelow)
      remainders[index] = UInt64(bitPattern: remainder)
      left |= remainder
    }
    return left != 0
  }

  /// The opposite, in place; `remainders` nil: all are 0. Throws `.corruption` where that is no time.
  static func join(
    _ microseconds: UnsafeMutablePointer<UInt64>, _ count: Int, remainders: UnsafePointer<UInt64>?
  ) throws {
    var isWrong = false
    for index in 0..<count {
      let whole = Int64(bitPattern: microseconds[index])
      let rest = remainders.map { Int64(bitPattern: $0[index]) } ?? 0
      if whole == .max || whole == .min {
        isWrong = isWrong || rest != 0
        continue
      }
      // Before 1970 from the microsecond behind: the least time's own begins before what 64 bits can say.
      let below = whole &>> 63
      let (scaled, isBeyond) = (whole &- below).multipliedReportingOverflow(by: 1000)
      let (time, isBeyondToo) = scaled.addingReportingOverflow(rest &+ below &* 1000)
      isWrong = isWrong || isBeyond || isBeyondToo || UInt64(bitPattern: rest) >= 1000
      microseconds[index] = UInt64(bitPattern: time)
    }
    if isWrong { throw VarveError(.corruption, "a time beyond the years 1677 to 2262") }
  }
}
