// A run of a workload on a simulated disk: what the store must hold after each commit, and from when on it is sure.

import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

struct Run {
  let workload: Workload
  /// What the store held after each commit, the state before the first included.
  private(set) var states: [Model]
  /// By number of a step: the latest state that no crash within the step may lose, and the latest that it may show.
  private(set) var bounds: [(sure: Int, latest: Int)] = []
  /// What the store may hold besides, after the request that failed.
  private(set) var uncertain: Model?
  /// What ended the run before its time.
  private(set) var error: VarveError?
  /// How often a request or a seal was refused for want of room and made again.
  private(set) var refusals = 0

  /// The mark of the first opening, before all steps.
  static let opening = -1

  private let disk: SimulatedFileSystem
  private let clock: ManualClock
  private var store: Store?
  private var isFrozen = false
  private var chunks: SealedChunks?
  private var task: CompactionTask?
  private var compacted: CompactedChunks?
  private var gather: (picked: HeadGather, block: HeadBlock)?
  private var sure = 0

  /// Runs the steps until one fails. The disk's mark is the number of the step under way. `start` is what the disk
  /// holds. `afterStep` may look at the store.
  init(
    _ workload: Workload, _ disk: SimulatedFileSystem, start: Model = Model(),
    afterStep: (Store, Model) throws -> Void = { _, _ in }
  ) {
    self.workload = workload
    self.disk = disk
    clock = ManualClock()
    states = [start]
    do {
      disk.mark = Self.opening
      // Not tried again if it fails: a directory whose first sync failed may be lost with all that is put in it later.
      store = try Store.open(workload.options(disk, clock))
      for (number, step) in workload.steps.enumerated() {
        disk.mark = number
        clock.advance(nanoseconds: 1_000_000)
        let sureBefore = sure
        try perform(step)
        bounds.append((sureBefore, states.count - 1))
        if workload.sync == .always { sure = states.count - 1 }
        if let store { try afterStep(store, states[states.count - 1]) }
      }
      disk.mark = workload.steps.count
      try store?.close()
    } catch {
      self.error = error as? VarveError ?? VarveError(.inputOutput, "\(error)")
    }
    store = nil
  }

  var last: Model { states[states.count - 1] }

  /// What a crash within step `number` may leave; behind the last one stands the close.
  func allowed(at number: Int) -> [Model] {
    if number == Self.opening { return [states[0]] }
    guard number < bounds.count else { return Array(states[sure...]) + [uncertain].compactMap { $0 } }
    return states[bounds[number].sure...bounds[number].latest].reversed()
  }

  /// For stores that other tests fill: small files, one spare segment.
  static func options(_ disk: SimulatedFileSystem, _ clock: ManualClock) -> StoreOptions {
    var options = StoreOptions(directory: "/sim/db", fileSystem: disk, clock: clock)
    options.segmentByteCount = 4096
    options.manifestByteCount = 2048
    options.spareSegments = 1
    options.reserveByteCount = 512
    return options
  }

  // MARK: - Steps

