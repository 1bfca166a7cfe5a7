// Sources whose rows lie one behind the other by (series, time), such as the chunks of one generation: read in turn, so
// that a merge holds rows of one of them at a time.

import VarveCore
import VarveFormat

final class ChainSource: RowSource {
  /// Those that are not read to their ends, the next one last.
  private var left: [any RowSource]

  private init(_ sources: [any RowSource]) { left = sources.reversed() }

  func next() throws -> ScanBatch? {
    while let source = left.last {
      if let batch = try source.next() { return batch }
      left.removeLast()
    }
    return nil
  }

  /// Each generation as one source. What one compaction wrote shares its sequences, no identity, and comes in order of
  /// (series, time): the last series of one file may go on in the next.
  static func generations(of chunks: [(metadata: ChunkMetadata, source: any RowSource)]) -> [any RowSource] {
    var chains: [[any RowSource]] = []
    var last: ChunkMetadata?
    for (metadata, source) in chunks {
      if let last, last.firstSequence == metadata.firstSequence, last.lastSequence == metadata.lastSequence,
        last.lastSeries <= metadata.firstSeries
      {
        chains[chains.count - 1].append(source)
      } else {
        chains.append([source])
      }
      last = metadata
    }
    return chains.map { $0.count == 1 ? $0[0] : ChainSource($0) }
  }
}
