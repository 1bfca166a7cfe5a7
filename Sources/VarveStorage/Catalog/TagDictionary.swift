// One tag column over all series of a table: a code a series, and the distinct values behind the codes.
//
// Where there are many values each series is linked to the one before it that has the same value, so that `host = 'a'`
// touches only its own series. Where there are few a link would lead through a good part of all series anyway: then the
// codes are read through, which is faster, and links are not kept.

import VarveCore

struct TagDictionary: Sendable {
  /// Up to so many values the codes are read through.
  static let valuesWithoutLinks = 64

  /// Series → code; 0: the series lacks the tag. May be shorter than the table has series: the rest lack it.
  private(set) var codes = AppendOnly<UInt32>()
  /// Code → value; code 0 stands for "no value".
  private(set) var table: StringTable
  /// Series → the series before with the same code, plus one; 0: none. Empty while there are few values.
  private(set) var links = AppendOnly<UInt32>()
  /// Code → its newest series, plus one. Empty while there are few values.
  private var newest: [UInt32] = []

  init(hash: WideHash) {
    table = StringTable(hash: hash)
    _ = table.intern(UnsafeBufferPointer(start: nil, count: 0))
  }

  /// Bytes of a distinct value: the string, and its newest series.
  static func byteCount(ofValue count: Int) -> Int { StringTable.byteCount(of: count) + 8 }
  /// Bytes of one more series.
  static let seriesByteCount = 12

  /// Bytes taken, roughly.
  var byteCount: Int { codes.byteCount + table.byteCount + links.byteCount + newest.capacity * 4 }

  var column: TagColumn { TagColumn(codes: codes.view, refs: table.refs.view, bytes: table.bytes.view) }

  /// Gives the newest series a value. Series come in ascending order; values are not empty.
  mutating func set(_ value: UnsafeBufferPointer<UInt8>, series: Int) {
    precondition(series >= codes.count && value.count > 0, "a series gets its tags once, in order, and none empty")
    if series > codes.count { appendWithout(series - codes.count) }
    let code = table.intern(value)
    codes.append(code)
    if !newest.isEmpty {
      link(code)
    } else if table.count > Self.valuesWithoutLinks + 1 {
      linkAll()
    }
  }

  func value(of series: Int) -> UnsafeBufferPointer<UInt8>? {
    guard series < codes.count, codes[series] != 0 else { return nil }
    return table.string(Int(codes[series]))
  }

  func holds(_ value: UnsafeBufferPointer<UInt8>, series: Int) -> Bool {
    guard series < codes.count, codes[series] != 0 else { return false }
    return table.holds(value, code: Int(codes[series]))
  }

  /// Where the links of each code begin; nil where there are none.
  func newest(of codes: ArraySlice<UInt32>) -> [UInt32]? {
    newest.isEmpty ? nil : codes.map { newest[Int($0)] }
  }

  private mutating func appendWithout(_ count: Int) {
    codes.append(repeating: 0, count: count)
    if !newest.isEmpty { links.append(repeating: 0, count: count) }
  }

  /// Links the series whose code was appended last.
  private mutating func link(_ code: UInt32) {
    if Int(code) == newest.count { newest.append(0) }
    links.append(newest[Int(code)])
    newest[Int(code)] = UInt32(links.count)
  }

  private mutating func linkAll() {
    newest = Array(repeating: 0, count: table.count)
    for series in 0..<codes.count {
      if codes[series] == 0 { links.append(0) } else { link(codes[series]) }
    }
  }
}
