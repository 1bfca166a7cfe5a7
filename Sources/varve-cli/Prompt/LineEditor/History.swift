// Statements of before, oldest first, kept in a file that only its owner reads. A statement of several lines is one
// entry. In the file each entry is a line: `\n` stands for a line's end, `\\` for a backslash.

import VarveServer

struct History {
  private static let entryLimit = 1000
  private static let byteLimit = 1 << 20

  private(set) var entries: [String] = []
  /// nil: nothing is kept.
  private let file: PrivateFile?

  init(_ file: PrivateFile?) {
    self.file = file
    guard let bytes = file?.read(limit: Self.byteLimit) else { return }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    // Of a file that is too large the first line is a part of one.
    entries = Array((bytes.count == Self.byteLimit ? lines.dropFirst() : lines[...]).suffix(Self.entryLimit))
      .map(Self.decoded)
    if lines.count > Self.entryLimit || bytes.count == Self.byteLimit { rewrite() }
  }

  /// Not what is empty, or the same as the last.
  mutating func add(_ text: String) {
    var entry = Substring(text)
    while entry.last?.isWhitespace == true { entry = entry.dropLast() }
    guard !entry.isEmpty, entries.last != String(entry) else { return }
    entries.append(String(entry))
    if entries.count > Self.entryLimit { entries.removeFirst() }
    keep { try $0.append(Array((Self.encoded(String(entry)) + "\n").utf8)) }
  }

  private func rewrite() {
    let text = entries.map { Self.encoded($0) + "\n" }.joined()
    keep { try $0.replace(Array(text.utf8)) }
  }

  private func keep(_ body: (PrivateFile) throws -> Void) {
    guard let file else { return }
    // A history that cannot be kept is no reason to stop, nor to say so at each statement.
    do { try body(file) } catch {}
  }

  private static func encoded(_ text: String) -> String {
    var encoded = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": encoded.append(contentsOf: "\\\\".unicodeScalars)
      case "\n": encoded.append(contentsOf: "\\n".unicodeScalars)
      default: encoded.append(scalar)
      }
    }
    return String(encoded)
  }

  private static func decoded(_ line: String) -> String {
    var text = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in line.unicodeScalars {
      if isEscaped {
        text.append(scalar == "n" ? "\n" : scalar)
        isEscaped = false
      } else if scalar == "\\" {
        isEscaped = true
      } else {
        text.append(scalar)
      }
    }
    return String(text)
  }
}
