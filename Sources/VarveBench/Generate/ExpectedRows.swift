// What the table must hold once everything that was generated has been written: kept beside the generator, in whole
// numbers, so that it is exact.

import VarveCore

/// A field, and what is added up of it.
package struct LoadField: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case integer
    /// A double with so many decimal places, added up in units of the last one.
    case decimal(places: Int)
    /// How many are true.
    case boolean
    /// Bytes, which are characters here.
    case text
  }
  package let name: String
  package let kind: Kind
}

/// Of one connection, or of several together.
package final class ExpectedRows {
  /// Weights of the checksum are below this prime.
  package static let weightModulus: UInt64 = 1021

  package private(set) var rowCount = 0
  package private(set) var seriesCount = 0
  package private(set) var firstStep = UInt32.max
  package private(set) var lastStep: UInt32 = 0
  /// Of the first field's values, each by the number of its time (steps since 1970) modulo `weightModulus`: finds
  /// values that are at another row's place, which sums do not.
  package private(set) var checksum = 0
  /// A sum a field.
  package let sums: Buffer<Int>
  /// A bit a series, whether it has a row.
  private let seen = Buffer<UInt64>()
  /// The start, in steps since 1970.
  private let startStep: UInt64

  init(fieldCount: Int, startStep: UInt64) {
    sums = Buffer(repeating: 0, count: fieldCount)
    self.startStep = startStep
  }

  /// Counts rows that have been written, except for provisional ones. `firstValues`: their first fields'.
  func note(_ rows: UnsafeBufferPointer<PlannedRow>, firstValues: UnsafePointer<Int32>) {
    var (first, last, sum, count) = (firstStep, lastStep, checksum, rowCount)
    for (index, row) in rows.enumerated() where !row.isProvisional {
      count += 1
      first = min(first, row.step)
      last = max(last, row.step)
      let weight = (startStep &+ UInt64(row.step)) % Self.weightModulus
      sum &+= Int(firstValues[index]) &* Int(truncatingIfNeeded: weight)
      let (word, bit) = (Int(row.series >> 6), UInt64(1) << UInt64(row.series & 63))
      if word >= seen.count { seen.append(repeating: 0, count: max(word + 1, seen.count * 2) - seen.count) }
      seriesCount += seen.base[word] & bit == 0 ? 1 : 0
      seen.base[word] |= bit
    }
    (firstStep, lastStep, checksum, rowCount) = (first, last, sum, count)
  }

  /// Adds what another connection has sent, whose series are others.
  func add(_ other: ExpectedRows) {
    rowCount += other.rowCount
    seriesCount += other.seriesCount
    firstStep = min(firstStep, other.firstStep)
    lastStep = max(lastStep, other.lastStep)
    checksum += other.checksum
    for field in 0..<sums.count { sums[field] += other.sums[field] }
  }
}
