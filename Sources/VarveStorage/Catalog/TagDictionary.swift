// One tag column over all series of a table: a code a series, the distinct values behind the codes, and for each
// value the series that have it (postings), so that `host = 'a'` touches only its own series.

import VarveCore

package struct TagDictionary: Sendable {
  /// Series → code; 0: the series lacks the tag. May be shorter than the table has series: the rest lack it.
  package private(set) var codes: [UInt32] = []
  /// Code → value; code 0 stands for "no value".
  private var table: StringTable
  /// Code → series, ascending.
  private var postings: [[UInt32]] = [[]]

  package init(hash: WideHash) {
    table = StringTable(hash: hash)
    _ = table.intern("")
  }

  /// Bytes of a distinct value: string, hash, slots, and the array of its series.
  package static func byteCount(ofValue count: Int) -> Int { StringTable.byteCount(of: count) + 48 }

  /// Bytes taken, roughly.
  package var byteCount: Int { codes.capacity * 4 + table.byteCount + postings.count * 48 + codes.count * 4 }

  package var values: [String] { table.values }

  /// Gives the newest series a value. Series come in ascending order; values are not empty.
  package mutating func set(_ bytes: UnsafeBufferPointer<UInt8>, series: Int) {
    precondition(series >= codes.count && bytes.count > 0, "a series gets its tags once, in order, and none empty")
    if series > codes.count { codes.append(contentsOf: repeatElement(0, count: series - codes.count)) }
    let code = table.intern(bytes)
    if Int(code) == postings.count { postings.append([]) }
    codes.append(code)
    postings[Int(code)].append(UInt32(series))
  }

  package func value(of series: Int) -> String? {
    guard series < codes.count, codes[series] != 0 else { return nil }
    return table.values[Int(codes[series])]
  }

  package func holds(_ bytes: UnsafeBufferPointer<UInt8>, series: Int) -> Bool {
    guard series < codes.count, codes[series] != 0 else { return false }
    return table.holds(bytes, code: Int(codes[series]))
  }

  /// The series below `count` that satisfy the condition, ascending.
  package func series(where condition: TagPredicate.Condition, count: Int) -> [UInt32] {
    var wanted: [UInt32] = []
    var absentToo = false
    switch condition {
    case .isIn(let values):
      var found: Set<UInt32> = []
      for value in values where !value.isEmpty {
        if let code = table.find(value), found.insert(code).inserted { wanted.append(code) }
      }
    case .satisfies(let test):
      absentToo = test(nil)
      for code in 1..<max(1, table.count) where test(table.values[code]) { wanted.append(UInt32(code)) }
    }
    if absentToo { return seriesWithCodes(wanted, andAbsentBelow: count) }
    if wanted.count == 1 { return Array(postings[Int(wanted[0])].prefix { $0 < count }) }
    var result: [UInt32] = []
    for code in wanted { result.append(contentsOf: postings[Int(code)].prefix { $0 < count }) }
    result.sort()
    return result
  }

  private func seriesWithCodes(_ wanted: [UInt32], andAbsentBelow count: Int) -> [UInt32] {
    var accepted = [Bool](repeating: false, count: table.count)
    accepted[0] = true
    for code in wanted { accepted[Int(code)] = true }
    return (0..<count).compactMap { series in
      accepted[series < codes.count ? Int(codes[series]) : 0] ? UInt32(series) : nil
    }
  }
}
