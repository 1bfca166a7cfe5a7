// The prompt of `varve sql`: statements up to their semicolon, and the backslash commands that hands know from psql.
//
// Other input than a terminal goes the same way, line by line; there an error names the line that its statement began
// at, and the exit code says whether there was one.

import VarveCore
import VarveServer
import VarveWire

final class Prompt {
  let connection: any SQLConnection
  let output: PromptOutput
  let completer: Completer
  var format: RowFormat
  var showsTiming = false
  /// The last statement that was run.
  var last = ""
  private(set) var hasFailed = false
  /// Files that are being read, for errors and against circles.
  private var sources: [String] = []

  init(connection: any SQLConnection, format: RowFormat) {
    self.connection = connection
    self.format = format
    let canceller = connection.canceller
    output = PromptOutput(onClose: { canceller() })
    completer = Completer(connection)
  }

  /// Until `\q` or the end of the input. False: something failed that nobody sat before.
  func run() throws -> Bool {
    let input = PromptInput(completer)
    try run(input, source: input.isInteractive ? nil : "<stdin>")
    return input.isInteractive || !hasFailed
  }

  /// `\i FILE`. False: leave.
  func run(file path: String, at place: String) throws -> Bool {
    var lines: FileLines?
    try attempt(nil, at: place) {
      guard !sources.contains(path) else { throw VarveError(.invalidArgument, "\(path) includes itself") }
      lines = try Self.opened(path)
    }
    guard let lines else { return true }
    sources.append(path)
    defer { sources.removeLast() }
    return try run(lines, source: path)
  }

  /// A file that cannot be read is not a connection that is broken.
  private static func opened(_ path: String) throws -> FileLines {
    do {
      return try FileLines(path)
    } catch let error as VarveError {
      throw PostgresError(error)
    }
  }

  @discardableResult
  private func run(_ input: some StatementInput, source: String?) throws -> Bool {
    var pending = StatementText()
    // The lines of the statement as they were typed, for the history.
    var typed: [String] = []
    var line = 0
    var firstLine = 1
    while true {
      switch try input.read(prompt: pending.isEmpty ? "varve=> " : "varve-> ") {
      case .interrupted:
        pending = StatementText()
        typed = []
      case .end:
        if !pending.isEmpty, !input.endGivesUp { try execute(pending.text, at: place(source, firstLine)) }
        return true
      case .line(let text):
        line += 1
        if pending.isEmpty {
          firstLine = line
          if text.hasPrefix("\\") {
            input.remember(text)
            guard try command(text, at: place(source, line)) else { return false }
            continue
          }
        }
        let statements = pending.add(text)
        typed.append(text)
        if pending.isEmpty {
          input.remember(typed.joined(separator: "\n"))
          typed = []
        }
        for statement in statements {
          try execute(statement, at: place(source, firstLine))
          firstLine = line
        }
        completer.pending = pending.text
      }
    }
  }

  private func place(_ source: String?, _ line: Int) -> String { source.map { "\($0):\(line): " } ?? "" }

  /// `place`: what an error begins with.
  func execute(_ sql: String, at place: String = "", into chosen: (any ResultSink)? = nil) throws {
    last = sql
    completer.executed(sql)
    let start = ProcessEnvironment.monotonicSeconds()
    try attempt(sql, at: place) {
      let sink = chosen ?? self.sink()
      let canceller = connection.canceller
      try KeyboardInterrupt.during(end: { canceller() }) { try connection.run(sql, into: sink) }
    }
    if showsTiming {
      let microseconds = Int((ProcessEnvironment.monotonicSeconds() - start) * 1e6)
      let fraction = String(1000 + microseconds % 1000).dropFirst()
      try StandardStreams.write("Time: \(microseconds / 1000).\(fraction) ms\n")
    }
  }

  /// Shows what `body` fails with, if it is the statement's and not the connection's.
  func attempt(_ sql: String?, at place: String = "", _ body: () throws -> Void) throws {
    var failure: PostgresError?
    do {
      try body()
    } catch let error as PostgresError {
      failure = error
    } catch let error as VarveError where error.code != .inputOutput {
      failure = PostgresError(error)
    }
    // Who leaves a pager has seen enough, and needs not be told that the rest was given up.
    let isGivenUp = output.isClosed && failure?.sqlState == "57014"
    try output.end()
    guard let failure, !isGivenUp else { return }
    hasFailed = true
    StandardStreams.note(place + Failure.text(failure, in: sql))
  }

  func sink() -> any ResultSink {
    let output = self.output
    return format.sink(to: { try output.write($0) }) { StandardStreams.note(Failure.text($0, in: nil)) }
  }
}

/// Where lines come from.
protocol StatementInput: AnyObject {
  func read(prompt: String) throws -> LineEditor.Outcome
  func remember(_ text: String)
  /// Whether what was begun is given up at the end of the input, as people mean it, or run, as files do.
  var endGivesUp: Bool { get }
}

/// The lines of a file.
private final class FileLines: StatementInput {
  private var lines: ArraySlice<Substring>

  init(_ path: String) throws {
    let text = try InputFile(path).readText(limit: Limits.queryTextByteCount * 16)
    lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }[...]
    if lines.last?.isEmpty == true { lines.removeLast() }
  }

  func read(prompt: String) -> LineEditor.Outcome { lines.popFirst().map { .line(String($0)) } ?? .end }
  func remember(_ text: String) {}
  var endGivesUp: Bool { false }
}
