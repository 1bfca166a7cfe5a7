// EXPLAIN: the operators of a plan with what they are expected to cost and what each scan is spared; with ANALYZE, what
// each did.

import VarveCompute
import VarveCore

struct ExplainPlan: Sendable {
  let options: ExplainOptions
  let node: any PlanNode
  /// A line above the plan: what is done with its rows.
  let title: String?
  let planningNanoseconds: Int64

  /// A plan with what has come of it so far, as text.
  static func lines(_ node: any PlanNode, _ context: ExecutionContext) throws -> [String] {
    var text = ExplainText(.actual, context)
    try text.append(node, depth: 0)
    return text.lines + ["Peak Memory: \(context.memory.peak / 1024) kB"]
  }

  /// The rows of the answer.
  func run(_ context: ExecutionContext) throws -> QueryBatch {
    var total: Int64?
    if options.isAnalyze {
      let started = context.clock.monotonicNanoseconds()
      let input = try context.open(node)
      while try input.next() != nil { try context.check() }
      total = context.clock.monotonicNanoseconds() - started
    }
    let lines = try options.isJSON ? [json(context, total)] : text(context, total)
    return try QueryBatch(rows: lines.map { [.text($0)] }, types: [.text])
  }

  private func text(_ context: ExecutionContext, _ total: Int64?) throws -> [String] {
    var text = ExplainText(options, context)
    if let title { try text.append(title: title, over: node) }
    try text.append(node, depth: title == nil ? 0 : 1)
    guard options.showsSummary else { return text.lines }
    var lines = text.lines + ["Planning Time: \(ExplainNumber.milliseconds(planningNanoseconds)) ms"]
    if let total {
      lines.append("Peak Memory: \(context.memory.peak / 1024) kB")
      lines.append("Execution Time: \(ExplainNumber.milliseconds(total)) ms")
    }
    return lines
  }

  private func json(_ context: ExecutionContext, _ total: Int64?) throws -> String {
    var json = ExplainJSON(options, context)
    if let title { try json.append(title: title, over: node, indent: 4) } else { try json.append(node, indent: 4) }
    var text = "[\n  {\n    \"Plan\": " + json.text
    if options.showsSummary {
      text += ",\n    \"Planning Time\": \(ExplainNumber.milliseconds(planningNanoseconds))"
      if let total {
        text += ",\n    \"Execution Time\": \(ExplainNumber.milliseconds(total))"
        text += ",\n    \"Peak Memory\": \(context.memory.peak)"
      }
    }
    return text + "\n  }\n]"
  }

  /// The plans of subqueries in what a node computes, each once.
  static func subplans(_ node: any PlanNode) -> [any PlanNode] {
    var plans: [any PlanNode] = []
    func collect(_ expression: BoundExpression) {
      if case .subquery(let subquery) = expression, !plans.contains(where: { $0 === subquery.plan.node }) {
        plans.append(subquery.plan.node)
      }
      expression.children.forEach(collect)
    }
    node.expressions.forEach(collect)
    return plans
  }

  /// What the node became in this snapshot, or what it reads.
  static func inputs(of node: any PlanNode, _ context: ExecutionContext) throws -> [any PlanNode] {
    try node.expanded(context).map { [$0] } ?? node.inputs
  }
}

/// What a node did, as PostgreSQL counts it: each figure for one loop, on average.
struct ExplainActual {
  let startup: String
  let total: String
  let rows: String
  let loops: Int

  /// nil: it was not run, or not watched.
  init?(_ node: any PlanNode, _ context: ExecutionContext) {
    guard let entry = context.profile?.found(node), entry.loops > 0 else { return nil }
    loops = entry.loops
    startup = ExplainNumber.milliseconds(entry.startupNanoseconds / Int64(loops))
    total = ExplainNumber.milliseconds(entry.nanoseconds / Int64(loops))
    rows = ExplainNumber.count(Double(entry.rows) / Double(loops))
  }
}

enum ExplainNumber {
  /// With three digits behind the point.
  static func milliseconds(_ nanoseconds: Int64) -> String { decimal(nanoseconds / 1000, digits: 3) }

  /// With two digits behind the point.
  static func cost(_ cost: Double) -> String { decimal(Int64((cost * 100).rounded()), digits: 2) }

  static func count(_ count: Double) -> String { String(Int64(count.rounded())) }

  private static func decimal(_ units: Int64, digits: Int) -> String {
    let text = String(units)
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.utf8.count)) + text
    return padded.dropLast(digits) + "." + padded.suffix(digits)
  }
}
