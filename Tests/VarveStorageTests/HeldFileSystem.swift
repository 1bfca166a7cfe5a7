// A disk on which one kind of calls for chunk files does not return before it is released.

import VarveIO
import VarveSimulator

struct HeldFileSystem: FileSystem {
  enum Call: Sendable { case creation, removal }

  private struct State: Sendable {
    var isReleased = false
    var waiting = 0
  }

  let disk: SimulatedFileSystem
  private let held: Call
  private let state = Gate(State())

  init(disk: SimulatedFileSystem, holding held: Call) {
    self.disk = disk
    self.held = held
  }

  func release() { state.update { $0.isReleased = true } }

  /// Waits until a call is held; false if there is none for long.
  func isHolding() -> Bool { state.wait(milliseconds: 20_000) { $0.waiting > 0 ? true : nil } ?? false }

  private func hold(_ call: Call, _ path: String) {
    guard call == held, path.contains("/chunks/") else { return }
    state.update { $0.waiting += 1 }
    _ = state.wait { $0.isReleased ? true : nil }
  }

  func open(_ path: String, _ mode: OpenMode) throws -> any File {
    if mode == .createNew { hold(.creation, path) }
    return try disk.open(path, mode)
  }

  func remove(_ path: String) throws {
    hold(.removal, path)
    try disk.remove(path)
  }

  func exists(_ path: String) throws -> Bool { try disk.exists(path) }
  func byteCount(_ path: String) throws -> Int { try disk.byteCount(path) }
  func createDirectory(_ path: String) throws { try disk.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try disk.list(path) }
  func rename(_ source: String, to target: String) throws { try disk.rename(source, to: target) }
  func removeDirectory(_ path: String) throws { try disk.removeDirectory(path) }
  func syncDirectory(_ path: String) throws { try disk.syncDirectory(path) }
  func lock(_ path: String, shared: Bool) throws -> any FileLock { try disk.lock(path, shared: shared) }
  func freeByteCount(_ path: String) throws -> Int { try disk.freeByteCount(path) }
}
