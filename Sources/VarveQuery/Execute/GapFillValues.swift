// The values of locf and interpolate for all rows of a filled query.

import VarveCompute
import VarveCore

extension FillCall {
  func column(_ filled: FilledRows, _ context: ExecutionContext) throws -> Column {
    let values = try context.evaluate(value, filled.rows)
    switch kind {
    case .locf(let treatsNullAsMissing):
      return try carried(filled, values, treatsNullAsMissing: treatsNullAsMissing, context)
    case .interpolate: return try interpolated(filled, values, context)
    }
  }

  private func carried(
    _ filled: FilledRows, _ values: Column, treatsNullAsMissing: Bool, _ context: ExecutionContext
  ) throws -> Column {
    var places = [Int32](repeating: -1, count: filled.sources.count)
    // The first row of each group that has nothing to carry; what stands before it is behind the values.
    var leading: [UInt32] = []
    for (start, end) in zip(filled.groupStarts, filled.groupStarts.dropFirst()) {
      var last: Int32 = -1
      for row in start..<end {
        let source = filled.sources[row]
        if source >= 0, !treatsNullAsMissing || !values.isNull(at: Int(source)) {
          last = source
        } else if last < 0, !before.isEmpty {
          last = Int32(values.count + leading.count)
          leading.append(UInt32(row))
        }
        places[row] = last
      }
    }
    if leading.isEmpty { return values.gatherOrNull(places).relabelled(type) }
    let rows = Buffer<UInt32>(leading)
    let samples = try context.evaluate(before[0], filled.batch.gather(rows.span))
    return Column.concat([values, samples], type: type).gatherOrNull(places)
  }

  /// A value at a time.
  private struct Sample {
    var time: Int64
    var value: Datum
  }

  private func interpolated(_ filled: FilledRows, _ values: Column, _ context: ExecutionContext) throws -> Column {
    var builder = ColumnBuilder(type, capacity: filled.sources.count)
    for (start, end) in zip(filled.groupStarts, filled.groupStarts.dropFirst()) {
      try context.check()
      var previous: Sample?
      var row = start
      while row < end {
        if filled.sources[row] >= 0 {
          let value = values.datum(at: Int(filled.sources[row]))
          previous = Sample(time: filled.times[row], value: value)
          try builder.append(value)
          row += 1
          continue
        }
        let gap = row
        while row < end, filled.sources[row] < 0 { row += 1 }
        let from = try previous ?? sample(before, filled, gap, context)
        let to =
          row < end
          ? Sample(time: filled.times[row], value: values.datum(at: Int(filled.sources[row])))
          : try sample(after, filled, row - 1, context)
        for index in gap..<row { try builder.append(Self.value(at: filled.times[index], from, to)) }
      }
    }
    return builder.finish()
  }

  /// What is known outside of the buckets, for the group of a row.
  private func sample(_ parts: [BoundExpression], _ filled: FilledRows, _ row: Int, _ context: ExecutionContext) throws
    -> Sample?
  {
    guard parts.count == 2 else { return nil }
    let batch = filled.batch.slice(row..<(row + 1))
    let time = try context.evaluate(parts[0], batch).datum(at: 0)
    if time.isNull { return nil }
    return Sample(
      time: Int64(bitPattern: ColumnBuilder.word(time)), value: try context.evaluate(parts[1], batch).datum(at: 0))
  }

  /// On the line through two samples; integers towards zero.
  private static func value(at time: Int64, _ from: Sample?, _ to: Sample?) -> Datum {
    guard let from, let to, from.time < to.time else { return .null }
    let width = Int128(to.time) - Int128(from.time)
    let left = Int128(to.time) - Int128(time)
    let right = Int128(time) - Int128(from.time)
    switch (from.value, to.value) {
    case (.float(let a), .float(let b)): return .float((a * Double(left) + b * Double(right)) / Double(width))
    case (.int(let a), .int(let b)):
      // Between the two, so it fits.
      return .int(Int64(truncatingIfNeeded: (Int128(a) * left + Int128(b) * right) / width))
    default: return .null
    }
  }
}
