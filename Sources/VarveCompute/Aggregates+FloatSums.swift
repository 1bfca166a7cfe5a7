// sum and avg of doubles. Where a run of rows shares its group they sum in eight lanes.

import VarveCore

/// sum and avg of floats.
final class FloatSumAggregate: PartialAggregate {
  private let type: SQLType
  private let average: Bool
  private let sums = Buffer<Double>()
  private let counts = Buffer<Int64>()

  /// `type`: of the result.
  init(_ type: SQLType, average: Bool) {
    self.type = type
    self.average = average
  }

  func resize(to count: Int) {
    if count > counts.count {
      sums.append(repeating: 0, count: count - sums.count)
      counts.append(repeating: 0, count: count - counts.count)
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    let sums = sums.base
    let counts = counts.base
    var overflow = false
    if let nulls = input.column.nulls {
      for (i, group) in groups.enumerated() where nulls.base[i] == 0 {
        let value = Double(bitPattern: words.base[i])
        let sum = sums[Int(group)] + value
        overflow = overflow || (sum.isInfinite && value.isFinite && sums[Int(group)].isFinite)
        sums[Int(group)] = sum
        counts[Int(group)] &+= 1
      }
    } else {
      for (i, group) in groups.enumerated() {
        let value = Double(bitPattern: words.base[i])
        let sum = sums[Int(group)] + value
        overflow = overflow || (sum.isInfinite && value.isFinite && sums[Int(group)].isFinite)
        sums[Int(group)] = sum
        counts[Int(group)] &+= 1
      }
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    let input = AggregateInput(arguments[0], rows: range)
    let buffer = input.column.wordBuffer
    defer { withExtendedLifetime((buffer, input)) {} }
    if add(buffer.base, input.column.nulls?.base, input.rows, group) { throw SQLError.outOfRange(.float8) }
  }

  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) throws {
    let input = AggregateInput(arguments[0], segments: segments)
    let buffer = input.column.wordBuffer
    defer { withExtendedLifetime((buffer, input)) {} }
    let (words, nulls) = (buffer.base, input.column.nulls?.base)
    var overflow = false
    for segment in segments {
      overflow = add(words, nulls, segment.rows, Int(segment.group)) || overflow
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }

  /// Whether finite values came to more than a double holds.
  private func add(
    _ words: UnsafePointer<UInt64>, _ nulls: UnsafePointer<UInt8>?, _ rows: Range<Int>, _ group: Int
  ) -> Bool {
    var sum = 0.0
    var missing = 0
    if let nulls {
      for i in rows where nulls[i] == 0 { sum += Double(bitPattern: words[i]) }
      for i in rows { missing &+= Int(nulls[i]) }
    } else {
      sum = FloatSumAggregate.sum(words + rows.lowerBound, rows.count)
    }
    let before = sums[group]
    let total = before + sum
    sums[group] = total
    counts[group] &+= Int64(rows.count - missing)
    guard total.isInfinite, before.isFinite else { return false }
    return !rows.contains { nulls?[$0] ?? 0 == 0 && !Double(bitPattern: words[$0]).isFinite }
  }

  /// Eight partial sums: one chain of additions would wait for itself.
  static func sum(_ words: UnsafePointer<UInt64>, _ count: Int) -> Double {
    var lanes = SIMD8<Double>(repeating: 0)
    var more = SIMD8<Double>(repeating: 0)
    let raw = UnsafeRawPointer(words)
    var i = 0
    while i + 16 <= count {
      lanes += raw.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
      more += raw.loadUnaligned(fromByteOffset: i * 8 + 64, as: SIMD8<Double>.self)
      i += 16
    }
    var sum = (lanes + more).sum()
    while i < count {
      sum += Double(bitPattern: words[i])
      i += 1
    }
    return sum
  }

  var neededStatistics: SummaryStatistics { SummaryStatistics(.count, .sum) }

  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) throws {
    let (sumBuffer, countBuffer) = (partials.words(.sum, column), partials.words(.count, column))
    defer { withExtendedLifetime((sumBuffer, countBuffer)) {} }
    let (words, valueCounts) = (sumBuffer.base, countBuffer.base)
    let (sums, counts) = (sums.base, counts.base)
    var overflow = false
    for segment in segments {
      var total = sums[Int(segment.group)]
      var count: UInt64 = 0
      for row in segment.rows {
        let sum = Double(bitPattern: words[row])
        let next = total + sum
        // A partial sum is infinite only if one of its values is.
        overflow = overflow || (next.isInfinite && sum.isFinite && total.isFinite)
        total = next
        count &+= valueCounts[row]
      }
      sums[Int(segment.group)] = total
      counts[Int(segment.group)] &+= Int64(bitPattern: count)
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? FloatSumAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() {
      let sum = sums[Int(group)] + other.sums[i]
      if sum.isInfinite, sums[Int(group)].isFinite, other.sums[i].isFinite { throw SQLError.outOfRange(.float8) }
      sums[Int(group)] = sum
      counts[Int(group)] &+= other.counts[i]
    }
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: counts.count)
    for i in 0..<counts.count {
      if counts[i] == 0 {
        builder.appendNull()
      } else {
        let value = average ? sums[i] / Double(counts[i]) : sums[i]
        let narrow = FloatKernels.narrow(value, type)
        if narrow.isInfinite, value.isFinite { throw SQLError.outOfRange(.float4) }
        builder.append(narrow)
      }
    }
    return builder.finish()
  }
}
