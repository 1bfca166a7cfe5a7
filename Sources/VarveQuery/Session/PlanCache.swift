// Plans by the text they were made from, and templates by the shape of texts (`StatementTemplate`). Small, and thrown
// away whole when full: a session that has that many different texts does not repeat them.

import VarveCompute
import VarveCore

struct PlanCache {
  private struct Key: Hashable {
    let text: Name
    let types: [SQLType?]
  }
  /// What is known of the texts of a shape.
  private enum Templates {
    /// There was a text. The next one is worth a template.
    case seen
    case some([StatementTemplate])
    /// Nothing can be lifted, or what is not differs all the time.
    case none
  }
  private var plans: [Key: PreparedStatement] = [:]
  private var parsed: [Name: [ParsedStatement]] = [:]
  private var templates: [StatementShape: Templates] = [:]
  /// Whether the first text of a shape is worth a template, too.
  var isEager = false
  private static let capacity = 256
  private static let templatesPerShape = 8
  private static let longestText = 16_384

  func find(_ text: String, _ types: [SQLType?]) -> PreparedStatement? {
    text.utf8.count <= Self.longestText ? plans[Key(text: Name(text), types: types)] : nil
  }

  func statements(_ text: String) -> [ParsedStatement]? {
    text.utf8.count <= Self.longestText ? parsed[Name(text)] : nil
  }

  mutating func add(_ text: String, _ statements: [ParsedStatement]) {
    guard text.utf8.count <= Self.longestText else { return }
    if parsed.count >= Self.capacity { parsed.removeAll() }
    parsed[Name(text)] = statements
  }

  mutating func add(_ text: String, _ types: [SQLType?], _ statement: PreparedStatement) {
    guard text.utf8.count <= Self.longestText else { return }
    if plans.count >= Self.capacity { plans.removeAll() }
    plans[Key(text: Name(text), types: types)] = statement
  }

  enum TemplateSearch {
    case found(TemplatedText)
    /// The shape came before: a template is worth its while. `add` is to be told what came of it.
    case wanted(StatementShape)
    case none
  }

  /// The template of a text. Without one the shape counts as seen.
  mutating func template(of sql: String) -> TemplateSearch {
    guard sql.utf8.count <= Self.longestText else { return .none }
    var text = sql
    return text.withUTF8 { bytes in
      guard let shape = StatementShape(bytes), !shape.literals.isEmpty else { return .none }
      switch templates[shape] {
      case nil:
        if templates.count >= Self.capacity { templates.removeAll() }
        templates[shape] = .seen
        return isEager ? .wanted(shape) : .none
      case .none?: return .none
      case .seen?: return .wanted(shape)
      case .some(let list)?:
        if let template = list.first(where: { $0.fits(bytes, shape) }) {
          return .found(TemplatedText(template: template, shape: shape))
        }
        return list.count < Self.templatesPerShape ? .wanted(shape) : .none
      }
    }
  }

  /// nil: none could be made of a text of the shape.
  mutating func add(_ template: StatementTemplate?, _ shape: StatementShape) {
    var known: [StatementTemplate] = []
    if case .some(let list)? = templates[shape] { known = list }
    if let template { known.append(template) }
    templates[shape] = known.isEmpty ? Templates.none : .some(known)
  }

  /// Its tables are not what they were.
  mutating func forget(_ templated: TemplatedText) {
    guard case .some(let list)? = templates[templated.shape] else { return }
    let left = list.filter { $0 !== templated.template }
    templates[templated.shape] = left.isEmpty ? .seen : .some(left)
  }
}
