// Decoders without a checksum before them: random and damaged bytes end in values or errors, never in a trap.

import Testing
import VarveCore
@testable import VarveFormat

@Suite struct TotalDecoderTests {
  private static func decodeEverything(_ bytes: [UInt8], count: Int) throws {
    let out = Buffer<UInt64>(repeating: 0, count: count)
    for codec in ValueCodec.allCases {
      for type in FieldType.allCases where type != .text {
        try withReader(bytes) { reader in
          _ = try isTotal {
            try PageDecoder.decodeWords(codec, type: type, count: count, from: &reader, into: out.base)
          }
        }
      }
      try withReader(bytes) { reader in
        _ = try isTotal { _ = try TextCodec.decode(codec, count: count, from: &reader, into: out.base) }
      }
      for presence in PresenceCodec.allCases {
        let header = PageHeader(
          content: .field(.text), codec: codec, presence: presence, compression: .none, rowCount: count,
          valueCount: count / 2, payloadByteCount: bytes.count, uncompressedByteCount: bytes.count)
        try withReader(bytes) { reader in
          _ = try isTotal { _ = try PageDecoder.decodeField(header, type: .text, from: &reader) }
        }
      }
    }
    try withReader(bytes) { reader in
      _ = try isTotal { _ = try SeriesCodec.decode(runCount: min(count, 20), rowCount: count, from: &reader) }
    }
    for type in FieldType.allCases {
      try withReader(bytes) { reader in
        _ = try isTotal { _ = try ZoneMap.read(type: type, rowCount: count, from: &reader) }
      }
    }
  }

  @Test(arguments: seeds) func randomBytesEndInAValueOrAnError(seed: UInt64) throws {
    var g = SeededGenerator(seed: seed)
    for _ in 0..<1500 {
      let mask: UInt8 = [0xFF, 0x0F, 0x8F, 0x03].randomElement(using: &g) ?? 0xFF
      let bytes = (0..<Int.random(in: 0...300, using: &g)).map { _ in UInt8.random(in: 0...255, using: &g) & mask }
      let count = interestingCounts.filter { $0 <= 1025 }.randomElement(using: &g) ?? 1
      try Self.decodeEverything(bytes, count: count)
    }
  }

  @Test(arguments: WordShape.allCases, PageEffort.allCases)
  func everyBitAndLengthOfAStreamEndsInAValueOrAnError(shape: WordShape, effort: PageEffort) throws {
    // The entropy stage takes streams from 65 values on; bytes are many there.
    for count in effort == .smallest ? [9, 100] : [1, 9, 40] {
      var g = SeededGenerator(seed: 77)
      let words = Buffer(shape.words(count, &g))
      var integers = ByteWriter()
      IntegerCodec.append(stream: words.span, effort: effort, to: &integers)
      var doubles = ByteWriter()
      let doubleCodec = DoubleCodec.encode(words.span, effort: effort, to: &doubles)
      var gorilla = ByteWriter()
      Gorilla.encode(words.span, to: &gorilla)
      let out = Buffer<UInt64>(repeating: 0, count: count)
      func decode(_ which: Int, _ bytes: [UInt8]) throws -> Bool {
        try withReader(bytes) { reader in
          try isTotal {
            switch which {
            case 0: try IntegerCodec.read(stream: count, from: &reader, into: out.base)
            case 1: try DoubleCodec.decode(doubleCodec, count: count, from: &reader, into: out.base)
            default: try Gorilla.decode(count, from: &reader, into: out.base)
            }
          }
        }
      }
      for (which, bytes) in [integers.bytes, doubles.bytes, gorilla.bytes].enumerated() {
        for bit in 0..<(bytes.count * 8) {
          var damaged = bytes
          damaged[bit / 8] ^= 1 << UInt8(bit % 8)
          _ = try decode(which, damaged)
        }
        // A stream that lost its end never passes for a whole one.
        for length in 0..<bytes.count {
          #expect(try !decode(which, Array(bytes[..<length])), "\(shape) \(count) stream \(which) cut to \(length)")
        }
      }
    }
  }

  @Test func runsWithinRunsAreRefused() throws {
    // runs: 1 run; its values again as runs.
    let bytes: [UInt8] = [ValueCodec.runs.rawValue, 1, ValueCodec.runs.rawValue, 1, 1, 0, 1, 0]
    let out = Buffer<UInt64>(repeating: 0, count: 1)
    #expect(throws: VarveError.self) {
      try withReader(bytes) { try IntegerCodec.read(stream: 1, from: &$0, into: out.base) }
    }
  }

  @Test(arguments: seeds) func randomIndexesEndInAValueOrAnError(seed: UInt64) throws {
    var g = SeededGenerator(seed: seed)
    let identity = ChunkIdentity(
      file: FileID(rawValue: 1), table: TableID(rawValue: 1), partition: 0, partitionNanoseconds: .max,
      firstSequence: .zero, lastSequence: .zero, wallNanoseconds: 0)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...60, using: &g)).map { _ in UInt8.random(in: 0...40, using: &g) }
      let version = UInt32.random(in: 1...2, using: &g)
      let footer = ChunkFooter(
        file: identity.file, rowBlockCount: Int.random(in: 0..<4, using: &g), indexOffset: 5000,
        indexByteCount: bytes.count, rowCount: 10, valueCount: 10, time: TimeRange(lower: 0, upper: 1),
        firstSeries: SeriesID(rawValue: 0), lastSeries: SeriesID(rawValue: 9), indexChecksum: 0)
      try bytes.withUnsafeBytes { raw in
        _ = try isTotal {
          _ = try ChunkIndex.decodeUnchecked(raw, identity: identity, version: version, footer: footer)
        }
      }
    }
  }
}
