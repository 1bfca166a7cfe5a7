// Lines gathered up to a semicolon that ends a statement: not in a string, a quoted name or a comment.

struct StatementText {
  private enum State: Equatable {
    case plain
    case quoted(Unicode.Scalar)
    case dollar(String)
    case comment(depth: Int)
  }

  // Not by characters: a combining mark behind a quote would be one with it.
  private var scalars = String.UnicodeScalarView()
  private var state = State.plain

  var text: String { String(scalars) }
  var isEmpty: Bool { scalars.allSatisfy(\.properties.isWhitespace) }

  /// The statements that this line completes.
  mutating func add(_ line: String) -> [String] {
    var complete: [String] = []
    var rest = (line + "\n").unicodeScalars[...]
    while let scalar = rest.first {
      switch state {
      case .plain:
        if rest.starts(with: "--".unicodeScalars) {
          take(&rest, rest.prefix { $0 != "\n" }.count)
        } else if rest.starts(with: "/*".unicodeScalars) {
          state = .comment(depth: 1)
          take(&rest, 2)
        } else if scalar == "$", let tag = Self.dollarTag(rest) {
          state = .dollar(tag)
          take(&rest, tag.unicodeScalars.count)
        } else {
          if scalar == "'" || scalar == "\"" { state = .quoted(scalar) }
          take(&rest, 1)
          if scalar == ";" {
            complete.append(text)
            scalars = .init()
          }
        }
      case .quoted(let quote):
        // A doubled quote ends and begins again, which comes to the same.
        if scalar == quote { state = .plain }
        take(&rest, 1)
      case .dollar(let tag):
        let isEnd = rest.starts(with: tag.unicodeScalars)
        if isEnd { state = .plain }
        take(&rest, isEnd ? tag.unicodeScalars.count : 1)
      case .comment(let depth):
        if rest.starts(with: "/*".unicodeScalars) {
          state = .comment(depth: depth + 1)
          take(&rest, 2)
        } else if rest.starts(with: "*/".unicodeScalars) {
          state = depth == 1 ? .plain : .comment(depth: depth - 1)
          take(&rest, 2)
        } else {
          take(&rest, 1)
        }
      }
    }
    if isEmpty { scalars = .init() }
    return complete
  }

  private mutating func take(_ rest: inout Substring.UnicodeScalarView, _ count: Int) {
    scalars.append(contentsOf: rest.prefix(count))
    rest = rest.dropFirst(count)
  }

  /// `$$` or `$name$`.
  private static func dollarTag(_ rest: Substring.UnicodeScalarView) -> String? {
    let name = rest.dropFirst().prefix { $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_" }
    guard rest.dropFirst(1 + name.count).first == "$", name.first.map({ !("0"..."9").contains($0) }) ?? true else {
      return nil
    }
    return "$" + String(name) + "$"
  }
}
