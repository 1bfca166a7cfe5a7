// LIKE: `_` is one character, `%` any number, the escape takes the next one literally.

import VarveCore

struct LikePattern {
  enum Element: Equatable { case literal(UInt8), one, any, danglingEscape }
  let elements: [Element]
  let ignoresCase: Bool

  /// `escape` nil: none.
  init(_ pattern: UnsafeBufferPointer<UInt8>, ignoresCase: Bool, escape: UInt8? = UInt8(ascii: "\\")) {
    var elements: [Element] = []
    var source = Array(pattern)
    if ignoresCase { source = LikePattern.folded(source) }
    var i = 0
    while i < source.count {
      let c = source[i]
      if let escape, c == escape {
        guard i + 1 < source.count else {
          elements.append(.danglingEscape)
          break
        }
        i += 1
        elements.append(.literal(source[i]))
      } else if c == UInt8(ascii: "%") {
        if elements.last != .any { elements.append(.any) }
      } else if c == UInt8(ascii: "_") {
        elements.append(.one)
      } else {
        elements.append(.literal(c))
      }
      i += 1
    }
    self.elements = elements
    self.ignoresCase = ignoresCase
  }

  static func folded(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.allSatisfy({ $0 < 0x80 }) { return bytes.map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 32 : $0 } }
    return Array(String(decoding: bytes, as: UTF8.self).lowercased().utf8)
  }

  /// Throws 22025 when matching comes to an escape at the pattern's end, as PostgreSQL does then and only then.
  func matches(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
    if ignoresCase { return try LikePattern.folded(Array(text)).withUnsafeBufferPointer { try match($0) } }
    return try match(text)
  }

  /// Greedy with one point of return: the last `%` is enough.
  private func match(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
    var t = 0
    var p = 0
    var retryPattern = -1
    var retryText = 0
    func skipCharacter(_ at: Int) -> Int {
      var next = at + 1
      while next < text.count, text[next] & 0xC0 == 0x80 { next += 1 }
      return next
    }
    while true {
      if p < elements.count, elements[p] == .any {
        retryPattern = p + 1
        retryText = t
        p += 1
        continue
      }
      if t < text.count, p < elements.count {
        switch elements[p] {
        case .literal(let c) where c == text[t]:
          t += 1
          p += 1
          continue
        case .one:
          t = skipCharacter(t)
          p += 1
          continue
        case .danglingEscape:
          throw SQLError.make("22025", "LIKE pattern must not end with escape character")
        default: break
        }
      } else if t == text.count, p == elements.count {
        return true
      }
      guard retryPattern >= 0, retryText < text.count else { return false }
      retryText = skipCharacter(retryText)
      t = retryText
      p = retryPattern
    }
  }
}
