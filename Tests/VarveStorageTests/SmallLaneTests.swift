// Small writes beside large ones that wait for the seal.

import Testing
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct SmallLaneTests {
  /// Rows that a large write has; from so many bytes on a write is one.
  private static let rowCount = 500
  private static let largeByteCount = 100_000

  private func rows(_ write: Int, _ count: Int) -> [ModelRow] {
    (0..<count).map { number in
      ModelRow(
        table: "t", identity: Identity(tags: ["w": "a"], time: Int64(write * 1000 + number)),
        fields: ["v": .integer(Int64(number))])
    }
  }

  /// What one large write takes in the head.
  private func headByteCount() throws -> Int {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    _ = try store.commit([.write(batches(rows(0, Self.rowCount)))])[0].get()
    return store.headByteCounts.active
  }

  @Test func aSmallWritePassesLargeOnesThatWaitForTheSeal() throws {
    let held = HeldFileSystem(disk: SimulatedFileSystem(), holding: .creation)
    var options = Run.options(held.disk, ManualClock())
    options.fileSystem = held
    options.sealByteCount = try headByteCount()
    let store = try Store.open(options)
    let pipeline = CommitPipeline(store)
    let answers = Gate<[String]>([])
    func submit(_ name: String, _ write: Int, _ count: Int, byteCount: Int) {
      pipeline.submit(
        .write(batches(rows(write, count))), byteCount: byteCount, from: IngestWriter(.embedded)
      ) { outcome in
        let isStored = if case .success = outcome { true } else { false }
        answers.update { $0.append(isStored ? name : "\(name) refused") }
      }
    }
    func answered(_ count: Int) -> [String]? {
      answers.wait(milliseconds: 20_000) { $0.count >= count ? $0 : nil }
    }
    // The first fills the head, which is frozen; the second fills the next; the third and fourth have to wait.
    submit("first", 1, Self.rowCount, byteCount: Self.largeByteCount)
    #expect(answered(1) != nil)
    submit("second", 2, Self.rowCount, byteCount: Self.largeByteCount)
    #expect(answered(2) != nil)
    submit("third", 3, Self.rowCount, byteCount: Self.largeByteCount)
    submit("fourth", 4, Self.rowCount, byteCount: Self.largeByteCount)
    #expect(answers.wait(milliseconds: 200) { $0.count > 2 ? $0 : nil } == nil, "large writes wait for the seal")
    submit("small", 5, 1, byteCount: 100)
    #expect(answered(3) == ["first", "second", "small"])
    // Not without end: small ones have an eighth of the head, and then they wait as well.
    var smallCount = 1
    while smallCount < 200 {
      submit("small", 10 + smallCount, 5, byteCount: 500)
      guard answers.wait(milliseconds: 500, until: { $0.count > 2 + smallCount ? true : nil }) != nil else { break }
      smallCount += 1
    }
    #expect(smallCount > 1 && smallCount < 200, "\(smallCount) small writes")
    let heads = store.headByteCounts
    #expect(heads.active < options.sealByteCount + options.sealByteCount / 8 + 4_000)
    held.release()
    let all = try #require(answered(smallCount + 5))
    #expect(Set(all) == ["first", "second", "third", "fourth", "small"])
    pipeline.close()
    #expect(try Model.reading(store).tables["t"]?.count == 4 * Self.rowCount + 1 + 5 * smallCount)
    try store.close()
  }
}
