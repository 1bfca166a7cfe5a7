// What aggregates cost from summaries, on pages and from rows: SQL in process, without sockets, one thread.
//
//   aggregate-benchmark DIRECTORY [--sealed] [--decimals] [--hosts N] [--days N] [--repeat N] [--only TEXT]
//
// The database is made in DIRECTORY when it is not there: a table shaped like TSBS's `cpu`, ten integer fields in a
// random walk between 0 and 100, a row every 10 s a host. `--sealed` leaves it as sealing wrote it, without compaction;
// with `--decimals` the fields are doubles of two decimals.

import Glibc
import Varve
import VarveCore
import VarveQuery

let start: Int64 = 1_451_606_400_000_000_000
let second: Int64 = 1_000_000_000
/// What the names of measurements to make contain.
let only = CommandLine.arguments.drop { $0 != "--only" }.dropFirst().first ?? ""

/// The same walk in every run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// A chunk a day.
func fill(_ database: Database, hosts: Int, days: Int, isDecimal: Bool) async throws {
  var random = SplitMix(state: 1)
  let series = (0..<hosts).map { SeriesKey(tags: [(name: "hostname", value: "host_\($0)")]) }
  var walk = [[Int64]](repeating: (0..<10).map { _ in .random(in: 0...100, using: &random) }, count: hosts)
  let stepsPerBatch = 216
  for first in stride(from: 0, to: days * 8640, by: stepsPerBatch) {
    let rowSeries = Buffer<UInt32>()
    let times = Buffer<Int64>()
    let words = (0..<10).map { _ in Buffer<UInt64>() }
    for step in first..<(first + stepsPerBatch) {
      for host in 0..<hosts {
        rowSeries.append(UInt32(host))
        times.append(start + Int64(step) * 10 * second)
        for field in 0..<10 {
          let next = walk[host][field] + .random(in: -1...1, using: &random)
          walk[host][field] = min(100, max(0, next))
          let number = walk[host][field]
          words[field].append(isDecimal ? (Double(number) / 100).bitPattern : UInt64(bitPattern: number))
        }
      }
    }
    let fields = words.enumerated().map {
      PointBatch.Field(name: "usage_\($0)", column: FieldColumn(type: isDecimal ? .float64 : .int64, words: $1))
    }
    _ = try await database.write([
      PointBatch(table: "cpu", series: series, rowSeries: rowSeries, times: times, fields: fields)
    ])
    if (first + stepsPerBatch) % 8640 == 0 { try await database.flush() }
  }
}

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func run(_ session: QuerySession, _ sql: String) throws -> Int {
  let result = try session.execute(try session.prepare(sql))
  var rows = 0
  while let batch = try result.next() { rows += batch.count }
  try session.endImplicitTransaction(failed: false)
  return rows
}

/// Each way in turn, so that whatever else the machine does meets all of them.
func measure(_ name: String, _ session: QuerySession, _ repeats: Int, _ sql: String) throws {
  guard only.isEmpty || name.contains(only) else { return }
  let ways = [("summaries", "on", "off"), ("pages", "off", "on"), ("rows", "off", "off")]
  var walls = [[Double]](repeating: [], count: ways.count)
  var rows = 0
  for _ in 0..<repeats {
    for (number, (_, summaries, pages)) in ways.enumerated() {
      try session.set("varve.use_summaries", summaries)
      try session.set("varve.use_page_aggregates", pages)
      let began = seconds(CLOCK_MONOTONIC)
      rows = try run(session, sql)
      walls[number].append(seconds(CLOCK_MONOTONIC) - began)
    }
  }
  func milliseconds(_ value: Double) -> String { "\((value * 1e5).rounded() / 1e2)" }
  let figures = zip(ways, walls).map { way, walls in
    let sorted = walls.sorted()
    return "\(way.0) \(milliseconds(sorted[walls.count / 2])) (least \(milliseconds(sorted[0])))"
  }
  print("\(name), \(rows) rows, median ms: \(figures.joined(separator: ", "))")
}

var words = CommandLine.arguments.dropFirst()
var directory = ""
var options = Database.Options()
var isDecimal = false
var (hosts, days, repeats) = (100, 3, 21)
while let word = words.popFirst() {
  switch word {
  case "--hosts": hosts = Int(words.popFirst() ?? "") ?? hosts
  case "--days": days = Int(words.popFirst() ?? "") ?? days
  case "--repeat": repeats = Int(words.popFirst() ?? "") ?? repeats
  case "--only": words = words.dropFirst()
  case "--sealed": options.compaction = false
  case "--decimals": isDecimal = true
  default: directory = word
  }
}
guard !directory.isEmpty else {
  fatalError(
    "usage: aggregate-benchmark DIRECTORY [--sealed] [--decimals] [--hosts N] [--days N] [--repeat N] [--only TEXT]")
}
let database = try await Database.open(directory, options: options)
let session = database.makeSession()
if try run(session, "SELECT 1 FROM information_schema.tables WHERE table_name = 'cpu'") == 0 {
  try await fill(database, hosts: hosts, days: days, isDecimal: isDecimal)
}
let fields = (0..<10).map { "usage_\($0)" }
let averages = fields.map { "avg(\($0))" }.joined(separator: ", ")
let whole = "SELECT \(fields.map { "max(\($0))" }.joined(separator: ", ")) FROM cpu"
for width in ["1 hour", "30 minutes", "10 minutes", "5 minutes", "1 minute"] {
  let bucket = "time_bucket('\(width)', time)"
  try measure(
    "ten averages by host and \(width)", session, repeats,
    "SELECT hostname, \(bucket), \(averages) FROM cpu GROUP BY 1, 2")
  try measure(
    "an average by \(width)", session, repeats, "SELECT \(bucket), avg(usage_0) FROM cpu GROUP BY 1")
  try measure(
    "two extremes by \(width)", session, repeats,
    "SELECT \(bucket), min(usage_0), max(usage_0) FROM cpu GROUP BY 1")
}
try measure(
  "two extremes by host and calendar hour", session, repeats,
  "SELECT hostname, date_trunc('hour', time, 'Europe/Berlin'), max(usage_0), min(usage_1) FROM cpu GROUP BY 1, 2")
try measure("greatest of everything", session, repeats, whole)
session.close()
try await database.close()
