import Testing
import VarveCore
@testable import VarveFormat

/// What writing chooses, against the plain way to find it.
@Suite struct PackedVectorTests {
  /// The least size with this reference, by counting every width.
  private func leastByteCount(_ words: [UInt64], reference: UInt64, isZigzag: Bool) -> Int {
    let widths = words.map { word -> Int in
      let distance = word &- reference
      return 64 - (isZigzag ? Zigzag.encode(distance) : distance).leadingZeroBitCount
    }
    let header = 2 + ByteWriter.varintByteCount(Zigzag.encode(reference))
    return (0...64).compactMap { width -> Int? in
      let exceptions = widths.filter { $0 > width }
      guard exceptions.count * 8 <= words.count else { return nil }
      return exceptions.reduce(header + (words.count * width + 7) / 8 + (exceptions.count >= 128 ? 1 : 0)) {
        $0 + 1 + ($1 - width + 6) / 7
      }
    }.min() ?? .max
  }

  @Test(arguments: seeds) func plansAreTheSmallest(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for bits in [3, 4, 5, 8, 13, 31, 32, 33, 47, 60, 61, 62, 63, 64] {
      for count in [1, 7, 8, 9, 448, 1023, 1024] {
        let base = UInt64.random(in: 0 ... .max, using: &g)
        let outlierShare = [0, 1, 5, 100].randomElement(using: &g) ?? 0
        let words = (0..<count).map { _ -> UInt64 in
          let isOutlier = Int.random(in: 0..<100, using: &g) < outlierShare
          let width = isOutlier ? Int.random(in: 1...bits, using: &g) : min(bits, 6)
          return base &+ UInt64.random(in: 0 ... .max, using: &g) >> UInt64(64 - width)
        }
        let signed = words.map { Int64(bitPattern: $0) }
        guard let least = signed.min(), let greatest = signed.max(), UInt64(bitPattern: greatest &- least) >= 4 else {
          continue
        }
        let plan = words.withUnsafeBufferPointer { held in
          held.baseAddress.map { PackedVector.plan($0, count: count) } ?? PackedVector.Plan()
        }
        let place = "\(count) of \(bits) bits, \(outlierShare) % outliers, seed \(seed)"
        let plain = leastByteCount(words, reference: UInt64(bitPattern: least), isZigzag: false)
        #expect(plan.byteCount <= plain, "\(place)")
        #expect(
          plan.byteCount == leastByteCount(words, reference: plan.reference, isZigzag: plan.isZigzag), "\(place)")
      }
    }
  }

  /// Symbols of any frequency, those that occur once among them.
  @Test(arguments: seeds) func symbolsOfEveryFrequencyComeBack(seed: UInt64) throws {
    var g = SeededGenerator(seed: seed)
    for count in [65, 1000, 8192, 16_384] {
      for distinct in 1...16 {
        let rare = UInt8(distinct - 1)
        var symbols = (0..<count).map { _ in
          UInt8(min(Int(distinct) - 1, Int.random(in: 0 ... .max, using: &g).trailingZeroBitCount))
        }
        symbols[Int.random(in: 0..<count, using: &g)] = rare
        var out = ByteWriter()
        let counts = (0..<UInt8(NibbleEntropy.symbolCount)).map { s in UInt32(symbols.count { $0 == s }) }
        NibbleEntropy.append(symbols, count: count, counts: counts, to: &out)
        var back = [UInt8](repeating: 0xAA, count: count)
        try withReader(out.bytes) { reader in
          try back.withUnsafeMutableBufferPointer { room in
            if let base = room.baseAddress { try NibbleEntropy.read(count, wanted: count, from: &reader, into: base) }
          }
          try reader.expectEnd()
        }
        #expect(back == symbols, "\(count) symbols of \(distinct), seed \(seed)")
      }
    }
  }
}
