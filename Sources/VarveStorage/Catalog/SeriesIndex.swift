// The series of one table: tag set → dense id, and back.
//
// Per series the index keeps one code a tag column and a slot in an open-addressing hash table; the strings
// themselves are kept once a distinct value (`TagDictionary`). A lookup hashes the canonical key, and a candidate
// is confirmed tag by tag, so a hash collision can never merge two series.
//
// The commit thread appends; queries read at the same time: one lock, held for single operations, or for views of
// append-only columns that are then read without it. Series are never removed. `count` may run ahead of what is durable
// while a record is being written; snapshots bound it by rows.

import Synchronization
import VarveCore
import VarveFormat

package final class SeriesIndex: Sendable {
  struct State: Sendable {
    var count = 0
    /// Hash slot → series id + 1; 0 is free. A power of two, at most half full.
    var slots: [UInt32] = Array(repeating: 0, count: 16)
    /// Series → the lower half of its key's hash, for growing the table and for skipping most false candidates.
    var hashes: [UInt32] = []
    var tagCounts: [UInt16] = []
    /// Column id → place in `dictionaries`, plus one; 0: no series has that tag.
    var places: [UInt16] = []
    /// In order of first use.
    var dictionaries: [TagDictionary] = []
  }

  let state = Mutex(State())
  let hash: WideHash
  /// Of this index alone within the process, from 1: what sources note of it holds for no other.
  package let number: UInt64
  private static let indexesMade = Atomic<UInt64>(0)

  package init(hash: WideHash) {
    self.hash = hash
    number = Self.indexesMade.add(1, ordering: .relaxed).newValue
  }

  package var count: Int { state.withLock { $0.count } }

  /// Bytes that the index takes: arrays at their capacity, roughly.
  package var byteCount: Int {
    state.withLock { state in
      state.slots.capacity * 4 + state.hashes.capacity * 4 + state.tagCounts.capacity * 2
        + state.dictionaries.reduce(0) { $0 + $1.byteCount }
    }
  }

  /// Bytes that one more series takes at most, were all its values new.
  package static func byteCount(ofNew key: SeriesKey) -> Int {
    var bytes = 30
    key.forEachTag { _, value in
      bytes += TagDictionary.seriesByteCount + TagDictionary.byteCount(ofValue: value.count)
    }
    return bytes
  }

  /// The id of the series with this key, if it is known. `column` gives a tag name's column id.
  package func find(_ key: SeriesKey, column: (ArraySlice<UInt8>) -> ColumnID?) -> SeriesID? {
    let hashed = key.bytes.withUnsafeBytes { hash($0) }
    return state.withLock { state in Self.find(state, key, UInt32(truncatingIfNeeded: hashed), column) }
  }

  /// Adds a series that `find` did not find. Throws `.limitExceeded` when ids run out.
  package func add(_ key: SeriesKey, column: (ArraySlice<UInt8>) -> ColumnID?) throws -> SeriesID {
    let hashed = key.bytes.withUnsafeBytes { hash($0) }
    return try state.withLock { state in
      try state.checkRoom()
      let series = state.count
      var tagCount = 0
      key.forEachTag { name, value in
        guard let id = column(name) else { preconditionFailure("a series is added after its tag columns") }
        value.withUnsafeBufferPointer { state.set($0, series: series, column: id, hash) }
        tagCount += 1
      }
      state.finish(hashed: UInt32(truncatingIfNeeded: hashed), tagCount: tagCount)
      return SeriesID(rawValue: UInt32(series))
    }
  }

  /// Adds a series with the tags of a record, whose canonical key has this hash. Throws `.limitExceeded` when ids run
  /// out.
  func add(_ tags: SeriesTags, hashed: UInt64) throws {
    try state.withLock { state in
      try state.checkRoom()
      let series = state.count
      try tags.forEachTag { column, value in state.set(value, series: series, column: column, hash) }
      state.finish(hashed: UInt32(truncatingIfNeeded: hashed), tagCount: tags.tagCount)
    }
  }

  /// The tags of a series by column, in order of column id.
  package func tags(of series: SeriesID) -> [(column: ColumnID, value: String)] {
    state.withLock { state in
      var tags: [(column: ColumnID, value: String)] = []
      state.forEachTag(of: Int(series.rawValue)) { tags.append(($0, String(decoding: $1, as: UTF8.self))) }
      return tags
    }
  }

  package func tagColumn(_ column: ColumnID) -> TagColumn {
    state.withLock { $0.dictionary(of: column)?.column } ?? TagColumn(codes: [], values: [""])
  }

  // MARK: -

  private static func find(
    _ state: State, _ key: SeriesKey, _ hashed: UInt32, _ column: (ArraySlice<UInt8>) -> ColumnID?
  ) -> SeriesID? {
    let mask = state.slots.count - 1
    var slot = Int(hashed) & mask
    while state.slots[slot] != 0 {
      let series = Int(state.slots[slot] - 1)
      if state.hashes[series] == hashed, matches(state, key, series, column) {
        return SeriesID(rawValue: UInt32(series))
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private static func matches(
    _ state: State, _ key: SeriesKey, _ series: Int, _ column: (ArraySlice<UInt8>) -> ColumnID?
  ) -> Bool {
    var tagCount = 0
    var same = true
    key.forEachTag { name, value in
      tagCount += 1
      guard same, let id = column(name), let place = state.place(of: id) else {
        same = false
        return
      }
      same = value.withUnsafeBufferPointer { state.dictionaries[place].holds($0, series: series) }
    }
    return same && tagCount == Int(state.tagCounts[series])
  }
}
