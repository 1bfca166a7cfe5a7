// Values a second of each codec, encoding, decoding and aggregating, on one core; the best of several turns.

import Glibc
import VarveCore
import VarveFormat

enum SpeedTable {
  private static let file = FileID(rawValue: 1)

  static func print(only: String) throws {
    Swift.print("speed, million values a second, one core, pages of 8,192 values in cache")
    Swift.print(
      pad("sample, effort", 40) + pad("codec", 28), pad("encode", 9), pad("decode", 9), pad("sum", 9), pad("all", 9),
      pad("all, 360 rows", 9))
    var random = SplitMix(state: 9)
    let noise = (0..<8192).map { _ in (random.normal() * 1e-3 + 1).bitPattern }
    var level = 1.0
    let drift = (0..<8192).map { _ -> UInt64 in
      level += Double(Int.random(in: -8...8, using: &random)) / 64
      return level.bitPattern
    }
    let samples = [
      Samples.walk(8192),
      Sample(name: "integers, 10 bits", type: .int64, words: (0..<8192).map { _ in random.next() & 1023 }),
      Samples.sensor(8192, digits: 3, step: 20, seed: 3),
      Sample(
        name: "decimals, 2 digits", type: .float64,
        words: (0..<8192).map { _ in (Double(Int.random(in: 0..<4000, using: &random)) / 100).bitPattern }),
      Sample(name: "doubles, all digits", type: .float64, words: noise),
      Sample(name: "doubles, binary steps", type: .float64, words: drift),
      Samples.flags(8192, share: 0.05, seed: 5),
      Samples.status(8192, changes: 1, seed: 7),
    ]
    for sample in samples where sample.name.hasPrefix(only) {
      for effort in PageEffort.allCases { try report(sample, effort) }
    }
    try gorilla(drift)
  }

  private static func report(_ sample: Sample, _ effort: PageEffort) throws {
    let column = sample.column
    let (page, _) = try PageEncoder.encode(column, effort: effort, file: file, offset: 0)
    let label = try page.withUnsafeBytes { try PageDescription.label($0, file: file, offset: 0) }
    let encode = try rate(sample.words.count, turns: 20) {
      _ = try PageEncoder.encode(column, effort: effort, file: file, offset: 0)
    }
    let decode = try page.withUnsafeBytes { raw in
      try rate(sample.words.count, turns: 200) { _ = try PageDecoder.decode(raw, file: file, offset: 0) }
    }
    let count = sample.words.count
    func aggregate(_ segments: [Range<Int>], _ wanted: PageAggregates) throws -> Double {
      try page.withUnsafeBytes { raw in
        try rate(count, turns: 200) {
          _ = try PageAggregator.aggregate(
            raw, segments: segments, wanted: wanted, isVerified: true, file: file, offset: 0)
        }
      }
    }
    let all: PageAggregates = [.sum, .range, .ends]
    // Hours of a series with a row every 10 s.
    let hours = stride(from: 0, to: count, by: 360).map { $0..<min($0 + 360, count) }
    let figures = [
      encode, decode, try aggregate([0..<count], .sum), try aggregate([0..<count], all), try aggregate(hours, all),
    ]
    Swift.print(
      pad("\(sample.name), \(effort)", 40) + pad(label, 28),
      figures.map { pad("\(Int($0.rounded()))", 9) }.joined(separator: " "))
  }

  private static func gorilla(_ words: [UInt64]) throws {
    let buffer = Buffer(words)
    var encoded = ByteWriter()
    Gorilla.encode(buffer.span, to: &encoded)
    let encode = rate(words.count, turns: 100) {
      var out = ByteWriter(reserving: words.count * 10)
      Gorilla.encode(buffer.span, to: &out)
    }
    let back = Buffer<UInt64>(repeating: 0, count: words.count)
    let decode = try encoded.bytes.withUnsafeBytes { raw in
      try rate(words.count, turns: 100) {
        var reader = ByteReader(raw)
        try Gorilla.decode(words.count, from: &reader, into: back.base)
      }
    }
    Swift.print(
      pad("doubles, binary steps, codec alone", 40) + pad("gorilla", 28), pad(decimal(encode), 9),
      pad(decimal(decode), 9))
  }

  /// Million values a second: the best of seven times `turns` calls.
  static func rate(_ count: Int, turns: Int, _ body: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<7 {
      let start = seconds()
      for _ in 0..<turns { try body() }
      best = min(best, seconds() - start)
    }
    return Double(count * turns) / best / 1e6
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
