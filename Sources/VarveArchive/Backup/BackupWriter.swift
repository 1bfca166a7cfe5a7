// Taking a backup of a store that goes on meanwhile.
//
//   lock the place → read the newest backup → begin (a moment between two commits) → log → rows counted → series file →
//   dimension tables and chunks → manifest
//
// The log comes first, so that it is kept for a short time only; each chunk is let go of once it is read. Pieces that the
// newest backup names, and that are there, are not sent again. What was sent before a failure is left for the next prune,
// but for a full place, where it would only be in the way.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

package struct BackupProgress: Sendable {
  package let byteCount: Int
  package let doneByteCount: Int
}

package final class BackupWriter {
  private let store: Store
  private let place: BackupPlace
  private let paths: StorePaths
  private let check: () throws -> Void
  private let pace: (Int) throws -> Void
  private let progress: (BackupProgress) -> Void

  private var identity = StoreIdentity(rawValue: 0)
  private var previous: BackupManifest?
  /// Objects that are there, by key within the store's folder, with their lengths.
  private var present: [String: Int] = [:]
  private var sentKeys: [String] = []
  private var sentByteCount = 0
  private var sharedByteCount = 0
  private var doneByteCount = 0
  private var totalByteCount = 0
  /// Up to when all that was acknowledged is in the pieces of the log so far. Wall time.
  private var logWallNanoseconds = Int64.min
  private var warnings: [String] = []

  private init(
    _ store: Store, _ place: BackupPlace, check: @escaping () throws -> Void, pace: @escaping (Int) throws -> Void,
    progress: @escaping (BackupProgress) -> Void
  ) {
    self.store = store
    self.place = place
    paths = StorePaths(root: store.directory)
    self.check = check
    self.pace = pace
    self.progress = progress
  }

  /// `begin` is `Store.beginBackup` on the committing thread. `check` is called between pieces, and throws to end it.
  /// `pace` is called behind so many bytes that were read, and may wait.
  package static func run(
    _ store: Store, to place: BackupPlace, begin: () throws -> BackupPoint,
    check: @escaping () throws -> Void = {}, pace: @escaping (Int) throws -> Void = { _ in },
    progress: @escaping (BackupProgress) -> Void = { _ in }
  ) throws -> BackupReport {
    try BackupWriter(store, place, check: check, pace: pace, progress: progress).run(begin)
  }

  // MARK: -

  private func run(_ begin: () throws -> BackupPoint) throws -> BackupReport {
    let began = store.clock.monotonicNanoseconds()
    identity = try StoreIdentity(of: store)
    let lock = try place.lock(identity)
    defer { lock.release() }
    try findPrevious()
    var point = try begin()
    defer { store.endBackup() }
    do {
      let manifest = try send(&point, lock)
      return BackupReport(
        store: "\(identity)", number: manifest.number, sequence: manifest.sequence, files: manifest.files.count,
        byteCount: manifest.byteCount, sentByteCount: sentByteCount, sharedByteCount: sharedByteCount,
        nanoseconds: store.clock.monotonicNanoseconds() - began, warnings: warnings)
    } catch {
      if asVarveError(error).code == .diskFull { try makeRoom(after: error) }
      // A file that was removed under it is not what ended the backup, but why it may be.
      try store.checkBackupHold()
      throw error
    }
  }

  private func send(_ point: inout BackupPoint, _ lock: any ObjectLock) throws -> BackupManifest {
    if let previous, previous.sequence > point.sequence {
      throw VarveError(
        .invalidArgument,
        "backup \(previous.number) holds commit \(previous.sequence.rawValue), and this directory has come to commit "
          + "\(point.sequence.rawValue) only: it is an older copy of the store",
        hint: "back it up to another place", place: place.objects.address(BackupPlace.folder(identity)))
    }
    let chunks = point.checkpoint.addedChunks
    totalByteCount =
      point.segments.reduce(point.checkpoint.seriesByteCount) { $0 + $1.end.offset }
      + chunks.reduce(0) { $0 + $1.byteCount } + point.checkpoint.dimensionFiles.reduce(0) { $0 + $1.byteCount }
    var files = try sendLog(point)
    store.backupReadLog()
    let rowCounts = try point.snapshot.map(countRows) ?? []
    point.snapshot = nil
    let series = point.checkpoint.seriesByteCount
    files.append(try send(.series, point.checkpoint.seriesFile, byteCount: series, count: series))
    for file in point.checkpoint.dimensionFiles {
      files.append(try send(.dimension, file.file, byteCount: file.byteCount, count: file.byteCount))
      store.backupRead(file.file)
    }
    for chunk in chunks {
      files.append(try send(.chunk, chunk.file, byteCount: chunk.byteCount, count: chunk.byteCount))
      store.backupRead(chunk.file)
    }
    let number = (try place.numbers(of: identity).last ?? 0) + 1
    let manifest = BackupManifest(
      store: identity, number: number, wallNanoseconds: point.wallNanoseconds, sequence: point.sequence,
      leastSequence: point.leastSequence, checkpoint: point.checkpoint, files: files, rowCounts: rowCounts)
    let bytes = manifest.encoded()
    // A backup that is taken meanwhile could have the same number, and a prune remove what this one shares.
    try lock.check()
    // From here on the backup may be there, whatever comes of it: what it names stays.
    sentKeys.removeAll()
    try place.objects.put(BackupPlace.manifestKey(identity, number), bytes)
    sentByteCount += bytes.count
    return manifest
  }

  /// The newest backup that can be read. A damaged one must not keep the next from being taken.
  private func findPrevious() throws {
    for number in try place.numbers(of: identity).reversed() {
      do {
        previous = try place.manifest(of: identity, number)
        break
      } catch let error as VarveError where error.code == .notFound {
        // Removed since the list was made.
        continue
      } catch let error as VarveError where error.code == .corruption {
        warnings.append("backup \(number) is damaged, and nothing of it was shared: \(error.message)")
      }
    }
    guard previous != nil else { return }
    let folder = BackupPlace.folder(identity)
    for entry in try place.objects.list(folder) { present[String(entry.key.dropFirst(folder.count))] = entry.byteCount }
  }

  private func countRows(_ snapshot: Snapshot) throws -> [BackupManifest.RowCount] {
    var counts = try snapshot.tables().compactMap { table -> BackupManifest.RowCount? in
      do {
        return .init(table: table.id, rows: try snapshot.rowCount(of: table, pace: paceCounting))
      } catch let error as VarveError where error.isDamage || error.code == .unavailable {
        // A copy of the rest is wanted all the more.
        warnings.append("rows of table \"\(table.name)\" cannot be counted, and are backed up as they are: \(error)")
        return nil
      }
    }
    counts += snapshot.dimensions().map { .init(table: $0.id, rows: snapshot.rows(of: $0).rowCount) }
    return counts.sorted { $0.table < $1.table }
  }

  private func paceCounting(_ rows: Int) throws {
    try checkAll()
    try pace(rows * Self.countedRowByteCount)
  }

  /// Reading a row of a stretch that has to be read costs about what sending so many bytes does.
  private static let countedRowByteCount = 16

  private func checkAll() throws {
    try check()
    try store.checkBackup()
  }

  // MARK: - The log

  /// The log's segments, as far as they are not there. Whoever ships the log waits meanwhile, so that nobody writes what
  /// another is writing.
  private func sendLog(_ point: BackupPoint) throws -> [BackupFile] {
    while !store.logTurn.take() {
      try checkAll()
      store.logTurn.wait()
    }
    defer { store.logTurn.giveBack(byBackup: true) }
    let placed = try PlacedLog(of: identity, in: place)
    var last = point.segments.first.flatMap(\.first).map { Sequence(rawValue: $0.rawValue - 1) } ?? point.sequence
    return try point.segments.map { segment in
      let isLast = segment.id == point.segments.last?.id
      return try send(segment, placed, &last, endingAt: isLast ? point.wallNanoseconds : nil)
    }
  }

  /// `wall`: when the segment's end was all that was durable of the log.
  private func send(
    _ segment: WriteAheadLog.Used, _ placed: PlacedLog, _ last: inout Sequence, endingAt wall: Int64?
  ) throws -> BackupFile {
    let file = try store.files.open(paths.segment(segment.id), .read)
    defer { file.close() }
    var reader = try LogPieceReader(
      file, segment: segment.id, from: 0, behind: last, wallNanoseconds: logWallNanoseconds)
    var pieces = placed.beginning(of: segment.id, reader.fingerprint, upTo: segment.end.offset)
    if let known = pieces.last {
      reader = try LogPieceReader(
        file, segment: segment.id, from: known.end.offset, behind: known.last, wallNanoseconds: logWallNanoseconds)
      sharedByteCount += known.end.offset
      note(known.end.offset)
    }
    while let (piece, bytes) = try reader.next(before: segment.end.offset) {
      try checkAll()
      // The backup may end here: only the last piece holds all that was there when it began.
      let isEnd = piece.end == segment.end
      logWallNanoseconds = isEnd ? wall ?? reader.wallNanoseconds : reader.wallNanoseconds
      let object = bytes.withUnsafeBytes { LogPieceObject.encode(piece, wallNanoseconds: logWallNanoseconds, $0) }
      try put(piece.key, object)
      pieces.append(piece)
      note(piece.byteCount)
      try pace(piece.byteCount)
    }
    last = reader.last
    return BackupFile(
      kind: .log, id: segment.id, byteCount: segment.byteCount, fingerprint: reader.fingerprint,
      pieces: pieces.map { BackupFile.Piece($0) })
  }

  // MARK: - A file

  /// Sends the first `count` bytes of a file, as far as they are not there.
  private func send(_ kind: BackupFile.Kind, _ id: FileID, byteCount: Int, count: Int) throws -> BackupFile {
    var backed = BackupFile(kind: kind, id: id, byteCount: byteCount, fingerprint: 0, pieces: [])
    let path = backed.path(paths)
    let file: any File
    do { file = try store.files.open(path, .read) } catch let error as VarveError where error.code == .notFound {
      throw VarveError(
        .corruption, "a file that the manifest names is missing", hint: "`varve verify` names all that is damaged",
        place: path)
    }
    defer { file.close() }
    guard try kind.isWhole ? file.byteCount() == byteCount : file.byteCount() >= count else {
      throw VarveError(
        .corruption, "the file has not the \(byteCount) bytes that the manifest says",
        hint: "`varve verify` names all that is damaged", place: path)
    }
    let tail = kind.isWhole ? min(BackupFile.tailByteCount, count) : 0
    backed = BackupFile(
      kind: kind, id: id, byteCount: byteCount,
      fingerprint: BackupFile.fingerprint(
        head: try file.read(count: min(BackupFile.headByteCount, count), at: 0),
        tail: try file.read(count: tail, at: count - tail)),
      pieces: [])
    backed.pieces = sharedPieces(of: backed, count: count)
    var offset = backed.sentByteCount
    sharedByteCount += offset
    note(offset)
    while offset < count {
      try checkAll()
      let (bytes, sum) = try read(file, min(BackupFile.pieceByteCount, count - offset), at: offset)
      try put(backed.key(at: offset, byteCount: bytes.count), bytes)
      backed.pieces.append(.init(byteCount: bytes.count, checksum: sum))
      offset += bytes.count
      note(bytes.count)
    }
    return backed
  }

  private func put(_ key: String, _ bytes: [UInt8]) throws {
    let key = BackupPlace.folder(identity) + key
    try place.objects.put(key, bytes)
    sentKeys.append(key)
    sentByteCount += bytes.count
  }

  /// Bytes of a file, and their checksum. In steps: what paces it sees short reads, not pieces.
  private func read(_ file: any File, _ count: Int, at start: Int) throws -> ([UInt8], UInt32) {
    var sum: UInt32 = 0
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let step = UnsafeMutableRawBufferPointer(
          rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...].prefix(Self.stepByteCount))
        guard try file.read(into: step, at: start + filled) == step.count else {
          throw VarveError(.corruption, "the file ends before byte \(start + count)", place: file.path)
        }
        sum = CRC32C.checksum(UnsafeRawBufferPointer(step), seed: sum)
        filled += step.count
        try pace(step.count)
        try check()
      }
    }
    return (bytes, sum)
  }

  private static let stepByteCount = 1 << 20

  /// The first pieces, of no more than `count` bytes, that the newest backup has and that are there.
  private func sharedPieces(of file: BackupFile, count: Int) -> [BackupFile.Piece] {
    guard let known = previousFiles[file.id], known.isSameFile(as: file) else { return [] }
    var pieces: [BackupFile.Piece] = []
    for (key, offset, piece) in known.keys {
      guard offset + piece.byteCount <= count, present[key] == piece.byteCount else { break }
      pieces.append(piece)
    }
    return pieces
  }

  private lazy var previousFiles: [FileID: BackupFile] = Dictionary(
    uniqueKeysWithValues: (previous?.files ?? []).map { ($0.id, $0) })

  private func note(_ byteCount: Int) {
    doneByteCount += byteCount
    progress(BackupProgress(byteCount: totalByteCount, doneByteCount: doneByteCount))
  }

  /// What was sent is of no use where the rest does not fit.
  private func makeRoom(after error: any Error) throws {
    do { try place.objects.delete(sentKeys) } catch let second {
      var first = asVarveError(error)
      first.message += "; and what was sent stays: \(asVarveError(second).message)"
      throw first
    }
  }
}

/// CRC-32C of a piece.
func checksum(_ bytes: [UInt8]) -> UInt32 { CRC32C.checksum(bytes) }
