import CVarve
import Testing
import VarveCore

@testable import VarveFormat

/// The loops that the processor's vectors take over, against the plain way; of every length around theirs.
@Suite struct LaneTests {
  private static let counts = [0, 1, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 100, 448, 1023, 1024]

  @Test(arguments: seeds) func extremesAndDifferencesAreThoseOfTheWords(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for shape in WordShape.allCases {
      for count in Self.counts where count >= 2 {
        let words = shape.words(count, &g)
        let place = "\(shape), \(count) words, seed \(seed)"
        let signed = words.map { Int64(bitPattern: $0) }
        let found = cvarve_extremes_of(words, count)
        #expect(Int64(bitPattern: found.least) == signed.min(), "\(place)")
        #expect(Int64(bitPattern: found.greatest) == signed.max(), "\(place)")

        var differences = [UInt64](repeating: 0, count: count)
        let shape = cvarve_differences(words, count, &differences)
        let wanted = (1..<count).map { words[$0] &- words[$0 - 1] }
        #expect(differences == [wanted[0]] + wanted, "\(place)")
        #expect(shape.changes == UInt64(wanted.count { $0 != 0 }), "\(place)")
        #expect(shape.unsteady == wanted.reduce(0) { $0 | ($1 ^ wanted[0]) }, "\(place)")
      }
    }
  }

  @Test(arguments: seeds) func sumsAreThoseOfTheWords(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for count in Self.counts {
      let (reference, base) = (g.next(), g.next())
      let words = (0..<count).map { _ in g.next() }
      let symbols = (0..<count).map { _ in UInt8.random(in: 0..<16, using: &g) }
      func sums(_ values: [UInt64]) -> [UInt64] {
        var sum = base
        return values.map {
          sum = sum &+ $0 &+ reference
          return sum
        }
      }
      var summed = words
      #expect(cvarve_sum_up(&summed, count, reference, base) == sums(words).last ?? base, "\(count), seed \(seed)")
      #expect(summed == sums(words), "\(count), seed \(seed)")
      let wanted = sums(symbols.map { UInt64($0) })
      var out = [UInt64](repeating: 0, count: count)
      let last = cvarve_sum_up_symbols(symbols, count, reference, base, &out)
      #expect(last == wanted.last ?? base, "\(count), seed \(seed)")
      #expect(out == wanted, "\(count), seed \(seed)")
    }
  }

  @Test(arguments: seeds) func narrowResidualsAreCountedAndFound(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for count in Self.counts {
      for bits in 1...15 {
        let least = g.next()
        let words = (0..<count).map { _ in least &+ UInt64.random(in: 0 ... .max, using: &g) >> UInt64(64 - bits) }
        let middle = least &+ UInt64.random(in: 0 ... .max, using: &g) >> UInt64(64 - bits)
        let place = "\(count) of \(bits) bits, seed \(seed)"
        var plain = [UInt16](repeating: 0, count: count)
        var zigzag = plain
        cvarve_narrow(words, count, least, 0, &plain)
        cvarve_narrow(words, count, middle, 1, &zigzag)
        #expect(plain.map { UInt64($0) } == words.map { $0 &- least }, "\(place)")
        #expect(zigzag.map { UInt64($0) } == words.map { Zigzag.encode($0 &- middle) }, "\(place)")

        for width in 3...16 {
          for (isZigzag, residuals) in [(false, plain), (true, zigzag)] {
            let found = cvarve_count_heights(
              plain, count, UInt16(middle &- least), isZigzag ? 1 : 0, UInt32(width))
            let wanted = [1, 2, 3].map { below in residuals.count { Int($0) >= 1 << (width - below) } }
            #expect([found.first, found.second, found.third].map { Int($0) } == wanted, "\(place), from \(width)")
          }
          var places = [UInt16](repeating: 0, count: count)
          let wideCount = cvarve_find_wide(zigzag, count, UInt32(width), &places)
          let wanted = zigzag.indices.filter { Int(zigzag[$0]) >> width != 0 }
          #expect(places.prefix(wideCount).map { Int($0) } == wanted, "\(place), from \(width)")
        }
      }
    }
  }

