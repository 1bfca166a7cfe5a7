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
    let names = TagNames(schema)
    for (offset, tags) in record.series.enumerated() {
      let id = Int(record.first.rawValue) + offset
      guard id >= index.count else { continue }
      guard id == index.count else {
        throw VarveError(
          .corruption, "series \(index.count) of table \(record.table.rawValue) is missing before series \(id)")
      }
      _ = try index.add(try key(tags, schema), column: names.find)
    }
  }

  private func key(_ tags: [(column: ColumnID, value: [UInt8])], _ schema: TableSchema) throws -> SeriesKey {
    var named: [(name: [UInt8], value: [UInt8])] = []
    for tag in tags {
      guard let column = schema.column(tag.column), column.isTag else {
        throw VarveError(.corruption, "a series of table \(schema.id.rawValue) has a tag that is no column of it")
      }
      named.append((Array(column.name.utf8), tag.value))
    }
    named.sort { $0.name.lexicographicallyPrecedes($1.name) }
    var bytes: [UInt8] = []
    for tag in named { SeriesKey.append(name: tag.name[...], value: tag.value[...], to: &bytes) }
    return SeriesKey(canonical: bytes)
  }
}

extension SeriesIndex {
  /// Series `from..<to` of this index, as records define them.
  package func record(_ table: TableID, from: Int, to: Int) -> SeriesRecord {
    SeriesRecord(
      table: table, first: SeriesID(rawValue: UInt32(from)),
      series: (from..<to).map { series in
        tags(of: SeriesID(rawValue: UInt32(series))).map { ($0.column, Array($0.value.utf8)) }
      })
  }
}
