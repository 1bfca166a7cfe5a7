// sum and avg of doubles. Where a run of rows shares its group they sum in lanes; what each addition to a group's sum
// rounds away is kept beside it, so that sums over many runs do not drift.

import VarveCore

/// sum and avg of floats.
final class FloatSumAggregate: PartialAggregate {
  private let type: SQLType
  private let average: Bool
  private let sums = Buffer<Double>()
  /// What the sums lack.
  private let rests = Buffer<Double>()
  private let counts = Buffer<Int64>()

  /// `type`: of the result.
  init(_ type: SQLType, average: Bool) {
    self.type = type
    self.average = average
  }

  func resize(to count: Int) {
    if count > counts.count {
      sums.append(repeating: 0, count: count - sums.count)
      rests.append(repeating: 0, count: count - rests.count)
      counts.append(repeating: 0, count: count - counts.count)
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    let sums = sums.base
    let rests = rests.base
    let counts = counts.base
    var overflow = false
    if let nulls = input.column.nulls {
      for (i, group) in groups.enumerated() where nulls.base[i] == 0 {
        let value = Double(bitPattern: words.base[i])
        let before = sums[Int(group)]
        let sum = before + value
        overflow = overflow || (sum.isInfinite && value.isFinite && before.isFinite)
        sums[Int(group)] = sum
        rests[Int(group)] += CompensatedSum.lost(before, value, sum)
        counts[Int(group)] &+= 1
      }
    } else {
      for (i, group) in groups.enumerated() {
        let value = Double(bitPattern: words.base[i])
        let before = sums[Int(group)]
        let sum = before + value
        overflow = overflow || (sum.isInfinite && value.isFinite && before.isFinite)
        sums[Int(group)] = sum
        rests[Int(group)] += CompensatedSum.lost(before, value, sum)
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
    rests[group] += CompensatedSum.lost(before, sum, total)
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
    let (sums, rests, counts) = (sums.base, rests.base, counts.base)
    var overflow = false
    for segment in segments {
      var total = sums[Int(segment.group)]
      var rest = rests[Int(segment.group)]
      var count: UInt64 = 0
      for row in segment.rows {
        let sum = Double(bitPattern: words[row])
        let next = total + sum
        // A partial sum is infinite only if one of its values is.
        overflow = overflow || (next.isInfinite && sum.isFinite && total.isFinite)
        rest += CompensatedSum.lost(total, sum, next)
        total = next
        count &+= valueCounts[row]
      }
      sums[Int(segment.group)] = total
      rests[Int(segment.group)] = rest
      counts[Int(segment.group)] &+= Int64(bitPattern: count)
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? FloatSumAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() {
      let before = sums[Int(group)]
      let sum = before + other.sums[i]
      if sum.isInfinite, before.isFinite, other.sums[i].isFinite { throw SQLError.outOfRange(.float8) }
      sums[Int(group)] = sum
      rests[Int(group)] += other.rests[i] + CompensatedSum.lost(before, other.sums[i], sum)
      counts[Int(group)] &+= other.counts[i]
    }
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: counts.count)
    for i in 0..<counts.count {
      if counts[i] == 0 {
        builder.appendNull()
      } else {
        // Of an infinite sum, or NaN, the rest means nothing.
        let sum = sums[i].isFinite ? sums[i] + rests[i] : sums[i]
        let value = average ? sum / Double(counts[i]) : sum
        let narrow = FloatKernels.narrow(value, type)
        if narrow.isInfinite, value.isFinite { throw SQLError.outOfRange(.float4) }
        builder.append(narrow)
      }
    }
    return builder.finish()
  }
}
