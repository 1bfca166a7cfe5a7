// age, date_bin, making times of parts, justifying intervals, and arithmetic of times of day.

import VarveCore

extension FunctionTable {
  mutating func addCalendar() {
    for type in [SQLType.timestamptz, .timestamp] {
      let volatility: ScalarFunction.Volatility = type == .timestamptz ? .stable : .immutable
      add("age", [type, type], .interval, volatility: volatility) { columns, n, context in
        let zone = type == .timestamptz ? try context.sessionZone() : .utc
        return try Evaluation.rows2(columns[0], columns[1], n, .interval) {
          .interval(
            try Calendar.age(
              TimeMath.local($0.timestamp, in: zone), TimeMath.local($1.timestamp, in: zone)))
        }
      }
      add("age", [type], .interval, volatility: .stable) { columns, n, context in
        let zone = try context.sessionZone()
        let midnight = try TimeMath.fromDate(TimeMath.toDate(TimeMath.local(context.now, in: zone)))
        return try Evaluation.rows1(columns[0], n, .interval) {
          let time = type == .timestamptz ? try TimeMath.local($0.timestamp, in: zone) : $0.timestamp
          return .interval(try Calendar.age(midnight, time))
        }
      }
      add("date_bin", [.interval, type, type], type) { columns, n, _ in
        try Evaluation.rows(columns, n, type) { row in
          .timestamp(try Calendar.bin(row[0].interval, row[1].timestamp, origin: row[2].timestamp, type))
        }
      }
    }
    add("isfinite", [.date], .bool) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .bool) { .bool($0.date != .max && $0.date != .min) }
    }
    add("isfinite", [.interval], .bool) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .bool) { _ in .bool(true) }
    }
    for (name, justify) in [
      ("justify_hours", Calendar.justifyingHours), ("justify_days", Calendar.justifyingDays),
      ("justify_interval", Calendar.justifying),
    ] as [(String, @Sendable (Interval) throws -> Interval)] {
      add(name, [.interval], .interval) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .interval) { .interval(try justify($0.interval)) }
      }
    }
    addMaking()
    addTimesOfDay()
  }

  private mutating func addMaking() {
    add("make_time", [.int4, .int4, .float8], .time) { columns, n, _ in
      try Evaluation.rows(columns, n, .time) { row in
        .int(try Calendar.time(Int(row[0].integer), Int(row[1].integer), row[2].double) / 1000)
      }
    }
    let parts: [SQLType] = [.int4, .int4, .int4, .int4, .int4, .float8]
    add("make_timestamp", parts, .timestamp) { columns, n, _ in
      try Evaluation.rows(columns, n, .timestamp) { .timestamp(try Calendar.timestamp($0)) }
    }
    add("make_timestamptz", parts, .timestamptz, volatility: .stable) { columns, n, context in
      let zone = try context.sessionZone()
      return try Evaluation.rows(columns, n, .timestamptz) {
        .timestamp(try TimeMath.utc(Calendar.timestamp($0), in: zone))
      }
    }
    add("make_timestamptz", parts + [.text], .timestamptz, volatility: .stable) { columns, n, context in
      try Evaluation.rows(columns, n, .timestamptz) {
        // An offset counts east here, as ISO 8601 has it.
        let zone = try context.zones.zone(named: $0[6].text)
        return .timestamp(try TimeMath.utc(Calendar.timestamp($0), in: zone))
      }
    }
    // The parts that are left out are zero.
    let intervalParts: [SQLType] = [.int4, .int4, .int4, .int4, .int4, .int4]
    for count in 0..<7 {
      add("make_interval", Array(intervalParts.prefix(count)), .interval) { columns, n, _ in
        if columns.isEmpty { return .constant(.interval(Interval()), type: .interval, count: n) }
        return try Evaluation.rows(columns, n, .interval) { row in
          let p = row.map { Int(clamping: $0.integer) } + [Int](repeating: 0, count: 6 - row.count)
          guard let months = Int32(exactly: p[0] * 12 + p[1]), let days = Int32(exactly: p[2] * 7 + p[3]) else {
            throw Interval.outOfRange
          }
          return .interval(
            Interval(months: months, days: days, microseconds: Int64(p[4] * 3600 + p[5] * 60) * 1_000_000))
        }
      }
    }
  }

  private mutating func addTimesOfDay() {
    add("localtime", [], .time, volatility: .stable) { _, n, context in
      let local = try TimeMath.local(context.now, in: context.sessionZone())
      return .constant(.int(Calendar.timeOfDay(local)), type: .time, count: n)
    }
    for (symbol, sign) in [("+", Int64(1)), ("-", -1)] {
      addOperator(symbol, [.time, .interval], .time) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .time) {
          .int(Calendar.wrapped($0.integer, sign &* ($1.interval.microseconds % Calendar.dayMicroseconds)))
        }
      }
    }
    addOperator("+", [.interval, .time], .time) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .time) {
        .int(Calendar.wrapped($1.integer, $0.interval.microseconds % Calendar.dayMicroseconds))
      }
    }
    addOperator("-", [.time, .time], .interval) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .interval) {
        .interval(Interval(microseconds: $0.integer - $1.integer))
      }
    }
    addOperator("+", [.date, .time], .timestamp) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .timestamp) {
        .timestamp(try Calendar.joined($0.date, $1.integer))
      }
    }
    addOperator("+", [.time, .date], .timestamp) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .timestamp) {
        .timestamp(try Calendar.joined($1.date, $0.integer))
      }
    }
    for name in ["extract", "date_part"] {
      let type: SQLType = name == "extract" ? .numeric : .float8
      add(name, [.text, .time], type) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, type) {
          let value = try Calendar.part($0.text, ofTime: $1.integer)
          return type == .numeric ? .numeric(value) : .float(value.double)
        }
      }
    }
  }
}

