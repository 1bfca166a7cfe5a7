// Where a data directory keeps what. Files are named by their numeric id; user names never reach the file system.

import VarveCore

package struct StorePaths: Sendable {
  package let root: String
  package init(root: String) { self.root = root }

  package var lock: String { root + "/LOCK" }
  package var reserve: String { root + "/RESERVE" }
  package var log: String { root + "/wal" }
  package var chunks: String { root + "/chunks" }
  package var manifests: String { root + "/manifest" }
  package var series: String { root + "/series" }
  package var dimensions: String { root + "/dimensions" }
  package var quarantine: String { root + "/quarantine" }

  package func segment(_ id: FileID) -> String { "\(log)/\(Self.name(id, "wal"))" }
  package func chunk(_ id: FileID) -> String { "\(chunks)/\(Self.name(id, "chunk"))" }
  package func manifest(_ id: FileID) -> String { "\(manifests)/\(Self.name(id, "manifest"))" }
  package func seriesFile(_ id: FileID) -> String { "\(series)/\(Self.name(id, "series"))" }

  package func dimension(_ id: FileID) -> String { "\(dimensions)/\(Self.name(id, "dimension"))" }

  /// Twelve digits, so that names sort as ids do.
  package static func name(_ id: FileID, _ suffix: String) -> String {
    digits(id) + "." + suffix
  }

  package static func digits(_ id: FileID) -> String {
    let digits = String(id.rawValue)
    return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
  }

  /// The id in a name that `name` made; nil for any other.
  package static func id(of name: String, suffix: String) -> FileID? {
    guard name.hasSuffix("." + suffix) else { return nil }
    let digits = name.dropLast(suffix.count + 1)
    guard digits.count >= 12, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let value = UInt64(digits), value > 0,
      value <= UInt64(UInt32.max)
    else { return nil }
    return FileID(rawValue: value)
  }
}
