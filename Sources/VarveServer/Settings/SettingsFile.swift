// The TOML file with settings: `key = value` at the top level, keys as the flags are called.

import TOMLKit
import VarveCore
import VarveIO

struct SettingsFile {
  private(set) var entries: [String: EffectiveSettings.Entry] = [:]

  init(path: String, fileSystem: any FileSystem) throws {
    let text: String
    do {
      guard let valid = String(validating: try fileSystem.readAll(path, limit: 1 << 20), as: UTF8.self) else {
        throw VarveError(.invalidUTF8, "the settings file is not UTF-8", place: path)
      }
      text = valid
    } catch let error as VarveError where error.code == .notFound {
      throw VarveError(.notFound, "there is no settings file \(path)")
    }
    try self.init(text, name: path)
  }

  /// `name`: what errors call the file.
  init(_ text: String, name: String) throws {
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      throw VarveError(
        .syntax, "\(name) line \(error.source.begin.line), column \(error.source.begin.column): \(error.description)")
    }
    for key in table.keys.sorted() {
      let source = "\(name) line \(Self.line(of: key, in: text))"
      guard let setting = Setting.named(key) else {
        throw VarveError(
          .invalidArgument, "\(source): there is no setting '\(key)'",
          hint: "settings are \(Setting.all.map(\.name).joined(separator: ", "))")
      }
      guard let value = table[key] else { continue }
      entries[key] = try EffectiveSettings.entry(setting, try Self.text(value, of: setting, source), source: source)
    }
  }

  private static func text(_ value: any TOMLValueConvertible, of setting: Setting, _ source: String) throws -> String {
    switch (setting.kind, value.type) {
    case (.flag, .bool): if let flag = value.bool { return flag ? "true" : "false" }
    case (.count, .int), (.byteCount, .int): if let number = value.int { return String(number) }
    case (.flag, .string), (.count, .string): break
    case (_, .string): if let text = value.string { return text }
    default: break
    }
    let wanted =
      switch setting.kind {
      case .flag: "true or false"
      case .count: "a whole number"
      case .byteCount: "a whole number or a text in quotes"
      default: "a text in quotes"
      }
    throw VarveError(
      .invalidArgument, "\(source): \(setting.name) must be \(wanted), not a TOML \(value.type.rawValue)")
  }

  /// The parser keeps no places of keys. At the top level a key begins a line; within a table its header does.
  private static func line(of key: String, in text: String) -> Int {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      var rest = line.drop { $0 == " " || $0 == "\t" || $0 == "[" || $0 == "\"" || $0 == "'" }
      guard rest.hasPrefix(key) else { continue }
      rest = rest.dropFirst(key.count)
      if let next = rest.first, " \t=.]\"'".contains(next) { return index + 1 }
    }
    return 1
  }
}
