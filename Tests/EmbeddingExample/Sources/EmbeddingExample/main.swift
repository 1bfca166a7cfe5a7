// The engine in an app, all of its surface once: open, write, query, scan, subscribe, a reader beside the writer, close.
// Ends with 1 if an answer is not what it should be, so that CI notices.

import Foundation
import Varve

func check(_ claim: String, _ isTrue: Bool) {
  print("\(isTrue ? "ok" : "WRONG"): \(claim)")
  if !isTrue { exit(1) }
}

let directory = FileManager.default.temporaryDirectory.appendingPathComponent("varve-example-\(UUID().uuidString)").path
defer { try? FileManager.default.removeItem(atPath: directory) }

// Opening creates what is missing.
let database = try await Database.open(directory)

// Somebody who wants to know of each commit.
let commits = database.commits()

// Rows are durable when `write` returns.
let minute: Int64 = 60_000_000_000
let start: Int64 = 1_700_000_000_000_000_000
let summary = try await database.write(
  (0..<100).flatMap { step in
    ["north", "south"].map { site in
      Point(
        "weather", tags: ["site": site],
        fields: [
          "celsius": .double(Double(step) / 10), "raining": .boolean(step % 3 == 0), "station": .text("s-\(site)"),
        ],
        timeNanoseconds: start + Int64(step) * minute)
    }
  })
check("200 rows are written", summary.rowsWritten == 200 && summary.rejected.isEmpty)

// A point that contradicts the schema is reported; the others are stored.
let mixed = try await database.write([
  Point("weather", tags: ["site": "north"], fields: ["celsius": .text("warm")], timeNanoseconds: start),
  Point("weather", tags: ["site": "east"], fields: ["celsius": .integer(20)], timeNanoseconds: start),
])
check("one of two points is rejected", mixed.rowsWritten == 1 && mixed.rejected.map(\.index) == [0])

// SQL, with parameters.
let rows = try await database.query(
  "SELECT site, count(*) AS n, max(celsius) AS warmest FROM weather WHERE celsius < $1 GROUP BY site ORDER BY site",
  [.double(5)])
for row in rows { print(row["site"] ?? .null, row["n"] ?? .null, row["warmest"] ?? .null) }
check("two sites were below 5 degrees", rows.count == 2)
check("each of them 50 times", rows[0]["n"] == .integer(50) && rows[1]["n"] == .integer(50))

// An error of SQL says where.
do {
  try await database.query("SELECT nothing FROM weather")
  check("an unknown column is an error", false)
} catch let error as VarveError {
  check("an unknown column is an error with its place", error.sqlState == "42703" && error.position == 8)
}

// A typed scan, without SQL: slices of one series, in order of time.
final class Total: @unchecked Sendable {
  // Unchecked: the scan calls its body one slice after the other, and is awaited before this is read.
  var rows = 0
  var sum = 0.0
}
let total = Total()
try await database.scan(
  Scan("weather", tags: ["site": "south"], time: start...(start + 9 * minute), fields: ["celsius"])
) { slice in
  total.rows += slice.count
  for value in try slice.doubles("celsius") { total.sum += value ?? 0 }
}
check("the scan finds the ten rows of its range", total.rows == 10 && abs(total.sum - 4.5) < 1e-9)

// The commits came in order.
var sequences: [UInt64] = []
for await commit in commits {
  sequences.append(commit.sequence)
  if sequences.count == 2 { break }
}
check("two commits were announced, in order", sequences == [summary.sequence, mixed.sequence])

// Another opens the same directory: for reading only, for there is one writer.
do {
  _ = try await Database.open(directory)
  check("a second writer is refused", false)
} catch let error as VarveError {
  check("a second writer is refused", error.code == .directoryLocked)
}
var options = Database.Options()
options.readOnly = true
let reader = try await Database.open(directory, options: options)
check("a reader sees what is durable", try await reader.query("SELECT count(*) FROM weather")[0][0] == .integer(201))
try await reader.close()

// Everything to chunk files, and the end.
try await database.flush()
try await database.close()
let again = try await Database.open(directory)
check(
  "all is there when it is opened again", try await again.query("SELECT count(*) FROM weather")[0][0] == .integer(201))
try await again.close()
