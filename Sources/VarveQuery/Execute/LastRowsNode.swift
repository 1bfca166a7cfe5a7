// The newest row of each series of a scan, for whoever wants no other. Older rows may come, too.

import VarveCompute
import VarveCore
import VarveStorage

final class LastRowsNode: PlanNode {
  let scan: SeriesScanNode
  init(_ scan: SeriesScanNode) { self.scan = scan }
  var types: [SQLType] { scan.types }
  var inputs: [any PlanNode] { [scan] }
  var label: String { "Last Rows of Series" }

  func open(_ context: ExecutionContext) throws -> any Operator {
    guard let request = try scan.request(context) else { return EmptyOperator() }
    let cursor = try context.snapshot.lastRows(
      LastRowsRequest(table: request.table, series: request.series, time: request.time, fields: request.fields))
    return try context.profiled(scan) {
      SeriesScanOperator(scan, cursor, SeriesColumnReader(scan, request, context), context)
    }
  }

  /// The node over the newest rows alone of the scan below it; nil where other rows count, since conditions that only
  /// rows can be tested for choose among them.
  static func over(_ node: any PlanNode) -> (any PlanNode)? {
    switch node {
    case let scan as SeriesScanNode: scan.residual.isEmpty ? LastRowsNode(scan) : nil
    case let project as ProjectNode: over(project.input).map { ProjectNode($0, project.expressions) }
    default: nil
    }
  }
}
