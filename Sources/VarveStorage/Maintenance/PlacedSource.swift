// Rows of one chunk as a compaction orders them: their series and times, and for a value each row's place.

import VarveCore
import VarveFormat
import VarveIO

final class PlacedSource: RowSource {
  private let chunk: ChunkHandle
  private let selection: RowSelection
  private let table: PlaceTable
  private let memory: MergeMemory
  private let age: Int
  private let readByteLimit: Int
  /// Held so that the chunk's file stays open from block to block.
  private var file: (any File)?
  /// The chunk's index, and the row blocks to read by it.
  private var listed: (index: ChunkIndex, blocks: [Int])?
  private var position = 0
  private let pages: PageBatch

  /// `age`: the larger, the newer than the other chunks of the merge.
  init(
    _ chunk: ChunkHandle, without exclusions: Exclusions, age: Int, readByteLimit: Int, _ table: PlaceTable,
    _ memory: MergeMemory
  ) {
    self.chunk = chunk
    self.age = age
    self.readByteLimit = readByteLimit
    self.table = table
    self.memory = memory
    selection = RowSelection(series: .all, time: .all, fields: [], exclusions: exclusions)
    pages = PageBatch(of: chunk, keepsPages: false)
    memory.take(pages.byteCount)
  }

  deinit { memory.give(back: pages.byteCount) }

  func next() throws -> ScanBatch? {
    let (index, blocks) = try list()
    while position < blocks.count {
      let block = index.rowBlocks[blocks[position]]
      position += 1
      if let batch = try read(block) { return batch }
    }
    return nil
  }

  private func list() throws -> (index: ChunkIndex, blocks: [Int]) {
    if let listed { return listed }
    let index = try chunk.contents().index
    let found = (index, ChunkHandle.rowBlocks(index, selection, []).selected)
    listed = found
    return found
  }

  private func read(_ block: RowBlockEntry) throws -> ScanBatch? {
    let file = try self.file ?? chunk.holdForAll()
    self.file = file
    let before = pages.byteCount
    try pages.read([block.seriesPage, block.timesPage]) { file }
    memory.take(pages.byteCount - before)
    let (id, path) = (chunk.metadata.file, chunk.path)
    let runs = try pages.decode(block.seriesPage) {
      try RowBlockReader.decodeSeries($0, block: block, file: id, place: path, isVerified: $1)
    }
    let times = try pages.decode(block.timesPage) {
      try RowBlockReader.decodeTimes($0, block: block, file: id, place: path, isVerified: $1)
    }
    let rows = SelectedRows(runs, times, selection, selection.exclusions)
    guard rows.count > 0 else { return nil }
    let source = SourceBlock(
      block, of: chunk, file, age: age, rowCount: rows.count, readByteLimit: readByteLimit, memory)
    let places = table.places(of: source, rows: rows.ranges, count: rows.count)
    return ScanBatch(
      runs: rows.runs, times: rows.selectedTimes, fields: [FieldColumn(type: .uint64, words: places)])
  }
}
