// A row block that a compaction reads: its columns, one at a time. Those that will be needed again are kept as long as
// there is memory, and decoded once more where there is not.

import VarveCore
import VarveFormat
import VarveIO

final class SourceBlock {
  /// The input that it belongs to: the larger, the newer.
  let age: Int
  private let entry: RowBlockEntry
  private let chunk: ChunkHandle
  /// Held so that the chunk's file stays open.
  private let file: any File
  private let memory: MergeMemory
  /// Rows that are not written yet.
  private(set) var rowCount: Int
  private let placeByteCount: Int

  private let pages: PageBatch
  /// Which of the entry's fields have their pages in `pages`.
  private var fieldsRead = 0..<0
  private let readByteLimit: Int
  /// By the entry's fields; empty before the first.
  private var kept: [FieldColumn?] = []
  private var keptByteCount = 0

  /// `rowCount` of the block's rows are to be written. `readByteLimit`: of pages that are read at once, if there is more
  /// than one.
  init(
    _ entry: RowBlockEntry, of chunk: ChunkHandle, _ file: any File, age: Int, rowCount: Int, readByteLimit: Int,
    _ memory: MergeMemory
  ) {
    self.entry = entry
    self.chunk = chunk
    self.file = file
    self.age = age
    self.rowCount = rowCount
    self.readByteLimit = readByteLimit
    self.memory = memory
    pages = PageBatch(of: chunk, keepsPages: false)
    placeByteCount =
      rowCount * (MemoryLayout<Int64>.stride + MemoryLayout<UInt64>.stride)
      + entry.runCount * MemoryLayout<SeriesRun>.stride
    memory.take(placeByteCount + pages.byteCount)
  }

  deinit { memory.give(back: placeByteCount + pages.byteCount + keptByteCount) }

  /// Whether the block goes on having rows to write once `count` of them are.
  func isNeeded(behind count: Int) -> Bool { count < rowCount }

  func didWrite(_ count: Int) {
    precondition(count <= rowCount, "a row is written once")
    rowCount -= count
  }

  /// Calls `body` with the column of all the block's rows, unless it is absent in all of them.
  func withColumn(_ id: ColumnID, isNeededAgain: Bool, _ body: (FieldColumn) -> Void) throws {
    guard let number = entry.fieldNumber(id) else { return }
    if !kept.isEmpty, let column = kept[number] { return body(column) }
    let column = try decode(number)
    let byteCount = column.byteCount
    // The next one, which may not be kept, needs room as well.
    if isNeededAgain, memory.hasRoom(for: 2 * byteCount) {
      if kept.isEmpty { kept = Array(repeating: nil, count: entry.fields.count) }
      kept[number] = column
      keptByteCount += byteCount
      memory.take(byteCount)
      return body(column)
    }
    memory.take(byteCount)
    defer { memory.give(back: byteCount) }
    body(column)
  }

  private func decode(_ number: Int) throws -> FieldColumn {
    if !fieldsRead.contains(number) { try read(from: number) }
    return try pages.decode(entry.fields[number].page) {
      try RowBlockReader.decodeField(
        $0, field: entry.fields[number], block: entry, file: chunk.metadata.file, place: chunk.path, isVerified: $1)
    }
  }

  /// Reads the page of a field and some behind it: columns are asked for in order.
  private func read(from first: Int) throws {
    var wanted: [PageReference] = []
    var byteCount = 0
    for field in entry.fields[first...] {
      guard wanted.isEmpty || byteCount + field.page.byteCount <= readByteLimit else { break }
      wanted.append(field.page)
      byteCount += field.page.byteCount
    }
    let before = pages.byteCount
    fieldsRead = 0..<0
    try pages.read(wanted) { file }
    fieldsRead = first..<(first + wanted.count)
    memory.take(pages.byteCount - before)
  }
}
