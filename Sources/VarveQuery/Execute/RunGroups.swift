// Groups of rows that come as runs of series sorted by time. All rows of a run share their tags, and neighbours
// their time bucket, so a group is looked up once a segment, not once a row.
//
//   run      |------- series 7 -------|-- series 9 --|
//   bucket   | 10:00 | 10:01 | 10:02  | 10:00 | 10:01|
//   segments  ^       ^       ^        ^       ^

import VarveCompute
import VarveCore

/// How keys follow from a run: tags, and at most one expression over time alone.
struct RunKeys: Sendable {
  enum Part: Sendable {
    /// A tag: the column of the input.
    case tag(Int)
    case time
  }
  /// One a key, in order.
  var parts: [Part]
  /// Over the input; a word type.
  var time: BoundExpression?
  /// Buckets of a fixed width have their ends computed, not looked for: the width, where the times are.
  var fixedWidth: (nanoseconds: Int64, timeColumn: Int)?
}

struct RunGroups {
  /// Rows of one series and group that stand together.
  private struct Segment {
    let series: SeriesID
    let rows: Range<Int>
    let group: Int
    init(_ series: SeriesID, _ rows: Range<Int>, _ group: Int) {
      self.series = series
      self.rows = rows
      self.group = group
    }
  }
  private struct Key: Hashable {
    let tags: UInt32
    let bucket: UInt64
  }
  private let keys: RunKeys
  private let types: [SQLType]
  private let tagColumns: [Int]
  /// Codes of the tags of each combination, one after the other.
  private var combinations: [[UInt32]: UInt32] = [:]
  private var combinationCodes: [[UInt32]] = []
  private var combinationOfSeries: [SeriesID: UInt32] = [:]
  private var dictionaries: [TextDictionary?]
  private var groups: [Key: Int] = [:]
  private var groupTags = Buffer<UInt32>()
  private var groupBuckets = Buffer<UInt64>()
  var count: Int { groupTags.count }

  init(_ keys: RunKeys, types: [SQLType]) {
    self.keys = keys
    self.types = types
    tagColumns = keys.parts.compactMap { if case .tag(let column) = $0 { column } else { nil } }
    dictionaries = Array(repeating: nil, count: tagColumns.count)
  }

  mutating func update(
    _ batch: QueryBatch, _ runs: [SeriesRun], _ states: [AggregateState], _ context: ExecutionContext
  ) throws {
    let segments = try segments(batch, runs, context)
    for state in states {
      try state.resize(count, context.memory)
      let arguments = try state.arguments(batch, context)
      let target = state.states
      let ranked = target as? any RankedAggregate
      for segment in segments {
        ranked?.rank = segment.series.rawValue
        try target.update(arguments, rows: segment.rows, group: segment.group)
      }
    }
  }

  /// Takes partial aggregates, each of which lies in one group. `batch` has their tags and first times, `arguments` the
  /// places of the states' arguments among their columns.
  mutating func take(
    _ partials: PartialBatch, _ batch: QueryBatch, _ arguments: [Int?], _ states: [AggregateState],
    _ context: ExecutionContext
  ) throws {
    let segments = try segments(batch, partials.runs, context)
    for (state, argument) in zip(states, arguments) {
      try state.resize(count, context.memory)
      guard let target = state.states as? any PartialAggregate else {
        preconditionFailure("a partial plan has aggregates that take partials")
      }
      let ranked = target as? any RankedAggregate
      for segment in segments {
        ranked?.rank = segment.series.rawValue
        try target.take(partials, column: argument, rows: segment.rows, group: segment.group)
      }
    }
  }

