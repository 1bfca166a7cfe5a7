// The series of one table: tag set → dense id, and back.
//
// Per series the index keeps one code a tag column and a slot in an open-addressing hash table; the strings
// themselves are kept once a distinct value (`TagDictionary`). A lookup hashes the canonical key, and a candidate
// is confirmed tag by tag, so a hash collision can never merge two series.
//
// The commit thread appends; queries read at the same time: one lock, held for single operations. Series are never
// removed. `count` may run ahead of what is durable while a record is being written; snapshots bound it by rows.

import Synchronization
import VarveCore
import VarveFormat

package final class SeriesIndex: Sendable {
  private struct State {
    var count = 0
    /// Hash slot → series id + 1; 0 is free. A power of two, at most half full.
    var slots: [UInt32] = Array(repeating: 0, count: 16)
    /// Series → its key's hash, for growing the table and for skipping most false candidates.
    var hashes: [UInt64] = []
    var tags: [ColumnID: TagDictionary] = [:]
    var tagCounts: [UInt16] = []
  }

  private let state = Mutex(State())
  private let hash: WideHash
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
      state.slots.capacity * 4 + state.hashes.capacity * 8 + state.tagCounts.capacity * 2
        + state.tags.values.reduce(0) { $0 + $1.byteCount }
    }
  }

  /// Bytes that one more series takes at most, were all its values new.
  package static func byteCount(ofNew key: SeriesKey) -> Int {
    var bytes = 34
    key.forEachTag { _, value in bytes += 12 + TagDictionary.byteCount(ofValue: value.count) }
    return bytes
  }

  /// The id of the series with this key, if it is known. `column` gives a tag name's column id.
  package func find(_ key: SeriesKey, column: (ArraySlice<UInt8>) -> ColumnID?) -> SeriesID? {
    let hashed = key.bytes.withUnsafeBytes { hash($0) }
    return state.withLock { state in Self.find(state, key, hashed, column) }
  }

  /// Adds a series that `find` did not find. Throws `.limitExceeded` when ids run out.
  package func add(_ key: SeriesKey, column: (ArraySlice<UInt8>) -> ColumnID?) throws -> SeriesID {
    let hashed = key.bytes.withUnsafeBytes { hash($0) }
    return try state.withLock { state in
      guard state.count < Int(UInt32.max) - 1 else {
        throw VarveError(.limitExceeded, "a table holds at most \(UInt32.max - 1) series")
      }
      let series = state.count
      var tagCount: UInt16 = 0
      key.forEachTag { name, value in
        guard let id = column(name) else { preconditionFailure("a series is added after its tag columns") }
        value.withUnsafeBufferPointer { state.tags[id, default: TagDictionary(hash: hash)].set($0, series: series) }
        tagCount += 1
      }
      state.tagCounts.append(tagCount)
      state.hashes.append(hashed)
      state.count += 1
      if state.count * 2 > state.slots.count { Self.growSlots(&state) } else { Self.insert(&state, series) }
      return SeriesID(rawValue: UInt32(series))
    }
  }

  /// The tags of a series by column, in order of column id.
  package func tags(of series: SeriesID) -> [(column: ColumnID, value: String)] {
    state.withLock { state in
      state.tags.keys.sorted().compactMap { id in
        guard let dictionary = state.tags[id], let value = dictionary.value(of: Int(series.rawValue)) else {
          return nil
        }
        return (id, value)
      }
    }
  }

  package func tagColumn(_ column: ColumnID) -> TagColumn {
    state.withLock { state in
      guard let dictionary = state.tags[column] else { return TagColumn(codes: [], values: [""]) }
      return TagColumn(codes: dictionary.codes, values: dictionary.values)
    }
  }

  /// The series for which `condition` holds on `column`, ascending.
  package func series(where condition: TagPredicate.Condition, on column: ColumnID) -> [UInt32] {
    let (dictionary, count) = state.withLock { ($0.tags[column], $0.count) }
    return (dictionary ?? TagDictionary(hash: hash)).series(where: condition, count: count)
  }

  // MARK: -

  private static func find(
    _ state: State, _ key: SeriesKey, _ hashed: UInt64, _ column: (ArraySlice<UInt8>) -> ColumnID?
  ) -> SeriesID? {
    let mask = state.slots.count - 1
    var slot = Int(truncatingIfNeeded: hashed) & mask
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
      guard same, let id = column(name), let dictionary = state.tags[id] else {
        same = false
        return
      }
      same = value.withUnsafeBufferPointer { dictionary.holds($0, series: series) }
    }
    return same && tagCount == Int(state.tagCounts[series])
  }

  private static func insert(_ state: inout State, _ series: Int) {
    let mask = state.slots.count - 1
    var slot = Int(truncatingIfNeeded: state.hashes[series]) & mask
    while state.slots[slot] != 0 { slot = (slot + 1) & mask }
    state.slots[slot] = UInt32(series) + 1
  }

  private static func growSlots(_ state: inout State) {
    state.slots = Array(repeating: 0, count: state.slots.count * 2)
    for series in 0..<state.count { insert(&state, series) }
  }
}
