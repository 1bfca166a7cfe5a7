// Aggregates over frames. What has an inverse (counts, sums of integers and numerics) is the difference of two running
// totals; sums of doubles, which have none, are put together from a tree of partial sums; the least and greatest of
// frames that only move forward come from a queue of candidates. Any other aggregate is kept running while frames begin
// with their partition, and is else computed anew for each frame, as PostgreSQL does.

import VarveCompute
import VarveCore

struct WindowAggregation {
  private let function: AggregateFunction
  private let rows: WindowRows
  private let context: ExecutionContext
  private let frames: WindowFrames
  private let type: SQLType
  /// Over the rows that pass FILTER.
  private let arguments: [Column]
  /// How many rows before each row pass FILTER; nil: all do.
  private let passing: Buffer<Int32>?

  init(_ call: WindowCall, _ function: AggregateFunction, _ rows: WindowRows, _ context: ExecutionContext) throws {
    self.function = function
    self.rows = rows
    self.context = context
    type = call.type
    frames = try WindowFrames(call.frame, rows, context)
    var batch = rows.batch
    var passing: Buffer<Int32>?
    if let filter = call.filter, let chosen = try context.selection([filter], batch) {
      let before = Buffer<Int32>(repeating: 0, count: rows.count + 1)
      for row in chosen.span { before[Int(row) + 1] = 1 }
      for row in 0..<rows.count { before[row + 1] += before[row] }
      passing = before
      batch = batch.gather(chosen.span)
    }
    self.passing = passing
    arguments = try call.arguments.map { try context.evaluate($0, batch) }
    try context.memory.charge(arguments.reduce(0) { $0 + $1.byteCount })
  }

  /// The frame of a row in terms of the arguments' rows.
  @inline(__always) private func parts(of row: Int) -> WindowFrames.Parts {
    let parts = frames.parts(of: row)
    guard let passing else { return parts }
    func moved(_ range: Range<Int>) -> Range<Int> { Int(passing[range.lowerBound])..<Int(passing[range.upperBound]) }
    return WindowFrames.Parts(first: moved(parts.first), second: moved(parts.second), third: moved(parts.third))
  }

  func column() throws -> Column {
    let result: Column?
    switch function.name {
    case "count": result = counts()
    case "sum", "avg": result = try sums()
    case "min", "max": result = frames.exclusion == .none ? extremes(isLeast: function.name == "min") : nil
    default: result = nil
    }
    return try result ?? (frames.areRunning(rows) ? running() : recomputed())
  }

  // MARK: Inverses

  /// Values before each row that are not NULL.
  private func valueCounts(_ argument: Column?, _ count: Int) -> Buffer<Int32> {
    let result = Buffer<Int32>(repeating: 0, count: count + 1)
    for row in 0..<count { result[row + 1] = result[row] + (argument?.isNull(at: row) ?? false ? 0 : 1) }
    return result
  }

  private var argumentCount: Int { passing.map { Int($0[rows.count]) } ?? rows.count }

  private func counts() -> Column? {
    guard arguments.count < 2 else { return nil }
    let before = valueCounts(arguments.first, argumentCount)
    let words = Buffer<UInt64>(repeating: 0, count: rows.count)
    for row in 0..<rows.count { words[row] = UInt64(Self.difference(before, parts(of: row))) }
    return Column(type: .int8, count: rows.count, storage: .words(words))
  }

  @inline(__always) private static func difference(_ before: Buffer<Int32>, _ parts: WindowFrames.Parts) -> Int32 {
    func one(_ range: Range<Int>) -> Int32 { before[range.upperBound] - before[range.lowerBound] }
    return one(parts.first) + one(parts.second) + one(parts.third)
  }

