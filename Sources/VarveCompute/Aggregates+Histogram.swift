// histogram(value, min, max, count): how many values fall into each of `count` buckets of equal width between min and
// max, with one bucket more below and one above: TimescaleDB's. A value of max counts above.

import VarveCore

final class HistogramAggregate: StorableAggregate {
  private struct Bounds: Equatable {
    let least: Double
    let most: Double
    let count: Int
  }
  private var bounds: Bounds?
  private var groups: [[Int64]] = []
  private(set) var heldByteCount = 0

  static let bucketLimit = 10_000

  func resize(to count: Int) {
    if count > groups.count { groups.append(contentsOf: repeatElement([], count: count - groups.count)) }
  }

  private func settled(_ arguments: [Column], _ row: Int) throws -> Bounds {
    let least = arguments[1].datum(at: row).double
    let most = arguments[2].datum(at: row).double
    let count = Int(arguments[3].datum(at: row).integer)
    if let bounds, bounds == Bounds(least: least, most: most, count: count) { return bounds }
    guard bounds == nil else {
      throw SQLError.make("22023", "number and bounds of a histogram's buckets must be the same for all rows")
    }
    guard count > 0, count <= Self.bucketLimit else {
      throw SQLError.make("22023", "number of buckets must be between 1 and \(Self.bucketLimit)")
    }
    guard least.isFinite, most.isFinite, least < most else {
      throw SQLError.make("22023", "lower bound of a histogram must be less than its upper bound")
    }
    let found = Bounds(least: least, most: most, count: count)
    bounds = found
    return found
  }

  private func take(_ arguments: [Column], _ row: Int, _ group: Int) throws {
    if arguments.contains(where: { $0.isNull(at: row) }) { return }
    let bounds = try settled(arguments, row)
    let value = arguments[0].datum(at: row).double
    if groups[group].isEmpty {
      groups[group] = [Int64](repeating: 0, count: bounds.count + 2)
      heldByteCount += (bounds.count + 2) * 8
    }
    let bucket: Int
    if value < bounds.least {
      bucket = 0
    } else if value < bounds.most {
      let place = (value - bounds.least) / (bounds.most - bounds.least) * Double(bounds.count)
      // Rounding must not take a value below max over it.
      bucket = min(Int(place), bounds.count - 1) + 1
    } else {
      bucket = bounds.count + 1
    }
    groups[group][bucket] += 1
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    for (row, group) in groups.enumerated() { try take(arguments, row, Int(group)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    for row in range { try take(arguments, row, group) }
  }

  func merge(_ other: any GroupedAggregate, groups places: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? HistogramAggregate else { preconditionFailure("states of one aggregate merge") }
    if let bounds, let theirs = other.bounds, bounds != theirs {
      throw SQLError.make("22023", "number and bounds of a histogram's buckets must be the same for all rows")
    }
    bounds = bounds ?? other.bounds
    for (i, place) in places.enumerated() where !other.groups[i].isEmpty { try add(other.groups[i], Int(place)) }
  }

  private func add(_ counts: [Int64], _ group: Int) throws {
    if groups[group].isEmpty {
      groups[group] = counts
      heldByteCount += counts.count * 8
    } else {
      // Of one definition all have as many.
      guard groups[group].count == counts.count else { throw Self.invalid }
      for bucket in counts.indices { groups[group][bucket] += counts[bucket] }
    }
  }

  /// As the text of an array: `{0,3,1}`.
  func encode(group: Int, to out: Buffer<UInt8>) {
    if groups[group].isEmpty { return }
    for (bucket, count) in groups[group].enumerated() {
      TypeText.append("\(bucket == 0 ? "{" : ",")\(count)", to: out)
    }
    out.append(UInt8(ascii: "}"))
  }

  func merge(encoded text: UnsafeBufferPointer<UInt8>, into group: Int) throws {
    try add(try Self.counts(text), group)
  }

  private static var invalid: VarveError { SQLError.make("XX001", "this text is not a histogram") }

  private static func counts(_ text: UnsafeBufferPointer<UInt8>) throws -> [Int64] {
    guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else { throw invalid }
    var counts: [Int64] = []
    var count: Int64 = 0
    var digits = 0
    for byte in text.dropFirst() {
      if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 15 {
        count = count * 10 + Int64(byte - UInt8(ascii: "0"))
        digits += 1
      } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}"), digits > 0, counts.count < bucketLimit + 2 {
        counts.append(count)
        (count, digits) = (0, 0)
      } else {
        throw invalid
      }
    }
    return counts
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(.array(.int4), capacity: groups.count)
    for buckets in groups {
      if buckets.isEmpty {
        builder.appendNull()
        continue
      }
      guard buckets.allSatisfy({ $0 <= Int64(Int32.max) }) else { throw SQLError.outOfRange(.int4) }
      try builder.append(.array(buckets.map(Datum.int)))
    }
    return builder.finish()
  }
}
