// What a compaction's merge holds of its inputs, counted, so that it stays within its share of the memory however many
// columns a table has: pages as read, places of rows, decoded columns, and the one column that is put together.

final class MergeMemory {
  /// Decoded columns are kept for their next use as long as everything together stays below.
  let byteLimit: Int
  private(set) var byteCount = 0
  private(set) var peakByteCount = 0

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  func hasRoom(for count: Int) -> Bool { byteCount + count <= byteLimit }

  /// Counts what cannot be done without, whether there is room or not.
  func take(_ count: Int) {
    byteCount += count
    peakByteCount = max(peakByteCount, byteCount)
  }

  func give(back count: Int) { byteCount -= count }
}
