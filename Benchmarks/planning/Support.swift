// What the measurements here have in common: databases of made-up rows, and how long something takes.

import Glibc
import Varve
import VarveCompute
import VarveCore
import VarveQuery

let second: Int64 = 1_000_000_000
let minute = 60 * second
let hour = 60 * minute
/// 2023-01-01, in whole hours, days and weeks of a year.
let start: Int64 = 1_672_531_200_000_000_000

func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Some times that something took, in seconds.
struct Durations {
  private var seconds: [Double] = []

  mutating func measure<T>(_ body: () throws -> T) rethrows -> T {
    let began = monotonicSeconds()
    let result = try body()
    seconds.append(monotonicSeconds() - began)
    return result
  }

  /// Not above which the share of them is.
  func percentile(_ share: Double) -> Double {
    let sorted = seconds.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
  }

  var least: Double { percentile(0) }
  var median: Double { percentile(0.5) }
}

func milliseconds(_ seconds: Double) -> String { "\((seconds * 1e6).rounded() / 1e3) ms" }

/// The rows of a statement.
@discardableResult
func run(_ session: QuerySession, _ sql: String) throws -> [[Datum]] {
  let result = try session.execute(try session.prepare(sql))
  var rows: [[Datum]] = []
  while let batch = try result.next() {
    for row in 0..<batch.count { rows.append(batch.columns.map { $0.datum(at: row) }) }
  }
  try session.endImplicitTransaction(failed: false)
  return rows
}

/// A row a minute for each of some hosts, from `start` on: a whole number that walks, and a double of two decimals.
func fill(_ database: Database, _ table: String, hosts: Int, hours: Int) async throws {
  var random = SplitMix(state: 1)
  let series = (0..<hosts).map { SeriesKey(tags: [(name: "host", value: "host_\($0)")]) }
  var walk = [Int64](repeating: 50, count: hosts)
  let hoursPerBatch = 24
  for first in stride(from: 0, to: hours, by: hoursPerBatch) {
    let rowSeries = Buffer<UInt32>()
    let times = Buffer<Int64>()
    let (whole, parts) = (Buffer<UInt64>(), Buffer<UInt64>())
    for minutes in (first * 60)..<(min(hours, first + hoursPerBatch) * 60) {
      for host in 0..<hosts {
        rowSeries.append(UInt32(host))
        times.append(start + Int64(minutes) * minute)
        walk[host] = min(100, max(0, walk[host] + .random(in: -1...1, using: &random)))
        whole.append(UInt64(bitPattern: walk[host]))
        parts.append((Double(Int64.random(in: 0..<100_000, using: &random)) / 100).bitPattern)
      }
    }
    _ = try await database.write([
      PointBatch(
        table: table, series: series, rowSeries: rowSeries, times: times,
        fields: [
          PointBatch.Field(name: "v", column: FieldColumn(type: .int64, words: whole)),
          PointBatch.Field(name: "x", column: FieldColumn(type: .float64, words: parts)),
        ])
    ])
  }
  try await database.flush()
}

/// The same walk in every run.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
