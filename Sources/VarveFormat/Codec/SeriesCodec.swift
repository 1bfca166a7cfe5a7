// The series of a row block: two integer streams, ids and row counts less one. Neighbouring ids with equal counts
// take a few bytes a block, others some bytes a series. FORMAT.md, "Codecs".

import VarveCore

package enum SeriesCodec {
  package static func encode(_ runs: [SeriesRun], effort: PageEffort = .light, to out: inout ByteWriter) {
    let ids = Buffer<UInt64>(capacity: runs.count)
    let counts = Buffer<UInt64>(capacity: runs.count)
    for run in runs {
      ids.append(UInt64(run.series.rawValue))
      counts.append(UInt64(run.count - 1))
    }
    IntegerCodec.append(stream: ids.span, effort: effort, to: &out)
    IntegerCodec.append(stream: counts.span, effort: effort, to: &out)
  }

  /// `runCount` runs over `rowCount` rows, series ascending. Total; whoever calls bounds both.
  package static func decode(runCount: Int, rowCount: Int, from reader: inout ByteReader) throws -> [SeriesRun] {
    let ids = Buffer<UInt64>(capacity: runCount)
    let counts = Buffer<UInt64>(capacity: runCount)
    try IntegerCodec.read(stream: runCount, from: &reader, into: ids.base)
    try IntegerCodec.read(stream: runCount, from: &reader, into: counts.base)
    var runs: [SeriesRun] = []
    runs.reserveCapacity(runCount)
    var rows = 0
    for i in 0..<runCount {
      guard let id = UInt32(exactly: ids.base[i]), runs.last.map({ $0.series.rawValue < id }) ?? true else {
        throw VarveError(.corruption, "the series of a row block are out of order")
      }
      guard counts.base[i] < UInt64(rowCount - rows) else {
        throw VarveError(.corruption, "the series of a row block have more rows than it")
      }
      runs.append(SeriesRun(series: SeriesID(rawValue: id), count: Int(counts.base[i]) + 1))
      rows += Int(counts.base[i]) + 1
    }
    guard rows == rowCount else {
      throw VarveError(.corruption, "the series of a row block have \(rows) rows of its \(rowCount)")
    }
    return runs
  }
}
