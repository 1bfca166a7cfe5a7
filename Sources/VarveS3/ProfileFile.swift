// The files that AWS's tools keep credentials and settings in (docs.aws.amazon.com/sdkref/latest/guide/file-format.html):
// sections of `name = value` lines.
//
//   [default]                      credentials file          [profile backup]     config file
//   aws_access_key_id = AKIA…                                region = eu-west-1
//
// Lines that begin with `#` or `;`, and what stands behind ` #` or ` ;`, are comments. Indented lines belong to the
// setting above them, and are passed over.

import VarveCore
import VarveIO

struct ProfileFile {
  private var sections: [String: [String: String]] = [:]

  /// nil where there is no such file. Throws what keeps it from being read.
  init?(_ path: String, files: any FileSystem) throws {
    let bytes: [UInt8]
    do { bytes = try files.readAll(path, limit: Limits.profileFileByteCount) } catch let error as VarveError
      where error.code == .notFound
    {
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VarveError(.invalidUTF8, "the file is not UTF-8", place: path)
    }
    try self.init(text, path: path)
  }

  init(_ text: String, path: String) throws {
    var section: String?
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      func refuse(_ what: String) -> VarveError {
        VarveError(.syntax, "line \(index + 1) \(what)", hint: "a line is [section] or name = value", place: path)
      }
      let content = Self.withoutComment(line)
      guard let first = line.first, !Self.isBlank(content) else { continue }
      if first == "[" {
        guard content.hasSuffix("]") else { throw refuse("has no ] at its end") }
        let name = Self.sectionName(content.dropFirst().dropLast())
        sections[name, default: [:]] = sections[name] ?? [:]
        section = name
      } else if first != " ", first != "\t" {
        guard let equals = content.firstIndex(of: "=") else { throw refuse("is no setting") }
        guard let section else { throw refuse("stands before any section") }
        let name = Self.trimmed(content[..<equals]).lowercased()
        sections[section]?[name] = Self.trimmed(content[content.index(after: equals)...])
      }
    }
  }

  /// The settings of a profile, wherever the file says them; nil if it is not in the file.
  subscript(profile: String) -> [String: String]? { sections["profile \(profile)"] ?? sections[profile] }

  /// `profile  x` with one space.
  private static func sectionName(_ text: Substring) -> String {
    text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
  }

  private static func withoutComment(_ line: Substring) -> Substring {
    var end = line.endIndex
    var isBehindSpace = true
    for index in line.indices {
      if isBehindSpace, line[index] == "#" || line[index] == ";" {
        end = index
        break
      }
      isBehindSpace = line[index] == " " || line[index] == "\t"
    }
    var content = line[..<end]
    while let last = content.last, last == " " || last == "\t" { content = content.dropLast() }
    return content
  }

  private static func isBlank(_ text: Substring) -> Bool { text.allSatisfy { $0 == " " || $0 == "\t" } }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
    return String(text)
  }
}
