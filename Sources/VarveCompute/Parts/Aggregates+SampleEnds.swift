// The first and the last sample of a series: their values and times. Of samples at one time the least value is first and
// the greatest last, as in the order that rate and increase go by; infinite times are no samples.

import VarveCore

final class SampleEndAggregate: PartialAggregate {
  enum Output: Sendable { case value, time }

  private let last: Bool
  private let output: Output
  private let times = Buffer<Int64>()
  private let values = Buffer<UInt64>()
  private let seen = Buffer<UInt8>()

  /// Over (value, time): one of the four.
  static func function(last: Bool, _ output: Output) -> AggregateFunction {
    AggregateFunction(
      name: (last ? "last" : "first") + (output == .value ? "_sample" : "_sample_time"),
      argumentTypes: [.float8, .timestamptz], resultType: output == .value ? .float8 : .timestamptz
    ) { SampleEndAggregate(last: last, output) }
  }

  init(last: Bool, _ output: Output) {
    self.last = last
    self.output = output
  }

  func resize(to count: Int) {
    let more = count - seen.count
    guard more > 0 else { return }
    times.append(repeating: 0, count: more)
    values.append(repeating: 0, count: more)
    seen.append(repeating: 0, count: more)
  }

  @inline(__always) private func take(_ value: UInt64, _ time: Int64, _ group: Int) {
    if TimeMath.isInfinite(time) { return }
    if seen.base[group] != 0 {
      let known = times.base[group]
      if last ? time < known : time > known { return }
      if time == known {
        let (key, other) = (SortKey.key(value, float: true), SortKey.key(values.base[group], float: true))
        if last ? key <= other : key >= other { return }
      }
    }
    seen.base[group] = 1
    times.base[group] = time
    values.base[group] = value
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) { take(arguments, range) { _ in group } }

  @inline(__always) private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) {
    let inputs = arguments.map { AggregateInput($0).column }
    let (samples, stamps) = (inputs[0].wordBuffer, inputs[1].wordBuffer)
    let nulls = Evaluation.nulls(inputs[0], inputs[1])
    defer { withExtendedLifetime((samples, stamps, nulls)) {} }
    let (x, t, missing) = (samples.base, stamps.base, nulls?.base)
    for row in rows where missing?[row] ?? 0 == 0 { take(x[row], Int64(bitPattern: t[row]), group(row)) }
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, last ? .last : .first) }

  /// Every row behind a partial has a value, or none has; they are of one series, whose times differ.
  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    let found = partials.words(last ? .last : .first, column)
    let counts = partials.words(.count, column)
    let ends = last ? partials.lastTimes : partials.firstTimes
    for segment in segments {
      for row in segment.rows where counts.base[row] > 0 { take(found.base[row], ends.base[row], Int(segment.group)) }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? SampleEndAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() where other.seen[i] != 0 { take(other.values[i], other.times[i], Int(group)) }
  }

  func result() -> Column {
    var builder = ColumnBuilder(output == .value ? .float8 : .timestamptz, capacity: seen.count)
    for i in 0..<seen.count {
      if seen[i] == 0 {
        builder.appendNull()
      } else {
        builder.append(word: output == .value ? values[i] : UInt64(bitPattern: times[i]))
      }
    }
    return builder.finish()
  }
}
