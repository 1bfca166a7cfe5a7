// A chunk as version 1 wrote it. The bytes are never regenerated: what they hold must be read for ever.

import Testing
import VarveCore
@testable import VarveFormat

@Suite struct GoldenChunkTests {
  static let hex = """
    564152564543484b0100000069633907341200000000000007000000000000000100000000000000e803000000000000
    0300000000000000090000000000000040420f00000000000000000000000000338de7f5110c00000400000002000000
    0600000006000000020a06020403d86bcf851004000004000000040000000a0000000a000000bc0f0a140000005000f1
    02d3ebf20107000004000000040000001500000015000000000000000000f83f06ccff1df8cdccccccccccdc5f81642e
    1a020202000400000002000000040000000400000009020a0bf56bee9e050a0000040000000400000010000000100000
    0002020602686f74636f6c6403010000064437f1a104090000040000000400000001000000010000000d040001020203
    0504040104020503d00fe7071e2204002d0400000000000000000080000000000000f83fcdcccccccccc084000000000
    0000f83f9a9999999999b93f001c02010106060004000000000000000000000000000000002804000019040000010101
    03000000000000000000000000000000c8336292c5751e92010000000100000034120000000000001a01000000000000
    760000000000000004000000000000000e00000000000000e803000000000000cf070000000000000500000008000000
    00000000000000005641525645454e44
    """

  static var bytes: [UInt8] {
    let digits = hex.utf8.filter { $0 > 32 }.map { $0 > 57 ? $0 - 87 : $0 - 48 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  @Test func theGoldenChunkReadsAsItWasWritten() throws {
    let bytes = Self.bytes
    #expect(try ChunkVerifier.verify(bytes, file: FileID(rawValue: 0x1234), place: "golden").isEmpty)
    let contents = try ChunkContents.open(bytes, file: nil, place: "golden")
    #expect(contents.footer.rowCount == 4 && contents.footer.valueCount == 14)
    let entry = try #require(contents.index.rowBlocks.first)
    func read(_ column: UInt16) throws -> FieldColumn {
      let field = try #require(entry.field(ColumnID(rawValue: column)))
      return try Array(bytes[field.page.offset..<(field.page.offset + field.page.byteCount)]).withUnsafeBytes {
        try RowBlockReader.decodeField($0, field: field, block: entry, file: contents.identity.file, place: "golden")
      }
    }
    #expect(try read(0).words.array == [1.5, 1.5, -0.0, 0.1].map(\.bitPattern))
    let integers = try read(2)
    #expect((0..<4).map(integers.state) == [.value, .null, .absent, .value])
    #expect(integers.words.array == [5, 0, 0, .max])
    let text = try read(3)
    #expect((0..<4).map(text.string) == ["hot", "cold", "cold", "hot"])
    #expect(try read(4).words.array == [1, 0, 1, 1])
  }

  /// By the text of FORMAT.md alone: no function of the module is used.
  @Test func theGoldenChunkFollowsTheText() {
    let bytes = Self.bytes
    guard bytes.count > 200 else {
      Issue.record("no golden bytes")
      return
    }
    func number(_ at: Int, _ count: Int) -> UInt64 {
      (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }
    var at = 0
    func varint() -> UInt64 {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while true {
        defer { at += 1 }
        value |= UInt64(bytes[at] & 0x7F) << shift
        if bytes[at] < 0x80 { return value }
        shift += 7
      }
    }
    func zigzag() -> Int64 {
      let value = varint()
      return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
    #expect(Array(bytes[..<8]) == Array("VARVECHK".utf8) && Array(bytes.suffix(8)) == Array("VARVEEND".utf8))
    #expect(number(8, 4) == 1 && number(16, 8) == 0x1234 && number(24, 4) == 7)
    #expect(number(32, 8) == 1 && number(40, 8) == 1000 && number(48, 8) == 3 && number(56, 8) == 9)
    let footer = bytes.count - 96
    let index = Int(number(footer + 24, 8))
    #expect(index + Int(number(footer + 32, 8)) == footer)
    #expect(number(footer + 12, 4) == 1 && number(footer + 40, 8) == 4 && number(footer + 48, 8) == 14)

    at = index
    #expect(varint() == 4)
    let columns = (0..<4).map { _ in
      [
        Int(varint()),
        Int(
          {
            at += 1; return bytes[at - 1]
          }()),
      ]
    }
    #expect(columns == [[0, 1], [2, 2], [3, 5], [4, 4]])
    #expect((0..<5).map { _ in varint() } == [1, 4, 2, 5, 3])
    #expect(zigzag() == 1000 && varint() == 999)
    let (seriesBytes, timesBytes) = (Int(varint()), Int(varint()))
    #expect(varint() == 4)

    // Series page: ids and counts, two streams.
    #expect(bytes[84] == 17 && bytes[85] == 12 && number(88, 4) == 4 && number(92, 4) == 2)
    at = 80 + 24
    #expect(bytes[at] == 2)
    at += 1
    #expect(zigzag() == 5 && zigzag() == 3)
    #expect(bytes[at] == 2)
    at += 1
    #expect(zigzag() == 2 && zigzag() == -2)
    #expect(at == 80 + seriesBytes)

    // Times page: packed or differences, one vector of fewer than 1,024.
    let times = 80 + seriesBytes
    #expect(bytes[times + 4] == 16 && bytes[times + 6] == 0 && bytes[times + 7] == 0)
    at = times + 24
    let codec = bytes[times + 5]
    #expect(codec == 3 || codec == 4)
    var value = codec == 4 ? zigzag() : 0
    let head = bytes[at]
    at += 1
    let reference = zigzag()
    let exceptions = varint()
    let width = Int(head & 0x7F)
    var residuals = (0..<4).map { i -> UInt64 in
      (0..<width).reduce(0) { sum, bit in
        let place = i * width + bit
        return sum | UInt64(bytes[at + place / 8] >> UInt8(place % 8) & 1) << UInt64(bit)
      }
    }
    at += (4 * width + 7) / 8
    var position = 0
    for _ in 0..<exceptions {
      position += Int(varint())
      residuals[position] |= varint() << UInt64(width)
    }
    #expect(at == times + timesBytes)
    let decoded = residuals.map { residual -> Int64 in
      let plain =
        head & 0x80 == 0
        ? Int64(bitPattern: residual) : Int64(bitPattern: residual >> 1) ^ -Int64(bitPattern: residual & 1)
      guard codec == 4 else { return plain + reference }
      value += plain + reference
      return value
    }
    #expect(decoded == [1000, 1010, 1025, 1999])
  }
}
