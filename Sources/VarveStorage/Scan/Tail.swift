// The newest row of each series of a part of the store that never changes: a chunk, or a block of the head. It says
// where those rows are; their values lie beside it.

import VarveCore

final class Tail: Sendable {
  /// Ascending, each once.
  let series: Buffer<UInt32>
  let times: Buffer<Int64>
  /// The row of each, of the part itself or of what was taken from it.
  let rows: Buffer<UInt32>
  /// Not 0 where the part has the row more than once, so that its fields are to be merged; nil: nowhere.
  let repeats: Buffer<UInt8>?

  init(series: Buffer<UInt32>, times: Buffer<Int64>, rows: Buffer<UInt32>, repeats: Buffer<UInt8>? = nil) {
    self.series = series
    self.times = times
    self.rows = rows
    self.repeats = repeats
  }

  var count: Int { series.count }
  var byteCount: Int { series.byteCount + times.byteCount + rows.byteCount + (repeats?.byteCount ?? 0) }
}

extension HeadBlock {
  func makeTail() -> Tail {
    let span = Int(seriesRange.upperBound - seriesRange.lowerBound) + 1
    return span <= rowCount * 4 + 1024 ? tailByPlaces(span) : tailByOrder()
  }

  /// In one pass over the rows as they lie.
  private func tailByPlaces(_ span: Int) -> Tail {
    let newest = Buffer<Int64>(repeating: .min, count: span)
    // 0: no row of the series.
    let rowsBehind = Buffer<UInt32>(repeating: 0, count: span)
    let repeats = Buffer<UInt8>(repeating: 0, count: span)
    let hasRepeats = findNewest(
      series.span, times.span, lowest: seriesRange.lowerBound, newest.base, rowsBehind.base, repeats.base)
    let tail = TailBuilder(capacity: min(span, rowCount), hasRepeats: hasRepeats)
    for place in 0..<span where rowsBehind.base[place] > 0 {
      tail.append(
        seriesRange.lowerBound + UInt32(place), newest.base[place], rowsBehind.base[place] - 1, repeats.base[place])
    }
    return tail.finish()
  }

  /// For few rows over a wide range of ids.
  private func tailByOrder() -> Tail {
    let order = sortedOrder()
    let tail = TailBuilder(capacity: 0, hasRepeats: true)
    for place in 0..<order.count {
      let row = Int(order.base[place])
      let isLast = place + 1 == order.count || series.base[Int(order.base[place + 1])] != series.base[row]
      guard isLast else { continue }
      let before = place > 0 ? Int(order.base[place - 1]) : row
      let isRepeat = before != row && series.base[before] == series.base[row] && times.base[before] == times.base[row]
      tail.append(series.base[row], times.base[row], UInt32(row), isRepeat ? 1 : 0)
    }
    return tail.finish()
  }
}

/// Whether a newest row is there more than once. `rowsBehind` gets the number of the row behind it.
private func findNewest(
  _ series: UnsafeBufferPointer<UInt32>, _ times: UnsafeBufferPointer<Int64>, lowest: UInt32,
  _ newest: UnsafeMutablePointer<Int64>, _ rowsBehind: UnsafeMutablePointer<UInt32>,
  _ repeats: UnsafeMutablePointer<UInt8>
) -> Bool {
  var hasRepeats = false
  for row in 0..<series.count {
    let place = Int(series[row] &- lowest)
    let time = times[row]
    guard time >= newest[place] else { continue }
    let isRepeat = time == newest[place] && rowsBehind[place] > 0
    repeats[place] = isRepeat ? 1 : 0
    if isRepeat { hasRepeats = true }
    newest[place] = time
    rowsBehind[place] = UInt32(truncatingIfNeeded: row &+ 1)
  }
  return hasRepeats
}

private final class TailBuilder {
  private let series: Buffer<UInt32>
  private let times: Buffer<Int64>
  private let rows: Buffer<UInt32>
  private let repeats: Buffer<UInt8>?

  init(capacity: Int, hasRepeats: Bool) {
    series = Buffer(capacity: capacity)
    times = Buffer(capacity: capacity)
    rows = Buffer(capacity: capacity)
    repeats = hasRepeats ? Buffer() : nil
  }

  func append(_ id: UInt32, _ time: Int64, _ row: UInt32, _ isRepeat: UInt8) {
    series.append(id)
    times.append(time)
    rows.append(row)
    repeats?.append(isRepeat)
  }

  func finish() -> Tail { Tail(series: series, times: times, rows: rows, repeats: repeats) }
}
