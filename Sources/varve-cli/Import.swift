// `varve import`: files of line protocol, CSV or Parquet into a database.

import ArgumentParser
import Varve
import VarveArchive
import VarveCore
import VarveIO
import VarveServer
import VarveWire

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Load files of line protocol, CSV or Parquet.",
    discussion: """
      Bad lines are reported and left out; the rest is stored, and importing a file again changes nothing. Exits with 1 \
      if any line was rejected.

      With --connect the rows go to a server's line protocol port.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case lineProtocol = "line-protocol"
    case csv
    case parquet
  }

  @OptionGroup var location: DataOption

  @Option(help: ArgumentHelp("Server to write to, such as tcp://127.0.0.1:9009.", valueName: "url"))
  var connect: String?

  @OptionGroup var archive: ArchiveOptions

  @Option(
    help: "line-protocol, csv or parquet. (default: that of the file's name, .csv or .parquet, else line-protocol)")
  var format: Format?

  @Option(help: ArgumentHelp("Table for the rows of CSV or Parquet.", valueName: "name"))
  var table: String?

  @Option(
    help: ArgumentHelp("Column with the time, of CSV or Parquet. (default: time, timestamp or ts)", valueName: "column")
  )
  var timeColumn: String?

  @Option(help: ArgumentHelp("Columns that are tags, of CSV or Parquet, separated by commas.", valueName: "columns"))
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
    try archive.validate(connect: connect)
    if TimestampPrecision(name: precision) == nil {
      throw ValidationError("--precision is one of \(TimestampPrecision.names), not '\(precision)'.")
    }
    if files.contains(where: { self.format(of: $0) != .lineProtocol }) {
      if table == nil { throw ValidationError("CSV and Parquet need --table.") }
    } else if table != nil || timeColumn != nil || tags != nil {
      throw ValidationError("--table, --time-column and --tags are for CSV and Parquet; line protocol names its own.")
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
      let database = try Database.openForCommand(location.directory, createIfMissing: true, archive: archive)
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
    let name = path.lowercased()
    return format ?? (name.hasSuffix(".csv") ? .csv : name.hasSuffix(".parquet") ? .parquet : .lineProtocol)
  }

  private func load(_ inputs: [InputFile], into target: some ImportTarget, _ report: ImportReport) throws {
    var progress = Progress(
      byteCount: inputs.reduce(0) { sum, input in sum.flatMap { sum in input.byteCount.map { sum + $0 } } })
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    for (path, input) in zip(files, inputs) {
      report.begin(input.name)
      if format(of: path) == .parquet {
        var parquet = try ParquetImport(path, parquetOptions)
        try parquet.load(into: target, report, &progress)
        continue
      }
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

  private var parquetOptions: ParquetPointOptions {
    var options = ParquetPointOptions(table: table ?? "")
    options.timeColumn = timeColumn
    options.tagColumns = tags?.split(separator: ",").map(String.init) ?? []
    options.wholeTimeNanoseconds = (TimestampPrecision(name: precision) ?? .nanoseconds).nanoseconds
    return options
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
    case .parquet: preconditionFailure("Parquet is not read from front to end")
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
