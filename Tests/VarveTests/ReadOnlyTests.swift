import Foundation
import Testing
import Varve

/// Opening for reading only while somebody writes: always a prefix of the acknowledged commits, never an error.
@Suite(.serialized) struct ReadOnlyTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func besideAWriterInThisProcess() async throws {
    let database = try Database.openBlocking(scratch.database, options: .init()) { $0.makeFilesSmall() }
    let acknowledged = Collected<Int>()
    let done = Collected<Bool>()
    let writer = Task {
      defer { done.append(true) }
      try await writeAndSealOften(database, 1...200) { acknowledged.append($0) }
    }
    let views = try await readRepeatedly(
      scratch.database, atLeast: { acknowledged.values.last ?? 0 }, isDone: { !done.values.isEmpty })
    try await writer.value
    #expect(views > 1)
    try await database.close()
  }

  @Test func besideAWriterInAnotherProcess() async throws {
    let writer = try WriterProcess(scratch)
    defer { writer.kill() }
    try await writer.waitUntilReady()
    let error = await failure { _ = try await Database.open(scratch.database) }
    #expect(error?.code == .directoryLocked)
    #expect(error?.message.contains("\(writer.identifier)") == true, "who has it is named: \(error?.message ?? "")")
    try writer.goOn()
    let views = try await readRepeatedly(
      scratch.database, atLeast: { try writer.acknowledged }, isDone: { !writer.isRunning })
    #expect(writer.hasSucceeded, "\(writer.log)")
    #expect(views > 1)
    let reader = try await Database.open(scratch.database, options: .forReading)
    #expect(try await count(reader) == 200)
    try await reader.close()
    // What the readers did was no harm to the files either.
    let database = try await Database.open(scratch.database)
    #expect(try await count(database) == 200)
    try await database.close()
  }

  /// Runs only in the process that `besideAWriterInAnotherProcess` starts.
  @Test(.enabled(if: WriterProcess.directory != nil)) func theOtherProcess() async throws {
    try await WriterProcess.run(try #require(WriterProcess.directory))
  }

  @Test func aReaderWritesNothing() async throws {
    let database = try await Database.open(scratch.database)
    try await database.write([point(1)])
    try await database.close()
    let before = try FileManager.default.subpathsOfDirectory(atPath: scratch.database).sorted()
    let reader = try await Database.open(scratch.database, options: .forReading)
    #expect(await failure { try await reader.write([point(2)]) }?.code == .readOnly)
    #expect(await failure { try await reader.flush() }?.code == .readOnly)
    #expect(await failure { try await reader.query("DROP TABLE t") } != nil)
    #expect(await failure { try await reader.query("INSERT INTO t (v) VALUES (1)") } != nil)
    #expect(try await count(reader) == 1)
    try await reader.close()
    #expect(await failure { try await reader.write([point(2)]) }?.code == .closed)
    #expect(try FileManager.default.subpathsOfDirectory(atPath: scratch.database).sorted() == before)
  }

  @Test func aViewLastsWhileTheWriterRemovesItsFiles() async throws {
    let database = try Database.openBlocking(scratch.database, options: .init()) { $0.makeFilesSmall() }
    try await database.write((0..<100).map { point($0) })
    try await database.flush()
    try await database.write((100..<150).map { point($0) })
    let reader = try await Database.open(scratch.database, options: .forReading)
    try await database.flush()
    try await database.write((150..<160).map { point($0) })
    #expect(try await count(reader) == 150, "it shows the moment of its opening")
    try await reader.close()
    #expect(try await count(database) == 160)
    try await database.close()
  }
}

/// Opens until `isDone`, checks each view, and says how many there were.
private func readRepeatedly(_ directory: String, atLeast: () throws -> Int, isDone: () -> Bool) async throws -> Int {
  var views = 0
  var highest = 0
  while true {
    let wasDone = isDone()
    let floor = try atLeast()
    let reader = try await Database.open(directory, options: .forReading)
    let hasTable = try await reader.query("SELECT 1 FROM information_schema.tables WHERE table_name = 't'").count == 1
    var rows: [Int] = []
    if hasTable {
      for row in try await reader.query("SELECT v FROM t ORDER BY time") {
        if case .integer(let value) = row[0] { rows.append(Int(value)) }
      }
    }
    #expect(rows == Array(1..<(rows.count + 1)), "a prefix of what was written")
    #expect(rows.count >= floor, "all that was acknowledged before the opening: \(rows.count) of \(floor)")
    #expect(rows.count >= highest, "never less than before")
    highest = rows.count
    try await reader.close()
    views += 1
    if wasDone { return views }
  }
}
