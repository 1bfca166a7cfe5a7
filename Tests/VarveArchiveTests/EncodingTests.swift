import Testing
import VarveCore
import VarveFormat
import VarveSimulator

@testable import VarveArchive

@Suite struct EncodingTests {
  @Test(arguments: 0..<8 as Range<UInt64>) func packedValuesStandBitByBitAndComeBack(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    for width in 0...32 {
      let count = Int.random(in: 1...1500, using: &g)
      let mask = width == 0 ? 0 : UInt64.max >> UInt64(64 - width)
      let values = Buffer<UInt64>((0..<count).map { _ in UInt64.random(in: .min ... .max, using: &g) & mask })
      var out = ByteWriter()
      HybridRuns.pack(values.span, from: 0, count: (count + 7) / 8 * 8, width: width, into: &out)
      var bits = [UInt8](repeating: 0, count: (count + 7) / 8 * width)
      for (place, value) in values.array.enumerated() {
        for bit in 0..<width where value >> UInt64(bit) & 1 == 1 {
          bits[(place * width + bit) / 8] |= 1 << UInt8((place * width + bit) % 8)
        }
      }
      #expect(out.bytes == bits, "\(count) values of \(width) bits, seed \(seed)")
      var reader = ByteReader(out.bytes)
      let back = Buffer<UInt64>(repeating: 0, count: count)
      try HybridRuns.unpack(&reader, count: count, width: width, into: back.base)
      #expect(back.array == values.array && reader.isAtEnd, "\(count) values of \(width) bits, seed \(seed)")
    }
  }

  @Test(arguments: 20..<32 as Range<UInt64>) func differencesComeBackInEveryLayout(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    for layout in [DeltaLayout.packed, .wide, .aligned, .narrow] {
      for isNarrow in [false, true] {
        let count = Int.random(in: 0...5000, using: &g)
        let bits = UInt64.random(in: 0...63, using: &g)
        var walk = UInt64.random(in: .min ... .max, using: &g)
        let values = Buffer<UInt64>(capacity: count)
        for _ in 0..<count {
          walk = walk &+ UInt64.random(in: .min ... .max, using: &g) >> bits
          if Int.random(in: 0..<500, using: &g) == 0 { walk = .random(in: .min ... .max, using: &g) }
          values.append(isNarrow ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: walk))) : walk)
        }
        var out = ByteWriter()
        DeltaIntegers.encode(values.span, isNarrow: isNarrow, layout, into: &out)
        var reader = ByteReader(out.bytes)
        let back = try DeltaIntegers.decode(&reader, count: count, isNarrow: isNarrow)
        #expect(back.array == values.array && reader.isAtEnd, "\(layout), narrow \(isNarrow), seed \(seed)")
      }
    }
  }

  @Test func timesOfAllNanosecondsComeBackFromMicrosecondsAndRemainders() throws {
    let times: [Int64] = [
      .min, .min + 1, .min + 192, .min + 193, -1001, -1000, -999, -1, 0, 1, 999, 1000, .max - 1, .max,
    ]
    let words = Buffer(times.map { UInt64(bitPattern: $0) })
    let (whole, rest) = (
      Buffer<UInt64>(repeating: 0, count: times.count), Buffer<UInt64>(repeating: 0, count: times.count)
    )
    #expect(ParquetTimes.split(words.base, times.count, microseconds: whole.base, remainders: rest.base))
    for (row, time) in times.enumerated() {
      #expect(Int64(bitPattern: whole[row]) == ParquetTimes.microseconds(time), "\(time)")
      #expect(Int64(bitPattern: rest[row]) == ParquetTimes.remainder(time), "\(time)")
    }
    try ParquetTimes.join(whole.base, times.count, remainders: rest.base)
    #expect(whole.array == words.array)
  }
}
