// What sealing and compaction have done since the store was opened.

package struct MaintenanceStatistics: Sendable, Equatable {
  /// Bytes of chunks that seals wrote.
  package internal(set) var sealedByteCount = 0
  /// Bytes of chunks that compactions took in, and that they wrote in their place.
  package internal(set) var compactionReadByteCount = 0
  package internal(set) var compactionWrittenByteCount = 0
  package internal(set) var compactions = 0
  /// Compactions that failed: damaged or missing input, want of room. Not those whose table was dropped meanwhile.
  package internal(set) var compactionFailures = 0

  /// The most bytes that a compaction held of the chunks that it merged.
  package internal(set) var compactionPeakByteCount = 0

  package init() {}

  mutating func raisePeak(_ byteCount: Int) { compactionPeakByteCount = max(compactionPeakByteCount, byteCount) }

  /// Bytes written for each byte sealed; nil before the first.
  package var writeAmplification: Double? {
    sealedByteCount > 0
      ? Double(sealedByteCount + compactionWrittenByteCount) / Double(sealedByteCount) : nil
  }
}
