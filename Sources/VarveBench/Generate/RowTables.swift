// What rows are put together from: the same for all connections, made once, then only read.
//
// Values of a series come from one long random walk that all fields share, each series and field beginning at a place
// of its own. So the value of any row is known without those before it, and no series needs memory.

import VarveCore

final class RowTables: @unchecked Sendable {
  // Unchecked: never written after init.
  static let walkMask = (1 << 16) - 1
  static let profileCount = 1024
  /// A row's greatest length; in a line the table's name is at most 63 of it.
  static let rowByteLimit = 640

  /// 0 to 10,000 in normally distributed steps.
  let walk: Buffer<Int16>
  /// The walk in 0 to 100.
  let percents: Buffer<UInt8>
  /// 0000 to 9999 as text.
  let fourDigits: Buffer<UInt32>
  /// 0 to 9999 as text without zeros in front, in the low bytes; the length in the byte behind.
  let shortNumbers: Buffer<UInt64>
  /// What stands before the series' number: the beginning of its tag, in a line that of the line.
  let opening: Pieces
  /// What stands behind the series' number: the other tags.
  let profiles: Pieces
  /// What stands before each field's value in a line; the last one is behind the last value.
  let keys: Pieces
  /// Texts that fields have.
  let texts: Pieces

  init(_ plan: LoadPlan, _ encoding: RowEncoding = .line) {
    let shape = RowShape(plan.schema)
    fourDigits = Buffer(repeating: 0, count: 10_000)
    shortNumbers = Buffer(repeating: 0, count: 10_000)
    for number in 0..<10_000 {
      var digits: UInt32 = 0
      var rest = number
      for _ in 0..<4 {
        digits = digits << 8 | UInt32(0x30 + rest % 10)
        rest /= 10
      }
      fourDigits[number] = digits
      let length = number >= 1000 ? 4 : number >= 100 ? 3 : number >= 10 ? 2 : 1
      shortNumbers[number] = UInt64(digits >> UInt32(8 * (4 - length))) | UInt64(length) << 32
    }
    walk = Buffer(repeating: 0, count: Self.walkMask + 1)
    percents = Buffer(repeating: 0, count: Self.walkMask + 1)
    var (percent, value) = (50.0, 5000.0)
    for index in 0...Self.walkMask {
      let word = mixed(plan.seed &+ UInt64(index))
      percent = Self.step(percent, word, deviation: 1, limit: 100)
      value = Self.step(value, mixed(word), deviation: 20, limit: 10_000)
      percents.base[index] = UInt8(percent)
      walk.base[index] = Int16(value)
    }
    let profiles = (0..<Self.profileCount).map { shape.profile(mixed(plan.seed &+ UInt64($0))) }
    switch encoding {
    case .line:
      opening = Pieces([plan.table + "," + shape.seriesTagName + "=" + shape.seriesTagPrefix])
      self.profiles = Pieces(profiles.map { tags in tags.map { ",\($0.name)=\($0.value)" }.joined() })
    case .copy, .parameters:
      opening = Pieces([shape.seriesTagPrefix])
      self.profiles = Pieces(profiles.map { tags in tags.flatMap { binaryText($0.value) } })
    }
    keys = Pieces(shape.keys)
    texts = Pieces(RowShape.statuses)
  }

  /// From 0 to `limit`. The sum of four uniform numbers, the word's quarters, is near enough to a normal one.
  private static func step(_ value: Double, _ word: UInt64, deviation: Double, limit: Double) -> Double {
    let sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + word >> 48
    let next = value + (Double(sum) / 65_536 - 2) * 1.732 * deviation
    return next < 0 ? 0 : next > limit ? limit : next
  }
}

/// Pieces of bytes one behind the other, each with enough room behind it to be copied as a whole number of words.
struct Pieces: Sendable {
  static let stride = 256
  let bytes: Buffer<UInt8>
  let lengths: Buffer<Int>

  init(_ texts: [String]) { self.init(texts.map { Array($0.utf8) }) }

  init(_ pieces: [[UInt8]]) {
    bytes = Buffer(repeating: 0, count: pieces.count * Self.stride)
    lengths = Buffer(pieces.map(\.count))
    for (index, piece) in pieces.enumerated() {
      precondition(piece.count <= Self.stride, "a piece of a row is short")
      for (offset, byte) in piece.enumerated() { bytes[index * Self.stride + offset] = byte }
    }
  }
}
