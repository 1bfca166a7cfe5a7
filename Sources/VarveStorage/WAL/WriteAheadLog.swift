// The write-ahead log: segments of a fixed, preallocated length, filled with frames one after the other.
//
// Invariants
// 1. A record is written only into a segment whose length and header are durable, so appending needs no space.
// 2. `durable` moves only after a sync that covers it returned. A failed write or sync ends the log for good: the
//    kernel may have dropped the pages, and a second sync that succeeds would prove nothing.
// 3. Segments are used in order of their ids. Each begins with a frame that says where the log ended in the segment
//    before it, so a tail that recovery cut stays cut. A segment without that frame holds nothing.
// 4. After the sync of a group that nothing follows, an empty mark is written behind it (not synced). It carries the
//    group's end as durable, so that damage to the last records can be told from a torn tail.
//
// One thread appends. Segments that the manifest no longer needs are kept for a while for those who follow commits, then
// emptied and used again.

import VarveCore
import VarveFormat
import VarveIO

package final class WriteAheadLog {
  package enum Kind: UInt8 {
    case commit = 1
    /// No payload: carries `durable`.
    case mark = 2
    /// The first of a segment; payload: u64, the position where the log ended before.
    case begin = 3
  }

  private let paths: StorePaths
  private let files: any FileSystem
  private let clock: any Clock
  private let ids: FileIDs
  private let segmentByteCount: Int

  private struct Segment {
    let id: FileID
    let file: any File
    let byteCount: Int
  }

  /// A segment that holds records.
  package struct Used: Sendable {
    package let id: FileID
    package let byteCount: Int
    /// Where its records end.
    package var end: LogPosition
    /// Its first commit; nil: there is none, or none that was looked for.
    package var first: Sequence?
    package init(id: FileID, byteCount: Int, end: LogPosition, first: Sequence? = nil) {
      self.id = id
      self.byteCount = byteCount
      self.end = end
      self.first = first
    }
  }

  private var current: Segment?
  private var offset = 0
  /// Where the log ends so far; the next segment's header says it.
  package private(set) var end: LogPosition
  package private(set) var durable: LogPosition
  /// Segments that hold records, oldest first, the current one included.
  package private(set) var segments: [Used]
  /// Segments before those that nobody needs but who follows commits (`CommitFeed`), oldest first.
  package private(set) var kept: [Used]
  private var spares: [Segment] = []
  private var failure: VarveError?

  /// Behind the header and the begin frame.
  package static let firstRecordOffset = LogHeader.byteCount + RecordFrame.frameByteCount(payload: 8)

  /// A log that goes on behind `end`; `segments` are the files that recovery read, `kept` those that lead to them.
  package init(
    paths: StorePaths, files: any FileSystem, clock: any Clock, ids: FileIDs, segmentByteCount: Int, end: LogPosition,
    segments: [Used], kept: [Used] = []
  ) {
    self.paths = paths
    self.files = files
    self.clock = clock
    self.ids = ids
    self.segmentByteCount = Self.wholeBlocks(segmentByteCount)
    self.end = end
    self.durable = end
    self.segments = segments
    self.kept = kept
  }

  /// Bytes of all segment files, spares and kept ones included.
  package var byteCount: Int {
    (kept + segments).reduce(0) { $0 + $1.byteCount } + spares.reduce(0) { $0 + $1.byteCount }
  }

  /// Appends one frame, whose payload follows `RecordFrame.headerByteCount` bytes of room in `frame`. Not durable
  /// before `sync`. Throws `.diskFull` or `.overloaded` before anything was written if there is no room for another
  /// segment, or no descriptor: the caller may try again later. Any other error ends the log. `inSmallSegment` is for
  /// what must be logged on a full disk: a segment that is made for it is hardly larger than it.
  package func append(_ kind: Kind, sequence: Sequence, frame: inout [UInt8], inSmallSegment: Bool = false) throws {
    if let failure { throw failure }
    let needed = RecordFrame.frameByteCount(payload: frame.count - RecordFrame.headerByteCount)
    let segment = try segmentWithRoom(needed, small: inSmallSegment)
    RecordFrame.seal(
      &frame, kind: kind.rawValue, sequence: sequence, durable: durable.rawValue, file: segment.id, offset: offset)
    do {
      try segment.file.write(frame, at: offset)
    } catch {
      throw fail("writing the log", error)
    }
    advance(segment, by: needed)
    if kind == .commit, segments[segments.count - 1].first == nil { segments[segments.count - 1].first = sequence }
  }

  /// Makes everything appended durable.
  package func sync() throws {
    if let failure { throw failure }
    precondition(durable <= end, "the log never goes back")
    guard let current, durable < end else { return }
    do {
      try current.file.sync()
    } catch {
      throw fail("syncing the log", error)
    }
    durable = end
  }

  /// Writes the mark of invariant 4. The log is as good without it, so lack of room is no error.
  package func mark(sequence: Sequence) throws {
    if let failure { throw failure }
    let needed = RecordFrame.frameByteCount(payload: 0)
    guard let current, offset + needed <= current.byteCount else { return }
    var frame = [UInt8](repeating: 0, count: RecordFrame.headerByteCount)
    RecordFrame.seal(
      &frame, kind: Kind.mark.rawValue, sequence: sequence, durable: durable.rawValue, file: current.id, offset: offset)
    do {
      try current.file.write(frame, at: offset)
    } catch {
      throw fail("marking the log", error)
    }
    // The next record follows the mark; until a sync covers it, `durable` stays before it.
    advance(current, by: needed)
  }

  private func advance(_ segment: Segment, by count: Int) {
    offset += count
    end = LogPosition(file: segment.id, offset: offset)
    segments[segments.count - 1].end = end
  }

  /// Lets go of segments that end at or before `start`, but for the newest of them, which are kept as far as they take no
  /// more than `keptByteCount`: some become spares, the rest are removed.
  package func release(before start: LogPosition, keepingSpares spareCount: Int, keeping keptByteCount: Int = 0) throws
  {
    while let first = segments.first, first.end <= start, first.id != current?.id {
      kept.append(first)
      segments.removeFirst()
    }
    var excess = kept.reduce(0) { $0 + $1.byteCount } - keptByteCount
    var released: [Used] = []
    while excess > 0, let first = kept.first {
      released.append(first)
      kept.removeFirst()
      excess -= first.byteCount
    }
    guard !released.isEmpty else { return }
    for segment in released {
      if spares.count < spareCount, segment.byteCount == segmentByteCount {
        try recycle(segment.id)
      } else {
        try files.remove(paths.segment(segment.id))
      }
    }
    try files.syncDirectory(paths.log)
  }

  /// Removes what is kept: whoever needs room comes before those who were away. False: there was nothing.
  package func releaseKept() throws -> Bool {
    guard !kept.isEmpty else { return false }
    while let first = kept.first {
      kept.removeFirst()
      try files.remove(paths.segment(first.id))
    }
    try files.syncDirectory(paths.log)
    return true
  }

  /// Removes the spares: a directory at rest keeps none.
  package func removeSpares() throws {
    guard !spares.isEmpty else { return }
    for spare in spares {
      spare.file.close()
      try files.remove(paths.segment(spare.id))
    }
    spares.removeAll()
    try files.syncDirectory(paths.log)
  }

  /// Starts the next record in a new segment, so that sealing can release all that came before. What is there is
  /// synced first: the next segment's header will say that the log ends here.
  package func rotate() throws {
    guard let current else { return }
    try sync()
    current.file.close()
    self.current = nil
  }

  package func close() {
    current?.file.close()
    current = nil
    for spare in spares { spare.file.close() }
    spares.removeAll()
    failure = failure ?? VarveError(.closed, "the log is closed")
  }

  // MARK: - Segments

  /// Segments are whole blocks of a disk.
  private static func wholeBlocks(_ byteCount: Int) -> Int { (byteCount + 4095) & ~4095 }

  private func segmentWithRoom(_ needed: Int, small: Bool) throws -> Segment {
    if let current, offset + needed <= current.byteCount { return current }
    let least = Self.wholeBlocks(Self.firstRecordOffset + needed)
    let wanted = small ? least : max(segmentByteCount, least)
    let next: Segment
    if let spare = spares.first, spare.byteCount >= wanted {
      spares.removeFirst()
      next = spare
    } else {
      // A spare has a lower id than what is made now: used later, it would make the log go back.
      do { try removeSpares() } catch { throw fail("removing spare log segments", error) }
      do {
        next = try createSegment(byteCount: wanted)
      } catch let error as VarveError where error.code == .diskFull {
        let hasRoom: Bool
        do { hasRoom = try releaseKept() } catch { throw fail("removing log segments that were kept", error) }
        guard hasRoom else { throw error }
        next = try createSegment(byteCount: wanted)
      }
    }
    precondition(segments.last.map { $0.id < next.id } ?? true, "segments are used in order of their ids")
    // What is in the segment left behind must be durable before anything in the new one can be.
    try sync()
    let frame = Self.beginFrame(of: next.id, behind: end, durable: durable)
    do {
      try next.file.write(frame, at: LogHeader.byteCount)
    } catch {
      throw fail("beginning a log segment", error)
    }
    current?.file.close()
    current = next
    offset = LogHeader.byteCount
    segments.append(Used(id: next.id, byteCount: next.byteCount, end: LogPosition(file: next.id, offset: offset)))
    advance(next, by: frame.count)
    return next
  }

  /// The first frame of a segment.
  package static func beginFrame(of segment: FileID, behind end: LogPosition, durable: LogPosition) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: RecordFrame.headerByteCount)
    withUnsafeBytes(of: end.rawValue.littleEndian) { frame.append(contentsOf: $0) }
    RecordFrame.seal(
      &frame, kind: Kind.begin.rawValue, sequence: .zero, durable: durable.rawValue, file: segment,
      offset: LogHeader.byteCount)
    return frame
  }

  /// A new segment, zeroed to its full length, under its name only when it is whole: a segment of another length
  /// than its header says is damage. Throws `.diskFull` when it does not fit,
  /// `.overloaded` when it cannot be opened.
  private func createSegment(byteCount: Int) throws -> Segment {
    let id = try ids.take()
    let temporary = paths.segment(id) + ".new"
    let file = try files.open(temporary, .createNew)
    do {
      try zero(file, byteCount: byteCount)
      try name(file, temporary, id: id, byteCount: byteCount)
      return Segment(id: id, file: file, byteCount: byteCount)
    } catch {
      file.close()
      guard let full = error as? VarveError, full.code == .diskFull else { throw fail("making a log segment", error) }
      // The unfinished file holds no record; if removing it fails too, the log cannot go on.
      do { try files.remove(temporary) } catch { throw fail("removing an unfinished log segment", error) }
      throw full
    }
  }

  private func zero(_ file: any File, byteCount: Int) throws {
    let zeros = [UInt8](repeating: 0, count: min(byteCount, 1 << 20))
    var at = 0
    while at < byteCount {
      let count = min(zeros.count, byteCount - at)
      try zeros.withUnsafeBytes { try file.write(UnsafeRawBufferPointer(rebasing: $0[0..<count]), at: at) }
      at += count
    }
  }

  /// Header, sync, name, directory: the order in which a segment becomes real.
  private func name(_ file: any File, _ temporary: String, id: FileID, byteCount: Int) throws {
    let header = LogHeader(
      kind: .segment, file: id, preallocatedByteCount: byteCount, wallNanoseconds: clock.wallNanoseconds())
    try file.write(header.encoded(), at: 0)
    try file.sync()
    try files.rename(temporary, to: paths.segment(id))
    try files.syncDirectory(paths.log)
  }

  /// Gives an emptied segment a new id. Its old frames stay in it, and fail their checksums from now on. Its old name
  /// must be gone for sure before the header changes: a name and a header that disagree are damage.
  private func recycle(_ old: FileID) throws {
    let id = try ids.take()
    let temporary = paths.segment(id) + ".new"
    try files.rename(paths.segment(old), to: temporary)
    try files.syncDirectory(paths.log)
    let file: any File
    do { file = try files.open(temporary, .readWrite) } catch let error as VarveError where error.isWant {
      // A spare is worth no waiting for a descriptor.
      return try files.remove(temporary)
    }
    try name(file, temporary, id: id, byteCount: segmentByteCount)
    spares.append(Segment(id: id, file: file, byteCount: segmentByteCount))
  }

  private func fail(_ doing: String, _ error: any Error) -> VarveError {
    let cause = error as? VarveError
    let wrapped = VarveError(
      .readOnly, "\(doing) failed, so nothing more is accepted: \(cause?.message ?? String(describing: error))",
      hint: "mend the disk and restart; everything acknowledged is kept", place: cause?.place)
    failure = wrapped
    return wrapped
  }
}
