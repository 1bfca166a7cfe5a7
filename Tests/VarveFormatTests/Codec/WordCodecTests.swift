import Testing
import VarveCore
@testable import VarveFormat

@Suite struct WordCodecTests {
  private func roundTrip(
    _ words: [UInt64], encode: (UnsafeBufferPointer<UInt64>, inout ByteWriter) -> ValueCodec,
    decode: (ValueCodec, Int, inout ByteReader, UnsafeMutablePointer<UInt64>) throws -> Void
  ) throws -> (codec: ValueCodec, byteCount: Int, back: [UInt64]) {
    let buffer = Buffer(words)
    var out = ByteWriter()
    let codec = encode(buffer.span, &out)
    let back = Buffer<UInt64>(repeating: 0x5555, count: words.count)
    try withReader(out.bytes) { reader in
      try decode(codec, words.count, &reader, back.base)
      try reader.expectEnd()
    }
    return (codec, out.count, back.array)
  }

  private func integers(
    _ words: [UInt64], _ effort: PageEffort = .light
  ) throws -> (codec: ValueCodec, byteCount: Int, back: [UInt64]) {
    try roundTrip(
      words, encode: { WordCodec.encode($0, effort: effort, to: &$1) },
      decode: {
        try WordCodec.decode($0, count: $1, from: &$2, into: $3)
      })
  }

  private func doubles(
    _ words: [UInt64], _ effort: PageEffort = .light
  ) throws -> (codec: ValueCodec, byteCount: Int, back: [UInt64]) {
    try roundTrip(
      words, encode: { DoubleCodec.encode($0, effort: effort, to: &$1) },
      decode: {
        try DoubleCodec.decode($0, count: $1, from: &$2, into: $3)
      })
  }

