// A part of the log as a place has it: whole frames of one segment, compressed. FORMAT.md, "Backups".
//
// Its key says all that is needed to find a way through the log without reading any: where it stands in its segment, and
// which commits are in it. The object says the same again, so that one that is in the place of another is caught.

import VarveCore
import VarveFormat
import VarveStorage

package struct LogPiece: Sendable, Hashable {
  /// Of the segment.
  package let segment: FileID
  package let fingerprint: UInt64
  package let offset: Int
  /// Bytes of the segment that it stands for.
  package let byteCount: Int
  /// The last commit before it, and the last one up to its end: the same where it holds none.
  package let previous: Sequence
  package let last: Sequence

  package var end: LogPosition { LogPosition(file: segment, offset: offset + byteCount) }

  /// Bytes of a piece, but for one that is a single longer frame.
  static let byteCountLimit = 8 << 20
  static let folder = "wal"

  package init(
    segment: FileID, fingerprint: UInt64, offset: Int, byteCount: Int, previous: Sequence, last: Sequence
  ) {
    self.segment = segment
    self.fingerprint = fingerprint
    self.offset = offset
    self.byteCount = byteCount
    self.previous = previous
    self.last = last
  }

  /// Within the folder of the store.
  package var key: String {
    "\(Self.folder)/\(StorePaths.digits(segment))-\(hexadecimal(fingerprint))-\(offset)-\(byteCount)"
      + "-\(previous.rawValue)-\(last.rawValue).log"
  }

  /// nil for anything but what `key` makes.
  package init?(key: String) {
    guard key.hasPrefix(Self.folder + "/"), key.hasSuffix(".log") else { return nil }
    let parts = key.dropFirst(Self.folder.count + 1).dropLast(".log".count).split(
      separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 6, let segment = UInt64(parts[0]), (1..<1 << 32).contains(segment),
      let fingerprint = UInt64(parts[1], radix: 16), let offset = Int(parts[2]), let byteCount = Int(parts[3]),
      let previous = UInt64(parts[4]), let last = UInt64(parts[5])
    else { return nil }
    self.init(
      segment: FileID(rawValue: segment), fingerprint: fingerprint, offset: offset, byteCount: byteCount,
      previous: Sequence(rawValue: previous), last: Sequence(rawValue: last))
    guard isPossible, self.key == key else { return nil }
  }

  var isPossible: Bool {
    segment.rawValue > 0 && segment.rawValue < 1 << 32 && offset >= 0 && byteCount > 0 && offset < 1 << 32
      && byteCount < 1 << 32 && offset + byteCount < 1 << 32 && previous <= last && last <= .greatest
  }
}
