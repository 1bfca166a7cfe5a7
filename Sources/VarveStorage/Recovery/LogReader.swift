// Reads the write-ahead log back: from the manifest's position through all segments, in order, each commit once.
//
// The chain of segments: the one that holds `start`, then each whose begin frame says that the log ended exactly where
// the chain has come to. What is not in the chain holds nothing that was acknowledged, or else something valid says
// that the log was durable further than the chain reaches: then the log is damaged, and is refused as a whole,
// because rows behind a gap could hide or bring back others.

import VarveCore
import VarveFormat
import VarveIO

package struct LogReader {
  private struct Candidate {
    let id: FileID
    let byteCount: Int
    /// Of its format.
    let version: UInt32
    /// From the begin frame; nil when there is none.
    let predecessorEnd: LogPosition?
  }

  private let paths: StorePaths
  private let files: any FileSystem
  private let start: LogPosition
  private var claimedDurable: LogPosition
  /// A segment outside the chain whose frames claim that the log was durable within it.
  private var orphaned: FileID?

  /// Where the chain ends.
  package private(set) var end: LogPosition
  /// The segments of the chain.
  package private(set) var segments: [WriteAheadLog.Used] = []
  /// Segments before the chain that lead to it without a gap, oldest first: nothing in them is needed any more, but who
  /// follows commits may read them.
  package private(set) var kept: [WriteAheadLog.Used] = []
  /// Segment files that are neither: spares, emptied ones, and what a torn tail left.
  package private(set) var unused: [FileID] = []

  /// Segments whose header or length is damaged; filled only when salvaging.
  package private(set) var damagedFiles: [(id: FileID, error: VarveError)] = []
  private let isSalvaging: Bool

  /// A salvaging reader goes on past damaged headers and wrong lengths: frames prove by themselves whose they are.
  package init(paths: StorePaths, files: any FileSystem, start: LogPosition, isSalvaging: Bool = false) {
    self.paths = paths
    self.files = files
    self.start = start
    self.isSalvaging = isSalvaging
    claimedDurable = start
    end = start
  }

  /// Gives every commit of the log to `replay`, oldest first.
  package mutating func read(replay: (Sequence, CommitRecord) throws -> Void) throws {
    try readWithPositions { _, sequence, record in try replay(sequence, record) }
  }

  /// The same with the position where each commit's frame begins.
  package mutating func readWithPositions(replay: (LogPosition, Sequence, CommitRecord) throws -> Void) throws {
    let candidates = try listCandidates()
    for (index, candidate) in candidates.enumerated() {
      let isStart = candidate.id == start.file
      guard isStart || (candidate.predecessorEnd.map { $0 == end } ?? false), isStart || candidate.id > start.file
      else {
        unused.append(candidate.id)
        if candidate.id > start.file { try collectClaims(candidate) }
        continue
      }
      // The segment that goes on from here, if there is one, says where this one ends.
      let successor = candidates[(index + 1)...].last { $0.predecessorEnd?.file == candidate.id }
      try readSegment(
        candidate, from: isStart ? start.offset : LogHeader.byteCount, limit: successor?.predecessorEnd?.offset, replay)
    }
    if !isSalvaging {
      kept = try leading(candidates)
      unused.removeAll { id in kept.contains { $0.id == id } }
    }
    guard claimedDurable <= end else {
      if let orphaned {
        throw VarveError(
          .corruption, "the log segment's first frame is damaged, and it holds durable records",
          hint: "`varve verify` names all that is damaged; `varve repair` keeps what stands before it",
          place: "\(paths.segment(orphaned)) at \(LogHeader.byteCount)")
      }
      let path = paths.segment(end.file)
      throw VarveError(
        .corruption, "the log is damaged at byte \(end.offset): what follows was durable (up to \(claimedDurable))",
        hint: "`varve verify` names all that is damaged; `varve repair` keeps what stands before it",
        place: "\(path) at \(end.offset)")
    }
  }

  private mutating func listCandidates() throws -> [Candidate] {
    var candidates: [Candidate] = []
    for name in try files.list(paths.log) {
      guard let id = StorePaths.id(of: name, suffix: "wal") else { continue }
      let path = paths.segment(id)
      let file = try files.open(path, .read)
      defer { file.close() }
      let head = try file.read(count: WriteAheadLog.firstRecordOffset, at: 0)
      let byteCount = try file.byteCount()
      // A damaged header says nothing: frames are then read as today's.
      var version = LogHeader.version
      do {
        version = try check(head, byteCount, id, path)
      } catch let error as VarveError where isSalvaging && error.code == .corruption {
        damagedFiles.append((id, error))
      }
      candidates.append(
        Candidate(
          id: id, byteCount: byteCount, version: version, predecessorEnd: Self.predecessorEnd(head, id)))
    }
    return candidates.sorted { $0.id < $1.id }
  }

  private func check(_ head: [UInt8], _ byteCount: Int, _ id: FileID, _ path: String) throws -> UInt32 {
    let header = try LogHeader.decode(head, expected: .segment, place: path)
    guard header.file == id else {
      throw VarveError(
        .corruption, "log segment was written as file \(header.file.rawValue), not under this name", place: path)
    }
    guard byteCount == header.preallocatedByteCount else {
      throw VarveError(
        .corruption,
        "log segment has \(byteCount) bytes instead of the \(header.preallocatedByteCount) it was made with",
        place: path)
    }
    return header.version
  }

  /// Where the log ended before a segment that begins so; nil: it does not say that.
  package static func predecessorEnd(_ head: [UInt8], _ id: FileID) -> LogPosition? {
    head.withUnsafeBytes { raw in
      guard let frame = RecordFrame.decode(raw, at: LogHeader.byteCount, file: id),
        frame.kind == WriteAheadLog.Kind.begin.rawValue, frame.payload.count == 8
      else { return nil }
      return LogPosition(
        rawValue: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: frame.payload.lowerBound, as: UInt64.self)))
    }
  }

  private mutating func readSegment(
    _ segment: Candidate, from offset: Int, limit: Int?,
    _ replay: (LogPosition, Sequence, CommitRecord) throws -> Void
  ) throws {
    let path = paths.segment(segment.id)
    let bytes = try files.readAll(path)
    // Also of what stands before the part that is read.
    let first = bytes.withUnsafeBytes { raw -> Sequence? in
      guard let frame = RecordFrame.decode(raw, at: WriteAheadLog.firstRecordOffset, file: segment.id),
        frame.kind == WriteAheadLog.Kind.commit.rawValue
      else { return nil }
      return frame.sequence
    }
    try bytes.withUnsafeBytes { raw in
      let scan = LogScan(raw, file: segment.id, from: max(offset, LogHeader.byteCount), limit: limit)
      claimedDurable = max(claimedDurable, scan.claimedDurable)
      for frame in scan.frames {
        switch WriteAheadLog.Kind(rawValue: frame.kind) {
        case .begin, .mark: continue
        case .commit:
          do {
            let payload = UnsafeRawBufferPointer(rebasing: raw[frame.payload])
            let position = LogPosition(
              file: segment.id, offset: frame.payload.lowerBound - RecordFrame.headerByteCount)
            try replay(position, frame.sequence, try CommitRecord.decode(payload, version: segment.version))
          } catch var error as VarveError {
            error.place = error.place ?? "\(path) at \(frame.payload.lowerBound - RecordFrame.headerByteCount)"
            throw error
          }
        case nil: throw VarveError(.corruption, "a log frame of unknown kind (\(frame.kind))", place: path)
        }
      }
      end = LogPosition(file: segment.id, offset: scan.end)
      if let limit, scan.end != limit {
        claimedDurable = max(claimedDurable, LogPosition(file: segment.id, offset: limit))
      }
    }
    segments.append(.init(id: segment.id, byteCount: segment.byteCount, end: end, first: first))
  }

  // MARK: What leads to the chain

  private func leading(_ candidates: [Candidate]) throws -> [WriteAheadLog.Used] {
    guard let first = segments.first, var next = candidates.first(where: { $0.id == first.id }) else { return [] }
    var found: [WriteAheadLog.Used] = []
    while let end = next.predecessorEnd, end.file < next.id,
      let candidate = candidates.first(where: { $0.id == end.file }), end.offset <= candidate.byteCount,
      let commit = try firstCommit(of: candidate.id)
    {
      found.append(.init(id: candidate.id, byteCount: candidate.byteCount, end: end, first: commit))
      next = candidate
    }
    return found.reversed()
  }

  /// The commit that a segment begins with; nil: it holds none.
  private func firstCommit(of id: FileID) throws -> Sequence? {
    let file = try files.open(paths.segment(id), .read)
    defer { file.close() }
    guard let (frame, _) = try RecordFrame.read(file, at: WriteAheadLog.firstRecordOffset, id: id) else { return nil }
    return frame.kind == WriteAheadLog.Kind.commit.rawValue ? frame.sequence : nil
  }

  private mutating func collectClaims(_ segment: Candidate) throws {
    let bytes = try files.readAll(paths.segment(segment.id))
    bytes.withUnsafeBytes { raw in
      let claimed = LogScan(raw, file: segment.id).claimedDurable
      claimedDurable = max(claimedDurable, claimed)
      if claimed.file == segment.id { orphaned = orphaned ?? segment.id }
    }
  }
}
