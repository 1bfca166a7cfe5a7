// count, sum and avg of all but doubles: states a group, mergeable. Sums are exact.

import VarveCore

/// What the loops of an aggregate read: a column without constants, and the rows in it.
struct AggregateInput {
  let column: Column
  let rows: Range<Int>

  init(_ column: Column) {
    self.column = column.constantValue == nil ? column : column.materialized()
    rows = 0..<column.count
  }
  init(_ column: Column, rows: Range<Int>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= column.count, "rows of the argument")
    if column.constantValue == nil {
      self.column = column
      self.rows = rows
    } else {
      self.column = Column(type: column.type, count: rows.count, storage: column.storage).materialized()
      self.rows = 0..<rows.count
    }
  }
  /// Of segments, which ascend.
  init(_ column: Column, segments: UnsafeBufferPointer<GroupSegment>) {
    precondition(segments.last.map { $0.rows.upperBound <= column.count } ?? true, "rows of the argument")
    self.init(column)
  }
  /// Rows of the range that are not NULL.
  var valueCount: Int {
    if column.nulls == nil, !column.type.isWord, !column.type.isText {
      return rows.reduce(0) { $0 + (column.isNull(at: $1) ? 0 : 1) }
    }
    guard let nulls = column.nulls else { return rows.count }
    var missing = 0
    for i in rows { missing &+= Int(nulls.base[i]) }
    return rows.count - missing
  }
}

extension PartialBatch {
  /// A statistic that was asked for.
  func words(_ statistic: SummaryStatistic, _ column: Int?) -> Buffer<UInt64> {
    guard let column, let words = columns[column][statistic] else {
      preconditionFailure("what an aggregate needs was asked for")
    }
    return words
  }
}

final class CountAggregate: PartialAggregate {
  private let counts = Buffer<Int64>()
  private let ofRows: Bool

  init(ofRows: Bool) { self.ofRows = ofRows }

  func resize(to count: Int) { if count > counts.count { counts.append(repeating: 0, count: count - counts.count) } }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    let counts = counts.base
    if ofRows || arguments.isEmpty {
      for group in groups { counts[Int(group)] &+= 1 }
      return
    }
    let column = arguments[0]
    if column.constantValue?.isNull == true { return }
    if let nulls = column.nulls {
      for (i, group) in groups.enumerated() { counts[Int(group)] &+= 1 - Int64(nulls.base[i]) }
    } else if case .data(let data) = column.storage {
      for (i, group) in groups.enumerated() where !data[i].isNull { counts[Int(group)] &+= 1 }
    } else {
      for group in groups { counts[Int(group)] &+= 1 }
    }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    counts[group] &+=
      ofRows || arguments.isEmpty
      ? Int64(range.count)
      : (arguments[0].constantValue.map { $0.isNull ? 0 : Int64(range.count) }
        ?? Int64(AggregateInput(arguments[0], rows: range).valueCount))
  }

  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) {
    guard ofRows || arguments.isEmpty else {
      for segment in segments { update(arguments, rows: segment.rows, group: Int(segment.group)) }
      return
    }
    let counts = counts.base
    for segment in segments { counts[Int(segment.group)] &+= Int64(segment.rows.count) }
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count) }

  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    let buffer = ofRows ? partials.rowCounts : partials.words(.count, column)
    defer { withExtendedLifetime(buffer) {} }
    let (words, counts) = (buffer.base, counts.base)
    for segment in segments {
      var count: UInt64 = 0
      for row in segment.rows { count &+= words[row] }
      counts[Int(segment.group)] &+= Int64(bitPattern: count)
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? CountAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { counts[Int(group)] &+= other.counts[i] }
  }

  func result() -> Column {
    let words = Buffer<UInt64>(capacity: counts.count)
    for count in counts.span { words.append(UInt64(bitPattern: count)) }
    return Column(type: .int8, count: counts.count, storage: .words(words))
  }
}

/// sum and avg of integers.
final class IntegerSumAggregate: PartialAggregate {
  /// A count is an int8 that is 0 where there is no value.
  enum Result { case int8, numeric, average, count }
  private let mode: Result
  private let sums = Buffer<Int128>()
  private let counts = Buffer<Int64>()

  init(_ mode: Result) { self.mode = mode }

  func resize(to count: Int) {
    if count > counts.count {
      sums.append(repeating: 0, count: count - sums.count)
      counts.append(repeating: 0, count: count - counts.count)
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    let sums = sums.base
    let counts = counts.base
    if let nulls = input.column.nulls {
      for (i, group) in groups.enumerated() where nulls.base[i] == 0 {
        sums[Int(group)] &+= Int128(Int64(bitPattern: words.base[i]))
        counts[Int(group)] &+= 1
      }
    } else {
      for (i, group) in groups.enumerated() {
        sums[Int(group)] &+= Int128(Int64(bitPattern: words.base[i]))
        counts[Int(group)] &+= 1
      }
    }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    let input = AggregateInput(arguments[0], rows: range)
    let buffer = input.column.wordBuffer
    defer { withExtendedLifetime((buffer, input)) {} }
    add(buffer.base, input.column.nulls?.base, input.rows, group)
  }

  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) {
    let input = AggregateInput(arguments[0], segments: segments)
    let buffer = input.column.wordBuffer
    defer { withExtendedLifetime((buffer, input)) {} }
    let (words, nulls) = (buffer.base, input.column.nulls?.base)
    for segment in segments { add(words, nulls, segment.rows, Int(segment.group)) }
  }

