// first and last.

import VarveCore

/// first(value, order) and last(value, order): the value at the least or greatest order. Rows where either is NULL
/// do not count. Of equal orders the one seen first is `first`, the one seen last is `last`.
final class FirstLastAggregate: PartialAggregate {
  private let value: SQLType
  private let order: SQLType
  private let last: Bool
  /// The result is that row's order in place of its value.
  private let givesOrder: Bool
  /// For orders held in words; else `orders`.
  private let keys = Buffer<Int64>()
  private var orders: [Datum] = []
  /// For values held in words; else `values`.
  private let words = Buffer<UInt64>()
  private var values: [Datum] = []
  private let seen = Buffer<UInt8>()
  /// Where rows do not come in the order that decides between equal times, their place in it: a number for the rows
  /// taken from now on, and that of each group's best.
  private var rank: UInt32 = 0
  private let ranks = Buffer<UInt32>()
  /// The best row of the batch at hand a group, or -1: values are read once a batch.
  private let candidates = Buffer<Int32>()

  init(value: SQLType, order: SQLType, last: Bool, givesOrder: Bool = false) {
    self.value = value
    self.order = order
    self.last = last
    self.givesOrder = givesOrder
  }

  func resize(to count: Int) {
    let more = count - seen.count
    guard more > 0 else { return }
    seen.append(repeating: 0, count: more)
    candidates.append(repeating: -1, count: more)
    ranks.append(repeating: 0, count: more)
    if order.isWord {
      keys.append(repeating: 0, count: more)
    } else {
      orders.append(contentsOf: repeatElement(.null, count: more))
    }
    if value.isWord {
      words.append(repeating: 0, count: more)
    } else {
      values.append(contentsOf: repeatElement(.null, count: more))
    }
  }

  @inline(__always) private func isBetter(_ key: Int64, _ group: Int) -> Bool {
    seen.base[group] == 0 || (last ? key >= keys.base[group] : key < keys.base[group])
  }
  /// The same of rows that may come before or behind those that were taken.
  private func isBetterRanked(_ key: Int64, _ group: Int) -> Bool {
    guard seen.base[group] != 0, key == keys.base[group] else { return isBetter(key, group) }
    return last ? rank >= ranks.base[group] : rank < ranks.base[group]
  }
  private func isBetter(_ datum: Datum, _ group: Int) -> Bool {
    if seen.base[group] == 0 { return true }
    let comparison = Ordering.datums(datum, orders[group])
    return last ? comparison >= 0 : comparison < 0
  }

