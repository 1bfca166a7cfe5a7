// The rows that each row's frame spans. Both ends of the frames of a partition only ever move forward.

import VarveCompute
import VarveCore

struct WindowFrames {
  /// First row, and the one behind the last, for each row; before EXCLUDE.
  let starts: Buffer<Int32>
  let ends: Buffer<Int32>
  let exclusion: WindowFrame.Exclusion
  private let peerStarts: Buffer<Int32>
  private let peerEnds: Buffer<Int32>

  /// What is left of a frame: up to three stretches of rows, in order, some of them empty.
  struct Parts: Equatable {
    var first: Range<Int>
    var second: Range<Int>
    var third: Range<Int>
    var count: Int { first.count + second.count + third.count }

    /// The row at a place of the frame; nil beyond its end.
    func row(at place: Int) -> Int? {
      var place = place
      for part in [first, second, third] {
        if place < part.count { return part.lowerBound + place }
        place -= part.count
      }
      return nil
    }
    var last: Int? { row(at: count - 1) }
  }

  init(_ frame: WindowFrame, _ rows: WindowRows, _ context: ExecutionContext) throws {
    exclusion = frame.exclusion
    peerStarts = rows.peerStarts
    peerEnds = rows.peerEnds
    let builder = try FrameBuilder(frame, rows, context)
    starts = try builder.starts(frame.start)
    ends = try builder.ends(frame.end)
    for row in 0..<rows.count where ends[row] < starts[row] { ends[row] = starts[row] }
  }

  /// Whether all frames begin with their partition, and nothing is left out.
  func areRunning(_ rows: WindowRows) -> Bool {
    guard exclusion == .none else { return false }
    for row in 0..<rows.count where starts[row] != rows.partitionStarts[row] { return false }
    return true
  }

  @inline(__always) func parts(of row: Int) -> Parts {
    let (start, end) = (Int(starts[row]), Int(ends[row]))
    let none = end..<end
    let (low, high): (Int, Int)
    switch exclusion {
    case .none: return Parts(first: start..<end, second: none, third: none)
    case .currentRow: (low, high) = (row, row + 1)
    case .group, .ties: (low, high) = (Int(peerStarts[row]), Int(peerEnds[row]))
    }
    let first = start..<max(start, min(end, low))
    let third = min(end, max(start, high))..<end
    let keepsRow = exclusion == .ties && start <= row && row < end
    return Parts(first: first, second: keepsRow ? row..<(row + 1) : none, third: third)
  }
}

/// Computes one end of all frames at a time.
private struct FrameBuilder {
  let frame: WindowFrame
  let rows: WindowRows
  let context: ExecutionContext

  init(_ frame: WindowFrame, _ rows: WindowRows, _ context: ExecutionContext) throws {
    self.frame = frame
    self.rows = rows
    self.context = context
    try context.memory.charge(rows.count * 8)
  }

  func starts(_ bound: WindowFrame.Bound) throws -> Buffer<Int32> {
    switch bound {
    case .unboundedPreceding: return rows.partitionStarts
    case .unboundedFollowing: return rows.partitionEnds
    case .currentRow: return frame.unit == .rows ? shifted(by: 0) : rows.peerStarts
    case .preceding(let offset): return try offsets(offset, isForward: false, isEnd: false)
    case .following(let offset): return try offsets(offset, isForward: true, isEnd: false)
    }
  }

  func ends(_ bound: WindowFrame.Bound) throws -> Buffer<Int32> {
    switch bound {
    case .unboundedPreceding: return rows.partitionStarts
    case .unboundedFollowing: return Buffer(rows.partitionEnds.span)
    case .currentRow: return frame.unit == .rows ? shifted(by: 1) : Buffer(rows.peerEnds.span)
    case .preceding(let offset): return try offsets(offset, isForward: false, isEnd: true)
    case .following(let offset): return try offsets(offset, isForward: true, isEnd: true)
    }
  }

  private func offsets(_ expression: BoundExpression, isForward: Bool, isEnd: Bool) throws -> Buffer<Int32> {
    let offset = try context.constant(expression)
    let side = isEnd ? "ending" : "starting"
    if offset.isNull { throw SQLError.make("22004", "frame \(side) offset must not be null") }
    if frame.unit == .range { return try ranges(offset, expression.type, isForward: isForward, isEnd: isEnd) }
    guard case .int(let steps) = offset else { preconditionFailure("rows and groups are counted in bigint") }
    if steps < 0 { throw SQLError.make("22013", "frame \(side) offset must not be negative") }
    let distance = Int(min(steps, Int64(Int32.max))) * (isForward ? 1 : -1)
    return frame.unit == .rows ? shifted(by: distance + (isEnd ? 1 : 0)) : groups(by: distance, isEnd: isEnd)
  }

