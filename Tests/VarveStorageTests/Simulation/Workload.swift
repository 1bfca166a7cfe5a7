// Workloads: what a simulated database lives through, each a list of steps that follows from its seed.

import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Rows that go: those of a host, or of all series if nil, within a range of time.
struct ModelDelete {
  var table: String
  var host: String?
  var time: TimeRange
}

enum Request {
  case write([ModelRow])
  /// What is deleted is found when the request is made, so it comes alone. Then rows are written.
  case delete(ModelDelete, then: [ModelRow])
  case create(String, Model.Schema, partitionNanoseconds: Int64)
  case drop(String)
  /// Rows of series and changes of dimension tables, which come true together.
  case transaction([ModelRow], [ModelChanges])
  case createDimension(String)
  case alter(String, ModelAlteration)
}

enum Step {
  /// Requests that come to the store as one group; whether nothing follows them at once.
  case commit([Request], isLast: Bool)
  case seal
  /// The three parts of a seal, with other steps in between.
  case freeze, writeChunks, install
  /// One step of compaction: of what is due, or of all there is in a table.
  case compact
  /// Puts rows of the head in order, blocks of so many bytes at a time; or its two parts, with other steps in between.
  case gather(byteCount: Int)
  case pickGather(byteCount: Int)
  case installGather
  /// Its three parts, with other steps in between.
  case pick(isFull: Bool)
  case writeCompaction, installCompaction
  /// What `varve compact` does.
  case compactAll
  /// What the timer of a weaker sync mode does.
  case sync
  /// A clean close, or the end of the process, and another open.
  case reopen, kill
}

struct Workload {
  let seed: UInt64
  let steps: [Step]
  let sync: SyncMode
  let segmentByteCount: Int
  let manifestByteCount: Int
  let spareSegments: Int
  let compactedChunkByteCount: Int

  /// Few names and few times, so that rows often meet, and segments so small that the log goes through many.
  init(seed: UInt64, stepCount: Int = 24, sync: SyncMode = .always) {
    self.seed = seed
    self.sync = sync
    var random = SeededRandom(seed: seed)
    segmentByteCount = [4096, 4096, 8192][Int(random.next() % 3)]
    manifestByteCount = [1024, 2048][Int(random.next() % 2)]
    spareSegments = Int(random.next() % 4)
    // Now and then so small that each row block ends its file.
    compactedChunkByteCount = [1, 1 << 30][Int(random.next() % 2)]
    // By chance of their own, so that the other steps of a seed are what they are without them.
    var gathers = SeededRandom(seed: seed ^ 0x6A74)
    var dimensions = SeededRandom(seed: seed ^ 0xD1_3E)
    let begin = stepCount > 0 && dimensions.chance(80) ? ["d0", "d1"].map { Request.createDimension($0) } : []
    let first: [Step] = begin.isEmpty ? [] : [.commit(begin, isLast: true)]
    steps =
      first
      + (0..<stepCount).flatMap { _ in
        [Self.step(&random)] + Self.gatherSteps(&gathers) + Self.dimensionSteps(&dimensions)
      }
  }

  private static func gatherSteps(_ random: inout SeededRandom) -> [Step] {
    let byteCount = [0, 500, 1_500][Int(random.next() % 3)]
    return switch random.next() % 8 {
    case 0, 1: [.gather(byteCount: byteCount)]
    case 2: [.pickGather(byteCount: byteCount)]
    case 3: [.installGather]
    default: []
    }
  }

  private static func dimensionSteps(_ random: inout SeededRandom) -> [Step] {
    switch random.next() % 20 {
    case 0...3:
      let count = Int.random(in: 1...2, using: &random)
      return [.commit((0..<count).map { _ in transaction(&random) }, isLast: random.chance(70))]
    case 4: return [.commit([.createDimension("d\(random.next() % 2)")], isLast: random.chance(70))]
    case 5: return [.commit([definition(&random)], isLast: random.chance(70))]
    default: return []
    }
  }

  func options(_ disk: SimulatedFileSystem, _ clock: ManualClock = ManualClock()) -> StoreOptions {
    var options = StoreOptions(directory: "/sim/db", fileSystem: disk, clock: clock)
    options.sync = sync
    options.segmentByteCount = segmentByteCount
    options.manifestByteCount = manifestByteCount
    options.spareSegments = spareSegments
    options.compactedChunkByteCount = compactedChunkByteCount
    options.reserveByteCount = 512
    if seed.isMultiple(of: 3) { options.tailByteCount = 0 }
    if seed.isMultiple(of: 2) { options.keptLogByteCount = 3 * segmentByteCount }
    return options
  }

  private static let day: Int64 = 86_400_000_000_000

  private static func step(_ random: inout SeededRandom) -> Step {
    switch random.next() % 36 {
    case 24...27: return .commit([delete(&random)], isLast: random.chance(70))
    case 28, 29: return .compact
    case 30, 31: return .pick(isFull: random.chance(50))
    case 32: return .writeCompaction
    case 33, 34: return .installCompaction
    case 35: return .compactAll
    case 0...13:
      let count = random.chance(60) ? 1 : Int.random(in: 2...4, using: &random)
      return .commit((0..<count).map { _ in request(&random) }, isLast: random.chance(70))
    case 14...16: return .seal
    case 17: return .freeze
    case 18: return .writeChunks
    case 19: return .install
    case 20: return .sync
    case 21: return .reopen
    case 22: return .kill
    default: return .commit([.drop("t\(random.next() % 3)")], isLast: random.chance(70))
    }
  }

