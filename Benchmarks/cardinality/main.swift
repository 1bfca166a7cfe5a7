// What many short series cost: bytes on disk by kind of file, the time to open, and the memory of the series index.
//
//   cardinality-benchmark [--series N] [--rows N] [--directory DIR]
//
// Each series has ten tags shaped like TSBS's `cpu` (a hostname of its own, nine shared ones with 2 to 5,000 values), a
// row every 10 s in which four fields walk, and arrives as such rows do: all series' first row, then all series' second.
// The store is built and sealed by a process of its own, so that what opening takes in this one is all there is. It is
// kept if a directory is named, and found there the next time; else it is made in TMPDIR and removed.

import Glibc
import VarveCore
import VarveIO
import VarveStorage

struct Arguments {
  var series = 1_000_000
  var rows = 10
  var directory: String?
  /// In the process that builds.
  var isBuilding = false

  init(_ words: [String]) {
    var words = words[...]
    func number() -> Int { Int(words.popFirst() ?? "") ?? 0 }
    while let word = words.popFirst() {
      switch word {
      case "--series": series = number()
      case "--rows": rows = number()
      case "--directory": directory = words.popFirst()
      case "--build": isBuilding = true
      default: series = 0
      }
    }
    guard series > 0, rows > 0 else {
      fatalError("usage: cardinality-benchmark [--series N] [--rows N] [--directory DIR]")
    }
  }
}

func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func residentByteCount() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var (total, resident) = (0, 0)
  withUnsafeMutablePointer(to: &total) { total in
    withUnsafeMutablePointer(to: &resident) { resident in
      _ = withVaList([total, resident]) { vfscanf(file, "%ld %ld", $0) }
    }
  }
  return resident * sysconf(Int32(_SC_PAGESIZE))
}

func decimal(_ value: Double, _ places: Int) -> String {
  var scale = 1.0
  for _ in 0..<places { scale *= 10 }
  return String((value * scale).rounded() / scale)
}

func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}

let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
let files = PosixFileSystem()
let directory =
  arguments.directory
  ?? (getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/varve-cardinality-\(getpid())"
var options = StoreOptions(directory: directory, fileSystem: files, clock: SystemClock())
options.seriesByteCount = 16 << 30
if arguments.isBuilding {
  try Builder(arguments.series, rows: arguments.rows).build(options)
} else {
  if try !files.exists(directory + "/manifest") { buildInAnotherProcess() }
  try report(options)
  if arguments.directory == nil { try remove(directory) }
}

func buildInAnotherProcess() {
  let words = [
    "/proc/self/exe", "--build", "--series", String(arguments.series), "--rows", String(arguments.rows), "--directory",
    directory,
  ]
  var pointers = words.map { strdup($0) } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  var child = pid_t()
  var status: Int32 = 0
  guard posix_spawn(&child, words[0], nil, nil, &pointers, environ) == 0, waitpid(child, &status, 0) == child,
    status == 0
  else { fatalError("the store could not be built") }
}

func remove(_ path: String) throws {
  for kind in try files.list(path) {
    let inner = path + "/" + kind
    if let names = try? files.list(inner) {
      for name in names { try files.remove(inner + "/" + name) }
      rmdir(inner)
    } else {
      try files.remove(inner)
    }
  }
  rmdir(path)
}

func report(_ options: StoreOptions) throws {
  let resident = residentByteCount()
  let begin = seconds()
  let store = try Store.open(options)
  let openSeconds = seconds() - begin
  let residentAfter = residentByteCount()
  let snapshot = store.snapshot()
  guard let table = snapshot.table(named: "cpu") else { fatalError("the store has no table cpu") }
  let statistics = snapshot.statistics(of: table.id)
  print("\(statistics.series) series, \(statistics.rows) rows, \(statistics.chunks) chunks")

  print("\non disk       bytes   a row")
  var total = 0
  for kind in ["chunks", "series", "manifest"] {
    let path = directory + "/" + kind
    let bytes = try files.list(path).reduce(0) { try $0 + files.byteCount(path + "/" + $1) }
    total += bytes
    print(padded(kind, 8), padded(String(bytes), 11), padded(decimal(Double(bytes) / Double(statistics.rows), 2), 7))
  }
  print(padded("all", 8), padded(String(total), 11), padded(decimal(Double(total) / Double(statistics.rows), 2), 7))

  let series = Double(statistics.series)
  print("\nopened in \(decimal(openSeconds, 2)) s")
  print("series index: \(decimal(Double(store.seriesByteCount) / series, 1)) bytes a series as accounted for,")
  print("              \(decimal(Double(residentAfter - resident) / series, 1)) bytes a series more memory resident")

  print("\nlookup                       series    ms")
  func look(_ name: String, _ predicates: [TagPredicate]) {
    let begin = seconds()
    guard case .some(let found) = snapshot.series(of: table.id, where: predicates) else { return }
    print(name + padded(String(found.count), 34 - name.utf8.count), padded(decimal((seconds() - begin) * 1e3, 3), 9))
  }
  func tag(_ name: String, _ condition: TagPredicate.Condition) -> TagPredicate {
    guard let column = table.tags.first(where: { $0.name == name }) else { fatalError("no tag \(name)") }
    return TagPredicate(column: column.id, condition: condition)
  }
  look("one hostname", [tag("hostname", .isIn(["host_\(statistics.series / 2)"]))])
  look("one rack", [tag("rack", .isIn(["17"]))])
  look("one region", [tag("region", .isIn(["eu-west-1"]))])
  look("region and os", [tag("region", .isIn(["eu-west-1"])), tag("os", .isIn(["Ubuntu16.10"]))])
  look("hostname by condition", [tag("hostname", .satisfies { $0?.hasSuffix("999") ?? false })])
  let reading = seconds()
  let column = snapshot.tagColumn(tag("hostname", .isIn([])).column, of: table.id)
  print(
    "hostname of all" + padded(String(column.values.count - 1), 19), padded(decimal((seconds() - reading) * 1e3, 3), 9))
  try store.close()
}
