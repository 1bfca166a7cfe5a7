// Unsigned integers of any width, for the intermediates of numeric arithmetic and exact decimal conversion of
// doubles. Slow paths only: some hundred bits mostly, now and then thousands.

struct WideInteger: Equatable, Sendable {
  /// Little endian, without leading zero limbs; zero is empty.
  private(set) var limbs: [UInt32]

  init(_ value: UInt128) {
    limbs = []
    var rest = value
    while rest != 0 {
      limbs.append(UInt32(truncatingIfNeeded: rest))
      rest >>= 32
    }
  }

  private init(limbs: [UInt32]) {
    self.limbs = limbs
    while self.limbs.last == 0 { self.limbs.removeLast() }
  }

  var isZero: Bool { limbs.isEmpty }

  /// The value, if it fits.
  var uint128: UInt128? {
    guard limbs.count <= 4 else { return nil }
    return limbs.reversed().reduce(UInt128(0)) { $0 << 32 | UInt128($1) }
  }

  static func powerOfTen(_ exponent: Int) -> WideInteger {
    precondition(exponent >= 0, "powers of ten here are whole")
    var result = WideInteger(1)
    var rest = exponent
    while rest >= 9 {
      result.multiply(by: 1_000_000_000)
      rest -= 9
    }
    for _ in 0..<rest { result.multiply(by: 10) }
    return result
  }

  /// The digits of a number in text, of which a point is left out.
  init(decimal text: some Sequence<UInt8>) {
    limbs = []
    var part: UInt32 = 0
    var power: UInt32 = 1
    for c in text where c != UInt8(ascii: ".") {
      part = part * 10 + UInt32(c - 0x30)
      power *= 10
      if power == 1_000_000_000 {
        multiply(by: power, adding: part)
        (part, power) = (0, 1)
      }
    }
    multiply(by: power, adding: part)
  }

  mutating func multiply(by small: UInt32, adding more: UInt32 = 0) {
    var carry = UInt64(more)
    for i in limbs.indices {
      let product = UInt64(limbs[i]) * UInt64(small) + carry
      limbs[i] = UInt32(truncatingIfNeeded: product)
      carry = product >> 32
    }
    if carry != 0 { limbs.append(UInt32(carry)) }
  }

  /// Divides in place and gives the remainder.
  mutating func divide(by small: UInt32) -> UInt32 {
    var rest: UInt64 = 0
    for i in limbs.indices.reversed() {
      let value = rest << 32 | UInt64(limbs[i])
      limbs[i] = UInt32(truncatingIfNeeded: value / UInt64(small))
      rest = value % UInt64(small)
    }
    while limbs.last == 0 { limbs.removeLast() }
    return UInt32(rest)
  }

  static func * (a: WideInteger, b: WideInteger) -> WideInteger {
    if a.isZero || b.isZero { return WideInteger(0) }
    var out = [UInt32](repeating: 0, count: a.limbs.count + b.limbs.count)
    for i in a.limbs.indices {
      var carry: UInt64 = 0
      for j in b.limbs.indices {
        let sum = UInt64(a.limbs[i]) * UInt64(b.limbs[j]) + UInt64(out[i + j]) + carry
        out[i + j] = UInt32(truncatingIfNeeded: sum)
        carry = sum >> 32
      }
      out[i + b.limbs.count] = UInt32(carry)
    }
    return WideInteger(limbs: out)
  }

  static func + (a: WideInteger, b: WideInteger) -> WideInteger {
    var out: [UInt32] = []
    var carry: UInt64 = 0
    for i in 0..<max(a.limbs.count, b.limbs.count) {
      let sum =
        (i < a.limbs.count ? UInt64(a.limbs[i]) : 0) + (i < b.limbs.count ? UInt64(b.limbs[i]) : 0) + carry
      out.append(UInt32(truncatingIfNeeded: sum))
      carry = sum >> 32
    }
    if carry != 0 { out.append(UInt32(carry)) }
    return WideInteger(limbs: out)
  }

  /// `a` must not be less than `b`.
  static func - (a: WideInteger, b: WideInteger) -> WideInteger {
    precondition(a >= b, "wide integers have no sign")
    var out = a.limbs
    var borrow: Int64 = 0
    for i in out.indices {
      var difference = Int64(out[i]) - (i < b.limbs.count ? Int64(b.limbs[i]) : 0) - borrow
      borrow = difference < 0 ? 1 : 0
      if difference < 0 { difference += 1 << 32 }
      out[i] = UInt32(difference)
    }
    return WideInteger(limbs: out)
  }

