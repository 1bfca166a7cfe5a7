import Testing
import Varve

/// `Database.commits()`.
@Suite struct CommitsTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func commitsAreToldInOrderAndEndWithTheDatabase() async throws {
    let database = try await Database.open(scratch.database)
    let commits = database.commits()
    let told = Task {
      var told: [Commit] = []
      for await commit in commits { told.append(commit) }
      return told
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0..<25 {
            try await database.write([point(number, host: "h\(writer)"), point(number, table: "u", host: "h\(writer)")])
          }
        }
      }
      try await group.waitForAll()
    }
    try await database.close()
    let all = await told.value
    #expect(all.map(\.sequence) == Array(1...UInt64(all.count)), "in order, and without a gap while they are read")
    #expect(all.reduce(0) { $0 + $1.rows.reduce(0) { $0 + $1.count } } == 400)
    #expect(Set(all.flatMap { $0.rows.map(\.table) }) == ["t", "u"])
  }

  @Test func whatIsToldIsVisible() async throws {
    let database = try await Database.open(scratch.database)
    var commits = database.commits().makeAsyncIterator()
    for number in 1...20 {
      let writing = Task { try await database.write([point(number)]).sequence }
      let commit = await commits.next()
      #expect(try await count(database) == Int64(number))
      #expect(try await writing.value == commit?.sequence)
    }
    try await database.close()
  }

  @Test func aSlowListenerLosesTheOldestAndHoldsUpNobody() async throws {
    let database = try await Database.open(scratch.database)
    let slow = database.commits(bufferingNewest: 2)
    let other = database.commits()
    for number in 1...5 { try await database.write([point(number)]) }
    try await database.close()
    var told: [UInt64] = []
    for await commit in slow { told.append(commit.sequence) }
    #expect(told == [4, 5], "the gap can be seen")
    told = []
    for await commit in other { told.append(commit.sequence) }
    #expect(told == [1, 2, 3, 4, 5], "and is the slow one's alone")
  }

  @Test func aListenerThatLeavesHearsNoMore() async throws {
    let database = try await Database.open(scratch.database)
    let commits = database.commits()
    let told = Task {
      for await commit in commits { return commit.sequence }
      return 0
    }
    try await database.write([point(1)])
    #expect(await told.value == 1)
    let cancelled = Task { for await _ in database.commits() {} }
    cancelled.cancel()
    await cancelled.value
    try await database.write([point(2)])
    try await database.close()
  }
}
