// A directory of a command's own below TMPDIR, which the command removes with all that is in it.

import Glibc
import VarveCore
import VarveIO

package struct TemporaryDirectory: Sendable {
  package let path: String

  /// The name begins with `prefix`.
  package init(prefix: String) throws {
    let parent = ProcessEnvironment.variables()["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw VarveError(
        .inputOutput, "cannot make a directory in \(parent): \(String(cString: strerror(errno)))",
        hint: "TMPDIR names another place")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package func remove() throws { try Self.remove(path) }

  private static func remove(_ path: String) throws {
    // Takes a file, a link or an empty directory.
    if Glibc.remove(path) == 0 { return }
    guard errno == ENOTEMPTY || errno == EEXIST else {
      throw VarveError(.inputOutput, "cannot remove \(path): \(String(cString: strerror(errno)))")
    }
    for name in try PosixFileSystem().list(path) { try remove("\(path)/\(name)") }
    guard Glibc.remove(path) == 0 else {
      throw VarveError(.inputOutput, "cannot remove \(path): \(String(cString: strerror(errno)))")
    }
  }
}