  private func sums() throws -> Column? {
    guard arguments.count == 1 else { return nil }
    let argument = arguments[0].materialized()
    // A running sum of doubles is added up value by value, in the order of the rows.
    if argument.type.isFloat { return frames.areRunning(rows) ? nil : try floatSums(argument) }
    guard let values = exactValues(argument) else { return nil }
    let before = valueCounts(argument, argument.count)
    var builder = ColumnBuilder(type, capacity: rows.count)
    for row in 0..<rows.count {
      let parts = parts(of: row)
      let count = Self.difference(before, parts)
      if count == 0 {
        builder.appendNull()
        continue
      }
      func one(_ range: Range<Int>) -> Int128 { values.totals[range.upperBound] - values.totals[range.lowerBound] }
      let sum = one(parts.first) + one(parts.second) + one(parts.third)
      if type == .int8 {
        guard let word = Int64(exactly: sum) else { throw SQLError.make("22003", "bigint out of range") }
        builder.append(word: UInt64(bitPattern: word))
        continue
      }
      let total = Numeric(mantissa: sum, scale: values.scale)
      try builder.append(
        .numeric(function.name == "avg" ? try Numeric.dividing(total, Numeric(Int64(count))) : total))
    }
    return builder.finish()
  }

  /// Sums of all values before each row, of integers or of numerics that share a scale; nil for others, and beyond what
  /// a numeric holds.
  private func exactValues(_ argument: Column) -> (totals: Buffer<Int128>, scale: Int)? {
    let totals = Buffer<Int128>(repeating: 0, count: argument.count + 1)
    var scale: Int?
    var isExact = true
    var least: Int128 = 0
    var greatest: Int128 = 0
    for row in 0..<argument.count {
      var value: Int128 = 0
      switch argument.datum(at: row) {
      case .null: break
      case .int(let integer): value = Int128(integer)
      case .numeric(let numeric):
        isExact = isExact && numeric.scale == scale ?? numeric.scale
        scale = numeric.scale
        value = numeric.mantissa
      default: return nil
      }
      let (sum, overflow) = totals[row].addingReportingOverflow(value)
      if overflow || !isExact { return nil }
      totals[row + 1] = sum
      least = min(least, sum)
      greatest = max(greatest, sum)
    }
    // Every difference is then within a numeric too.
    let limit = Int128(10_000_000_000_000_000_000) * Int128(1_000_000_000_000_000_000)
    return greatest < limit && least > -limit ? (totals, scale ?? 0) : nil
  }

  // MARK: Doubles

  private func floatSums(_ argument: Column) throws -> Column {
    let tree = SumTree(argument)
    let before = valueCounts(argument, argument.count)
    var builder = ColumnBuilder(type, capacity: rows.count)
    for row in 0..<rows.count {
      if row % 4096 == 0 { try context.check() }
      let parts = parts(of: row)
      let count = Self.difference(before, parts)
      if count == 0 {
        builder.appendNull()
        continue
      }
      let sum = tree.sum(parts.first) + tree.sum(parts.second) + tree.sum(parts.third)
      if sum.isInfinite, tree.isFinite { throw SQLError.make("22003", "value out of range: overflow") }
      let value = function.name == "avg" ? sum / Double(count) : sum
      builder.append(word: (type == .float4 ? Double(Float(value)) : value).bitPattern)
    }
    return builder.finish()
  }

  // MARK: Extremes

  /// Frames of a partition move forward: a value that another behind it outdoes is never asked for again.
  private func extremes(isLeast: Bool) -> Column? {
    guard arguments.count == 1 else { return nil }
    let argument = arguments[0].constantValue == nil ? arguments[0] : arguments[0].materialized()
    var places = [Int32](repeating: -1, count: rows.count)
    var queue: [Int] = []
    var head = 0
    var next = 0
    for row in 0..<rows.count {
      let frame = parts(of: row).first
      if rows.partitionStarts[row] == row {
        queue.removeAll(keepingCapacity: true)
        head = 0
        next = frame.lowerBound
      }
      while next < frame.upperBound {
        if !argument.isNull(at: next) {
          while queue.count > head, let last = queue.last {
            let order = argument.compare(next, argument, last)
            if isLeast ? order > 0 : order < 0 { break }
            queue.removeLast()
          }
          queue.append(next)
        }
        next += 1
      }
      while head < queue.count, queue[head] < frame.lowerBound { head += 1 }
      if head < queue.count, frame.count > 0 { places[row] = Int32(queue[head]) }
      if head > 4096, head * 2 > queue.count {
        queue.removeFirst(head)
        head = 0
      }
    }
    return argument.gatherOrNull(places).relabelled(type)
  }

