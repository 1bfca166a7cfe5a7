// What each setting is, and where that came from: flags, then the environment, then the file, then the default.

import VarveCore
import VarveIO

package struct EffectiveSettings: Sendable {
  package struct Entry: Sendable {
    package let value: SettingValue
    /// `--http`, `VARVE_HTTP`, `varve.toml line 3`, `default`.
    package let source: String
  }

  private var entries: [String: Entry] = [:]
  /// Variables that look like settings and are none. Not errors: a container platform may make such variables by itself.
  package private(set) var unknownVariables: [String] = []

  /// The variable that names the file, where no flag does.
  package static let fileVariable = "VARVE_CONFIG"

  /// Variables of other tools that say the same: they count where nothing of ours does.
  private static let variablesOfOthers: [(setting: Setting, variables: [String])] = [
    (.s3Endpoint, ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]), (.s3Region, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
  ]

  /// `flags`: the ones that were given, by setting. `file`: the path from `--config`.
  package init(flags: [String: String], environment: [String: String], file: String?, fileSystem: any FileSystem) throws
  {
    let path = file ?? environment[Self.fileVariable]
    let fileEntries = try path.map { try SettingsFile(path: $0, fileSystem: fileSystem).entries } ?? [:]
    for setting in Setting.all {
      if let text = flags[setting.name] {
        entries[setting.name] = try Self.entry(setting, text, source: "--\(setting.name)")
      } else if let text = environment[setting.environmentVariable] {
        entries[setting.name] = try Self.entry(setting, text, source: setting.environmentVariable)
      } else {
        entries[setting.name] = fileEntries[setting.name] ?? Entry(value: setting.defaultValue, source: "default")
      }
    }
    if entries[Setting.pageCache.name]?.source == "default", case .byteCount(let memory) = self[.memory].value {
      entries[Setting.pageCache.name] = Entry(value: .byteCount(memory / 8), source: "an eighth of memory")
    }
    for (setting, variables) in Self.variablesOfOthers where entries[setting.name]?.source == "default" {
      guard let variable = variables.first(where: { environment[$0]?.isEmpty == false }),
        let text = environment[variable]
      else { continue }
      entries[setting.name] = try Self.entry(setting, text, source: variable)
    }
    let known = Set(Setting.all.map(\.environmentVariable) + [Self.fileVariable])
    unknownVariables = environment.keys.filter {
      $0.hasPrefix("VARVE_") && !$0.hasPrefix("VARVE_TEST_") && !known.contains($0)
    }
    .sorted()
  }

  package subscript(setting: Setting) -> Entry {
    guard let entry = entries[setting.name] else { preconditionFailure("every setting has a value") }
    return entry
  }

  static func entry(_ setting: Setting, _ text: String, source: String) throws(VarveError) -> Entry {
    switch setting.kind.value(of: text) {
    case .success(let value): return Entry(value: value, source: source)
    case .failure(let refusal):
      throw VarveError(.invalidArgument, "\(source): \(setting.name) \(refusal.reason), not '\(text)'")
    }
  }

  /// A settings file with these values, each with the place it came from.
  package var toml: String {
    var out = "# The settings of `varve serve` as they are in effect; usable as a file for --config.\n"
    for setting in Setting.all {
      let entry = self[setting]
      out += "\n# \(setting.help)\n\(setting.name) = \(entry.value.toml)  # \(entry.source)\n"
    }
    return out
  }
}
