// `scheme://user@host:port/name` as --connect takes it.

import VarveCore

package struct ConnectionURL: Sendable, Equatable {
  package var scheme: String
  package var user: String?
  package var host: String
  package var port: Int
  /// What stands behind the host, without the slash.
  package var name: String?

  /// `defaultPorts`: by the schemes that are taken.
  package init(_ text: String, defaultPorts: [String: Int]) throws(VarveError) {
    let schemes = defaultPorts.keys.sorted().map { "\($0)://HOST:PORT" }.joined(separator: " or ")
    func refuse(_ reason: String) -> VarveError {
      VarveError(.invalidArgument, "'\(text)': \(reason)", hint: "give \(schemes)")
    }
    guard let separator = Self.firstRange(of: "://", in: text) else { throw refuse("not a URL") }
    scheme = text[..<separator.lowerBound].lowercased()
    guard let defaultPort = defaultPorts[scheme] else { throw refuse("this command does not take \(scheme)://") }
    var rest = text[separator.upperBound...]
    if rest.contains("?") || rest.contains("#") { throw refuse("options in the URL are not supported") }
    if let slash = rest.firstIndex(of: "/") {
      let path = rest[rest.index(after: slash)...]
      name = path.isEmpty ? nil : String(path)
      rest = rest[..<slash]
    }
    if let at = rest.lastIndex(of: "@") {
      let credentials = rest[..<at]
      if credentials.contains(":") { throw refuse("passwords are not supported: this version has none") }
      user = credentials.isEmpty ? nil : String(credentials)
      rest = rest[rest.index(after: at)...]
    }
    if let address = ListenAddress(String(rest)), address.port > 0 {
      host = address.host
      port = address.port
    } else if !rest.isEmpty, !rest.contains(":") {
      host = String(rest)
      port = defaultPort
    } else {
      throw refuse("cannot read its host and port")
    }
  }

  private static func firstRange(of pattern: String, in text: String) -> Range<String.Index>? {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index...].hasPrefix(pattern) { return index..<text.index(index, offsetBy: pattern.count) }
      index = text.index(after: index)
    }
    return nil
  }
}
