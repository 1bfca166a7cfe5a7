// What reading a store costs, without SQL or sockets: scans of chunks from the store's page cache ("cached"), by system
// calls from the system's ("pread"), and from the disk ("cold", which needs root to empty the system's page cache).
//
//   scan-benchmark DIRECTORY [--hosts N] [--days N] [--only NAME] [--repeat N] [--cold]
//
// The store is made in DIRECTORY when it is not there: a table shaped like TSBS's `cpu`, ten integer fields in a
// random walk between 0 and 100, a row every 10 s a host. VARVE_IO_URING=off reads without io_uring.

import Glibc
import VarveCore
import VarveIO
import VarveStorage

struct Arguments: Sendable {
  var directory = ""
  var hosts = 100
  var days = 3
  var only: String?
  var repeats = 41
  var isCold = false

  init(_ words: [String]) {
    var words = words[...]
    func value() -> Int { Int(words.popFirst() ?? "") ?? 0 }
    while let word = words.popFirst() {
      switch word {
      case "--hosts": hosts = value()
      case "--days": days = value()
      case "--only": only = words.popFirst()
      case "--repeat": repeats = value()
      case "--cold": isCold = true
      default: directory = word
      }
    }
    guard !directory.isEmpty else { fatalError("usage: scan-benchmark DIRECTORY [--hosts N] [--days N] …") }
  }
}

let start: Int64 = 1_451_606_400_000_000_000
let second: Int64 = 1_000_000_000

/// The same walk in every run; the system's generator is a call into it for each number.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// Fills an empty store through commits, as a server would, and seals it.
func fill(_ store: Store, _ arguments: Arguments) throws {
  var random = SplitMix(state: 1)
  let series = (0..<arguments.hosts).map { SeriesKey(tags: [(name: "hostname", value: "host_\($0)")]) }
  var walk = [[Int64]](repeating: (0..<10).map { _ in .random(in: 0...100, using: &random) }, count: arguments.hosts)
  let stepCount = arguments.days * 8640
  let stepsPerBatch = max(1, 30_000 / arguments.hosts)
  for first in stride(from: 0, to: stepCount, by: stepsPerBatch) {
    let steps = first..<min(stepCount, first + stepsPerBatch)
    let rowSeries = Buffer<UInt32>()
    let times = Buffer<Int64>()
    let words = (0..<10).map { _ in Buffer<UInt64>() }
    for step in steps {
      for host in 0..<arguments.hosts {
        rowSeries.append(UInt32(host))
        times.append(start + Int64(step) * 10 * second)
        for field in 0..<10 {
          let next = walk[host][field] + .random(in: -1...1, using: &random)
          walk[host][field] = min(100, max(0, next))
          words[field].append(UInt64(bitPattern: walk[host][field]))
        }
      }
    }
    let fields = words.enumerated().map {
      PointBatch.Field(name: "usage_\($0)", column: FieldColumn(type: .int64, words: $1))
    }
    let batch = PointBatch(table: "cpu", series: series, rowSeries: rowSeries, times: times, fields: fields)
    _ = try store.commit([.write([batch])])[0].get()
    if store.shouldFreeze { try store.sealAll() }
  }
  try store.sealAll()
}

/// Runs `body` until `repeats` times and prints the median wall time and the CPU time of a run.
func measure(_ name: String, _ repeats: Int, before: () throws -> Void = {}, _ body: () throws -> String) rethrows {
  var walls: [Double] = []
  var processor = 0.0
  var note = ""
  for _ in 0..<repeats {
    try before()
    let (wall, used) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
    note = try body()
    walls.append(seconds(CLOCK_MONOTONIC) - wall)
    processor += seconds(CLOCK_PROCESS_CPUTIME_ID) - used
  }
  walls.sort()
  func milliseconds(_ value: Double) -> String {
    let text = String((value * 1e6).rounded() / 1e3)
    return String(repeating: " ", count: max(0, 9 - text.utf8.count)) + text
  }
  let padded = name + String(repeating: " ", count: max(0, 32 - name.utf8.count))
  print(
    padded, "p50", milliseconds(walls[walls.count / 2]), "least", milliseconds(walls[0]), "cpu",
    milliseconds(processor / Double(repeats)), "ms ", note)
}

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func emptyPageCache() {
  sync()
  guard let file = fopen("/proc/sys/vm/drop_caches", "w") else { fatalError("emptying the page cache needs root") }
  fputs("3", file)
  fclose(file)
}

