// What to compact next: pure arithmetic over what the manifest says of a partition's chunks.
//
// Chunks of one merge have the same sequences and no identity in common: a generation. Generations are disjoint in
// sequence, and only neighbours may be merged, whole: else a row could come to lie behind a newer one, or before an
// older.
//
//   partition still open:  generations of like size are merged once there are four of them, so that a row is rewritten
//                          as often as its generation has grown fourfold; fewer already if their times overlap much
//   partition closed:      everything is merged into one generation of the smallest form, once (in steps, if there is
//                          more than one merge can hold)
//   deletes:               a chunk of which nothing is left goes at once; a closed partition is written anew when deletes
//                          cover much of it, or there are many of them; where a table has nearly as many as it may, what
//                          keeps the oldest is rewritten, however little it covers

import VarveCore
import VarveFormat

struct CompactionPicker {
  struct Choice: Equatable {
    var chunks: [ChunkMetadata]
    /// Whether they are written in the smallest form: all of the partition, or what had that form before.
    var isFull: Bool
  }

  /// Of the chunks' table.
  private let tombstones: [Tombstone]
  /// Chunks that could not be read are left alone.
  private let isReadable: (ChunkMetadata) -> Bool
  /// So are others, for now, unless they only have to go; and nothing is merged across them.
  private let isUsable: (ChunkMetadata) -> Bool
  /// The oldest tombstone that can be made to go, where there are so many that deletes will be refused.
  private let urgent: Tombstone?

  /// `partitions` are the table's chunks, of each partition in order of sequence.
  init(
    tombstones: [Tombstone], partitions: some Collection<[ChunkMetadata]>,
    isReadable: @escaping (ChunkMetadata) -> Bool, isPostponed: @escaping (ChunkMetadata) -> Bool = { _ in false }
  ) {
    self.tombstones = tombstones
    self.isReadable = isReadable
    let isUsable = { (chunk: ChunkMetadata) in isReadable(chunk) && !isPostponed(chunk) }
    self.isUsable = isUsable
    guard tombstones.count > Limits.tombstonesPerTable / 2 else {
      urgent = nil
      return
    }
    let usable = partitions.flatMap { Self.generations(of: $0).filter { $0.allSatisfy(isUsable) }.flatMap { $0 } }
    urgent = tombstones.first { tombstone in usable.contains { tombstone.mayCover($0) } }
  }

  /// Generations of one merge: at most, and for their sizes alone at least.
  private static let fanIn = 10
  private static let likeSizeCount = 4
  /// Of two that overlap the older is no larger than so many of the newer.
  private static let likeSizeFactor = 4
  /// Generations of one merge of a whole partition: of each the series and times of a row block are held in memory.
  private static let widestFanIn = 32
  private static let leastTierByteCount = 64 << 10
  /// Generations this large wait for their partition to close.
  private static let mergedByteCount = 512 << 20
  /// A closed partition is written anew when so much of it is new; what comes late in drops is merged by itself.
  private static let freshFraction = 10
  private static let lateGenerationCount = 8

  /// One step for a partition, whose chunks stand in order of sequence. nil: it is fine as it is.
  func choose(_ chunks: [ChunkMetadata], isClosed: Bool) -> Choice? {
    if let emptied = emptied(chunks) { return emptied }
    let generations = Self.generations(of: chunks)
    if isClosed, chunks.allSatisfy(isUsable), isWorthWhole(generations) { return Self.whole(generations) }
    return deleting(generations) ?? merging(generations)
  }

  /// The step that makes the partition one generation of the smallest form without deleted rows; nil if it is.
  func chooseWhole(_ chunks: [ChunkMetadata]) -> Choice? {
    if let emptied = emptied(chunks) { return emptied }
    let generations = Self.generations(of: chunks)
    guard !chunks.isEmpty, chunks.allSatisfy(isUsable), !isWhole(generations) else { return nil }
    return Self.whole(generations)
  }

  /// The step that makes the partition one archived generation without deleted rows; nil if it is.
  /// Where much of it is archived as it is, it is only done if it is `thorough`, or worth writing it anew; with `anew` it
  /// is always.
  func chooseArchiving(_ chunks: [ChunkMetadata], thorough: Bool, anew: Bool) -> Choice? {
    if let emptied = emptied(chunks) { return emptied }
    let generations = Self.generations(of: chunks)
    let isDone = !anew && generations.count == 1 && chunks.allSatisfy { $0.level == .archived && !isTouched($0) }
    guard !chunks.isEmpty, chunks.allSatisfy(isReadable), !isDone else { return nil }
    let rowCount = chunks.reduce(0) { $0 + $1.rowCount }
    let fresh = chunks.filter { $0.level != .archived }.reduce(0) { $0 + $1.rowCount }
    let isWorthIt =
      fresh * Self.freshFraction >= rowCount || generations.count > Self.lateGenerationCount
      || areDeletesDue(chunks, rowCount)
    return thorough || anew || isWorthIt ? Self.whole(generations) : nil
  }

