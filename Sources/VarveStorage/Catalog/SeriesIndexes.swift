// The series index of every table. Tables come and go under the lock; each index has its own.

import Synchronization
import VarveCore
import VarveFormat

package final class SeriesIndexes: Sendable {
  private let indexes = Mutex<[TableID: SeriesIndex]>([:])
  private let hash: WideHash

  package init(hash: WideHash) { self.hash = hash }

  package subscript(table: TableID) -> SeriesIndex {
    indexes.withLock { indexes in
      if let index = indexes[table] { return index }
      let index = SeriesIndex(hash: hash)
      indexes[table] = index
      return index
    }
  }

  package var all: [TableID: SeriesIndex] { indexes.withLock { $0 } }

  /// Bytes that all indexes take.
  package var byteCount: Int { all.values.reduce(0) { $0 + $1.byteCount } }

  package func remove(_ table: TableID) { indexes.withLock { _ = $0.removeValue(forKey: table) } }

  /// Adds what a record of the log or the series file defines; records repeat what the file already had when a crash
  /// came between its sync and the manifest's.
  package func apply(_ record: SeriesRecord, catalog: Catalog) throws {
    guard let schema = catalog.tables[record.table] else { return }
    let index = self[record.table]
    let keys = SeriesKeyWriter(schema)
    var known = index.count
    var id = Int(record.first.rawValue)
    guard id <= known || record.count == 0 else {
      throw VarveError(.corruption, "series \(known) of table \(record.table.rawValue) is missing before series \(id)")
    }
    try record.forEachSeries { tags in
      defer { id += 1 }
      guard id == known else { return }
      try index.add(tags, hashed: hash(try keys.key(tags)))
      known += 1
    }
  }
}

extension SeriesIndex {
  /// Series `from..<to` of this index, as records define them.
  package func record(_ table: TableID, from: Int, to: Int) -> SeriesRecord {
    var record = SeriesRecord(table: table, first: SeriesID(rawValue: UInt32(from)))
    var tags: [(column: ColumnID, value: UnsafeBufferPointer<UInt8>)] = []
    for start in stride(from: from, to: to, by: Self.seriesPerLock) {
      state.withLock { state in
        for series in start..<min(start + Self.seriesPerLock, to) {
          tags.removeAll(keepingCapacity: true)
          state.forEachTag(of: series) { tags.append(($0, $1)) }
          record.append(tags)
        }
      }
    }
    return record
  }

  /// Queries wait for no more.
  private static let seriesPerLock = 1024
}
