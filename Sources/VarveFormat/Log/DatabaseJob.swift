// What every database does by itself, whatever tables it has. FORMAT.md, "Commit record".

/// The numbers are those under which users know them, too.
package enum DatabaseJob: UInt8, Sendable, CaseIterable {
  case seal = 1
  case compaction = 2
  case checkpoint = 3

  /// Whether it can be left for as long as somebody likes. A seal bounds memory, the log and the time of the next opening,
  /// and lets go of files that nothing needs; a checkpoint bounds the manifest. Without compaction there are more chunks.
  package var canBePaused: Bool { self == .compaction }
}
