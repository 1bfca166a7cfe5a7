// The options of EXPLAIN, as PostgreSQL 15 takes them. VERBOSE, BUFFERS, SETTINGS and WAL change nothing: what there is to
// say of pages stands in the plan in any case, settings that matter are named where they do, and what writes is not run.

import VarveCompute
import VarveCore

struct ExplainOptions: Sendable {
  private(set) var isAnalyze = false
  private(set) var isJSON = false
  private(set) var showsCosts = true
  private var timing: Bool?
  private var summary: Bool?

  /// Times of each node.
  var showsTiming: Bool { timing ?? true }
  /// Times of the whole, behind the plan.
  var showsSummary: Bool { summary ?? isAnalyze }

  /// As the log of slow statements has plans.
  static let actual: ExplainOptions = {
    var options = ExplainOptions()
    options.showsCosts = false
    return options
  }()

  private init() {}

  init(_ options: [OptionSyntax], _ source: SourceText) throws {
    var needsAnalyze: OptionSyntax?
    for option in options {
      switch option.name {
      case "analyze": isAnalyze = try Self.isOn(option, source)
      case "costs": showsCosts = try Self.isOn(option, source)
      case "summary": summary = try Self.isOn(option, source)
      case "timing":
        timing = try Self.isOn(option, source)
        if timing == true { needsAnalyze = option }
      case "wal": if try Self.isOn(option, source) { needsAnalyze = option }
      case "verbose", "buffers", "settings": _ = try Self.isOn(option, source)
      case "format": isJSON = try Self.isJSON(option, source)
      default: throw source.error("42601", "unrecognized EXPLAIN option \"\(option.name)\"", at: option.location)
      }
    }
    if let option = needsAnalyze, !isAnalyze {
      throw source.error(
        "22023", "EXPLAIN option \(option.name.uppercased()) requires ANALYZE", at: option.location,
        hint: "EXPLAIN (ANALYZE, \(option.name.uppercased())) runs the query.")
    }
  }

  private static func isOn(_ option: OptionSyntax, _ source: SourceText) throws -> Bool {
    switch option.value?.lowercased() {
    case nil, "true", "on", "1": return true
    case "false", "off", "0": return false
    default: throw source.error("42601", "\(option.name) requires a Boolean value", at: option.location)
    }
  }

  private static func isJSON(_ option: OptionSyntax, _ source: SourceText) throws -> Bool {
    let hint = "FORMAT TEXT and JSON work."
    switch option.value?.lowercased() {
    case "text": return false
    case "json": return true
    case let name? where name == "xml" || name == "yaml":
      throw source.unsupported("EXPLAIN format \(name)", at: option.location, hint: hint)
    case let name?:
      throw source.error(
        "22023", "unrecognized value for EXPLAIN option \"format\": \"\(name)\"", at: option.location, hint: hint)
    case nil: throw source.error("42601", "format requires a parameter", at: option.location, hint: hint)
    }
  }
}