  // MARK: Any aggregate

  private func running() throws -> Column {
    var results: [Column] = []
    for partition in rows.partitions {
      try context.check()
      let states = function.makeStates()
      try states.resize(to: 1)
      var places: [UInt32] = []
      places.reserveCapacity(partition.count)
      var taken = parts(of: partition.lowerBound).first.lowerBound
      var asked = -1
      var values: [Column] = []
      for row in partition {
        let end = parts(of: row).first.upperBound
        if end != asked {
          if values.count % 4096 == 0 { try context.check() }
          if end > taken { try states.update(arguments, rows: taken..<end, group: 0) }
          taken = max(taken, end)
          values.append(try states.result())
          asked = end
        }
        places.append(UInt32(values.count - 1))
      }
      results.append(Column.concat(values, type: type).gather(places))
      try context.memory.charge(results[results.count - 1].byteCount)
    }
    return results.isEmpty ? .null(type, count: 0) : .concat(results, type: type)
  }

  /// Frames that are the same as the one before share its result.
  private func recomputed() throws -> Column {
    let framesAtOnce = 256
    var places = [UInt32](repeating: 0, count: rows.count)
    var results: [Column] = []
    var states = function.makeStates()
    var inStates = 0
    var frameCount = 0
    var before: WindowFrames.Parts?
    func flush() throws {
      if inStates == 0 { return }
      let result = try states.result()
      results.append(result.count == inStates ? result : result.slice(0..<inStates))
      states = function.makeStates()
      inStates = 0
    }
    for row in 0..<rows.count {
      let parts = parts(of: row)
      if parts != before {
        if inStates == framesAtOnce {
          try context.check()
          try flush()
        }
        try states.resize(to: inStates + 1)
        for part in [parts.first, parts.second, parts.third] where !part.isEmpty {
          try states.update(arguments, rows: part, group: inStates)
        }
        inStates += 1
        frameCount += 1
        before = parts
      }
      places[row] = UInt32(frameCount - 1)
    }
    try flush()
    return results.isEmpty ? .null(type, count: 0) : Column.concat(results, type: type).gather(places)
  }
}

/// Partial sums of doubles, NULLs as 0: of each 16 values, of each 16 of those, and so on. A sum of any stretch adds at
/// most some thirty numbers a level, without subtracting.
private struct SumTree {
  private var levels: [Buffer<Double>] = []
  /// Whether all values are.
  private(set) var isFinite = true
  private static let width = 16

  init(_ column: Column) {
    let words = column.wordBuffer
    let values = Buffer<Double>(repeating: 0, count: column.count)
    for row in 0..<column.count where !column.isNull(at: row) {
      values[row] = Double(bitPattern: words[row])
      if !values[row].isFinite { isFinite = false }
    }
    levels = [values]
    while let below = levels.last, below.count > Self.width {
      let level = Buffer<Double>(repeating: 0, count: (below.count + Self.width - 1) / Self.width)
      for index in 0..<below.count { level[index / Self.width] += below[index] }
      levels.append(level)
    }
  }

  func sum(_ range: Range<Int>) -> Double {
    var (low, high) = (range.lowerBound, range.upperBound)
    var sum = 0.0
    var level = 0
    while low < high {
      let values = levels[level]
      // Up to the next boundary of the level above, and down to the last.
      while low < high, low % Self.width != 0 || level + 1 == levels.count {
        sum += values[low]
        low += 1
      }
      while low < high, high % Self.width != 0 {
        high -= 1
        sum += values[high]
      }
      low /= Self.width
      high /= Self.width
      level += 1
    }
    return sum
  }
}
