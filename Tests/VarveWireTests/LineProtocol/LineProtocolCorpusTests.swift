import Foundation
import Testing
import VarveCore

@testable import VarveWire

@Suite(.enabled(if: LineProtocolCorpus.isPresent, "the line protocol corpus is not here"))
struct LineProtocolCorpusTests {
  static func options(_ example: LineProtocolCorpusCase) -> LineProtocolOptions {
    var options = LineProtocolOptions.test
    options.precision = example.precision
    options.nameByteLimit = .max
    return options
  }

  @Test func everyCaseGivesTheReferencesValueOrAnError() throws {
    let corpus = try LineProtocolCorpus.load()
    #expect(corpus.count == 3358)
    for example in corpus {
      let found = parsed(example.text, options: Self.options(example), now: example.defaultTime)
      guard let expected = example.points else {
        #expect(found.rejectedCount > 0, "\(example.key): the reference has an error")
        continue
      }
      #expect(found.rejections == [], "\(example.key)")
      var points = found.points
      for i in points.indices {
        points[i].line = 0
        // JSON has no minus zero.
        for (name, value) in points[i].fields where value == .float((-0.0).bitPattern) {
          points[i].fields[name] = .float(0)
        }
      }
      #expect(points == expected, "\(example.key)")
    }
  }

  @Test func everyCaseGivesTheSameCutIntoSingleBytes() throws {
    for example in try LineProtocolCorpus.load() {
      let options = Self.options(example)
      let whole = parsed(example.text, options: options, now: example.defaultTime)
      let cut = parsed(
        example.text, cuts: Array(1..<max(example.text.count, 1)), options: options, now: example.defaultTime)
      #expect(whole == cut, "\(example.key)")
    }
  }

  @Test func mutatedTextsGiveTheSameHoweverTheyAreCut() throws {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    let corpus = try LineProtocolCorpus.load().map(\.text)
    let good = [
      "cpu,host=a,region=eu usage=1i,idle=2.5,on=t,name=\"x y\" 1451606400000000000\n",
      "cpu,host=b,region=eu usage=123456789i,idle=-0.00012,on=false,name=\"a\\\"b\" 1451606400000000000\n",
      "#sync abc\n", "m v=\"line\nbreak\",w=12u 5\r\n", "# comment\n", "t,a=1 v=1t,w=1.5e300 7n\n",
    ].map { Array($0.utf8) }
    var options = LineProtocolOptions.test
    options.lineByteLimit = 300
    options.recognizesSync = true
    for round in 0..<4000 {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        if Bool.random(using: &generator) {
          text += good.randomElement(using: &generator)!
        } else {
          text += corpus.randomElement(using: &generator)!.prefix(400)
        }
        if Int.random(in: 0..<3, using: &generator) > 0 { text.append(0x0A) }
      }
      for _ in 0..<Int.random(in: 0...6, using: &generator) where !text.isEmpty {
        let at = Int.random(in: 0..<text.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: text[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: text.remove(at: at)
        case 2: text.insert(Array(" ,=\"\\\n\r#it".utf8).randomElement(using: &generator)!, at: at)
        default:
          let other = Int.random(in: 0..<text.count, using: &generator)
          text.swapAt(at, other)
        }
      }
      let cuts = (0..<Int.random(in: 0...12, using: &generator))
        .map { _ in Int.random(in: 0...max(text.count, 1), using: &generator) }.sorted()
      let whole = parsed(text, options: options)
      let cut = parsed(text, cuts: cuts.filter { $0 <= text.count }, options: options)
      guard whole == cut else {
        Issue.record(
          "seed \(lineProtocolSeed), round \(round): \(String(decoding: text, as: UTF8.self).debugDescription) cut at \(cuts)"
        )
        return
      }
    }
  }
}
