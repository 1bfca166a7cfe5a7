// What the engine takes of queries: each in process, without sockets or encoding, one after the other.
//
//   query-benchmark DIRECTORY [--repeat N] [--only TYPE] [--sealed] [--set NAME=VALUE]... < QUERIES
//
// A line of the input is a query: its type, a tab, its SQL; `Benchmarks/tsbs --write-queries FOLDER` makes such files. A
// third part, `cpu 2`, says that the query looks at two columns of every row of that table: then values a second of the
// processors' time are printed. `scans.queries` beside this file has such, whose conditions no index helps.
// Of each type the rows of the first are printed, and medians over its queries, each asked `--repeat` times in turn: of
// the time, and of the processors' time, which other programs disturb less.
// With `--repeat 1` no text comes twice, as with clients that put values into their texts; further turns find the plans
// of the first, of up to 256 texts.
// `--sealed` leaves the directory uncompacted. For `perf record`, name one type by `--only` and repeat it.

import Glibc
import Varve
import VarveQuery

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

/// The queries of each type, in the order they come.
func queries() -> [(type: String, texts: [String], scans: String?)] {
  var found: [(type: String, texts: [String], scans: String?)] = []
  while let line = readLine() {
    let parts = line.split(separator: "\t", maxSplits: 2).map(String.init)
    guard parts.count >= 2 else { fatalError("a line without a tab: \(line)") }
    if found.last?.type != parts[0] { found.append((parts[0], [], parts.count > 2 ? parts[2] : nil)) }
    found[found.count - 1].texts.append(parts[1])
  }
  return found
}

/// The values that a query looks at which reads so many columns of a table.
func valueCount(_ session: QuerySession, _ scans: String) throws -> Double {
  let parts = scans.split(separator: " ").map(String.init)
  guard parts.count == 2, let columns = Double(parts[1]) else { fatalError("not a table and a number: \(scans)") }
  return Double(try run(session, "SELECT time FROM \(parts[0])")) * columns
}

var directory = ""
var options = Database.Options()
var repeats = 1
var only = ""
var settings: [(name: String, value: String)] = []
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
  switch word {
  case "--repeat": repeats = Int(words.popFirst() ?? "") ?? repeats
  case "--only": only = words.popFirst() ?? ""
  case "--sealed": options.compaction = false
  case "--set":
    let parts = (words.popFirst() ?? "").split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { fatalError("--set takes NAME=VALUE") }
    settings.append((parts[0], parts[1]))
  default: directory = word
  }
}
guard !directory.isEmpty else {
  fatalError("usage: query-benchmark DIRECTORY [--repeat N] [--only TYPE] [--sealed] [--set NAME=VALUE]... < QUERIES")
}
let database = try await Database.open(directory, options: options)
let session = database.makeSession()
for (name, value) in settings { try session.set(name, value) }
for (type, texts, scans) in queries() where only.isEmpty || type == only {
  var walls: [Double] = []
  var processors: [Double] = []
  let rows = try run(session, texts[0])
  for _ in 0..<repeats {
    for text in texts {
      let (began, processor) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
      _ = try run(session, text)
      processors.append((seconds(CLOCK_PROCESS_CPUTIME_ID) - processor) * 1e3)
      walls.append((seconds(CLOCK_MONOTONIC) - began) * 1e3)
    }
  }
  walls.sort()
  processors.sort()
  func text(_ value: Double) -> String { "\((value * 1e3).rounded() / 1e3)" }
  print(
    "\(type), \(rows) rows, median ms: \(text(walls[walls.count / 2])) (least \(text(walls[0]))),",
    "of the processors \(text(processors[processors.count / 2])) (least \(text(processors[0])))")
  if let scans {
    let values = try valueCount(session, scans)
    print("  \(Int(values / processors[0] / 1e3)) million values a second of one processor")
  }
}
session.close()
try await database.close()
