import Testing
import VarveArchive
import VarveCore
import VarveS3

/// What is tried again, how often, and what is said in the end.
@Suite struct ClientTests {
  private let bucket = FakeBucket()

  @Test func passingFaultsAreTriedAgain() throws {
    let store = try bucket.store()
    for fault: FakeBucket.Fault in [
      .before(HTTPFailure(.unreachable, "no")), .after(HTTPFailure(.broken, "reset")),
      .after(HTTPFailure(.timedOut, "late")), .beforeAnswer(500, ""), .beforeAnswer(503, FakeBucket.error("SlowDown")),
      .beforeAnswer(429, ""), .beforeAnswer(400, FakeBucket.error("RequestTimeout")),
      .afterAnswer(502, "<html>bad gateway</html>"), .beforeAnswer(200, FakeBucket.error("InternalError")),
      .beforeAnswer(400, FakeBucket.error("BadDigest")),
    ] {
      bucket.fault(fault)
      try store.put("a/1.x", [1, 2, 3])
      bucket.fault(fault)
      #expect(try store.get("a/1.x", 0..<9) == [1, 2, 3])
      bucket.fault(fault)
      #expect(try store.list("") == [ObjectEntry(key: "a/1.x", byteCount: 3)])
      bucket.fault(fault)
      #expect(try store.byteCount("a/1.x") == 3)
      bucket.fault(fault)
      try store.delete(["a/1.x"])
      #expect(try store.byteCount("a/1.x") == nil)
    }
  }

  @Test func pausesGrowAndAreLongerWhereTheStoreHasTooMuchToDo() throws {
    let store = try bucket.store(attempts: 5)
    for _ in 0..<5 { bucket.fault(.beforeAnswer(500, "")) }
    #expect(throws: VarveError.self) { try store.put("a/1.x", [1]) }
    #expect(bucket.state.withLock { $0.pauses } == [100, 200, 400, 800])
    bucket.state.withLock { $0.pauses = [] }
    for _ in 0..<5 { bucket.fault(.beforeAnswer(503, FakeBucket.error("SlowDown"))) }
    let error = #expect(throws: VarveError.self) { try store.put("a/1.x", [1]) }
    #expect(bucket.state.withLock { $0.pauses } == [500, 1000, 2000, 4000])
    #expect(error?.code == .unavailable && error?.message.contains("5 times") == true)
    #expect(error?.place == "s3://bucket/pre/a/1.x")
    var policy = RetryPolicy()
    policy.chance = { 0 }
    #expect(policy.pauseMilliseconds(after: 1, isThrottled: false) == 50)
    #expect(policy.pauseMilliseconds(after: 60, isThrottled: true) == 2500)
  }

  @Test(arguments: [
    ("InvalidAccessKeyId", 403, VarveError.Code.accessDenied, "does not know this access key"),
    ("SignatureDoesNotMatch", 403, .accessDenied, "secret key"),
    ("AccessDenied", 403, .accessDenied, "no right to write"),
    ("ExpiredToken", 400, .accessDenied, "session token"), ("RequestTimeTooSkewed", 403, .accessDenied, "clock"),
    ("NoSuchBucket", 404, .notFound, "no bucket \"bucket\""), ("QuotaExceeded", 403, .diskFull, "no room"),
    ("PermanentRedirect", 301, .invalidArgument, "region us-east-1 was asked"),
    ("EntityTooLarge", 400, .limitExceeded, "longer"), ("InvalidBucketName", 400, .invalidArgument, "name of a bucket"),
    ("SomethingNew", 400, .inputOutput, "SomethingNew: so it is"),
  ])
  func refusalsAreSaidInOurWordsAndNotTriedAgain(
    _ code: String, _ status: Int, _ expected: VarveError.Code, _ words: String
  ) throws {
    let store = try bucket.store()
    bucket.fault(.beforeAnswer(status, FakeBucket.error(code)))
    let error = #expect(throws: VarveError.self) { try store.put("a/1.x", [1]) }
    #expect(error?.code == expected && error?.message.contains(words) == true, "\(String(describing: error))")
    #expect(error?.description.contains("secret") == (code == "SignatureDoesNotMatch"), "no secret is told")
    #expect(bucket.state.withLock { $0.requests.count } == 1)
  }

  @Test func theRightRegionIsTold() throws {
    let store = try bucket.store()
    bucket.fault(
      .beforeAnswer(
        400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"))
    let error = #expect(throws: VarveError.self) { try store.checkPlace() }
    #expect(error?.message.contains("is in region eu-central-1") == true)
    #expect(error?.hint?.contains("--s3-region eu-central-1") == true)
  }

  /// A HEAD's answer has no body.
  @Test func whyAHeadIsRefusedIsAskedFor() throws {
    let store = try bucket.store()
    bucket.fault(.beforeAnswer(403, ""))
    bucket.fault(.beforeAnswer(403, FakeBucket.error("InvalidAccessKeyId")))
    let error = #expect(throws: VarveError.self) { try store.byteCount("a/1.x") }
    #expect(error?.message.contains("access key") == true && error?.code == .accessDenied)
  }

  @Test func whatIsNotS3IsSaid() throws {
    let store = try bucket.store(attempts: 2)
    bucket.fault(.beforeAnswer(404, "<html><body>nothing here</body></html>"))
    #expect(throws: VarveError.self) { try store.checkPlace() }
    for _ in 0..<2 { bucket.fault(.beforeAnswer(200, "<!DOCTYPE html><html></html>")) }
    let error = #expect(throws: VarveError.self) { try store.checkPlace() }
    #expect(error?.code == .unavailable && error?.message.contains("no list of objects") == true)
    for _ in 0..<2 { bucket.fault(.beforeAnswer(200, "<!DOCTYPE html><html></html>")) }
    let put = #expect(throws: VarveError.self) { try store.put("a/1.x", [1]) }
    #expect(put?.code == .unavailable && put?.message.contains("no tag") == true)
    bucket.fault(.beforeAnswer(405, "not allowed"))
    let refused = #expect(throws: VarveError.self) { try store.checkPlace() }
    #expect(refused?.hint?.contains("--s3-endpoint") == true)
    bucket.fault(.before(HTTPFailure(.untrusted, "CERTIFICATE_VERIFY_FAILED")))
    let untrusted = #expect(throws: VarveError.self) { try store.checkPlace() }
    #expect(untrusted?.hint?.contains("AWS_CA_BUNDLE") == true)
  }
}
