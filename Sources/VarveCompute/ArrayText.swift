// Arrays of one dimension as text: `{1,NULL,"a b"}`.

import VarveCore

enum ArrayText {
  static func append(
    _ elements: [Datum], element: SQLType, to out: Buffer<UInt8>, context: EvaluationContext
  ) throws {
    out.append(UInt8(ascii: "{"))
    for (i, datum) in elements.enumerated() {
      if i > 0 { out.append(UInt8(ascii: ",")) }
      if datum.isNull {
        TypeText.append("NULL", to: out)
        continue
      }
      let text = Buffer<UInt8>()
      try TypeText.append(datum, type: element, to: text, context: context)
      let span = text.span
      let plain =
        span.count > 0
        && !span.contains {
          switch $0 {
          case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\\"): true
          default: TypeText.isSpace($0)
          }
        } && !(span.count == 4 && TypeText.string(span).uppercased() == "NULL")
      if plain {
        out.append(span)
        continue
      }
      out.append(UInt8(ascii: "\""))
      for c in span {
        if c == UInt8(ascii: "\"") || c == UInt8(ascii: "\\") { out.append(UInt8(ascii: "\\")) }
        out.append(c)
      }
      out.append(UInt8(ascii: "\""))
    }
    out.append(UInt8(ascii: "}"))
  }

  static func parse(
    _ text: UnsafeBufferPointer<UInt8>, element: SQLType, context: EvaluationContext
  ) throws -> [Datum] {
    func malformed() -> VarveError {
      SQLError.make("22P02", "malformed array literal: \"\(TypeText.string(text))\"")
    }
    var i = 0
    func skipSpace() { while i < text.count, TypeText.isSpace(text[i]) { i += 1 } }
    skipSpace()
    guard i < text.count, text[i] == UInt8(ascii: "{") else { throw malformed() }
    i += 1
    var result: [Datum] = []
    skipSpace()
    if i < text.count, text[i] == UInt8(ascii: "}") {
      i += 1
    } else {
      while true {
        skipSpace()
        guard i < text.count else { throw malformed() }
        var bytes: [UInt8] = []
        var quoted = false
        if text[i] == UInt8(ascii: "{") { throw SQLError.unsupported("arrays of several dimensions are not supported") }
        if text[i] == UInt8(ascii: "\"") {
          quoted = true
          i += 1
          while true {
            guard i < text.count else { throw malformed() }
            if text[i] == UInt8(ascii: "\"") { break }
            if text[i] == UInt8(ascii: "\\") {
              i += 1
              guard i < text.count else { throw malformed() }
            }
            bytes.append(text[i])
            i += 1
          }
          i += 1
          skipSpace()
        } else {
          var keep = 0
          while i < text.count, text[i] != UInt8(ascii: ","), text[i] != UInt8(ascii: "}") {
            if text[i] == UInt8(ascii: "{") || text[i] == UInt8(ascii: "\"") { throw malformed() }
            if text[i] == UInt8(ascii: "\\") {
              i += 1
              guard i < text.count else { throw malformed() }
              quoted = true
              keep = bytes.count + 1
            } else if !TypeText.isSpace(text[i]) {
              keep = bytes.count + 1
            }
            bytes.append(text[i])
            i += 1
          }
          bytes.removeLast(bytes.count - keep)
          if bytes.isEmpty { throw malformed() }
        }
        if !quoted, bytes.count == 4, String(decoding: bytes, as: UTF8.self).uppercased() == "NULL" {
          result.append(.null)
        } else {
          result.append(
            try bytes.withUnsafeBufferPointer { try TypeText.parse(bytes: $0, as: element, context: context) })
        }
        guard i < text.count else { throw malformed() }
        if text[i] == UInt8(ascii: ",") {
          i += 1
          continue
        }
        guard text[i] == UInt8(ascii: "}") else { throw malformed() }
        i += 1
        break
      }
    }
    skipSpace()
    guard i == text.count else { throw malformed() }
    return result
  }
}
