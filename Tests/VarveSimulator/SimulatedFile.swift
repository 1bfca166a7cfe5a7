// The contents of one simulated file: what was synced for sure, and every change since.
//
// A crash decides sector by sector. Of the writes that touched a sector since its last sync, a prefix survives: the
// disk has the sector as it was at some moment. The last survivor may be torn at 8 bytes. Lengths are decided alike.
// A sync that failed leaves its writes as doubtful as before and takes them out of the reach of later syncs, as Linux
// does: the pages are marked clean though nobody knows what the disk has.

struct SimulatedFile {
  static let sectorByteCount = 512

  fileprivate struct Change {
    enum Kind {
      case write(offset: Int, bytes: [UInt8])
      case resize(to: Int)
    }
    let kind: Kind
    enum Certainty { case pending, doubtful, durable }
    var certainty: Certainty
  }

  /// What a reader sees.
  private(set) var bytes: [UInt8] = []
  private var base: [UInt8] = []
  private var changes: [Change] = []

  mutating func write(_ new: [UInt8], at offset: Int) {
    if offset + new.count > bytes.count { resize(to: offset + new.count) }
    bytes.replaceSubrange(offset..<(offset + new.count), with: new)
    changes.append(Change(kind: .write(offset: offset, bytes: new), certainty: .pending))
  }

  mutating func resize(to byteCount: Int) {
    if byteCount < bytes.count {
      bytes.removeLast(bytes.count - byteCount)
    } else {
      bytes.append(contentsOf: repeatElement(0, count: byteCount - bytes.count))
    }
    changes.append(Change(kind: .resize(to: byteCount), certainty: .pending))
  }

  mutating func sync() {
    guard changes.contains(where: { $0.certainty == .doubtful }) else {
      base = bytes
      changes.removeAll()
      return
    }
    for i in changes.indices where changes[i].certainty == .pending { changes[i].certainty = .durable }
  }

  mutating func failSync() {
    for i in changes.indices where changes[i].certainty == .pending { changes[i].certainty = .doubtful }
  }

  /// Flips one bit of what is stored, for sure and for readers.
  mutating func flip(bit: Int) {
    base = bytes
    changes.removeAll()
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    base = bytes
  }

  mutating func cut(to byteCount: Int) {
    bytes = Array(bytes.prefix(byteCount))
    base = bytes
    changes.removeAll()
  }

  var isSettled: Bool { changes.isEmpty }

  /// What a power failure leaves.
  func afterCrash(_ survival: Survival, _ random: inout SeededRandom) -> SimulatedFile {
    guard !changes.isEmpty else { return self }
    var result = base
    let byteCount = survivingByteCount(survival, &random)
    let extent = max(byteCount, bytes.count, base.count, changes.reduce(0) { max($0, $1.end) })
    if result.count < extent { result.append(contentsOf: repeatElement(0, count: extent - result.count)) }
    for (sector, touching) in changesBySector() {
      let certain = (touching.lastIndex { changes[$0].certainty == .durable } ?? -1) + 1
      let kept = survival.pick(certain...touching.count, &random)
      for (number, index) in touching.prefix(kept).enumerated() {
        let isTorn = number == kept - 1 && number >= certain && survival.tears(&random)
        changes[index].apply(to: &result, sector: sector, torn: isTorn, &random)
      }
    }
    var file = SimulatedFile()
    file.bytes = Array(result.prefix(byteCount))
    file.base = file.bytes
    return file
  }

  private func survivingByteCount(_ survival: Survival, _ random: inout SeededRandom) -> Int {
    var lengths = [base.count]
    var certain = 0
    for change in changes {
      guard case .resize(let byteCount) = change.kind else { continue }
      lengths.append(byteCount)
      if change.certainty == .durable { certain = lengths.count - 1 }
    }
    return lengths[survival.pick(certain...(lengths.count - 1), &random)]
  }

  /// In order of sector, so that a seed gives one result.
  private func changesBySector() -> [(sector: Int, changes: [Int])] {
    var bySector: [Int: [Int]] = [:]
    for (index, change) in changes.enumerated() {
      guard case .write(let offset, let bytes) = change.kind, !bytes.isEmpty else { continue }
      for sector in (offset / Self.sectorByteCount)...((offset + bytes.count - 1) / Self.sectorByteCount) {
        bySector[sector, default: []].append(index)
      }
    }
    return bySector.keys.sorted().map { ($0, bySector[$0] ?? []) }
  }
}

extension SimulatedFile.Change {
  fileprivate var end: Int {
    switch kind {
    case .write(let offset, let bytes): offset + bytes.count
    case .resize: 0
    }
  }

  fileprivate func apply(to result: inout [UInt8], sector: Int, torn: Bool, _ random: inout SeededRandom) {
    guard case .write(let offset, let bytes) = kind else { return }
    let size = SimulatedFile.sectorByteCount
    for word in stride(from: sector * size, to: (sector + 1) * size, by: 8) {
      if torn, random.chance(50) { continue }
      let from = max(word, offset)
      let to = min(word + 8, offset + bytes.count)
      guard from < to else { continue }
      result.replaceSubrange(from..<to, with: bytes[(from - offset)..<(to - offset)])
    }
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
}
