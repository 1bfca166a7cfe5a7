// The line that is edited: characters as people see them, and a place between two of them.

struct LineBuffer {
  private(set) var characters: [Character] = []
  private(set) var cursor = 0
  /// What was cut last, for Ctrl-Y.
  private var cut: [Character] = []

  var text: String { String(characters) }
  var textBeforeCursor: String { String(characters[..<cursor]) }
  var isEmpty: Bool { characters.isEmpty }

  mutating func set(_ text: String) {
    characters = Array(text)
    cursor = characters.count
  }

  mutating func insert(_ scalar: Unicode.Scalar) {
    // A mark that combines with the character before belongs to it.
    if cursor > 0, let joined = Self.joined(characters[cursor - 1], scalar) {
      characters[cursor - 1] = joined
    } else {
      characters.insert(Character(scalar), at: cursor)
      cursor += 1
    }
  }

  /// The characters before the cursor by others.
  mutating func replace(_ count: Int, with text: String) {
    let start = max(0, cursor - count)
    characters.replaceSubrange(start..<cursor, with: Array(text))
    cursor = start + text.count
  }

  private static func joined(_ character: Character, _ scalar: Unicode.Scalar) -> Character? {
    let text = String(String.UnicodeScalarView(character.unicodeScalars + [scalar]))
    return text.count == 1 ? text.first : nil
  }

  mutating func moveLeft() { cursor = max(0, cursor - 1) }
  mutating func moveRight() { cursor = min(characters.count, cursor + 1) }
  mutating func moveHome() { cursor = 0 }
  mutating func moveEnd() { cursor = characters.count }
  mutating func moveWordLeft() { cursor = wordStart }
  mutating func moveWordRight() {
    while cursor < characters.count, !isWord(cursor) { cursor += 1 }
    while cursor < characters.count, isWord(cursor) { cursor += 1 }
  }

  mutating func deleteBackward() {
    if cursor == 0 { return }
    cursor -= 1
    characters.remove(at: cursor)
  }

  mutating func deleteForward() { if cursor < characters.count { characters.remove(at: cursor) } }
  mutating func cutToStart() { remove(0..<cursor) }
  mutating func cutToEnd() { remove(cursor..<characters.count) }
  mutating func cutWord() { remove(wordStart..<cursor) }

  mutating func paste() {
    characters.insert(contentsOf: cut, at: cursor)
    cursor += cut.count
  }

  private mutating func remove(_ range: Range<Int>) {
    if range.isEmpty { return }
    cut = Array(characters[range])
    characters.removeSubrange(range)
    cursor = range.lowerBound
  }

  private var wordStart: Int {
    var index = cursor
    while index > 0, !isWord(index - 1) { index -= 1 }
    while index > 0, isWord(index - 1) { index -= 1 }
    return index
  }

  private func isWord(_ index: Int) -> Bool {
    characters[index].isLetter || characters[index].isNumber || characters[index] == "_"
  }
}
