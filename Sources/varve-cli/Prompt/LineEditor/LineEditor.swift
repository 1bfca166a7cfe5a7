// A line typed at a terminal, with the keys that hands know from readline: arrows, Home and End, Ctrl-A E B F H D K U
// W Y L P N as they are there, Up and Down through the history, Ctrl-R to search it, Tab to complete.

import VarveServer

final class LineEditor {
  enum Outcome: Equatable {
    case line(String)
    /// Ctrl-C: what was typed is given up.
    case interrupted
    /// Ctrl-D on an empty line, or the terminal is gone.
    case end
  }

  private let terminal: Terminal
  private let keys: KeyReader
  private(set) var history: History
  private var line = LineBuffer()
  private var view = LineView()
  private var isSecondTab = false

  private let complete: (String) -> Completion

  /// `complete`: what Tab offers for the line up to the cursor.
  init(_ terminal: Terminal, _ history: History, complete: @escaping (String) -> Completion) {
    self.terminal = terminal
    self.complete = complete
    self.history = history
    keys = KeyReader(terminal)
  }

  func remember(_ text: String) { history.add(text) }

  func read(prompt: String) throws -> Outcome {
    line = LineBuffer()
    view.reset()
    let outcome = try terminal.raw { try edit(prompt) }
    try StandardStreams.write(outcome == .interrupted ? "^C\n" : "\n")
    return outcome
  }

  private func edit(_ prompt: String) throws -> Outcome {
    /// Where Up and Down have come to; at the end stands what was being typed.
    var place = history.entries.count
    var draft = ""
    func recall(_ index: Int) {
      guard (0...history.entries.count).contains(index) else { return }
      if place == history.entries.count { draft = line.text }
      place = index
      line.set(index == history.entries.count ? draft : history.entries[index])
      view.reset()
    }
    while true {
      // What is pasted is drawn once.
      if !terminal.hasInput { try view.draw(prompt, line) }
      guard let key = try keys.read() else { return .end }
      defer { isSecondTab = key == .scalar("\t") }
      switch key {
      // At a line's beginning a tab is a blank: there is nothing to complete, and what is pasted may be indented.
      case .scalar("\t") where line.textBeforeCursor.contains(where: { !$0.isWhitespace }): try completeWord(prompt)
      case .enter: return try finish(prompt)
      case .control("c"): return .interrupted
      case .control("d") where line.isEmpty: return .end
      case .up, .control("p"): recall(place - 1)
      case .down, .control("n"): recall(place + 1)
      case .control("l"): try StandardStreams.write("\u{1B}[H\u{1B}[2J")
      case .control("r"):
        guard let found = try search() else { continue }
        place = found.index
        draft = ""
        if found.isSubmitted { return try finish(prompt) }
      default: apply(key)
      }
    }
  }

  /// What all candidates have in common; a second Tab in a row lists them.
  private func completeWord(_ prompt: String) throws {
    let completion = complete(line.textBeforeCursor)
    guard let first = completion.candidates.first else { return }
    let common = completion.candidates.dropFirst().reduce(first) { common, other in
      String(zip(common, other).prefix { $0 == $1 }.map(\.0))
    }
    if common.count > completion.replacedCount || completion.candidates.count == 1 {
      line.replace(completion.replacedCount, with: common + Self.tail(completion))
    } else if isSecondTab {
      try list(completion.candidates, prompt)
    }
  }

  /// A blank behind a word that is complete, unless more of it must follow.
  private static func tail(_ completion: Completion) -> String {
    guard completion.candidates.count == 1, let last = completion.candidates[0].last else { return "" }
    return last == "(" || last == "." ? "" : " "
  }

  private func list(_ candidates: [String], _ prompt: String) throws {
    line.moveEnd()
    try view.draw(prompt, line)
    let width = (candidates.map { DisplayWidth.of($0) }.max() ?? 0) + 2
    let perRow = max(1, ((StandardStreams.width(.output) ?? 80) - 1) / width)
    // As many as people look through.
    let shown = candidates.prefix(perRow * 20)
    var text = "\n"
    for (index, candidate) in shown.enumerated() {
      let isLastOfRow = index % perRow == perRow - 1 || index == shown.count - 1
      text += isLastOfRow ? candidate + "\n" : DisplayWidth.padded(candidate, width)
    }
    if shown.count < candidates.count { text += "… \(candidates.count - shown.count) more\n" }
    try StandardStreams.write(text)
  }

  private func finish(_ prompt: String) throws -> Outcome {
    line.moveEnd()
    try view.draw(prompt, line)
    return .line(line.text)
  }

  private func apply(_ key: Key) {
    switch key {
    case .scalar(let scalar): line.insert(scalar)
    case .backspace: line.deleteBackward()
    case .delete, .control("d"): line.deleteForward()
    case .left, .control("b"): line.moveLeft()
    case .right, .control("f"): line.moveRight()
    case .home, .control("a"): line.moveHome()
    case .end, .control("e"): line.moveEnd()
    case .wordLeft: line.moveWordLeft()
    case .wordRight: line.moveWordRight()
    case .control("k"): line.cutToEnd()
    case .control("u"): line.cutToStart()
    case .control("w"): line.cutWord()
    case .control("y"): line.paste()
    default: break
    }
  }

  /// Ctrl-R: the newest entry that holds what is typed; Ctrl-R again, an older one. Enter takes it and ends the line,
  /// Escape, Ctrl-G and Ctrl-C go back to what was there, any other key takes it and is lost. nil: gone back.
  private func search() throws -> (index: Int, isSubmitted: Bool)? {
    let before = line
    var wanted = String.UnicodeScalarView()
    var index = history.entries.count
    func look(from start: Int) {
      let text = String(wanted)
      guard !text.isEmpty,
        let found = history.entries[..<start].lastIndex(where: { Self.contains($0, text) })
      else { return }
      index = found
      line.set(history.entries[found])
    }
    while true {
      view.reset()
      if !terminal.hasInput { try view.draw("(search) '\(String(wanted))': ", line) }
      guard let key = try keys.read() else { return nil }
      switch key {
      case .scalar(let scalar):
        wanted.append(scalar)
        look(from: min(index + 1, history.entries.count))
      case .backspace:
        if !wanted.isEmpty { wanted.removeLast() }
        look(from: history.entries.count)
      case .control("r"): look(from: index)
      case .enter: return (index, true)
      case .escape, .control("c"), .control("g"):
        line = before
        view.reset()
        return nil
      default: return (index, false)
      }
    }
  }

  private static func contains(_ text: String, _ part: String) -> Bool {
    let text = Array(text.lowercased().utf8)
    let part = Array(part.lowercased().utf8)
    guard part.count <= text.count else { return false }
    return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
  }
}
