import Testing
import VarveWire

@Suite struct JSONScalarsTests {
  @Test func plainValuesAreTexts() {
    #expect(
      JSONScalars.array(" [ \"a\" , 1, -2.5e+3 ,true,false,null, \"\" ] ")
        == ["a", "1", "-2.5e+3", "true", "false", nil, ""])
    #expect(JSONScalars.array("[]") == [])
    #expect(JSONScalars.array(#"["\"\\\/\b\f\n\r\tü\u00fc\ud83d\ude00"]"#) == ["\"\\/\u{8}\u{C}\n\r\tüü😀"])
  }

  @Test(arguments: [
    "", "1", "{}", "[", "[1", "[1,]", "[,1]", "[1 2]", "[[1]]", "[{}]", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[nul]",
    "[True]", "[\"a]", "[\"\\x\"]", "[\"\\ud83d\"]", "[\"\\ude00\"]", "[\"\\u12g4\"]", "[\"\n\"]", "[1] 2", "[-]",
    "[1e+]",
  ]) func anythingElseIsNone(text: String) {
    #expect(JSONScalars.array(text) == nil)
  }

  @Test func whatIsWrittenIsReadAndDamageNeverTraps() {
    let seed = UInt64.random(in: 0 ... .max)
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for _ in 0..<500 {
      let texts = (0..<random(5)).map { _ in
        String((0..<random(8)).map { _ in Character(["a", "\"", "\\", "\n", "\u{1}", "é", "😀", "]", ","][random(9)]) })
      }
      let json = "[" + texts.map { JSONText.string($0) }.joined(separator: ",") + "]"
      #expect(JSONScalars.array(json) == texts.map { .some($0) }, "seed \(seed)")
      var bytes = Array(json.utf8)
      bytes[random(bytes.count)] = UInt8(random(256))
      _ = JSONScalars.array(String(decoding: bytes.prefix(random(bytes.count + 1)), as: UTF8.self))
    }
  }
}
