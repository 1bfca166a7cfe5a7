// The reserve: a file that only takes room, so that there is some to be had on a full disk. It is removed when a drop,
// a manifest or the end of a seal finds none, all of which make room in the end, and made again once there is room.
//
// Nothing depends on it: it may be missing or short at any time, and what goes wrong with it is logged only. Used by the
// committing thread, and while the store opens.

import VarveCore
import VarveIO

final class ReserveFile {
  private let path: String
  private let directory: String
  private let byteCount: Int
  /// Where there is no room for all of it, and in a directory at rest: about what opening needs for the manifest it begins.
  private var leastByteCount: Int
  private let files: any FileSystem
  private let log: @Sendable (StoreOptions.LogLevel, String) -> Void
  private var isWhole = false

  init(_ options: StoreOptions, _ paths: StorePaths) {
    path = paths.reserve
    directory = paths.root
    byteCount = options.reserveByteCount
    leastByteCount = min(options.reserveByteCount, options.manifestByteCount)
    files = options.fileSystem
    log = options.log
  }

  /// Runs `body`; if it finds the disk full, once more with the reserve's room.
  func lend<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as VarveError where error.code == .diskFull {
      guard release() else { throw error }
      return try body()
    }
  }

  /// Makes the file whole if there is room for it, else as large as the next opening needs.
  func restore() {
    guard byteCount > 0, !isWhole else { return }
    do {
      do {
        try write(byteCount)
        isWhole = true
      } catch let error as VarveError where error.code == .diskFull {
        // Half a reserve would be room that nobody has.
        guard release() else { return }
        try write(leastByteCount)
      }
    } catch let error as VarveError where error.code == .overloaded {
      // Whatever is there stays; the next seal or drop looks again.
      return
    } catch {
      _ = release()
      if asVarveError(error).code != .diskFull { log(.warning, "cannot make the reserve file: \(error)") }
    }
  }

  /// For a directory at rest: no more than the next opening needs, which is room for a manifest of this length.
  func rest(forManifest manifestByteCount: Int) {
    isWhole = false
    leastByteCount = min(byteCount, manifestByteCount)
    do {
      guard try files.exists(path) else { return }
      let file = try files.open(path, .readWrite)
      defer { file.close() }
      if try file.byteCount() > leastByteCount { try file.truncate(to: leastByteCount) }
    } catch {
      log(.warning, "cannot shorten the reserve file: \(error)")
    }
  }

  private func write(_ byteCount: Int) throws {
    let isThere = try files.exists(path)
    let file = try files.open(path, isThere ? .readWrite : .createNew)
    defer { file.close() }
    let start = try file.byteCount()
    if start < byteCount {
      try file.write(Self.filler(byteCount - start), at: start)
      try file.sync()
    }
  }

  /// False when there was nothing to release.
  private func release() -> Bool {
    isWhole = false
    do {
      guard try files.exists(path) else { return false }
      try files.remove(path)
      // Some file systems give room back only with the sync.
      try files.syncDirectory(directory)
      return true
    } catch {
      log(.warning, "cannot remove the reserve file: \(error)")
      return false
    }
  }

  /// Bytes that no file system compresses.
  private static func filler(_ count: Int) -> [UInt8] {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }
}
