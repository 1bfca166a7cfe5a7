// By how much a counter grew over several stretches of time, of which each one's ends and the sum of its steps are known:
// those sums, and the steps from each stretch's last sample to the next one's first. Stretches are put in order at the
// end, so they may come in any.
//
// Stretches that overlap are no longer exact, since which samples were neighbours is lost; the later one then adds what
// its last sample shows beyond the last one before it, so that nothing is counted twice.

import VarveCore

final class MergedStepsAggregate: GroupedAggregate {
  /// (first value, first time, last value, last time, steps) of each stretch.
  static let function = AggregateFunction(
    name: "merged_steps", argumentTypes: [.float8, .timestamptz, .float8, .timestamptz, .float8], resultType: .float8
  ) { MergedStepsAggregate() }

  private struct Stretch: BitwiseCopyable {
    var firstTime: Int64
    var lastTime: Int64
    var firstValue: Double
    var lastValue: Double
    var steps: Double
  }
  private var groups: [Buffer<Stretch>?] = []
  private(set) var heldByteCount = 0

  func resize(to count: Int) {
    if count > groups.count { groups.append(contentsOf: repeatElement(nil, count: count - groups.count)) }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) { take(arguments, range) { _ in group } }

  @inline(__always) private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) {
    let inputs = arguments.map { AggregateInput($0).column }
    let words = inputs.map(\.wordBuffer)
    // Of a stretch without samples all are NULL.
    let nulls = inputs[4].nulls
    defer { withExtendedLifetime((words, nulls)) {} }
    let (x, t, y, u, steps) = (words[0].base, words[1].base, words[2].base, words[3].base, words[4].base)
    for row in rows where nulls?.base[row] ?? 0 == 0 {
      let stretch = Stretch(
        firstTime: Int64(bitPattern: t[row]), lastTime: Int64(bitPattern: u[row]),
        firstValue: Double(bitPattern: x[row]), lastValue: Double(bitPattern: y[row]),
        steps: Double(bitPattern: steps[row]))
      append(group(row)) { $0.append(stretch) }
    }
  }

  @inline(__always) private func append(_ group: Int, _ body: (Buffer<Stretch>) -> Void) {
    let buffer = groups[group] ?? Buffer()
    if groups[group] == nil { groups[group] = buffer } else { heldByteCount -= buffer.byteCount }
    body(buffer)
    heldByteCount += buffer.byteCount
  }

  func merge(_ other: any GroupedAggregate, groups places: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? MergedStepsAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, place) in places.enumerated() {
      guard let theirs = other.groups[i] else { continue }
      append(Int(place)) { $0.append(contentsOf: theirs) }
    }
  }

  func result() -> Column {
    var builder = ColumnBuilder(.float8, capacity: groups.count)
    for stretches in groups {
      if let stretches { builder.append(Self.sum(stretches)) } else { builder.appendNull() }
    }
    return builder.finish()
  }

  private static func sum(_ stretches: Buffer<Stretch>) -> Double {
    let ordered = stretches.array.sorted { ($0.firstTime, $0.lastTime) < ($1.firstTime, $1.lastTime) }
    var sum = CompensatedSum()
    sum.add(ordered[0].steps)
    var end = ordered[0]
    for next in ordered.dropFirst() {
      if next.firstTime >= end.lastTime {
        sum.add(CounterState.step(from: end.lastValue, to: next.firstValue))
        sum.add(next.steps)
      } else if next.lastTime > end.lastTime {
        sum.add(CounterState.step(from: end.lastValue, to: next.lastValue))
      } else {
        continue
      }
      end = next
    }
    return sum.value
  }
}
