// Rows of head blocks in order of arrival. Their sorted order is searched for each wanted series, so that one series of
// many costs what that series has.

import CVarve
import VarveCore

final class HeadBlockSource: RowSource {
  private let rows: HeadRows
  private let selection: RowSelection
  private let order: Buffer<UInt32>
  /// Of each block.
  private let fields: [[FieldColumn?]]
  /// Whether all rows of a wanted series are wanted.
  private let takesWholeSeries: Bool
  /// Next place in `order`.
  private var position = 0
  /// Next wanted series, when they are listed.
  private var wanted = 0
  private let batchesAtOnce: Int
  /// Batches that are gathered and not delivered yet, the next one last.
  private var ready: [ScanBatch] = []

  /// Gathers `batchesAtOnce` before it delivers the first. Rows of many series often come interleaved: then a line of
  /// memory holds values of several batches, and is brought near once for all of them.
  init(_ rows: HeadRows, _ selection: RowSelection, batchesAtOnce: Int = 1) {
    self.batchesAtOnce = batchesAtOnce
    self.rows = rows
    self.selection = selection
    order = rows.order
    fields = rows.columns(selection.fields.map(\.id))
    takesWholeSeries =
      selection.exclusions.isEmpty && selection.time.lower <= rows.timeRange.lower
      && selection.time.upper >= rows.timeRange.upper
  }

  /// Rows of a batch, as they are taken from the order, and their times.
  private struct Taken {
    var runs: [SeriesRun] = []
    let rows: Buffer<UInt32>
    let times: Buffer<Int64>
    /// Whether an identity is that of the row before too.
    var repeats = false

    init(capacity: Int) {
      rows = Buffer(capacity: capacity)
      times = Buffer(capacity: capacity)
    }
  }

  func next() throws -> ScanBatch? { nextRows() }

  /// Memory does not fail.
  func nextRows() -> ScanBatch? {
    if let batch = ready.popLast() { return batch }
    var batches: [Taken] = []
    while batches.count < batchesAtOnce, let taken = take() { batches.append(taken) }
    if batches.contains(where: \.repeats) {
      for taken in batches.reversed() { ready.append(taken.repeats ? mergingRepeats(taken) : gathered([taken])[0]) }
    } else {
      ready = gathered(batches).reversed()
    }
    return ready.popLast()
  }

  private func take() -> Taken? {
    var taken = Taken(capacity: min(order.count, ScanLimits.batchRowCount))
    while taken.rows.count < ScanLimits.batchRowCount, let run = nextRun() {
      let kept = takesWholeSeries ? takeAll(run, &taken) : takeSome(run, &taken)
      guard kept > 0 else { continue }
      let series = SeriesID(rawValue: rows.series.base[Int(order.base[run.lowerBound])])
      taken.runs.append(SeriesRun(series: series, count: kept))
    }
    return taken.rows.count > 0 ? taken : nil
  }

  /// The rows of a series; how many identities they have.
  private func takeAll(_ run: Range<Int>, _ taken: inout Taken) -> Int {
    let stretch = UnsafeBufferPointer(start: order.base + run.lowerBound, count: run.count)
    taken.rows.append(stretch)
    taken.times.reserve(run.count)
    let from = rows.times.base
    let times = taken.times.base + taken.times.count
    for place in 0..<stretch.count { times[place] = from[Int(stretch[place])] }
    taken.times.count += run.count
    var same = 0
    for place in stride(from: 1, to: stretch.count, by: 1) { same &+= times[place] == times[place &- 1] ? 1 : 0 }
    if same > 0 { taken.repeats = true }
    return run.count - same
  }

  /// The same, of those rows that are selected.
  private func takeSome(_ run: Range<Int>, _ taken: inout Taken) -> Int {
    var kept = 0
    var previous: Int64?
    let series = SeriesID(rawValue: rows.series.base[Int(order.base[run.lowerBound])])
    // The next range of time that is excluded; times ascend, and so do these.
    var excluded = selection.exclusions.isEmpty ? [][...] : selection.exclusions.ranges(of: series)[...]
    for place in run {
      let row = order.base[place]
      let time = rows.times.base[Int(row)]
      guard time >= selection.time.lower else { continue }
      guard time <= selection.time.upper else { break }
      while let range = excluded.first, range.upper < time { excluded.removeFirst() }
      if let range = excluded.first, range.lower <= time { continue }
      if time == previous { taken.repeats = true } else { kept += 1 }
      previous = time
      taken.rows.append(row)
      taken.times.append(time)
    }
    return kept
  }

  /// Places in `order` of the next series that is wanted.
  private func nextRun() -> Range<Int>? {
    guard position < order.count else { return nil }
    let start: Int
    switch selection.series {
    case .all: start = position
    case .some(let list):
      guard let found = findWanted(list) else { return nil }
      start = found
    }
    let end = rows.endOfSeries(at: start)
    position = end
    return start..<end
  }

  private func findWanted(_ list: [SeriesID]) -> Int? {
    while wanted < list.count, position < order.count {
      let target = list[wanted].rawValue
      let place = rows.firstPlace(notBelow: UInt64(target), from: position)
      guard place < order.count else { return nil }
      let found = rows.series.base[Int(order.base[place])]
      if found == target {
        wanted += 1
        return place
      }
      // Skip wanted series that the block does not have.
      position = place
      while wanted < list.count, list[wanted].rawValue < found { wanted += 1 }
    }
    return nil
  }

