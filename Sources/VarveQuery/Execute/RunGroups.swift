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
  private let keys: RunKeys
  private let types: [SQLType]
  private let tagColumns: [Int]
  private var combinations: [[UInt32]: UInt32] = [:]
  private var combinationOfSeries: [SeriesID: UInt32] = [:]
  /// Of each tag its code in each combination.
  private let combinationCodes: [Buffer<UInt32>]
  private var dictionaries: [TextDictionary?]
  private var table = RunGroupTable()
  /// Of the batch at hand.
  private let segments = Buffer<GroupSegment>()
  /// Where the key is one of a fixed width.
  private var buckets: FixedBuckets?
  var count: Int { table.count }

  init(_ keys: RunKeys, types: [SQLType]) {
    self.keys = keys
    self.types = types
    buckets = keys.fixedWidth.map { FixedBuckets(width: $0.nanoseconds) }
    tagColumns = keys.parts.compactMap { if case .tag(let column) = $0 { column } else { nil } }
    combinationCodes = tagColumns.map { _ in Buffer() }
    dictionaries = Array(repeating: nil, count: tagColumns.count)
  }

  mutating func update(
    _ batch: QueryBatch, _ runs: [SeriesRun], _ states: [AggregateState], _ context: ExecutionContext
  ) throws {
    try findSegments(batch, runs, context)
    for state in states {
      try state.resize(count, context.memory)
      try state.states.update(state.arguments(batch, context), segments: segments.span)
      try state.chargeHeldBytes(context.memory)
    }
  }

  /// Takes partial aggregates, each of which lies in one group. `batch` has their tags and first times, `arguments` the
  /// places of the states' arguments among their columns.
  mutating func take(
    _ partials: PartialBatch, _ batch: QueryBatch, _ arguments: [Int?], _ states: [AggregateState],
    _ context: ExecutionContext
  ) throws {
    try findSegments(batch, partials.runs, context)
    for (state, argument) in zip(states, arguments) {
      try state.resize(count, context.memory)
      guard let target = state.states as? any PartialAggregate else {
        preconditionFailure("a partial plan has aggregates that take partials")
      }
      try target.take(partials, column: argument, segments: segments.span)
    }
  }

  private mutating func findSegments(_ batch: QueryBatch, _ runs: [SeriesRun], _ context: ExecutionContext) throws {
    segments.count = 0
    let known = table.count
    var start = 0
    if let time = keys.time, let column = keys.fixedWidth?.timeColumn, var buckets {
      let times = batch.columns[column].wordBuffer
      for run in runs {
        let rows = start..<(start + run.count)
        let tags = combination(run.series, batch, start)
        try cut(run.series, tags, rows, times, &buckets) { row in
          let bucket = try context.evaluate(time, batch.slice(row..<(row + 1)))
          guard !bucket.isNull(at: 0) else { preconditionFailure("a bucket of a time is not NULL") }
          return Int64(bitPattern: bucket.wordBuffer[0])
        }
        start = rows.upperBound
      }
      self.buckets = buckets
    } else {
      let buckets = try keys.time.map { try context.evaluate($0, batch).wordBuffer }
      for run in runs {
        let rows = start..<(start + run.count)
        cut(run.series, combination(run.series, batch, start), rows, buckets)
        start = rows.upperBound
      }
    }
    try context.memory.charge((table.count - known) * RunGroupTable.byteCountPerGroup)
  }

  /// Where the value changes; without values the run is one segment.
  private mutating func cut(_ series: SeriesID, _ tags: UInt32, _ rows: Range<Int>, _ buckets: Buffer<UInt64>?) {
    guard let buckets else { return append(series, rows, tags, 0) }
    var row = rows.lowerBound
    while row < rows.upperBound {
      let bucket = buckets[row]
      var next = row + 1
      while next < rows.upperBound, buckets[next] == bucket { next += 1 }
      append(series, row..<next, tags, bucket)
      row = next
    }
  }

  /// Where a bucket of a fixed width ends. `startOf` says where the first bucket of all begins, and those begin that
  /// cannot be computed.
  private mutating func cut(
    _ series: SeriesID, _ tags: UInt32, _ rows: Range<Int>, _ words: Buffer<UInt64>, _ buckets: inout FixedBuckets,
    _ startOf: (Int) throws -> Int64
  ) throws {
    try words.span.withMemoryRebound(to: Int64.self) { times in
      guard let base = times.baseAddress else { return }
      var row = rows.lowerBound
      while row < rows.upperBound {
        let start: Int64
        if let known = buckets.start(of: times[row]) {
          start = known
        } else {
          start = try startOf(row)
          buckets.learn(start: start)
        }
        let next = buckets.end(of: row..<rows.upperBound, in: base, start: start)
        append(series, row..<next, tags, UInt64(bitPattern: start))
        row = next
      }
    }
  }

  @inline(__always) private mutating func append(
    _ series: SeriesID, _ rows: Range<Int>, _ tags: UInt32, _ bucket: UInt64
  ) {
    segments.append(GroupSegment(rows: rows, group: table.group(tags, bucket), rank: series.rawValue))
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
    let id = combination(codes)
    combinationOfSeries[series] = id
    return id
  }

  /// Takes in groups of runs of the same scan, and gives the place of each among these.
  mutating func merge(_ other: RunGroups, _ context: ExecutionContext) throws -> Buffer<UInt32> {
    for (index, dictionary) in other.dictionaries.enumerated() where dictionaries[index] == nil {
      dictionaries[index] = dictionary
    }
    let known = table.count
    let tags = Buffer<UInt32>(repeating: 0, count: max(1, other.combinations.count))
    for (codes, id) in other.combinations { tags[Int(id)] = combination(codes) }
    let places = Buffer<UInt32>(capacity: other.count)
    for group in 0..<other.count {
      places.append(table.group(tags[Int(other.table.tags[group])], other.table.buckets[group]))
    }
    try context.memory.charge((table.count - known) * RunGroupTable.byteCountPerGroup)
    return places
  }

  private mutating func combination(_ codes: [UInt32]) -> UInt32 {
    if let known = combinations[codes] { return known }
    let id = UInt32(combinations.count)
    combinations[codes] = id
    for (index, code) in codes.enumerated() { combinationCodes[index].append(code) }
    return id
  }

  /// The key columns, a row a group.
  func keyColumns() -> [Column] {
    var tag = 0
    return keys.parts.enumerated().map { index, part in
      switch part {
      case .time: return Column(type: types[index], count: count, storage: .words(table.buckets))
      case .tag:
        defer { tag += 1 }
        guard let dictionary = dictionaries[tag] else { return .null(.text, count: count) }
        let codes = Buffer<UInt32>(capacity: count)
        let nulls = Buffer<UInt8>(capacity: count)
        var hasNulls = false
        let combinationCodes = combinationCodes[tag]
        for combination in table.tags.span {
          let code = combinationCodes[Int(combination)]
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
