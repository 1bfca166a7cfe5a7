// now() and kin, arithmetic of times and intervals, zones, conversions.

import VarveCore

extension FunctionTable {
  mutating func addTimes() {
    for name in ["now", "current_timestamp", "transaction_timestamp", "statement_timestamp"] {
      add(name, [], .timestamptz, volatility: .stable) { _, n, context in
        .constant(.timestamp(context.now), type: .timestamptz, count: n)
      }
    }
    add("clock_timestamp", [], .timestamptz, volatility: .volatile) { _, n, context in
      .constant(.timestamp(context.clock?() ?? context.now), type: .timestamptz, count: n)
    }
    add("localtimestamp", [], .timestamp, volatility: .stable) { _, n, context in
      .constant(
        .timestamp(try TimeMath.local(context.now, in: context.sessionZone())), type: .timestamp, count: n)
    }
    add("current_date", [], .date, volatility: .stable) { _, n, context in
      .constant(
        .date(TimeMath.toDate(try TimeMath.local(context.now, in: context.sessionZone()))), type: .date, count: n)
    }

    for type in [SQLType.timestamptz, .timestamp] {
      let volatility: ScalarFunction.Volatility = type == .timestamptz ? .stable : .immutable
      addOperator("+", [type, .interval], type, volatility: volatility) {
        try TimeKernels.add($0[0], $0[1], $1, negative: false, $2)
      }
      addOperator("+", [.interval, type], type, volatility: volatility) {
        try TimeKernels.add($0[1], $0[0], $1, negative: false, $2)
      }
      addOperator("-", [type, .interval], type, volatility: volatility) {
        try TimeKernels.add($0[0], $0[1], $1, negative: true, $2)
      }
      addOperator("-", [type, type], .interval) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .interval) {
          .interval(try TimeMath.difference($0.timestamp, $1.timestamp))
        }
      }
      add("isfinite", [type], .bool) { columns, n, _ in
        Evaluation.words1(columns[0], n, .bool) { TimeMath.isInfinite(Int64(bitPattern: $0)) ? 0 : 1 }
      }
    }
    addDates()
    addIntervals()

    // AT TIME ZONE.
    add("timezone", [.text, .timestamptz], .timestamp) { try Zones.convert($0[0], $0[1], $1, $2, toLocal: true) }
    add("timezone", [.text, .timestamp], .timestamptz) { try Zones.convert($0[0], $0[1], $1, $2, toLocal: false) }
    add("timezone", [.interval, .timestamptz], .timestamp) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .timestamp) {
        .timestamp(try TimeMath.local($1.timestamp, in: Zones.zone($0.interval)))
      }
    }
    add("timezone", [.interval, .timestamp], .timestamptz) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .timestamptz) {
        .timestamp(try TimeMath.utc($1.timestamp, in: Zones.zone($0.interval)))
      }
    }

    add("to_ns", [.timestamptz], .int8) { columns, n, _ in
      try Evaluation.throwingWords1(columns[0], n, .int8) {
        if TimeMath.isInfinite(Int64(bitPattern: $0)) { throw SQLError.outOfRange(.int8) }
        return $0
      }
    }
    add("from_ns", [.int8], .timestamptz) { columns, n, _ in
      try Evaluation.throwingWords1(columns[0], n, .timestamptz) {
        if TimeMath.isInfinite(Int64(bitPattern: $0)) { throw SQLError.outOfRange(.timestamptz) }
        return $0
      }
    }
    add("to_timestamp", [.float8], .timestamptz) { columns, n, _ in
      try Evaluation.throwingWords1(columns[0], n, .timestamptz) {
        let seconds = Double(bitPattern: $0)
        if seconds.isNaN { throw SQLError.make("22008", "timestamp cannot be NaN") }
        if seconds.isInfinite { return TimeKernels.bits(seconds > 0 ? .max : .min) }
        let whole = seconds.rounded(.down)
        guard let base = Int(exactly: whole), abs(base) < 1 << 40 else {
          throw SQLError.make("22008", "timestamp out of range: \"\(seconds)\"")
        }
        // Microseconds, as PostgreSQL takes them: doubles say no more.
        let fraction = ((seconds - whole) * 1e6).rounded(.toNearestOrEven)
        return try TimeKernels.bits(TimeMath.join(base, Int(fraction) * 1000))
      }
    }
  }

  private mutating func addDates() {
    addOperator("+", [.date, .int4], .date) { columns, n, _ in
      try Evaluation.throwingWords2(columns[0], columns[1], n, .date) { try DateKernels.add($0, Int64(bitPattern: $1)) }
    }
    addOperator("+", [.int4, .date], .date) { columns, n, _ in
      try Evaluation.throwingWords2(columns[1], columns[0], n, .date) { try DateKernels.add($0, Int64(bitPattern: $1)) }
    }
    addOperator("-", [.date, .int4], .date) { columns, n, _ in
      try Evaluation.throwingWords2(columns[0], columns[1], n, .date) {
        try DateKernels.add($0, -Int64(bitPattern: $1))
      }
    }
    addOperator("-", [.date, .date], .int4) { columns, n, _ in
      try Evaluation.throwingWords2(columns[0], columns[1], n, .int4) {
        let a = TimeKernels.day($0)
        let b = TimeKernels.day($1)
        guard a != .max, a != .min, b != .max, b != .min else {
          throw SQLError.make("22008", "cannot subtract infinite dates")
        }
        return TimeKernels.bits(Int64(a) - Int64(b))
      }
    }
    for (symbol, negative) in [("+", false), ("-", true)] {
      addOperator(symbol, [.date, .interval], .timestamp) { columns, n, context in
        let times = try TimeKernels.convert(columns[0], n, to: .timestamp, context)
        return try TimeKernels.add(times, columns[1], n, negative: negative, context)
      }
    }
    addOperator("+", [.interval, .date], .timestamp) { columns, n, context in
      let times = try TimeKernels.convert(columns[1], n, to: .timestamp, context)
      return try TimeKernels.add(times, columns[0], n, negative: false, context)
    }
    add("make_date", [.int4, .int4, .int4], .date) { columns, n, _ in
      try Evaluation.rows(columns, n, .date) { row in
        let (year, month, day) = (Int(row[0].integer), Int(row[1].integer), Int(row[2].integer))
        let astronomical = year < 0 ? year + 1 : year
        guard year != 0, abs(year) < 6_000_000, month >= 1, month <= 12, day >= 1,
          day <= CivilDate.dayCount(year: astronomical, month: month)
        else { throw SQLError.make("22008", "date field value out of range: \(year)-\(month)-\(day)") }
        return .date(Int32(CivilDate(year: astronomical, month: month, day: day).days))
      }
    }
  }

  private mutating func addIntervals() {
    func binary(_ symbol: String, _ op: @escaping @Sendable (Interval, Interval) throws -> Interval) {
      addOperator(symbol, [.interval, .interval], .interval) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .interval) { .interval(try op($0.interval, $1.interval)) }
      }
    }
    binary("+") { try Interval.adding($0, $1) }
    binary("-") { try Interval.adding($0, $1.negated()) }
    addOperator("-", [.interval], .interval) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .interval) { .interval(try $0.interval.negated()) }
    }
    addOperator("*", [.interval, .float8], .interval) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .interval) {
        .interval(try $0.interval.multiplied(by: $1.double))
      }
    }
    addOperator("*", [.float8, .interval], .interval) { columns, n, _ in
      try Evaluation.rows2(columns[1], columns[0], n, .interval) {
        .interval(try $0.interval.multiplied(by: $1.double))
      }
    }
    addOperator("/", [.interval, .float8], .interval) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .interval) {
        .interval(try $0.interval.divided(by: $1.double))
      }
    }
    // Years to seconds, each with a default of zero in PostgreSQL: callers give all seven.
    add("make_interval", [.int4, .int4, .int4, .int4, .int4, .int4, .float8], .interval) { columns, n, _ in
      try Evaluation.rows(columns, n, .interval) { row in
        let months = row[0].integer * 12 + row[1].integer
        let days = row[2].integer * 7 + row[3].integer
        let time = (row[4].integer * 3600 + row[5].integer * 60) * 1_000_000
        let seconds = (row[6].double * 1e6).rounded()
        guard let m = Int32(exactly: months), let d = Int32(exactly: days), let s = Int64(exactly: seconds) else {
          throw Interval.outOfRange
        }
        let (total, overflow) = time.addingReportingOverflow(s)
        if overflow { throw Interval.outOfRange }
        return .interval(Interval(months: m, days: d, microseconds: total))
      }
    }
  }
}

