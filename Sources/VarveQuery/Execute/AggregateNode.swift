// GROUP BY and aggregates. Groups are found in one of two ways, chosen batch by batch: where the batch is runs of
// series and all keys are tags or made from time, a run is cut into segments that share their group, and a segment
// is aggregated at once; else each row's keys are looked up.

import VarveCompute
import VarveCore

final class AggregateNode: PlanNode {
  let input: any PlanNode
  let keys: [BoundExpression]
  let calls: [AggregateCall]
  /// How the keys follow from runs; nil if they do not.
  let runKeys: RunKeys?
  /// How it is made from partial aggregates; nil if it cannot be.
  let partial: PartialPlan?
  /// Keys and calls are over the input and these.
  let shared: SharedExpressions

  init(_ input: any PlanNode, keys: [BoundExpression], calls: [AggregateCall], runKeys: RunKeys?) {
    partial = PartialPlan(input, keys: keys, calls: calls, runKeys: runKeys)
    self.input = input
    self.runKeys = runKeys
    // Keys that follow from runs are not computed row by row, nor what stands behind a FILTER.
    let shared = SharedExpressions(
      always: (runKeys == nil ? keys : []) + calls.flatMap { $0.filter.map { [$0] } ?? $0.inputs },
      sometimes: calls.flatMap { $0.filter == nil ? [] : $0.inputs }, inputWidth: input.types.count)
    self.shared = shared
    self.keys = runKeys == nil ? keys.map(shared.rewrite) : keys
    self.calls = calls.map { call in
      guard case .aggregate(let call) = BoundExpression.aggregate(call).mapChildren(shared.rewrite) else {
        preconditionFailure("other children leave the kind of an expression")
      }
      return call
    }
  }
  var types: [SQLType] { keys.map(\.type) + calls.map(\.function.resultType) }
  var inputs: [any PlanNode] { [input] }
  var label: String {
    keys.isEmpty ? "Aggregate" : runKeys == nil ? "Hash Aggregate" : "Segment Aggregate"
  }
  var expressions: [BoundExpression] { keys + calls.map(BoundExpression.aggregate) }
  func open(_ context: ExecutionContext) throws -> any Operator { AggregateOperator(self, context) }

  /// Of a scan, the rows within a range of time.
  func openInput(_ context: ExecutionContext, within range: TimeRange?) throws -> any Operator {
    guard let range else { return try context.open(input) }
    guard let scan = input as? SeriesScanNode else { preconditionFailure("only scans are cut by time") }
    return try context.open(scan, within: range)
  }

  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    guard let partial, context.catalog.session.usesSummaries,
      context.profile != nil || !partial.scan.conditions.asksSubqueries,
      !partial.scan.conditions.takesOuterValues,
      let request = try partial.scan.request(context)
    else { return shared.details }
    let uses = try context.snapshot.summaries(request).map {
      "\($0.step) in \($0.chunks) chunk\($0.chunks == 1 ? "" : "s")"
    }
    return uses.isEmpty ? shared.details : [("Summaries", uses.joined(separator: ", "))] + shared.details
  }
}

final class AggregateOperator: Operator {
  private let node: AggregateNode
  private let context: ExecutionContext
  /// Of the input's rows, those of these times; nil: all.
  private let range: TimeRange?
  private var states: [AggregateState]
  private var output: RowsOperator?

  init(_ node: AggregateNode, _ context: ExecutionContext, within range: TimeRange? = nil) {
    self.node = node
    self.context = context
    self.range = range
    states = node.calls.map { AggregateState($0) }
  }

  func next() throws -> QueryBatch? {
    if let output { return try output.next() }
    let output = RowsOperator(try aggregate())
    self.output = output
    return try output.next()
  }

  private func aggregate() throws -> QueryBatch {
    if let partial = node.partial, partial.isOn(context) {
      let run = try PartialRun.run(partial, node, context, within: range)
      states = run.states
      return try finish(run.groups.keyColumns(), node.keys.isEmpty ? 1 : run.groups.count)
    }
    let input = try node.openInput(context, within: range)
    var table = KeyTable(types: node.keys.map(\.type))
    var segments = node.runKeys.map { RunGroups($0, types: node.keys.map(\.type)) }
    while let batch = try input.next().map({ try node.shared.extend($0, context) }) {
      try context.check()
      if var running = segments, let runs = batch.runs {
        segments = nil
        try running.update(batch, runs, states, context)
        segments = running
        continue
      }
      precondition(segments == nil, "a scan gives runs with every batch")
      let keys = try node.keys.map { try context.evaluate($0, batch) }
      let groups = try table.assign(keys, count: batch.count, memory: context.memory)
      for state in states { try state.update(batch, groups, groupCount: table.count, context) }
    }
    if let segments { return try finish(segments.keyColumns(), segments.count) }
    // Without GROUP BY there is one group even of no rows.
    return try finish(table.keys(), node.keys.isEmpty ? 1 : table.count)
  }

