import Testing
import VarveArchive
import VarveCore
import VarveS3

@Suite struct StoreTests {
  private let bucket = FakeBucket()

  private func keys() -> [String] { bucket.state.withLock { $0.objects.keys.sorted() } }

  @Test func objectsAreReadAsTheyWerePut() throws {
    let store = try bucket.store()
    try store.put("a/b/1.x", [1, 2, 3])
    try store.put("a/b/2.x", [])
    try store.put("a/3.y", [9])
    #expect(keys() == ["pre/a/3.y", "pre/a/b/1.x", "pre/a/b/2.x"])
    #expect(try store.get("a/b/1.x", 0..<3) == [1, 2, 3])
    #expect(try store.get("a/b/1.x", 1..<2) == [2])
    #expect(try store.get("a/b/1.x", 2..<10) == [3])
    #expect(try store.get("a/b/1.x", 3..<10).isEmpty && store.get("a/b/1.x", 1..<1).isEmpty)
    #expect(try store.get("a/b/2.x", 0..<10).isEmpty)
    #expect(try store.byteCount("a/b/1.x") == 3 && store.byteCount("a/b/9.x") == nil)
    #expect(
      try store.list("a/") == [
        ObjectEntry(key: "a/3.y", byteCount: 1), ObjectEntry(key: "a/b/1.x", byteCount: 3),
        ObjectEntry(key: "a/b/2.x", byteCount: 0),
      ])
    #expect(try store.list("") == store.list("a/") && store.list("nothing/").isEmpty)
    #expect(try store.folders("") == ["a"] && store.folders("a/") == ["b"])
    try store.delete(["a/b/1.x", "a/b/never.x"])
    #expect(try store.byteCount("a/b/1.x") == nil)
    for range in [0..<1, 0..<0] {
      let error = #expect(throws: VarveError.self) { try store.get("a/b/1.x", range) }
      #expect(error?.code == .notFound && error?.place == "s3://bucket/pre/a/b/1.x")
    }
  }

  @Test func manyRangesAreReadTogether() throws {
    let store = try bucket.store()
    let bytes = (0..<200).map { UInt8($0) }
    for number in 0..<3 { try store.put("\(number).x", bytes + [UInt8(number)]) }
    let requests = (0..<50).map { ObjectRange(key: "\($0 % 3).x", range: $0 * 4..<$0 * 4 + 7) }
    bucket.fault(.after(HTTPFailure(.broken, "reset"))) { $0.method == .get && $0.target.hasSuffix("1.x") }
    #expect(try store.get(requests) == requests.map { try store.get($0.key, $0.range) })
    #expect(try store.get([ObjectRange]()).isEmpty)
    let missing = #expect(throws: VarveError.self) {
      try store.get(requests + [ObjectRange(key: "9.x", range: 0..<1)])
    }
    #expect(missing?.code == .notFound && missing?.place == "s3://bucket/pre/9.x")
  }

  @Test func bytesThatAreNotTheObjectsAreAskedForAgain() throws {
    let store = try bucket.store()
    try store.put("a.x", [1, 2, 3, 4])
    let cut: @Sendable (HTTPMessageAnswer) -> HTTPMessageAnswer = {
      HTTPMessageAnswer(status: $0.status, headers: $0.headers, body: $0.body.dropLast())
    }
    let flipped: @Sendable (HTTPMessageAnswer) -> HTTPMessageAnswer = {
      HTTPMessageAnswer(status: $0.status, headers: $0.headers, body: $0.body.map { $0 ^ 1 })
    }
    let elsewhere: @Sendable (HTTPMessageAnswer) -> HTTPMessageAnswer = {
      HTTPMessageAnswer(
        status: $0.status, headers: $0.headers.merging(["content-range": "bytes 1-3/4"]) { $1 }, body: $0.body)
    }
    let whole: @Sendable (HTTPMessageAnswer) -> HTTPMessageAnswer = { _ in
      HTTPMessageAnswer(status: 200, headers: [:], body: [1, 2, 3, 4])
    }
    bucket.fault(.changed(cut))
    bucket.fault(.changed(flipped))
    bucket.fault(.changed(elsewhere))
    #expect(try store.get("a.x", 0..<4) == [1, 2, 3, 4])
    bucket.fault(.changed(whole))
    #expect(try store.get("a.x", 1..<3) == [2, 3], "a store without ranges sends all")
    for _ in 0..<4 { bucket.fault(.changed(flipped)) }
    let error = #expect(throws: VarveError.self) { try store.get("a.x", 0..<4) }
    #expect(error?.code == .corruption && error?.place == "s3://bucket/pre/a.x")
    bucket.fault(
      .changed {
        HTTPMessageAnswer(
          status: 200, headers: $0.headers.merging(["x-amz-checksum-crc32c": "AAAAAA=="]) { $1 }, body: [])
      })
    try store.put("b.x", [5])
    #expect(try store.get("b.x", 0..<1) == [5])
  }

  @Test func listsGoOnAndKeepToThePrefix() throws {
    let store = try bucket.store()
    for number in 0..<7 { try store.put("f/\(number).x", [0]) }
    try store.put("f/8.lock", [0])
    bucket.state.withLock { state in
      guard let object = state.objects["pre/f/0.x"] else { return }
      for key in ["other/1.x", "pre/f/folder/", "pre/f/noend"] { state.objects[key] = object }
    }
    #expect(try store.list("f/").map(\.key) == (0..<7).map { "f/\($0).x" })
    #expect(try store.list("").count == 7)
  }

  @Test func manyAreDeletedTogether() throws {
    let store = try bucket.store()
    for number in 0..<5 { try store.put("\(number).x", [0]) }
    try store.delete((0..<4).map { "\($0).x" })
    #expect(keys() == ["pre/4.x"])
    #expect(bucket.state.withLock { state in state.requests.count { $0.method == .delete } } == 0)
    // What could not be deleted with the others says why by itself.
    try store.put("5.x", [0])
    bucket.fault(
      .beforeAnswer(
        200,
        "<DeleteResult><Error><Key>pre/5.x</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"))
    bucket.fault(.beforeAnswer(403, FakeBucket.error("AccessDenied")))
    let error = #expect(throws: VarveError.self) { try store.delete(["4.x", "5.x"]) }
    #expect(error?.place == "s3://bucket/pre/5.x" && error?.message.contains("no right to delete") == true)
    bucket.fault(.beforeAnswer(501, FakeBucket.error("NotImplemented")))
    try store.delete(["4.x", "5.x"])
    #expect(keys().isEmpty, "a store that cannot delete many is asked for one after the other")
  }

  // MARK: - Moving

  private func requests(_ matches: (HTTPMessageRequest) -> Bool) -> Int {
    bucket.state.withLock { $0.requests.count(where: matches) }
  }

  @Test func anObjectIsMovedWithoutComingHere() throws {
    let store = try bucket.store()
    try store.put("a/1.x", [1, 2, 3])
    try store.put("a/_1.y", [9])
    let puts = requests { $0.method == .put }
    try store.move("a/1.x", to: "a/_1.y")
    #expect(keys() == ["pre/a/_1.y"])
    #expect(try store.get("a/_1.y", 0..<9) == [1, 2, 3])
    #expect(
      requests { $0.method == .put } == puts + 1 && bucket.state.withLock { $0.requests.last?.body.isEmpty } == true)
    let error = #expect(throws: VarveError.self) { try store.move("a/1.x", to: "a/_1.y") }
    #expect(error?.code == .notFound && error?.place == "s3://bucket/pre/a/1.x")
    #expect(try store.get("a/_1.y", 0..<9) == [1, 2, 3], "what is there stays")
  }

  /// Where the answer is lost, or says late that it failed, the copy is asked for again; the first object goes last.
  @Test func aCopyIsAskedForAgain() throws {
    let isCopy: @Sendable (HTTPMessageRequest) -> Bool = { request in
      request.headers.contains { $0.name == "x-amz-copy-source" }
    }
    for fault: FakeBucket.Fault in [
      .after(HTTPFailure(.timedOut, "late")), .before(HTTPFailure(.broken, "reset")),
      .beforeAnswer(200, FakeBucket.error("InternalError")), .afterAnswer(200, FakeBucket.error("SlowDown")),
      .beforeAnswer(200, ""), .afterAnswer(503, ""),
    ] {
      let store = try bucket.store()
      try store.put("1.x", [1, 2, 3])
      let before = requests(isCopy)
      bucket.fault(fault, where: isCopy)
      try store.move("1.x", to: "_1.y")
      #expect(keys() == ["pre/_1.y"] && requests(isCopy) == before + 2, "\(fault)")
      #expect(try store.get("_1.y", 0..<9) == [1, 2, 3], "\(fault)")
    }
  }

  @Test func whatIsNotCopiedStaysWhereItIs() throws {
    let isCopy: @Sendable (HTTPMessageRequest) -> Bool = { request in
      request.headers.contains { $0.name == "x-amz-copy-source" }
    }
    let store = try bucket.store()
    func refused(_ fault: FakeBucket.Fault, times: Int = 1) throws -> VarveError? {
      try store.put("1.x", [1, 2, 3])
      for _ in 0..<times { bucket.fault(fault, where: isCopy) }
      let error = #expect(throws: VarveError.self) { try store.move("1.x", to: "_1.y") }
      #expect(try store.get("1.x", 0..<9) == [1, 2, 3], "\(fault)")
      return error
    }
    let denied = try refused(.beforeAnswer(403, FakeBucket.error("AccessDenied")))
    #expect(denied?.code == .accessDenied && denied?.message.contains("no right to copy") == true)
    let unknown = try refused(.beforeAnswer(501, FakeBucket.error("NotImplemented")))
    #expect(unknown?.code == .unsupported && unknown?.message.contains("cannot copy") == true)
    #expect(try refused(.beforeAnswer(200, FakeBucket.error("InternalError")), times: 4)?.code == .unavailable)
    let liar = try refused(
      .beforeAnswer(200, "<CopyObjectResult><ETag>&quot;yes&quot;</ETag></CopyObjectResult>"))
    #expect(liar?.code == .inputOutput && liar?.place == "s3://bucket/pre/_1.y", "\(String(describing: liar))")
    // The object goes between the look at it and the copy.
    #expect(try refused(.beforeAnswer(404, FakeBucket.error("NoSuchKey")))?.place == "s3://bucket/pre/1.x")
    bucket.fault(
      .changed {
        HTTPMessageAnswer(status: 200, headers: $0.headers.merging(["content-length": "5368709121"]) { $1 }, body: [])
      }
    ) { $0.method == .head }
    let long = #expect(throws: VarveError.self) { try store.move("1.x", to: "_1.y") }
    #expect(long?.code == .limitExceeded)
    #expect(keys() == ["pre/1.x"])
  }

  // MARK: - Parts

  private static let longByteCount = 2 * Limits.objectPartByteCount + 5
  private static let long = [UInt8](unsafeUninitializedCapacity: longByteCount) { bytes, count in
    for index in 0..<longByteCount { bytes[index] = UInt8(truncatingIfNeeded: index &* 167 >> 3) }
    count = longByteCount
  }

  @Test func longObjectsGoInParts() throws {
    let store = try bucket.store()
    bucket.fault(.after(HTTPFailure(.broken, "reset"))) { $0.target.contains("partNumber=2") }
    try store.put("long.x", Self.long)
    #expect(bucket.state.withLock { $0.objects["pre/long.x"]?.bytes == Self.long && $0.uploads.isEmpty })
    #expect(bucket.state.withLock { state in state.requests.count { $0.target.contains("partNumber") } } == 4)
    #expect(try store.get("long.x", 0..<9) == Array(Self.long[0..<9]))
  }

  @Test func anUploadThatFailsIsGivenUp() throws {
    let store = try bucket.store()
    bucket.fault(.beforeAnswer(403, FakeBucket.error("AccessDenied"))) { $0.target.contains("partNumber=3") }
    let error = #expect(throws: VarveError.self) { try store.put("long.x", Self.long) }
    #expect(error?.code == .accessDenied)
    #expect(bucket.state.withLock { $0.objects.isEmpty && $0.uploads.isEmpty })
    // Where that fails too, it is said, and a later call removes it.
    bucket.fault(.beforeAnswer(403, FakeBucket.error("AccessDenied"))) { $0.target.contains("partNumber=1") }
    bucket.fault(.beforeAnswer(403, FakeBucket.error("AccessDenied"))) { $0.method == .delete }
    let stays = #expect(throws: VarveError.self) { try store.put("f/long.x", Self.long) }
    #expect(stays?.message.contains("unfinished upload stays") == true)
    #expect(bucket.state.withLock { $0.uploads.count } == 1)
    try store.removeUnfinished("g/")
    #expect(bucket.state.withLock { $0.uploads.count } == 1)
    try store.removeUnfinished("f/")
    #expect(bucket.state.withLock { $0.uploads.isEmpty })
  }

  /// The answer to putting the parts together is lost, and the second try is told that there is no such upload.
  @Test func anUploadThatWasDoneIsFoundToBeDone() throws {
    let store = try bucket.store()
    let isComplete: @Sendable (HTTPMessageRequest) -> Bool = { $0.method == .post && $0.target.contains("uploadId") }
    bucket.fault(.after(HTTPFailure(.timedOut, "late")), where: isComplete)
    try store.put("long.x", Self.long)
    #expect(bucket.state.withLock { $0.objects["pre/long.x"]?.bytes == Self.long })
    bucket.fault(.after(HTTPFailure(.timedOut, "late")), where: isComplete)
    bucket.fault(
      .changed {
        HTTPMessageAnswer(status: $0.status, headers: $0.headers.filter { !$0.key.contains("checksum") }, body: [])
      }
    ) {
      $0.method == .head
    }
    try store.put("long.x", Self.long)
    // Another object of that length is not ours, and an upload that is lost at the first try is lost.
    bucket.fault(.beforeAnswer(404, FakeBucket.error("NoSuchUpload")), where: isComplete)
    #expect(throws: VarveError.self) { try store.put("long.x", Self.long) }
    bucket.fault(.before(HTTPFailure(.timedOut, "late")), where: isComplete)
    bucket.fault(.beforeAnswer(404, FakeBucket.error("NoSuchUpload")), where: isComplete)
    let error = #expect(throws: VarveError.self) { try store.put("long.x", Self.long.map { $0 ^ 1 }) }
    #expect(error?.message.contains("lost the upload") == true)
    #expect(bucket.state.withLock { $0.objects["pre/long.x"]?.bytes == Self.long && $0.uploads.isEmpty })
  }
}
