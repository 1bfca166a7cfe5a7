// The contents of one simulated file: what was synced for sure, and every change since.
//
// A crash decides sector by sector. Of the writes that touched a sector since its last sync, a prefix survives: the
// disk has the sector as it was at some moment. The last survivor may be torn at 8 bytes. Lengths are decided alike, and
// an extension may get stuck half way; what was cut off for sure never comes back when the file grows again.
// A sync that failed leaves its writes as doubtful as before and takes them out of the reach of later syncs, as Linux
// does: the pages are marked clean though nobody knows what the disk has.

struct SimulatedFile {
  static let sectorByteCount = 512

  fileprivate struct Change {
    enum Kind {
      case write(offset: Int, bytes: [UInt8])
      case resize(from: Int, to: Int)
    }
    let kind: Kind
    enum Certainty { case pending, doubtful, durable }
    var certainty: Certainty
  }

  /// What a reader sees.
  private(set) var bytes: [UInt8] = []
  private var base: [UInt8] = []
  private var changes: [Change] = []

  init() {}

  /// A file that is on the disk as it is.
  init(settled: [UInt8]) {
    bytes = settled
    base = settled
  }

  mutating func write(_ new: [UInt8], at offset: Int) {
    // As with pwrite, nothing written extends nothing.
    if new.isEmpty { return }
    if offset + new.count > bytes.count { resize(to: offset + new.count) }
    bytes.replaceSubrange(offset..<(offset + new.count), with: new)
    changes.append(Change(kind: .write(offset: offset, bytes: new), certainty: .pending))
  }

  mutating func resize(to byteCount: Int) {
    let change = Change(kind: .resize(from: bytes.count, to: byteCount), certainty: .pending)
    if byteCount < bytes.count {
      bytes.removeLast(bytes.count - byteCount)
    } else {
      bytes += [UInt8](repeating: 0, count: byteCount - bytes.count)
    }
    changes.append(change)
  }

  mutating func sync() {
    guard changes.contains(where: { $0.certainty == .doubtful }) else {
      base = bytes
      changes.removeAll()
      return
    }
    let leastLength = changes.reduce(base.count) { least, change in
      if case .resize(_, let byteCount) = change.kind { min(least, byteCount) } else { least }
    }
    var isLengthNeeded = false
    for i in changes.indices.reversed() {
      // Bytes that are safe are within the file, so the length that they need is safe too, even one that was doubtful.
      if case .resize = changes[i].kind, isLengthNeeded {
        changes[i].certainty = .durable
        isLengthNeeded = false
      }
      guard changes[i].certainty == .pending else { continue }
      changes[i].certainty = .durable
      switch changes[i].kind {
      case .write: isLengthNeeded = isLengthNeeded || changes[i].end > leastLength
      case .resize: isLengthNeeded = false
      }
    }
  }

  mutating func failSync() {
    for i in changes.indices where changes[i].certainty == .pending { changes[i].certainty = .doubtful }
  }

  /// Flips one bit of what is stored, for sure and for readers.
  mutating func flip(bit: Int) {
    var flipped = bytes
    flipped[bit / 8] ^= 1 << UInt8(bit % 8)
    self = SimulatedFile(settled: flipped)
  }

  mutating func cut(to byteCount: Int) {
    self = SimulatedFile(settled: Array(bytes.prefix(byteCount)))
  }

  var isSettled: Bool { changes.isEmpty }

  /// What a power failure leaves.
  func afterCrash(_ survival: Survival, _ random: inout SeededRandom) -> SimulatedFile {
    guard !changes.isEmpty else { return self }
    var result = base
    let (byteCount, lastResize) = survivingLength(survival, &random)
    let extent = changes.reduce(max(byteCount, base.count)) { max($0, $1.end) }
    if result.count < extent { result += [UInt8](repeating: 0, count: extent - result.count) }
    for (sector, touching) in changesBySector(lastResize: lastResize) {
      // A cut that happened happened everywhere, after what was written before it.
      let certain = (touching.lastIndex { changes[$0].certainty == .durable || changes[$0].isResize } ?? -1) + 1
      let kept = survival.pick(certain...touching.count, &random)
      for (number, index) in touching.prefix(kept).enumerated() {
        let isTorn = number == kept - 1 && number >= certain && survival.tears(&random)
        changes[index].apply(to: &result, sector: sector, torn: isTorn, &random)
      }
    }
    if result.count > byteCount { result.removeLast(result.count - byteCount) }
    return SimulatedFile(settled: result)
  }

