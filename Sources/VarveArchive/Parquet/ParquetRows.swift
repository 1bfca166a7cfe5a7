// Rows of a Parquet file in batches, all columns of it side by side, whose pages need not begin at the same rows.

import VarveCore

package struct ParquetRows {
  private struct Open {
    var cursor: ColumnCursor
    var page: ParquetVector?
    var used = 0
  }

  private let file: ParquetFile
  private let columns: [Int]
  private let rowLimit: Int
  private var group = -1
  private var open: [Open] = []
  private var remaining = 0

  /// Of the columns at these places of the file's, so many rows at a time at most.
  package init(_ file: ParquetFile, columns: [Int], rowLimit: Int = Limits.batchRowCount) {
    self.file = file
    self.rowLimit = rowLimit
    self.columns = columns
  }

  /// The next rows, of one row group: a vector a column. nil: there are no more.
  package mutating func next() throws -> [ParquetVector]? {
    while remaining == 0 {
      group += 1
      guard group < file.metadata.rowGroups.count else { return nil }
      let group = self.group
      remaining = file.metadata.rowGroups[group].rowCount
      open = try columns.map { Open(cursor: try ColumnCursor(file, group: group, column: $0)) }
    }
    let count = min(remaining, rowLimit)
    var batch: [ParquetVector] = []
    for index in open.indices { batch.append(try Self.take(count, from: &open[index])) }
    remaining -= count
    return batch
  }

  private static func take(_ count: Int, from open: inout Open) throws -> ParquetVector {
    var pieces: [(page: ParquetVector, rows: Range<Int>)] = []
    var missing = count
    while missing > 0 {
      if open.page == nil {
        guard let page = try open.cursor.next() else {
          throw VarveError(.corruption, "a column chunk ends before its row group")
        }
        (open.page, open.used) = (page, 0)
      }
      guard let page = open.page else { preconditionFailure("a page was read") }
      let taken = min(missing, page.count - open.used)
      pieces.append((page, open.used..<(open.used + taken)))
      open.used += taken
      missing -= taken
      if open.used == page.count { open.page = nil }
    }
    if pieces.count == 1, pieces[0].rows == 0..<pieces[0].page.count { return pieces[0].page }
    return join(pieces, count)
  }

  private static func join(_ pieces: [(page: ParquetVector, rows: Range<Int>)], _ count: Int) -> ParquetVector {
    let words = Buffer<UInt64>(capacity: count)
    let bytes = pieces[0].page.bytes == nil ? nil : Buffer<UInt8>()
    let presence = pieces.allSatisfy { $0.page.presence == nil } ? nil : Buffer<UInt8>(capacity: count)
    for (page, rows) in pieces {
      if let bytes {
        joinTexts(page, rows, words, bytes)
      } else {
        words.append(UnsafeBufferPointer(rebasing: page.words.span[rows]))
      }
      if let source = page.presence {
        presence?.append(UnsafeBufferPointer(rebasing: source.span[rows]))
      } else {
        presence?.append(repeating: 1, count: rows.count)
      }
    }
    return ParquetVector(words: words, bytes: bytes, presence: presence)
  }

  /// Each text of a dictionary is copied once.
  private static func joinTexts(
    _ page: ParquetVector, _ rows: Range<Int>, _ words: Buffer<UInt64>, _ bytes: Buffer<UInt8>
  ) {
    var copied: [UInt64: UInt64] = [:]
    var last: (source: UInt64, word: UInt64)?
    for row in rows {
      guard page.isPresent(row) else {
        words.append(0)
        continue
      }
      let source = page.words.base[row]
      if let last, last.source == source {
        words.append(last.word)
        continue
      }
      var word = copied[source]
      if word == nil {
        word = TextRef(offset: bytes.count, length: TextRef(word: source).length).word
        bytes.append(page.bytes(row))
        copied[source] = word
      }
      words.append(word ?? 0)
      last = (source, word ?? 0)
    }
  }
}
