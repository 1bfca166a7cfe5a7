// A second process that writes a directory: this test program once more, told by its environment what to be.

import Foundation
import Synchronization
import Testing
import Varve
import VarveStorage

/// The parent's side: starts it, and talks with it through files beside the database.
final class WriterProcess {
  private static let variable = "VARVE_TEST_WRITER"
  private let scratch: Scratch
  private let process = Process()

  init(_ scratch: Scratch) throws {
    self.scratch = scratch
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = ["--testing-library", "swift-testing", "--filter", "theOtherProcess"]
    process.environment = ProcessInfo.processInfo.environment.merging([Self.variable: scratch.path]) { $1 }
    // A file and no pipe: nobody has to empty it.
    FileManager.default.createFile(atPath: scratch.path + "/log", contents: nil)
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.path + "/log"))
    process.standardOutput = output
    process.standardError = output
    try process.run()
  }

  var identifier: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }
  var hasSucceeded: Bool { !process.isRunning && process.terminationStatus == 0 }

  /// It holds the directory and waits.
  func waitUntilReady() async throws {
    while process.isRunning, !FileManager.default.fileExists(atPath: scratch.path + "/ready") {
      try await Task.sleep(for: .milliseconds(5))
    }
    if !process.isRunning { Issue.record("the other process ended: \(log)") }
  }

  func goOn() throws { try Data().write(to: URL(fileURLWithPath: scratch.path + "/go-on")) }

  /// The last row that it has an answer for. It notes each with one byte.
  var acknowledged: Int {
    get throws { try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/acknowledged")).count }
  }

  var log: String {
    do { return try String(contentsOfFile: scratch.path + "/log", encoding: .utf8) } catch { return "\(error)" }
  }

  func kill() { if process.isRunning { process.terminate() } }

  // MARK: The other process

  /// Set in the other process: where to work.
  static var directory: String? { ProcessInfo.processInfo.environment[variable] }

  static func run(_ directory: String) async throws {
    let database = try Database.openBlocking(directory + "/db", options: .init()) { $0.makeFilesSmall() }
    FileManager.default.createFile(atPath: directory + "/acknowledged", contents: nil)
    let note = try FileHandle(forWritingTo: URL(fileURLWithPath: directory + "/acknowledged"))
    try Data().write(to: URL(fileURLWithPath: directory + "/ready"))
    // A minute at most: a parent that died lets nobody go on.
    for _ in 0..<12_000 where !FileManager.default.fileExists(atPath: directory + "/go-on") {
      try await Task.sleep(for: .milliseconds(5))
    }
    try await writeAndSealOften(database, 1...200) { _ in note.write(Data([1])) }
    try await database.close()
  }
}

extension StoreOptions {
  /// So that a few rows fill several files.
  mutating func makeFilesSmall() {
    segmentByteCount = 8192
    manifestByteCount = 4096
  }
}

/// Row n of table `t`, commit after commit, and every so often another table that is dropped again.
func writeAndSealOften(_ database: Database, _ numbers: ClosedRange<Int>, acknowledged: (Int) -> Void) async throws {
  for number in numbers {
    try await database.write([point(number)])
    acknowledged(number)
    if number % 5 == 0 { try await database.write([point(number, table: "gone")]) }
    if number % 7 == 0 { try await database.flush() }
    if number % 10 == 0 { try await database.query("DROP TABLE gone") }
  }
}
