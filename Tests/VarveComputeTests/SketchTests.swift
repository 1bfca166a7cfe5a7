// The sketches: within their stated errors, whatever the order and the splitting, and whole after a round trip.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct SketchTests {
  static func encoded(_ encode: (Buffer<UInt8>) -> Void) -> [UInt8] {
    let out = Buffer<UInt8>()
    encode(out)
    return out.array
  }

  static func values(_ random: inout SeededGenerator, _ count: Int, _ shape: Int) -> [Double] {
    (0..<count).map { _ in
      let x = Double.random(in: 0..<1, using: &random)
      switch shape {
      case 0: return 20 + 60 * x
      case 1: return (x - 0.5) * 1e6
      case 2:
        return Double(
          sign: x < 0.5 ? .minus : .plus, exponent: Int.random(in: -900...900, using: &random), significand: 1 + x)
      default: return Double(Int(x * 10))
      }
    }
  }

  @Test func quantilesAreWithinTheStatedError() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for shape in 0..<4 {
      let values = Self.values(&random, 20_000, shape)
      var sketch = QuantileSketch()
      for value in values { sketch.add(value) }
      #expect(sketch.count == 20_000)
      if shape == 0 { #expect(sketch.relativeError < 0.0011) }
      let sorted = values.sorted()
      for fraction in [0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.9999, 1] {
        let exact = sorted[max(Int((fraction * 20_000).rounded(.up)), 1) - 1]
        let answer = try #require(sketch.quantile(fraction))
        #expect(
          abs(answer - exact) <= sketch.relativeError * abs(exact) * (1 + 1e-9),
          "seed \(seed) shape \(shape) fraction \(fraction): \(answer), exactly \(exact)")
      }
    }
  }

  @Test func quantileSketchesDependOnTheirValuesAlone() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for shape in 0..<4 {
      let values =
        Self.values(&random, 5000, shape) + [.nan, .infinity, -.infinity, 0, -0.0, Double.leastNonzeroMagnitude]
      var whole = QuantileSketch()
      for value in values { whole.add(value) }
      var parts = [QuantileSketch](repeating: QuantileSketch(), count: 3)
      for value in values.shuffled(using: &random) { parts[Int.random(in: 0..<3, using: &random)].add(value) }
      var merged = parts[2]
      merged.merge(parts[0])
      merged.merge(parts[1])
      #expect(merged == whole, "seed \(seed) shape \(shape)")
      let bytes = Self.encoded { whole.encode(to: $0) }
      let back = try bytes.withUnsafeBufferPointer { try QuantileSketch(decoding: $0) }
      #expect(back == whole)
      for cut in [0, 1, 7, bytes.count / 2, bytes.count - 1] {
        #expect(throws: VarveError.self) {
          try Array(bytes.prefix(cut)).withUnsafeBufferPointer { try QuantileSketch(decoding: $0) }
        }
      }
    }
    #expect(QuantileSketch().quantile(0.5) == nil)
  }

  @Test func distinctCountsAreWithinFourStandardErrors() throws {
    for exact in [0, 1, 2, 100, 1499, 1501, 5000, 16_384, 60_000, 1_000_000] {
      var sketch = DistinctSketch()
      for value in 0..<exact { sketch.add(hash: DistinctSketch.hash(word: UInt64(value))) }
      for value in 0..<min(exact, 1000) { sketch.add(hash: DistinctSketch.hash(word: UInt64(value))) }
      let error = abs(Double(sketch.estimate) - Double(exact))
      #expect(exact <= 1500 ? error < 1 : error <= 4 * 0.0081 * Double(exact), "\(exact): \(sketch.estimate)")
    }
  }

  @Test func distinctSketchesDependOnTheirSetAlone() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for count in [10, 1400, 1600, 40_000] {
      let hashes = (0..<count).map { _ in random.next() }
      var whole = DistinctSketch()
      for hash in hashes { whole.add(hash: hash) }
      var parts = [DistinctSketch](repeating: DistinctSketch(), count: 3)
      for hash in (hashes + hashes).shuffled(using: &random) {
        parts[Int.random(in: 0..<3, using: &random)].add(hash: hash)
      }
      var merged = parts[1]
      merged.merge(parts[0])
      merged.merge(parts[2])
      #expect(merged == whole, "seed \(seed) count \(count)")
      let bytes = Self.encoded { whole.encode(to: $0) }
      #expect(try bytes.withUnsafeBufferPointer { try DistinctSketch(decoding: $0) } == whole)
      for cut in [0, 1, 2, bytes.count - 1] {
        #expect(throws: VarveError.self) {
          try Array(bytes.prefix(cut)).withUnsafeBufferPointer { try DistinctSketch(decoding: $0) }
        }
      }
    }
  }

  /// Sketches lie on disk: what the bytes mean must stay.
  @Test func encodedFormsStay() throws {
    var quantiles = QuantileSketch()
    for value in [1.0, 2, -3, 0, .nan] { quantiles.add(value) }
    #expect(
      Self.encoded { quantiles.encode(to: $0) } == [
        1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 192, 0, 0, 0, 0, 0, 0, 0, 64, 1, 204, 8, 1, 2, 0, 1, 182, 5, 1,
      ])
    var distinct = DistinctSketch()
    "varve".utf8.withContiguousStorageIfAvailable { distinct.add(hash: DistinctSketch.hash(bytes: $0)) }
    distinct.add(hash: 0)
    #expect(DistinctSketch.hash(word: 0) == 0xE220_A839_7B1D_CDAF)
    #expect(Self.encoded { distinct.encode(to: $0) }.prefix(4) == [1, 0, 2, 39])
  }

  @Test func distinctTextsAreCounted() throws {
    let counts = try #require(try FunctionCatalog.aggregate("approx_count_distinct", [.text])).makeStates()
    try counts.resize(to: 1)
    let texts = try Column(type: .text, data: (0..<600).map { $0 % 3 == 0 ? .null : .text("host-\($0 % 50)") })
    try counts.update([texts], rows: 0..<600, group: 0)
    #expect(try counts.result().datum(at: 0) == .int(50))
  }

  @Test func textThatIsNoSketchIsRefused() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for count in 0..<40 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let text = Buffer<UInt8>()
      SketchBytes.appendText(to: text) { $0.append(contentsOf: Buffer(bytes)) }
      #expect(text.count == (count * 4 + 2) / 3)
      #expect(try SketchBytes.bytes(text.span).array == bytes, "seed \(seed)")
    }
    for wrong in ["A", "AAAAA", "AA==", "AA A", "AAé", "{}"] {
      var wrong = wrong
      #expect(throws: VarveError.self, "\(wrong)") { try wrong.withUTF8 { try SketchBytes.bytes($0) } }
    }
  }
}
