// The executor: operators pull batches from their inputs. A node is the immutable plan of an operator; opening it
// gives an operator with the state of one execution.

import VarveCompute
import VarveCore
import VarveStorage

/// Rows between two operators.
struct QueryBatch {
  var count: Int
  var columns: [Column]
  /// Where the rows still stand as a scan delivered them: runs of a series, each sorted by time. Columns that are
  /// tags of the scan hold one value throughout a run.
  var runs: [SeriesRun]?
  /// Where rows come in slices of time, whether these are the last of a slice: see `SlicedNodes`.
  var endsSlice = false

  init(count: Int, columns: [Column], runs: [SeriesRun]? = nil) {
    self.count = count
    self.columns = columns
    self.runs = runs
  }

  func gather(_ rows: UnsafeBufferPointer<UInt32>) -> QueryBatch {
    QueryBatch(count: rows.count, columns: columns.map { $0.gather(rows) })
  }
  /// The columns at other `places` are NULL.
  func gather(_ rows: UnsafeBufferPointer<UInt32>, only places: Set<Int>) -> QueryBatch {
    QueryBatch(
      count: rows.count,
      columns: columns.indices.map { place in
        places.contains(place) ? columns[place].gather(rows) : .null(columns[place].type, count: rows.count)
      })
  }
  func slice(_ rows: Range<Int>) -> QueryBatch {
    QueryBatch(count: rows.count, columns: columns.map { $0.slice(rows) })
  }
  var byteCount: Int { columns.reduce(0) { $0 + $1.byteCount } }

  static func concat(_ batches: [QueryBatch], types: [SQLType]) -> QueryBatch {
    if batches.count == 1 { return batches[0] }
    let count = batches.reduce(0) { $0 + $1.count }
    return QueryBatch(
      count: count,
      columns: types.indices.map { index in
        count == 0
          ? .null(types[index], count: 0) : .concat(batches.map { $0.columns[index] }, type: types[index])
      })
  }
}

protocol Operator: AnyObject {
  /// The next rows, never none; nil at the end.
  func next() throws -> QueryBatch?
}

protocol PlanNode: AnyObject, Sendable {
  var types: [SQLType] { get }
  var inputs: [any PlanNode] { get }
  /// What EXPLAIN calls it.
  var label: String { get }
  /// What it computes itself; EXPLAIN shows the plans of the subqueries in it.
  var expressions: [BoundExpression] { get }
  /// What the node becomes for the snapshot of an execution, where that is another plan; nil: it is what it is.
  func expanded(_ context: ExecutionContext) throws -> (any PlanNode)?
  /// Further lines of EXPLAIN: name and text.
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)]
  /// What EXPLAIN expects of it: see `Explain/`.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate
  func open(_ context: ExecutionContext) throws -> any Operator
}

extension PlanNode {
  var expressions: [BoundExpression] { [] }
  func expanded(_ context: ExecutionContext) throws -> (any PlanNode)? { nil }
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] { [] }
}

extension ExecutionContext {
  /// The rows of a scan within a range of time.
  func open(_ scan: SeriesScanNode, within range: TimeRange) throws -> any Operator {
    try profiled(scan) { try scan.open(self, within: range) }
  }

  /// The groups of an aggregate of a scan within a range of time.
  func groups(of node: AggregateNode, within range: TimeRange) throws -> QueryBatch {
    let input = try profiled(node) { AggregateOperator(node, self, within: range) }
    var batches: [QueryBatch] = []
    while let batch = try input.next() { batches.append(batch) }
    return .concat(batches, types: node.types)
  }

  /// All rows of a plan, within the memory of the query.
  func collect(_ node: any PlanNode) throws -> QueryBatch {
    let input = try open(node)
    var batches: [QueryBatch] = []
    while let batch = try input.next() {
      try check()
      try memory.charge(batch.byteCount)
      batches.append(batch)
    }
    return .concat(batches, types: node.types)
  }
}

/// Rows, time and loops of each node, for EXPLAIN ANALYZE and the log of slow statements.
final class Profile {
  /// Subqueries may run once a row: what the log never needs must not slow them down.
  let coversSubqueries: Bool
  init(coversSubqueries: Bool) { self.coversSubqueries = coversSubqueries }

  final class Entry {
    var rows = 0
    var loops = 0
    var nanoseconds: Int64 = 0
    /// Those of them until each loop's first rows.
    var startupNanoseconds: Int64 = 0
  }
  private var entries: [ObjectIdentifier: Entry] = [:]
  func entry(for node: any PlanNode) -> Entry {
    let key = ObjectIdentifier(node)
    if let entry = entries[key] { return entry }
    let entry = Entry()
    entries[key] = entry
    return entry
  }
  func found(_ node: any PlanNode) -> Entry? { entries[ObjectIdentifier(node)] }

  /// The most series that joins left of scans.
  private var joined: [ObjectIdentifier: Int] = [:]
  func noteJoined(_ count: Int, of node: SeriesScanNode) {
    joined[ObjectIdentifier(node)] = max(count, joined[ObjectIdentifier(node)] ?? 0)
  }
  func joinedSeries(of node: SeriesScanNode) -> Int? { joined[ObjectIdentifier(node)] }

  /// What scans looked at, over all loops.
  private var scans: [ObjectIdentifier: ScanStatistics] = [:]
  func note(_ statistics: ScanStatistics, of node: SeriesScanNode) {
    scans[ObjectIdentifier(node), default: ScanStatistics()].add(statistics)
  }
  func statistics(of node: SeriesScanNode) -> ScanStatistics? { scans[ObjectIdentifier(node)] }
}

final class ProfiledOperator: Operator {
  private let inner: any Operator
  private let entry: Profile.Entry
  private let clock: SessionClock
  private var isStarting = true
  init(_ inner: any Operator, _ entry: Profile.Entry, _ clock: SessionClock) {
    self.inner = inner
    self.entry = entry
    self.clock = clock
  }
  func next() throws -> QueryBatch? {
    let started = clock.monotonicNanoseconds()
    let batch = try inner.next()
    let nanoseconds = clock.monotonicNanoseconds() - started
    entry.nanoseconds += nanoseconds
    if isStarting { entry.startupNanoseconds += nanoseconds }
    isStarting = false
    entry.rows += batch?.count ?? 0
    return batch
  }
}
