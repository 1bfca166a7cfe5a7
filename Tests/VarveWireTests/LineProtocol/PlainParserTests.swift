import Foundation
import Testing
import VarveCore

@testable import VarveWire

/// The fast parser against the plain one, over lines made by chance and over the corpus.
@Suite struct PlainParserTests {
  /// Messages are the fast parser's alone.
  private func comparable(_ text: ParsedText) -> ParsedText {
    var text = text
    for index in text.rejections.indices { text.rejections[index].message = "" }
    return text
  }

  private func compare(_ bytes: [UInt8], cuts: [Int], _ place: @autoclosure () -> String) -> Bool {
    var options = LineProtocolOptions.test
    options.reportedRejectionLimit = .max
    let plain = PlainLineParser.parse(bytes)
    let fast = comparable(parsed(bytes, cuts: cuts, options: options))
    if plain == fast { return true }
    let text = String(decoding: bytes, as: UTF8.self).debugDescription
    let points = zip(plain.points, fast.points).first { $0 != $1 }
    let rejections = zip(plain.rejections, fast.rejections).first { $0 != $1 }
    Issue.record(
      """
      \(place()): \(text) cut at \(cuts)
      plain has \(plain.points.count) points, \(plain.rejections.count) rejections; \
      fast \(fast.points.count), \(fast.rejections.count)
      first different: \(String(describing: points)) \(String(describing: rejections))
      """)
    return false
  }

  @Test func linesMadeByChanceGiveTheSame() {
    var random = LineProtocolGenerator(seed: lineProtocolSeed)
    for round in 0..<200 {
      var sender = Sender(&random)
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...40, using: &random) { bytes += sender.line(&random) }
      if Int.random(in: 0..<3, using: &random) == 0 { sender.spoil(&bytes, &random) }
      let cuts = (0..<Int.random(in: 0...8, using: &random)).map { _ in Int.random(in: 0...bytes.count, using: &random)
      }
      guard compare(bytes, cuts: cuts.sorted(), "seed \(lineProtocolSeed), round \(round)") else { return }
    }
  }

  @Test(.enabled(if: LineProtocolCorpus.isPresent, "the line protocol corpus is not here"))
  func theCorpusGivesTheSame() throws {
    for example in try LineProtocolCorpus.load() where example.precision == .nanoseconds {
      guard compare(example.text, cuts: [], example.key) else { return }
    }
  }
}

/// Lines as a sender makes them: a few measurements, some tag names in an order that seldom changes, tag sets that come
/// again and some that are new, fields that are nearly always the same.
private struct Sender {
  private let measurements: [String]
  private var tagNames: [String]
  private var fieldNames: [String]
  private let kinds: [Int]

  init(_ random: inout LineProtocolGenerator) {
    func some(_ names: [String], _ counts: ClosedRange<Int>) -> [String] {
      Array(names.shuffled(using: &random).prefix(Int.random(in: counts, using: &random)))
    }
    measurements = some(["cpu", "m\\,x", "m\\ y", "größe", "c", "cpu2", "back\\slash", "a=b"], 1...3)
    tagNames = some(["host", "h", "rack", "a\\=b", "ort", "größe", "x\\ y", "region_with_a_long_name", "z\\\\"], 0...6)
    fieldNames = some(["v", "usage_user", "f\\,1", "f\\=2", "feld", "ü", "t", "time_ms", "w\\"], 1...6)
    kinds = (0..<9).map { _ in Int.random(in: 0..<8, using: &random) }
  }

  mutating func line(_ random: inout LineProtocolGenerator) -> [UInt8] {
    func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    if chance(25) {
      return Array(["\n", "# comment\n", "  \n", "\r\n", "#\u{1}\n"].randomElement(using: &random)!.utf8)
    }
    if chance(30) { tagNames.shuffle(using: &random) }
    if chance(30) { fieldNames.shuffle(using: &random) }
    var text = chance(40) ? " " : ""
    text += measurements.randomElement(using: &random)!
    for name in tagNames where !chance(40) { text += ",\(name)=\(tagValue(&random))" }
    if chance(60), let name = tagNames.first { text += ",\(name)=again" }
    text += chance(20) ? "  " : " "
    var fields: [String] = []
    for (index, name) in fieldNames.enumerated() where fields.isEmpty || !chance(10) {
      fields.append("\(name)=\(value(chance(12) ? Int.random(in: 0..<8, using: &random) : kinds[index], &random))")
    }
    text += fields.joined(separator: ",")
    if !chance(8) { text += " \(stamp(&random))" }
    if chance(20) { text += " " }
    return Array((text + (chance(6) ? "\r\n" : "\n")).utf8)
  }

  private func tagValue(_ random: inout LineProtocolGenerator) -> String {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: "a\\,b"
    case 1: "a\\ b\\=c"
    case 2: "Zürich"
    case 3: "back\\slash\\"
    case 4: "v\(random.next())"
    case 5: String(repeating: "long", count: Int.random(in: 1...60, using: &random))
    default: "h\(Int.random(in: 0..<6, using: &random))"
    }
  }

  private func value(_ kind: Int, _ random: inout LineProtocolGenerator) -> String {
    switch kind {
    case 0: "\(Int.random(in: -5...120, using: &random))i"
    case 1: "\(Int64(truncatingIfNeeded: random.next()))i"
    case 2: "\(random.next() >> UInt64.random(in: 0..<64, using: &random))u"
    case 3: "\(Double(Int.random(in: -99_999...99_999, using: &random)) / 1000)"
    case 4: "\(Double(bitPattern: random.next()))"
    case 5: ["t", "F", "true", "False", "TRUE", "tru"].randomElement(using: &random)!
    case 6: ["\"\"", "\"a \\\"b\\\" c\"", "\"line\nbreak\"", "\"ü, = \\\\\"", "\"x\\\""].randomElement(using: &random)!
    default:
      ["1t", "1.", ".5", "-.5e3", "007", "1e400", "-0", "0x1", "1e", "9223372036854775808i", "-1u"]
        .randomElement(using: &random)!
    }
  }

  private func stamp(_ random: inout LineProtocolGenerator) -> String {
    switch Int.random(in: 0..<12, using: &random) {
    case 0: "\(Int64(truncatingIfNeeded: random.next()))"
    case 1:
      ["5n", "5t", "-1", "1.5", "9223372036854775807", "99999999999999999999", "1 2"].randomElement(using: &random)!
    default: "17000000000000000\(Int.random(in: 10...13, using: &random))"
    }
  }

  /// Bytes go, come and change.
  func spoil(_ bytes: inout [UInt8], _ random: inout LineProtocolGenerator) {
    for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes.remove(at: at)
      default: bytes.insert(Array(" ,=\"\\\n\r#it\t".utf8).randomElement(using: &random)!, at: at)
      }
    }
  }
}
