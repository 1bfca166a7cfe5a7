// time_bucket as TimescaleDB has it: buckets of a fixed width from 2000-01-03 (a Monday), of months from
// 2000-01-01; with an offset, an origin, or in the local time of a zone.

import VarveCore

package enum TimeBucket {
  /// 2000-01-03 00:00 and 2000-01-01 00:00.
  package static let origin: Int64 = 946_857_600_000_000_000
  package static let monthOrigin: Int64 = 946_684_800_000_000_000

  /// A bucket's width: months, or nanoseconds.
  package enum Width: Sendable, Equatable {
    case months(Int)
    case nanoseconds(Int64)

    /// Throws for what is no width: zero or less, months with days or time, beyond the range.
    package init(_ interval: Interval) throws {
      if interval.months != 0 {
        guard interval.days == 0, interval.microseconds == 0 else {
          throw SQLError.make("0A000", "month intervals cannot have day or time component")
        }
        guard interval.months > 0 else { throw TimeBucket.notPositive }
        self = .months(Int(interval.months))
      } else {
        guard let width = interval.fixedNanoseconds else { throw SQLError.outOfRange(.interval) }
        guard width > 0 else { throw TimeBucket.notPositive }
        self = .nanoseconds(width)
      }
    }
    package var defaultOrigin: Int64 {
      if case .months = self { return monthOrigin }
      return origin
    }
  }

  static var notPositive: VarveError { SQLError.make("22023", "period must be greater than 0") }

  /// The start of the bucket that `t` is in. Infinity is its own bucket.
  package static func start(_ t: Int64, width: Width, origin: Int64) throws -> Int64 {
    if TimeMath.isInfinite(t) { return t }
    switch width {
    case .nanoseconds(let width):
      // The remainder of the difference, without the difference itself, which may not fit.
      let shift = floorModulo(Int(origin), Int(width))
      let rest = floorModulo(floorModulo(Int(t), Int(width)) - shift, Int(width))
      let (start, overflow) = t.subtractingReportingOverflow(Int64(rest))
      if overflow || TimeMath.isInfinite(start) { throw SQLError.outOfRange(.timestamptz) }
      return start
    case .months(let months):
      let date = CivilDate(days: floorDivide(Int(t), Nanoseconds.day))
      let from = CivilDate(days: floorDivide(Int(origin), Nanoseconds.day))
      let base = from.year * 12 + from.month - 1
      let total = base + floorDivide(date.year * 12 + date.month - 1 - base, months) * months
      let year = floorDivide(total, 12)
      let days = CivilDate(year: year, month: total - year * 12 + 1, day: 1).days
      let (start, overflow) = Int64(days).multipliedReportingOverflow(by: Int64(Nanoseconds.day))
      if overflow || TimeMath.isInfinite(start) { throw SQLError.outOfRange(.timestamptz) }
      return start
    }
  }

  /// Many at once: sorted times share a bucket, so one comparison mostly decides.
  static func run(_ times: Column, _ n: Int, width: Width, origin: Int64, type: SQLType) throws -> Column {
    var lower = Int64.max
    var upper = Int64.min
    let step: Int64
    if case .nanoseconds(let value) = width { step = value } else { step = Int64(Nanoseconds.day) }
    return try Evaluation.throwingWords1(times, n, type) {
      let t = Int64(bitPattern: $0)
      if t >= lower && t < upper { return UInt64(bitPattern: lower) }
      let next = try start(t, width: width, origin: origin)
      let (sum, overflow) = next.addingReportingOverflow(step)
      // Infinity is a bucket of its own; months have no width to remember a range by.
      if overflow || TimeMath.isInfinite(t) { return UInt64(bitPattern: next) }
      if case .months = width {
        lower = .max
      } else {
        lower = next
        upper = sum
      }
      return UInt64(bitPattern: next)
    }
  }
}

extension FunctionTable {
  mutating func addTimeBuckets() {
    for type in [SQLType.timestamptz, .timestamp, .date] {
      // (width, time), (width, time, offset), (width, time, origin)
      add("time_bucket", [.interval, type], type) { try TimeBucketFunction.run($0, $1, $2, type) }
      add("time_bucket", [.interval, type, .interval], type) { try TimeBucketFunction.run($0, $1, $2, type) }
      add("time_bucket", [.interval, type, type], type) { try TimeBucketFunction.run($0, $1, $2, type) }
    }
    add("time_bucket", [.interval, .timestamptz, .text], .timestamptz) {
      try TimeBucketFunction.zoned($0, $1, $2)
    }
    add("time_bucket", [.interval, .timestamptz, .text, .timestamptz], .timestamptz) {
      try TimeBucketFunction.zoned($0, $1, $2)
    }
    add("time_bucket", [.interval, .timestamptz, .text, .timestamptz, .interval], .timestamptz) {
      try TimeBucketFunction.zoned($0, $1, $2)
    }
    for type in [SQLType.int2, .int4, .int8] {
      add("time_bucket", [type, type], type) { columns, n, _ in
        try TimeBucketFunction.integers(columns, n, type)
      }
      add("time_bucket", [type, type, type], type) { columns, n, _ in
        try TimeBucketFunction.integers(columns, n, type)
      }
    }
  }
}

