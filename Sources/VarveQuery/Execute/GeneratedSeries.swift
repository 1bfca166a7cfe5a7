// What generate_series gives, a batch at a time: a series may have more values than memory.

import VarveCompute
import VarveCore

private enum SeriesBatch {
  static let rowCount = 8_192
  static let noStep = SQLError.make("22023", "step size cannot equal zero")
}

/// Integers of eight bytes; those of four end before they would need more.
final class IntegerSeriesOperator: Operator {
  private let type: SQLType
  private let context: ExecutionContext
  private let step: Int64
  private var value: Int64
  /// How many values come behind `value`; nil: the series has ended.
  private var following: UInt64?

  private init(_ type: SQLType, from first: Int64, to last: Int64, by step: Int64, _ context: ExecutionContext) {
    self.type = type
    self.context = context
    self.step = step
    value = first
    // Differences of signed integers fit unsigned ones.
    if step > 0 ? first <= last : first >= last {
      following = UInt64(bitPattern: step > 0 ? last &- first : first &- last) / step.magnitude
    }
  }

  static func open(_ arguments: [Datum], _ type: SQLType, _ context: ExecutionContext) throws -> any Operator {
    guard case .int(let first) = arguments[0], case .int(let last) = arguments[1] else { return EmptyOperator() }
    var step: Int64 = 1
    if arguments.count > 2 {
      guard case .int(let given) = arguments[2] else { return EmptyOperator() }
      step = given
    }
    if step == 0 { throw SeriesBatch.noStep }
    return IntegerSeriesOperator(type, from: first, to: last, by: step, context)
  }

  func next() throws -> QueryBatch? {
    guard let following else { return nil }
    try context.check()
    let count = following < SeriesBatch.rowCount ? Int(following) + 1 : SeriesBatch.rowCount
    let words = Buffer<UInt64>(capacity: count)
    Self.fill(words.base, count, from: value, by: step)
    words.count = count
    self.following = following < SeriesBatch.rowCount ? nil : following - UInt64(count)
    value &+= step &* Int64(count)
    return QueryBatch(count: count, columns: [Column(type: type, count: count, storage: .words(words))])
  }

  private static func fill(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, from first: Int64, by step: Int64) {
    for i in 0..<count { words[i] = UInt64(bitPattern: first &+ step &* Int64(truncatingIfNeeded: i)) }
  }
}

final class NumericSeriesOperator: Operator {
  private let context: ExecutionContext
  private let last: Numeric
  private let step: Numeric
  private let isAscending: Bool
  private var value: Numeric

  private init(from first: Numeric, to last: Numeric, by step: Numeric, _ context: ExecutionContext) {
    self.context = context
    self.last = last
    self.step = step
    isAscending = step > Numeric(Int64(0))
    value = first
  }

  @Sendable static func open(_ arguments: [Datum], _ context: ExecutionContext) throws -> any Operator {
    guard case .numeric(let first) = arguments[0], case .numeric(let last) = arguments[1] else {
      return EmptyOperator()
    }
    var step = Numeric(Int64(1))
    if arguments.count > 2 {
      guard case .numeric(let given) = arguments[2] else { return EmptyOperator() }
      step = given
    }
    guard [first, last, step].allSatisfy(\.isFinite) else {
      throw SQLError.make("22023", "start, stop and step of a series must be finite numbers")
    }
    if step == Numeric(Int64(0)) { throw SeriesBatch.noStep }
    return NumericSeriesOperator(from: first, to: last, by: step, context)
  }

  func next() throws -> QueryBatch? {
    try context.check()
    var values: [Datum] = []
    while values.count < SeriesBatch.rowCount, isAscending ? value <= last : value >= last {
      values.append(.numeric(value))
      value = try Numeric.adding(value, step)
    }
    if values.isEmpty { return nil }
    return QueryBatch(
      count: values.count, columns: [Column(type: .numeric, count: values.count, storage: .data(values))])
  }
}

/// Times: each is the one before and the step, since a month after the end of one is not always the end of the next.
final class TimeSeriesOperator: Operator {
  private let type: SQLType
  private let context: ExecutionContext
  private let last: Int64
  private let step: Interval
  private let add: ScalarFunction
  /// Where every step is as long, wherever it begins.
  private let nanoseconds: Int64?
  private let isAscending: Bool
  /// nil: the series has ended.
  private var value: Int64?

  private init(
    _ type: SQLType, from first: Int64, to last: Int64, by step: Interval, _ add: ScalarFunction,
    _ context: ExecutionContext
  ) throws {
    self.type = type
    self.context = context
    self.last = last
    self.step = step
    self.add = add
    value = first
    guard let second = try Self.adding(step, to: first, type, add, context) else {
      (nanoseconds, isAscending, value) = (nil, true, nil)
      return
    }
    if second == first { throw SeriesBatch.noStep }
    isAscending = second > first
    // Days of a zone may have 23 hours.
    let isSteady = step.months == 0 && (step.days == 0 || type == .timestamp)
    nanoseconds = isSteady && first != .min && first != .max && second != .min && second != .max ? second - first : nil
  }

  static func open(
    _ arguments: [Datum], _ add: ScalarFunction, _ type: SQLType, _ context: ExecutionContext
  ) throws -> any Operator {
    guard case .timestamp(let first) = arguments[0], case .timestamp(let last) = arguments[1],
      case .interval(let step) = arguments[2]
    else { return EmptyOperator() }
    return try TimeSeriesOperator(type, from: first, to: last, by: step, add, context)
  }

  private static func adding(
    _ step: Interval, to value: Int64, _ type: SQLType, _ add: ScalarFunction, _ context: ExecutionContext
  ) throws -> Int64? {
    let result = try add.evaluate(
      [.constant(.timestamp(value), type: type, count: 1), .constant(.interval(step), type: .interval, count: 1)], 1,
      context.evaluation)
    guard case .timestamp(let time) = result.datum(at: 0) else { return nil }
    return time
  }

  func next() throws -> QueryBatch? {
    try context.check()
    let words = Buffer<UInt64>(capacity: SeriesBatch.rowCount)
    while words.count < SeriesBatch.rowCount, let value, isAscending ? value <= last : value >= last {
      words.append(UInt64(bitPattern: value))
      if let nanoseconds {
        let (sum, overflow) = value.addingReportingOverflow(nanoseconds)
        // Near the ends of time the sum itself says what is wrong.
        if !overflow, sum != .min, sum != .max {
          self.value = sum
          continue
        }
      }
      let following = try Self.adding(step, to: value, type, add, context)
      self.value = following == value ? nil : following
    }
    if words.count == 0 { return nil }
    return QueryBatch(count: words.count, columns: [Column(type: type, count: words.count, storage: .words(words))])
  }
}

/// The rows of a function counted from 1 in a last column.
final class NumberedOperator: Operator {
  private let input: any Operator
  private var count = 0
  init(_ input: any Operator) { self.input = input }

  func next() throws -> QueryBatch? {
    guard var batch = try input.next() else { return nil }
    let words = Buffer<UInt64>(capacity: batch.count)
    for row in 0..<batch.count { words.append(UInt64(count + row + 1)) }
    count += batch.count
    batch.columns.append(Column(type: .int8, count: batch.count, storage: .words(words)))
    return batch
  }
}
