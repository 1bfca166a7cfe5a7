// What to compact next: pure arithmetic over what the manifest says of a partition's chunks.
//
// Chunks of one merge have the same sequences and no identity in common: a generation. Generations are disjoint in
// sequence, and only neighbours may be merged, whole: else a row could come to lie behind a newer one, or before an
// older.
//
//   partition still open:  generations of like size are merged once there are four of them, so that a row is rewritten
//                          as often as its generation has grown fourfold; two already if their times overlap much
//   partition closed:      everything is merged into one generation of the smallest form, once (in steps, if there is
//                          more than one merge can hold)
//   deletes:               a generation with a chunk of which nothing is left, and one that keeps an old tombstone where
//                          there are many, are rewritten alone

import VarveCore
import VarveFormat

struct CompactionPicker {
  struct Choice: Equatable {
    var chunks: [ChunkMetadata]
    /// All of the partition.
    var isFull: Bool
  }

  /// Of the chunks' table.
  let tombstones: [Tombstone]
  /// Chunks that could not be read are left alone, and nothing is merged across them.
  let isUsable: (ChunkMetadata) -> Bool

  /// Generations of one merge: at most, and for their sizes alone at least.
  private static let fanIn = 10
  private static let likeSizeCount = 4
  /// Generations of one merge of a whole partition: each holds a row block in memory.
  private static let widestFanIn = 32
  private static let leastTierByteCount = 64 << 10
  /// Generations this large wait for their partition to close.
  private static let mergedByteCount = 512 << 20
  /// A closed partition is written anew when so much of it is new; what comes late in drops is merged by itself.
  private static let freshFraction = 10
  private static let lateGenerationCount = 8

  /// One step for a partition, whose chunks stand in order of sequence. nil: it is fine as it is.
  func choose(_ chunks: [ChunkMetadata], isClosed: Bool) -> Choice? {
    let generations = Self.generations(of: chunks)
    if isClosed, chunks.allSatisfy(isUsable), isWorthWhole(generations) { return Self.whole(generations) }
    return deleting(generations) ?? merging(generations)
  }

  /// The step that makes the partition one generation of the smallest form without deleted rows; nil if it is.
  func chooseWhole(_ chunks: [ChunkMetadata]) -> Choice? {
    let generations = Self.generations(of: chunks)
    guard !chunks.isEmpty, chunks.allSatisfy(isUsable), !isWhole(generations) else { return nil }
    return Self.whole(generations)
  }

  static func generations(of chunks: [ChunkMetadata]) -> [[ChunkMetadata]] {
    var generations: [[ChunkMetadata]] = []
    for chunk in chunks {
      if let last = generations.last?.last, last.firstSequence == chunk.firstSequence,
        last.lastSequence == chunk.lastSequence
      {
        generations[generations.count - 1].append(chunk)
      } else {
        generations.append([chunk])
      }
    }
    return generations
  }

  // MARK: - Closed partitions

  private func isWhole(_ generations: [[ChunkMetadata]]) -> Bool {
    generations.count == 1 && generations[0].allSatisfy { $0.level == .full && !isTouched($0) }
  }

  private func isWorthWhole(_ generations: [[ChunkMetadata]]) -> Bool {
    guard !isWhole(generations) else { return false }
    if generations.count == 1 || generations.count > Self.lateGenerationCount { return true }
    let all = generations.flatMap { $0 }
    let fresh = all.filter { $0.level != .full }.reduce(0) { $0 + $1.rowCount }
    return fresh >= all.reduce(0) { $0 + $1.rowCount } / Self.freshFraction || all.contains(where: isTouched)
  }

  /// All at once; of more than a merge should hold open, first those neighbours that are the least work.
  private static func whole(_ generations: [[ChunkMetadata]]) -> Choice {
    guard generations.count > widestFanIn else { return Choice(chunks: generations.flatMap { $0 }, isFull: true) }
    let sizes = generations.map(byteCount)
    var size = sizes[..<widestFanIn].reduce(0, +)
    var (start, least) = (0, size)
    for next in 1...(generations.count - widestFanIn) {
      size += sizes[next + widestFanIn - 1] - sizes[next - 1]
      if size < least { (start, least) = (next, size) }
    }
    return Choice(chunks: generations[start..<(start + widestFanIn)].flatMap { $0 }, isFull: false)
  }

