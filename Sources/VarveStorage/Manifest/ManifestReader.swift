// Reads the manifest: the file with the highest id, its checkpoint and edits, strictly.

import VarveCore
import VarveFormat
import VarveIO

package struct ManifestReader {
  package let file: FileID
  package private(set) var state = ManifestState()
  package private(set) var edits: UInt64 = 0

  /// nil when the directory holds no manifest at all.
  package init?(paths: StorePaths, files: any FileSystem) throws {
    let candidates = try files.list(paths.manifests).compactMap { StorePaths.id(of: $0, suffix: "manifest") }
    guard let newest = candidates.max() else { return nil }
    try self.init(file: newest, path: paths.manifest(newest), files: files)
  }

  package init(file: FileID, path: String, files: any FileSystem) throws {
    self.file = file
    let bytes = try files.readAll(path, limit: 1 << 30)
    try read(bytes, path: path)
  }

  private mutating func read(_ bytes: [UInt8], path: String) throws {
    let header = try LogHeader.decode(bytes, expected: .manifest, place: path)
    guard header.file == file else {
      throw VarveError(
        .corruption, "the manifest was written as file \(header.file.rawValue), not under this name", place: path)
    }
    guard bytes.count >= header.preallocatedByteCount else {
      throw VarveError(
        .corruption, "the manifest has \(bytes.count) bytes of the \(header.preallocatedByteCount) it was made with",
        place: path)
    }
    try bytes.withUnsafeBytes { raw in
      let scan = LogScan(raw, file: file)
      guard scan.claimedDurable.rawValue <= LogPosition(file: file, offset: scan.end).rawValue else {
        throw VarveError(
          .corruption, "the manifest is damaged at byte \(scan.end): edits behind it were durable",
          place: "\(path) at \(scan.end)")
      }
      for (index, frame) in scan.frames.enumerated() {
        do {
          try apply(
            frame, UnsafeRawBufferPointer(rebasing: raw[frame.payload]), isFirst: index == 0, version: header.version)
        } catch var error as VarveError {
          error.place = "\(path) at \(frame.payload.lowerBound - RecordFrame.headerByteCount)"
          throw error
        }
      }
      guard !scan.frames.isEmpty else {
        throw VarveError(
          .corruption, "the manifest's checkpoint is damaged", place: "\(path) at \(LogHeader.byteCount)")
      }
    }
  }

  private mutating func apply(_ frame: RecordFrame, _ payload: UnsafeRawBufferPointer, isFirst: Bool, version: UInt32)
    throws
  {
    guard let kind = ManifestLog.Kind(rawValue: frame.kind), (kind == .checkpoint) == isFirst else {
      throw VarveError(.corruption, "a manifest frame of unexpected kind (\(frame.kind))")
    }
    switch kind {
    case .mark:
      guard frame.sequence.rawValue == edits else { throw VarveError(.corruption, "a manifest mark is out of order") }
    case .checkpoint, .edit:
      guard isFirst ? frame.sequence <= .greatest : frame.sequence.rawValue == edits + 1 else {
        throw VarveError(.corruption, "a manifest edit is missing before number \(frame.sequence.rawValue)")
      }
      try state.apply(try ManifestEdit.decode(payload, version: version))
      edits = frame.sequence.rawValue
    }
  }
}