enum Calendar {
  static let dayMicroseconds: Int64 = 86_400_000_000

  static func timeOfDay(_ local: Int64) -> Int64 {
    Int64(floorModulo(Int(local), Nanoseconds.day) / 1000)
  }
  static func wrapped(_ time: Int64, _ step: Int64) -> Int64 {
    Int64(floorModulo(Int(time + step), Int(dayMicroseconds)))
  }
  static func joined(_ date: Int32, _ microseconds: Int64) throws -> Int64 {
    let midnight = try TimeMath.fromDate(date)
    if TimeMath.isInfinite(midnight) { return midnight }
    let (sum, overflow) = midnight.addingReportingOverflow(microseconds * 1000)
    guard !overflow, !TimeMath.isInfinite(sum) else { throw SQLError.outOfRange(.timestamp) }
    return sum
  }

  static func part(_ text: String, ofTime time: Int64) throws -> Numeric {
    guard let field = TimeField(text: text) else { throw TimeField.unknown(text, .time) }
    switch field {
    case .microseconds: return Numeric(time % 60_000_000)
    case .milliseconds: return Numeric(mantissa: Int128(time % 60_000_000), scale: 3)
    case .second: return Numeric(mantissa: Int128(time % 60_000_000), scale: 6)
    case .minute: return Numeric(time / 60_000_000 % 60)
    case .hour: return Numeric(time / 3_600_000_000)
    case .epoch: return Numeric(mantissa: Int128(time), scale: 6)
    default: throw TimeField.unknown(text, .time)
    }
  }

  /// Nanoseconds after midnight.
  static func time(_ hour: Int, _ minute: Int, _ second: Double) throws -> Int64 {
    let seconds = (second * 1e6).rounded(.toNearestOrEven)
    guard (0...24).contains(hour), (0..<60).contains(minute), seconds >= 0, seconds <= 60_000_000,
      hour < 24 || (minute == 0 && seconds == 0)
    else { throw SQLError.make("22008", "time field value out of range: \(hour):\(minute):\(second)") }
    return (Int64(hour * 3600 + minute * 60) * 1_000_000 + Int64(seconds)) * 1000
  }

  /// Of year, month, day, hour, minute, second.
  static func timestamp(_ row: [Datum]) throws -> Int64 {
    let (year, month, day) = (Int(row[0].integer), Int(row[1].integer), Int(row[2].integer))
    let astronomical = year < 0 ? year + 1 : year
    guard year != 0, abs(year) < 300_000, (1...12).contains(month), day >= 1,
      day <= CivilDate.dayCount(year: astronomical, month: month)
    else { throw SQLError.make("22008", "date field value out of range: \(year)-\(month)-\(day)") }
    let time = try time(Int(row[3].integer), Int(row[4].integer), row[5].double)
    let days = CivilDate(year: astronomical, month: month, day: day).days
    return try TimeMath.join(days * 86_400 + Int(time) / Nanoseconds.second, Int(time) % Nanoseconds.second)
  }

