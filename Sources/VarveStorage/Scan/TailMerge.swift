// The newest rows of series in one partition, from the tails of its sources: a window of series ids at a time, so that
// what is held does not grow with the number of series.
//
// Of each series the latest of its tails' rows wins. Where several sources have it, it is merged field by field. Where
// the latest one cannot be taken, because it is deleted, behind the times asked for, or to be merged within its source,
// or has no value where one is wanted, the series is left to a scan (`stragglers`).

import VarveCore

final class TailMerge {
  struct Source {
    let tail: Tail
    /// Of the fields asked for, in which the tail's rows are places; nil: absent in all rows.
    let columns: [FieldColumn?]
    let exclusions: Exclusions
    fileprivate var position = 0

    init(_ tail: Tail, _ columns: [FieldColumn?], _ exclusions: Exclusions) {
      self.tail = tail
      self.columns = columns
      self.exclusions = exclusions
    }
  }

  private struct Cell {
    let source: Int
    let row: Int
  }

  private static let windowSeriesCount = ScanLimits.batchRowCount

  /// Oldest first.
  private var sources: [Source]
  private let fields: [(id: ColumnID, type: FieldType)]
  private let time: TimeRange
  private let pending: PendingSeries
  private let wantsValues: Bool
  private(set) var stragglers: [SeriesID] = []

  // Of the window's series.
  private let newest = Buffer<Int64>(repeating: 0, count: windowSeriesCount)
  private let owners = Buffer<Int32>(repeating: -1, count: windowSeriesCount)
  private let rows = Buffer<UInt32>(repeating: 0, count: windowSeriesCount)
  private let isUncertain = Buffer<UInt8>(repeating: 0, count: windowSeriesCount)
  /// Where several sources have the latest row: all of them, oldest first.
  private var ties: [Int: [Cell]] = [:]

  init(
    _ sources: [Source], _ fields: [(id: ColumnID, type: FieldType)], _ time: TimeRange, _ pending: PendingSeries,
    wantsValues: Bool
  ) {
    self.sources = sources
    self.fields = fields
    self.time = time
    self.pending = pending
    self.wantsValues = wantsValues
  }

  /// The next rows, never none; nil at the end. Their series are found.
  func next() -> ScanBatch? {
    while let lowest = sources.lazy.compactMap({ $0.nextSeries }).min() {
      owners.mutableSpan.update(repeating: -1)
      isUncertain.mutableSpan.update(repeating: 0)
      ties.removeAll()
      for number in sources.indices { offer(number, from: lowest) }
      if let batch = taken(from: lowest) { return batch }
    }
    return nil
  }

  /// What a source has in the window.
  private func offer(_ number: Int, from lowest: UInt32) {
    let source = sources[number]
    let (series, times, tailRows) = (source.tail.series.base, source.tail.times.base, source.tail.rows.base)
    let wanted = pending.span
    var position = source.position
    while position < source.tail.count, Int(series[position] &- lowest) < Self.windowSeriesCount {
      let id = series[position]
      let time = times[position]
      let row = tailRows[position]
      defer { position += 1 }
      guard Int(id) < wanted.count, wanted[Int(id)] != 0, time >= self.time.lower else { continue }
      let slot = Int(id &- lowest)
      let owner = owners.base[slot]
      if owner >= 0, time < newest.base[slot] { continue }
      let canBeTaken =
        time <= self.time.upper && (source.tail.repeats.map { $0.base[position] == 0 } ?? true)
        && !source.exclusions.exclude(time, of: SeriesID(rawValue: id))
      if owner >= 0, time == newest.base[slot] {
        if !canBeTaken { isUncertain.base[slot] = 1 }
        ties[slot, default: [Cell(source: Int(owner), row: Int(rows.base[slot]))]]
          .append(Cell(source: number, row: Int(row)))
      } else {
        isUncertain.base[slot] = canBeTaken ? 0 : 1
        newest.base[slot] = time
        if !ties.isEmpty { ties[slot] = nil }
      }
      owners.base[slot] = Int32(number)
      rows.base[slot] = row
    }
    sources[number].position = position
  }

  private func taken(from lowest: UInt32) -> ScanBatch? {
    var runs: [SeriesRun] = []
    let slots = Buffer<UInt32>()
    let times = Buffer<Int64>()
    for slot in 0..<Self.windowSeriesCount where owners.base[slot] >= 0 {
      let id = lowest + UInt32(slot)
      if isUncertain.base[slot] != 0 || (wantsValues && !hasValues(slot, id)) {
        stragglers.append(SeriesID(rawValue: id))
        continue
      }
      runs.append(SeriesRun(series: SeriesID(rawValue: id), count: 1))
      slots.append(UInt32(slot))
      times.append(newest.base[slot])
      pending.foundAll(id)
    }
    if runs.isEmpty { return nil }
    return ScanBatch(runs: runs, times: times, fields: fields.indices.map { column($0, slots) })
  }

  private func hasValues(_ slot: Int, _ id: UInt32) -> Bool {
    pending.missingFields(id).allSatisfy { field in
      let cell = cell(slot, field)
      return sources[cell.source].columns[field].map { $0.state(cell.row) == .value } ?? false
    }
  }

  /// Where the field's cell of the series' row is: the last write of it.
  private func cell(_ slot: Int, _ field: Int) -> Cell {
    let own = Cell(source: Int(owners.base[slot]), row: Int(rows.base[slot]))
    guard let tied = ties[slot] else { return own }
    return tied.last { cell in
      sources[cell.source].columns[field].map { $0.state(cell.row) != .absent } ?? false
    } ?? own
  }

  private func column(_ field: Int, _ slots: Buffer<UInt32>) -> FieldColumn {
    let builder = FieldColumnBuilder(type: fields[field].type, capacity: slots.count)
    let taken = Buffer<UInt32>(capacity: slots.count)
    var start = 0
    while start < slots.count {
      let first = cell(Int(slots.base[start]), field)
      taken.count = 0
      taken.append(UInt32(first.row))
      var end = start + 1
      // Neighbours from one source are copied together.
      while end < slots.count {
        let next = cell(Int(slots.base[end]), field)
        guard next.source == first.source else { break }
        taken.append(UInt32(next.row))
        end += 1
      }
      if let column = sources[first.source].columns[field] {
        builder.append(column, order: taken.span)
      } else {
        builder.appendAbsent(taken.count)
      }
      start = end
    }
    withExtendedLifetime(taken) {}
    return builder.finish()
  }
}

extension TailMerge.Source {
  fileprivate var nextSeries: UInt32? { position < tail.count ? tail.series.base[position] : nil }
}

extension Exclusions {
  func exclude(_ time: Int64, of series: SeriesID) -> Bool {
    !isEmpty && ranges(of: series).contains { $0.contains(time) }
  }
}
