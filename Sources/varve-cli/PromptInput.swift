// Where the lines of a prompt come from: a terminal with editing and history, or any other input line by line.

import VarveServer

final class PromptInput {
  /// nil: no terminal that could be edited on.
  private let editor: LineEditor?
  private let isInteractive = StandardStreams.isTerminal(.input)

  init() {
    let home = ProcessEnvironment.variables()["HOME"].flatMap { $0.isEmpty ? nil : $0 }
    editor = Terminal().map { LineEditor($0, History(home.map { PrivateFile($0 + "/.varve_history") })) }
    if isInteractive { StandardStreams.note("varve: \\? for help, \\q to leave") }
  }

  func read(prompt: String) throws -> LineEditor.Outcome {
    if let editor { return try editor.read(prompt: prompt) }
    if isInteractive { try StandardStreams.write(prompt) }
    return readLine().map { .line($0) } ?? .end
  }

  func remember(_ text: String) { editor?.remember(text) }

  /// Whether what was begun is given up at the end of the input, as people mean it, or run, as files do.
  var endGivesUp: Bool { isInteractive }
}
