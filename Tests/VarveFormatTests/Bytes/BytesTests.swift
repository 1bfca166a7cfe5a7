import Testing
import VarveCore
import VarveFormat

@Suite struct BytesTests {
  @Test func whatTheWriterAppendsTheReaderReadsBack() throws {
    var writer = ByteWriter()
    let numbers: [UInt64] = [0, 1, 127, 128, 16_383, 16_384, 1 << 32, 1 << 63, .max]
    for number in numbers { writer.append(varint: number) }
    for number in numbers { writer.append(zigzag: Int64(bitPattern: number)) }
    writer.append(byte: 7)
    writer.append(u16: 0xABCD)
    let at = writer.count
    writer.append(u32: 0)
    writer.append(u64: 0x0123_4567_89AB_CDEF)
    writer.append(i64: .min)
    writer.append(prefixed: [1, 2, 3])
    writer.patch(u32: 0xFEED_F00D, at: at)
    var reader = ByteReader(writer.bytes)
    for number in numbers { #expect(try reader.readVarint() == number) }
    for number in numbers { #expect(try reader.readZigzag() == Int64(bitPattern: number)) }
    #expect(try reader.readByte() == 7)
    #expect(try reader.readUInt16() == 0xABCD)
    #expect(try reader.readUInt32() == 0xFEED_F00D)
    #expect(try reader.readUInt64() == 0x0123_4567_89AB_CDEF)
    #expect(try reader.readInt64() == .min)
    #expect(try reader.readPrefixed() == [1, 2, 3])
    try reader.expectEnd()
  }

  @Test func aVarintTakesTheBytesThatItsCountSays() {
    for bits in 0..<64 {
      let power = UInt64(1) << UInt64(bits)
      for value: UInt64 in [power, power - 1] {
        var writer = ByteWriter()
        writer.append(varint: value)
        #expect(writer.count == ByteWriter.varintByteCount(value))
      }
    }
  }

  @Test func aVarintBeyond64BitsIsAnError() throws {
    let tooWide = [UInt8](repeating: 0xFF, count: 9) + [0x02]
    let tooLong = [UInt8](repeating: 0x80, count: 10) + [0x00]
    for bytes in [tooWide, tooLong] {
      var reader = ByteReader(bytes)
      #expect(throws: VarveError.self) { try reader.readVarint() }
    }
    var reader = ByteReader([UInt8](repeating: 0xFF, count: 9) + [0x01])
    #expect(try reader.readVarint() == .max)
  }

  @Test func readsBeyondTheEndAreErrors() throws {
    var reader = ByteReader([0x80])
    #expect(throws: VarveError.self) { try reader.readUInt32() }
    #expect(throws: VarveError.self) { try reader.readVarint() }
    var prefixed = ByteReader([200, 1, 0])
    #expect(throws: VarveError.self) { try prefixed.readPrefixed() }
    var huge = ByteReader([UInt8](repeating: 0xFF, count: 9) + [0x01])
    #expect(throws: VarveError.self) { try huge.readLength() }
    var empty = ByteReader([])
    #expect(throws: VarveError.self) { try empty.readByte() }
    #expect(throws: VarveError.self) { try empty.readRaw(-1) }
  }

  @Test func theChecksumIsCRC32CAndItsSaltIsFileAndOffset() {
    // RFC 3720, B.4: 32 bytes of zeros; and the check value of "123456789".
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    let whole = CRC32C.checksum([3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9])
    #expect([UInt8(9)].withUnsafeBytes { CRC32C.salted($0, file: FileID(rawValue: 3), offset: 5) } == whole)
  }

  @Test(arguments: [0, 1, 100, 70_000]) func blocksComeBackAndWrongSizesAreErrors(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let lz4 = LZ4.compress(bytes)
    let zstd = Zstd.compress(bytes)
    try lz4.withUnsafeBytes { raw in
      let back = try LZ4.decompress(raw, byteCount: count)
      #expect(back == bytes)
      #expect(throws: VarveError.self) { try LZ4.decompress(raw, byteCount: count + 1) }
      if count > 0 { #expect(throws: VarveError.self) { try LZ4.decompress(raw, byteCount: count - 1) } }
      #expect(throws: VarveError.self) { try LZ4.decompress(raw, byteCount: 1 << 40) }
    }
    try zstd.withUnsafeBytes { raw in
      let back = try Zstd.decompress(raw, byteCount: count)
      #expect(back == bytes)
      #expect(throws: VarveError.self) { try Zstd.decompress(raw, byteCount: count + 1) }
      if count > 0 { #expect(throws: VarveError.self) { try Zstd.decompress(raw, byteCount: count - 1) } }
      #expect(throws: VarveError.self) { try Zstd.decompress(raw, byteCount: 1 << 40) }
    }
  }

  @Test(arguments: seeds) func damagedBlocksAreValuesOrErrors(seed: UInt64) throws {
    var g = SeededGenerator(seed: seed)
    let bytes = (0..<3000).map { _ in UInt8.random(in: 0..<4, using: &g) }
    for block in [LZ4.compress(bytes), Zstd.compress(bytes)] {
      for _ in 0..<2000 {
        var damaged = block
        damaged[Int.random(in: 0..<block.count, using: &g)] ^= 1 << UInt8.random(in: 0..<8, using: &g)
        damaged.removeLast(Int.random(in: 0..<4, using: &g))
        try damaged.withUnsafeBytes { raw in
          _ = try isTotal { _ = try LZ4.decompress(raw, byteCount: 3000) }
          _ = try isTotal { _ = try Zstd.decompress(raw, byteCount: 3000) }
        }
      }
    }
  }
}
