// Bytes of a terminal → keys: UTF-8, control characters, and the escape sequences of the keys that move.

import VarveServer

enum Key: Equatable {
  case scalar(Unicode.Scalar)
  case enter, backspace, delete
  case left, right, up, down, home, end, wordLeft, wordRight
  /// A letter with Ctrl held.
  case control(Character)
  case escape
  /// A key that means nothing here.
  case other
}

final class KeyReader {
  /// A sequence's bytes come together; Escape alone is followed by nothing for so long.
  private static let escapeMilliseconds = 50

  private let terminal: Terminal
  /// A byte that was read and belongs to the next key.
  private var ahead: UInt8?

  init(_ terminal: Terminal) { self.terminal = terminal }

  private func next(_ milliseconds: Int? = nil) throws -> UInt8? {
    defer { ahead = nil }
    return try ahead ?? terminal.readByte(milliseconds: milliseconds)
  }

  /// nil: the input is over.
  func read() throws -> Key? {
    guard let byte = try next() else { return nil }
    switch byte {
    case 0x0A, 0x0D: return .enter
    case 0x08, 0x7F: return .backspace
    case 0x09: return .scalar("\t")
    case 0x1B: return try escape()
    case 0x00..<0x20: return .control(Character(Unicode.Scalar(byte | 0x60)))
    case 0x20..<0x80: return .scalar(Unicode.Scalar(byte))
    default: return try scalar(byte)
    }
  }

  private func scalar(_ first: UInt8) throws -> Key {
    var bytes = [first]
    let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
    while bytes.count < count, let byte = try next(Self.escapeMilliseconds) {
      // What breaks off is passed over, and not what follows it.
      guard byte & 0xC0 == 0x80 else {
        ahead = byte
        break
      }
      bytes.append(byte)
    }
    guard let text = String(validating: bytes, as: UTF8.self), let scalar = text.unicodeScalars.first else {
      return .other
    }
    return .scalar(scalar)
  }

  private func escape() throws -> Key {
    guard let byte = try next(Self.escapeMilliseconds) else { return .escape }
    switch byte {
    case UInt8(ascii: "["), UInt8(ascii: "O"): return try sequence()
    case UInt8(ascii: "b"): return .wordLeft
    case UInt8(ascii: "f"): return .wordRight
    default: return .other
    }
  }

  /// `ESC [ parameters final`: the parameters are read to know where the sequence ends.
  private func sequence() throws -> Key {
    var parameters = ""
    while let byte = try next(Self.escapeMilliseconds) {
      guard (0x40...0x7E).contains(byte) else {
        parameters.unicodeScalars.append(Unicode.Scalar(byte))
        continue
      }
      // With Ctrl or Alt held: `1;5C`.
      let isModified = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
      switch Unicode.Scalar(byte) {
      case "A": return .up
      case "B": return .down
      case "C": return isModified ? .wordRight : .right
      case "D": return isModified ? .wordLeft : .left
      case "H": return .home
      case "F": return .end
      case "~":
        switch parameters {
        case "1", "7": return .home
        case "4", "8": return .end
        case "3": return .delete
        default: return .other
        }
      default: return .other
      }
    }
    return .other
  }
}