  static func << (a: WideInteger, bits: Int) -> WideInteger {
    if a.isZero { return a }
    let whole = bits / 32
    let part = UInt32(bits % 32)
    var out = [UInt32](repeating: 0, count: whole)
    var carry: UInt32 = 0
    for limb in a.limbs {
      out.append(part == 0 ? limb : limb << part | carry)
      carry = part == 0 ? 0 : limb >> (32 - part)
    }
    out.append(carry)
    return WideInteger(limbs: out)
  }

  static func < (a: WideInteger, b: WideInteger) -> Bool {
    if a.limbs.count != b.limbs.count { return a.limbs.count < b.limbs.count }
    for i in a.limbs.indices.reversed() where a.limbs[i] != b.limbs[i] { return a.limbs[i] < b.limbs[i] }
    return false
  }
  static func >= (a: WideInteger, b: WideInteger) -> Bool { !(a < b) }
  static func > (a: WideInteger, b: WideInteger) -> Bool { b < a }

  var bitWidth: Int {
    guard let top = limbs.last else { return 0 }
    return limbs.count * 32 - top.leadingZeroBitCount
  }

  /// Knuth's algorithm D. The divisor must not be zero.
  func divided(by divisor: WideInteger) -> (quotient: WideInteger, remainder: WideInteger) {
    precondition(!divisor.isZero, "division of wide integers by zero")
    if self < divisor { return (WideInteger(0), self) }
    if divisor.limbs.count == 1 {
      let d = UInt64(divisor.limbs[0])
      var out = limbs
      var rest: UInt64 = 0
      for i in out.indices.reversed() {
        let value = rest << 32 | UInt64(out[i])
        out[i] = UInt32(value / d)
        rest = value % d
      }
      return (WideInteger(limbs: out), WideInteger(UInt128(rest)))
    }
    let shift = divisor.limbs[divisor.limbs.count - 1].leadingZeroBitCount
    let v = (divisor << shift).limbs
    var u = (self << shift).limbs
    let n = v.count
    while u.count <= limbs.count { u.append(0) }
    let m = u.count - n - 1
    var q = [UInt32](repeating: 0, count: m + 1)
    for j in (0...m).reversed() {
      let top = UInt64(u[j + n]) << 32 | UInt64(u[j + n - 1])
      var guess = top / UInt64(v[n - 1])
      var rest = top % UInt64(v[n - 1])
      while guess >= 1 << 32 || guess * UInt64(v[n - 2]) > (rest << 32 | UInt64(u[j + n - 2])) {
        guess -= 1
        rest += UInt64(v[n - 1])
        if rest >= 1 << 32 { break }
      }
      var borrow: Int64 = 0
      var carry: UInt64 = 0
      for i in 0..<n {
        let product = guess * UInt64(v[i]) + carry
        carry = product >> 32
        let difference = Int64(u[i + j]) - borrow - Int64(product & 0xFFFF_FFFF)
        u[i + j] = UInt32(truncatingIfNeeded: difference)
        borrow = difference < 0 ? 1 : 0
      }
      let difference = Int64(u[j + n]) - borrow - Int64(carry)
      u[j + n] = UInt32(truncatingIfNeeded: difference)
      if difference < 0 {
        guess -= 1
        var carry: UInt64 = 0
        for i in 0..<n {
          let sum = UInt64(u[i + j]) + UInt64(v[i]) + carry
          u[i + j] = UInt32(truncatingIfNeeded: sum)
          carry = sum >> 32
        }
        u[j + n] = UInt32(truncatingIfNeeded: UInt64(u[j + n]) + carry)
      }
      q[j] = UInt32(truncatingIfNeeded: guess)
    }
    var remainder = Array(u[0..<n])
    if shift > 0 {
      for i in remainder.indices {
        let above = i + 1 < n ? remainder[i + 1] : 0
        remainder[i] = remainder[i] >> UInt32(shift) | above << UInt32(32 - shift)
      }
    }
    return (WideInteger(limbs: q), WideInteger(limbs: remainder))
  }

  /// Quotient rounded to nearest, halves up.
  func dividedRoundingHalfUp(by divisor: WideInteger) -> WideInteger {
    let (quotient, remainder) = divided(by: divisor)
    return (remainder << 1) >= divisor ? quotient + WideInteger(1) : quotient
  }

  /// The integer part of the square root.
  var squareRoot: WideInteger {
    if isZero { return self }
    var x = WideInteger(1) << ((bitWidth + 1) / 2)
    while true {
      let next = (x + divided(by: x).quotient).divided(by: WideInteger(2)).quotient
      if next >= x { return x }
      x = next
    }
  }
}
