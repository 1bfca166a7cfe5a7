// How far a job is that a command waits for, be it run by a server or here: what `varve.jobs` says of it, asked over a
// connection of its own. Shown as any other progress.

import VarveIO
import VarveServer

enum JobProgress {
  private struct State: Sendable {
    var line = ProgressLine()
    var isOver = false
  }

  private static let lookMilliseconds = 200

  /// Runs `body`, which has the job run, and shows meanwhile how far it is. `connect` makes a connection to where it is.
  static func showing<T>(
    _ job: String, _ connect: @escaping @Sendable () throws -> any SQLConnection, _ body: () throws -> T
  ) rethrows -> T {
    let state = Gate(State())
    _ = WorkerThread(name: "varve-progress") { watch(job, connect, state) }
    defer {
      state.update {
        $0.isOver = true
        $0.line.end()
      }
    }
    return try body()
  }

  /// Until the body is over.
  private static func watch(
    _ job: String, _ connect: () throws -> any SQLConnection, _ state: Gate<State>
  ) {
    let question = "SELECT coalesce(detail, 'running') FROM varve.jobs WHERE job = \(quotedSQL(job)) AND running"
    do {
      var connection: (any SQLConnection)?
      while state.wait(milliseconds: lookMilliseconds, until: { $0.isOver ? true : nil }) == nil {
        guard let seconds = state.read({ $0.line.due() }) else { continue }
        let connected = try connection ?? connect()
        connection = connected
        guard let text = try connected.rows(question).first?.first ?? nil else { continue }
        state.update { if !$0.isOver { $0.line.show("\(job): \(text), \(Int(seconds)) s") } }
      }
    } catch {
      // Progress that cannot be asked for is no reason to stop: what is wrong with the server the body says.
    }
  }
}
