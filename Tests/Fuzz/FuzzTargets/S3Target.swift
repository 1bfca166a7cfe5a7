// What object stores answer: bodies, headers. Whatever is read must be the same when its text is written again.

import VarveCore
import VarveWire

@Sendable func fuzzS3(_ bytes: [UInt8]) {
  if let element = XMLElement(bytes) {
    let again = XMLElement(Array(xml(element).utf8))
    // Names may hold bytes of other alphabets, which are kept as they are.
    precondition(again == element, "an element that was written is another")
  }
  _ = S3ObjectList(bytes)
  _ = S3UploadList(bytes)
  _ = S3ErrorAnswer(bytes)
  _ = S3DeleteAnswer(bytes)
  _ = S3UploadAnswer(bytes)
  _ = S3CompleteAnswer(bytes)
  let text = String(decoding: bytes, as: UTF8.self)
  if let range = ContentRange(text) { precondition(range.range.map { $0.upperBound <= range.objectByteCount } ?? true) }
  _ = HTTPDate.seconds(text)
  if let decoded = PercentText.decoded(text) {
    precondition(PercentText.decoded(PercentText.encoded(decoded)) == decoded, "encoding loses something")
  }
}

private func xml(_ element: XMLElement) -> String {
  let text = element.text.unicodeScalars.map { "&#\($0.value);" }.joined()
  return "<\(element.name)>\(text)\(element.children.map(xml).joined())</\(element.name)>"
}
