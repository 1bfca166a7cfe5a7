// The `varve` command. A failed command says why on standard error and exits with 1; wrong usage exits with 64.

import ArgumentParser
import VarveCore
import VarveIO
import VarveServer
import VarveWire

@main
struct Main {
  static func main() async {
    ProcessLimits.limitAllocatorArenas()
    ProcessLimits.raiseOpenFiles()
    do {
      var command = try VarveCommand.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let error as VarveError {
      StandardStreams.note(Failure.text(error))
      VarveCommand.exit(withError: ExitCode.failure)
    } catch let error as PostgresError {
      StandardStreams.note(Failure.text(error, in: nil))
      VarveCommand.exit(withError: ExitCode.failure)
    } catch {
      VarveCommand.exit(withError: error)
    }
  }
}

struct VarveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "varve",
    abstract: "A time-series database: line protocol in, SQL out.",
    discussion: """
      Start a server with `varve serve`, write line protocol to port 9009, and ask with `varve sql` or `psql -p 5433`.
      """,
    subcommands: [
      Serve.self, SQL.self, Import.self, Export.self, Status.self, Inspect.self, Verify.self, Repair.self,
      Flush.self, Compact.self, Backup.self, Restore.self, Rollup.self, Retention.self, Archive.self,
      Bench.self,
    ])
}

/// How errors are told to people.
enum Failure {
  static func text(_ error: VarveError) -> String {
    var text = "varve: \(error.message)"
    if let place = error.place, !error.message.contains(place) { text += " [\(place)]" }
    if let hint = error.hint { text += "\nhint: \(hint)" }
    return text
  }

  /// As psql shows them, with the place in the text they are about.
  static func text(_ error: PostgresError, in sql: String?) -> String {
    var text = "\(error.severity.rawValue):  \(error.message)"
    if let sql, let position = error.position, let line = line(of: sql, at: position) { text += "\n" + line }
    if let detail = error.detail { text += "\nDETAIL:  \(detail)" }
    if let hint = error.hint { text += "\nHINT:  \(hint)" }
    return text
  }

  private static func line(of sql: String, at position: Int) -> String? {
    let characters = Array(sql.unicodeScalars)
    guard position >= 1, position <= characters.count + 1 else { return nil }
    let index = position - 1
    let start = (characters[..<min(index, characters.count)].lastIndex(of: "\n") ?? -1) + 1
    let end = characters[start...].firstIndex(of: "\n") ?? characters.count
    let number = characters[..<start].count { $0 == "\n" } + 1
    var line = String.UnicodeScalarView()
    for scalar in characters[start..<end] { line.append(scalar == "\t" ? " " : scalar) }
    let prefix = "LINE \(number): "
    return prefix + String(line) + "\n" + String(repeating: " ", count: prefix.count + index - start) + "^"
  }
}
