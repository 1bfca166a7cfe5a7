// A set of series of one table as ranges of their ids. Ids are dense and given in order of appearance, so what one
// condition finds often lies together. FORMAT.md, "Deletion".

import VarveCore

package struct SeriesRanges: Sendable, Hashable {
  /// Ascending, with a gap of at least one id between neighbours.
  package private(set) var ranges: [ClosedRange<UInt32>]

  /// Every series of the table, also those that it will have.
  package static let all = SeriesRanges(ranges: [0...UInt32.max])

  private init(ranges: [ClosedRange<UInt32>]) { self.ranges = ranges }

  /// From ids in ascending order.
  package init(_ series: [SeriesID]) {
    ranges = []
    for id in series {
      if let last = ranges.last, last.upperBound < .max, last.upperBound + 1 >= id.rawValue {
        precondition(id.rawValue >= last.upperBound, "ids ascend")
        ranges[ranges.count - 1] = last.lowerBound...id.rawValue
      } else {
        ranges.append(id.rawValue...id.rawValue)
      }
    }
  }

  package var isEmpty: Bool { ranges.isEmpty }
  package var isAll: Bool { ranges.count == 1 && ranges[0] == 0...UInt32.max }

  package func contains(_ series: SeriesID) -> Bool { contains(series.rawValue...series.rawValue) }

  /// Whether every id of `range` is in the set: neighbours have gaps, so one range must hold it.
  package func contains(_ range: ClosedRange<UInt32>) -> Bool {
    let index = firstRange(endingAtOrBehind: range.lowerBound)
    return index < ranges.count && ranges[index].lowerBound <= range.lowerBound
      && range.upperBound <= ranges[index].upperBound
  }

  package func overlaps(_ range: ClosedRange<UInt32>) -> Bool {
    let index = firstRange(endingAtOrBehind: range.lowerBound)
    return index < ranges.count && ranges[index].lowerBound <= range.upperBound
  }

  /// How many ids of `range` are in the set.
  package func count(in range: ClosedRange<UInt32>) -> Int {
    var count = 0
    for own in ranges[firstRange(endingAtOrBehind: range.lowerBound)...] {
      guard own.lowerBound <= range.upperBound else { break }
      count += Int(min(own.upperBound, range.upperBound)) - Int(max(own.lowerBound, range.lowerBound)) + 1
    }
    return count
  }

  private func firstRange(endingAtOrBehind id: UInt32) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension SeriesRanges {
  /// varint count of ranges (0: all series), then for each: varint first id less what the range before allows at least
  /// (its last id + 2; of the first: 0), varint count of ids less 1.
  func append(to body: inout ByteWriter) {
    if isAll { return body.append(varint: 0) }
    precondition(!isEmpty, "a deletion covers some series")
    body.append(varint: UInt64(ranges.count))
    var least: UInt64 = 0
    for range in ranges {
      body.append(varint: UInt64(range.lowerBound) - least)
      body.append(varint: UInt64(range.upperBound - range.lowerBound))
      least = UInt64(range.upperBound) + 2
    }
  }

  static func read(from reader: inout ByteReader) throws -> SeriesRanges {
    let count = try reader.readCount(minimumByteCount: 2)
    if count == 0 { return .all }
    var ranges: [ClosedRange<UInt32>] = []
    ranges.reserveCapacity(count)
    var least: UInt64 = 0
    for _ in 0..<count {
      let first = try reader.readUInt32Varint()
      let length = try reader.readUInt32Varint()
      let lower = least + UInt64(first)
      let upper = lower + UInt64(length)
      // The last id that 32 bits hold is no series: so no list of ranges says what "all" says.
      guard upper < UInt64(UInt32.max) else { throw VarveError(.corruption, "a deletion names series beyond 32 bits") }
      ranges.append(UInt32(lower)...UInt32(upper))
      least = upper + 2
    }
    return SeriesRanges(ranges: ranges)
  }
}
