// The durable series index: an append-only file of series records. The manifest says how much of it counts; what lies
// behind that is cut when the store opens, because the log still holds it.

import VarveCore
import VarveFormat
import VarveIO

package final class SeriesFile {
  private static let frameKind: UInt8 = 1
  /// Series a frame; bounds the memory that reading takes.
  private static let seriesPerFrame = 4096

  package let id: FileID
  /// Length that the next manifest edit will name.
  package private(set) var byteCount: Int
  private let file: any File

  private init(id: FileID, byteCount: Int, file: any File) {
    self.id = id
    self.byteCount = byteCount
    self.file = file
  }

  package static func create(paths: StorePaths, files: any FileSystem, clock: any Clock, id: FileID) throws
    -> SeriesFile
  {
    let file = try files.open(paths.seriesFile(id), .createNew)
    let header = LogHeader(kind: .series, file: id, wallNanoseconds: clock.wallNanoseconds())
    try file.write(header.encoded(), at: 0)
    try file.sync()
    try files.syncDirectory(paths.series)
    return SeriesFile(id: id, byteCount: LogHeader.byteCount, file: file)
  }

  /// Opens for appending behind `byteCount`.
  package static func resume(paths: StorePaths, files: any FileSystem, id: FileID, byteCount: Int) throws -> SeriesFile
  {
    let file = try files.open(paths.seriesFile(id), .readWrite)
    if try file.byteCount() > byteCount {
      try file.truncate(to: byteCount)
      try file.sync()
    }
    return SeriesFile(id: id, byteCount: byteCount, file: file)
  }

  /// Appends series `range` of a table and syncs. Until a manifest edit names the new length nothing relies on it; after
  /// a throw the same bytes may be written again.
  package func append(_ records: [SeriesRecord]) throws {
    guard !records.isEmpty else { return }
    var at = byteCount
    func write(_ part: SeriesRecord) throws {
      var body = ByteWriter()
      part.append(to: &body)
      var frame = LogBody.frame(body)
      RecordFrame.seal(&frame, kind: Self.frameKind, sequence: .zero, durable: 0, file: id, offset: at)
      try file.write(frame, at: at)
      at += frame.count
    }
    for record in records {
      var part = SeriesRecord(table: record.table, first: record.first)
      try record.forEachSeries { tags in
        part.append(tags)
        guard part.count == Self.seriesPerFrame else { return }
        try write(part)
        part = SeriesRecord(
          table: record.table, first: SeriesID(rawValue: part.first.rawValue + UInt32(Self.seriesPerFrame)))
      }
      if part.count > 0 { try write(part) }
    }
    try file.sync()
    byteCount = at
  }

  package func close() { file.close() }

  /// Gives every record within `byteCount` to `body`, in order. Everything there was durable, so whatever does not
  /// read is damage.
  package static func read(
    paths: StorePaths, files: any FileSystem, id: FileID, byteCount: Int, _ body: (SeriesRecord) throws -> Void
  ) throws {
    let path = paths.seriesFile(id)
    let file: any File
    do { file = try files.open(path, .read) } catch let error as VarveError where error.code == .notFound {
      throw VarveError(.corruption, "the series file that the manifest names is missing", place: path)
    }
    defer { file.close() }
    let header = try LogHeader.decode(try file.read(count: LogHeader.byteCount, at: 0), expected: .series, place: path)
    guard header.file == id else {
      throw VarveError(
        .corruption, "series file was written as file \(header.file.rawValue), not under this name", place: path)
    }
    guard try file.byteCount() >= byteCount else {
      throw VarveError(.corruption, "series file is shorter than the \(byteCount) bytes that were durable", place: path)
    }
    var at = LogHeader.byteCount
    while at < byteCount {
      let place = "\(path) at \(at)"
      let head = try file.read(count: RecordFrame.headerByteCount, at: at)
      guard let total = frameByteCount(head), total <= byteCount - at else {
        throw VarveError(.corruption, "series file is damaged", place: place)
      }
      let bytes = try file.read(count: total, at: at)
      try bytes.withUnsafeBytes { raw in
        guard let frame = RecordFrame.decode(raw, at: 0, base: at, file: id), frame.kind == frameKind else {
          throw VarveError(.corruption, "series file is damaged", place: place)
        }
        let unpacked = try LogBody.unpack(UnsafeRawBufferPointer(rebasing: raw[frame.payload]))
        var reader = ByteReader(unpacked)
        try body(try SeriesRecord.read(from: &reader))
      }
      at += total
    }
  }

  private static func frameByteCount(_ head: [UInt8]) -> Int? {
    guard head.count == RecordFrame.headerByteCount else { return nil }
    let payload = head.withUnsafeBytes {
      Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    }
    return RecordFrame.frameByteCount(payload: payload)
  }
}