  private func store(_ column: Column, _ row: Int, _ group: Int) {
    if givesOrder { return }
    if value.isWord {
      words.base[group] = column.wordBuffer[row]
    } else {
      values[group] = column.datum(at: row)
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    let what = AggregateInput(arguments[0]).column
    let when = AggregateInput(arguments[1]).column
    if order.isWord {
      let source = when.wordBuffer
      let float = order.isFloat
      let plain = what.nulls == nil && when.nulls == nil && (value.isWord || value.isText)
      for (i, group) in groups.enumerated() {
        if !plain, what.isNull(at: i) || when.isNull(at: i) { continue }
        let key = SortKey.key(source.base[i], float: float)
        if isBetter(key, Int(group)) {
          keys.base[Int(group)] = key
          seen.base[Int(group)] = 1
          candidates.base[Int(group)] = Int32(truncatingIfNeeded: i)
        }
      }
    } else {
      for (i, group) in groups.enumerated() where !what.isNull(at: i) && !when.isNull(at: i) {
        let datum = when.datum(at: i)
        if isBetter(datum, Int(group)) {
          orders[Int(group)] = datum
          seen.base[Int(group)] = 1
          candidates.base[Int(group)] = Int32(truncatingIfNeeded: i)
        }
      }
    }
    for group in groups {
      let row = candidates.base[Int(group)]
      if row >= 0 {
        store(what, Int(row), Int(group))
        candidates.base[Int(group)] = -1
      }
    }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    let when = arguments[1]
    let what = arguments[0]
    var best = -1
    if order.isWord, case .words(let source) = when.storage {
      let float = order.isFloat
      let plain = what.nulls == nil && when.nulls == nil && what.constantValue == nil && (value.isWord || value.isText)
      // The state in locals: a loop over registers. What is behind in rank is compared once, at the end.
      var have = false
      var bestKey: Int64 = 0
      let keysOfRows = source.base
      for i in range {
        if !plain, what.isNull(at: i) || when.isNull(at: i) { continue }
        let key = SortKey.key(keysOfRows[i], float: float)
        if !have || (last ? key >= bestKey : key < bestKey) {
          have = true
          bestKey = key
          best = i
        }
      }
      if best >= 0, isBetterRanked(bestKey, group) {
        keys.base[group] = bestKey
        seen.base[group] = 1
        ranks.base[group] = rank
      } else {
        best = -1
      }
    } else {
      for i in range where !what.isNull(at: i) && !when.isNull(at: i) {
        let datum = when.datum(at: i)
        if order.isWord {
          let key = SortKey.key(ColumnBuilder.word(datum), float: order.isFloat)
          guard isBetter(key, group) else { continue }
          keys.base[group] = key
        } else {
          guard isBetter(datum, group) else { continue }
          orders[group] = datum
        }
        seen.base[group] = 1
        best = i
      }
    }
    if best >= 0, !givesOrder {
      if value.isWord, what.constantValue == nil {
        words.base[group] = what.wordBuffer[best]
      } else if value.isWord {
        words.base[group] = ColumnBuilder.word(what.datum(at: best))
      } else {
        values[group] = what.datum(at: best)
      }
    }
  }

  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) {
    for segment in segments {
      rank = segment.rank
      update(arguments, rows: segment.rows, group: Int(segment.group))
    }
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, last ? .last : .first) }

  /// The order is the time. Every row behind a partial has a value, or none has.
  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    let found = partials.words(last ? .last : .first, column)
    let valueCounts = partials.words(.count, column)
    let times = last ? partials.lastTimes : partials.firstTimes
    for segment in segments {
      rank = segment.rank
      let group = Int(segment.group)
      for row in segment.rows where valueCounts.base[row] > 0 {
        let time = times.base[row]
        guard isBetterRanked(time, group) else { continue }
        keys.base[group] = time
        seen.base[group] = 1
        ranks.base[group] = rank
        if value.isWord {
          words.base[group] = found.base[row]
        } else {
          values[group] = .numeric(Numeric(found.base[row]))
        }
      }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? FirstLastAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() where other.seen[i] != 0 {
      let group = Int(group)
      if order.isWord {
        guard isBetter(other.keys[i], group) else { continue }
        keys.base[group] = other.keys[i]
      } else {
        guard isBetter(other.orders[i], group) else { continue }
        orders[group] = other.orders[i]
      }
      seen.base[group] = 1
      if value.isWord { words.base[group] = other.words[i] } else { values[group] = other.values[i] }
    }
  }

  func result() throws -> Column { givesOrder ? try resultingOrders() : try resultingValues() }

  private func resultingOrders() throws -> Column {
    var builder = ColumnBuilder(order, capacity: seen.count)
    for i in 0..<seen.count {
      if seen[i] == 0 {
        builder.appendNull()
      } else if order.isWord {
        builder.append(word: SortKey.word(keys[i], float: order.isFloat))
      } else {
        try builder.append(orders[i])
      }
    }
    return builder.finish()
  }

  private func resultingValues() throws -> Column {
    var builder = ColumnBuilder(value, capacity: seen.count)
    for i in 0..<seen.count {
      if seen[i] == 0 {
        builder.appendNull()
      } else if value.isWord {
        builder.append(word: words[i])
      } else {
        try builder.append(values[i])
      }
    }
    return builder.finish()
  }
}
