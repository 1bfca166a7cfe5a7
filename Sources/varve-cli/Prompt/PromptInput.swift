// Where the lines of a prompt come from: a terminal with editing and history, or any other input line by line.

import VarveServer

final class PromptInput: StatementInput {
  /// nil: no terminal that could be edited on.
  private let editor: LineEditor?
  let isInteractive = StandardStreams.isTerminal(.input)

  init(_ completer: Completer) {
    editor = Terminal().map { terminal in
      LineEditor(terminal, History(Self.historyFile), complete: { completer.complete($0) })
    }
    if isInteractive { StandardStreams.note("varve: \\? for help, \\q to leave") }
  }

  /// VARVE_HISTORY names it; empty: nothing is kept.
  private static var historyFile: PrivateFile? {
    let variables = ProcessEnvironment.variables()
    if let path = variables["VARVE_HISTORY"] { return path.isEmpty ? nil : PrivateFile(path) }
    let home = variables["HOME"].flatMap { $0.isEmpty ? nil : $0 }
    return home.map { PrivateFile($0 + "/.varve_history") }
  }

  func read(prompt: String) throws -> LineEditor.Outcome {
    if let editor { return try editor.read(prompt: prompt) }
    if isInteractive { try StandardStreams.write(prompt) }
    return readLine().map { .line($0) } ?? .end
  }

  func remember(_ text: String) { editor?.remember(text) }
  var endGivesUp: Bool { isInteractive }
}
