// Where a command works: on a directory that no server holds, or through a server.

import ArgumentParser
import Varve
import VarveArchive
import VarveCore
import VarveServer
import VarveWire

struct DataOption: ParsableArguments {
  static let fallback = "./varve-data"

  @Option(
    help: ArgumentHelp("Directory of the database. (default: \(fallback))", valueName: "dir"), completion: .directory)
  var data: String?

  var directory: String { data ?? Self.fallback }
}

/// A closed directory, or the server that has it open.
struct PlaceOption: ParsableArguments {
  @OptionGroup var location: DataOption

  @Option(help: ArgumentHelp("Server to ask, such as postgres://127.0.0.1:5433.", valueName: "url"))
  var connect: String?

  @OptionGroup var archive: ArchiveOptions

  func validate() throws {
    if connect != nil && location.data != nil {
      throw ValidationError("--connect goes to a server, --data to a directory; give one of them.")
    }
    try archive.validate(connect: connect)
  }

  /// The directory, in this process.
  func open(readOnly: Bool = false) throws -> Database {
    try Database.openForCommand(location.directory, readOnly: readOnly, archive: archive)
  }

  /// nil: work on the directory.
  func server() throws -> PostgresClient? { try connect.map { try PostgresClient(ConnectionURL(postgres: $0)) } }
}

extension ConnectionURL {
  init(postgres text: String) throws { try self.init(text, defaultPorts: ["postgres": 5433, "postgresql": 5433]) }
}

/// How rows are printed.
enum RowFormat: String, ExpressibleByArgument, CaseIterable {
  case table, csv, json, line

  func sink(
    to output: @escaping TextOutput = { try StandardStreams.write($0) }, onNotice: @escaping (PostgresError) -> Void
  ) -> any ResultSink {
    switch self {
    case .table: return TableSink(output, onNotice: onNotice)
    case .csv: return CSVSink(output, onNotice: onNotice)
    case .json: return JSONSink(output, onNotice: onNotice)
    case .line: return LineSink(output, onNotice: onNotice)
    }
  }
}

extension Database {
  /// Opens a directory for a command, without making one where there is none.
  static func openForCommand(
    _ directory: String, readOnly: Bool = false, createIfMissing: Bool = false, archive: ArchiveOptions
  ) throws -> Database {
    var options = Options()
    try archive.apply(to: &options)
    options.readOnly = readOnly
    options.createIfMissing = createIfMissing
    options.log = { level, text in
      if level == .warning || level == .error { StandardStreams.note("varve: \(text)") }
    }
    do {
      return try openBlocking(directory, options: options)
    } catch var error as VarveError where error.code == .directoryLocked {
      error.hint = "a server has it open: go through it with --connect, or stop it first"
      throw error
    }
  }
}
