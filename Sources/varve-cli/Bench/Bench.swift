// `varve bench`: a load of our own making, what a server makes of it, and whether it is all there afterwards.

import ArgumentParser
import VarveBench
import VarveCompute
import VarveCore
import VarveIO
import VarveServer

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate a load, print throughput and latencies, and verify what was stored.",
    discussion: """
      Without --connect it starts a server of its own, on free ports, with a directory in TMPDIR that is removed \
      afterwards; flags behind `--` go to that server. With --connect it loads a server that runs, whose table must not \
      exist yet.

      The rows are those of --series series at each --step of time: --rows of them, or as many as --duration allows. \
      Afterwards counts, extremes of time, exact sums of each field and a checksum are asked for by SQL; if any differs, \
      or a row was rejected, it exits with 1.

      Latencies are those of whole batches, from when the rows were due to their durable acknowledgement: without \
      --rate that is when their turn came, and a loaded server's buffers are part of it. --probe measures what a \
      writer of single lines sees beside the load.
      """)

  @OptionGroup(title: "Target") var place: BenchPlace

  @Option(help: "cpu (10 tags, 10 integers), iot (4 tags, 5 decimals, a boolean, a text) or narrow (1 tag, 1 decimal).")
  var schema = LoadPlan.Schema.cpu

  @Option(help: ArgumentHelp("Table to write to. (default: the schema's name)", valueName: "name"))
  var table: String?

  @Option(help: ArgumentHelp("Series at a time; 100k, 10M. (default: 1000)", valueName: "count"))
  var series: CountArgument?

  @Option(help: ArgumentHelp("Rows to write; 500k, 20M.", valueName: "count"))
  var rows: CountArgument?

  @Option(help: ArgumentHelp("How long to write. (default: 10s, unless --rows is given)", valueName: "duration"))
  var duration: DurationArgument?

  @Option(help: ArgumentHelp("Rows a second, by a schedule. (default: as fast as it goes)", valueName: "count"))
  var rate: CountArgument?

  @Option(help: "interleaved (time by time), random (time by time, series shuffled) or series (one after the other).")
  var order = LoadPlan.Order.interleaved

  @Option(help: ArgumentHelp("Share of the rows that come late, such as 5%.", valueName: "share"))
  var late: ShareArgument?

  @Option(help: ArgumentHelp("How late they come at most. (default: 1h)", valueName: "duration"))
  var lateBy: DurationArgument?

  @Option(
    help: ArgumentHelp(
      "Share of the rows that are sent twice, first with other values; as far apart as late rows.", valueName: "share"))
  var duplicates: ShareArgument?

  @Option(
    help: ArgumentHelp("Share of the series that end at each step, new ones beginning for them.", valueName: "share"))
  var churn: ShareArgument?

  @Option(help: ArgumentHelp("Time between the rows of a series. (default: 10s)", valueName: "duration"))
  var step: DurationArgument?

  @Option(
    help: ArgumentHelp(
      "Time of the first rows, such as 2024-01-01. (default: so that the last are past)",
      valueName: "time"))
  var start: String?

  @Flag(
    help: "Rows of the present: their times are those at which they are due. Needs --rate, from which the step follows."
  )
  var live = false

  @Option(
    help:
      "tcp or http (line protocol), copy (COPY, binary) or insert (prepared, many rows), both over the PostgreSQL wire."
  )
  var `protocol` = LoadOptions.Transport.tcp

  @Option(help: ArgumentHelp("Connections that write, each its own series. (default: 4)", valueName: "count"))
  var connections: CountArgument?

  @Option(
    help: ArgumentHelp(
      "Rows between two #sync lines, of a request, of a COPY, or of INSERTs up to a Sync. (default: 10000, or a tenth of a second's with --rate)",
      valueName: "count"))
  var batch: CountArgument?

  @Flag(
    help: "Beside the load, send a line and a #sync every 50 ms over a connection of its own; report its latencies.")
  var probe = false

  @Option(help: ArgumentHelp("Connections to open beside, which send nothing. (default: 0)", valueName: "count"))
  var idle: CountArgument?

  @Option(help: ArgumentHelp("The same seed makes the same rows.", valueName: "number"))
  var seed: UInt64 = 1

  @Flag(help: "Don't ask the server what it has stored.")
  var noVerify = false

  @Option(help: "How the figures are printed: table, csv, json or line.")
  var format: RowFormat = .table

  @Argument(parsing: .postTerminator, help: ArgumentHelp("Flags of `varve serve`, behind `--`.", valueName: "flag"))
  var serverFlags: [String] = []

  func validate() throws {
    if place.isGiven && !serverFlags.isEmpty {
      throw ValidationError("Flags behind -- are for a server of our own; with --connect there is none.")
    }
    try place.validate(
      needsTCP: `protocol` == .tcp || probe, needsHTTP: `protocol` == .http, needsSQL: `protocol`.isSQL)
    if rows == nil && order == .series { throw ValidationError("--order series needs --rows.") }
    for (name, count, range) in [
      ("series", series, 1...4_000_000_000), ("rows", rows, 1...Int.max), ("rate", rate, 1...1_000_000_000),
      ("connections", connections, 1...10_000), ("batch", batch, 1...1_000_000), ("idle", idle, 0...100_000),
    ] {
      if let value = count?.value, !range.contains(value) {
        throw ValidationError("--\(name) is from \(range.lowerBound) to \(range.upperBound).")
      }
    }
    if live && (rate == nil || start != nil || step != nil) {
      throw ValidationError("--live needs --rate, and sets start and step itself.")
    }
    if late == nil && duplicates == nil && lateBy != nil {
      throw ValidationError("--late-by says how late; --late or --duplicates says how many.")
    }
  }

  func run() throws {
    let options = try loadOptions(now: SystemClock().wallNanoseconds())
    let connections = "\(max(1000, options.plan.connectionCount + options.idleConnectionCount + 16))"
    try BenchSession(options, place: place, verifies: !noVerify && !place.append, format: format)
      .run(serverFlags: ["--connections", connections, "--sessions", connections] + serverFlags)
  }

  private func loadOptions(now: Int64) throws -> LoadOptions {
    var options = LoadOptions()
    var plan = LoadPlan()
    plan.schema = schema
    plan.table = table ?? schema.rawValue
    plan.seriesCount = series?.value ?? 1000
    plan.order = order
    plan.stepNanoseconds = step?.nanoseconds ?? 10_000_000_000
    if live, let rate { plan.stepNanoseconds = max(1, Int64(Double(plan.seriesCount) / Double(rate.value) * 1e9)) }
    plan.lateShare = late?.value ?? 0
    plan.duplicateShare = duplicates?.value ?? 0
    if late != nil || duplicates != nil {
      plan.lateSteps = max(1, Int((lateBy?.nanoseconds ?? 3_600_000_000_000) / plan.stepNanoseconds))
    }
    plan.churn = churn?.value ?? 0
    plan.connectionCount = connections?.value ?? min(4, plan.seriesCount)
    plan.seed = seed
    options.durationNanoseconds = duration?.nanoseconds ?? (rows == nil ? 10_000_000_000 : nil)
    try setTimes(&plan, now, durationNanoseconds: options.durationNanoseconds)
    try plan.check(now: live ? .max : now)
    options.plan = plan
    options.transport = `protocol`
    options.batchRowCount = batchRowCount(plan)
    options.rowsPerSecond = rate.map { Double($0.value) }
    options.probeNanoseconds = probe ? 50_000_000 : nil
    options.idleConnectionCount = idle?.value ?? 0
    return options
  }

  /// By default so few that a schedule is followed every tenth of a second.
  private func batchRowCount(_ plan: LoadPlan) -> Int {
    batch?.value ?? min(10_000, rate.map { max(1, $0.value / plan.connectionCount / 10) } ?? 10_000)
  }

  /// Without --rows there are as many as fit between start and now, which is more than any server takes in the time.
  private func setTimes(_ plan: inout LoadPlan, _ now: Int64, durationNanoseconds: Int64?) throws {
    /// 2000-01-01.
    let earliest: Int64 = 946_684_800_000_000_000
    let step = plan.stepNanoseconds
    // A batch goes when its first row is due.
    let ahead = 2 * plan.connectionCount * batchRowCount(plan)
    let rows =
      rows?.value ?? Int(Double(durationNanoseconds ?? 0) / 1e9 * min(rate.map { Double($0.value) } ?? 20e6, 20e6))
      + ahead
    if live {
      plan.start = now / step * step
      plan.rowCount = rows
      return
    }
    let steps = rows / plan.seriesCount + 1
    let span = Int64(clamping: Int(min(Double(steps + 1) * Double(step), 9e18)))
    plan.start = max(min(earliest, now), now - min(span, now)) / step * step
    if let start {
      let parsed: Datum
      do {
        parsed = try TypeText.parse(start, as: .timestamptz, context: EvaluationContext(now: now))
      } catch {
        throw ValidationError("--start '\(start)' is not a time, such as 2024-01-01T00:00:00Z.")
      }
      guard case .timestamp(let nanoseconds) = parsed, nanoseconds >= 0 else {
        throw ValidationError("--start is from 1970 on.")
      }
      plan.start = nanoseconds / step * step
    }
    let room = Int(max(0, (now - plan.start) / step) + 1)
    let (most, overflow) = room.multipliedReportingOverflow(by: plan.seriesCount)
    plan.rowCount = self.rows?.value ?? min(rows, overflow ? .max : most)
  }
}

