// A sketch of a set that answers how many distinct values it has: HyperLogLog with 2^14 registers over 64-bit hashes
// (Flajolet, Fusy, Gandouet, Meunier 2007; 64 bits and the sparse form of Heule, Nunkesser, Hall: "HyperLogLog in
// Practice", 2013) and the estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017),
// which needs no tables to correct its bias. The standard error is 1.04 / √2^14 = 0.81 %. Few values are kept as
// 26-bit prefixes of their hashes with the run of zeros behind, which count nearly exactly: up to 1,500 of them.
//
// A sketch depends on its set alone: not on order, repetition, or how it was split and merged.
//
// As bytes: version 1; 0 for sparse, then the number of entries and the ascending entries' differences as LEB128
// varints; or 1 for dense, then the 16,384 registers, a byte each. An entry is a hash's upper 26 bits << 6 | 1 + the
// number of zeros that follow them; a register is the same of 14 bits. Hashes are SplitMix64's finaliser over words
// (`DistinctSketch.hash`), and must never change.

import CVarve
import VarveCore

package struct DistinctSketch: Sendable, Equatable {
  static let precision = 14
  static let sparsePrecision = 26
  static let registerCount = 1 << precision
  static let sparseLimit = 1500

  /// Ascending entries, one a prefix; nil: dense.
  private var entries: [UInt32]? = []
  private var registers: [UInt8] = []

  package init() {}

  // MARK: Hashes

  @inline(__always) package static func hash(word: UInt64) -> UInt64 {
    var h = word &+ 0x9E37_79B9_7F4A_7C15
    h = (h ^ (h >> 30)) &* 0xBF58_476D_1CE4_E5B9
    h = (h ^ (h >> 27)) &* 0x94D0_49BB_1331_11EB
    return h ^ (h >> 31)
  }
  /// Eight bytes at a time, little endian, the last ones filled up with zeros, each word hashed into what is before.
  package static func hash(bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var h = hash(word: UInt64(bytes.count))
    var i = 0
    while i < bytes.count {
      var word: UInt64 = 0
      for k in 0..<Swift.min(8, bytes.count - i) { word |= UInt64(bytes[i + k]) << UInt64(8 * k) }
      h = hash(word: h ^ word)
      i += 8
    }
    return h
  }

  // MARK: Adding

  package mutating func add(hash: UInt64) {
    if entries != nil { addSparse(Self.entry(hash)) } else { raise(Self.entry(hash)) }
  }

  private static func entry(_ hash: UInt64) -> UInt32 {
    let prefix = UInt32(truncatingIfNeeded: hash >> UInt64(64 - sparsePrecision))
    let zeros = Swift.min((hash << UInt64(sparsePrecision)).leadingZeroBitCount, 64 - sparsePrecision)
    return prefix << 6 | UInt32(zeros + 1)
  }

  private mutating func addSparse(_ entry: UInt32) {
    guard var list = entries else { return }
    entries = nil  // The array has one owner while it changes.
    var low = 0
    var high = list.count
    let prefix = entry >> 6
    while low < high {
      let middle = (low + high) / 2
      if list[middle] >> 6 < prefix { low = middle + 1 } else { high = middle }
    }
    if low < list.count, list[low] >> 6 == prefix {
      list[low] = Swift.max(list[low], entry)
    } else {
      list.insert(entry, at: low)
    }
    entries = list
    if list.count > Self.sparseLimit { makeDense() }
  }

  private mutating func makeDense() {
    guard let list = entries else { return }
    entries = nil
    registers = [UInt8](repeating: 0, count: Self.registerCount)
    for entry in list { raise(entry) }
  }

  /// Takes an entry into the register of its first bits.
  private mutating func raise(_ entry: UInt32) {
    let prefix = entry >> 6
    let more = Self.sparsePrecision - Self.precision
    let register = Int(prefix >> UInt32(more))
    let between = prefix & (1 << UInt32(more) - 1)
    let rank =
      between == 0 ? UInt32(more) + entry & 63 : UInt32(between.leadingZeroBitCount - (32 - more) + 1)
    registers[register] = Swift.max(registers[register], UInt8(rank))
  }

  package mutating func merge(_ other: DistinctSketch) {
    if let theirs = other.entries {
      for entry in theirs { if entries != nil { addSparse(entry) } else { raise(entry) } }
      return
    }
    makeDense()
    for i in 0..<Self.registerCount { registers[i] = Swift.max(registers[i], other.registers[i]) }
  }

  // MARK: Answering

  package var estimate: UInt64 {
    if let entries {
      // Linear counting over 2^26 prefixes.
      let cells = Double(1 << Self.sparsePrecision)
      return UInt64((-cells * cvarve_log(1 - Double(entries.count) / cells)).rounded())
    }
    let most = 64 - Self.precision + 1
    var histogram = [Int](repeating: 0, count: most + 1)
    for register in registers { histogram[Int(register)] += 1 }
    let m = Double(Self.registerCount)
    var z = m * Self.tau(1 - Double(histogram[most]) / m)
    for k in stride(from: most - 1, through: 1, by: -1) { z = 0.5 * (z + Double(histogram[k])) }
    z += m * Self.sigma(Double(histogram[0]) / m)
    let factor = 1 / (2 * cvarve_log(2))
    return UInt64((factor * m * m / z).rounded())
  }

  private static func sigma(_ start: Double) -> Double {
    var x = start
    if x == 1 { return .infinity }
    var y = 1.0
    var z = x
    while true {
      x *= x
      let before = z
      z += x * y
      y += y
      if z == before { return z }
    }
  }
  private static func tau(_ start: Double) -> Double {
    var x = start
    if x == 0 || x == 1 { return 0 }
    var y = 1.0
    var z = 1 - x
    while true {
      x = x.squareRoot()
      let before = z
      y *= 0.5
      z -= (1 - x) * (1 - x) * y
      if z == before { return z / 3 }
    }
  }

  package var isEmpty: Bool { entries?.isEmpty ?? false }

  package var byteCount: Int { (entries?.capacity ?? 0) * 4 + registers.capacity }

  // MARK: As bytes

  package func encode(to out: Buffer<UInt8>) {
    out.append(1)
    guard let entries else {
      out.append(1)
      registers.withUnsafeBufferPointer { out.append($0) }
      return
    }
    out.append(0)
    SketchBytes.append(UInt64(entries.count), to: out)
    var before: UInt32 = 0
    for entry in entries {
      SketchBytes.append(UInt64(entry - before), to: out)
      before = entry
    }
  }

  /// Total: bytes that are no sketch throw.
  package init(decoding bytes: UnsafeBufferPointer<UInt8>) throws {
    var reader = SketchBytes.Reader(bytes: bytes)
    guard try reader.byte() == 1 else { throw SketchBytes.invalid }
    switch try reader.byte() {
    case 0:
      let count = try reader.varint()
      guard count <= UInt64(Self.sparseLimit) else { throw SketchBytes.invalid }
      var list: [UInt32] = []
      for _ in 0..<count {
        let step = try reader.varint()
        let before = UInt64(list.last ?? 0)
        guard step <= UInt64(UInt32.max), let entry = UInt32(exactly: before + step),
          (1...UInt32(64 - Self.sparsePrecision + 1)).contains(entry & 63),
          list.last.map({ $0 >> 6 < entry >> 6 }) ?? true
        else { throw SketchBytes.invalid }
        list.append(entry)
      }
      entries = list
    case 1:
      entries = nil
      registers.reserveCapacity(Self.registerCount)
      for _ in 0..<Self.registerCount {
        let register = try reader.byte()
        guard Int(register) <= 64 - Self.precision + 1 else { throw SketchBytes.invalid }
        registers.append(register)
      }
    default: throw SketchBytes.invalid
    }
    guard reader.isAtEnd else { throw SketchBytes.invalid }
  }
}
