// Aggregates over a series scan from what its rows come to: chunks summarise their rows by series and bucket of time,
// and a query whose groups hold whole buckets need not look at the rows behind; other rows are aggregated on their
// pages where groups are long.

import VarveCompute
import VarveCore
import VarveStorage

/// What of a plan can be answered so.
struct PartialPlan: Sendable {
  let scan: SeriesScanNode
  let keys: RunKeys
  /// Of each call, its argument's place among the fields of the scan; nil: it counts rows.
  let arguments: [Int?]
  /// What is needed of each field.
  let statistics: [SummaryStatistics]
  /// Whether the last values of each series are all that counts.
  let wantsLastValues: Bool

  /// Nil if rows are needed: conditions that only rows can be tested for, keys that cut runs in ways that are not known,
  /// aggregates and arguments that summaries say nothing of.
  init?(_ input: any PlanNode, keys: [BoundExpression], calls: [AggregateCall], runKeys: RunKeys?) {
    guard let scan = input as? SeriesScanNode, scan.residual.isEmpty, !calls.isEmpty,
      let keys = keys.isEmpty ? RunKeys(parts: []) : runKeys, calls.allSatisfy(AggregateState.takesRuns)
    else { return nil }
    var fields: [(place: Int, type: FieldType)] = []
    for (place, column) in scan.columns.enumerated() {
      if case .field(_, let type) = column { fields.append((place, type)) }
    }
    var statistics: [SummaryStatistics] = fields.map { _ in [] }
    var arguments: [Int?] = []
    for call in calls {
      guard let needed = (call.function.makeStates() as? any PartialAggregate)?.neededStatistics else { return nil }
      if call.arguments.count == 2 {
        guard case .column(let order) = call.arguments[1], scan.columns[order.index] == .time else { return nil }
      }
      guard let argument = call.arguments.first else {
        arguments.append(nil)
        continue
      }
      guard case .column(let reference) = argument,
        let field = fields.firstIndex(where: { $0.place == reference.index }),
        needed.subtracting(SummaryStatistics(.nanCount)).isSubset(of: .kept(of: fields[field].type))
      else { return nil }
      statistics[field].formUnion(needed)
      arguments.append(field)
    }
    self.scan = scan
    self.keys = keys
    self.arguments = arguments
    self.statistics = statistics
    wantsLastValues = keys.time == nil && calls.allSatisfy { $0.function.name == "last" && $0.arguments.count == 2 }
  }

  func isOn(_ context: ExecutionContext) -> Bool { !Self.sources(context).isEmpty }

  private static func sources(_ context: ExecutionContext) -> AggregateRequest.Sources {
    let session = context.catalog.session
    var sources: AggregateRequest.Sources = []
    if session.usesSummaries { sources.insert(.summaries) }
    if session.usesPageAggregates { sources.insert(.pages) }
    return sources
  }

  func request(of scan: ScanRequest, _ context: ExecutionContext) throws -> AggregateRequest {
    AggregateRequest(
      scan: scan, statistics: statistics, groups: try KeyGroups(keys, self.scan.columns, context),
      sources: Self.sources(context))
  }
}
