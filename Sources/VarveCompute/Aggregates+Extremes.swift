// min and max.

import VarveCore

/// Keys that order as their words' values do: integers as they are, doubles with -0 = 0 and NaN greatest.
enum SortKey {
  @inline(__always) static func key(_ word: UInt64, float: Bool) -> Int64 {
    if !float { return Int64(bitPattern: word) }
    let canonical = Int64(bitPattern: Hashing.canonicalDouble(word))
    return canonical ^ ((canonical &>> 63) & Int64.max)
  }
  /// The word that has a key; of doubles the canonical one.
  static func word(_ key: Int64, float: Bool) -> UInt64 {
    UInt64(bitPattern: float ? key ^ ((key &>> 63) & Int64.max) : key)
  }
}

/// min and max of types held in words.
final class WordExtremeAggregate: PartialAggregate {
  private let type: SQLType
  private let greatest: Bool
  private let float: Bool
  private let keys = Buffer<Int64>()
  private let words = Buffer<UInt64>()
  private let seen = Buffer<UInt8>()

  init(_ type: SQLType, greatest: Bool) {
    self.type = type
    self.greatest = greatest
    float = type.isFloat
  }

  func resize(to count: Int) {
    let more = count - seen.count
    if more > 0 {
      keys.append(repeating: greatest ? .min : .max, count: more)
      words.append(repeating: 0, count: more)
      seen.append(repeating: 0, count: more)
    }
  }

  @inline(__always) private func take(_ word: UInt64, _ group: Int) {
    let key = SortKey.key(word, float: float)
    if seen.base[group] == 0 || (greatest ? key > keys.base[group] : key < keys.base[group]) {
      keys.base[group] = key
      words.base[group] = word
      seen.base[group] = 1
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    let input = AggregateInput(arguments[0])
    let source = input.column.wordBuffer
    if let nulls = input.column.nulls {
      for (i, group) in groups.enumerated() where nulls.base[i] == 0 { take(source.base[i], Int(group)) }
    } else {
      for (i, group) in groups.enumerated() { take(source.base[i], Int(group)) }
    }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    let input = AggregateInput(arguments[0], rows: range)
    let source = input.column.wordBuffer
    defer { withExtendedLifetime((source, input)) {} }
    take(source.base, input.column.nulls?.base, input.rows, group)
  }

  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) {
    let input = AggregateInput(arguments[0], segments: segments)
    let source = input.column.wordBuffer
    defer { withExtendedLifetime((source, input)) {} }
    let (words, nulls) = (source.base, input.column.nulls?.base)
    for segment in segments { take(words, nulls, segment.rows, Int(segment.group)) }
  }

  private func take(
    _ source: UnsafePointer<UInt64>, _ nulls: UnsafePointer<UInt8>?, _ rows: Range<Int>, _ group: Int
  ) {
    if nulls != nil || rows.count < 8 {
      for i in rows where nulls?[i] ?? 0 == 0 { take(source[i], group) }
      return
    }
    let start = source + rows.lowerBound
    if float {
      takeDoubles(start, rows.count, group)
    } else {
      var best = Int64(bitPattern: start[0])
      if greatest {
        for i in 0..<rows.count { best = max(best, Int64(bitPattern: start[i])) }
      } else {
        for i in 0..<rows.count { best = min(best, Int64(bitPattern: start[i])) }
      }
      take(UInt64(bitPattern: best), group)
    }
  }

  // Eight lanes with plain comparisons; NaN, which they do not order, sends the run the slow way.
  private func takeDoubles(_ start: UnsafePointer<UInt64>, _ count: Int, _ group: Int) {
    let raw = UnsafeRawPointer(start)
    var best = raw.loadUnaligned(as: SIMD8<Double>.self)
    var sum = SIMD8<Double>(repeating: 0)
    var i = 0
    while i + 8 <= count {
      let lane = raw.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
      // Times zero, only NaN and infinities leave a trace.
      sum += lane * SIMD8<Double>(repeating: 0)
      best.replace(with: lane, where: greatest ? lane .> best : lane .< best)
      i += 8
    }
    if !sum.sum().isFinite {
      for k in 0..<count { take(start[k], group) }
      return
    }
    for k in 0..<8 { take(best[k].bitPattern, group) }
    while i < count {
      take(start[i], group)
      i += 1
    }
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, .nanCount, greatest ? .maximum : .minimum) }

  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    let extremes = partials.words(greatest ? .maximum : .minimum, column)
    let valueCounts = partials.words(.count, column)
    let nans = column.flatMap { partials.columns[$0][.nanCount] }
    for segment in segments {
      for row in segment.rows where valueCounts.base[row] > 0 {
        // NaN is greater than every number; extremes are those of the numbers.
        let nanCount = nans?.base[row] ?? 0
        let isNaN = greatest ? nanCount > 0 : nanCount == valueCounts.base[row]
        take(isNaN ? Double.nan.bitPattern : extremes.base[row], Int(segment.group))
      }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? WordExtremeAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() where other.seen[i] != 0 { take(other.words[i], Int(group)) }
  }

  func result() -> Column {
    var builder = ColumnBuilder(type, capacity: seen.count)
    for i in 0..<seen.count {
      if seen[i] == 0 { builder.appendNull() } else { builder.append(word: words[i]) }
    }
    return builder.finish()
  }
}

/// min and max of text, numeric, interval, arrays.
final class DatumExtremeAggregate: PartialAggregate {
  private let type: SQLType
  private let greatest: Bool
  private var best: [Datum] = []

  init(_ type: SQLType, greatest: Bool) {
    self.type = type
    self.greatest = greatest
  }

  func resize(to count: Int) { while best.count < count { best.append(.null) } }

  private func take(_ datum: Datum, _ group: Int) {
    if datum.isNull { return }
    if best[group].isNull {
      best[group] = datum
      return
    }
    let order = Ordering.datums(datum, best[group])
    if greatest ? order > 0 : order < 0 { best[group] = datum }
  }

  private func take(_ column: Column, _ row: Int, _ group: Int) {
    if column.isNull(at: row) { return }
    // Text is compared where it lies; a string is made only for a new best.
    if type.isText, column.constantValue == nil, case .text(var known) = best[group] {
      let order = known.withUTF8 { Ordering.bytes(column.textBytes(row), $0) }
      if greatest ? order > 0 : order < 0 { best[group] = column.datum(at: row) }
      return
    }
    take(column.datum(at: row), group)
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    for (i, group) in groups.enumerated() { take(arguments[0], i, Int(group)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    for i in range { take(arguments[0], i, group) }
  }
  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, greatest ? .maximum : .minimum) }

  /// Of uint64, which SQL sees as numeric.
  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) {
    precondition(type == .numeric, "partial extremes are numbers")
    let extremes = partials.words(greatest ? .maximum : .minimum, column)
    let valueCounts = partials.words(.count, column)
    for segment in segments {
      for row in segment.rows where valueCounts.base[row] > 0 {
        take(.numeric(Numeric(extremes.base[row])), Int(segment.group))
      }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? DatumExtremeAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { take(other.best[i], Int(group)) }
  }
  func result() throws -> Column { try Column(type: type, data: best) }
}
