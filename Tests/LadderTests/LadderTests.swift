// The ladder of ARCHITECTURE.md, held to by the sources and the manifest.

import Foundation
import Testing

/// What each target may import of our own and of others' modules; the standard library's are free to all.
private let ladder: [String: Set<String>] = [
  "VarveCore": ["CVarve"],
  "VarveIO": ["VarveCore", "CVarve", "CURing"],
  "VarveFormat": ["VarveCore", "CVarve", "CZstd", "CLZ4"],
  "VarveCompute": ["VarveCore", "CVarve", "CPCRE2"],
  "VarveStorage": ["VarveCore", "VarveIO", "VarveFormat", "CVarve"],
  "VarveArchive": ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "CVarve", "CZstd", "CZlib"],
  "VarveRollup": ["VarveCore", "VarveFormat"],
  "VarveQuery": [
    "VarveCore", "VarveCompute", "VarveFormat", "VarveStorage", "VarveRollup", "CVarve", "CPgQuery",
  ],
  "Varve": [
    "VarveCore", "VarveIO", "VarveCompute", "VarveFormat", "VarveStorage", "VarveArchive", "VarveRollup", "VarveQuery",
  ],
  "VarveWire": ["VarveCore", "CVarve"],
  "VarveS3": [
    "VarveCore", "VarveIO", "VarveFormat", "VarveArchive", "VarveWire", "AsyncHTTPClient", "Crypto", "NIOCore",
    "NIOHTTP1", "NIOPosix", "NIOSSL",
  ],
  "VarveServer": [
    "VarveCore", "VarveIO", "VarveCompute", "VarveStorage", "VarveArchive", "VarveQuery", "Varve", "VarveWire",
    "CVarve",
    "CZlib", "Logging", "NIOCore", "NIOConcurrencyHelpers", "NIOPosix", "NIOHTTP1", "NIOHTTPCompression", "TOMLKit",
  ],
  "VarveBench": ["VarveCore", "VarveIO", "VarveServer"],
  "varve-cli": [
    "VarveCore", "VarveIO", "VarveCompute", "VarveStorage", "VarveArchive", "VarveQuery", "Varve", "VarveWire",
    "VarveServer", "VarveS3", "VarveBench", "ArgumentParser",
  ],
]

/// Targets that may call the system.
private let systemCallers: Set<String> = ["VarveIO", "VarveServer"]
private let systemModules: Set<String> = ["Glibc", "Musl", "Dispatch", "Foundation"]
private let freeModules: Set<String> = ["Swift", "Synchronization", "_Concurrency"]

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

private struct Import: CustomStringConvertible {
  let target: String
  let file: String
  let module: String
  var description: String { "\(file) imports \(module)" }
}

private func targets() throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Sources").path).sorted()
    .filter { ladder[$0] != nil || !$0.hasPrefix("C") }
}

private func imports(of target: String) throws -> [Import] {
  let folder = root.appendingPathComponent("Sources/\(target)")
  let pattern =
    /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |package |internal |fileprivate |private )?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?([A-Za-z_]\w*)/
  var found: [Import] = []
  guard let files = FileManager.default.enumerator(atPath: folder.path) else { return [] }
  for case let name as String in files where name.hasSuffix(".swift") {
    let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    for line in text.split(separator: "\n") {
      if let match = line.prefixMatch(of: pattern) {
        found.append(Import(target: target, file: "\(target)/\(name)", module: String(match.1)))
      }
    }
  }
  return found
}

@Test func eachTargetOfTheLadderIsThereAndNoOther() throws {
  #expect(try targets() == ladder.keys.sorted())
}

@Test func eachTargetImportsOnlyWhatStandsBelowIt() throws {
  var count = 0
  for target in try targets() {
    for found in try imports(of: target) {
      count += 1
      if freeModules.contains(found.module) || systemModules.contains(found.module) { continue }
      #expect(ladder[target]?.contains(found.module) == true, "\(found)")
    }
  }
  #expect(count > 100, "the imports were not found")
}

@Test func systemCallsAreMadeOnlyInTheirPlaces() throws {
  for target in try targets() {
    for found in try imports(of: target) where systemModules.contains(found.module) {
      #expect(systemCallers.contains(target) && found.module == "Glibc", "\(found)")
    }
  }
}

@Test func theManifestDeclaresTheLadder() throws {
  let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
  for (target, allowed) in ladder {
    guard
      let name = manifest.firstRange(of: "arget(name: \"\(target)\",")
        ?? manifest.firstRange(of: "      name: \"\(target)\",")
    else {
      Issue.record("\(target) is not in Package.swift")
      continue
    }
    let rest = manifest[name.upperBound...]
    // The list ends at the bracket that closes the call.
    let list = rest.prefix(upTo: rest.firstRange(of: "])")?.lowerBound ?? rest.endIndex)
    let declared = list.matches(of: /product\(name: "(\w+)"|"([\w-]+)"(?!\))/).compactMap { $0.1 ?? $0.2 }.map(
      String.init)
    #expect(Set(declared) == allowed, "\(target)")
  }
}

@Test func theEmbeddedProductLinksNoServer() throws {
  var reached: Set<String> = ["Varve"]
  var pending = ["Varve"]
  while let target = pending.popLast() {
    for next in ladder[target] ?? [] where reached.insert(next).inserted { pending.append(next) }
  }
  #expect(
    reached.isDisjoint(with: [
      "VarveServer", "VarveWire", "VarveS3", "NIOCore", "NIOPosix", "NIOHTTP1", "Logging", "TOMLKit", "AsyncHTTPClient",
      "Crypto",
    ]))
}
