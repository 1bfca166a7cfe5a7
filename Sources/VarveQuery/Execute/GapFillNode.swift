// Fills the buckets that groups have no rows for. Rows are sorted by the other keys and time; each group of them is then
// merged with the series of all buckets, which is made once. Rows outside of what is filled stay as they are.

import VarveCompute
import VarveCore

final class GapFillNode: PlanNode {
  let input: any PlanNode
  let fill: GapFill
  let calls: [FillCall]

  init(_ input: any PlanNode, _ fill: GapFill, _ calls: [FillCall]) {
    self.input = input
    self.fill = fill
    self.calls = calls
  }
  var types: [SQLType] { input.types + calls.map(\.type) }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Gap Fill" }
  func open(_ context: ExecutionContext) throws -> any Operator { GapFillOperator(self, context) }

  private final class GapFillOperator: Operator {
    let node: GapFillNode
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: GapFillNode, _ context: ExecutionContext) {
      self.node = node
      self.context = context
    }
    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      let filled = try FilledRows(node.fill, try context.collect(node.input), types: node.input.types, context)
      var columns = filled.batch.columns
      for call in node.calls {
        let column = try call.column(filled, context)
        try context.memory.charge(column.byteCount)
        columns.append(column)
      }
      let output = RowsOperator(QueryBatch(count: filled.batch.count, columns: columns))
      self.output = output
      return try output.next()
    }
  }
}

/// The rows of a query with those that were missing.
struct FilledRows {
  /// The query's own rows, sorted by the other keys and time.
  let rows: QueryBatch
  /// All rows: what is not a key is NULL in those that were missing.
  let batch: QueryBatch
  /// For each row of `batch`, that of `rows`; negative: it was missing.
  let sources: [Int32]
  /// Of each row's bucket.
  let times: [Int64]
  /// Where the groups begin in `batch`, and its end.
  let groupStarts: [Int]

  init(_ fill: GapFill, _ input: QueryBatch, types: [SQLType], _ context: ExecutionContext) throws {
    let columns = fill.keys + [fill.time]
    let sorts = columns.map { index in
      BoundSort(
        expression: .column(ColumnReference(index: index, type: types[index], name: "", location: -1)),
        isDescending: false, nullsFirst: false)
    }
    let order = RowOrder.sorted(columns.map { input.columns[$0] }, sorts, count: input.count)
    let sorted = input.gather(order.span)
    try context.memory.charge(sorted.byteCount)
    let buckets = try GapBuckets(fill, context).all()
    var merge = Merge(sorted, fill)
    let groups = Self.groups(sorted, fill.keys)
    // Without other keys there is a group even of no rows.
    for group in groups.isEmpty && fill.keys.isEmpty ? [0..<0] : groups {
      try context.check()
      try context.memory.charge((buckets.count + group.count) * 16)
      merge.add(group, buckets)
    }
    rows = sorted
    sources = merge.sources
    times = merge.times
    groupStarts = merge.groupStarts + [merge.sources.count]
    batch = merge.batch(types, fill)
  }

  private static func groups(_ rows: QueryBatch, _ keys: [Int]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = 0
    for row in 0..<rows.count
    where row + 1 == rows.count || keys.contains(where: { !rows.columns[$0].isSame(row, rows.columns[$0], row + 1) }) {
      result.append(start..<(row + 1))
      start = row + 1
    }
    return result
  }

  private struct Merge {
    let rows: QueryBatch
    let timeColumn: Column
    var sources: [Int32] = []
    var times: [Int64] = []
    var hasTime: [Bool] = []
    /// A row of the same group.
    var representatives: [UInt32] = []
    var groupStarts: [Int] = []

    init(_ rows: QueryBatch, _ fill: GapFill) {
      self.rows = rows
      timeColumn = rows.columns[fill.time].materialized()
    }

    mutating func add(_ group: Range<Int>, _ buckets: [Int64]) {
      groupStarts.append(sources.count)
      let words = timeColumn.wordBuffer
      var next = 0
      func isBefore(_ bucket: Int64, _ row: Int) -> Bool {
        timeColumn.isNull(at: row) || bucket < Int64(bitPattern: words[row])
      }
      for row in group {
        while next < buckets.count, isBefore(buckets[next], row) {
          append(-1, buckets[next], hasTime: true, group)
          next += 1
        }
        let isNull = timeColumn.isNull(at: row)
        let time = isNull ? 0 : Int64(bitPattern: words[row])
        if next < buckets.count, !isNull, buckets[next] == time { next += 1 }
        append(Int32(row), time, hasTime: !isNull, group)
      }
      for bucket in buckets[next...] { append(-1, bucket, hasTime: true, group) }
    }

    private mutating func append(_ source: Int32, _ time: Int64, hasTime: Bool, _ group: Range<Int>) {
      sources.append(source)
      times.append(time)
      self.hasTime.append(hasTime)
      representatives.append(UInt32(group.lowerBound))
    }

