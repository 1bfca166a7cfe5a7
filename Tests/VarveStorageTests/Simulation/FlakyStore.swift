// A place for backups that is far away: calls fail by chance, some of them after they did what they were to do.

import Synchronization
import VarveArchive
import VarveCore
import VarveSimulator

final class FlakyStore: ObjectStore {
  private struct State: Sendable {
    var random: SeededRandom
    var percent: Int
    var failures = 0
  }
  private let objects: any ObjectStore
  private let state: Mutex<State>

  init(_ objects: any ObjectStore, seed: UInt64, failingPercent: Int) {
    self.objects = objects
    state = Mutex(State(random: SeededRandom(seed: seed), percent: failingPercent))
  }

  var failures: Int { state.withLock { $0.failures } }
  func set(failingPercent: Int) { state.withLock { $0.percent = failingPercent } }

  private func trying<T>(_ body: () throws -> T) throws -> T {
    let (before, after) = state.withLock { state in
      let isBad = state.random.chance(state.percent)
      let isLate = state.random.chance(50)
      if isBad { state.failures += 1 }
      return (isBad && !isLate, isBad && isLate)
    }
    if before { throw VarveError(.inputOutput, "the place cannot be reached") }
    let result = try body()
    if after { throw VarveError(.inputOutput, "the place did not answer") }
    return result
  }

  func address(_ key: String) -> String { objects.address(key) }
  func checkPlace() throws { try trying { try objects.checkPlace() } }
  func put(_ key: String, _ bytes: [UInt8]) throws { try trying { try objects.put(key, bytes) } }
  func move(_ key: String, to target: String) throws { try trying { try objects.move(key, to: target) } }
  func get(_ key: String, _ range: Range<Int>) throws -> [UInt8] { try trying { try objects.get(key, range) } }
  func byteCount(_ key: String) throws -> Int? { try trying { try objects.byteCount(key) } }
  func list(_ folder: String) throws -> [ObjectEntry] { try trying { try objects.list(folder) } }
  func folders(_ folder: String) throws -> [String] { try trying { try objects.folders(folder) } }
  func delete(_ keys: [String]) throws { try trying { try objects.delete(keys) } }
  func removeUnfinished(_ folder: String) throws { try trying { try objects.removeUnfinished(folder) } }
  func lock(_ key: String) throws -> any ObjectLock { try objects.lock(key) }
}
