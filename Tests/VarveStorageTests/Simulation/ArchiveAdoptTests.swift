import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Two directories with the same archived rows, as after a backup was restored beside the original: what the original
/// needs no more goes, and a directory that has adopted what it reads does not miss it.
@Suite struct ArchiveAdoptTests {
  private let disk = SimulatedFileSystem()

  /// What a backup of the original has; its archive's identity is not in it.
  private func copy(_ original: Archived, to directory: String) throws -> Archived {
    var directories: Set = ["/sim", directory]
    try disk.createDirectory(directory)
    for path in disk.paths where path.hasPrefix("/sim/db/") && !path.hasPrefix("/sim/db/archive/") {
      let target = directory + path.dropFirst("/sim/db".count)
      guard let bytes = disk.contents(path), !target.hasSuffix("/lock") else { continue }
      let folder = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
      if directories.insert(folder).inserted { try disk.createDirectory(folder) }
      let file = try disk.open(target, .createNew)
      defer { file.close() }
      try file.write(bytes, at: 0)
      try file.sync()
    }
    for folder in directories { try disk.syncDirectory(folder) }
    return try Archived(after: original.life, disk, model: original.life.model, Self.choice(directory))
  }

  private static func choice(_ directory: String) -> Archived.Choice {
    var choice = Archived.Choice()
    choice.directory = directory
    return choice
  }

  private func original() throws -> Archived {
    let original = try Archived(seed: 17, disk)
    for _ in 0..<30 { try original.life.go() }
    try original.run()
    // All of it is in files, and the directory at rest.
    try original.life.store.close()
    return original
  }

  private func objects(_ archived: Archived) throws -> Set<String> {
    Set(try archived.life.store.archivedChunks().found.map(\.object.key))
  }

  @Test func whatIsAdoptedOutlivesTheOriginalsNeedOfIt() throws {
    let closed = try original()
    let (careless, careful) = (try copy(closed, to: "/sim/a"), try copy(closed, to: "/sim/b"))
    let original = try Archived(after: closed.life, disk)
    let before = try objects(original)
    #expect(before.count > 3)
    #expect(try objects(careless) == before && objects(careful) == before)
    // A run that is not told to leaves what it reads where it is, and says so.
    let plain = try careful.run()
    #expect(plain.foreignObjects == before.count && plain.tables.allSatisfy { $0.rows == 0 })
    let report = try careful.run(adopting: true, before: .min)
    #expect(report.foreignObjects == 0 && report.failures.isEmpty, "\(report)")
    let rows = try careful.life.store.archivedChunks().found.reduce(0) { $0 + $1.metadata.rowCount }
    #expect(report.tables.reduce(0) { $0 + $1.rows } == rows)
    #expect(try objects(careful).isDisjoint(with: before))
    try careful.expectAll("adopted")
    // The original has all it had, and the adopted is not adopted again.
    try original.expectAll("the other directory adopted")
    #expect(try careful.run(adopting: true).tables.allSatisfy { $0.rows == 0 })
    // It gets late rows and deletes, archives them, and has no need of what was before.
    var gone: Set<String> = []
    while gone.isEmpty {
      try original.life.commit()
      try original.run(deletingUnneeded: true)
      gone = before.subtracting(try objects(original))
    }
    #expect(gone.allSatisfy { disk.contents("/sim/archive/" + $0) == nil })
    try original.expectAll("the original")
    try careful.expectAll("the directory that adopted")
    let error = #expect(throws: VarveError.self) { try Model.reading(careless.life.store) }
    #expect(
      error?.code == .gone && gone.contains { error?.place == "/sim/archive/" + $0 }, "\(String(describing: error))")
    // What is gone cannot be adopted either; what is there is.
    let late = try careless.run(adopting: true)
    #expect(!late.failures.isEmpty && late.foreignObjects > 0 && late.foreignObjects < before.count, "\(late)")
  }

  @Test(arguments: [1, 2, 3]) func aCrashWhileAdoptingLosesNothing(seed: Int) throws {
    let closed = try original()
    let careful = try copy(closed, to: "/sim/b")
    disk.startHistory()
    try careful.run(adopting: true)
    let moments = disk.takeHistory()
    var random = SeededRandom(seed: UInt64(seed))
    var states = 0
    for (number, moment) in moments.enumerated() where random.chance(10) {
      for survival in Survival.allCases {
        let label = "seed \(seed), moment \(number), \(survival)"
        let after = moment.disk.afterCrash(survival, seed: random.next())
        let again = try Archived(after: careful.life, after, Self.choice("/sim/b"))
        try again.expectAll(label)
        #expect(try again.run(deletingUnneeded: true, adopting: true).foreignObjects == 0, "\(label)")
        try again.expectAll(label + ", after another run")
        try Archived(after: closed.life, after).expectAll(label + ", the original")
        states += 1
      }
    }
    #expect(states > 10)
  }
}
