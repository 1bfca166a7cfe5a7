// A plan as lines of text, in PostgreSQL's form: what reads that (postgres_fdw looks for the last parenthesis of the first
// line) reads this.

import VarveCompute

struct ExplainText {
  private(set) var lines: [String] = []
  private let options: ExplainOptions
  private let context: ExecutionContext
  private let estimator: PlanEstimator

  init(_ options: ExplainOptions, _ context: ExecutionContext) {
    self.options = options
    self.context = context
    estimator = PlanEstimator(context)
  }

  /// What is done with the rows of a plan, which costs nothing more and gives no rows.
  mutating func append(title: String, over node: any PlanNode) throws {
    guard options.showsCosts else { return lines.append(title) }
    let estimate = try estimator.estimate(node)
    lines.append(title + "  (\(Self.costs(estimate)) rows=0 width=0)")
  }

  mutating func append(_ node: any PlanNode, depth: Int) throws {
    let indent = depth == 0 ? "" : String(repeating: " ", count: depth * 6 - 4) + "->  "
    let figures = try figures(node)
    lines.append(indent + node.label + (figures.isEmpty ? "" : "  " + figures.joined(separator: " ")))
    let detail = String(repeating: " ", count: depth * 6 + 2)
    for (name, text) in try node.details(context) { lines.append("\(detail)\(name): \(text)") }
    for input in try ExplainPlan.inputs(of: node, context) { try append(input, depth: depth + 1) }
    for plan in ExplainPlan.subplans(node) {
      lines.append(detail + "SubPlan")
      try append(plan, depth: depth + 1)
    }
  }

  private func figures(_ node: any PlanNode) throws -> [String] {
    var figures: [String] = []
    if options.showsCosts {
      let estimate = try estimator.estimate(node)
      let rows = ExplainNumber.count(estimate.rows)
      figures.append("(\(Self.costs(estimate)) rows=\(rows) width=\(PlanEstimate.width(of: node.types)))")
    }
    if let actual = ExplainActual(node, context) {
      let time = options.showsTiming ? "time=\(actual.startup)..\(actual.total) " : ""
      figures.append("(actual \(time)rows=\(actual.rows) loops=\(actual.loops))")
    }
    return figures
  }

  private static func costs(_ estimate: PlanEstimate) -> String {
    "cost=\(ExplainNumber.cost(estimate.startup))..\(ExplainNumber.cost(estimate.total))"
  }
}