  /// A length, and the index of the last change of length that happened whole.
  private func survivingLength(_ survival: Survival, _ random: inout SeededRandom) -> (byteCount: Int, lastResize: Int)
  {
    var lengths = [(byteCount: base.count, lastResize: -1)]
    var certain = 0
    for (index, change) in changes.enumerated() {
      guard case .resize(_, let byteCount) = change.kind else { continue }
      lengths.append((byteCount, index))
      if change.certainty == .durable { certain = lengths.count - 1 }
    }
    let pick = survival.pick(certain...(lengths.count - 1), &random)
    var length = lengths[pick]
    if pick + 1 < lengths.count, lengths[pick + 1].byteCount > length.byteCount, survival.sticksHalfWay(&random) {
      length.byteCount = Int.random(in: length.byteCount...lengths[pick + 1].byteCount, using: &random)
    }
    return length
  }

  /// The writes, and those cuts that happened, in order of sector, so that a seed gives one result.
  private func changesBySector(lastResize: Int) -> [(sector: Int, changes: [Int])] {
    var bySector: [Int: [Int]] = [:]
    for (index, change) in changes.enumerated() {
      if change.isResize, index > lastResize { continue }
      guard let range = change.range else { continue }
      for sector in (range.lowerBound / Self.sectorByteCount)...((range.upperBound - 1) / Self.sectorByteCount) {
        bySector[sector, default: []].append(index)
      }
    }
    return bySector.keys.sorted().map { ($0, bySector[$0] ?? []) }
  }
}

extension SimulatedFile.Change {
  fileprivate var isResize: Bool { if case .resize = kind { true } else { false } }

  /// The bytes that a write replaces or a cut takes away; nil if there are none.
  fileprivate var range: Range<Int>? {
    switch kind {
    case .write(let offset, let bytes): offset..<(offset + bytes.count)
    case .resize(let from, let to): to < from ? to..<from : nil
    }
  }

  fileprivate var end: Int { range?.upperBound ?? 0 }

  fileprivate func apply(to result: inout [UInt8], sector: Int, torn: Bool, _ random: inout SeededRandom) {
    guard let range else { return }
    let size = SimulatedFile.sectorByteCount
    let within = range.clamped(to: (sector * size)..<((sector + 1) * size))
    switch kind {
    case .resize: result.replaceSubrange(within, with: [UInt8](repeating: 0, count: within.count))
    case .write(_, let bytes) where torn:
      for word in stride(from: sector * size, to: (sector + 1) * size, by: 8) where random.chance(50) {
        let part = within.clamped(to: word..<(word + 8))
        copy(bytes, part, &result)
      }
    case .write(_, let bytes): copy(bytes, within, &result)
    }
  }

  private func copy(_ bytes: [UInt8], _ part: Range<Int>, _ result: inout [UInt8]) {
    guard let range, !part.isEmpty else { return }
    result.replaceSubrange(
      part, with: bytes[(part.lowerBound - range.lowerBound)..<(part.upperBound - range.lowerBound)])
  }
}

/// How kind a crash is to what was not synced.
package enum Survival: Sendable, CaseIterable {
  case nothing, everything, chance

  func pick(_ range: ClosedRange<Int>, _ random: inout SeededRandom) -> Int {
    switch self {
    case .nothing: range.lowerBound
    case .everything: range.upperBound
    case .chance: Int.random(in: range, using: &random)
    }
  }

  func tears(_ random: inout SeededRandom) -> Bool { self == .chance && random.chance(20) }

  func sticksHalfWay(_ random: inout SeededRandom) -> Bool { self == .chance && random.chance(25) }
}
