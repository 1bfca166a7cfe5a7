// Brings the log that was shipped behind a backup into a directory to which the backup was restored.
//
//   segments of a batch, each piece checked and written, synced → what they hold brought into chunk files, as a server
//   would have done meanwhile → the next batch → … → the last one stays log
//
// Each batch ends with a segment, so that the manifest then says that the log goes on behind it, and the next segment's
// begin frame says the same. So a long log takes no more memory than running did, and a restored store opens as fast as
// any other.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

struct LogRestore {
  /// Where a restored store ends. `isCut`: there would have been more.
  struct End {
    let sequence: Sequence
    let isCut: Bool
  }

  static let batchByteCount = 128 << 20

  private let place: BackupPlace
  private let manifest: BackupManifest
  private let chain: LogChain
  private let paths: StorePaths
  private let files: any FileSystem
  private let clock: any Clock
  private let threadCount: Int
  private let batchByteCount: Int
  private let check: () throws -> Void

  init(
    _ manifest: BackupManifest, _ chain: LogChain, from place: BackupPlace, to paths: StorePaths,
    _ files: any FileSystem, _ clock: any Clock, threadCount: Int, batchByteCount: Int,
    check: @escaping () throws -> Void
  ) {
    self.manifest = manifest
    self.chain = chain
    self.place = place
    self.paths = paths
    self.files = files
    self.clock = clock
    self.threadCount = threadCount
    self.batchByteCount = batchByteCount
    self.check = check
  }

  /// `progress` is told of bytes of the log.
  func run(_ limit: LogLimit?, progress: (Int) -> Void) throws -> End {
    var end = manifest.logEnd
    var done = 0
    let batches = batches()
    for (number, batch) in batches.enumerated() {
      for segment in batch { try write(segment, behind: &end) { progress(done + $0) } }
      done += batch.joined().reduce(0) { $0 + $1.byteCount }
      try files.syncDirectory(paths.log)
      if let limit, let cut = try cut(at: limit) { return cut }
      if number < batches.count - 1 { try settle() }
    }
    return End(sequence: chain.last, isCut: false)
  }

  /// Pieces by segment, in groups of about `batchByteCount`.
  private func batches() -> [[[LogPiece]]] {
    var batches: [[[LogPiece]]] = []
    var byteCount = 0
    for piece in chain.pieces {
      if batches.last?.last?.last?.segment == piece.segment {
        batches[batches.count - 1][batches[batches.count - 1].count - 1].append(piece)
      } else if byteCount >= batchByteCount || batches.isEmpty {
        batches.append([[piece]])
        byteCount = 0
      } else {
        batches[batches.count - 1].append([piece])
      }
      byteCount += piece.byteCount
    }
    return batches
  }

  // MARK: - A segment

  private func write(_ pieces: [LogPiece], behind end: inout LogPosition, progress: (Int) -> Void) throws {
    guard let first = pieces.first, let last = pieces.last else { return }
    let path = paths.segment(first.segment)
    let file: any File
    if first.segment == end.file, try files.exists(path) {
      file = try files.open(path, .readWrite)
    } else {
      file = try files.open(path, .createNew)
    }
    defer { file.close() }
    var rest = pieces
    var written = 0
    if first.offset == 0 {
      try check()
      try file.write(try head(first, behind: end, in: file), at: 0)
      rest.removeFirst()
      written = first.byteCount
      progress(written)
    }
    let run = ParallelRun(rest.count) { [place, store = manifest.store, rest] number, note in
      let piece = rest[number]
      try file.write(try place.content(of: piece, of: store), at: piece.offset)
      try note(piece.byteCount)
    }
    try run.go(threadCount: threadCount, check: check) { progress(written + $0) }
    try file.sync()
    end = last.end
  }

  /// The first piece of a segment, which gets its length here. Throws if it does not go on where the log ended. Where the
  /// segment before it went without its last marks, which are sent last, no commit is missing: then it is made to begin
  /// behind what there is of that one.
  private func head(_ piece: LogPiece, behind end: LogPosition, in file: any File) throws -> [UInt8] {
    var bytes = try place.content(of: piece, of: manifest.store)
    let header = try LogHeader.decode(bytes, expected: .segment, place: file.path)
    let before = LogReader.predecessorEnd(bytes, piece.segment)
    let isWithoutMarks = before.map { $0.file == end.file && $0 > end } ?? false
    guard header.file == piece.segment, before == end || end.file == piece.segment || isWithoutMarks else {
      throw VarveError(
        .corruption, "the log has a gap behind commit \(piece.previous.rawValue)",
        hint: "restore to that commit, or from a later backup", place: place.objects.address(piece.key))
    }
    if isWithoutMarks {
      let frame = WriteAheadLog.beginFrame(of: piece.segment, behind: end, durable: end)
      bytes.replaceSubrange(LogHeader.byteCount..<(LogHeader.byteCount + frame.count), with: frame)
    }
    try file.truncate(to: header.preallocatedByteCount)
    return bytes
  }

  // MARK: - A batch

  /// Where the log that is there goes beyond the limit: that goes. nil: it does not.
  private func cut(at limit: LogLimit) throws -> End? {
    guard let state = try ManifestReader(paths: paths, files: files)?.state else {
      preconditionFailure("a restored store has a manifest")
    }
    let cut = try LogCut.find(limit, from: state.logStart, flushed: state.flushed, paths: paths, files: files)
    guard cut.position != nil else { return nil }
    try cut.apply(paths, files)
    return End(sequence: cut.last, isCut: true)
  }

  /// Brings what the log holds into chunk files.
  private func settle() throws {
    var options = StoreOptions(directory: paths.root, fileSystem: files, clock: clock)
    options.spareSegments = 0
    options.reserveByteCount = 0
    let store = try Store.open(options)
    do { try store.sealAll() } catch {
      try store.close()
      throw error
    }
    try store.close()
  }
}
