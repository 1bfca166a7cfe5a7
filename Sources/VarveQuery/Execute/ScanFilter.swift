// The conditions of a scan, for its source: tested by the columns they need, before the others are decoded.

import VarveCompute
import VarveCore
import VarveStorage

final class ScanFilter: RowFilter {
  let places: [Int]
  private let node: SeriesScanNode
  private let reader: SeriesColumnReader
  private let context: ExecutionContext
  /// Of the scan's columns, those that the conditions need.
  private let used: [Bool]

  /// Nil where nothing would be gained: no conditions, or no fields beside theirs. Conditions may be tested a second
  /// time, which volatile ones must not be.
  init?(_ node: SeriesScanNode, _ reader: SeriesColumnReader, _ context: ExecutionContext) {
    guard !node.residual.isEmpty, !node.residual.contains(where: \.isVolatile) else { return nil }
    var used = [Bool](repeating: false, count: node.columns.count)
    for condition in node.residual { for place in condition.columns { used[place] = true } }
    var places: [Int] = []
    var fieldCount = 0
    for (place, column) in node.columns.enumerated() {
      guard case .field = column else { continue }
      if used[place] { places.append(fieldCount) }
      fieldCount += 1
    }
    guard places.count < fieldCount else { return nil }
    self.node = node
    self.reader = reader
    self.context = context
    self.used = used
    self.places = places
  }

  func rows(of batch: ScanBatch) throws -> Buffer<UInt32>? {
    // Many batches may be tested before one is delivered.
    try context.check()
    return try context.selection(node.residual, reader.columns(batch, used: used))
  }
}
