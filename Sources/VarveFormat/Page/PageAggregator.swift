// Aggregates over rows of a field page without building the page: packed lanes are summed as they lie, other integers
// a vector at a time in the first cache, decimals as integers and scaled once. What allows none of this is decoded.
//
// The results are zone maps of the rows, with their rules for NaN and -0. Counts, minimum, maximum, first and last are
// exact; sums of integers are; a double's sum may differ from `ZoneMap`'s, which adds in row order, in its last bits.

import VarveCore

/// What is asked of a page's rows.
package struct PageAggregates: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `integerSum` or `doubleSum`.
  package static let sum = PageAggregates(rawValue: 1)
  /// `minimum`, `maximum` and `nanCount`.
  package static let range = PageAggregates(rawValue: 2)
  /// `first` and `last`.
  package static let ends = PageAggregates(rawValue: 4)
}

package enum PageAggregator {
  /// A zone map for each segment, with `valueCount`, `nullCount` and what is `wanted`; the rest may be anything.
  ///
  /// `segments` are ranges of the page's rows, ascending and apart, none empty; where they are not within the page the
  /// page is damaged. Text has counts only. `isVerified`: the page's checksum was seen to hold. Total.
  package static func aggregate(
    _ page: UnsafeRawBufferPointer, segments: [Range<Int>], wanted: PageAggregates, isVerified: Bool, file: FileID,
    offset: Int
  ) throws -> [ZoneMap] {
    let header = try PageHeader.decode(page, file: file, offset: offset, isVerified: isVerified)
    guard case .field(let type) = header.content else {
      throw VarveError(.corruption, "a page holds no field where one is expected")
    }
    if let last = segments.last, last.upperBound > header.rowCount {
      throw VarveError(.corruption, "a page has \(header.rowCount) rows where \(last.upperBound) are expected")
    }
    // The payload's checksum holds: behind the last segment nothing is looked at.
    let end = segments.last?.upperBound ?? 0
    return try PageDecoder.withPayload(page, header, isWhole: end == header.rowCount) { reader in
      guard header.presence == .all, header.valueCount == header.rowCount, type != .text else {
        let column = try PageDecoder.decodeField(header, type: type, from: &reader)
        return ColumnAggregator.aggregate(column, segments, wanted)
      }
      return try aggregate(header.codec, type, header.rowCount, segments, wanted, from: &reader)
    }
  }

  /// Over a payload in which every row has a value.
  private static func aggregate(
    _ codec: ValueCodec, _ type: FieldType, _ count: Int, _ segments: [Range<Int>], _ wanted: PageAggregates,
    from reader: inout ByteReader
  ) throws -> [ZoneMap] {
    let end = segments.last?.upperBound ?? 0
    switch (type, codec) {
    case (.float64, .integral):
      let vectors = try IntegerCodec.vectors(stream: count, wanted: end, reader)
      return try scaled(aggregate(vectors, segments, wanted, isSigned: true, &reader), by: 1)
    case (.float64, .decimal):
      var ahead = reader
      let exponent = Int(try ahead.readByte())
      guard exponent <= DecimalCodec.exponentLimit, try ahead.readVarint() == 0 else { break }
      let vectors = try IntegerCodec.vectors(stream: count, wanted: end, ahead)
      return try scaled(
        aggregate(vectors, segments, wanted, isSigned: true, &reader), by: DecimalCodec.power(exponent))
    case (.int64, _), (.timestamp, _), (.uint64, _):
      guard codec != .dictionary else { break }
      let vectors = try IntegerVectors(codec, count: count, wanted: end, .outermost, reader)
      return try aggregate(vectors, segments, wanted, isSigned: type != .uint64, &reader)
    default: break
    }
    let words = Buffer<UInt64>(capacity: count)
    try PageDecoder.decodeWords(codec, type: type, count: count, from: &reader, into: words.base)
    words.count = count
    return ColumnAggregator.aggregate(FieldColumn(type: type, words: words), segments, wanted)
  }

  /// Reads the vectors that segments have rows of.
  private static func aggregate(
    _ source: IntegerVectors, _ segments: [Range<Int>], _ wanted: PageAggregates, isSigned: Bool,
    _ reader: inout ByteReader
  ) throws -> [ZoneMap] {
    var vectors = source
    var zones = [ZoneMap](repeating: ZoneMap(), count: segments.count)
    // Sums of lanes are those of signed integers.
    let sumsLanes = wanted == .sum && isSigned && vectors.isPackedPlainly
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: BitPacking.vectorValueCount) { held in
      guard let words = held.baseAddress else { return }
      var next = 0
      while vectors.remaining > 0 {
        let start = vectors.position
        if sumsLanes, next < segments.count, segments[next].lowerBound <= start,
          segments[next].upperBound >= start + BitPacking.vectorValueCount, let sum = try vectors.sumPacked()
        {
          zones[next].valueCount += BitPacking.vectorValueCount
          zones[next].integerSum += sum
          if segments[next].upperBound == vectors.position { next += 1 }
          continue
        }
        let end = start + (try vectors.next(into: words))
        while next < segments.count, segments[next].lowerBound < end {
          let rows = segments[next].clamped(to: start..<end)
          WordKernels.add(words + (rows.lowerBound - start), rows.count, isSigned, wanted, to: &zones[next])
          guard segments[next].upperBound <= end else { break }
          next += 1
        }
      }
    }
    reader = vectors.reader
    return zones
  }

  /// Zones of integers become those of the doubles integer ÷ power, which keeps their order.
  private static func scaled(_ integers: [ZoneMap], by power: Double) -> [ZoneMap] {
    integers.map { integer in
      func double(_ word: UInt64) -> UInt64 { (Double(Int64(bitPattern: word)) / power).bitPattern }
      var zone = integer
      zone.integerSum = 0
      zone.doubleSum = rounded(integer.integerSum) / power
      zone.minimum = double(integer.minimum)
      zone.maximum = double(integer.maximum)
      zone.first = double(integer.first)
      zone.last = double(integer.last)
      return zone
    }
  }

  /// The standard library's conversion of 128 bits is a loop; nearly all sums have 64.
  private static func rounded(_ sum: Int128) -> Double {
    let narrow = Int64(truncatingIfNeeded: sum)
    return Int128(narrow) == sum ? Double(narrow) : Double(sum)
  }
}
