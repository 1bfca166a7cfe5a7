// How far a job is that a server runs for a command, which waits for it: what `varve.jobs` says of it, asked over a
// connection of its own. Shown as any other progress.

import VarveIO
import VarveServer

enum JobProgress {
  private struct State: Sendable {
    var line = ProgressLine()
    var isOver = false
  }

  private static let lookMilliseconds = 200

  /// Runs `body`, which has the server at `address` run the job, and shows meanwhile how far it is.
  static func showing<T>(_ job: String, of address: String, _ body: () throws -> T) rethrows -> T {
    let state = Gate(State())
    _ = WorkerThread(name: "varve-progress") { watch(job, address, state) }
    defer {
      state.update {
        $0.isOver = true
        $0.line.end()
      }
    }
    return try body()
  }

  /// Until the body is over.
  private static func watch(_ job: String, _ address: String, _ state: Gate<State>) {
    let question = "SELECT coalesce(detail, 'running') FROM varve.jobs WHERE job = \(quotedSQL(job)) AND running"
    do {
      var server: PostgresClient?
      while state.wait(milliseconds: lookMilliseconds, until: { $0.isOver ? true : nil }) == nil {
        guard let seconds = state.read({ $0.line.due() }) else { continue }
        let connected = try server ?? PostgresClient(ConnectionURL(postgres: address))
        server = connected
        guard let text = try connected.rows(question).first?.first ?? nil else { continue }
        state.update { if !$0.isOver { $0.line.show("\(job): \(text), \(Int(seconds)) s") } }
      }
    } catch {
      // Progress that cannot be asked for is no reason to stop: what is wrong with the server the body says.
    }
  }
}