    func batch(_ types: [SQLType], _ fill: GapFill) -> QueryBatch {
      let columns = types.indices.map { index -> Column in
        if index == fill.time {
          let words = Buffer<UInt64>(times.map { UInt64(bitPattern: $0) })
          let nulls = hasTime.contains(false) ? Buffer<UInt8>(hasTime.map { $0 ? 0 : 1 }) : nil
          return Column(type: types[index], count: times.count, storage: .words(words), nulls: nulls)
        }
        if fill.keys.contains(index) { return rows.columns[index].gather(representatives) }
        return rows.columns[index].gatherOrNull(sources)
      }
      return QueryBatch(count: sources.count, columns: columns)
    }
  }
}

/// The series of all buckets from start to finish.
private struct GapBuckets {
  let fill: GapFill
  let context: ExecutionContext
  private let arguments: [Column]

  init(_ fill: GapFill, _ context: ExecutionContext) throws {
    self.fill = fill
    self.context = context
    let constants = try fill.arguments.enumerated().map { index, argument in
      index == 1
        ? Column.null(argument.type, count: 1)
        : Column.constant(try context.constant(argument), type: argument.type, count: 1)
    }
    arguments = constants
  }

  func all() throws -> [Int64] {
    let start = try bucket(of: try end(fill.starts, "start", best: max))
    let finish = try end(fill.finishes, "finish", best: min)
    guard start < finish else {
      throw SQLError.make("22023", "invalid \(GapFillRequest.name) argument: start must be before finish")
    }
    let step = try fixedStep()
    let stride = try step ?? greatestStep()
    var buckets: [Int64] = []
    var current = start
    while current < finish {
      if buckets.count % 4096 == 0 {
        try context.check()
        try context.memory.charge(4096 * 8)
      }
      buckets.append(current)
      guard let next = try step.map({ Self.sum(current, $0) }) ?? following(current, stride) else { break }
      current = next
    }
    return buckets
  }

  private func end(_ bounds: [GapFill.Bound], _ name: String, best: (Int64, Int64) -> Int64) throws -> Int64 {
    var result: Int64?
    for bound in bounds {
      let value = try context.constant(bound.expression)
      guard !value.isNull else {
        throw SQLError.make("22023", "invalid \(GapFillRequest.name) argument: \(name) cannot be NULL")
      }
      let word = Int64(bitPattern: ColumnBuilder.word(value))
      if case .timestamp = value, word == .max || word == .min {
        throw SQLError.make("22023", "invalid \(GapFillRequest.name) argument: \(name) cannot be infinite")
      }
      let tick = bound.isNextTick ? Self.sum(word, 1) ?? word : word
      result = result.map { best($0, tick) } ?? tick
    }
    guard let result else { preconditionFailure("gap filling has a start and a finish") }
    return result
  }

  private static func sum(_ a: Int64, _ b: Int64) -> Int64? {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : sum
  }

  private func bucket(of time: Int64) throws -> Int64 {
    var columns = arguments
    let type = fill.arguments[1].type
    columns[1] = .constant(Column.datum(word: UInt64(bitPattern: time), type: type), type: type, count: 1)
    let result = try fill.bucket.evaluate(columns, 1, context.evaluation).datum(at: 0)
    guard !result.isNull else {
      throw SQLError.make("22023", "invalid \(GapFillRequest.name) argument: bucket_width cannot be NULL")
    }
    return Int64(bitPattern: ColumnBuilder.word(result))
  }

  private static let nanosecondsPerDay: Int64 = 86_400_000_000_000

  private var width: Datum { arguments[0].datum(at: 0) }

  /// The width of all buckets in ticks of the time, where they share it.
  private func fixedStep() throws -> Int64? {
    switch width {
    case .int(let step): return step
    case .interval(let interval):
      guard fill.arguments.count == 2, interval.months == 0, let width = Self.nanoseconds(interval, dayHours: 24)
      else { return nil }
      if fill.arguments[1].type != .date { return width }
      return width % Self.nanosecondsPerDay == 0 ? width / Self.nanosecondsPerDay : nil
    default: return nil
    }
  }

  /// No bucket is wider: months have 31 days at most, days 25 hours.
  private func greatestStep() throws -> Int64 {
    guard case .interval(var interval) = width else {
      preconditionFailure("a bucket's width is a number or an interval")
    }
    interval.days += interval.months * 31
    interval.months = 0
    guard let width = Self.nanoseconds(interval, dayHours: 25) else {
      throw SQLError.make("22008", "interval out of range")
    }
    return fill.arguments[1].type == .date ? max(1, width / Self.nanosecondsPerDay) : width
  }

  private static func nanoseconds(_ interval: Interval, dayHours: Int64) -> Int64? {
    let (days, over) = Int64(interval.days).multipliedReportingOverflow(by: dayHours * 3_600_000_000)
    let (total, over2) = days.addingReportingOverflow(interval.microseconds)
    let (width, over3) = total.multipliedReportingOverflow(by: 1000)
    return over || over2 || over3 || width <= 0 ? nil : width
  }

  /// The first bucket behind one. A step leads into the next, or where a clock is set back may stay in the same.
  private func following(_ current: Int64, _ step: Int64) throws -> Int64? {
    var time = current
    for _ in 0..<32 {
      guard let later = Self.sum(time, step) else { return nil }
      time = later
      let next = try bucket(of: time)
      if next > current { return next }
    }
    return nil
  }
}