  private mutating func perform(_ step: Step) throws {
    switch step {
    case .commit(let requests, let isLast):
      try commit(requests)
      if isLast { store?.markDurable() }
    case .seal:
      if chunks != nil { try install() }
      try retrying { try $0.sealAll() }
      isFrozen = false
      sure = states.count - 1
    case .freeze:
      if try store?.freeze() ?? false {
        isFrozen = true
        sure = states.count - 1
      }
    case .writeChunks:
      guard isFrozen, chunks == nil else { return }
      var written: SealedChunks?
      try retrying { written = try $0.writeChunks() }
      chunks = written
    case .install: try install()
    case .gather(let byteCount):
      while let gather = store?.pickGather(byteCount: byteCount, joinedRowCount: 0) {
        guard store?.install(gather, gather.make()) == true else {
          throw VarveError(.query, "blocks go though nobody changes the head")
        }
      }
    case .pickGather(let byteCount):
      if let picked = store?.pickGather(byteCount: byteCount, joinedRowCount: 0) { gather = (picked, picked.make()) }
    case .installGather:
      if let (picked, block) = gather { _ = store?.install(picked, block) }
      gather = nil
    case .compact:
      guard let due = store?.pickCompaction() else { return }
      var written: CompactedChunks?
      try retrying { written = try $0.write(due) }
      if let written { try retrying { _ = try $0.install(written) } }
    case .pick(let isFull):
      guard task == nil else { return }
      let tables = store?.snapshot().tables() ?? []
      task =
        isFull
        ? tables.lazy.compactMap { [store] in store?.pickFullCompaction(of: $0.id) }.first
        : store?.pickCompaction()
    case .writeCompaction:
      guard let task, compacted == nil else { return }
      var written: CompactedChunks?
      try retrying { written = try $0.write(task) }
      compacted = written
    case .installCompaction:
      guard let compacted else { return }
      try retrying { _ = try $0.install(compacted) }
      (task, self.compacted) = (nil, nil)
    case .compactAll:
      if chunks != nil { try install() }
      try retrying { try $0.compactAll() }
      isFrozen = false
      sure = states.count - 1
    case .sync:
      try store?.syncLog()
      sure = states.count - 1
    case .reopen, .kill:
      if case .reopen = step { try store?.close() }
      try open()
      sure = states.count - 1
    }
  }

  private mutating func open() throws {
    store = nil
    chunks = nil
    (task, compacted) = (nil, nil)
    gather = nil
    isFrozen = false
    do { store = try Store.open(workload.options(disk, clock)) } catch let error as VarveError
      where error.code == .diskFull
    {
      refusals += 1
      disk.releaseSpace()
      store = try Store.open(workload.options(disk, clock))
    }
  }

  private mutating func install() throws {
    guard let chunks else { return }
    try retrying { try $0.install(chunks) }
    self.chunks = nil
    isFrozen = false
    sure = states.count - 1
  }

  /// Without room everything stays as it was, and the same call succeeds once there is some.
  private mutating func retrying(_ body: (Store) throws -> Void) throws {
    guard let store else { return }
    do { try body(store) } catch let error as VarveError where error.code == .diskFull {
      refusals += 1
      disk.releaseSpace()
      try body(store)
    }
  }

  /// After a failure that no room would mend, the log may have a gap: nothing more may be accepted.
  private func expectRefusal() throws {
    let row = ModelRow(table: "late", identity: Identity(tags: [:], time: 0), fields: ["v": .integer(0)])
    guard let outcome = store?.commit([.write(batches([row]))])[0], case .success = outcome else { return }
    throw VarveError(.query, "the store takes more after a failed write or sync")
  }

  private mutating func commit(_ requests: [Request]) throws {
    var left = requests
    while !left.isEmpty {
      let outcomes = try store.map { store in store.commit(try left.map { try $0.forStore(store) }) } ?? []
      // Writes of one group come true together, but for transactions that are refused, as for a table that is not there; a
      // group with definitions is committed one by one.
      let isOneCommit = !left.contains { !$0.isWrite }
      if isOneCommit, let first = outcomes.first, case .failure(let error) = first,
        ![.diskFull, .query].contains(error.code)
      {
        uncertain = left.reduce(into: last) { model, request in _ = request.apply(to: &model) }
        try expectRefusal()
        throw error
      }
      var refused: [Request] = []
      var next = last
      for (request, outcome) in zip(left, outcomes) {
        if case .failure(let error) = outcome, error.code == .diskFull {
          refused.append(request)
          continue
        }
        var changed = next
        let expected = request.apply(to: &changed)
        do { try expected.check(outcome) } catch {
          uncertain = changed
          throw error
        }
        next = changed
        if !isOneCommit { states.append(next) }
      }
      if isOneCommit, refused.isEmpty { states.append(next) }
      if !refused.isEmpty {
        refusals += 1
        disk.releaseSpace()
      }
      left = refused
    }
  }
}