  /// The step that takes the partition out of the archive; nil if none of it is there.
  func chooseRestoring(_ chunks: [ChunkMetadata]) -> Choice? {
    guard chunks.contains(where: { $0.level == .archived }), chunks.allSatisfy(isReadable) else { return nil }
    return Self.whole(Self.generations(of: chunks))
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
    if generations.count > Self.lateGenerationCount { return true }
    let all = generations.flatMap { $0 }
    let rowCount = all.reduce(0) { $0 + $1.rowCount }
    let fresh = all.filter { $0.level != .full }.reduce(0) { $0 + $1.rowCount }
    return fresh * Self.freshFraction >= rowCount || areDeletesDue(all, rowCount)
  }

  /// Whether deletes cover as much of a partition as has to be new, or as many touch it as may come late.
  private func areDeletesDue(_ chunks: [ChunkMetadata], _ rowCount: Int) -> Bool {
    let touching = tombstones.filter { tombstone in chunks.contains { tombstone.mayCover($0) } }
    if touching.isEmpty { return false }
    if touching.count >= Self.lateGenerationCount || urgent.map(touching.contains) ?? false { return true }
    let covered = chunks.reduce(0.0) { sum, chunk in
      sum + min(1, touching.reduce(0) { $0 + Self.coveredShare(of: chunk, by: $1) }) * Double(chunk.rowCount)
    }
    return covered * Double(Self.freshFraction) >= Double(rowCount)
  }

  /// As if the chunk's rows were spread evenly over its series and its time.
  private static func coveredShare(of chunk: ChunkMetadata, by tombstone: Tombstone) -> Double {
    guard tombstone.mayCover(chunk) else { return 0 }
    let (first, last) = (chunk.firstSeries.rawValue, chunk.lastSeries.rawValue)
    let series = Double(tombstone.deletion.series.count(in: first...last)) / (Double(last - first) + 1)
    return series * length(tombstone.deletion.time.intersection(chunk.time)) / length(chunk.time)
  }

  private static func length(_ range: TimeRange) -> Double { Double(range.upper) - Double(range.lower) + 1 }

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

  /// Chunks of which nothing is left. Nothing comes in their place, so they need no room, and nothing has to stay together.
  private func emptied(_ chunks: [ChunkMetadata]) -> Choice? {
    let emptied = chunks.filter { isReadable($0) && isEmptied($0) }
    return emptied.isEmpty ? nil : Choice(chunks: Array(emptied.prefix(Self.widestFanIn)), isFull: false)
  }

  private func deleting(_ generations: [[ChunkMetadata]]) -> Choice? {
    guard let urgent else { return nil }
    return generations.first { $0.allSatisfy(isUsable) && $0.contains { urgent.mayCover($0) } }
      .map { generation in Choice(chunks: generation, isFull: generation.allSatisfy { $0.level == .full }) }
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

  /// Two of like size; or three, since a scan of them merges row by row, if each is not much larger than the next.
  private func overlapping(_ generations: [[ChunkMetadata]], _ tiers: [Int?]) -> Choice? {
    let overlapping = generations.indices.dropFirst().filter { index in
      guard let one = tiers[index - 1], let other = tiers[index], abs(one - other) <= 1 else { return false }
      return generations[index - 1].contains { a in generations[index].contains { Self.overlapMuch(a, $0) } }
    }
    let sizes = generations.map(Self.byteCount)
    if let index = overlapping.first(where: { sizes[$0 - 1] <= Self.likeSizeFactor * sizes[$0] }) {
      return Choice(chunks: generations[index - 1] + generations[index], isFull: false)
    }
    guard let index = zip(overlapping, overlapping.dropFirst()).first(where: { $0 + 1 == $1 })?.0 else { return nil }
    return Choice(chunks: generations[(index - 1)...(index + 1)].flatMap { $0 }, isFull: false)
  }

  /// None is larger than the others together, so that a merge at least doubles what each row is part of.
  private static func areOfLikeSize(_ generations: [[ChunkMetadata]]) -> Bool {
    let sizes = generations.map(byteCount)
    return (sizes.max() ?? 0) * 2 <= sizes.reduce(0, +)
  }

  /// Of what has to be read and written anew.
  private static func byteCount(_ generation: [ChunkMetadata]) -> Int {
    generation.reduce(0) { $0 + max($1.byteCount, $1.objectByteCount) }
  }

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
    return length(a.time.intersection(b.time)) * 4 >= min(length(a.time), length(b.time))
  }
}