  private static func request(_ random: inout SeededRandom) -> Request {
    let table = "t\(random.next() % 3)"
    switch random.next() % 20 {
    case 0: return .drop(table)
    case 1:
      var schema = Model.Schema()
      schema.tags = random.chance(50) ? ["host"] : ["host", "zone"]
      schema.fields = random.chance(50) ? ["n": .int64] : ["c": .text, "v": .float64]
      return .create(table, schema, partitionNanoseconds: random.chance(50) ? day : day / 24)
    default:
      let count = random.chance(8) ? 60 : Int.random(in: 1...6, using: &random)
      return .write((0..<count).map { _ in row(&random) })
    }
  }

  /// A commit of two tables, one of each kind, or of dimension tables alone.
  private static func transaction(_ random: inout SeededRandom) -> Request {
    let changes = (0..<Int.random(in: 1...2, using: &random)).map { number in
      var changes = ModelChanges(table: "d\(number)", isCleared: random.chance(8))
      // Now and then so many rows that they are several blocks.
      let count = random.chance(10) ? 60 : Int.random(in: 1...5, using: &random)
      for _ in 0..<count {
        let key = "k\(random.next() % (count > 5 ? 200 : 12))"
        let row = random.chance(75) ? ["n": Int64(random.next() % 100), "x": Int64(random.next() % 9)] : nil
        changes.rows[key] = .some(row)
      }
      return changes
    }
    let rows =
      random.chance(50)
      ? []
      : (0..<2).map { number in
        ModelRow(
          table: "with", identity: Identity(tags: ["host": "h\(random.next() % 3)"], time: Int64(number) * 1000),
          fields: ["n": .integer(Int64(random.next() % 50))])
      }
    return .transaction(rows, changes)
  }

  private static func definition(_ random: inout SeededRandom) -> Request {
    let table = "d\(random.next() % 2)"
    let column = ["n", "x", "y"][Int(random.next() % 3)]
    switch random.next() % 8 {
    case 0: return .drop(table)
    case 1...3: return .alter(table, .add(column, older: random.chance(50) ? Int64(random.next() % 5) : nil))
    case 4, 5: return .alter(table, .drop(column))
    case 6: return .alter(table, .rename(column, to: ["n", "x", "y"][Int(random.next() % 3)]))
    default: return .alter(table, .renameTable("d\(random.next() % 2)"))
    }
  }

  private static func delete(_ random: inout SeededRandom) -> Request {
    let host = random.chance(40) ? nil : "h\(random.next() % 3)"
    let day = [0, 0, -1, 0][Int(random.next() % 4)] * day
    let first = Int64(random.next() % 5) * 1_000 + day
    let time: TimeRange =
      switch random.next() % 4 {
      case 0: .all
      case 1: TimeRange(lower: .min, upper: first)
      default: TimeRange(lower: first, upper: first + Int64(random.next() % 3) * 1_000)
      }
    let rows = random.chance(30) ? (0..<Int.random(in: 1...4, using: &random)).map { _ in row(&random) } : []
    return .delete(ModelDelete(table: "t\(random.next() % 3)", host: host, time: time), then: rows)
  }

  private static func row(_ random: inout SeededRandom) -> ModelRow {
    var tags = ["host": "h\(random.next() % 3)"]
    if random.chance(30) { tags["zone"] = "z\(random.next() % 2)" }
    // Three partitions, two before 1970, one that begins at its border; few stamps.
    let time = Int64(random.next() % 6) * 1_000 - [0, 0, 0, 1, day][Int(random.next() % 5)]
    return ModelRow(
      table: "t\(random.next() % 3)", identity: Identity(tags: tags, time: time), fields: fields(&random))
  }

  private static func fields(_ random: inout SeededRandom) -> [String: Cell] {
    var fields: [String: Cell] = [:]
    if random.chance(80) {
      let value = random.chance(5) ? Double.nan : Double(Int64(random.next() % 1000))
      fields["v"] = random.chance(10) ? .null : .double(value.bitPattern)
    }
    if random.chance(50) { fields["n"] = .integer(Int64(random.next() % 7)) }
    if random.chance(30) { fields["s"] = .text(["", "up", "down", "é€𝄞"][Int(random.next() % 4)]) }
    // A field of any type: the first row of a table decides, later ones may be refused.
    if random.chance(15) {
      fields["c"] = [Cell.integer(1), .double(1.5.bitPattern), .text("x")][Int(random.next() % 3)]
    }
    // Names of tags: never taken beside that tag.
    if random.chance(4) { fields[random.chance(50) ? "host" : "zone"] = .integer(0) }
    if fields.isEmpty { fields["n"] = .integer(0) }
    return fields
  }
}
