// An open file and a held lock of the simulated disk.

import Synchronization
import VarveCore
import VarveIO

final class SimulatedHandle: File {
  let path: String
  private let disk: SimulatedFileSystem
  private let id: Int
  private let mode: OpenMode
  private let isClosed = Mutex(false)

  init(_ disk: SimulatedFileSystem, id: Int, path: String, mode: OpenMode) {
    self.disk = disk
    self.id = id
    self.path = path
    self.mode = mode
  }

  func byteCount() throws -> Int {
    try with { state in
      try state.step("size \(path)", path)
      return state.files[id]?.bytes.count ?? 0
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    try with { state in
      try state.step("read \(path) \(offset)+\(buffer.count)", path)
      guard let bytes = state.files[id]?.bytes, offset < bytes.count else { return 0 }
      let count = min(buffer.count, bytes.count - offset)
      bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)])) }
      return count
    }
  }

  /// A full disk still takes what lies within the file, and of the rest what there is room for.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try requireWritable("pwrite")
    try with { state in
      let size = state.files[id]?.bytes.count ?? 0
      let growth = bytes.isEmpty ? 0 : max(0, offset + bytes.count - size)
      do {
        try state.step(
          "write \(path) \(offset)+\(bytes.count)", path, needsSpace: growth > 0, isWrite: true, isChange: true)
      } catch is ShortWrite {
        state.files[id]?.write(Array(bytes.prefix(bytes.count / 2)), at: offset)
        throw VarveError(.inputOutput, "Input/output error after a part of the bytes", place: path)
      } catch let error as VarveError where error.code == .diskFull {
        state.files[id]?.write(Array(bytes.prefix(max(0, size - offset))), at: offset)
        throw error
      }
      let room = state.freeByteCount
      guard growth <= room else {
        state.files[id]?.write(Array(bytes.prefix(max(0, size + room - offset))), at: offset)
        throw VarveError(.diskFull, "pwrite: No space left on device", place: path)
      }
      state.files[id]?.write(Array(bytes), at: offset)
    }
  }

  func sync() throws {
    try with { state in
      do {
        try state.step("sync \(path)", path, isChange: true)
      } catch {
        state.files[id]?.failSync()
        throw error
      }
      if !state.isSyncSkipped(path) { state.files[id]?.sync() }
    }
  }

  func truncate(to byteCount: Int) throws {
    try requireWritable("ftruncate")
    try with { state in
      let growth = max(0, byteCount - (state.files[id]?.bytes.count ?? 0))
      try state.step("truncate \(path) \(byteCount)", path, needsSpace: growth > 0, isChange: true)
      guard growth <= state.freeByteCount else {
        throw VarveError(.diskFull, "ftruncate: No space left on device", place: path)
      }
      state.files[id]?.resize(to: byteCount)
    }
  }

  func close() { isClosed.withLock { $0 = true } }

  private func requireWritable(_ operation: String) throws {
    if mode == .read { throw VarveError(.inputOutput, "\(operation): Bad file descriptor", place: path) }
  }

  private func with<T>(_ body: (inout SimulatedFileSystem.State) throws -> T) throws -> T {
    if isClosed.withLock({ $0 }) { throw VarveError(.inputOutput, "the file is closed", place: path) }
    return try disk.state.withLock { state in try body(&state) }
  }
}

final class SimulatedLock: FileLock {
  private let disk: SimulatedFileSystem
  private let path: String
  private let shared: Bool
  private let released = Mutex(false)

  init(_ disk: SimulatedFileSystem, path: String, shared: Bool) {
    self.disk = disk
    self.path = path
    self.shared = shared
  }

  deinit { release() }

  func release() {
    let isFirst = released.withLock { done in
      defer { done = true }
      return !done
    }
    guard isFirst else { return }
    disk.state.withLock { state in
      guard var held = state.locks[path] else { return }
      if shared { held.shared -= 1 } else { held.exclusive = false }
      state.locks[path] = held
    }
  }
}
