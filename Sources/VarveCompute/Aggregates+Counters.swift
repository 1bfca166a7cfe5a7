// How a measured value moves in time: rate, increase, delta, derivative over (value, time).
//
// `increase` is by how much a counter grew from its first sample to its last: the sum of the steps between neighbours
// in time, where a step down is a reset and counts as what the counter has reached since. `rate` is that a second:
// divided by the time from the first sample to the last. `delta` is the last value less the first, of a gauge.
// `derivative` is the slope a second of the line that fits the samples best (least squares), of a gauge.
//
// These are PromQL's rate, increase, delta and deriv without its extrapolation to the edges of the range: what is
// given follows from stored samples alone, so that the increases of neighbouring buckets never count a step twice. The
// step from one bucket's last sample to the next one's first belongs to neither. Two samples at different times are
// needed; with fewer the result is NULL. Samples must be of one series: group by what tells series apart.
//
// Rows may come in any order, and states merge in any order: rate and increase keep a group's samples, 16 bytes each,
// and put them in order at the end. Samples at the same time are taken in order of value.

import VarveCore

struct CounterState: WordState {
  enum Result: Sendable {
    case rate, increase
    /// The sum of the steps, 0 of a single sample: what is kept to be merged.
    case steps
  }

  /// Time and value, in turns. Made with the first sample.
  private var samples: Buffer<UInt64>?
  private var isSorted = true

  init(_ settings: Result) {}

  mutating func add(_ first: UInt64, _ second: UInt64) {
    let time = Int64(bitPattern: second)
    if TimeMath.isInfinite(time) { return }
    guard let samples else {
      samples = Buffer([second, first])
      return
    }
    if isSorted, time < Int64(bitPattern: samples.base[samples.count - 2]) { isSorted = false }
    samples.append(second)
    samples.append(first)
  }

  mutating func merge(_ other: CounterState) {
    guard let theirs = other.samples else { return }
    guard let samples else {
      samples = Buffer(theirs.span)
      isSorted = other.isSorted
      return
    }
    let last = Int64(bitPattern: samples.base[samples.count - 2])
    isSorted = isSorted && other.isSorted && last < Int64(bitPattern: theirs.base[0])
    samples.append(contentsOf: theirs)
  }

  func finish(_ settings: Result, into builder: inout ColumnBuilder) {
    guard let samples, samples.count >= 4 || settings == .steps else { return builder.appendNull() }
    let ordered = withExtendedLifetime(samples) { CounterState.ordered(samples.span, isSorted) }
    if settings == .steps { return builder.append(CounterState.increase(ordered)) }
    let span = Double(ordered[ordered.count - 1].time - ordered[0].time) / 1e9
    guard span > 0 else { return builder.appendNull() }
    let increase = CounterState.increase(ordered)
    builder.append(settings == .rate ? increase / span : increase)
  }

  private static func ordered(
    _ words: UnsafeBufferPointer<UInt64>, _ isSorted: Bool
  ) -> [(time: Int128, value: Double)] {
    var result: [(time: Int128, value: Double)] = []
    result.reserveCapacity(words.count / 2)
    var hasTies = false
    for i in stride(from: 0, to: words.count, by: 2) {
      let time = Int128(Int64(bitPattern: words[i]))
      hasTies = hasTies || result.last?.time == time
      result.append((time, Double(bitPattern: words[i + 1])))
    }
    if !isSorted || hasTies {
      result.sort { a, b in
        a.time != b.time
          ? a.time < b.time
          : SortKey.key(a.value.bitPattern, float: true) < SortKey.key(b.value.bitPattern, float: true)
      }
    }
    return result
  }

  private static func increase(_ samples: [(time: Int128, value: Double)]) -> Double {
    var sum = CompensatedSum()
    for i in 1..<samples.count {
      sum.add(step(from: samples[i - 1].value, to: samples[i].value))
    }
    return sum.value
  }

  /// Down: the counter began anew and has reached what it shows.
  @inline(__always) static func step(from value: Double, to next: Double) -> Double {
    let step = next - value
    return step < 0 ? next : step
  }

  /// Two words, and the room that growing leaves.
  static var byteCountPerRow: Int { 24 }
}

/// delta: the ends are all that matters.
struct DeltaState: WordState {
  private var first: (time: Int64, value: Double)?
  private var last: (time: Int64, value: Double)?

  init(_ settings: Void) {}

  mutating func add(_ first: UInt64, _ second: UInt64) {
    let time = Int64(bitPattern: second)
    if !TimeMath.isInfinite(time) { take(time, Double(bitPattern: first)) }
  }

  private mutating func take(_ time: Int64, _ value: Double) {
    func precedes(_ a: Double, _ b: Double) -> Bool { Ordering.doubles(a, b) < 0 }
    if let known = first, time > known.time || (time == known.time && !precedes(value, known.value)) {
    } else {
      first = (time, value)
    }
    if let known = last, time < known.time || (time == known.time && !precedes(known.value, value)) {
    } else {
      last = (time, value)
    }
  }

  mutating func merge(_ other: DeltaState) {
    if let theirs = other.first { take(theirs.time, theirs.value) }
    if let theirs = other.last { take(theirs.time, theirs.value) }
  }

  func finish(_ settings: Void, into builder: inout ColumnBuilder) {
    guard let first, let last, first.time < last.time else { return builder.appendNull() }
    builder.append(last.value - first.value)
  }
}

/// derivative: a regression over seconds since the group's first sample taken, where doubles are dense.
struct DerivativeState: WordState {
  enum Output: Sendable {
    case slope
    /// What is kept to be merged: where the seconds begin, and the statistics over these.
    case origin
    case statistic(RegressionState.Result)
  }
  private var origin: Int64?
  private var regression = RegressionState(.regr_slope)

  init(_ settings: Output) {}

  mutating func add(_ first: UInt64, _ second: UInt64) throws {
    let time = Int64(bitPattern: second)
    if TimeMath.isInfinite(time) { return }
    let origin = origin ?? time
    self.origin = origin
    try regression.add(y: Double(bitPattern: first), x: Self.seconds(from: origin, to: time))
  }

  static func seconds(from origin: Int64, to time: Int64) -> Double {
    Double(Int128(time) - Int128(origin)) / 1e9
  }

  mutating func merge(_ other: DerivativeState) throws {
    guard let theirs = other.origin else { return }
    guard let origin else {
      self = other
      return
    }
    try regression.merge(other.regression.movingX(by: Self.seconds(from: origin, to: theirs)))
  }

  func finish(_ settings: Output, into builder: inout ColumnBuilder) {
    switch settings {
    case .slope: regression.finish(.regr_slope, into: &builder)
    case .statistic(let statistic): regression.finish(statistic, into: &builder)
    case .origin: if let origin { builder.append(origin) } else { builder.appendNull() }
    }
  }
}

extension RegressionState {
  /// The state of the same pairs with `distance` added to each x: deviations stay.
  func movingX(by distance: Double) -> RegressionState {
    var moved = self
    moved.shift(distance * count)
    return moved
  }
}
