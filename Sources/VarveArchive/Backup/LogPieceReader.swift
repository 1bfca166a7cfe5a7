// Takes pieces out of a segment of a log that goes on meanwhile: as many whole frames as fit, each checked.
//
// A frame that is not what it should be ends it with an error: the segment may have been let go of and be used again under
// the reader, or its bytes are damaged. Whoever asked knows which.

import VarveCore
import VarveFormat
import VarveIO

struct LogPieceReader {
  private let file: any File
  private let segment: FileID
  let fingerprint: UInt64

  /// Behind which nothing was read yet, and the last commit before that.
  private(set) var offset: Int
  private(set) var last: Sequence
  /// Up to when all that was acknowledged is in what was read, or before it: the commits up to a time are those before the
  /// first one that is later, so a commit says so of each moment before its own. Wall time.
  private(set) var wallNanoseconds: Int64

  /// `wallNanoseconds`: as of what lies before.
  init(_ file: any File, segment: FileID, from offset: Int, behind last: Sequence, wallNanoseconds: Int64) throws {
    self.file = file
    self.segment = segment
    self.offset = offset
    self.last = last
    self.wallNanoseconds = wallNanoseconds
    let head = try file.read(count: LogHeader.byteCount, at: 0)
    let header = try LogHeader.decode(head, expected: .segment, place: file.path)
    guard header.file == segment else {
      throw VarveError(.corruption, "the log segment is another by now", place: file.path)
    }
    fingerprint = BackupFile.fingerprint(head: head, tail: [])
  }

  /// The next piece before `limit`, where frames end, with its bytes; nil: there is none.
  mutating func next(before limit: Int) throws -> (piece: LogPiece, bytes: [UInt8])? {
    guard offset < limit else { return nil }
    var bytes = try read(min(LogPiece.byteCountLimit, limit - offset))
    var (end, found, newest) = frames(bytes)
    if end == 0 {
      // One frame is longer than all that was read.
      guard let header = bytes.withUnsafeBytes({ RecordFrame.byteCount($0) }), offset + header <= limit,
        header > bytes.count
      else { throw damage }
      bytes = try read(header)
      (end, found, newest) = frames(bytes)
    }
    guard end > 0, end == bytes.count || bytes.count == LogPiece.byteCountLimit else { throw damage }
    if let newest {
      let time = try bytes.withUnsafeBytes {
        try CommitRecord.wallNanoseconds(of: UnsafeRawBufferPointer(rebasing: $0[newest]))
      }
      wallNanoseconds = max(wallNanoseconds, time - 1)
    }
    if end < bytes.count { bytes.removeLast(bytes.count - end) }
    let piece = LogPiece(
      segment: segment, fingerprint: fingerprint, offset: offset, byteCount: end, previous: last, last: found)
    offset += end
    last = found
    return (piece, bytes)
  }

  private func read(_ count: Int) throws -> [UInt8] {
    let bytes = try file.read(count: count, at: offset)
    guard bytes.count == count else { throw damage }
    return bytes
  }

  /// Where the whole frames end that `bytes` begin with, the last commit up to there, and its payload if it is in them.
  private func frames(_ bytes: [UInt8]) -> (end: Int, last: Sequence, payload: Range<Int>?) {
    bytes.withUnsafeBytes { raw in
      var position = offset == 0 ? LogHeader.byteCount : 0
      var found = last
      var payload: Range<Int>?
      while let frame = RecordFrame.decode(raw, at: position, base: offset, file: segment) {
        if frame.isCommit { (found, payload) = (frame.sequence, frame.payload) }
        position += frame.frameByteCount
      }
      return (position, found, payload)
    }
  }

  private var damage: VarveError {
    VarveError(
      .corruption, "the log has no whole record at byte \(offset) or behind it, where there was one",
      hint: "`varve flush` brings what it holds into chunk files; `varve verify` names what is damaged",
      place: file.path)
  }
}
