// The manifest: the single truth on which files live. A preallocated file of frames: a checkpoint, then edits, each
// synced before anything acts on it (before an old file is removed or a log segment used again).
//
// When an edit no longer fits, a new file begins with a checkpoint: written aside, synced, renamed into place,
// directory synced, and only then the old one goes. The file with the highest id is the manifest.
//
// As in the write-ahead log, an unsynced mark behind each edit carries "durable up to here", and the file's length is
// fixed by its header: a flipped bit in the last edit, or a file cut short, is damage and not a torn tail.

import VarveCore
import VarveFormat
import VarveIO

package final class ManifestLog {
  package enum Kind: UInt8 {
    case checkpoint = 1
    case edit = 2
    case mark = 3
  }

  package static let byteCount = 64 << 10

  private let paths: StorePaths
  private let files: any FileSystem
  private let clock: any Clock
  private let ids: FileIDs
  private let capacity: Int
  private var id: FileID
  private var file: any File
  private var fileByteCount: Int
  private var offset: Int
  /// Where the edits behind the checkpoint begin.
  private var checkpointEnd: Int
  private var durable: LogPosition
  private var edits: UInt64
  package private(set) var state: ManifestState
  private var failure: VarveError?

  private init(
    paths: StorePaths, files: any FileSystem, clock: any Clock, ids: FileIDs, capacity: Int, id: FileID, file: any File,
    fileByteCount: Int, offset: Int, edits: UInt64, state: ManifestState
  ) {
    self.paths = paths
    self.files = files
    self.clock = clock
    self.ids = ids
    self.capacity = capacity
    self.id = id
    self.file = file
    self.fileByteCount = fileByteCount
    self.offset = offset
    self.checkpointEnd = offset
    self.durable = LogPosition(file: id, offset: offset)
    self.edits = edits
    self.state = state
  }

  /// The first manifest of a new store, holding `state`.
  package static func create(
    paths: StorePaths, files: any FileSystem, clock: any Clock, ids: FileIDs, capacity: Int = byteCount,
    state: ManifestState
  ) throws -> ManifestLog {
    let made = try writeFile(
      paths: paths, files: files, clock: clock, ids: ids, capacity: capacity, state: state, edits: 1)
    return ManifestLog(
      paths: paths, files: files, clock: clock, ids: ids, capacity: capacity, id: made.id, file: made.file,
      fileByteCount: made.byteCount, offset: made.offset, edits: 1, state: state)
  }

  /// Goes on with what `ManifestReader` read.
  package static func resume(
    _ read: ManifestReader, paths: StorePaths, files: any FileSystem, clock: any Clock, ids: FileIDs,
    capacity: Int = byteCount
  ) throws -> ManifestLog {
    // The tail behind the last edit may hold a torn one, and "on next open it syncs before it trusts": a fresh file
    // settles both.
    let made = try writeFile(
      paths: paths, files: files, clock: clock, ids: ids, capacity: capacity, state: read.state, edits: read.edits + 1)
    try files.remove(paths.manifest(read.file))
    try files.syncDirectory(paths.manifests)
    return ManifestLog(
      paths: paths, files: files, clock: clock, ids: ids, capacity: capacity, id: made.id, file: made.file,
      fileByteCount: made.byteCount, offset: made.offset, edits: read.edits + 1, state: read.state)
  }

  /// Makes `edit` durable and applies it. Throws `.diskFull` or `.overloaded`, with nothing changed, when a new file is
  /// needed and does not fit or cannot be opened; any other error leaves it open whether the edit holds, so the log takes no more.
  /// Gives the bytes of the checkpoint that a new file began with, if there is one.
  @discardableResult
  package func commit(_ edit: ManifestEdit) throws -> Int? {
    failedToBeginFile = false
    if let failure { throw failure }
    var next = state
    try next.apply(edit)
    var frame = edit.encodedFrame()
    let needed = RecordFrame.frameByteCount(payload: frame.count - RecordFrame.headerByteCount)
    let markByteCount = RecordFrame.frameByteCount(payload: 0)
    guard offset + needed + markByteCount <= fileByteCount else {
      failedToBeginFile = true
      try rotate(to: next)
      failedToBeginFile = false
      state = next
      return checkpointEnd
    }
    do {
      RecordFrame.seal(
        &frame, kind: Kind.edit.rawValue, sequence: Sequence(rawValue: edits + 1), durable: durable.rawValue, file: id,
        offset: offset)
      try file.write(frame, at: offset)
      try file.sync()
      edits += 1
      offset += needed
      durable = LogPosition(file: id, offset: offset)
      try Self.writeMark(file, id: id, at: offset, edits: edits)
      offset += markByteCount
    } catch {
      throw fail(error)
    }
    state = next
    return nil
  }

  /// Whether the last edit came to nothing because it needed a new file, which begins with a checkpoint.
  package private(set) var failedToBeginFile = false

  /// Of edits behind the checkpoint.
  package var editByteCount: Int { offset - checkpointEnd }

  package func close() {
    file.close()
    failure = failure ?? VarveError(.closed, "the manifest is closed")
  }

  // MARK: -

  private func rotate(to next: ManifestState) throws {
    let made: (id: FileID, file: any File, byteCount: Int, offset: Int)
    do {
      made = try Self.writeFile(
        paths: paths, files: files, clock: clock, ids: ids, capacity: capacity, state: next, edits: edits + 1)
    } catch let error as VarveError where error.isWant {
      throw error
    } catch {
      throw fail(error)
    }
    let old = id
    file.close()
    (id, file, fileByteCount, offset) = made
    checkpointEnd = offset
    durable = LogPosition(file: id, offset: offset)
    edits += 1
    do {
      try files.remove(paths.manifest(old))
      try files.syncDirectory(paths.manifests)
    } catch {
      throw fail(error)
    }
  }

  private func fail(_ error: any Error) -> VarveError {
    let cause = error as? VarveError
    let wrapped = VarveError(
      .readOnly,
      "writing the manifest failed, so nothing more is accepted: \(cause?.message ?? String(describing: error))",
      hint: "mend the disk and restart; everything acknowledged is kept", place: cause?.place)
    failure = wrapped
    return wrapped
  }

  /// Room for as many edits again before the next rotation.
  private static func byteCount(checkpoint: Int, _ capacity: Int) -> Int {
    max(capacity, LogHeader.byteCount + checkpoint * 2 + RecordFrame.headerByteCount * 4)
  }

  /// What the next file will take, be it made by a rotation or by the next opening.
  package var nextByteCount: Int {
    let payload = state.checkpoint.encodedFrame().count - RecordFrame.headerByteCount
    return Self.byteCount(checkpoint: RecordFrame.frameByteCount(payload: payload), capacity)
  }

  private static func writeFile(
    paths: StorePaths, files: any FileSystem, clock: any Clock, ids: FileIDs, capacity: Int, state: ManifestState,
    edits: UInt64
  ) throws -> (id: FileID, file: any File, byteCount: Int, offset: Int) {
    let id = try ids.take()
    var checkpoint = state.checkpoint
    checkpoint.nextFile = max(checkpoint.nextFile, ids.next)
    var frame = checkpoint.encodedFrame()
    let needed = RecordFrame.frameByteCount(payload: frame.count - RecordFrame.headerByteCount)
    let byteCount = Self.byteCount(checkpoint: needed, capacity)
    let temporary = paths.manifest(id) + ".new"
    if try files.exists(temporary) { try files.remove(temporary) }
    let file = try files.open(temporary, .createNew)
    do {
      RecordFrame.seal(
        &frame, kind: Kind.checkpoint.rawValue, sequence: Sequence(rawValue: edits), durable: 0, file: id,
        offset: LogHeader.byteCount)
      let header = LogHeader(
        kind: .manifest, file: id, preallocatedByteCount: byteCount, wallNanoseconds: clock.wallNanoseconds())
      try file.write([UInt8](repeating: 0, count: byteCount), at: 0)
      try file.write(header.encoded(), at: 0)
      try file.write(frame, at: LogHeader.byteCount)
      let end = LogHeader.byteCount + needed
      try writeMark(file, id: id, at: end, edits: edits)
      try file.sync()
      try publish(temporary, as: id, paths: paths, files: files)
      return (id, file, byteCount, end + RecordFrame.frameByteCount(payload: 0))
    } catch {
      file.close()
      guard let full = error as? VarveError, full.isWant else { throw error }
      // Nothing names the unfinished file yet: without it all is as before.
      try files.remove(temporary)
      throw full
    }
  }

  /// From the rename on nobody can tell which manifest a crash would leave, so want is no longer harmless.
  private static func publish(_ temporary: String, as id: FileID, paths: StorePaths, files: any FileSystem) throws {
    do {
      try files.rename(temporary, to: paths.manifest(id))
      try files.syncDirectory(paths.manifests)
    } catch let error as VarveError where error.isWant {
      throw VarveError(.inputOutput, error.message, place: error.place)
    }
  }

  private static func writeMark(_ file: any File, id: FileID, at offset: Int, edits: UInt64) throws {
    var mark = [UInt8](repeating: 0, count: RecordFrame.headerByteCount)
    RecordFrame.seal(
      &mark, kind: Kind.mark.rawValue, sequence: Sequence(rawValue: edits),
      durable: LogPosition(file: id, offset: offset).rawValue, file: id, offset: offset)
    try file.write(mark, at: offset)
  }
}
