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

  /// Gives a tag name's column id.
  package typealias ColumnFinder = (UnsafeBufferPointer<UInt8>) -> ColumnID?

  /// The id of the series with this key, if it is known.
  package func find(_ key: SeriesKey, column: ColumnFinder) -> SeriesID? {
    let hashed = hashed(key)
    return state.withLock { $0.find(key, hashed, column) }
  }

  /// Adds a series that `find` did not find. Throws `.limitExceeded` when ids run out.
  package func add(_ key: SeriesKey, column: ColumnFinder) throws -> SeriesID {
    let hashed = hashed(key)
    return try state.withLock { state in
      try state.checkRoom()
      return state.add(key, hashed, column, hash)
    }
  }

  /// The id of the series, which is added if it is new. Nil if it is new and `mayAdd`, given the number of series there
  /// are, says no: then nothing is done.
  package func findOrAdd(_ key: SeriesKey, column: ColumnFinder, mayAdd: (Int) -> Bool) throws -> SeriesID? {
    let hashed = hashed(key)
    return try state.withLock { state in
      if let known = state.find(key, hashed, column) { return known }
      guard mayAdd(state.count) else { return nil }
      try state.checkRoom()
      return state.add(key, hashed, column, hash)
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

  private func hashed(_ key: SeriesKey) -> UInt32 {
    UInt32(truncatingIfNeeded: key.bytes.withUnsafeBytes { hash($0) })
  }
}
