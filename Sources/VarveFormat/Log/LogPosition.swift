/// A place in a log that spans files: file id in the upper 32 bits, byte offset in the lower. Files of a log are
/// used in order of their ids, so positions compare as numbers.

import VarveCore

package struct LogPosition: Hashable, Comparable, Sendable, RawRepresentable, CustomStringConvertible {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  package init(file: FileID, offset: Int) {
    precondition(
      file.rawValue <= UInt64(UInt32.max) && offset >= 0 && offset <= Int(UInt32.max), "position beyond 32 bits")
    rawValue = file.rawValue << 32 | UInt64(offset)
  }
  /// Where the log of a new store begins: before any file, and not zero, which stands for "nowhere".
  package static let origin = LogPosition(rawValue: 1)
  package static let zero = LogPosition(rawValue: 0)
  package var file: FileID { FileID(rawValue: rawValue >> 32) }
  package var offset: Int { Int(rawValue & 0xFFFF_FFFF) }
  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  package var description: String { "\(file.rawValue):\(offset)" }
}
