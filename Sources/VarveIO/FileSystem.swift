// The seam between the engine and the world's disks. Two fill it: `PosixFileSystem` here, and the simulated disk
// of the tests, in which whatever was not synced survives a crash only by chance.
//
// The contract that both keep, and that the engine may rely on, is POSIX's and no more:
// - bytes written are safe after `sync` of that file returned;
// - a created, renamed or removed name is safe after `syncDirectory` of its directory returned;
// - a failed sync says nothing about what is on disk, and syncing again proves nothing.
// Calls are at block and batch granularity, so an existential costs nothing that can be measured.
// Every call throws `VarveError`: `.diskFull`, `.notFound`, `.alreadyExists`, `.directoryLocked`, `.overloaded` (no
// descriptor left, from `open`) or `.inputOutput`, with the path as its place.

import VarveCore

/// How `FileSystem.open` treats a file that is or is not there.
package enum OpenMode: Sendable {
  /// Must exist; reading only.
  case read
  /// Must exist; reading and writing.
  case readWrite
  /// Must not exist; created empty, reading and writing.
  case createNew
}

/// A tree of files. Paths are absolute or relative to the process, `/`-separated.
package protocol FileSystem: Sendable {
  func open(_ path: String, _ mode: OpenMode) throws -> any File
  func exists(_ path: String) throws -> Bool
  /// Length in bytes of the file at `path`.
  func byteCount(_ path: String) throws -> Int
  /// Creates one directory; its parent must exist; fine if it is there already.
  func createDirectory(_ path: String) throws
  /// The names in a directory, without `.` and `..`, in order of their bytes.
  func list(_ path: String) throws -> [String]
  /// Atomically gives `source` the name `target`, replacing what was there: a file, or in place of a directory an empty
  /// one.
  func rename(_ source: String, to target: String) throws
  func remove(_ path: String) throws
  /// Removes an empty directory.
  func removeDirectory(_ path: String) throws
  /// Makes creations, renames and removals in this directory durable.
  func syncDirectory(_ path: String) throws
  /// Takes the lock file at `path` (creating it) for this process and this open; throws `.directoryLocked` if
  /// another holds it, in this process or another. `shared` locks exclude only exclusive ones.
  func lock(_ path: String, shared: Bool) throws -> any FileLock
  /// Bytes that an unprivileged writer could still store on the file system that holds `path`.
  func freeByteCount(_ path: String) throws -> Int
}

/// An open file. Reads and writes name their offset, so several threads may share one.
package protocol File: AnyObject, Sendable {
  var path: String { get }
  func byteCount() throws -> Int
  /// Fills `buffer` from `offset`; returns the bytes read, fewer than asked only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
  /// Fills the buffers of all requests, in any order, and says in each how many bytes it got: fewer than asked only at
  /// the end of the file. Disks serve many requests at once in little more time than one.
  func read(_ requests: inout [ReadRequest]) throws
  /// Writes all of `bytes` at `offset`, extending the file where needed, or throws; after a throw any part of
  /// the range may hold old or new bytes.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws
  /// Makes all bytes written so far, and the length, durable (fdatasync).
  func sync() throws
  /// Cuts or extends (with zeros) to `byteCount`.
  func truncate(to byteCount: Int) throws
  /// Closes; later calls throw. Closing twice is fine. Closing syncs nothing.
  func close()
}

/// A held lock; released by `release` or with its last reference, and by the end of the process.
package protocol FileLock: AnyObject, Sendable {
  func release()
}

extension FileSystem {
  /// The whole file, of at most `limit` bytes.
  package func readAll(_ path: String, limit: Int = 1 << 32) throws -> [UInt8] {
    let file = try open(path, .read)
    defer { file.close() }
    return try file.readAll(limit: limit)
  }
}

extension File {
  package func read(_ requests: inout [ReadRequest]) throws {
    for i in requests.indices {
      requests[i].byteCount = try read(into: requests[i].buffer, at: requests[i].offset)
    }
  }

  package func readAll(limit: Int = 1 << 32) throws -> [UInt8] {
    let size = try byteCount()
    guard size <= limit else {
      throw VarveError(
        .limitExceeded, "file has \(size) bytes, more than the \(limit) that can be read at once", place: path)
    }
    return try read(count: size, at: 0)
  }

  /// Exactly `count` bytes from `offset`, or fewer at the end of the file.
  package func read(count: Int, at offset: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws {
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }
}