  private func shifted(by distance: Int) -> Buffer<Int32> {
    let result = Buffer<Int32>(repeating: 0, count: rows.count)
    for row in 0..<rows.count {
      result[row] = Int32(min(max(row + distance, Int(rows.partitionStarts[row])), Int(rows.partitionEnds[row])))
    }
    return result
  }

  private func groups(by distance: Int, isEnd: Bool) -> Buffer<Int32> {
    let result = Buffer<Int32>(repeating: 0, count: rows.count)
    for partition in rows.partitions {
      var firsts: [Int] = []
      var row = partition.lowerBound
      while row < partition.upperBound {
        firsts.append(row)
        row = Int(rows.peerEnds[row])
      }
      firsts.append(partition.upperBound)
      for (group, first) in firsts.dropLast().enumerated() {
        let place = min(max(group + distance + (isEnd ? 1 : 0), 0), firsts.count - 1)
        for row in first..<firsts[group + 1] { result[row] = Int32(firsts[place]) }
      }
    }
    return result
  }

  // MARK: RANGE

  /// The rows whose key is at least (at the end: at most) each row's key ± offset. Rows without a key have their like
  /// for a frame.
  private func ranges(_ offset: Datum, _ type: SQLType, isForward: Bool, isEnd: Bool) throws -> Buffer<Int32> {
    guard let rangeKey = frame.rangeKey, let sort = rows.sorts.first else {
      preconditionFailure("RANGE with an offset has a key")
    }
    try checkSign(offset)
    let keys = try context.evaluate(rangeKey.expression, rows.batch).materialized()
    let isSum = isForward != sort.isDescending
    let bounds = try bounds(keys, rangeKey, offset, type, isSum: isSum, isEnd: isEnd)
    let result = Buffer<Int32>(repeating: 0, count: rows.count)
    for partition in rows.partitions {
      try context.check()
      var low = partition.lowerBound
      var high = partition.upperBound
      if sort.nullsFirst {
        while low < high, keys.isNull(at: low) { low += 1 }
      } else {
        while low < high, keys.isNull(at: high - 1) { high -= 1 }
      }
      var place = low
      for row in low..<high {
        while place < high {
          let order = keys.compare(place, bounds, row, descending: sort.isDescending)
          if isEnd ? order > 0 : order >= 0 { break }
          place += 1
        }
        result[row] = Int32(place)
      }
      for row in partition where row < low || row >= high {
        result[row] = isEnd ? rows.peerEnds[row] : rows.peerStarts[row]
      }
    }
    return result
  }

  private func checkSign(_ offset: Datum) throws {
    let isNegative =
      switch offset {
      case .int(let value): value < 0
      case .float(let value): value < 0 || value.isNaN
      case .numeric(let value): value < Numeric(Int64(0))
      case .interval: Ordering.datums(offset, .interval(Interval())) < 0
      default: false
      }
    if isNegative { throw SQLError.make("22013", "invalid preceding or following size in window function") }
  }

  private func bounds(
    _ keys: Column, _ rangeKey: WindowFrame.RangeKey, _ offset: Datum, _ type: SQLType, isSum: Bool, isEnd: Bool
  ) throws -> Column {
    if let function = isSum ? rangeKey.add : rangeKey.subtract {
      let steps = Column.constant(offset, type: type, count: keys.count)
      return try function.evaluate([keys, steps], keys.count, context.evaluation)
    }
    let words = keys.wordBuffer
    let result = Buffer<UInt64>(repeating: 0, count: keys.count)
    switch offset {
    case .int(let step):
      for row in 0..<keys.count {
        let key = Int64(bitPattern: words[row])
        let (sum, overflow) = isSum ? key.addingReportingOverflow(step) : key.subtractingReportingOverflow(step)
        result[row] = UInt64(bitPattern: overflow ? (isSum ? .max : .min) : sum)
      }
    case .float(let step):
      for row in 0..<keys.count {
        let key = Double(bitPattern: words[row])
        var sum = isSum ? key + step : key - step
        // An infinite distance from infinity reaches everything.
        if sum.isNaN, !key.isNaN { sum = isEnd != rows.sorts[0].isDescending ? .infinity : -.infinity }
        result[row] = sum.bitPattern
      }
    default: preconditionFailure("integers and doubles are measured in their kind")
    }
    return Column(type: keys.type, count: keys.count, storage: .words(result), nulls: keys.nulls)
  }
}
