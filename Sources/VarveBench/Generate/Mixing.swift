// Hashes and orders that follow from a seed alone.

/// splitmix64's last step: all bits of the result depend on all of the word's.
@inline(__always)
func mixed(_ word: UInt64) -> UInt64 {
  var z = word &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// An order of 0 ..< count that looks random, without a table of it: additions, multiplications by odd numbers and
/// shifts into lower bits each permute the numbers below a power of two; what lands beyond the count goes through
/// once more, until it does not (less than two rounds on average).
struct Permutation {
  private let count: UInt32
  private let mask: UInt32
  private let shift: UInt32
  private let addend: UInt32
  private let factors: (UInt32, UInt32)

  init(count: Int, key: UInt64) {
    precondition(count >= 1 && count <= 1 << 31, "a permutation of something")
    self.count = UInt32(count)
    let bits = UInt32(max(1, Int.bitWidth - (count - 1).leadingZeroBitCount))
    mask = (1 << bits) - 1
    shift = (bits + 1) / 2
    let (a, b) = (mixed(key), mixed(key ^ 0x5851_F42D_4C95_7F2D))
    addend = UInt32(truncatingIfNeeded: a >> 32)
    factors = (UInt32(truncatingIfNeeded: a) | 1, UInt32(truncatingIfNeeded: b) | 1)
  }

  @inline(__always)
  subscript(index: UInt32) -> UInt32 {
    var x = index
    repeat {
      x = (x &+ addend) & mask
      x = (x &* factors.0) & mask
      x ^= x >> shift
      x = (x &* factors.1) & mask
      x ^= x >> shift
    } while x >= count
    return x
  }
}
