// Workloads: what a simulated database lives through, each a list of steps that follows from its seed.

import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

enum Step {
  case write([ModelRow])
  case seal
  case drop(String)
  /// A clean close and another open.
  case reopen
}

struct Workload {
  let seed: UInt64
  let steps: [Step]

  /// Narrow types a field, few names and few times, so that rows often meet.
  init(seed: UInt64, stepCount: Int = 24) {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    var steps: [Step] = []
    for _ in 0..<stepCount {
      switch random.next() % 12 {
      case 0...7: steps.append(.write((0..<Int.random(in: 1...6, using: &random)).map { _ in Self.row(&random) }))
      case 8, 9: steps.append(.seal)
      case 10: steps.append(random.chance(50) ? .reopen : .seal)
      default: steps.append(random.chance(40) ? .drop("t\(random.next() % 2)") : .seal)
      }
    }
    self.steps = steps
  }

  private static let day: Int64 = 86_400_000_000_000

  private static func row(_ random: inout SeededRandom) -> ModelRow {
    var tags = ["host": "h\(random.next() % 3)"]
    if random.chance(30) { tags["zone"] = "z\(random.next() % 2)" }
    // Two partitions, one before 1970, few stamps.
    let time = Int64(random.next() % 6) * 1_000 + (random.chance(25) ? -day : 0)
    var fields: [String: Cell] = [:]
    if random.chance(80) {
      fields["v"] = random.chance(10) ? .null : .double(Double(Int64(random.next() % 1000)).bitPattern)
    }
    if random.chance(50) { fields["n"] = .integer(Int64(random.next() % 7)) }
    if random.chance(30) { fields["s"] = .text(["", "up", "down", "é€𝄞"][Int(random.next() % 4)]) }
    if fields.isEmpty { fields["n"] = .integer(0) }
    return ModelRow(table: "t\(random.next() % 2)", identity: Identity(tags: tags, time: time), fields: fields)
  }
}

/// A run of a workload on a simulated disk: what was acknowledged, and the one step that may or may not have happened.
struct Run {
  /// Acknowledged steps applied: `models[k]` is the model after k steps.
  private(set) var models: [Model] = [Model()]
  /// The step that failed, if one did, and what the store must hold if it went through after all.
  private(set) var uncertain: Model?
  private(set) var error: VarveError?

  static func options(_ disk: SimulatedFileSystem, _ clock: ManualClock) -> StoreOptions {
    var options = StoreOptions(directory: "/sim/db", fileSystem: disk, clock: clock)
    options.segmentByteCount = 4096
    options.manifestByteCount = 2048
    options.spareSegments = 1
    options.reserveByteCount = 512
    return options
  }

  /// Runs the steps until one fails. The disk's mark is the number of the step under way.
  init(_ workload: Workload, _ disk: SimulatedFileSystem, clock: ManualClock = ManualClock()) {
    var store: Store?
    do {
      store = try Store.open(Self.options(disk, clock))
      for (number, step) in workload.steps.enumerated() {
        disk.mark = number
        clock.advance(nanoseconds: 1_000_000)
        var next = models[number]
        next.apply(step)
        do {
          try Self.perform(step, &store, disk, clock)
        } catch {
          uncertain = next
          throw error
        }
        models.append(next)
      }
      disk.mark = workload.steps.count
      try store?.close()
    } catch {
      self.error = error as? VarveError ?? VarveError(.inputOutput, "\(error)")
    }
  }

  private static func perform(_ step: Step, _ store: inout Store?, _ disk: SimulatedFileSystem, _ clock: ManualClock)
    throws
  {
    switch step {
    case .write(let rows):
      let outcome = store?.commit([.write(batches(rows))])[0]
      try check(outcome)
      store?.markDurable()
    case .drop(let table):
      do { try check(store?.commit([.dropTable(table)])[0]) } catch let error as VarveError
        where error.code == .notFound
      {}
      store?.markDurable()
    case .seal: try store?.sealAll()
    case .reopen:
      try store?.close()
      store = nil
      store = try Store.open(options(disk, clock))
    }
  }

  private static func check(_ outcome: CommitOutcome?) throws {
    for result in try outcome?.get() ?? [] where !result.rejections.isEmpty {
      throw VarveError(.typeConflict, "the workload's rows are all valid: \(result.rejections)")
    }
  }
}

extension Model {
  mutating func apply(_ step: Step) {
    switch step {
    case .write(let rows): for row in rows { write(row) }
    case .drop(let table): drop(table)
    case .seal, .reopen: break
    }
  }
}
