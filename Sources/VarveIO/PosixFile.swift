// An open file of the real disk. Its descriptor is closed once: by `close`, or with the last reference.
//
// The system reuses the numbers of closed descriptors at once, so a call under way must never see its own closed: it
// would read or write another file. `close` refuses new calls, and the last call under way closes the descriptor.

import Glibc
import Synchronization
import VarveCore

final class PosixFile: File {
  let path: String
  private let descriptor: Int32
  private let rings: IORings?
  private let use = Mutex(Use())

  private struct Use {
    var callsUnderWay = 0
    var isClosed = false
  }

  /// Takes over `descriptor`.
  init(descriptor: Int32, path: String, rings: IORings?) {
    self.descriptor = descriptor
    self.path = path
    self.rings = rings
  }

  deinit { close() }

  func byteCount() throws -> Int {
    try using { descriptor in
      var status = stat()
      _ = try retrying("fstat", path) { fstat(descriptor, &status) }
      return Int(status.st_size)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    try using { descriptor in
      var request = ReadRequest(offset: offset, buffer: buffer)
      try BatchRead.complete(descriptor, path, &request)
      return request.byteCount
    }
  }

  func read(_ requests: inout [ReadRequest]) throws {
    try using { try BatchRead.fill($0, path, &requests, rings: rings) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try using { descriptor in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw systemError("pwrite", path, count == 0 ? ENOSPC : errno) }
        done += count
      }
    }
  }

  func sync() throws {
    // Not retried, whatever the error: after a failed sync nothing is known.
    try using { if fdatasync($0) != 0 { throw systemError("fdatasync", path, errno) } }
  }

  func truncate(to byteCount: Int) throws {
    try using { descriptor in
      _ = try retrying("ftruncate", path) { ftruncate(descriptor, off_t(byteCount)) }
    }
  }

  func close() {
    let isIdle = use.withLock { use in
      defer { use.isClosed = true }
      return !use.isClosed && use.callsUnderWay == 0
    }
    if isIdle { Glibc.close(descriptor) }
  }

  private func using<T>(_ body: (Int32) throws -> T) throws -> T {
    let isOpen = use.withLock { use in
      if !use.isClosed { use.callsUnderWay += 1 }
      return !use.isClosed
    }
    guard isOpen else { throw VarveError(.inputOutput, "the file is closed", place: path) }
    defer {
      let isLast = use.withLock { use in
        use.callsUnderWay -= 1
        return use.isClosed && use.callsUnderWay == 0
      }
      if isLast { Glibc.close(descriptor) }
    }
    return try body(descriptor)
  }
}
