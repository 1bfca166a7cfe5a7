// A large scan in parts of its series, for several threads. How it is cut goes by what there is to read alone, never by
// who helps.

import VarveCore
import VarveStorage

enum ScanParts {
  private static let limit = 8

  /// The series of each part, in order; those of the request alone where it is not worth a cut. With `partials`, its
  /// partial aggregates count in place of the rows that they stand for: parts read the same blocks of them, so a cut
  /// of few costs more than it saves.
  static func parts(
    of request: ScanRequest, _ context: ExecutionContext, partials: @autoclosure () throws -> AggregateRequest? = nil
  ) throws -> [SeriesSet] {
    if case .some(let list) = request.series, list.count < 2 { return [request.series] }
    let rowsPerPart = context.catalog.session.rowsPerPart
    var rows = try context.snapshot.estimate(request).rows
    if rows / rowsPerPart >= 2, let partials = try partials() { rows = try context.snapshot.estimatedCount(partials) }
    guard rows / rowsPerPart >= 2 else { return [request.series] }
    let series: [SeriesID] =
      switch request.series {
      case .some(let list): list
      case .all:
        (0..<UInt32(context.snapshot.statistics(of: request.table).series)).map { SeriesID(rawValue: $0) }
      }
    let count = min(limit, rows / rowsPerPart, series.count)
    guard count >= 2 else { return [request.series] }
    return (0..<count).map { part in
      .some(Array(series[(series.count * part / count)..<(series.count * (part + 1) / count)]))
    }
  }
}

extension ScanStatistics {
  /// Adds those of another part of the same scan, which looked at the same partitions, chunks and row blocks.
  mutating func addPart(_ other: ScanStatistics) {
    let before = self
    add(other)
    partitions = before.partitions
    partitionsPruned = min(before.partitionsPruned, other.partitionsPruned)
    chunks = before.chunks
    chunksPruned = min(before.chunksPruned, other.chunksPruned)
    headRows = before.headRows
    let read = before.rowBlocks - before.rowBlocksPruned + other.rowBlocks - other.rowBlocksPruned
    rowBlocks = max(before.rowBlocks, other.rowBlocks, read)
    rowBlocksPruned = rowBlocks - read
  }
}

/// The parts of a scan side by side: some batches of each in turn.
final class PartedScanOperator: Operator {
  private static let batchLimit = 2

  private let node: SeriesScanNode
  private let context: ExecutionContext
  private var parts: [SeriesScanOperator]
  /// Of each part in a turn: few at first, since somebody may need no more.
  private var batchesPerTurn = 1
  /// The next one last.
  private var ready: [QueryBatch] = []
  private var done: ScanStatistics?

  init(_ node: SeriesScanNode, _ request: ScanRequest, _ series: [SeriesSet], _ context: ExecutionContext) throws {
    self.node = node
    self.context = context
    // One for all parts: they share its dictionaries.
    let reader = SeriesColumnReader(node, request, context)
    parts = try series.map { series in
      var part = request
      part.series = series
      return try SeriesScanOperator(node, part, reader, context.forHelper())
    }
  }

  func next() throws -> QueryBatch? {
    while true {
      if let batch = ready.popLast() {
        context.memory.release(batch.byteCount)
        return batch
      }
      if parts.isEmpty { return nil }
      try context.check()
      try takeTurn()
    }
  }

  private func takeTurn() throws {
    let (parts, count) = (parts, batchesPerTurn)
    let turns = try context.concurrently(parts.count) { number, _ in
      var batches: [QueryBatch] = []
      while batches.count < count, let batch = try parts[number].next() { batches.append(batch) }
      return batches
    }
    ready = turns.flatMap { $0 }.reversed()
    try context.memory.charge(ready.reduce(0) { $0 + $1.byteCount })
    batchesPerTurn = min(batchesPerTurn * 2, Self.batchLimit)
    self.parts = zip(parts, turns).compactMap { part, batches in
      if batches.count == count { return part }
      note(part.statistics)
      return nil
    }
    if self.parts.isEmpty { end() }
  }

  private func end() {
    if let done { context.profile?.note(done, of: node) }
    done = nil
  }

  /// Whoever has rows enough asks for no more.
  deinit {
    for part in parts { note(part.statistics) }
    end()
  }

  private func note(_ statistics: ScanStatistics) {
    if done == nil { done = statistics } else { done?.addPart(statistics) }
  }
}
