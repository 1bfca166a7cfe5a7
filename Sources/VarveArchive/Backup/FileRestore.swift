// Writing one file of a backup: its pieces, each checked, and zeros behind them.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

struct FileRestore: Sendable {
  let place: BackupPlace
  let manifest: BackupManifest
  let paths: StorePaths
  let files: any FileSystem
  let clock: any Clock

  func write(_ file: BackupFile, note: ParallelRun.Note) throws {
    let path = file.path(paths)
    let restored = try files.open(path, .createNew)
    defer { restored.close() }
    for (key, offset, piece) in file.keys {
      var bytes = try place.read(piece, key, of: manifest)
      if file.kind == .series, offset == 0 { try renew(&bytes, path) }
      try restored.write(bytes, at: offset)
      try note(bytes.count)
    }
    // Of a log segment, which has room for what was to come: zeros.
    if file.sentByteCount < file.byteCount { try restored.truncate(to: file.byteCount) }
    try restored.sync()
  }

  /// Has the series file say that it is made now.
  private func renew(_ bytes: inout [UInt8], _ path: String) throws {
    let header = try LogHeader.decode(bytes, expected: .series, place: path)
    let renewed = LogHeader(
      kind: .series, version: header.version, file: header.file, preallocatedByteCount: header.preallocatedByteCount,
      wallNanoseconds: clock.wallNanoseconds())
    bytes.replaceSubrange(0..<LogHeader.byteCount, with: renewed.encoded())
  }
}
