// `varve import`: files of line protocol or CSV into a database.

import ArgumentParser
import Varve
import VarveCore
import VarveIO
import VarveServer
import VarveWire

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Load files of line protocol or CSV.",
    discussion: """
      Bad lines are reported and left out; the rest is stored, and importing a file again changes nothing. Exits with 1 \
      if any line was rejected.

      With --connect the rows go to a server's line protocol port.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case lineProtocol = "line-protocol"
    case csv
  }

  @OptionGroup var location: DataOption

  @Option(help: ArgumentHelp("Server to write to, such as tcp://127.0.0.1:9009.", valueName: "url"))
  var connect: String?

  @Option(help: "line-protocol or csv. (default: csv for files named .csv, line-protocol for others)")
  var format: Format?

  @Option(help: ArgumentHelp("Table for the rows of CSV.", valueName: "name"))
  var table: String?

  @Option(help: ArgumentHelp("CSV column with the time. (default: time, timestamp or ts)", valueName: "column"))
  var timeColumn: String?

  @Option(help: ArgumentHelp("CSV columns that are tags, separated by commas.", valueName: "columns"))
  var tags: String?

  @Option(help: ArgumentHelp("Unit of time stamps that are whole numbers: ns, us, ms, s, m or h.", valueName: "unit"))
  var precision = "ns"

  @Option(
    help: ArgumentHelp("Write every rejected line's number and reason to this file.", valueName: "file"),
    completion: .file())
  var rejects: String?

  @Argument(help: ArgumentHelp("Files to load; `-` is standard input.", valueName: "file"), completion: .file())
  var files: [String]

  func validate() throws {
    if connect != nil && location.data != nil {
      throw ValidationError("--connect goes to a server, --data to a directory; give one of them.")
    }
    if TimestampPrecision(name: precision) == nil {
      throw ValidationError("--precision is one of \(TimestampPrecision.names), not '\(precision)'.")
    }
    if files.contains(where: { self.format(of: $0) == .csv }) {
      if table == nil { throw ValidationError("CSV needs --table.") }
    } else if table != nil || timeColumn != nil || tags != nil {
      throw ValidationError("--table, --time-column and --tags are for CSV; line protocol names its own.")
    }
  }

  func run() throws {
    let report = try ImportReport(rejectsPath: rejects)
    // All files are looked at before the first is loaded.
    let inputs = try files.map { try InputFile($0) }
    if let connect {
      let url = try ConnectionURL(connect, defaultPorts: ["tcp": 9009])
      try load(inputs, into: RemoteTarget(LineProtocolClient(url), report), report)
    } else {
      let database = try Database.openForCommand(location.directory, createIfMissing: true)
      do {
        try load(inputs, into: EmbeddedTarget(database, report), report)
      } catch {
        try database.closeBlocking()
        throw error
      }
      try database.closeBlocking()
    }
    try report.printSummary()
    if report.hasRejections { throw ExitCode.failure }
  }

  private func format(of path: String) -> Format {
    format ?? (path.lowercased().hasSuffix(".csv") ? .csv : .lineProtocol)
  }

  private func load(_ inputs: [InputFile], into target: some ImportTarget, _ report: ImportReport) throws {
    var progress = Progress(
      byteCount: inputs.reduce(0) { sum, input in sum.flatMap { sum in input.byteCount.map { sum + $0 } } })
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    for (path, input) in zip(files, inputs) {
      report.begin(input.name)
      let source = try makeSource(path)
      while true {
        let count = try input.read(into: buffer)
        let batches =
          count == 0 ? try source.finish() : try source.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        report.reject(source.takeRejected())
        for batch in batches { try target.write(batch) }
        if count == 0 { break }
        progress.advance(by: count, rows: report.rowsWritten)
      }
      // Rejections of the store are told by line; the lines are this file's until all of it is stored.
      try target.finish()
      report.end(lines: source.lineCount)
    }
    progress.end()
  }

  private func makeSource(_ path: String) throws -> any ImportSource {
    let precision = TimestampPrecision(name: precision) ?? .nanoseconds
    switch format(of: path) {
    case .lineProtocol:
      var options = LineProtocolOptions()
      options.precision = precision
      options.reportedRejectionLimit = .max
      // The store knows its own limit.
      options.maxFutureNanoseconds = nil
      return LineProtocolSource(options)
    case .csv:
      var options = CSVOptions(table: table ?? "")
      options.timeColumn = timeColumn
      options.tagColumns = tags?.split(separator: ",").map(String.init) ?? []
      options.precision = precision
      options.reportedRejectionLimit = .max
      return CSVSource(CSVReader(options: options))
    }
  }
}
