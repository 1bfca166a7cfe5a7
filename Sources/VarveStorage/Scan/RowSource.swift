// Where rows come from: a chunk or a block of the head. A source delivers its rows of one partition in order of
// (series, time), each identity once, cut to what the scan asked for.

import VarveCore

protocol RowSource: AnyObject {
  /// The next rows, never empty; nil at the end. Cells may be `.absent`: an older source may have them.
  func next() throws -> ScanBatch?
}

/// What a source is asked for.
struct RowSelection {
  var series: SeriesSet
  let time: TimeRange
  let fields: [(id: ColumnID, type: FieldType)]
  /// Of what is asked for, what this source must not deliver. It and `part` alone differ between a scan's sources.
  var exclusions = Exclusions.none
  /// What a chunk's source delivers.
  var part = ChunkPart.all

  func excluding(_ exclusions: Exclusions) -> RowSelection {
    var selection = self
    selection.exclusions = exclusions
    return selection
  }

  func of(_ chunk: ScanPlan.Chunk) -> RowSelection {
    var selection = excluding(chunk.exclusions)
    selection.part = chunk.part
    return selection
  }
}

enum ScanLimits {
  /// Rows a head block or a merge delivers at once, or little more; a chunk delivers row blocks.
  static let batchRowCount = 8_192
  /// Rows of head blocks that are ordered together.
  static let orderedRowCount = 1 << 18
  /// Bytes of pages that a chunk's source reads at once: at first, and at most.
  static let firstReadByteCount = 32 << 10
  static let readByteCount = 512 << 10
  /// So many times as much of an archived chunk.
  static let archivedReadFactor = 8
  /// All chunks of a partition together: each has at least `firstReadByteCount`.
  static let partitionReadByteCount = 16 << 20
  /// Rows that a partial aggregate must stand for, on average, to be worth more than aggregating decoded rows.
  static let partialRowCount = 64
}