  private mutating func segments(_ batch: QueryBatch, _ runs: [SeriesRun], _ context: ExecutionContext) throws
    -> [Segment]
  {
    var result: [Segment] = []
    result.reserveCapacity(runs.count)
    var start = 0
    var buckets: Buffer<UInt64>?
    if let time = keys.time, keys.fixedWidth == nil {
      buckets = try context.evaluate(time, batch).wordBuffer
    }
    for run in runs {
      let end = start + run.count
      let tags = combination(run.series, batch, start)
      if let buckets {
        var row = start
        while row < end {
          let bucket = buckets[row]
          var next = row + 1
          while next < end, buckets[next] == bucket { next += 1 }
          result.append(Segment(run.series, row..<next, try group(tags, bucket, context)))
          row = next
        }
      } else if let time = keys.time, let (width, column) = keys.fixedWidth {
        let times = batch.columns[column].wordBuffer
        var row = start
        var bucket: Int64?
        while row < end {
          let at = Int64(bitPattern: times[row])
          // The first bucket of a run is asked for; the ones behind it are whole widths away.
          if let last = bucket {
            let (distance, overflow) = at.subtractingReportingOverflow(last)
            bucket = overflow ? nil : last + distance / width * width
          }
          let lower: Int64
          if let bucket {
            lower = bucket
          } else {
            let first = try context.evaluate(time, batch.slice(row..<(row + 1)))
            guard !first.isNull(at: 0) else { preconditionFailure("a bucket of a time is not NULL") }
            lower = Int64(bitPattern: first.wordBuffer[0])
          }
          bucket = lower
          let (limit, overflow) = lower.addingReportingOverflow(width)
          let next = overflow ? end : Self.firstRow(times, row + 1, end, notBefore: limit)
          result.append(Segment(run.series, row..<next, try group(tags, UInt64(bitPattern: lower), context)))
          row = next
        }
      } else {
        result.append(Segment(run.series, start..<end, try group(tags, 0, context)))
      }
      start = end
    }
    return result
  }

  /// By doubling steps, then halving: short and long segments are both found quickly.
  private static func firstRow(_ times: Buffer<UInt64>, _ start: Int, _ end: Int, notBefore limit: Int64) -> Int {
    var low = start
    var step = 1
    while low + step <= end, Int64(bitPattern: times[low + step - 1]) < limit {
      low += step
      step *= 2
    }
    var high = min(low + step, end)
    while low < high {
      let middle = (low + high) / 2
      if Int64(bitPattern: times[middle]) < limit { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func combination(_ series: SeriesID, _ batch: QueryBatch, _ row: Int) -> UInt32 {
    if tagColumns.isEmpty { return 0 }
    if let known = combinationOfSeries[series] { return known }
    var codes: [UInt32] = []
    for (index, column) in tagColumns.enumerated() {
      let tag = batch.columns[column]
      guard case .dictionary(let words, let dictionary) = tag.storage else {
        preconditionFailure("tags of a scan are dictionary-coded")
      }
      if dictionaries[index] == nil { dictionaries[index] = dictionary }
      codes.append(tag.isNull(at: row) ? .max : words[row])
    }
    let id = combinations[codes] ?? UInt32(combinationCodes.count)
    if Int(id) == combinationCodes.count {
      combinations[codes] = id
      combinationCodes.append(codes)
    }
    combinationOfSeries[series] = id
    return id
  }

  private mutating func group(_ tags: UInt32, _ bucket: UInt64, _ context: ExecutionContext) throws -> Int {
    let key = Key(tags: tags, bucket: bucket)
    if let known = groups[key] { return known }
    let group = groupTags.count
    groups[key] = group
    groupTags.append(tags)
    groupBuckets.append(bucket)
    try context.memory.charge(64)
    return group
  }

  /// The key columns, a row a group.
  func keyColumns() -> [Column] {
    var tag = 0
    return keys.parts.enumerated().map { index, part in
      switch part {
      case .time: return Column(type: types[index], count: count, storage: .words(groupBuckets))
      case .tag:
        defer { tag += 1 }
        guard let dictionary = dictionaries[tag] else { return .null(.text, count: count) }
        let codes = Buffer<UInt32>(capacity: count)
        let nulls = Buffer<UInt8>(capacity: count)
        var hasNulls = false
        for combination in groupTags.span {
          let code = combinationCodes[Int(combination)][tag]
          nulls.append(code == .max ? 1 : 0)
          codes.append(code == .max ? 0 : code)
          hasNulls = hasNulls || code == .max
        }
        return Column(
          type: .text, count: count, storage: .dictionary(codes, dictionary), nulls: hasNulls ? nulls : nil)
      }
    }
  }
}
