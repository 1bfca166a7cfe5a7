// Line protocol into a store, without sockets: what the parser, the commit and the log take, with the processor time of
// each thread.
//
//   lines-benchmark FILE DIRECTORY [--connections N] [--sync always|off] [--rounds N]
//
// FILE is cut into pieces of some 512 KiB, as a socket's reads would be, and the pieces go to the connections in turn,
// which two threads serve. DIRECTORY is made, and must not hold a store before. The file's lines, times and tag sets
// decide what is measured: known series in order, series in random order, series that are all new.

import Glibc
import Synchronization
import VarveCore
import VarveIO
import VarveStorage
import VarveWire

struct Arguments {
  var file = ""
  var directory = ""
  var connections = 4
  var rounds = 1
  var sync = SyncMode.off

  init(_ words: [String]) {
    var words = words[...]
    var names: [String] = []
    while let word = words.popFirst() {
      switch word {
      case "--connections": connections = Int(words.popFirst() ?? "") ?? 0
      case "--rounds": rounds = Int(words.popFirst() ?? "") ?? 0
      case "--sync": sync = words.popFirst() == "always" ? .always : .off
      default: names.append(word)
      }
    }
    guard names.count == 2, connections > 0, rounds > 0 else {
      fatalError(
        "usage: lines-benchmark FILE DIRECTORY [--connections N] [--sync always|off] [--rounds N]")
    }
    file = names[0]
    directory = names[1]
  }
}

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}

func decimal(_ value: Double, _ places: Int) -> String {
  var scale = 1.0
  for _ in 0..<places { scale *= 10 }
  return String((value * scale).rounded() / scale)
}

/// The file's text, mapped, and its pieces: each ends behind a line.
struct Text: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  let pieces: [Range<Int>]

  init(_ path: String) {
    let descriptor = open(path, O_RDONLY)
    var information = stat()
    guard descriptor >= 0, fstat(descriptor, &information) == 0, information.st_size > 0,
      let start = mmap(nil, Int(information.st_size), PROT_READ, MAP_SHARED | MAP_POPULATE, descriptor, 0),
      start != MAP_FAILED
    else { fatalError("\(path) cannot be read") }
    bytes = UnsafeRawBufferPointer(start: start, count: Int(information.st_size))
    var pieces: [Range<Int>] = []
    var begin = 0
    while begin < bytes.count {
      var end = min(begin + 512 * 1024, bytes.count)
      while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
      pieces.append(begin..<end)
      begin = end
    }
    self.pieces = pieces
  }
}

/// Which piece comes next.
final class Counter: Sendable {
  private let value = Atomic(0)
  func take() -> Int { value.add(1, ordering: .relaxed).oldValue }
}

/// Half of the connections, and the thread that serves them.
final class Loop: @unchecked Sendable {
  private typealias Completion = (connection: Int, id: Int, result: Result<[WriteResult], VarveError>)
  private let sessions: [LineProtocolSession]
  private let writers: [IngestWriter]
  private let pipeline: CommitPipeline
  private let arrived = Gate<[Completion]>([])
  private var inFlight = 0
  private(set) var rowCount = 0
  private(set) var processorSeconds = 0.0

  init(_ count: Int, _ pipeline: CommitPipeline) {
    sessions = (0..<count).map { _ in LineProtocolSession() }
    writers = (0..<count).map { _ in IngestWriter(.lineProtocol) }
    self.pipeline = pipeline
  }

  func run(_ text: Text, next: Counter) {
    let now: Int64 = 1_800_000_000_000_000_000
    var connection = 0
    while true {
      let piece = next.take()
      guard piece < text.pieces.count else { break }
      carryOut(
        sessions[connection].receive(UnsafeRawBufferPointer(rebasing: text.bytes[text.pieces[piece]]), now: now),
        connection)
      connection = (connection + 1) % sessions.count
      takeCompletions(waiting: false)
      while !sessions[connection].wantsMoreInput || pipeline.isSaturated && inFlight > 0 {
        takeCompletions(waiting: true)
      }
    }
    for (connection, session) in sessions.enumerated() { carryOut(session.receiveEnd(now: now), connection) }
    while inFlight > 0 { takeCompletions(waiting: true) }
    rowCount = sessions.reduce(0) { $0 + $1.rowsCompleted }
    processorSeconds = seconds(CLOCK_THREAD_CPUTIME_ID)
  }

  private func carryOut(_ actions: [LineProtocolSession.Action], _ connection: Int) {
    for action in actions {
      switch action {
      case .submit(let id, let batches):
        inFlight += 1
        pipeline.submit(batches, from: writers[connection]) { [arrived] result in
          arrived.update { $0.append((connection, id, result)) }
        }
      case .log(let rejections): if let first = rejections.first { fatalError("line \(first.line): \(first.message)") }
      case .reply, .close: break
      }
    }
  }

  private func takeCompletions(waiting: Bool) {
    let completions = arrived.wait(milliseconds: waiting ? 1000 : 0) { arrived in
      if arrived.isEmpty { return [Completion]?.none }
      defer { arrived = [] }
      return arrived
    }
    for (connection, id, result) in completions ?? [] {
      inFlight -= 1
      let outcome = result.map { results in
        results.map {
          LineProtocolCompletion(rowsWritten: $0.rowsWritten, sequence: $0.sequence.rawValue, rejections: $0.rejections)
        }
      }
      if case .failure(let error) = outcome { fatalError("\(error)") }
      carryOut(sessions[connection].complete(id: id, outcome), connection)
    }
  }
}

let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
let text = Text(arguments.file)
for round in 1...arguments.rounds {
  var options = StoreOptions(
    directory: arguments.directory + (arguments.rounds > 1 ? "/\(round)" : ""), fileSystem: PosixFileSystem(),
    clock: SystemClock())
  options.sync = arguments.sync
  options.seriesByteCount = 4 << 30
  try PosixFileSystem().createDirectory(arguments.directory)
  let store = try Store.open(options)
  let pipeline = CommitPipeline(store)
  let next = Counter()
  let (wall, processor) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
  let loops = (0..<min(2, arguments.connections)).map { Loop((arguments.connections + 1 - $0) / 2, pipeline) }
  let threads = loops.enumerated().map { index, loop in
    WorkerThread(name: "loop-\(index)") { loop.run(text, next: next) }
  }
  for thread in threads { thread.join() }
  let took = (wall: seconds(CLOCK_MONOTONIC) - wall, processor: seconds(CLOCK_PROCESS_CPUTIME_ID) - processor)
  let rows = loops.reduce(0) { $0 + $1.rowCount }
  let parsing = loops.reduce(0) { $0 + $1.processorSeconds }
  let series = store.snapshot().tables().reduce(0) { $0 + store.snapshot().statistics(of: $1.id).series }
  print(
    padded("\(rows)", 9), "rows", padded("\(series)", 8), "series",
    padded(decimal(Double(rows) / took.wall / 1e6, 2), 6), "M rows/s",
    padded(decimal(took.processor * 1e9 / Double(rows), 0), 6), "ns a row of processor time,",
    padded(decimal(parsing * 1e9 / Double(rows), 0), 6), "of them parsing;",
    decimal(Double(store.seriesByteCount) / Double(max(1, series)), 0), "bytes of index a series")
  pipeline.close()
  try store.close()
}
