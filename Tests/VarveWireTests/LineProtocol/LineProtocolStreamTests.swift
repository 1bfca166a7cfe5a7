import Testing
import VarveCore

@testable import VarveWire

struct LineProtocolStreamTests {
  static let text =
    "cpu,host=a,region=eu usage=1i,idle=2.5,on=t,name=\"x y\" 1451606400000000000\r\n"
    + "cpu,host=b,region=eu usage=123456789i,idle=-0.00012,on=false,name=\"a\\\"b\\\\\" 1451606400000000000\n"
    + "#sync one\n# comment\n\nm,k\\ =\\, v=\"line\nbreak\",w=12u 5\nbad line here\n#sync two\r\n"
    + "cpu,host=a,region=eu usage=2i,idle=3,on=t,name=\"z\" 1451606410000000000\nm v=\"open\nm v=2 7\n#sync three\n"
    + "t,a=1 v=1t,w=1.5e300 7n\ncpu,host=a usage=5"

  @Test func everyCutGivesTheSame() {
    var options = LineProtocolOptions.test
    options.recognizesSync = true
    let bytes = Array(Self.text.utf8)
    let whole = parsed(bytes, options: options)
    #expect(whole.syncs == ["one 2 0", "two 3 1", "three 5 2"])
    #expect(whole.rejections.map(\.line) == [8, 11])
    #expect(whole.points.count == 7)
    for cut in 1..<bytes.count { #expect(parsed(bytes, cuts: [cut], options: options) == whole, "cut at \(cut)") }
    for step in 1..<20 {
      let cuts = Array(stride(from: step, to: bytes.count, by: step))
      #expect(parsed(bytes, cuts: cuts, options: options) == whole, "cut every \(step)")
    }
  }

  @Test func aSyncThatIsNotOneIsAComment() {
    var options = LineProtocolOptions.test
    options.recognizesSync = true
    let long = String(repeating: "a", count: 64)
    let text =
      "#sync end\n#sync\n#sync \n#sync a b\n#sync a \n#sync ä\n# sync a\n #sync a\n#sync \(long)a\n#sync \(long)\n#sync A_z-9\r\n"
    let found = parsed(text, options: options)
    #expect(found.syncs == ["\(long) 0 0", "A_z-9 0 0"])
    #expect(found.rejections == [])
    #expect(parsed(text).syncs == [])
  }

  @Test func aLineTooLongIsSkippedWithFlatMemory() {
    let parser = LineProtocolParser(options: .test)
    parser.parse(Array("m v=1 1\n".utf8), now: 1)
    let piece = [UInt8](repeating: 0x61, count: 64 * 1024)
    for _ in 0..<160 {
      parser.parse(piece, now: 1)
      #expect(parser.heldByteCount < 3 * 1024 * 1024)
    }
    parser.parse(Array(" v=1 2\nm v=1 3\n".utf8), now: 1)
    parser.finish(now: 1)
    var found = ParsedText()
    collect(parser, into: &found)
    #expect(found.points.map(\.time) == [1, 3])
    #expect(found.points.map(\.line) == [1, 3])
    let rejected = parser.takeRejected()
    #expect(rejected.rejections.map(\.code) == [.lineTooLong])
    #expect(rejected.rejections.map(\.line) == [2])
    #expect(rejected.rejections.map(\.column) == [1])
    #expect(parser.heldByteCount < 64 * 1024)
  }

  @Test func theLongestLineIsTakenAndOneByteMoreIsNot() {
    var options = LineProtocolOptions.test
    options.lineByteLimit = 40
    for length in 35...45 {
      for end in ["\n", ""] {
        let line = "m v=\"" + String(repeating: "x", count: length - 6) + "\""
        let bytes = Array((line + end + "m v=1\n").utf8)
        let text = end.isEmpty ? Array(line.utf8) : bytes
        let whole = parsed(text, options: options)
        #expect(whole.rejections.map(\.code) == (length > 40 ? [.lineTooLong] : []))
        #expect(whole.points.count == (length > 40 ? 0 : 1) + (end.isEmpty ? 0 : 1))
        for cut in 1..<text.count { #expect(parsed(text, cuts: [cut], options: options) == whole) }
        #expect(parsed(text, cuts: Array(1..<text.count), options: options) == whole)
      }
    }
  }

  @Test func aStringThatIsNeverClosedCostsItsLineOnly() {
    var options = LineProtocolOptions.test
    options.lineByteLimit = 2000
    var text = "m v=\"open\n"
    for i in 0..<300 { text += "m v=\(i)i \(i)\n" }
    let whole = parsed(text, options: options)
    #expect(whole.points.count == 300)
    #expect(whole.rejections.map(\.line) == [1])
    #expect(parsed(Array(text.utf8), cuts: Array(1..<text.utf8.count), options: options) == whole)
  }

  @Test func manyStringsInSmallPiecesCostNoQuadraticTime() {
    let parser = LineProtocolParser(options: .test)
    var text: [UInt8] = Array("m a=\"\"".utf8)
    var fields = 1
    while text.count < 1_000_000, fields < Limits.columnsPerTable {
      text += Array(",f\(fields)=\"\n\(String(repeating: "\n", count: 200))\"".utf8)
      fields += 1
    }
    text += Array(" 1\n".utf8)
    var start = 0
    while start < text.count {
      let end = min(start + 16, text.count)
      parser.parse(Array(text[start..<end]), now: 1)
      start = end
    }
    parser.finish(now: 1)
    var found = ParsedText()
    collect(parser, into: &found)
    #expect(found.points.count == 1)
    #expect(found.points.first?.fields.count == fields)
  }

  @Test func binaryStreamsAreRejectedWithoutATrace() {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    for _ in 0..<20 {
      let bytes = (0..<50_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let found = parsed(bytes)
      #expect(found.rejectedCount > 50, "seed \(lineProtocolSeed)")
      #expect(found.rejections.count <= Limits.reportedRejections, "seed \(lineProtocolSeed)")
      #expect(found.points.isEmpty, "seed \(lineProtocolSeed)")
      let cuts = Array(stride(from: 777, to: bytes.count, by: 777))
      #expect(parsed(bytes, cuts: cuts) == found, "seed \(lineProtocolSeed)")
    }
  }
}
