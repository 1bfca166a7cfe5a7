// A plan as JSON, with PostgreSQL's names for what PostgreSQL has.

import VarveCompute

struct ExplainJSON {
  private(set) var text = ""
  private let options: ExplainOptions
  private let context: ExecutionContext
  private let estimator: PlanEstimator

  init(_ options: ExplainOptions, _ context: ExecutionContext) {
    self.options = options
    self.context = context
    estimator = PlanEstimator(context)
  }

  /// What is done with the rows of a plan, which costs nothing more and gives no rows.
  mutating func append(title: String, over node: any PlanNode, indent: Int) throws {
    let outer = String(repeating: " ", count: indent)
    let inner = outer + "  "
    text += "{\n\(inner)\"Node Type\": \(JSONWriter.quoted(title))"
    if options.showsCosts {
      for (name, figure) in Self.figures(try estimator.estimate(node), rows: 0, width: 0) {
        text += ",\n\(inner)\"\(name)\": \(figure)"
      }
    }
    text += ",\n\(inner)\"Plans\": ["
    try append(node, indent: indent + 2)
    text += "]\n\(outer)}"
  }

  mutating func append(_ node: any PlanNode, indent: Int) throws {
    let outer = String(repeating: " ", count: indent)
    let inner = outer + "  "
    text += "{\n\(inner)\"Node Type\": \(JSONWriter.quoted(node.label))"
    for (name, figure) in try figures(node) { text += ",\n\(inner)\"\(name)\": \(figure)" }
    for (name, detail) in try node.details(context) {
      text += ",\n\(inner)\(JSONWriter.quoted(name)): \(JSONWriter.quoted(detail))"
    }
    let inputs = try ExplainPlan.inputs(of: node, context)
    for (name, plans) in [("Plans", inputs), ("SubPlans", ExplainPlan.subplans(node))] where !plans.isEmpty {
      text += ",\n\(inner)\"\(name)\": ["
      for (index, plan) in plans.enumerated() {
        if index > 0 { text += ", " }
        try append(plan, indent: indent + 2)
      }
      text += "]"
    }
    text += "\n\(outer)}"
  }

  private func figures(_ node: any PlanNode) throws -> [(name: String, figure: String)] {
    var figures: [(name: String, figure: String)] = []
    if options.showsCosts {
      let estimate = try estimator.estimate(node)
      figures = Self.figures(estimate, rows: estimate.rows, width: PlanEstimate.width(of: node.types))
    }
    guard let actual = ExplainActual(node, context) else { return figures }
    if options.showsTiming {
      figures.append(("Actual Startup Time", actual.startup))
      figures.append(("Actual Total Time", actual.total))
    }
    return figures + [("Actual Rows", actual.rows), ("Actual Loops", String(actual.loops))]
  }

  private static func figures(_ estimate: PlanEstimate, rows: Double, width: Int) -> [(name: String, figure: String)] {
    [
      ("Startup Cost", ExplainNumber.cost(estimate.startup)), ("Total Cost", ExplainNumber.cost(estimate.total)),
      ("Plan Rows", ExplainNumber.count(rows)), ("Plan Width", String(width)),
    ]
  }
}
