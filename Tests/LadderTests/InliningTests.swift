// What is marked to be inlined into other modules can be. The compiler says nothing where it cannot: members of a
// package type stay behind calls unless the type itself is @usableFromInline.

import Foundation
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

@Test func inlinableMembersAreOfTypesThatOtherModulesMayInline() throws {
  let declaration = /^(?<attributes>.*\b|)package (?:final class|struct|enum) (?<name>\w+)/
  let sources = root.appendingPathComponent("Sources").resolvingSymlinksInPath()
  guard let files = FileManager.default.enumerator(atPath: sources.path) else {
    Issue.record("the sources are not there")
    return
  }
  var members = 0
  for case let file as String in files where file.hasSuffix(".swift") {
    let text = try String(contentsOf: sources.appendingPathComponent(file), encoding: .utf8)
    /// The type at the margin that the line is in.
    var type = ""
    var isUsable = true
    for line in text.split(separator: "\n") {
      if let match = line.prefixMatch(of: declaration) {
        type = String(match.name)
        isUsable = match.attributes.contains("@usableFromInline")
      } else if line.hasPrefix("}") {
        (type, isUsable) = ("", true)
      }
      guard line.hasPrefix(" "), line.contains("@inlinable package") else { continue }
      members += 1
      #expect(isUsable, "\(file): \(type) has inlinable members and is not @usableFromInline")
    }
  }
  #expect(members > 40, "the members were not found")
}
