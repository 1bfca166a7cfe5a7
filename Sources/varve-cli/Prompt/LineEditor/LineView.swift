// The edited line on one row of the terminal: what does not fit is scrolled sideways, so that the cursor is in sight.

import VarveServer

struct LineView {
  private var firstVisible = 0

  /// Draws the row anew, in one write.
  mutating func draw(_ prompt: String, _ line: LineBuffer) throws {
    let columns = max(20, StandardStreams.width(.output) ?? 80)
    let promptWidth = DisplayWidth.of(prompt)
    let room = max(10, columns - promptWidth - 1)
    firstVisible = min(firstVisible, line.cursor)
    while Self.width(line.characters[firstVisible..<line.cursor]) > room { firstVisible += 1 }
    var shown = ""
    var shownWidth = 0
    for character in line.characters[firstVisible...] {
      let width = DisplayWidth.of(character)
      if shownWidth + width > room { break }
      shown.append(Self.visible(character))
      shownWidth += width
    }
    let column = promptWidth + Self.width(line.characters[firstVisible..<line.cursor])
    try StandardStreams.write("\r\(prompt)\(shown)\u{1B}[K\r" + (column > 0 ? "\u{1B}[\(column)C" : ""))
  }

  mutating func reset() { firstVisible = 0 }

  /// A line's end and other controls as something with a width.
  private static func visible(_ character: Character) -> Character {
    if character.isNewline { return "↵" }
    guard let scalar = character.unicodeScalars.first, scalar.value < 0x20 || scalar.value == 0x7F else {
      return character
    }
    return scalar == "\t" ? " " : "?"
  }

  private static func width(_ characters: ArraySlice<Character>) -> Int {
    characters.reduce(0) { $0 + DisplayWidth.of($1) }
  }
}
