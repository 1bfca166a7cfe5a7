// Seeded randomness and shapes of data that the tests of this target share.

import VarveCore
import VarveFormat

/// SplitMix64: small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// Close to a normal deviate: the sum of twelve.
  static func bell(_ g: inout SeededGenerator) -> Double {
    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &g) }
  }
}

/// Lengths at which vectors, rows and bytes begin and end.
let interestingCounts = [0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 100, 1023, 1024, 1025, 2048, 5000, 8191, 8192, 16384]

/// A seed for the run; failures name it.
let seeds: [UInt64] = [1, 20_261_123]

enum WordShape: String, CaseIterable {
  case equal, extremes, randomBits, smallSteps, counter, steady, nearlySteady, spikes, runs, doublesWalk
  case wholeDoubles, decimals, specialDoubles, narrow, wide33, series
  case bell, bellsOfSeries, wideBell, farBell, curve, decimalWalk, spottedDecimals, unitInterval, fewDoubles, fewCodes

  func words(_ count: Int, _ g: inout SeededGenerator) -> [UInt64] {
    var value = Int64(50)
    var double = 20.0
    let few = (0..<7).map { _ in g.next() }
    let specials: [UInt64] = [
      Double.nan.bitPattern, 0x7FF8_0000_0000_1234, 0xFFF0_0000_0000_0001, (-0.0).bitPattern, 0,
      Double.infinity.bitPattern, (-Double.infinity).bitPattern, 1, Double.leastNormalMagnitude.bitPattern,
      Double.greatestFiniteMagnitude.bitPattern, (1.5).bitPattern,
    ]
    return (0..<count).map { i in
      switch self {
      case .equal: return 0xDEAD_BEEF
      case .extremes: return UInt64(bitPattern: [Int64.min, .max, 0, -1, 1][Int.random(in: 0..<5, using: &g)])
      case .randomBits: return g.next()
      case .smallSteps:
        value = min(100, max(0, value + Int64.random(in: -1...1, using: &g)))
        return UInt64(bitPattern: value)
      case .counter:
        value &+= 1000 + Int64.random(in: 0..<10, using: &g)
        return UInt64(bitPattern: value)
      case .steady: return UInt64(bitPattern: Int64.max - 5) &+ UInt64(i) &* 10_000_000_000
      case .nearlySteady:
        value += Int.random(in: 0..<50, using: &g) == 0 ? 11_000_000_000 : 10_000_000_000
        return UInt64(bitPattern: value)
      case .spikes: return Int.random(in: 0..<100, using: &g) == 0 ? g.next() : UInt64.random(in: 0..<8, using: &g)
      case .runs:
        if Int.random(in: 0..<60, using: &g) == 0 { value = Int64.random(in: .min ... .max, using: &g) }
        return UInt64(bitPattern: value)
      case .doublesWalk:
        double += Double.random(in: -1...1, using: &g)
        return double.bitPattern
      case .wholeDoubles:
        value += Int64.random(in: -3...3, using: &g)
        return Double(value).bitPattern
      case .decimals: return (Double(Int.random(in: 0..<4000, using: &g)) / 100).bitPattern
      case .specialDoubles: return specials[Int.random(in: 0..<specials.count, using: &g)]
      case .narrow: return UInt64.random(in: 0..<2, using: &g)
      case .wide33: return UInt64.random(in: 0..<(1 << 33), using: &g)
      case .bell:
        value = min(100, max(0, value + Int64(SeededGenerator.bell(&g).rounded())))
        return UInt64(bitPattern: value)
      case .bellsOfSeries:
        if i % 90 == 89 { value = Int64.random(in: 0...100, using: &g) }
        value = min(100, max(0, value + Int64(SeededGenerator.bell(&g).rounded())))
        return UInt64(bitPattern: value)
      case .wideBell: return UInt64(bitPattern: Int64(SeededGenerator.bell(&g) * 0x1p40))
      case .farBell:
        value &+= Int64(SeededGenerator.bell(&g) * 300) &+ (Int.random(in: 0..<70, using: &g) == 0 ? 1 << 50 : 0)
        return UInt64(bitPattern: value)
      case .curve: return UInt64(bitPattern: Int64(i * i * 3) + Int64(SeededGenerator.bell(&g) * 2))
      case .decimalWalk:
        value += Int64(SeededGenerator.bell(&g) * 3)
        return (Double(value) / 10).bitPattern
      case .spottedDecimals:
        guard Int.random(in: 0..<30, using: &g) > 0 else { return specials[Int.random(in: 0..<11, using: &g)] }
        return (Double(Int.random(in: -90_000...90_000, using: &g)) / 1000).bitPattern
      case .unitInterval: return Double.random(in: -1...1, using: &g).bitPattern
      case .fewDoubles: return few[Int.random(in: 0..<7, using: &g)]
      case .fewCodes: return [200, 404, 500, 0, 1 << 40][Int.random(in: 0..<5, using: &g)]
      case .series:
        value &+= i % 1000 == 0 ? 1_000_000 : 1
        return UInt64(bitPattern: value)
      }
    }
  }
}

