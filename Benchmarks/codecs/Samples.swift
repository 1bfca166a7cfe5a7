// The columns that are measured: made up from a seed, or read from text files of a value a line.

import Glibc
import VarveCore

struct Sample {
  var name: String
  var type: FieldType
  var words: [UInt64]
  /// Bits a value that the page has to stay near: another's figure, or the entropy. Nil where there is none.
  var reference: Double?
  var text: Buffer<UInt8>?

  var column: FieldColumn { FieldColumn(type: type, words: Buffer(words), text: text) }
}

/// The same numbers in every run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A normal deviate (Box and Muller).
  mutating func normal() -> Double {
    let radius = (-2 * log(Double.random(in: 0x1p-60..<1, using: &self))).squareRoot()
    return radius * cos(2 * Double.pi * Double.random(in: 0..<1, using: &self))
  }
}

enum Samples {
  /// A field of TSBS's `cpu`: a walk between 0 and 100 by rounded normal steps.
  static func walk(_ count: Int, seed: UInt64 = 1) -> Sample {
    var random = SplitMix(state: seed)
    var value = 50
    let words = (0..<count).map { _ -> UInt64 in
      value = min(100, max(0, value + Int(random.normal().rounded())))
      return UInt64(value)
    }
    return Sample(name: "cpu walk, \(count)", type: .int64, words: words, reference: differenceEntropy(words))
  }

  /// Bits a value of first differences that know nothing of each other.
  static func differenceEntropy(_ words: [UInt64]) -> Double {
    var counts: [UInt64: Int] = [:]
    for i in 1..<words.count { counts[words[i] &- words[i - 1], default: 0] += 1 }
    return counts.values.reduce(0.0) { sum, held in
      let share = Double(held) / Double(words.count - 1)
      return sum - share * log2(share)
    }
  }

  /// A sensor of `digits` decimals that moves slowly.
  static func sensor(_ count: Int, digits: Int, step: Double, seed: UInt64) -> Sample {
    var random = SplitMix(state: seed)
    let scale = pow(10, Double(digits))
    var value = 20 * scale
    var integers: [UInt64] = []
    let words = (0..<count).map { _ -> UInt64 in
      value = (value + random.normal() * step).rounded()
      integers.append(UInt64(bitPattern: Int64(value)))
      return (value / scale).bitPattern
    }
    return Sample(
      name: "sensor, \(digits) decimals, step \(Int(step))", type: .float64, words: words,
      reference: differenceEntropy(integers))
  }

  static func status(_ count: Int, changes: Int, seed: UInt64) -> Sample {
    var random = SplitMix(state: seed)
    let names = ["ok", "idle", "driving", "charging", "fault"]
    let text = Buffer<UInt8>()
    let refs = names.map { name -> UInt64 in
      let ref = TextRef(offset: text.count, length: name.utf8.count).word
      for byte in name.utf8 { text.append(byte) }
      return ref
    }
    var held = 0
    let words = (0..<count).map { _ -> UInt64 in
      if Int.random(in: 0..<changes, using: &random) == 0 { held = Int.random(in: 0..<5, using: &random) }
      return refs[held]
    }
    return Sample(
      name: changes == 1 ? "status, random of 5" : "status, changing 1 in \(changes)", type: .text, words: words,
      reference: changes == 1 ? log2(5) : nil, text: text)
  }

  static func flags(_ count: Int, share: Double, seed: UInt64) -> Sample {
    var random = SplitMix(state: seed)
    let words = (0..<count).map { _ -> UInt64 in Double.random(in: 0..<1, using: &random) < share ? 1 : 0 }
    return Sample(
      name: "flag, \(Int(share * 100)) % true", type: .bool, words: words,
      reference: -share * log2(share) - (1 - share) * log2(1 - share))
  }

  /// The paper's figures for its samples, bits a value (ALP; for the last ALP-RD).
  private static let alpFigures: [(name: String, bits: Double)] = [
    ("neon_air_pressure", 16.23), ("basel_temp_f", 31.67), ("basel_wind_f", 29.70), ("bird_migration_f", 17.16),
    ("city_temperature_f", 11.00), ("cms1", 41.78), ("cms25", 42.47), ("neon_bio_temp_c", 10.00),
    ("food_prices", 23.59), ("gov26", 0.00), ("nyc29", 42.39), ("ssd_hdd_benchmarks_f", 17.00),
    ("stocks_usa_c", 7.00), ("neon_wind_dir", 16.00), ("poi_lat", 55.74),
  ]

  static func alp(_ directory: String) -> [Sample] {
    alpFigures.compactMap { name, bits in
      let words = doubles("\(directory)/alp/\(name).csv", column: 0)
      return words.isEmpty ? nil : Sample(name: name, type: .float64, words: words, reference: bits)
    }
  }

  static func nab(_ directory: String) -> [Sample] {
    var samples: [Sample] = []
    for folder in ["realAWSCloudwatch", "realKnownCause"] {
      for file in files("\(directory)/nab/\(folder)") where file.hasSuffix(".csv") {
        let words = doubles("\(directory)/nab/\(folder)/\(file)", column: 1)
        guard !words.isEmpty else { continue }
        samples.append(
          Sample(name: String(file.dropLast(4).prefix(34)), type: .float64, words: Array(words.prefix(8192))))
      }
    }
    return samples
  }

  private static func files(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.sorted()
  }

  /// A column of comma-separated lines; lines without a number there are skipped. Empty if there is no file.
  private static func doubles(_ path: String, column: Int) -> [UInt64] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let read = fread(&block, 1, block.count, file)
      guard read > 0 else { break }
      bytes.append(contentsOf: block[..<read])
    }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
      let parts = line.split(separator: ",", omittingEmptySubsequences: false)
      guard parts.count > column, let value = Double(parts[column]) else { return nil }
      return value.bitPattern
    }
  }
}