  /// The start of the stretch of `stride`, counted from `origin`, that a time lies in.
  static func bin(_ stride: Interval, _ time: Int64, origin: Int64, _ type: SQLType) throws -> Int64 {
    if TimeMath.isInfinite(time) { return time }
    if TimeMath.isInfinite(origin) { throw SQLError.make("22008", "origin out of range") }
    guard stride.months == 0 else {
      throw SQLError.unsupported(
        "timestamps cannot be binned into intervals containing months or years",
        hint: "Use time_bucket, which takes them.")
    }
    guard let width = stride.fixedNanoseconds else { throw Interval.outOfRange }
    guard width > 0 else { throw SQLError.make("22008", "stride must be greater than zero") }
    let difference = Int128(time) - Int128(origin)
    var rest = difference % Int128(width)
    if rest < 0 { rest += Int128(width) }
    guard let result = Int64(exactly: Int128(time) - rest), !TimeMath.isInfinite(result) else {
      throw SQLError.outOfRange(type)
    }
    return result
  }

  /// The difference of two local times in years, months, days and time: what of the later one's fields is less than
  /// the earlier one's borrows from the next.
  static func age(_ a: Int64, _ b: Int64) throws -> Interval {
    if TimeMath.isInfinite(a) || TimeMath.isInfinite(b) {
      throw SQLError.make("22008", "timestamp out of range")
    }
    let swapped = a < b
    func fields(_ t: Int64) -> (date: CivilDate, time: Int64) {
      // Microseconds: what PostgreSQL's times have.
      let days = floorDivide(Int(t), Nanoseconds.day)
      return (CivilDate(days: days), Int64((Int(t) - days * Nanoseconds.day) / 1000))
    }
    let (later, earlier) = swapped ? (fields(b), fields(a)) : (fields(a), fields(b))
    var months = (later.date.year - earlier.date.year) * 12 + later.date.month - earlier.date.month
    var days = later.date.day - earlier.date.day
    var time = later.time - earlier.time
    if time < 0 {
      time += dayMicroseconds
      days -= 1
    }
    // A month is as long as the earlier time's.
    while days < 0 {
      days += CivilDate.dayCount(year: earlier.date.year, month: earlier.date.month)
      months -= 1
    }
    let age = Interval(months: Int32(months), days: Int32(days), microseconds: time)
    return swapped ? try age.negated() : age
  }

  // MARK: Justifying

  private static func carry(_ value: Int64, into more: Int32) throws -> Int32 {
    guard let sum = Int32(exactly: Int64(more) + value) else { throw Interval.outOfRange }
    return sum
  }

  @Sendable static func justifyingHours(_ interval: Interval) throws -> Interval {
    var result = interval
    result.days = try carry(interval.microseconds / dayMicroseconds, into: interval.days)
    result.microseconds = interval.microseconds % dayMicroseconds
    return settlingTime(result)
  }
  private static func settlingTime(_ interval: Interval) -> Interval {
    var result = interval
    if result.days > 0, result.microseconds < 0 {
      result.microseconds += dayMicroseconds
      result.days -= 1
    } else if result.days < 0, result.microseconds > 0 {
      result.microseconds -= dayMicroseconds
      result.days += 1
    }
    return result
  }

  @Sendable static func justifyingDays(_ interval: Interval) throws -> Interval {
    var result = interval
    result.months = try carry(Int64(interval.days / 30), into: interval.months)
    result.days = interval.days % 30
    if result.months > 0, result.days < 0 {
      result.days += 30
      result.months -= 1
    } else if result.months < 0, result.days > 0 {
      result.days -= 30
      result.months += 1
    }
    return result
  }

  @Sendable static func justifying(_ interval: Interval) throws -> Interval {
    var result = interval
    let days = Int64(interval.days) + interval.microseconds / dayMicroseconds
    result.microseconds = interval.microseconds % dayMicroseconds
    result.months = try carry(days / 30, into: interval.months)
    result.days = Int32(days % 30)
    if result.months > 0, result.days < 0 || (result.days == 0 && result.microseconds < 0) {
      result.days += 30
      result.months -= 1
    } else if result.months < 0, result.days > 0 || (result.days == 0 && result.microseconds > 0) {
      result.days -= 30
      result.months += 1
    }
    return settlingTime(result)
  }
}