func withReader<T>(_ bytes: [UInt8], _ body: (inout ByteReader) throws -> T) rethrows -> T {
  try bytes.withUnsafeBytes { raw in
    var reader = ByteReader(raw)
    return try body(&reader)
  }
}

/// Whether decoding ended in a value or in a `VarveError`; anything else fails the test by being thrown on.
func isTotal(_ body: () throws -> Void) throws -> Bool {
  do {
    try body()
    return true
  } catch is VarveError {
    return false
  }
}

func same(_ a: FieldColumn, _ b: FieldColumn) -> Bool {
  guard a.type == b.type, a.count == b.count else { return false }
  for row in 0..<a.count {
    guard a.state(row) == b.state(row) else { return false }
    switch (a.state(row), a.type) {
    case (.value, .text): guard a.bytes(row).elementsEqual(b.bytes(row)) else { return false }
    case (.value, _): guard a.words[row] == b.words[row] else { return false }
    default: guard b.words[row] == 0 else { return false }
    }
  }
  return true
}

enum StateShape: CaseIterable {
  case all, allExplicit, sparse, dense, nulls, mixedRuns, none

  func states(_ count: Int, _ g: inout SeededGenerator) -> Buffer<UInt8>? {
    if self == .all { return nil }
    var run: UInt8 = 0
    return Buffer(
      (0..<count).map { _ -> UInt8 in
        switch self {
        case .all, .allExplicit: return 1
        case .sparse: return Int.random(in: 0..<40, using: &g) == 0 ? 1 : 0
        case .dense: return Int.random(in: 0..<5, using: &g) == 0 ? 0 : 1
        case .nulls: return UInt8.random(in: 0...2, using: &g)
        case .mixedRuns:
          if Int.random(in: 0..<80, using: &g) == 0 { run = UInt8.random(in: 0...2, using: &g) }
          return run
        case .none: return 0
        }
      })
  }
}

/// A column of any type over `count` rows.
func column(
  _ type: FieldType, _ shape: WordShape, _ stateShape: StateShape, count: Int, distinct: Int = 5,
  _ g: inout SeededGenerator
) -> FieldColumn {
  let states = stateShape.states(count, &g)
  var words = shape.words(count, &g)
  var text: Buffer<UInt8>?
  if type == .bool { words = words.map { $0 & 1 } }
  if type == .text {
    let bytes = Buffer<UInt8>()
    words = words.map { word in
      let string = Array("état-\(word % UInt64(distinct))".utf8.prefix(Int(word % 7) == 0 ? 0 : 40))
      let offset = bytes.count
      for byte in string { bytes.append(byte) }
      return TextRef(offset: offset, length: string.count).word
    }
    text = bytes
  }
  if let states { for i in 0..<count where states[i] != 1 { words[i] = 0 } }
  return FieldColumn(type: type, words: Buffer(words), text: text, states: states)
}