  private func finish(_ keys: [Column], _ count: Int) throws -> QueryBatch {
    let states = states
    guard states.count > 1, count * states.count >= 1 << 14 else {
      return QueryBatch(count: count, columns: keys + (try states.map { try $0.result(groupCount: count, context) }))
    }
    let results = try context.concurrently(states.count) { try states[$0].result(groupCount: count, $1) }
    return QueryBatch(count: count, columns: keys + results)
  }
}

/// One aggregate of a query over its groups, with what DISTINCT, FILTER and ORDER BY add.
final class AggregateState {
  private let call: AggregateCall
  let states: any GroupedAggregate
  private var size = 0
  /// What the states said that they hold, as it was charged.
  private var chargedByteCount = 0
  private var distinct: KeyTable?
  /// For ORDER BY: rows are kept and taken in at the end.
  private var kept: [QueryBatch] = []

  init(_ call: AggregateCall) {
    self.call = call
    states = call.function.makeStates()
    if call.isDistinct { distinct = KeyTable(types: [.int8] + call.arguments.map(\.type)) }
  }

  func resize(_ count: Int, _ memory: MemoryAccount) throws {
    guard count > size else { return }
    try memory.charge((count - size) * 32)
    try states.resize(to: count)
    size = count
  }

  /// Takes in the states of another's groups, which are these of ours.
  func merge(_ other: AggregateState, _ groups: Buffer<UInt32>, groupCount: Int, _ context: ExecutionContext) throws {
    try resize(groupCount, context.memory)
    try states.merge(other.states, groups: groups.span)
  }

  func arguments(_ batch: QueryBatch, _ context: ExecutionContext) throws -> [Column] {
    try call.arguments.map { try context.evaluate($0, batch) }
  }

  func update(_ batch: QueryBatch, _ groups: Buffer<UInt32>, groupCount: Int, _ context: ExecutionContext) throws {
    try resize(groupCount, context.memory)
    var batch = batch
    var groups = groups
    if let filter = call.filter, let rows = try context.selection([filter], batch) {
      batch = batch.gather(rows.span)
      groups = Buffer<UInt32>(rows.span.map { groups[Int($0)] })
    }
    if batch.count == 0 { return }
    var columns = try arguments(batch, context)
    if !call.orderBy.isEmpty {
      let keys = try call.orderBy.map { try context.evaluate($0.expression, batch) }
      let kept = QueryBatch(count: batch.count, columns: [Self.column(groups)] + columns + keys)
      try context.memory.charge(kept.byteCount)
      self.kept.append(kept)
      return
    }
    try deduplicate(&columns, &groups, batch.count, context)
    if groups.count == 0 { return }
    if groupCount == 1 {
      try states.update(columns, rows: 0..<groups.count, group: 0)
    } else {
      try states.update(columns, groups: groups.span)
    }
    try chargeHeldBytes(context.memory)
  }

  func chargeHeldBytes(_ memory: MemoryAccount) throws {
    let held = states.heldByteCount
    if held > chargedByteCount {
      try memory.charge(held - chargedByteCount)
      chargedByteCount = held
    }
  }

  private func deduplicate(
    _ columns: inout [Column], _ groups: inout Buffer<UInt32>, _ count: Int, _ context: ExecutionContext
  ) throws {
    guard var table = distinct else { return }
    distinct = nil
    var seen = table.count
    let keys = try table.assign([Self.column(groups)] + columns, count: count, memory: context.memory)
    distinct = table
    let rows = Buffer<UInt32>()
    for row in 0..<count where Int(keys[row]) == seen {
      rows.append(UInt32(row))
      seen += 1
    }
    if rows.count == count { return }
    columns = columns.map { $0.gather(rows.span) }
    groups = Buffer<UInt32>(rows.span.map { groups[Int($0)] })
  }

  private static func column(_ groups: Buffer<UInt32>) -> Column {
    Column(type: .int8, count: groups.count, storage: .words(Buffer(groups.span.map { UInt64($0) })))
  }

  func result(groupCount: Int, _ context: ExecutionContext) throws -> Column {
    try resize(groupCount, context.memory)
    if !kept.isEmpty { try updateInOrder(context) }
    let result = try states.result()
    return result.count == groupCount ? result : result.slice(0..<groupCount)
  }

  private func updateInOrder(_ context: ExecutionContext) throws {
    let width = call.arguments.count
    let types = [.int8] + call.arguments.map(\.type) + call.orderBy.map(\.expression.type)
    let rows = QueryBatch.concat(kept, types: types)
    kept = []
    let order = RowOrder.sorted(Array(rows.columns[(1 + width)...]), call.orderBy, count: rows.count)
    let sorted = rows.gather(order.span)
    var groups = Buffer<UInt32>(
      (0..<sorted.count).map { row in
        if case .int(let group) = sorted.columns[0].datum(at: row) { return UInt32(group) }
        return 0
      })
    var columns = Array(sorted.columns[1..<(1 + width)])
    try deduplicate(&columns, &groups, sorted.count, context)
    try states.update(columns, groups: groups.span)
  }

  /// Whether a run of rows can be taken in at once.
  static func takesRuns(_ call: AggregateCall) -> Bool {
    !call.isDistinct && call.filter == nil && call.orderBy.isEmpty
  }
}
