// Distinct strings by their bytes: string → dense code. Swift's own String hashing and equality follow Unicode
// canonical equivalence, under which two different byte strings can be one; identities here are bytes.

import CVarve
import VarveCore

package struct StringTable: Sendable {
  /// Code → string. Codes count from 0.
  package private(set) var values: [String] = []
  private var hashes: [UInt64] = []
  /// Slot → code + 1; 0 is free. A power of two, at most half full.
  private var slots: [UInt32] = Array(repeating: 0, count: 8)
  /// Bytes of all strings' own memory.
  private var heapByteCount = 0
  private let hash: WideHash

  package init(hash: WideHash) { self.hash = hash }

  package var count: Int { values.count }

  /// Bytes that a string of so many takes: itself, its hash, its slots. Short ones live within the `String`.
  package static func byteCount(of count: Int) -> Int { 16 + 8 + 12 + heapByteCount(of: count) }

  private static func heapByteCount(of count: Int) -> Int { count > 15 ? count + 48 : 0 }

  package var byteCount: Int {
    values.capacity * 16 + hashes.capacity * 8 + slots.capacity * 4 + heapByteCount
  }

  package func find(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
    let hashed = hash(UnsafeRawBufferPointer(bytes))
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hashed) & mask
    while slots[slot] != 0 {
      let code = Int(slots[slot] - 1)
      if hashes[code] == hashed, holds(bytes, code: code) { return UInt32(code) }
      slot = (slot + 1) & mask
    }
    return nil
  }

  package func find(_ string: String) -> UInt32? {
    var string = string
    return string.withUTF8 { find($0) }
  }

  package func holds(_ bytes: UnsafeBufferPointer<UInt8>, code: Int) -> Bool {
    let utf8 = values[code].utf8
    guard utf8.count == bytes.count else { return false }
    let same = utf8.withContiguousStorageIfAvailable { own -> Bool in
      guard let a = own.baseAddress, let b = bytes.baseAddress else { return true }
      return cvarve_memcmp(a, b, bytes.count) == 0
    }
    return same ?? utf8.elementsEqual(bytes)
  }

  /// The code of `bytes`, given now if they are new.
  package mutating func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
    if let known = find(bytes) { return known }
    let code = values.count
    values.append(String(decoding: bytes, as: UTF8.self))
    heapByteCount += Self.heapByteCount(of: bytes.count)
    hashes.append(hash(UnsafeRawBufferPointer(bytes)))
    if values.count * 2 > slots.count {
      slots = Array(repeating: 0, count: slots.count * 2)
      for each in 0..<values.count { place(each) }
    } else {
      place(code)
    }
    return UInt32(code)
  }

  package mutating func intern(_ string: String) -> UInt32 {
    var string = string
    return string.withUTF8 { intern($0) }
  }

  private mutating func place(_ code: Int) {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hashes[code]) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(code) + 1
  }
}
