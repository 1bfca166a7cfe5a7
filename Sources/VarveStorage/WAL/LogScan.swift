// Reading a log file of frames, and telling a torn tail from damage.
//
// Frames follow one another from the header on. The chain ends at the first place where no valid frame stands. Such
// an end is the log's tail (the rest was being written when the machine stopped, and nothing in it was acknowledged)
// unless something valid elsewhere claims that the log was already durable beyond it: a later frame, the next
// file's header, or the manifest. Then bytes that were promised are gone: that is damage, and never cut away.

import VarveCore
import VarveFormat

/// The chain of frames of one file.
package struct LogScan {
  package let file: FileID
  package private(set) var frames: [RecordFrame] = []
  /// Behind the last frame of the chain.
  package private(set) var end: Int = 0
  /// The highest durable position that any valid frame claims, in the chain or behind its end.
  package private(set) var claimedDurable = LogPosition.zero
  /// Whether a valid frame stands behind the end of the chain.
  package private(set) var hasFramesBehindEnd = false

  /// Scans `bytes`, a whole file with its header, from `start` up to `limit` (behind which the log is known to go on
  /// in another file).
  package init(_ bytes: UnsafeRawBufferPointer, file: FileID, from start: Int = LogHeader.byteCount, limit: Int? = nil)
  {
    self.file = file
    let scanned = UnsafeRawBufferPointer(rebasing: bytes[0..<min(bytes.count, limit ?? bytes.count)])
    var position = start
    while let frame = RecordFrame.decode(scanned, at: position, file: file) {
      frames.append(frame)
      claimedDurable = max(claimedDurable, LogPosition(rawValue: frame.durable))
      position += frame.frameByteCount
    }
    end = position
    guard limit == nil else { return }
    position += RecordFrame.alignment
    while position + RecordFrame.headerByteCount <= bytes.count {
      let head = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
      if UInt32(littleEndian: head) == RecordFrame.magic,
        let frame = RecordFrame.decode(bytes, at: position, file: file)
      {
        hasFramesBehindEnd = true
        claimedDurable = max(claimedDurable, LogPosition(rawValue: frame.durable))
        position += frame.frameByteCount
      } else {
        position += RecordFrame.alignment
      }
    }
  }
}
