// lttb(time, value, n): the n points of a series that keep its shape for the eye, by largest triangles in three
// buckets (Steinarsson, "Downsampling Time Series for Visual Representation", 2013). First and last points stay; the
// others are cut into n - 2 buckets of equal number, of each of which the point is kept that makes the largest triangle
// with the one kept before and the mean of the next bucket. As many points as there are, or fewer than n: all.
//
// The result is a timevector, which unnest turns into rows:
//   SELECT time, value FROM unnest((SELECT lttb(time, usage, 500) FROM cpu WHERE host = 'a'))
// as with TimescaleDB's toolkit. Rows may come in any order; points at the same time are taken in order of value.

import VarveCore

final class DownsamplingAggregate: GroupedAggregate {
  /// Time and value, in turns, a group.
  private var groups: [Buffer<UInt64>?] = []
  private var pointCount = DirectArgument()
  private(set) var heldByteCount = 0

  func resize(to count: Int) {
    if count > groups.count { groups.append(contentsOf: repeatElement(nil, count: count - groups.count)) }
  }

  private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    if rows.isEmpty { return }
    if arguments[2].constantValue != nil {
      try pointCount.take(arguments[2], 0, "the number of points")
    } else {
      for row in rows { try pointCount.take(arguments[2], row, "the number of points") }
    }
    let times = AggregateInput(arguments[0]).column
    let values = AggregateInput(arguments[1]).column
    heldByteCount += rows.count * 24
    let (t, v) = (times.wordBuffer, values.wordBuffer)
    for row in rows where !times.isNull(at: row) && !values.isNull(at: row) {
      if TimeMath.isInfinite(Int64(bitPattern: t.base[row])) { continue }
      let place = group(row)
      let samples = groups[place] ?? Buffer<UInt64>()
      if groups[place] == nil { groups[place] = samples }
      samples.append(t.base[row])
      samples.append(v.base[row])
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try take(arguments, range) { _ in group }
  }

  func merge(_ other: any GroupedAggregate, groups places: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? DownsamplingAggregate else { preconditionFailure("states of one aggregate merge") }
    try pointCount.merge(other.pointCount, "the number of points")
    heldByteCount += other.heldByteCount
    for (i, place) in places.enumerated() {
      guard let theirs = other.groups[i] else { continue }
      if let known = groups[Int(place)] {
        known.append(contentsOf: theirs)
      } else {
        groups[Int(place)] = Buffer(theirs.span)
      }
    }
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(.timevector, capacity: groups.count)
    for samples in groups {
      guard let samples, case .int(let count)? = pointCount.value else {
        builder.appendNull()
        continue
      }
      guard count >= 2, count <= 1 << 20 else {
        throw SQLError.make("22023", "the number of points must be between 2 and \(1 << 20)")
      }
      let points = Self.ordered(samples)
      try builder.append(.array(Self.kept(points, Int(count)).flatMap { [.timestamp($0.time), .float($0.value)] }))
    }
    return builder.finish()
  }

  typealias Point = (time: Int64, value: Double)

  private static func ordered(_ samples: Buffer<UInt64>) -> [Point] {
    var points: [Point] = []
    points.reserveCapacity(samples.count / 2)
    for i in stride(from: 0, to: samples.count, by: 2) {
      points.append((Int64(bitPattern: samples[i]), Double(bitPattern: samples[i + 1])))
    }
    let inOrder = zip(points, points.dropFirst()).allSatisfy { $0.time < $1.time }
    if !inOrder {
      points.sort { $0.time != $1.time ? $0.time < $1.time : Ordering.doubles($0.value, $1.value) < 0 }
    }
    return points
  }

  static func kept(_ points: [Point], _ count: Int) -> [Point] {
    if points.count <= count { return points }
    if count == 2 { return [points[0], points[points.count - 1]] }
    let width = Double(points.count - 2) / Double(count - 2)
    // Coordinates from the first point on: doubles are dense there.
    func x(_ i: Int) -> Double { Double(Int128(points[i].time) - Int128(points[0].time)) }
    func start(_ bucket: Int) -> Int { Int(Double(bucket) * width) + 1 }
    var result = [points[0]]
    var before = 0
    for bucket in 0..<(count - 2) {
      let next = start(bucket + 1)..<min(max(start(bucket + 2), start(bucket + 1) + 1), points.count)
      var (meanX, meanY) = (0.0, 0.0)
      for i in next {
        meanX += x(i)
        meanY += points[i].value
      }
      meanX /= Double(next.count)
      meanY /= Double(next.count)
      var best = start(bucket)
      var bestArea = -1.0
      for i in start(bucket)..<next.lowerBound {
        let area = abs(
          (x(before) - meanX) * (points[i].value - points[before].value)
            - (x(before) - x(i)) * (meanY - points[before].value))
        if area > bestArea { (best, bestArea) = (i, area) }
      }
      result.append(points[best])
      before = best
    }
    result.append(points[points.count - 1])
    return result
  }
}