/// The server to load.
struct BenchPlace: ParsableArguments {
  @Option(help: ArgumentHelp("Server to load and to ask, such as postgres://127.0.0.1:5433.", valueName: "url"))
  var connect: String?

  @Option(help: ArgumentHelp("Its line protocol port.", valueName: "host:port"))
  var lineProtocol: AddressArgument?

  @Option(help: ArgumentHelp("Its HTTP port.", valueName: "host:port"))
  var http: AddressArgument?

  @Flag(help: "Write into a table that exists; nothing is verified then.")
  var append = false

  var isGiven: Bool { connect != nil || lineProtocol != nil || http != nil }

  func validate(needsTCP: Bool, needsHTTP: Bool, needsSQL: Bool) throws {
    guard isGiven else {
      if append { throw ValidationError("--append is for a server that runs; a new one has no tables.") }
      return
    }
    if needsTCP && lineProtocol == nil {
      throw ValidationError("For a server that runs, give --line-protocol HOST:PORT: that is where the rows go.")
    }
    if needsHTTP && http == nil {
      throw ValidationError("For a server that runs, give --http HOST:PORT: that is where the rows go.")
    }
    if needsSQL && connect == nil {
      throw ValidationError(
        "For a server that runs, give --connect postgres://HOST:PORT: that is where the rows go.")
    }
    if connect == nil && !append {
      throw ValidationError(
        "For a server that runs, give --connect postgres://HOST:PORT too: the table is looked up and verified there.")
    }
  }

  func target() throws -> LoadTarget {
    LoadTarget(
      lineProtocol: lineProtocol?.address, http: http?.address,
      postgres: try connect.map { try ConnectionURL(postgres: $0) })
  }
}
