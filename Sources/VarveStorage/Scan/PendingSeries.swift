// The series whose newest row is still looked for, from the newest partition to older ones.

import VarveCore

final class PendingSeries {
  private let flags: Buffer<UInt8>
  private(set) var count: Int
  private let fieldCount: Int
  /// Where values are wanted: the fields that no row so far has a value of, for series that have a row already.
  private var missing: [UInt32: Set<Int>] = [:]
  private let series: SeriesSet
  private var isUntouched = true

  /// `seriesCount` is that of the table. `fieldCount`: of the fields that each need a row with a value; 0: any row does.
  init(_ series: SeriesSet, seriesCount: Int, fieldCount: Int) {
    self.series = series
    self.fieldCount = fieldCount
    switch series {
    case .all:
      flags = Buffer(repeating: 1, count: seriesCount)
      count = seriesCount
    case .some(let list):
      flags = Buffer(repeating: 0, count: max(seriesCount, list.last.map { Int($0.rawValue) + 1 } ?? 0))
      count = list.count
      for id in list { flags[Int(id.rawValue)] = 1 }
    }
  }

  /// A byte a series: not 0 if it is looked for.
  var span: UnsafeBufferPointer<UInt8> { flags.span }

  /// Those that are left.
  var all: SeriesSet {
    if isUntouched { return series }
    return .some((0..<UInt32(flags.count)).filter { flags.base[Int($0)] != 0 }.map { SeriesID(rawValue: $0) })
  }

  /// Fields of the series that are to be found a value of.
  func missingFields(_ id: UInt32) -> [Int] {
    missing[id].map { $0.sorted() } ?? Array(0..<fieldCount)
  }

  /// A row of the series was delivered, and rows with values of these of the missing fields.
  func found(_ id: UInt32, fields: Set<Int>) {
    guard flags[Int(id)] != 0 else { return }
    isUntouched = false
    let left = Set(missingFields(id)).subtracting(fields)
    if left.isEmpty { foundAll(id) } else { missing[id] = left }
  }

  func foundAll(_ id: UInt32) {
    guard flags[Int(id)] != 0 else { return }
    isUntouched = false
    flags[Int(id)] = 0
    count -= 1
    if !missing.isEmpty { missing[id] = nil }
  }
}
