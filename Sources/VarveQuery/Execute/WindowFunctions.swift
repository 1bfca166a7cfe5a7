// The functions that are for windows only: ranks from partitions and peers, values from other rows of the partition or
// frame. The latter find a row for each row, and all values are picked at once.

import VarveCompute
import VarveCore

extension WindowCall {
  /// The call's values for all rows.
  func column(_ rows: WindowRows, _ context: ExecutionContext) throws -> Column {
    switch function {
    case .rowNumber: return Self.words(rows, .int8) { UInt64($0 - Int(rows.partitionStarts[$0]) + 1) }
    case .rank: return Self.words(rows, .int8) { Self.rank($0, rows) }
    case .denseRank: return Self.denseRanks(rows)
    case .percentRank:
      return Self.words(rows, .float8) { row in
        let total = rows.partitionEnds[row] - rows.partitionStarts[row]
        return (total > 1 ? Double(Self.rank(row, rows) - 1) / Double(total - 1) : 0).bitPattern
      }
    case .cumeDist:
      return Self.words(rows, .float8) { row in
        let start = rows.partitionStarts[row]
        return (Double(rows.peerEnds[row] - start) / Double(rows.partitionEnds[row] - start)).bitPattern
      }
    case .ntile: return try ntile(rows, try context.evaluate(arguments[0], rows.batch))
    case .lag, .lead: return try neighbours(rows, context)
    case .firstValue, .lastValue, .nthValue: return try valuesOfFrames(rows, context)
    case .aggregate(let function):
      return try WindowAggregation(self, function, rows, context).column()
    }
  }

  @inline(__always)
  private static func words(_ rows: WindowRows, _ type: SQLType, _ value: (Int) -> UInt64) -> Column {
    let words = Buffer<UInt64>(repeating: 0, count: rows.count)
    for row in 0..<rows.count { words[row] = value(row) }
    return Column(type: type, count: rows.count, storage: .words(words))
  }

  @inline(__always) private static func rank(_ row: Int, _ rows: WindowRows) -> UInt64 {
    UInt64(rows.peerStarts[row] - rows.partitionStarts[row] + 1)
  }

  private static func denseRanks(_ rows: WindowRows) -> Column {
    var rank: UInt64 = 0
    return words(rows, .int8) { row in
      if rows.partitionStarts[row] == row { rank = 0 }
      if rows.peerStarts[row] == row { rank += 1 }
      return rank
    }
  }

  /// The first buckets have one row more where the rows do not divide evenly.
  private func ntile(_ rows: WindowRows, _ counts: Column) throws -> Column {
    var builder = ColumnBuilder(.int4, capacity: rows.count)
    for partition in rows.partitions {
      guard case .int(let given) = counts.datum(at: partition.lowerBound) else {
        for _ in partition { builder.appendNull() }
        continue
      }
      guard given > 0 else { throw SQLError.make("22014", "argument of ntile must be greater than zero") }
      let (size, larger) = partition.count.quotientAndRemainder(dividingBy: Int(given))
      for place in 0..<partition.count {
        let inLarger = larger * (size + 1)
        let bucket = place < inLarger ? place / (size + 1) : larger + (place - inLarger) / size
        builder.append(word: UInt64(bucket + 1))
      }
    }
    return builder.finish()
  }

  private func neighbours(_ rows: WindowRows, _ context: ExecutionContext) throws -> Column {
    let values = try context.evaluate(arguments[0], rows.batch)
    let offsets = arguments.count > 1 ? try context.evaluate(arguments[1], rows.batch) : nil
    let direction: Int64 = function.name == WindowFunction.lag.name ? -1 : 1
    let hasDefault = arguments.count > 2
    var places = [Int32](repeating: -1, count: rows.count)
    for row in 0..<rows.count {
      var offset: Int64 = 1
      if let offsets {
        guard case .int(let given) = offsets.datum(at: row) else { continue }
        offset = given
      }
      let place = Int64(row) + direction * offset
      if place >= rows.partitionStarts[row], place < rows.partitionEnds[row] {
        places[row] = Int32(place)
      } else if hasDefault {
        // Defaults stand behind the values.
        places[row] = Int32(rows.count + row)
      }
    }
    guard hasDefault else { return values.gatherOrNull(places).relabelled(type) }
    guard rows.count < Int(Int32.max) / 2 else {
      throw SQLError.make("54000", "lag and lead with a default over more than \(Int32.max / 2) rows")
    }
    let defaults = try context.evaluate(arguments[2], rows.batch)
    return Column.concat([values, defaults], type: type).gatherOrNull(places)
  }

  private func valuesOfFrames(_ rows: WindowRows, _ context: ExecutionContext) throws -> Column {
    let values = try context.evaluate(arguments[0], rows.batch)
    let frames = try WindowFrames(frame, rows, context)
    let isFirst = function.name == WindowFunction.firstValue.name
    let ordinals = arguments.count > 1 ? try context.evaluate(arguments[1], rows.batch) : nil
    var places = [Int32](repeating: -1, count: rows.count)
    for row in 0..<rows.count {
      let parts = frames.parts(of: row)
      var place: Int?
      if let ordinals {
        guard case .int(let ordinal) = ordinals.datum(at: row) else { continue }
        guard ordinal > 0 else { throw SQLError.make("22016", "argument of nth_value must be greater than zero") }
        place = parts.row(at: Int(ordinal) - 1)
      } else if parts.count > 0 {
        place = isFirst ? parts.row(at: 0) : parts.last
      }
      if let place { places[row] = Int32(place) }
    }
    return values.gatherOrNull(places).relabelled(type)
  }
}
