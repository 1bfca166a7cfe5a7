// Work in parts that do not depend on each other, on one or several threads: each takes the next part. What fails ends it,
// and the first failure is thrown once no part runs any more.

import VarveCore
import VarveIO
import VarveStorage

struct ParallelRun: Sendable {
  private struct State: Sendable {
    var next = 0
    var done = 0
    var running = 0
    var failure: VarveError?
  }

  /// To be called with how much of a part was done. Throws where the work is to end.
  typealias Note = (Int) throws -> Void

  private let count: Int
  private let part: @Sendable (_ number: Int, _ note: Note) throws -> Void

  init(_ count: Int, part: @escaping @Sendable (_ number: Int, _ note: Note) throws -> Void) {
    self.count = count
    self.part = part
  }

  /// `check` and `progress` are called now and then, on the calling thread; `check` throws to end it.
  func go(threadCount: Int, check: () throws -> Void, progress: (_ done: Int) -> Void) throws {
    guard threadCount > 1, count > 1 else { return try go(check, progress) }
    let state = Gate(State(running: min(threadCount, count)))
    for number in 0..<min(threadCount, count) {
      _ = WorkerThread(name: "varve-part-\(number + 1)") {
        while let next = state.update(waking: [], { Self.take(&$0, count) }) {
          do {
            try part(next) { done in
              if let failure = state.update(waking: [], { Self.note(done, &$0) }) { throw failure }
            }
          } catch { state.update(waking: []) { $0.failure = $0.failure ?? asVarveError(error) } }
        }
        state.update { $0.running -= 1 }
      }
    }
    while state.wait(milliseconds: 100, until: { $0.running == 0 ? true : nil }) == nil {
      progress(state.read { $0.done })
      do { try check() } catch { state.update { $0.failure = $0.failure ?? asVarveError(error) } }
    }
    if let failure = state.read({ $0.failure }) { throw failure }
    progress(state.read { $0.done })
  }

  private func go(_ check: () throws -> Void, _ progress: (_ done: Int) -> Void) throws {
    var sum = 0
    for number in 0..<count {
      try check()
      try part(number) { done in
        sum += done
        progress(sum)
        try check()
      }
    }
  }

  private static func take(_ state: inout State, _ count: Int) -> Int? {
    guard state.failure == nil, state.next < count else { return nil }
    defer { state.next += 1 }
    return state.next
  }

  private static func note(_ done: Int, _ state: inout State) -> VarveError? {
    state.done += done
    return state.failure
  }
}