  @inline(__always) private func add(
    _ words: UnsafePointer<UInt64>, _ nulls: UnsafePointer<UInt8>?, _ rows: Range<Int>, _ group: Int
  ) {
    // High and low halves apart, in loops that vectorise; ranges stay below 2^31 rows.
    var high: Int64 = 0
    var low: UInt64 = 0
    var missing = 0
    if let nulls {
      for i in rows {
        let word = words[i] & (UInt64(nulls[i]) &- 1)
        high &+= Int64(bitPattern: word) &>> 32
        low &+= word & 0xFFFF_FFFF
        missing &+= Int(nulls[i])
      }
    } else {
      for i in rows {
        high &+= Int64(bitPattern: words[i]) &>> 32
        low &+= words[i] & 0xFFFF_FFFF
      }
    }
    sums[group] &+= Int128(high) << 32 + Int128(low)
    counts[group] &+= Int64(rows.count - missing)
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, .sum) }

  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    let (sumBuffer, countBuffer) = (partials.words(.sum, column), partials.words(.count, column))
    defer { withExtendedLifetime((sumBuffer, countBuffer)) {} }
    let (words, valueCounts) = (sumBuffer.base, countBuffer.base)
    let (sums, counts) = (sums.base, counts.base)
    for segment in segments {
      var sum: Int128 = 0
      var count: UInt64 = 0
      for row in segment.rows {
        sum &+= Int128(Int64(bitPattern: words[row]))
        count &+= valueCounts[row]
      }
      sums[Int(segment.group)] &+= sum
      counts[Int(segment.group)] &+= Int64(bitPattern: count)
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? IntegerSumAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() {
      sums[Int(group)] &+= other.sums[i]
      counts[Int(group)] &+= other.counts[i]
    }
  }

  func result() throws -> Column {
    if mode == .int8 || mode == .count {
      var builder = ColumnBuilder(.int8, capacity: counts.count)
      for i in 0..<counts.count {
        guard let value = Int64(exactly: sums[i]) else { throw SQLError.outOfRange(.int8) }
        if counts[i] == 0, mode == .int8 { builder.appendNull() } else { builder.append(value) }
      }
      return builder.finish()
    }
    var data: [Datum] = []
    data.reserveCapacity(counts.count)
    for i in 0..<counts.count {
      if counts[i] == 0 {
        data.append(.null)
      } else {
        let sum = try Numeric(checking: sums[i], scale: 0)
        data.append(.numeric(mode == .average ? try Numeric.dividing(sum, Numeric(counts[i])) : sum))
      }
    }
    return Column(type: .numeric, count: data.count, storage: .data(data))
  }
}

/// sum and avg of numerics and intervals: a datum a group.
final class DatumSumAggregate: PartialAggregate {
  private let type: SQLType
  private let average: Bool
  private var sums: [Datum] = []
  private var counts: [Int64] = []

  init(_ type: SQLType, average: Bool) {
    self.type = type
    self.average = average
  }

  func resize(to count: Int) {
    while sums.count < count {
      sums.append(.null)
      counts.append(0)
    }
  }

  private func add(_ datum: Datum, _ group: Int, count: Int64 = 1) throws {
    switch (sums[group], datum) {
    case (_, .null): return
    case (.null, _): sums[group] = datum
    case (.numeric(let a), .numeric(let b)): sums[group] = .numeric(try Numeric.adding(a, b))
    case (.interval(let a), .interval(let b)): sums[group] = .interval(try Interval.adding(a, b))
    default: preconditionFailure("a sum of numerics or intervals")
    }
    counts[group] &+= count
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    for (i, group) in groups.enumerated() { try add(arguments[0].datum(at: i), Int(group)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    for i in range { try add(arguments[0].datum(at: i), group) }
  }
  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, .sum) }

  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) throws {
    precondition(type == .numeric, "partial sums are numbers")
    let words = partials.words(.sum, column)
    let valueCounts = partials.words(.count, column)
    for segment in segments {
      for row in segment.rows where valueCounts.base[row] > 0 {
        let sum = Numeric(Int64(bitPattern: words.base[row]))
        try add(.numeric(sum), Int(segment.group), count: Int64(bitPattern: valueCounts.base[row]))
      }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? DatumSumAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { try add(other.sums[i], Int(group), count: other.counts[i]) }
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: sums.count)
    for (sum, count) in zip(sums, counts) {
      switch sum {
      case .numeric(let value) where average:
        try builder.append(.numeric(Numeric.dividing(value, Numeric(count))))
      case .interval(let value) where average: try builder.append(.interval(value.divided(by: Double(count))))
      default: try builder.append(sum)
      }
    }
    return builder.finish()
  }
}

/// bool_and, every, bool_or.
final class BoolAggregate: GroupedAggregate {
  private let all: Bool
  private var states: [Bool?] = []

  init(all: Bool) { self.all = all }

  func resize(to count: Int) { while states.count < count { states.append(nil) } }
  private func add(_ value: Bool, _ group: Int) {
    states[group] = states[group].map { all ? $0 && value : $0 || value } ?? value
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    for (i, group) in groups.enumerated() where !input.column.isNull(at: i) { add(words.base[i] != 0, Int(group)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    let input = AggregateInput(arguments[0], rows: range)
    let words = input.column.wordBuffer
    for i in input.rows where !input.column.isNull(at: i) { add(words.base[i] != 0, group) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? BoolAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { if let value = other.states[i] { add(value, Int(group)) } }
  }
  func result() throws -> Column {
    try Column(type: .bool, data: states.map { $0.map(Datum.bool) ?? .null })
  }
}
