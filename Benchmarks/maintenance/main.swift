// What sealing and full compaction cost, through the store and without SQL or sockets: processor seconds a million rows
// and values a second, to be held against what ingest costs.
//
//   maintenance-benchmark DIRECTORY [--hosts N] [--days N] [--rounds N] [--seals N] [--gather]
//
// Each round commits N days of a table shaped like TSBS's `cpu` (ten integer fields, each a walk between 0 and 100 by
// rounded normal steps, a row every 10 s a host), seals them in one or in --seals pieces, and compacts them fully: so many
// generations are merged. With --gather rows of the head are put in order on the way, as a running store does; that counts
// for the seal. The next round's days follow. DIRECTORY is made, and must not hold a store before.

import Glibc
import VarveCore
import VarveIO
import VarveStorage

struct Arguments {
  var directory = ""
  var hosts = 100
  var days = 3
  var rounds = 5
  var seals = 1
  var gathers = false

  init(_ words: [String]) {
    var words = words[...]
    func value() -> Int { Int(words.popFirst() ?? "") ?? 0 }
    while let word = words.popFirst() {
      switch word {
      case "--hosts": hosts = value()
      case "--days": days = value()
      case "--rounds": rounds = value()
      case "--seals": seals = value()
      case "--gather": gathers = true
      default: directory = word
      }
    }
    guard !directory.isEmpty, hosts > 0, days > 0, rounds > 0, seals > 0 else {
      fatalError("usage: maintenance-benchmark DIRECTORY [--hosts N] [--days N] [--rounds N] [--seals N] [--gather]")
    }
  }

  var rowCount: Int { hosts * days * 8_640 }
}

let start: Int64 = 1_451_606_400_000_000_000
let second: Int64 = 1_000_000_000
let fieldCount = 10

/// The same numbers in every run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A normal deviate (Box and Muller), rounded.
  mutating func step() -> Int64 {
    let radius = (-2 * log(Double.random(in: 0x1p-60..<1, using: &self))).squareRoot()
    return Int64((radius * cos(2 * Double.pi * Double.random(in: 0..<1, using: &self))).rounded())
  }
}

/// Hosts and how they go on from round to round.
struct Walks {
  let series: [SeriesKey]
  private var random = SplitMix(state: 1)
  private var values: [Int64]

  init(hosts: Int) {
    series = (0..<hosts).map { SeriesKey(tags: [(name: "hostname", value: "host_\($0)")]) }
    values = [Int64](repeating: 50, count: hosts * fieldCount)
  }

  /// The rows of `steps`, as a client sends them: all hosts of a time, then the next time.
  mutating func batch(_ steps: Range<Int>) -> PointBatch {
    let rowCount = steps.count * series.count
    let rowSeries = Buffer<UInt32>(capacity: rowCount)
    let times = Buffer<Int64>(capacity: rowCount)
    let words = (0..<fieldCount).map { _ in Buffer<UInt64>(capacity: rowCount) }
    for step in steps {
      for host in 0..<series.count {
        rowSeries.append(UInt32(host))
        times.append(start + Int64(step) * 10 * second)
        for field in 0..<fieldCount {
          let place = host * fieldCount + field
          values[place] = min(100, max(0, values[place] + random.step()))
          words[field].append(UInt64(bitPattern: values[place]))
        }
      }
    }
    let fields = words.enumerated().map {
      PointBatch.Field(name: "usage_\($0)", column: FieldColumn(type: .int64, words: $1))
    }
    return PointBatch(table: "cpu", series: series, rowSeries: rowSeries, times: times, fields: fields)
  }
}

struct Cost {
  var wall = 0.0
  var processor = 0.0

  init(of body: () throws -> Void) rethrows {
    let (wall, processor) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
    try body()
    self.wall = seconds(CLOCK_MONOTONIC) - wall
    self.processor = seconds(CLOCK_PROCESS_CPUTIME_ID) - processor
  }

  mutating func add(_ other: Cost) {
    wall += other.wall
    processor += other.processor
  }
}

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func report(_ name: String, _ costs: [Cost], _ arguments: Arguments) {
  func text(_ value: Double) -> String {
    let text = String((value * 1000).rounded() / 1000)
    return String(repeating: " ", count: max(0, 8 - text.utf8.count)) + text
  }
  let processor = costs.map(\.processor).sorted()
  let rows = Double(arguments.rowCount)
  print(
    name + String(repeating: " ", count: max(0, 18 - name.utf8.count)), "cpu p50",
    text(processor[processor.count / 2] / rows * 1e6), "least", text(processor[0] / rows * 1e6),
    "s a million rows, wall",
    text((costs.map(\.wall).min() ?? 0) / rows * 1e6), ",", text(rows * Double(fieldCount) / processor[0] / 1e6),
    "million values a second")
}

let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
guard try !PosixFileSystem().exists(arguments.directory + "/manifest") else {
  fatalError("\(arguments.directory) holds a store already")
}
var options = StoreOptions(directory: arguments.directory, fileSystem: PosixFileSystem(), clock: SystemClock())
options.sync = .off
let store = try Store.open(options)
var walks = Walks(hosts: arguments.hosts)
var (seals, compactions): ([Cost], [Cost]) = ([], [])
let stepsPerBatch = max(1, 10_000 / arguments.hosts)
for round in 0..<arguments.rounds {
  let steps = (round * arguments.days * 8_640)..<((round + 1) * arguments.days * 8_640)
  var seal = Cost(of: {})
  var isSealed = 0
  for first in stride(from: steps.lowerBound, to: steps.upperBound, by: stepsPerBatch) {
    let end = min(steps.upperBound, first + stepsPerBatch)
    _ = try store.commit([.write([walks.batch(first..<end)])])[0].get()
    if arguments.gathers, store.mayGather { seal.add(Cost { while store.gather() {} }) }
    guard (end - steps.lowerBound) * arguments.seals >= (isSealed + 1) * steps.count else { continue }
    seal.add(try Cost { try store.sealAll() })
    isSealed += 1
  }
  seals.append(seal)
  compactions.append(try Cost { try store.compactAll() })
}
report("seal", seals, arguments)
report("full compaction", compactions, arguments)
try store.close()
