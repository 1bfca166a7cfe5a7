// A seeded 64-bit hash of bytes: multiply and fold eight bytes at a time (after wyhash). For tables in memory
// only; never written to a file. Seeded, so that nobody can choose keys that collide.

import VarveCore

package struct WideHash: Sendable {
  private let seed: UInt64
  package init(seed: UInt64) { self.seed = seed }

  package func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash = seed ^ 0xA076_1D64_78BD_642F
    var i = 0
    let count = bytes.count
    while i + 8 <= count {
      hash = Self.fold(hash ^ bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self), 0xE703_7ED1_A0B4_28DB)
      i += 8
    }
    var tail: UInt64 = 0
    var shift: UInt64 = 0
    while i < count {
      tail |= UInt64(bytes[i]) << shift
      shift += 8
      i += 1
    }
    return Self.fold(hash ^ tail, 0x8EBC_6AF0_9C88_C6E3 ^ UInt64(count))
  }

  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}