  /// A stretch of rows of one of several batches.
  private struct Piece {
    var batch: Int
    var stretch: HeadRows.Stretch
  }

  /// Block by block for all batches together.
  private func gathered(_ batches: [Taken]) -> [ScanBatch] {
    let stretches = batches.map { rows.stretches(of: $0.rows.span) }
    var pieces: [Piece] = []
    for k in 0..<(stretches.map(\.count).max() ?? 0) {
      for (batch, held) in stretches.enumerated() where k < held.count {
        pieces.append(Piece(batch: batch, stretch: held[k]))
      }
    }
    var columns = [[FieldColumn]](repeating: [], count: batches.count)
    for (index, field) in selection.fields.enumerated() {
      let builders = batches.map { FieldColumnBuilder(type: field.type, capacity: $0.rows.count) }
      if !gatherWords(index, batches, pieces, into: builders) {
        for piece in pieces {
          let (builder, stretch) = (builders[piece.batch], piece.stretch)
          guard let column = fields[stretch.block][index] else {
            builder.appendAbsent(stretch.places.count)
            continue
          }
          if let rows = stretch.rows {
            builder.append(column, rows: rows)
          } else {
            let order = UnsafeBufferPointer(rebasing: batches[piece.batch].rows.span[stretch.places])
            builder.append(column, order: order, start: stretch.start)
          }
        }
      }
      for (batch, builder) in builders.enumerated() { columns[batch].append(builder.finish()) }
    }
    return zip(batches, columns).map { ScanBatch(runs: $0.runs, times: $0.times, fields: $1) }
  }

  /// Where every row has a value that is a word: without a look at each column for each of its many pieces. False, and
  /// nothing done, elsewhere.
  private func gatherWords(
    _ index: Int, _ batches: [Taken], _ pieces: [Piece], into builders: [FieldColumnBuilder]
  ) -> Bool {
    guard selection.fields[index].type != .text else { return false }
    // Held by the blocks, and those by `rows`.
    var words: [UnsafePointer<UInt64>] = []
    for block in fields {
      guard let column = block[index], column.states == nil else { return false }
      words.append(UnsafePointer(column.words.base))
    }
    let places = batches.map { UnsafePointer($0.rows.base) }
    let targets = zip(batches, builders).map { batch, builder in builder.appendWords(batch.rows.count) }
    for (index, piece) in pieces.enumerated() {
      let first = piece.stretch.places.lowerBound
      if let rows = piece.stretch.rows {
        (targets[piece.batch] + first).update(from: words[piece.stretch.block] + rows.lowerBound, count: rows.count)
        continue
      }
      // The first piece of several batches brings near what all of them need, as far as those are neighbours: the lines
      // of the first and of the last.
      if index == 0 || piece.batch <= pieces[index - 1].batch {
        for other in [piece, lastBeside(index, pieces)] {
          cvarve_bring_near(
            words[other.stretch.block], UInt32(other.stretch.start),
            places[other.batch] + other.stretch.places.lowerBound, other.stretch.places.count)
        }
      }
      cvarve_gather(
        words[piece.stretch.block], UInt32(piece.stretch.start), places[piece.batch] + first,
        piece.stretch.places.count, targets[piece.batch] + first)
    }
    return true
  }

  /// The last of the pieces from `index` on whose batches ascend.
  private func lastBeside(_ index: Int, _ pieces: [Piece]) -> Piece {
    var last = index
    while last + 1 < pieces.count, pieces[last + 1].batch > pieces[last].batch { last += 1 }
    return pieces[last]
  }

  /// As `gathered`, where identities repeat: the last write of each field counts.
  private func mergingRepeats(_ taken: Taken) -> ScanBatch {
    let count = taken.rows.count
    var cells: [(block: Int, row: Int)] = []
    cells.reserveCapacity(count)
    for stretch in rows.stretches(of: taken.rows.span) {
      for place in stretch.places { cells.append((stretch.block, Int(taken.rows[place]) - stretch.start)) }
    }
    let times = Buffer<Int64>(capacity: count)
    var groups: [Range<Int>] = []
    var start = 0
    while start < count {
      let series = rows.series.base[Int(taken.rows[start])]
      var end = start + 1
      while end < count, taken.times[end] == taken.times[start], rows.series.base[Int(taken.rows[end])] == series {
        end += 1
      }
      groups.append(start..<end)
      times.append(taken.times[start])
      start = end
    }
    let columns = selection.fields.enumerated().map { index, field in
      let builder = FieldColumnBuilder(type: field.type, capacity: groups.count)
      for group in groups {
        let last = group.last { place in
          let column = fields[cells[place].block][index]
          return column.map { $0.state(cells[place].row) != .absent } ?? false
        }
        let cell = cells[last ?? group.lowerBound]
        if let column = fields[cell.block][index] {
          builder.append(column, row: cell.row)
        } else {
          builder.appendAbsent(1)
        }
      }
      return builder.finish()
    }
    return ScanBatch(runs: taken.runs, times: times, fields: columns)
  }
}