  private func isTouched(_ chunk: ChunkMetadata) -> Bool { tombstones.contains { $0.mayCover(chunk) } }

  // MARK: - Deletes

  private func deleting(_ generations: [[ChunkMetadata]]) -> Choice? {
    let isCrowded = tombstones.count > Limits.tombstonesPerTable / 2
    let oldest = isCrowded ? tombstones.first : nil
    for generation in generations where generation.allSatisfy(isUsable) {
      if generation.contains(where: { isEmptied($0) || oldest?.mayCover($0) ?? false }) {
        return Choice(chunks: generation, isFull: false)
      }
    }
    return nil
  }

  private func isEmptied(_ chunk: ChunkMetadata) -> Bool {
    let series = chunk.firstSeries.rawValue...chunk.lastSeries.rawValue
    return tombstones.contains {
      $0.mayCover(chunk) && $0.deletion.time.contains(chunk.time) && $0.deletion.series.contains(series)
    }
  }

  // MARK: - Many or overlapping chunks

  private func merging(_ generations: [[ChunkMetadata]]) -> Choice? {
    let tiers = generations.map { $0.allSatisfy(isUsable) ? Self.tier($0) : nil }
    for tier in Set(tiers.compactMap { $0 }).sorted() {
      var run: [Int] = []
      for index in generations.indices {
        if let own = tiers[index], own <= tier { run.append(index) } else { run = [] }
        let isLast = index == generations.count - 1 || tiers[index + 1].map { $0 > tier } ?? true
        guard run.count == Self.fanIn || (isLast && run.count >= Self.likeSizeCount) else { continue }
        if Self.areOfLikeSize(run.map { generations[$0] }) {
          return Choice(chunks: run.flatMap { generations[$0] }, isFull: false)
        }
        run = []
      }
    }
    return overlapping(generations, tiers)
  }

  private func overlapping(_ generations: [[ChunkMetadata]], _ tiers: [Int?]) -> Choice? {
    for index in generations.indices.dropFirst() {
      guard let one = tiers[index - 1], let other = tiers[index], abs(one - other) <= 1 else { continue }
      let (older, newer) = (generations[index - 1], generations[index])
      if older.contains(where: { a in newer.contains { Self.overlapMuch(a, $0) } }) {
        return Choice(chunks: older + newer, isFull: false)
      }
    }
    return nil
  }

  /// None is larger than the others together, so that a merge at least doubles what each row is part of.
  private static func areOfLikeSize(_ generations: [[ChunkMetadata]]) -> Bool {
    let sizes = generations.map(byteCount)
    return (sizes.max() ?? 0) * 2 <= sizes.reduce(0, +)
  }

  private static func byteCount(_ generation: [ChunkMetadata]) -> Int { generation.reduce(0) { $0 + $1.byteCount } }

  /// Powers of four; nil: too large.
  private static func tier(_ generation: [ChunkMetadata]) -> Int? {
    let byteCount = byteCount(generation)
    guard byteCount < mergedByteCount else { return nil }
    var tier = 0
    var limit = leastTierByteCount
    while limit <= byteCount {
      tier += 1
      limit *= 4
    }
    return tier
  }

  /// At least a quarter of the shorter one's time, and any series.
  private static func overlapMuch(_ a: ChunkMetadata, _ b: ChunkMetadata) -> Bool {
    guard a.firstSeries <= b.lastSeries, b.firstSeries <= a.lastSeries, a.time.overlaps(b.time) else { return false }
    func length(_ range: TimeRange) -> Double { Double(range.upper) - Double(range.lower) + 1 }
    return length(a.time.intersection(b.time)) * 4 >= min(length(a.time), length(b.time))
  }
}