  /// What does not fit the width is cut off, and packed words are those of the wide way.
  @Test(arguments: seeds) func narrowLanesArePackedAsWideOnes(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for count in [1, 448, BitPacking.vectorValueCount] {
      for width in 1...16 {
        let values = (0..<count).map { _ in UInt16(truncatingIfNeeded: g.next()) }
        let kept = values.map { UInt64($0) & ((1 as UInt64) << UInt64(width) - 1) }
        let byteCount = BitPacking.byteCount(count: count, width: width)
        var (narrow, wide) = ([UInt8](repeating: 0, count: byteCount), [UInt8](repeating: 0, count: byteCount))
        narrow.withUnsafeMutableBytes { raw in
          if let out = raw.baseAddress { BitPacking.pack(narrow: values, count: count, width: width, into: out) }
        }
        wide.withUnsafeMutableBytes { raw in
          if let out = raw.baseAddress { BitPacking.pack(kept, count: count, width: width, into: out) }
        }
        #expect(narrow == wide, "\(count) of \(width) bits, seed \(seed)")
      }
    }
  }

  @Test(arguments: seeds) func symbolsAreCounted(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for count in Self.counts + [8_159, 8_160, 8_161, 16_384] {
      for distinct: UInt8 in [1, 2, 9, 16] {
        let symbols = (0..<count).map { _ in UInt8.random(in: 0..<distinct, using: &g) }
        var counts = [UInt32](repeating: 0xAAAA, count: NibbleEntropy.symbolCount)
        cvarve_count_symbols(symbols, count, &counts)
        let wanted = (0..<UInt8(NibbleEntropy.symbolCount)).map { s in UInt32(symbols.count { $0 == s }) }
        #expect(counts == wanted, "\(count) symbols of \(distinct), seed \(seed)")
      }
    }
  }

  @Test(arguments: seeds) func escapesAreFoundAsFarAsThereIsRoom(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for count in Self.counts + [8_191, 16_384] {
      for share in [0, 1, 50, 1000] {
        let symbols = (0..<count).map { _ in
          Int.random(in: 0..<1000, using: &g) < share ? SplitStream.escape : UInt8.random(in: 0..<15, using: &g)
        }
        let wanted = symbols.indices.filter { symbols[$0] == SplitStream.escape }.map { Int32($0) }
        for room in Set([0, wanted.count / 2, wanted.count]) {
          var places = [Int32](repeating: -1, count: room + 1)
          #expect(cvarve_find_escapes(symbols, count, &places, room) == wanted.count, "\(count), seed \(seed)")
          #expect(places == wanted.prefix(room) + [-1], "\(count), room \(room), seed \(seed)")
        }
      }
    }
  }

  /// Else packed vectors that are smaller would never be written.
  @Test(arguments: seeds) func packedVectorsTakeAtLeastWhatASplitStreamSays(seed: UInt64) {
    var g = SeededGenerator(seed: seed)
    for shape in WordShape.allCases {
      for count in [1, 65, 1024, 1500, 8640] {
        let words = shape.words(count, &g)
        let size = BitPacking.vectorValueCount
        words.withUnsafeBufferPointer { held in
          guard let base = held.baseAddress else { return }
          var packed = 0
          for at in stride(from: 0, to: count, by: size) {
            let n = min(size, count - at)
            var out = ByteWriter()
            PackedVector.append(base + at, count: n, plan: PackedVector.plan(base + at, count: n), to: &out)
            packed += out.count
          }
          let n = min(size, count)
          let plan = SplitStream.plan(base + (count - n) / 2, count: n)
          var out = ByteWriter()
          let least = SplitStream.append(base, count: count, plan: plan, to: &out)
          #expect(least <= packed, "\(shape), \(count) words, shift \(plan.shift), seed \(seed)")
        }
      }
    }
  }
}
