import Testing
import VarveCore
@testable import VarveFormat

@Suite struct PageTests {
  let file = FileID(rawValue: 42)

  @Test(arguments: FieldType.allCases, PageEffort.allCases)
  func everyTypeShapeAndPresenceComesBack(type: FieldType, effort: PageEffort) throws {
    for seed in seeds {
      for shape in WordShape.allCases {
        for states in StateShape.allCases {
          for count in [0, 1, 2, 33, 1024, 1025, 8192] where count < 1024 || shape == .smallSteps || shape == .spikes {
            var g = SeededGenerator(seed: seed &+ UInt64(count))
            let written = column(type, shape, states, count: count, distinct: count % 2 == 0 ? 5 : 4000, &g)
            let (page, zone) = try PageEncoder.encode(written, effort: effort, file: file, offset: 80)
            let read = try page.withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: 80) }
            let place = "\(type) \(effort) \(shape) \(states) \(count) seed \(seed)"
            #expect(same(written, read), "\(place)")
            #expect(zone.valueCount == (0..<count).count { written.state($0) == .value }, "\(place)")
            #expect(zone.nullCount == (0..<count).count { written.state($0) == .null }, "\(place)")
            var out = ByteWriter()
            zone.append(type: type, to: &out)
            let zoneBack = try withReader(out.bytes) { try ZoneMap.read(type: type, rowCount: count, from: &$0) }
            #expect(zoneBack == zone || zone.doubleSum.isNaN, "\(place)")
          }
        }
      }
    }
  }

  @Test(arguments: FieldType.allCases, PageEffort.allCases)
  func theFirstRowsComeBackAlone(type: FieldType, effort: PageEffort) throws {
    for seed in seeds {
      for shape in WordShape.allCases {
        for count in [1, 1024, 3000] {
          var g = SeededGenerator(seed: seed &+ UInt64(count))
          let written = column(type, shape, Bool.random(using: &g) ? .all : .nulls, count: count, &g)
          let (page, _) = try PageEncoder.encode(written, effort: effort, file: file, offset: 80)
          for end in [0, 1, 1023, 1024, 1025, count, Int.random(in: 0...count, using: &g)] where end <= count {
            let read = try page.withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: 80, upTo: end) }
            let place = "\(type) \(effort) \(shape) \(count) up to \(end), seed \(seed)"
            #expect(read.count == count, "\(place)")
            for row in 0..<end where type != .text && written.state(row) == .value {
              #expect(read.words[row] == written.words[row], "\(place)")
            }
          }
        }
      }
    }
  }

  @Test func timesComeBack() throws {
    for shape in [WordShape.steady, .nearlySteady, .counter, .randomBits, .extremes, .equal] {
      for count in interestingCounts where count <= Limits.rowBlockRowCount {
        var g = SeededGenerator(seed: 4)
        let times = Buffer(shape.words(count, &g).map { Int64(bitPattern: $0) })
        let page = PageEncoder.encode(times: times.span, file: file, offset: 9)
        let back = try page.withUnsafeBytes { try PageDecoder.decodeTimes($0, file: file, offset: 9) }
        #expect(back.array == times.array, "\(shape) \(count)")
        if shape == .steady && count > 2 { #expect(page.count <= PageHeader.byteCount + 20) }
      }
    }
  }

  @Test func aColumnOfEqualStringsDoesNotRepeatThem() throws {
    let string = [UInt8](repeating: 65, count: 1000)
    let text = Buffer<UInt8>(string)
    let words = Buffer<UInt64>(repeating: TextRef(offset: 0, length: 1000).word, count: 8192)
    let (page, _) = try PageEncoder.encode(FieldColumn(type: .text, words: words, text: text), file: file, offset: 0)
    #expect(page.count < 100)
    let back = try page.withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: 0) }
    #expect(back.text?.count == 1000)
    #expect(back.string(8191) == String(repeating: "A", count: 1000))
  }

  @Test func everyFlippedBitAndEveryCutOfAPageIsFound() throws {
    for type in FieldType.allCases {
      var g = SeededGenerator(seed: 6)
      let written = column(type, .decimals, .nulls, count: 33, &g)
      let (page, _) = try PageEncoder.encode(written, file: file, offset: 80)
      for bit in 0..<(page.count * 8) {
        var damaged = page
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: VarveError.self) {
          try damaged.withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: 80) }
        }
      }
      for length in 0..<page.count {
        #expect(throws: VarveError.self) {
          try Array(page[..<length]).withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: 80) }
        }
      }
    }
  }

  @Test func aPageOfAnotherFileOrPlaceIsFound() throws {
    var g = SeededGenerator(seed: 6)
    let (page, _) = try PageEncoder.encode(column(.int64, .counter, .all, count: 9, &g), file: file, offset: 80)
    page.withUnsafeBytes { raw in
      #expect(throws: VarveError.self) { try PageDecoder.decode(raw, file: FileID(rawValue: 43), offset: 80) }
      #expect(throws: VarveError.self) { try PageDecoder.decode(raw, file: file, offset: 81) }
    }
  }

  @Test(arguments: seeds, PageEffort.allCases)
  func pagesWithADamagedPayloadButAGoodChecksumEndInAValueOrAnError(seed: UInt64, effort: PageEffort) throws {
    var g = SeededGenerator(seed: seed)
    for type in FieldType.allCases {
      for shape in [
        WordShape.smallSteps, .decimals, .spikes, .runs, .farBell, .spottedDecimals, .unitInterval, .fewDoubles,
      ] {
        let written = column(type, shape, .mixedRuns, count: 1500, distinct: 900, &g)
        let (page, _) = try PageEncoder.encode(written, effort: effort, file: file, offset: 0)
        for _ in 0..<300 {
          var damaged = page
          damaged[Int.random(in: 4..<page.count, using: &g)] = UInt8.random(in: 0...255, using: &g)
          let crc = damaged.withUnsafeBytes {
            CRC32C.salted(UnsafeRawBufferPointer(rebasing: $0[4...]), file: file, offset: 0)
          }
          for i in 0..<4 { damaged[i] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * i)) }
          try damaged.withUnsafeBytes { raw in
            _ = try isTotal { _ = try PageDecoder.decode(raw, file: file, offset: 0) }
            _ = try isTotal { _ = try PageDecoder.decodeTimes(raw, file: file, offset: 0) }
            _ = try isTotal { _ = try PageDecoder.decodeSeries(raw, file: file, offset: 0) }
          }
        }
      }
    }
  }

  @Test func zoneMapsSayWhatIsInThePage() throws {
    func zone(_ type: FieldType, _ words: [UInt64]) -> ZoneMap {
      // Named: a temporary buffer may be gone before its span is read.
      let buffer = Buffer(words)
      return withExtendedLifetime(buffer) { ZoneMap(type: type, values: buffer.span, nullCount: 0) }
    }
    let signed = zone(.int64, [5, UInt64(bitPattern: .min), UInt64(bitPattern: .min), UInt64(bitPattern: -7)])
    #expect(Int64(bitPattern: signed.minimum) == .min && signed.maximum == 5)
    #expect(signed.integerSum == Int128(Int64.min) * 2 - 2)
    #expect(signed.first == 5 && Int64(bitPattern: signed.last) == -7)
    let unsigned = zone(.uint64, [.max, .max, 1])
    #expect(unsigned.integerSum == Int128(UInt64.max) * 2 + 1 && unsigned.minimum == 1 && unsigned.maximum == .max)
    let doubles = zone(.float64, [1.5, .nan, -2, 4].map(\.bitPattern))
    #expect(Double(bitPattern: doubles.minimum) == -2 && Double(bitPattern: doubles.maximum) == 4)
    #expect(doubles.nanCount == 1 && doubles.doubleSum.isNaN)
    let nan = zone(.float64, [Double.nan.bitPattern])
    #expect(!nan.hasRange(.float64) && nan.mayOverlap(type: .float64, lower: 1, upper: 2))
    #expect(zone(.float64, [1.0, 3.0].map(\.bitPattern)).mayOverlap(type: .float64, lower: 3, upper: nil))
    #expect(!zone(.float64, [1.0, 3.0].map(\.bitPattern)).mayOverlap(type: .float64, lower: 3.1, upper: nil))
    #expect(!zone(.int64, [1, 3]).mayOverlap(type: .int64, lower: nil, upper: 0.5))
    // 2^53 + 1 as a double is 2^53: the page still matches.
    #expect(zone(.int64, [1 << 53 + 1]).mayOverlap(type: .int64, lower: 0x1p53 + 2, upper: nil))
  }
}
