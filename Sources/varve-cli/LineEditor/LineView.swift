// The edited line on one row of the terminal: what does not fit is scrolled sideways, so that the cursor is in sight.

import VarveServer

struct LineView {
  private var firstVisible = 0

  /// Draws the row anew, in one write.
  mutating func draw(_ prompt: String, _ line: LineBuffer) throws {
    let columns = max(20, StandardStreams.width(.output) ?? 80)
    let promptWidth = prompt.reduce(0) { $0 + Self.width($1) }
    let room = max(10, columns - promptWidth - 1)
    firstVisible = min(firstVisible, line.cursor)
    while Self.width(line.characters[firstVisible..<line.cursor]) > room { firstVisible += 1 }
    var shown = ""
    var shownWidth = 0
    for character in line.characters[firstVisible...] {
      let width = Self.width(character)
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

  private static func width(_ characters: ArraySlice<Character>) -> Int { characters.reduce(0) { $0 + width($1) } }

  /// Columns: two for East Asian wide characters and emoji, none for a mark alone.
  static func width(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    if scalar.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
      return 2
    default: break
    }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return 1
    }
  }
}