  @Test(arguments: seeds, PageEffort.allCases)
  func everyShapeAndLengthComesBackBitByBit(seed: UInt64, effort: PageEffort) throws {
    for shape in WordShape.allCases {
      // Most lengths matter to vectors, which both efforts share.
      for count in interestingCounts where effort == .light || ![2048, 5000, 8191].contains(count) {
        var g = SeededGenerator(seed: seed &+ UInt64(count))
        let words = shape.words(count, &g)
        let (codec, byteCount, back) = try integers(words, effort)
        #expect(back == words, "integers \(shape) \(count) \(codec) \(effort) seed \(seed)")
        #expect(byteCount <= max(count * 8, 20), "integers \(shape) \(count) \(codec) \(effort) seed \(seed)")
        let asDoubles = try doubles(words, effort)
        #expect(asDoubles.back == words, "doubles \(shape) \(count) \(asDoubles.codec) \(effort) seed \(seed)")
        #expect(
          asDoubles.byteCount <= max(count * 8, 20),
          "doubles \(shape) \(count) \(asDoubles.codec) \(effort) seed \(seed)")
        guard effort == .smallest else { continue }
        #expect(byteCount <= (try integers(words).byteCount), "integers \(shape) \(count) seed \(seed)")
      }
    }
  }

  @Test func theCodecFollowsTheData() throws {
    var g = SeededGenerator(seed: 5)
    func words(_ shape: WordShape) -> [UInt64] { shape.words(8192, &g) }
    #expect(try integers(words(.equal)).codec == .constant)
    #expect(try integers(words(.steady)).codec == .arithmetic)
    #expect(try integers(words(.randomBits)).codec == .raw)
    #expect(try integers(words(.smallSteps)).codec == .delta)
    #expect(try integers(words(.spikes)).codec == .packed)
    #expect(try integers(words(.runs)).codec == .runs)
    #expect(try doubles(words(.wholeDoubles)).codec == .integral)
    // Ramps of a slope that changes: only differences of differences are small.
    var value: UInt64 = 0
    let ramps = (0..<8192).map { i -> UInt64 in
      value &+= UInt64(i) * 1_000_003
      return value
    }
    #expect(try integers(ramps).codec == .deltaOfDelta)
    func smallest(_ shape: WordShape) -> [UInt64] { shape.words(8192, &g) }
    #expect(try integers(smallest(.bell), .smallest).codec == .split)
    #expect(try integers(smallest(.bellsOfSeries), .smallest).codec == .split)
    #expect(try integers(smallest(.wideBell), .smallest).codec == .split)
    #expect(try integers(smallest(.curve), .smallest).codec == .split)
    #expect(try integers(smallest(.fewCodes), .smallest).codec == .dictionary)
    #expect(try integers(smallest(.bell)).codec == .delta)
    #expect(try doubles(smallest(.decimals)).codec == .decimal)
    #expect(try doubles(smallest(.spottedDecimals)).codec == .decimal)
    #expect(try doubles(smallest(.decimalWalk), .smallest).codec == .decimal)
    #expect(try doubles(smallest(.unitInterval)).codec == .realDoubles)
    #expect(try doubles(smallest(.fewDoubles), .smallest).codec == .dictionary)
    var sine: [UInt64] = []
    for i in 0..<8192 { sine.append((1.0 + Double(i / 4) * 0x1p-30).bitPattern) }
    #expect(try doubles(sine).byteCount < 8192)
  }

  @Test func aWalkOfUnitStepsTakesAQuarterOfAByteAValue() throws {
    var g = SeededGenerator(seed: 11)
    let walk = try integers(WordShape.smallSteps.words(8192, &g))
    #expect(walk.byteCount <= 8192 / 4 + 8 * 16)
  }

  @Test func aWalkOfNormalStepsComesNearItsEntropy() throws {
    var g = SeededGenerator(seed: 11)
    // 2.10 bits a step; clamping at both ends takes a little off.
    let walk = try integers(WordShape.bell.words(8192, &g), .smallest)
    #expect(walk.byteCount <= 8192 * 268 / 1000, "\(walk.byteCount)")
  }

  @Test func aJumpBetweenTwoSeriesIsAnExceptionAndNotAWiderVector() throws {
    var g = SeededGenerator(seed: 12)
    var words = WordShape.smallSteps.words(4096, &g)
    words += WordShape.smallSteps.words(4096, &g).map { $0 &+ 1_000_000 }
    #expect(try integers(words).byteCount <= 8192 / 4 + 8 * 24)
  }

  @Test(arguments: 0...64) func everyWidthPacksAndUnpacks(width: Int) {
    var g = SeededGenerator(seed: UInt64(width))
    let mask = width == 0 ? 0 : UInt64.max >> UInt64(64 - width)
    for count in interestingCounts where count <= 1024 {
      let values = Buffer((0..<count).map { _ in g.next() & mask })
      let bytes = BitPacking.byteCount(count: count, width: width)
      // Exactly as long as it must be, so that a read or a write beyond it shows.
      let packed = Buffer<UInt8>(repeating: 0xEE, count: bytes + 16)
      BitPacking.pack(values.base, count: count, width: width, into: packed.base)
      #expect(packed.array[bytes...].allSatisfy { $0 == 0xEE }, "width \(width) count \(count)")
      let back = Buffer<UInt64>(repeating: 3, count: count)
      BitPacking.unpack(packed.base, count: count, width: width, into: back.base)
      #expect(back.array == values.array, "width \(width) count \(count)")
    }
  }

  @Test(arguments: seeds) func gorillaComesBackWhateverTheBits(seed: UInt64) throws {
    for shape in WordShape.allCases {
      for count in interestingCounts {
        var g = SeededGenerator(seed: seed)
        let words = Buffer(shape.words(count, &g))
        var out = ByteWriter()
        Gorilla.encode(words.span, to: &out)
        out.append([0xAA, 0xBB])
        let back = Buffer<UInt64>(repeating: 0, count: count)
        try withReader(out.bytes) { reader in
          try Gorilla.decode(count, from: &reader, into: back.base)
          #expect(reader.remaining == 2, "\(shape) \(count) seed \(seed)")
        }
        #expect(back.array == words.array, "\(shape) \(count) seed \(seed)")
      }
    }
  }

  @Test(arguments: PageEffort.allCases) func booleansTakeABitAtMost(effort: PageEffort) throws {
    var g = SeededGenerator(seed: 8)
    for count in interestingCounts {
      for words in [
        WordShape.narrow.words(count, &g), [UInt64](repeating: 1, count: count),
        (0..<count).map { UInt64($0 / 700 % 2) },
      ] {
        let buffer = Buffer(words)
        var out = ByteWriter()
        let codec = BooleanCodec.encode(buffer.span, effort: effort, to: &out)
        #expect(out.count <= (count + 7) / 8)
        let back = Buffer<UInt64>(repeating: 9, count: count)
        try withReader(out.bytes) { reader in
          try BooleanCodec.decode(codec, count: count, from: &reader, into: back.base)
          try reader.expectEnd()
        }
        #expect(back.array == words, "\(codec) \(count)")
      }
    }
  }

  @Test(arguments: seeds, PageEffort.allCases) func presenceComesBack(seed: UInt64, effort: PageEffort) throws {
    for shape in StateShape.allCases {
      for count in interestingCounts {
        var g = SeededGenerator(seed: seed)
        let states = shape.states(count, &g)
        var out = ByteWriter()
        let codec = Presence.encode(states?.span, effort: effort, to: &out)
        let back = try withReader(out.bytes) { reader in
          let back = try Presence.decode(codec, count: count, from: &reader)
          try reader.expectEnd()
          return back
        }
        let expected = states?.array ?? [UInt8](repeating: 1, count: count)
        #expect(back?.array ?? [UInt8](repeating: 1, count: count) == expected, "\(shape) \(count) seed \(seed)")
        if shape == .all || shape == .allExplicit { #expect(out.count == 0 && back == nil) }
      }
    }
  }

  @Test func hundredsOfShortSeriesCostAFewBytesABlock() throws {
    let runs = (0..<800).map { SeriesRun(series: SeriesID(rawValue: UInt32(1000 + $0)), count: 10) }
    var out = ByteWriter()
    SeriesCodec.encode(runs, to: &out)
    #expect(out.count < 16)
    var g = SeededGenerator(seed: 3)
    var id: UInt32 = 0
    let ragged = (0..<800).map { _ -> SeriesRun in
      id += UInt32.random(in: 1..<50, using: &g)
      return SeriesRun(series: SeriesID(rawValue: id), count: Int.random(in: 1...10, using: &g))
    }
    var raggedOut = ByteWriter()
    SeriesCodec.encode(ragged, to: &raggedOut)
    #expect(raggedOut.count < 800 * 3)
    let back = try withReader(raggedOut.bytes) {
      try SeriesCodec.decode(runCount: 800, rowCount: ragged.reduce(0) { $0 + $1.count }, from: &$0)
    }
    #expect(back == ragged)
  }
}
