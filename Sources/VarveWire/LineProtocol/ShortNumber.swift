// The common shapes of numbers in a few steps over words of eight bytes, exact where it answers at all.

/// `FieldType`'s raw values, to be compared without a call.
enum TypeCode {
  static let float64: UInt8 = 1
  static let int64: UInt8 = 2
  static let uint64: UInt8 = 3
  static let bool: UInt8 = 4
  static let text: UInt8 = 5
  static let timestamp: UInt8 = 6
}

/// A number that `shortNumber` took; `end` is nil where it did not.
struct ShortNumber {
  var end: UnsafePointer<UInt8>?
  var type: UInt8
  var word: UInt64
}

/// Numbers of up to 7 digits before and after the dot, or of up to 15 without one: nearly all there are. At least
/// 32 bytes can be read at `p`.
@inline(__always)
func shortNumber(_ p: UnsafePointer<UInt8>, powers: UnsafePointer<UInt64>) -> ShortNumber {
  let none = ShortNumber(end: nil, type: 0, word: 0)
  let negative = p[0] == 0x2D
  var q = negative ? p + 1 : p
  let digits = Word.load(q)
  let others = Word.nonDigits(digits)
  var value: UInt64
  if others != 0 {
    let count = Word.index(others)
    if count == 0 { return none }
    value = Word.decimal(digits, count: count)
    q += count
    if q[0] == 0x2E {
      let fraction = Word.load(q + 1)
      let fractionOthers = Word.nonDigits(fraction)
      if fractionOthers == 0 { return none }
      let fractionCount = Word.index(fractionOthers)
      q += 1 &+ fractionCount
      guard endsValue(q[0]) else { return none }
      let power = powers[fractionCount]
      if fractionCount > 0 { value = value &* power &+ Word.decimal(fraction, count: fractionCount) }
      // At most 14 digits: both operands are exact, so the quotient is the nearest double.
      let number = Double(value) / Double(power)
      return ShortNumber(end: q, type: TypeCode.float64, word: (negative ? -number : number).bitPattern)
    }
  } else {
    let more = Word.load(q + 8)
    let moreOthers = Word.nonDigits(more)
    if moreOthers == 0 { return none }
    let count = Word.index(moreOthers)
    value = Word.decimal(digits, count: 8)
    if count > 0 { value = value &* powers[count] &+ Word.decimal(more, count: count) }
    q += 8 &+ count
  }
  if q[0] == 0x69 {
    guard endsValue(q[1]) else { return none }
    return ShortNumber(end: q + 1, type: TypeCode.int64, word: negative ? 0 &- value : value)
  }
  guard endsValue(q[0]) else { return none }
  let number = Double(value)
  return ShortNumber(end: q, type: TypeCode.float64, word: (negative ? -number : number).bitPattern)
}

@inline(__always)
private func endsValue(_ byte: UInt8) -> Bool { byte == 0x2C || byte == 0x20 || byte == 0x0A || byte == 0x0D }
