// What an import has done so far, and how it is told.

import Synchronization
import VarveCore
import VarveServer
import VarveWire

final class ImportReport: Sendable {
  private struct State: Sendable {
    var file = ""
    var lines = 0
    var rows = 0
    var rejected = 0
    var first: [String] = []
    var failure: VarveError?
  }

  /// Rejections that the summary spells out.
  private static let spelledOut = 10

  private let state = Mutex(State())
  /// Written only under the lock of `state`.
  private let rejects: RejectsFile?

  /// Unchecked: see `rejects`.
  private final class RejectsFile: @unchecked Sendable {
    let file: OutputFile
    init(_ file: OutputFile) { self.file = file }
  }

  init(rejectsPath: String?) throws { rejects = try rejectsPath.map { RejectsFile(try OutputFile($0)) } }

  var rowsWritten: Int { state.withLock { $0.rows } }
  var hasRejections: Bool { state.withLock { $0.rejected > 0 } }

  func begin(_ file: String) { state.withLock { $0.file = file } }
  func end(lines: Int) { state.withLock { $0.lines += lines } }
  func reject(_ summary: RejectionSummary) { add(rows: 0, summary) }

  /// Any thread.
  func add(rows: Int, _ summary: RejectionSummary) {
    state.withLock { state in
      state.rows += rows
      state.rejected += summary.count
      for rejection in summary.rejections {
        let text =
          "\(state.file):\(rejection.line):\(rejection.column): \(rejection.code.rawValue): \(rejection.message)"
        if state.first.count < Self.spelledOut { state.first.append(text) }
        do { try rejects?.file.write(text + "\n") } catch { state.failure = state.failure ?? asVarveError(error) }
      }
      let unnamed = summary.count - summary.rejections.count
      if unnamed > 0 {
        let text = "\(state.file): \(unnamed) more lines, which the server did not list\n"
        do { try rejects?.file.write(text) } catch { state.failure = state.failure ?? asVarveError(error) }
      }
    }
  }

  func printSummary() throws {
    let state = state.withLock { $0 }
    for line in state.first { StandardStreams.note(line) }
    if state.rejected > state.first.count {
      StandardStreams.note(
        "… \(state.rejected - state.first.count) more\(rejects == nil ? "; --rejects FILE lists them all" : "")")
    }
    try StandardStreams.write(
      "lines read: \(state.lines), rows written: \(state.rows), lines rejected: \(state.rejected)\n")
    if let failure = state.failure { throw failure }
  }

  private func asVarveError(_ error: any Error) -> VarveError {
    error as? VarveError ?? VarveError(.inputOutput, "\(error)")
  }
}
