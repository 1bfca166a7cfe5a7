// Distinct strings by their bytes: string → dense code. Swift's own String hashing and equality follow Unicode
// canonical equivalence, under which two different byte strings can be one; identities here are bytes.
//
// All strings stand in one run of bytes: a string costs itself and some 20 bytes.

import CVarve
import VarveCore

struct StringTable: Sendable {
  /// Code → where the string stands in `bytes`. Codes count from 0.
  private(set) var refs = AppendOnly<UInt64>()
  private(set) var bytes = AppendOnly<UInt8>()
  /// The lower half of each string's hash.
  private var hashes: [UInt32] = []
  /// Slot → code + 1; 0 is free. A power of two, at most half full.
  private var slots: [UInt32] = Array(repeating: 0, count: 8)
  private let hash: WideHash

  init(hash: WideHash) { self.hash = hash }

  var count: Int { refs.count }

  /// Bytes that a string of so many takes at most: itself, its reference, hash and slots, and what growing holds ready.
  static func byteCount(of count: Int) -> Int { (count + 8 + 4) * 3 / 2 + 16 }

  var byteCount: Int { refs.byteCount + bytes.byteCount + hashes.capacity * 4 + slots.capacity * 4 }

  func find(_ string: UnsafeBufferPointer<UInt8>) -> UInt32? { find(string, hashed(string)) }

  func holds(_ string: UnsafeBufferPointer<UInt8>, code: Int) -> Bool {
    let ref = TextRef(word: refs[code])
    guard ref.length == string.count, let other = string.baseAddress else { return ref.length == string.count }
    return cvarve_memcmp(bytes.base + ref.offset, other, ref.length) == 0
  }

  /// The bytes of a code's string. Valid until the next string is added.
  func string(_ code: Int) -> UnsafeBufferPointer<UInt8> {
    let ref = TextRef(word: refs[code])
    return UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length)
  }

  /// The code of `string`, given now if it is new.
  mutating func intern(_ string: UnsafeBufferPointer<UInt8>) -> UInt32 {
    let hashed = hashed(string)
    if let known = find(string, hashed) { return known }
    let code = refs.count
    refs.append(TextRef(offset: bytes.count, length: string.count).word)
    bytes.append(string)
    hashes.append(hashed)
    if (code + 1) * 2 > slots.count {
      slots = Array(repeating: 0, count: slots.count * 2)
      for each in 0...code { place(each) }
    } else {
      place(code)
    }
    return UInt32(code)
  }

  private func hashed(_ string: UnsafeBufferPointer<UInt8>) -> UInt32 {
    UInt32(truncatingIfNeeded: hash(UnsafeRawBufferPointer(string)))
  }

  private func find(_ string: UnsafeBufferPointer<UInt8>, _ hashed: UInt32) -> UInt32? {
    let mask = slots.count - 1
    var slot = Int(hashed) & mask
    while slots[slot] != 0 {
      let code = slots[slot] - 1
      if hashes[Int(code)] == hashed, holds(string, code: Int(code)) { return code }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private mutating func place(_ code: Int) {
    let mask = slots.count - 1
    var slot = Int(hashes[code]) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(code) + 1
  }
}
