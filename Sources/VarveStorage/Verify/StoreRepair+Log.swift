// Which commits a damaged log still shows signs of, behind what can be kept.

import VarveCore
import VarveFormat
import VarveIO

/// The signs of lost commits in segment files: valid frames anywhere in them, whatever stands between.
struct LogRemains {
  /// Commits behind the kept ones whose records can be read, and their rows.
  private(set) var readable: [Sequence: Int] = [:]
  /// The highest commit that any valid frame, or the manifest, speaks of.
  private(set) var highest: Sequence
  private let kept: Sequence

  init(paths: StorePaths, files: any FileSystem, from start: LogPosition, kept: Sequence, known: Sequence) throws {
    self.kept = kept
    highest = max(kept, known)
    let ids = try files.list(paths.log).compactMap { StorePaths.id(of: $0, suffix: "wal") }
      .filter { $0 >= start.file }.sorted()
    // What stands behind the end that a later segment names was cut by an earlier recovery: it was never acknowledged.
    var ends: [FileID: Int] = [:]
    for id in ids {
      let head = try files.open(paths.segment(id), .read)
      defer { head.close() }
      let bytes = try head.read(count: WriteAheadLog.firstRecordOffset, at: 0)
      if let end = LogReader.predecessorEnd(bytes, id) { ends[end.file] = end.offset }
    }
    for id in ids {
      let bytes = try files.readAll(paths.segment(id))
      let first = id == start.file ? start.offset : 0
      bytes.withUnsafeBytes { collect($0, id, max(first, LogHeader.byteCount), ends[id] ?? bytes.count) }
    }
  }

  private mutating func collect(_ bytes: UnsafeRawBufferPointer, _ id: FileID, _ start: Int, _ end: Int) {
    var position = (start + RecordFrame.alignment - 1) / RecordFrame.alignment * RecordFrame.alignment
    while position + RecordFrame.headerByteCount <= min(end, bytes.count) {
      guard let frame = RecordFrame.decode(bytes, at: position, file: id) else {
        position += RecordFrame.alignment
        continue
      }
      position += frame.frameByteCount
      guard frame.sequence > kept, frame.sequence <= Sequence.greatest else { continue }
      highest = max(highest, frame.sequence)
      guard frame.kind == WriteAheadLog.Kind.commit.rawValue else { continue }
      // A record that passes its checksum and makes no sense is lost like one that fails it.
      if let record = try? CommitRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[frame.payload])) {
        readable[frame.sequence] = record.rows.reduce(0) { $0 + $1.times.count }
      }
    }
  }

  var lost: [ClosedRange<Sequence>] { highest > kept ? [kept.next...highest] : [] }
  var readableRowCount: Int { readable.values.reduce(0, +) }
}
