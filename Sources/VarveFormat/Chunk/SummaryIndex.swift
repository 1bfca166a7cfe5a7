// Where a chunk's summaries lie: the last part of its index. FORMAT.md, "Summaries".

import VarveCore

/// The pages of one field's statistics in a summary block, back to back in order of `SummaryStatistic`.
package struct SummaryFieldPages: Sendable, Hashable {
  package var column: ColumnID
  package var type: FieldType
  package var offset: Int
  /// By statistic; 0: there is none.
  package var byteCounts: SIMD8<UInt32>

  /// Nil if the block does not have it.
  package func page(_ statistic: SummaryStatistic) -> PageReference? {
    let byteCount = byteCounts[statistic.rawValue]
    guard byteCount > 0 else { return nil }
    var start = offset
    for index in 0..<statistic.rawValue { start += Int(byteCounts[index]) }
    return PageReference(offset: start, byteCount: Int(byteCount))
  }

  package var pages: [(statistic: SummaryStatistic, page: PageReference)] {
    SummaryStatistic.allCases.compactMap { statistic in page(statistic).map { (statistic, $0) } }
  }
}

/// A summary block as the index knows it.
package struct SummaryBlockEntry: Sendable, Hashable {
  /// Pairs of series and bucket.
  package var rowCount: Int
  package var runCount: Int
  package var firstSeries: SeriesID
  package var lastSeries: SeriesID
  /// Least and greatest floor(time / step).
  package var buckets: ClosedRange<Int64>
  package var seriesPage: PageReference
  package var bucketsPage: PageReference
  package var rowCountsPage: PageReference
  package var firstOffsetsPage: PageReference
  package var lastOffsetsPage: PageReference
  /// By column id, ascending. A column without an entry has no value in the rows summarised.
  package var fields: [SummaryFieldPages]

  package func field(_ column: ColumnID) -> SummaryFieldPages? { fields.first { $0.column == column } }
}

package struct SummaryIndex: Sendable {
  package var step: SummaryStep
  /// In order of (series, bucket): a block's last series is at most the next one's first.
  package var blocks: [SummaryBlockEntry]
}

extension SummaryIndex {
  /// varint 0, or the step and what follows.
  static func append(_ summaries: SummaryIndex?, columns: [IndexedColumn], to out: inout ByteWriter) {
    guard let summaries else {
      out.append(varint: 0)
      return
    }
    out.append(varint: UInt64(summaries.step.rawValue))
    out.append(varint: UInt64(summaries.blocks.count))
    var previousSeries: UInt32 = 0
    for block in summaries.blocks {
      IndexedRows(
        rowCount: block.rowCount, runCount: block.runCount, firstSeries: block.firstSeries, lastSeries: block.lastSeries
      ).append(to: &out, previousSeries: &previousSeries)
      IndexedRange(lower: block.buckets.lowerBound, upper: block.buckets.upperBound).append(to: &out)
      for page in [
        block.seriesPage, block.bucketsPage, block.rowCountsPage, block.firstOffsetsPage, block.lastOffsetsPage,
      ] { out.append(varint: UInt64(page.byteCount)) }
      appendIndexedFields(block.fields, columns, \.column, to: &out) { field, out in
        let pages = field.pages
        out.append(byte: SummaryStatistics(pages.map(\.statistic)).rawValue)
        for (_, page) in pages { out.append(varint: UInt64(page.byteCount)) }
      }
    }
  }

  static func read(
    _ columns: [IndexedColumn], _ identity: ChunkIdentity, _ state: inout IndexTotals, _ reader: inout ByteReader
  ) throws -> SummaryIndex? {
    let code = try reader.readLength()
    if code == 0 { return nil }
    guard let raw = UInt8(exactly: code), let step = SummaryStep(rawValue: raw) else {
      throw VarveError(.corruption, "a chunk's summaries have an unknown step (\(code))")
    }
    let count = try reader.readCount(minimumByteCount: 12)
    var blocks: [SummaryBlockEntry] = []
    blocks.reserveCapacity(count)
    state.series = 0
    var rows = 0
    for _ in 0..<count {
      let block = try readBlock(columns, step.allowedBuckets(in: identity), &state, &reader)
      rows += block.rowCount
      blocks.append(block)
    }
    guard rows <= state.rows else { throw VarveError(.corruption, "a chunk has more summaries than rows") }
    return SummaryIndex(step: step, blocks: blocks)
  }

  private static func readBlock(
    _ columns: [IndexedColumn], _ allowed: ClosedRange<Int64>, _ state: inout IndexTotals, _ reader: inout ByteReader
  ) throws -> SummaryBlockEntry {
    let rows = try state.readRows("summary block", &reader)
    let buckets = try IndexedRange.read(&reader)
    guard buckets.lower <= buckets.upper, allowed.contains(buckets.lower), allowed.contains(buckets.upper) else {
      throw VarveError(.corruption, "a summary block's buckets lie outside the chunk's partition")
    }
    let seriesPage = try state.readPage(&reader)
    let bucketsPage = try state.readPage(&reader)
    let rowCountsPage = try state.readPage(&reader)
    let firstOffsetsPage = try state.readPage(&reader)
    let lastOffsetsPage = try state.readPage(&reader)
    let fields = try state.readFields(of: "summary block", columns, minimumByteCount: 2, &reader, readField)
    return SummaryBlockEntry(
      rowCount: rows.rowCount, runCount: rows.runCount, firstSeries: rows.firstSeries, lastSeries: rows.lastSeries,
      buckets: buckets.lower...buckets.upper, seriesPage: seriesPage, bucketsPage: bucketsPage,
      rowCountsPage: rowCountsPage, firstOffsetsPage: firstOffsetsPage, lastOffsetsPage: lastOffsetsPage,
      fields: fields)
  }

  private static func readField(
    _ column: IndexedColumn, _ state: inout IndexTotals, _ reader: inout ByteReader
  ) throws -> SummaryFieldPages {
    let present = SummaryStatistics(rawValue: try reader.readByte())
    let kept = SummaryStatistics.kept(of: column.type)
    let required = kept.subtracting(SummaryStatistics(.count, .nanCount, .sum))
    guard present.isSubset(of: kept), present.isSuperset(of: required) else {
      throw VarveError(.corruption, "a summary holds statistics that its type does not have, or lacks some it has")
    }
    var pages = SummaryFieldPages(column: column.id, type: column.type, offset: state.offset, byteCounts: .zero)
    for statistic in SummaryStatistic.allCases where present.contains(statistic) {
      let page = try state.readPage(&reader)
      guard let byteCount = UInt32(exactly: page.byteCount) else {
        throw VarveError(.corruption, "a page of \(page.byteCount) bytes is beyond what pages may have")
      }
      pages.byteCounts[statistic.rawValue] = byteCount
    }
    return pages
  }
}

extension SummaryStatistics {
  init(_ statistics: [SummaryStatistic]) { self = statistics.reduce(into: []) { $0.formUnion(.init($1)) } }
}

extension SummaryStep {
  /// Those that hold times of the chunk's partition.
  func allowedBuckets(in identity: ChunkIdentity) -> ClosedRange<Int64> {
    let time = identity.timeRange
    return bucket(of: time.lower)...bucket(of: time.upper)
  }
}
