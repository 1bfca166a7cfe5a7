// EXPLAIN: the operators of a plan with what each scan is spared; with ANALYZE, what each did.

import VarveCompute
import VarveCore

struct ExplainPlan: Sendable {
  var node: any PlanNode = ValuesNode([[]], [])
  /// A line above the plan.
  var title: String?
  var isAnalyze = false
  var isJSON = false

  mutating func apply(_ option: OptionSyntax, _ source: SourceText) throws {
    let isOn = !["false", "off", "0"].contains(option.value?.lowercased() ?? "true")
    switch option.name {
    case "analyze": isAnalyze = isOn
    case "format":
      switch option.value?.lowercased() {
      case "text": isJSON = false
      case "json": isJSON = true
      default:
        throw source.unsupported(
          "EXPLAIN format \(option.value ?? "")", at: option.location, hint: "FORMAT TEXT and JSON work.")
      }
    case "verbose", "costs", "timing", "summary", "buffers", "settings", "wal": break
    default: throw source.error("42601", "unrecognized EXPLAIN option \"\(option.name)\"", at: option.location)
    }
  }

  /// A plan with what has come of it so far, as text.
  static func lines(_ node: any PlanNode, _ context: ExecutionContext) throws -> [String] {
    var lines: [String] = []
    try ExplainPlan(node: node).appendText(node, depth: 0, context, to: &lines)
    return lines + ["Peak Memory: \(context.memory.peak / 1024) kB"]
  }

  /// The rows of the answer.
  func run(_ context: ExecutionContext) throws -> QueryBatch {
    var total: Int64 = 0
    if isAnalyze {
      let started = context.clock.monotonicNanoseconds()
      let input = try context.open(node)
      while try input.next() != nil { try context.check() }
      total = context.clock.monotonicNanoseconds() - started
    }
    var lines: [String] = []
    if isJSON {
      var text = "[\n  {\n    \"Plan\": "
      try appendJSON(node, indent: 4, context, to: &text)
      if isAnalyze {
        text += ",\n    \"Execution Time\": \(Self.milliseconds(total)),\n    \"Peak Memory\": \(context.memory.peak)"
      }
      lines = [text + "\n  }\n]"]
    } else {
      if let title { lines.append(title) }
      try appendText(node, depth: title == nil ? 0 : 1, context, to: &lines)
      if isAnalyze {
        lines.append("Peak Memory: \(context.memory.peak / 1024) kB")
        lines.append("Execution Time: \(Self.milliseconds(total)) ms")
      }
    }
    return try QueryBatch(rows: lines.map { [.text($0)] }, types: [.text])
  }

  private func appendText(_ node: any PlanNode, depth: Int, _ context: ExecutionContext, to lines: inout [String])
    throws
  {
    let indent = depth == 0 ? "" : String(repeating: " ", count: depth * 6 - 4)
    var line = indent + (depth == 0 ? "" : "->  ") + node.label
    if let entry = context.profile?.found(node) {
      line += "  (actual time=\(Self.milliseconds(entry.nanoseconds)) rows=\(entry.rows) loops=\(entry.loops))"
    }
    lines.append(line)
    let detail = String(repeating: " ", count: depth * 6 + 2)
    for (name, text) in try node.details(context) { lines.append("\(detail)\(name): \(text)") }
    for input in try Self.inputs(of: node, context) { try appendText(input, depth: depth + 1, context, to: &lines) }
    for plan in Self.subplans(node) {
      lines.append(detail + "SubPlan")
      try appendText(plan, depth: depth + 1, context, to: &lines)
    }
  }

  /// The plans of subqueries in what a node computes, each once.
  private static func subplans(_ node: any PlanNode) -> [any PlanNode] {
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
  private static func inputs(of node: any PlanNode, _ context: ExecutionContext) throws -> [any PlanNode] {
    try node.expanded(context).map { [$0] } ?? node.inputs
  }

  private func appendJSON(_ node: any PlanNode, indent: Int, _ context: ExecutionContext, to out: inout String) throws {
    let outer = String(repeating: " ", count: indent)
    let inner = outer + "  "
    out += "{\n\(inner)\"Node Type\": \(Self.quoted(node.label))"
    if let entry = context.profile?.found(node) {
      out += ",\n\(inner)\"Actual Total Time\": \(Self.milliseconds(entry.nanoseconds))"
      out += ",\n\(inner)\"Actual Rows\": \(entry.rows),\n\(inner)\"Actual Loops\": \(entry.loops)"
    }
    for (name, text) in try node.details(context) { out += ",\n\(inner)\(Self.quoted(name)): \(Self.quoted(text))" }
    let inputs = try Self.inputs(of: node, context)
    for (name, plans) in [("Plans", inputs), ("SubPlans", Self.subplans(node))] where !plans.isEmpty {
      out += ",\n\(inner)\"\(name)\": ["
      for (index, plan) in plans.enumerated() {
        if index > 0 { out += ", " }
        try appendJSON(plan, indent: indent + 2, context, to: &out)
      }
      out += "]"
    }
    out += "\n\(outer)}"
  }

  private static func milliseconds(_ nanoseconds: Int64) -> String {
    let micros = nanoseconds / 1000
    let fraction = String(micros % 1000)
    return "\(micros / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          out += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }
}