enum TimeBucketFunction {
  static func run(_ columns: [Column], _ n: Int, _ context: EvaluationContext, _ type: SQLType) throws -> Column {
    if columns.contains(where: Evaluation.isConstantNull) { return .null(type, count: n) }
    // Dates bucket as midnights.
    if type == .date {
      var stamps = columns
      for i in columns.indices where columns[i].type == .date {
        stamps[i] = try TimeKernels.convert(columns[i], n, to: .timestamp, context)
      }
      let result = try run(stamps, n, context, .timestamp)
      return try TimeKernels.convert(result, n, to: .date, context)
    }
    let constants = [columns[0]] + columns.dropFirst(2)
    guard constants.allSatisfy({ $0.constantValue != nil }), let first = columns[0].constantValue else {
      return try Evaluation.rows(columns, n, type) { row in
        let width = try TimeBucket.Width(row[0].interval)
        return .timestamp(try one(row[1].timestamp, width, row.count > 2 ? row[2] : .null))
      }
    }
    let width = try TimeBucket.Width(first.interval)
    guard columns.count > 2, let third = columns[2].constantValue else {
      return try TimeBucket.run(columns[1], n, width: width, origin: width.defaultOrigin, type: type)
    }
    if case .interval(let offset) = third {
      if case .nanoseconds = width, let step = offset.fixedNanoseconds {
        let (origin, overflow) = width.defaultOrigin.addingReportingOverflow(step)
        if !overflow { return try TimeBucket.run(columns[1], n, width: width, origin: origin, type: type) }
      }
      return try Evaluation.rows1(columns[1], n, type) { .timestamp(try one($0.timestamp, width, third)) }
    }
    try finite(third.timestamp)
    return try TimeBucket.run(columns[1], n, width: width, origin: third.timestamp, type: type)
  }

  private static func finite(_ origin: Int64) throws {
    if TimeMath.isInfinite(origin) { throw SQLError.make("22008", "origin of time_bucket must be finite") }
  }

  /// `third` is an offset, an origin or nothing. Offsets move the time back, then the bucket forth.
  private static func one(_ t: Int64, _ width: TimeBucket.Width, _ third: Datum) throws -> Int64 {
    switch third {
    case .interval(let offset):
      let moved = try TimeMath.add(local: t, offset.negated())
      return try TimeMath.add(
        local: TimeBucket.start(moved, width: width, origin: width.defaultOrigin), offset)
    case .timestamp(let origin):
      try finite(origin)
      return try TimeBucket.start(t, width: width, origin: origin)
    default: return try TimeBucket.start(t, width: width, origin: width.defaultOrigin)
    }
  }

  /// In a zone: buckets of the wall clock.
  static func zoned(_ columns: [Column], _ n: Int, _ context: EvaluationContext) throws -> Column {
    let type = SQLType.timestamptz
    // Origin and offset may be NULL for "the default"; the others make the result NULL.
    if columns.prefix(3).contains(where: Evaluation.isConstantNull) { return .null(type, count: n) }
    var builder = ColumnBuilder(type, capacity: n)
    var zone: TimeZone?
    var zoneName = ""
    var width: TimeBucket.Width?
    var lastInterval: Interval?
    for i in 0..<n {
      let row = columns.map { $0.datum(at: i) }
      if row.prefix(3).contains(.null) {
        builder.appendNull()
        continue
      }
      if zone == nil || zoneName != row[2].text {
        zoneName = row[2].text
        zone = try context.zones.zone(named: zoneName, posixSign: true)
      }
      if width == nil || lastInterval != row[0].interval {
        lastInterval = row[0].interval
        width = try TimeBucket.Width(row[0].interval)
      }
      guard let zone, let width else { preconditionFailure("set above") }
      let t = row[1].timestamp
      if TimeMath.isInfinite(t) {
        builder.append(t)
        continue
      }
      var origin = width.defaultOrigin
      if row.count > 3, case .timestamp(let given) = row[3] {
        try finite(given)
        origin = try TimeMath.local(given, in: zone)
      }
      var local = try TimeMath.local(t, in: zone)
      if row.count > 4, case .interval(let offset) = row[4] {
        local = try TimeMath.add(local: local, offset.negated())
        let start = try TimeBucket.start(local, width: width, origin: origin)
        builder.append(try TimeMath.utc(TimeMath.add(local: start, offset), in: zone))
      } else {
        builder.append(try TimeMath.utc(TimeBucket.start(local, width: width, origin: origin), in: zone))
      }
    }
    return builder.finish()
  }

  /// Whole numbers: (width, value[, offset]).
  static func integers(_ columns: [Column], _ n: Int, _ type: SQLType) throws -> Column {
    try Evaluation.rows(columns, n, type) { row in
      let width = row[0].integer
      guard width > 0 else { throw TimeBucket.notPositive }
      let value = Int128(row[1].integer)
      let offset = row.count > 2 ? Int128(row[2].integer % width) : 0
      var rest = (value - offset) % Int128(width)
      if rest < 0 { rest += Int128(width) }
      guard let result = Int64(exactly: value - rest), IntegerKernels.fits(result, type) else {
        throw SQLError.outOfRange(type)
      }
      return .int(result)
    }
  }
}
