// What PostgreSQL cannot answer for: limits, and texts that no pattern may trap on.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct RegularExpressionTests {
  static func matches(_ pattern: String, _ text: String, texts: Int = 1) throws -> Bool {
    let expression = try RegularExpression(pattern, texts: texts)
    var text = text
    return try text.withUTF8 { try expression.matches($0) }
  }

  @Test func aCatastrophicPatternEndsInAnErrorNotInAHang() throws {
    let text = String(repeating: "a", count: 40) + "!"
    for pattern in ["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "^(.*a){25}$"] {
      for texts in [1, 1000] {
        #expect(throws: VarveError.self, "\(pattern)") { try Self.matches(pattern, text, texts: texts) }
      }
    }
    // Plain repetitions over long texts are no such thing.
    let long = String(repeating: "word ", count: 50_000)
    #expect(try Self.matches("^(\\w+ )+$", long) == true)
    #expect(try Self.matches("x.*y.*z", long) == false)
  }

  @Test func nestedGroupsAndGreatCountsAreRefused() {
    let deep = String(repeating: "(", count: 1000) + "a" + String(repeating: ")", count: 1000)
    for pattern in [deep, "a{256}", "((((a{255}){255}){255}){255}){255}", String(repeating: "a", count: 1 << 17)] {
      #expect(throws: VarveError.self) { try RegularExpression(pattern) }
    }
  }

  @Test func theLongestOfTheEarliestMatchesIsTaken() throws {
    func match(_ pattern: String, _ text: String) throws -> [String?] {
      let expression = try RegularExpression(pattern)
      guard let match = try expression.firstMatch(in: text) else { return [] }
      return match.ranges.map { range in
        range.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
      }
    }
    #expect(try match("a|ab|abc", "xabcd") == ["abc"])
    #expect(try match("(a|ab)(c|bcd)", "abcd") == ["abcd", "a", "bcd"])
    #expect(try match("a+?b|a+", "aab") == ["aab"])
    #expect(try match("a*?", "aaa") == [""])
    #expect(try match("(x)?y", "y") == ["y", nil])
  }

  @Test func noPatternTraps() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "a", "b", ".", "*", "+", "?", "{2}", "{1,3}", "{", "}", "(", ")", "(?:", "(?=", "(?<!", "[", "]", "[^", "-", "|",
      "\\", "\\d", "\\m", "\\1", "\\x", "\\u00e9", "[:alpha:]", "[[:digit:]]", "^", "$", "é", "(?i)", "***:", "\\y",
      "#", " ",
    ]
    for _ in 0..<3000 {
      let pattern = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        pieces[Int.random(in: 0..<pieces.count, using: &random)]
      }.joined()
      do {
        let expression = try RegularExpression(pattern)
        for text in ["", "ab", "aab é 12", "b\n"] { _ = try expression.firstMatch(in: text) }
      } catch let error as VarveError {
        #expect(["2201B", "0A000"].contains(error.sqlState ?? ""), "seed \(seed) pattern \(pattern)")
      } catch {
        Issue.record("seed \(seed) pattern \(pattern): \(error)")
      }
    }
  }
}
