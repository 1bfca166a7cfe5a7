// Which series a row belongs to, found by the bytes of its tags as they were sent.
//
// Rows of one sender come in the same order again and again: the entry that followed the last one is compared first,
// then the bytes are looked up by hash, and only bytes that were never sent before are taken apart. The store has ids for
// tag sets under the entries' numbers (`SeriesMemo`), so a series costs it no look-up either.

import CVarve
import VarveCore

extension CopyParser {
  /// The end of the tags' run if the predicted entry's bytes stand at `p`.
  @inline(__always)
  func predicted(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    guard predictedEntry >= 0 else { return nil }
    let entry = series.entries + Int(predictedEntry)
    let count = Int(entry.pointee.byteCount)
    guard end - p >= count, cvarve_memcmp(entry.pointee.text, p, count) == 0 else { return nil }
    return p + count
  }

  /// The entry of the row whose fields were all found; nil: the row has failed.
  mutating func findSeries() -> Int32? {
    guard let run = layout.tagRun else { return findGathered() }
    let first = fields[run.lowerBound].rawStart
    let last = fields[run.upperBound - 1]
    return find(first, last.rawStart + last.rawCount - first)
  }

  private mutating func findGathered() -> Int32? {
    gathered.count = 0
    for column in layout.tagColumns {
      let field = fields[column]
      for shift in stride(from: 0, to: 32, by: 8) {
        gathered.append(UInt8(truncatingIfNeeded: field.rawCount >> shift))
      }
      gathered.append(UnsafeBufferPointer(start: field.rawStart, count: field.rawCount))
    }
    let start = UnsafePointer(gathered.base)
    let end = start + gathered.count
    if predicted(start, end) == end { return predictedEntry }
    return find(start, gathered.count)
  }

  private mutating func find(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int32? {
    let hash = hashBytes(text, count, seed: options.hashSeed)
    var found = series.find(text, count, hash: hash)
    if found < 0 {
      guard let key = seriesKey() else { return nil }
      found = series.insert(text, count, hash: hash, table: 0, key: SeriesKey(canonical: key))
    }
    let entry = Int32(truncatingIfNeeded: found)
    if lastEntry >= 0 { series.entries[Int(lastEntry)].next = entry }
    return entry
  }

  /// A tag that is NULL or empty is a tag that the series does not have.
  private mutating func seriesKey() -> [UInt8]? {
    var key: [UInt8] = []
    for (name, column) in zip(layout.tagNames, layout.tagColumns) {
      let field = fields[column]
      guard field.count > 0 else { continue }
      guard isText(field, column: column, byteLimit: Limits.tagValueByteCount) else { return nil }
      SeriesKey.append(
        name: name[...], value: Array(UnsafeBufferPointer(start: field.start, count: field.count))[...], to: &key)
    }
    if key.count > Limits.seriesKeyByteCount {
      fail("54000", "the tags of a row take at most \(Limits.seriesKeyByteCount) bytes")
      return nil
    }
    return key
  }

  mutating func mayRemember(_ byteCount: Int) -> Bool {
    byteCount <= options.seriesMemoryByteLimit && memoryShare.covers(byteCount)
  }

  /// Between batches: the numbers of entries begin anew.
  mutating func forgetSeries() {
    memoryShare.giveBack()
    series = SeriesDictionary()
    memo = SeriesMemo()
    lastEntry = -1
    predictedEntry = -1
  }
}