enum DateKernels {
  static func add(_ word: UInt64, _ days: Int64) throws -> UInt64 {
    let date = TimeKernels.day(word)
    if date == .max || date == .min { return word }
    let sum = Int(date) + Int(days)
    guard DateTimeText.isDate(sum) else { throw SQLError.outOfRange(.date) }
    return TimeKernels.bits(Int64(sum))
  }
}

enum Zones {
  /// An interval as zone is its offset; months and days have no place in it.
  static func zone(_ interval: Interval) throws -> TimeZone {
    guard interval.months == 0, interval.days == 0, abs(interval.microseconds / 1_000_000) < 86_400 * 7 else {
      throw SQLError.make("22023", "interval time zone must not include months or days")
    }
    return TimeZone(name: "", fixedOffset: Int(interval.microseconds / 1_000_000))
  }

  static func convert(
    _ names: Column, _ times: Column, _ n: Int, _ context: EvaluationContext, toLocal: Bool
  ) throws -> Column {
    let result: SQLType = toLocal ? .timestamp : .timestamptz
    if Evaluation.isConstantNull(names) || Evaluation.isConstantNull(times) { return .null(result, count: n) }
    if case .text(let name)? = names.constantValue {
      let zone = try context.zones.zone(named: name, posixSign: true)
      return toLocal ? try TimeKernels.toLocal(times, n, zone) : try TimeKernels.toUTC(times, n, zone)
    }
    return try Evaluation.rows2(names, times, n, result) {
      let zone = try context.zones.zone(named: $0.text, posixSign: true)
      return .timestamp(
        toLocal ? try TimeMath.local($1.timestamp, in: zone) : try TimeMath.utc($1.timestamp, in: zone))
    }
  }
}
