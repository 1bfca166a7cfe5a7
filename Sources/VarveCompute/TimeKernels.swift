// Loops over columns of dates and times.

import VarveCore

enum TimeKernels {
  /// Between date, timestamp and timestamptz.
  static func convert(_ column: Column, _ n: Int, to: SQLType, _ context: EvaluationContext) throws -> Column {
    if column.type == to { return column }
    let zone = column.type == .timestamptz || to == .timestamptz ? try context.sessionZone() : .utc
    switch (column.type, to) {
    case (.date, .timestamp):
      return try Evaluation.throwingWords1(column, n, to) { try bits(TimeMath.fromDate(day($0))) }
    case (.date, .timestamptz):
      return try Evaluation.throwingWords1(column, n, to) {
        try bits(TimeMath.utc(TimeMath.fromDate(day($0)), in: zone))
      }
    case (.timestamp, .timestamptz): return try toUTC(column, n, zone)
    case (.timestamptz, .timestamp): return try toLocal(column, n, zone)
    case (.timestamp, .date):
      return Evaluation.words1(column, n, to) { bits(Int64(TimeMath.toDate(Int64(bitPattern: $0)))) }
    case (.timestamptz, .date):
      let local = try toLocal(column, n, zone)
      return Evaluation.words1(local, n, to) { bits(Int64(TimeMath.toDate(Int64(bitPattern: $0)))) }
    default: preconditionFailure("dates and times convert into each other")
    }
  }

  @inline(__always) static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  @inline(__always) static func day(_ word: UInt64) -> Int32 { Int32(truncatingIfNeeded: Int64(bitPattern: word)) }

  static func toLocal(_ column: Column, _ n: Int, _ zone: TimeZone) throws -> Column {
    if zone.fixedOffset == 0 { return column.relabelled(.timestamp) }
    var cursor = TimeZone.Cursor(zone)
    return try Evaluation.throwingWords1(column, n, .timestamp) {
      let t = Int64(bitPattern: $0)
      if TimeMath.isInfinite(t) { return $0 }
      let (seconds, rest) = TimeMath.split(t)
      return try bits(TimeMath.join(seconds + cursor.offset(at: seconds), rest))
    }
  }

  static func toUTC(_ column: Column, _ n: Int, _ zone: TimeZone) throws -> Column {
    if zone.fixedOffset == 0 { return column.relabelled(.timestamptz) }
    return try Evaluation.throwingWords1(column, n, .timestamptz) {
      try bits(TimeMath.utc(Int64(bitPattern: $0), in: zone))
    }
  }

  /// Time plus or minus intervals.
  static func add(
    _ times: Column, _ intervals: Column, _ n: Int, negative: Bool, _ context: EvaluationContext
  ) throws -> Column {
    if Evaluation.isConstantNull(times) || Evaluation.isConstantNull(intervals) { return .null(times.type, count: n) }
    let zone = times.type == .timestamptz ? try context.sessionZone() : .utc
    func signed(_ datum: Datum) throws -> Interval { negative ? try datum.interval.negated() : datum.interval }
    if let constant = intervals.constantValue {
      let interval = try signed(constant)
      if interval.months == 0, interval.days == 0 || zone.fixedOffset != nil,
        let step = interval.fixedNanoseconds
      {
        return try Evaluation.throwingWords1(times, n, times.type) {
          let t = Int64(bitPattern: $0)
          if TimeMath.isInfinite(t) { return $0 }
          let (sum, overflow) = t.addingReportingOverflow(step)
          if overflow || TimeMath.isInfinite(sum) { throw SQLError.outOfRange(times.type) }
          return bits(sum)
        }
      }
      return try Evaluation.throwingWords1(times, n, times.type) {
        try bits(TimeMath.add(Int64(bitPattern: $0), interval, in: zone))
      }
    }
    return try Evaluation.rows2(times, intervals, n, times.type) {
      .timestamp(try TimeMath.add($0.timestamp, signed($1), in: zone))
    }
  }
}
