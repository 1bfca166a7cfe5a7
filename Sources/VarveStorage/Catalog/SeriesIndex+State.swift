// How a series enters the index, tags first, then the slot that makes it known, and how it is found.
//
// Methods that only look are mutating too: what is behind the lock is then worked on where it lies. A copy, which a call
// would otherwise make, costs two reference counts an array.

import VarveCore

extension SeriesIndex.State {
  func checkRoom() throws {
    guard count < Int(UInt32.max) - 1 else {
      throw VarveError(.limitExceeded, "a table holds at most \(UInt32.max - 1) series")
    }
  }

  func place(of column: ColumnID) -> Int? {
    let column = Int(column.rawValue)
    guard column < places.count, places[column] != 0 else { return nil }
    return Int(places[column]) - 1
  }

  func dictionary(of column: ColumnID) -> TagDictionary? { place(of: column).map { dictionaries[$0] } }

  /// Gives the series that is being added a tag.
  mutating func set(_ value: UnsafeBufferPointer<UInt8>, series: Int, column: ColumnID, _ hash: WideHash) {
    dictionaries[place(for: column, hash)].set(value, series: series)
  }

  /// The series with this key, confirmed tag by tag.
  mutating func find(_ key: SeriesKey, _ hashed: UInt32, _ column: SeriesIndex.ColumnFinder) -> SeriesID? {
    let mask = slots.count - 1
    var slot = Int(hashed) & mask
    while slots[slot] != 0 {
      let series = Int(slots[slot] - 1)
      if hashes[series] == hashed, holds(key, series, column) { return SeriesID(rawValue: UInt32(series)) }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private mutating func holds(_ key: SeriesKey, _ series: Int, _ column: SeriesIndex.ColumnFinder) -> Bool {
    var tagCount = 0
    var same = true
    key.forEachTag { name, value in
      tagCount += 1
      guard same, let id = column(name), let place = place(of: id) else {
        same = false
        return
      }
      same = dictionaries[place].holds(value, series: series)
    }
    return same && tagCount == Int(tagCounts[series])
  }

  /// Adds a series that is not known, whose tags are columns, and for which there is room.
  mutating func add(
    _ key: SeriesKey, _ hashed: UInt32, _ column: SeriesIndex.ColumnFinder, _ hash: WideHash
  ) -> SeriesID {
    let series = count
    var tagCount = 0
    key.forEachTag { name, value in
      guard let id = column(name) else { preconditionFailure("a series is added after its tag columns") }
      set(value, series: series, column: id, hash)
      tagCount += 1
    }
    finish(hashed: hashed, tagCount: tagCount)
    return SeriesID(rawValue: UInt32(series))
  }

  /// Counts the series that is being added, and makes it known.
  mutating func finish(hashed: UInt32, tagCount: Int) {
    tagCounts.append(UInt16(tagCount))
    hashes.append(hashed)
    count += 1
    if count * 2 > slots.count {
      slots = Array(repeating: 0, count: slots.count * 2)
      for series in 0..<count { insert(series) }
    } else {
      insert(count - 1)
    }
  }

  /// Visits the tags of a series in order of column id.
  func forEachTag(of series: Int, _ body: (ColumnID, UnsafeBufferPointer<UInt8>) -> Void) {
    for column in places.indices where places[column] != 0 {
      guard let value = dictionaries[Int(places[column]) - 1].value(of: series) else { continue }
      body(ColumnID(rawValue: UInt16(column)), value)
    }
  }

  private mutating func place(for column: ColumnID, _ hash: WideHash) -> Int {
    if let place = place(of: column) { return place }
    let column = Int(column.rawValue)
    if column >= places.count { places += Array(repeating: 0, count: column + 1 - places.count) }
    dictionaries.append(TagDictionary(hash: hash))
    places[column] = UInt16(dictionaries.count)
    return dictionaries.count - 1
  }

  private mutating func insert(_ series: Int) {
    let mask = slots.count - 1
    var slot = Int(hashes[series]) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(series) + 1
  }
}
