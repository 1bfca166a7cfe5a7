// Sends a store's log to where its backups are, while it grows: so that a restore reaches every commit up to the last one
// that was sent, behind a backup and between backups.
//
//   what is there → what of the log is durable (a moment between two commits) → whole frames behind what is there, piece
//   by piece, each durable before the next
//
// The pieces in the place are all the state there is: whoever goes on after a crash, a failure or a restart looks for the
// one that ends furthest, holds it against the log, and goes on behind it. What a retry sends a second time lies over what
// is there and says the same.
//
// Where the log is gone that should come next, there is a gap. It is told, the log goes on to be sent from where there is
// one, and a backup is asked for: from that one on all is whole again.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

package struct ShipReport: Sendable, Equatable {
  /// The last commit that was sent, in this round or before.
  package internal(set) var last: Sequence
  /// The segment that it is in; nil: nothing was sent yet.
  package internal(set) var segment: FileID?
  package internal(set) var pieces = 0
  package internal(set) var sentByteCount = 0
  /// Commits that are in the log no more and were not sent.
  package internal(set) var gap: ClosedRange<Sequence>?
  /// The newest backup does not lead to what was sent, or there is none.
  package internal(set) var needsBackup = false
  /// Somebody else was sending of the log: nothing was done.
  package internal(set) var wasBusy = false
}

