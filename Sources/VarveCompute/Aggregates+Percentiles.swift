// percentile_cont, percentile_disc and mode: aggregates that need a group's values in order. The fraction comes first,
// then the value that WITHIN GROUP sorts by. Values are kept; NULLs do not count.

import VarveCore

final class SortedValuesAggregate: GroupedAggregate {
  enum Result: Sendable { case continuous, discrete, mode }

  private let kind: Result
  private let element: SQLType
  private let type: SQLType
  private let isDescending: Bool
  /// Values held in words; else `data`.
  private var words: [Buffer<UInt64>?] = []
  private var data: [[Datum]] = []
  private var fraction = DirectArgument()
  private(set) var heldByteCount = 0

  /// `element`: of the sorted values; `type`: of the result.
  init(_ result: Result, element: SQLType, type: SQLType, isDescending: Bool = false) {
    self.kind = result
    self.element = element
    self.type = type
    self.isDescending = isDescending
  }

  func resize(to count: Int) {
    if element.isWord {
      if count > words.count { words.append(contentsOf: repeatElement(nil, count: count - words.count)) }
    } else if count > data.count {
      data.append(contentsOf: repeatElement([], count: count - data.count))
    }
  }

  private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    if kind != .mode, !rows.isEmpty {
      if arguments[0].constantValue != nil {
        try fraction.take(arguments[0], 0, "the fraction of a percentile")
      } else {
        for row in rows { try fraction.take(arguments[0], row, "the fraction of a percentile") }
      }
    }
    let column = AggregateInput(arguments[arguments.count - 1]).column
    if element.isWord {
      let source = column.wordBuffer
      heldByteCount += rows.count * 12
      for row in rows where !column.isNull(at: row) {
        let group = group(row)
        if let known = words[group] {
          known.append(source.base[row])
        } else {
          words[group] = Buffer([source.base[row]])
        }
      }
    } else {
      for row in rows where !column.isNull(at: row) {
        data[group(row)].append(column.datum(at: row))
        heldByteCount += MemoryLayout<Datum>.stride + (element.isText ? column.textBytes(row).count : 0)
      }
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try take(arguments, range) { _ in group }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? SortedValuesAggregate else { preconditionFailure("states of one aggregate merge") }
    try fraction.merge(other.fraction, "the fraction of a percentile")
    heldByteCount += other.heldByteCount
    for (i, place) in groups.enumerated() {
      let group = Int(place)
      if !element.isWord {
        data[group] += other.data[i]
      } else if let theirs = other.words[i] {
        if let known = words[group] { known.append(contentsOf: theirs) } else { words[group] = Buffer(theirs.span) }
      }
    }
  }

  // MARK: Results

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: max(words.count, data.count))
    for group in 0..<(element.isWord ? words.count : data.count) { try builder.append(value(sorted(group))) }
    return builder.finish()
  }

  private func sorted(_ group: Int) -> SortedValues {
    if !element.isWord {
      let descending = isDescending
      return .data(data[group].sorted { descending ? Ordering.datums($0, $1) > 0 : Ordering.datums($0, $1) < 0 })
    }
    guard let buffer = words[group] else { return .data([]) }
    let float = element.isFloat
    var keyed = buffer.span.map { (key: SortKey.key($0, float: float), word: $0) }
    if isDescending { keyed.sort { $0.key > $1.key } } else { keyed.sort { $0.key < $1.key } }
    return .words(keyed.map(\.word), element)
  }

  private func value(_ values: SortedValues) throws -> Datum {
    if values.count == 0 { return .null }
    if kind == .mode { return values.mode }
    switch fraction.value {
    case nil, .null?: return .null
    case .array(let fractions)?: return .array(try fractions.map { try value(values, $0) })
    case let one?: return try value(values, one)
    }
  }

  private func value(_ values: SortedValues, _ fraction: Datum) throws -> Datum {
    guard case .float(let fraction) = fraction else { return .null }
    guard fraction >= 0, fraction <= 1 else {
      throw SQLError.make("22003", "percentile value \(fraction) is not between 0 and 1")
    }
    if kind == .discrete {
      let rank = max((fraction * Double(values.count)).rounded(.up), 1)
      return values[Int(rank) - 1]
    }
    let place = fraction * Double(values.count - 1)
    let (low, high) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
    if low == high { return values[low] }
    let share = place - Double(low)
    switch (values[low], values[high]) {
    case (.float(let a), .float(let b)): return .float(a == b ? a : a + share * (b - a))
    case (.interval(let a), .interval(let b)):
      let difference = try Interval.adding(b, a.negated())
      return .interval(try Interval.adding(a, difference.multiplied(by: share)))
    default: preconditionFailure("continuous percentiles are of floats and intervals")
    }
  }
}

private enum SortedValues {
  case words([UInt64], SQLType)
  case data([Datum])

  var count: Int {
    switch self {
    case .words(let words, _): words.count
    case .data(let data): data.count
    }
  }
  subscript(index: Int) -> Datum {
    switch self {
    case .words(let words, let type): Column.datum(word: words[index], type: type)
    case .data(let data): data[index]
    }
  }
  /// The most frequent value; of equally frequent ones the first.
  var mode: Datum {
    var (best, bestLength) = (0, 0)
    var start = 0
    for i in 1...count where i == count || Ordering.datums(self[i - 1], self[i]) != 0 {
      if i - start > bestLength { (best, bestLength) = (start, i - start) }
      start = i
    }
    return self[best]
  }
}