func read(_ snapshot: Snapshot, _ request: ScanRequest) throws -> String {
  let cursor = try snapshot.scan(request)
  var sum: UInt64 = 0
  while let batch = try cursor.next() { for field in batch.fields { sum &+= field.words.span.last ?? 0 } }
  let counted = cursor.statistics
  return
    "\(counted.rows) rows, \(counted.pagesRead) pages (\(counted.pagesFromCache) cached), \(counted.bytesRead) bytes"
}

func requests(_ snapshot: Snapshot, _ arguments: Arguments) -> [(name: String, request: ScanRequest)] {
  guard let table = snapshot.table(named: "cpu") else { fatalError("the store has no table cpu") }
  let fields = table.fields.map(\.id)
  let hour = 3600 * second
  func hosts(_ numbers: [Int]) -> SeriesSet {
    let values = numbers.map { "host_\($0 % arguments.hosts)" }
    return snapshot.series(of: table.id, where: [TagPredicate(column: table.tags[0].id, condition: .isIn(values))])
  }
  func time(_ hours: Int64) -> TimeRange { TimeRange(lower: start + 7 * hour, upper: start + (7 + hours) * hour - 1) }
  return [
    ("1 host, 1 h, 1 field", .init(table: table.id, series: hosts([17]), time: time(1), fields: [fields[3]])),
    (
      "1 host, 12 h, 5 fields",
      .init(table: table.id, series: hosts([17]), time: time(12), fields: Array(fields[2..<7]))
    ),
    (
      "8 hosts, 1 h, 5 fields",
      .init(
        table: table.id, series: hosts([1, 13, 29, 34, 55, 61, 72, 90]), time: time(1), fields: Array(fields[2..<7]))
    ),
    ("all hosts, 1 h, 1 field", .init(table: table.id, time: time(1), fields: [fields[3]])),
    ("everything, 1 field", .init(table: table.id, fields: [fields[3]])),
    ("everything, 10 fields", .init(table: table.id, fields: fields)),
  ]
}

let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
var options = StoreOptions(directory: arguments.directory, fileSystem: PosixFileSystem(), clock: SystemClock())
options.sync = .off
if try !PosixFileSystem().exists(arguments.directory + "/manifest") {
  let store = try Store.open(options)
  try fill(store, arguments)
  try store.close()
}
options.readOnly = true
options.pageCacheByteCount = 0
let plain = try Store.open(options)
options.pageCacheByteCount = 1 << 30
let caching = try Store.open(options)
// On a thread of its own, as a server's queries are: such threads have their own memory from the allocator.
let wanted = requests(plain.snapshot(), arguments).filter { name, _ in
  arguments.only.map { name.contains($0) } ?? true
}
let reader = WorkerThread(name: "reader") { [arguments, plain, caching] in
  for (name, request) in wanted {
    let isLong = name.hasPrefix("everything")
    let repeats = isLong ? max(1, arguments.repeats / 5) : arguments.repeats
    do {
      if arguments.isCold {
        try measure(name + ", cold", repeats, before: emptyPageCache) { try read(plain.snapshot(), request) }
      } else {
        try measure(name + ", pread", repeats) { try read(plain.snapshot(), request) }
        _ = try read(caching.snapshot(), request)
        try measure(name + ", cached", repeats) { try read(caching.snapshot(), request) }
      }
    } catch {
      print(name, "failed:", error)
    }
  }
}
reader.join()
try plain.close()
try caching.close()