package final class LogShipper {
  private let store: Store
  private let place: BackupPlace
  private let identity: StoreIdentity
  private let lock: any ObjectLock

  /// Behind what was sent; nil: nothing was.
  private var position: LogPosition?
  private var last = Sequence.zero
  /// Up to when all that was acknowledged was sent. Wall time.
  private var wallNanoseconds = Int64.min
  /// Whether the newest backup leads to `position` without a gap.
  private var isWhole = false
  /// What the place has, where it may have more than was sent here: at first, and after a backup.
  private var placed: PlacedLog?
  private var isResumed = false
  private var knownBackups: Int

  /// Throws `.directoryLocked` while somebody else ships the log of this store.
  package init(_ store: Store, to place: BackupPlace) throws {
    self.store = store
    self.place = place
    identity = try StoreIdentity(of: store)
    lock = try place.lockShipping(identity)
    knownBackups = store.logTurn.backups
    do { try place.objects.removeUnfinished("\(BackupPlace.folder(identity))\(LogPiece.folder)/") } catch {
      lock.release()
      throw error
    }
  }

  package func stop() { lock.release() }

  /// Sends what is durable and not there. `view` is `Store.viewLog` on the committing thread. `check` is called between
  /// pieces, and throws to end it.
  package func ship(check: () throws -> Void = {}, _ view: () throws -> LogView) throws -> ShipReport {
    guard store.logTurn.take() else {
      var report = ShipReport(last: last)
      report.wasBusy = true
      return report
    }
    defer { store.logTurn.giveBack() }
    let log = try view()
    try look(at: log)
    var report = ShipReport(last: last)
    defer { if let position { store.logIsShipped(to: position) } }
    for segment in log.segments where position.map({ segment.end > $0 }) ?? (segment.first != nil) {
      try send(segment, isLast: segment.id == log.segments.last?.id, log.wallNanoseconds, check, &report)
    }
    placed = nil
    wallNanoseconds = log.wallNanoseconds
    report.last = last
    report.segment = position?.file
    if !isWhole { isWhole = try isReached() }
    report.needsBackup = !isWhole
    return report
  }

  /// Whether the newest backup that can be read leads to `position`.
  private func isReached() throws -> Bool {
    for number in try place.numbers(of: identity).reversed() {
      do {
        let manifest = try place.manifest(of: identity, number)
        guard let position else { return true }
        return try PlacedLog(of: identity, in: place).chain(behind: manifest).end >= position
      } catch let error as VarveError where error.code == .corruption { continue }
    }
    return false
  }

  // MARK: - A segment

  private func send(
    _ segment: WriteAheadLog.Used, isLast: Bool, _ wall: Int64, _ check: () throws -> Void,
    _ report: inout ShipReport
  ) throws {
    let file = try store.files.open(store.segmentPath(segment.id), .read)
    defer { file.close() }
    var (from, behind) = (0, last)
    if let position, position.file == segment.id {
      from = position.offset
    } else if try !goesOn(file, segment) {
      let next = segment.first ?? last.next
      if position != nil, last.next < next {
        report.gap = (report.gap?.lowerBound ?? last.next)...Sequence(rawValue: next.rawValue - 1)
      }
      isWhole = false
      behind = Sequence(rawValue: max(last.next, next).rawValue - 1)
    }
    var reader = try LogPieceReader(
      file, segment: segment.id, from: from, behind: behind, wallNanoseconds: wallNanoseconds)
    if let known = placed?.covering(segment.id, reader.fingerprint, from: from, behind: behind),
      known.end <= segment.end
    {
      sent(up: known.end, known.last)
      reader = try LogPieceReader(
        file, segment: segment.id, from: known.end.offset, behind: known.last, wallNanoseconds: wallNanoseconds)
    }
    while let (piece, bytes) = try reader.next(before: segment.end.offset) {
      // Marks alone wait for the next commit, or the segment's end.
      if isLast, piece.previous == piece.last { return }
      try check()
      try lock.check()
      // The round may end here: only its last piece holds all that was there when it began.
      let reached = isLast && piece.end == segment.end ? wall : reader.wallNanoseconds
      let object = bytes.withUnsafeBytes { LogPieceObject.encode(piece, wallNanoseconds: reached, $0) }
      try place.objects.put(BackupPlace.folder(identity) + piece.key, object)
      sent(up: piece.end, piece.last)
      wallNanoseconds = reached
      report.pieces += 1
      report.sentByteCount += object.count
    }
  }

  private func sent(up end: LogPosition, _ commit: Sequence) {
    (position, last) = (end, commit)
    store.logIsShipped(to: end)
  }

  /// Whether the segment begins where what was sent ends.
  private func goesOn(_ file: any File, _ segment: WriteAheadLog.Used) throws -> Bool {
    guard let position else { return false }
    let head = try file.read(count: WriteAheadLog.firstRecordOffset, at: 0)
    return LogReader.predecessorEnd(head, segment.id) == position
  }

  // MARK: - What is there already

  /// Looks what the place has: at first, and when a backup has sent of the log.
  private func look(at log: LogView) throws {
    let backups = store.logTurn.backups
    guard !isResumed || backups != knownBackups else { return }
    let placed = try PlacedLog(of: identity, in: place)
    if !isResumed {
      try compare(placed, with: log)
      try resume(placed, log)
      isResumed = true
    }
    // What a newer backup leads to is yet to be found.
    isWhole = false
    self.placed = placed
    knownBackups = backups
  }

  /// Goes on behind what is there of the log's segments without a hole; where that is nothing, behind what came before.
  private func resume(_ placed: PlacedLog, _ log: LogView) throws {
    let least = try leastNeeded()
    for segment in log.segments where segment.end > least {
      let file = try store.files.open(store.segmentPath(segment.id), .read)
      defer { file.close() }
      let reader = try LogPieceReader(file, segment: segment.id, from: 0, behind: .zero, wallNanoseconds: .min)
      guard let known = placed.covering(segment.id, reader.fingerprint, from: 0, behind: nil) else {
        if position == nil, let before = placed.furthest(before: segment.id) {
          (position, last) = (before.end, before.last)
        }
        return
      }
      (position, last) = (min(known.end, segment.end), known.last)
      if known.end < segment.end { return }
    }
    if log.segments.isEmpty, let furthest = placed.furthest { (position, last) = (furthest.end, furthest.last) }
  }

  /// Where the log begins that the oldest backup needs; nothing before it is of use.
  private func leastNeeded() throws -> LogPosition {
    guard let oldest = try place.numbers(of: identity).first else { return .zero }
    do { return try place.manifest(of: identity, oldest).checkpoint.logStart } catch let error as VarveError
      where error.code == .corruption
    { return .zero }
  }

  /// Throws where the log is not the one that what is there was made of.
  private func compare(_ placed: PlacedLog, with log: LogView) throws {
    guard let newest = placed.furthest else { return }
    guard log.sequence >= newest.last else {
      throw stranger(
        "the log that is there holds commit \(newest.last.rawValue), and this directory has come to commit "
          + "\(log.sequence.rawValue) only: it is an older copy of the store")
    }
    guard let segment = log.segments.first(where: { $0.id == newest.segment }) else { return }
    let file = try store.files.open(store.segmentPath(segment.id), .read)
    defer { file.close() }
    let head = try file.read(count: LogHeader.byteCount, at: 0)
    let own = try file.read(count: newest.byteCount, at: newest.offset)
    guard segment.end >= newest.end, newest.fingerprint == BackupFile.fingerprint(head: head, tail: []),
      try checksum(own) == place.header(of: newest, of: identity).checksum
    else { throw stranger("the log that is there is not that of this directory: both go on from one copy") }
  }

  private func stranger(_ message: String) -> VarveError {
    VarveError(
      .invalidArgument, message, hint: "back it up to another place",
      place: place.objects.address(BackupPlace.folder(identity)))
  }
}
