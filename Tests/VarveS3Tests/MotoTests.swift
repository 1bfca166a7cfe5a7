// Against a real S3 server process: moto's, from the Python packages of the end-to-end tests (Tools/python-environment).
// Without those the tests report themselves skipped.

import Foundation
import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator

@testable import VarveS3

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path
private let python = root + "/.build/venv/bin/python"

private final class Moto {
  private let process = Process()
  private let input = Pipe()
  let endpoint: String

  init() throws {
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = [root + "/Tests/EndToEnd/moto_process.py"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    var line = Data()
    while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) { line += byte }
    endpoint = "http://127.0.0.1:\(String(decoding: line, as: UTF8.self))"
  }

  /// It ends with its input.
  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func store(_ address: String, lockSeconds: Int = 60) throws -> S3Store {
    let address = try #require(ObjectStoreAddress(address))
    let place = try S3Place(address, endpoint: endpoint, region: "us-east-1", isPathStyle: false)
    let transport = HTTPClientTransport(idleMilliseconds: 20_000, connectionCount: 8)
    let client = try S3Client(
      place, S3Environment(FakeBucket.credentials, files: SimulatedFileSystem()), transport: transport,
      clock: SystemClock())
    return S3Store(client, clock: SystemClock(), lockSeconds: lockSeconds) { Issue.record("warned: \($0)") }
  }

  func makeBucket(_ store: S3Store) throws { _ = try store.client.send(S3Client.Request(.put, nil)) }
}

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: python)), .serialized) struct MotoTests {
  @Test func objectsAreReadAsTheyWerePut() throws {
    let moto = try Moto()
    let store = try moto.store("s3://bucket/a%20b/%C3%BC+=")
    let missing = #expect(throws: VarveError.self) { try store.checkPlace() }
    #expect(missing?.message == "there is no bucket \"bucket\"")
    try moto.makeBucket(store)
    try store.checkPlace()
    // Keys of ours are plain; others go through all the same.
    for key in ["1/2.x", "1/a b.x", "1/ü+=&%.x", "1/2//3.x"] {
      try store.put(key, Array(key.utf8))
      #expect(try store.get(key, 0..<100) == Array(key.utf8), "\(key)")
      #expect(try store.byteCount(key) == key.utf8.count, "\(key)")
    }
    #expect(try store.list("1/").map(\.key) == ["1/2.x", "1/2//3.x", "1/a b.x", "1/ü+=&%.x"])
    #expect(try store.folders("") == ["1"] && store.folders("1/") == ["2"])
    try store.put("1/empty.x", [])
    #expect(try store.get("1/empty.x", 0..<5).isEmpty && store.byteCount("1/empty.x") == 0)
    #expect(try store.get("1/2.x", 2..<4) == Array("2.".utf8))
    #expect(try store.get("1/2.x", 4..<100) == Array("x".utf8) && store.get("1/2.x", 5..<9).isEmpty)
    let none = #expect(throws: VarveError.self) { try store.get("1/none.x", 0..<1) }
    #expect(none?.code == .notFound)
    let ranges = (0..<40).map { ObjectRange(key: "1/ü+=&%.x", range: $0 % 7..<$0 % 7 + 2) }
    #expect(try store.get(ranges) == ranges.map { try store.get($0.key, $0.range) })
    try store.delete(["1/a b.x", "1/ü+=&%.x", "1/2//3.x", "1/never.x"])
    try store.delete(["1/2.x"])
    #expect(try store.list("").map(\.key) == ["1/empty.x"])
  }

  @Test func manyObjectsAreListedAndDeleted() throws {
    let moto = try Moto()
    let store = try moto.store("s3://bucket/p")
    try moto.makeBucket(store)
    let keys = (0..<1100).map { "f/\(1000 + $0).x" }
    for key in keys { try store.put(key, [1]) }
    #expect(try store.list("").map(\.key) == keys.sorted())
    try store.delete(keys)
    #expect(try store.list("").isEmpty)
  }

  @Test func longObjectsGoInPartsAndWhatIsLeftIsRemoved() throws {
    let moto = try Moto()
    let store = try moto.store("s3://bucket/p")
    try moto.makeBucket(store)
    let count = 2 * Limits.objectPartByteCount + 12_345
    let long = [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: index &* 167 >> 3) }
      initialized = count
    }
    try store.put("f/long.x", long)
    #expect(try store.byteCount("f/long.x") == count)
    let ranges = stride(from: 0, to: count, by: 4 << 20).map {
      ObjectRange(key: "f/long.x", range: $0..<$0 + (4 << 20))
    }
    #expect(try store.get(ranges).flatMap { $0 } == long)
    // An upload that a crash left behind.
    var begin = S3Client.Request(.post, "f/left.x")
    begin.query = [("uploads", "")]
    _ = try store.client.send(begin)
    var list = S3Client.Request(.get, nil)
    list.query = [("uploads", "")]
    func uploads() throws -> Int {
      String(decoding: try store.client.send(list).message.body, as: UTF8.self).components(separatedBy: "<Upload>")
        .count - 1
    }
    #expect(try uploads() == 1)
    try store.removeUnfinished("g/")
    #expect(try uploads() == 1)
    try store.removeUnfinished("f/")
    #expect(try uploads() == 0)
  }

  @Test func objectsAreMoved() throws {
    let moto = try Moto()
    let store = try moto.store("s3://bucket/a%20b/%C3%BC+=")
    try moto.makeBucket(store)
    let long = [UInt8](repeating: 7, count: 2 * Limits.objectPartByteCount + 1)
    for (key, bytes) in [("1/ü +=&%.x", [1, 2, 3]), ("1/2.x", []), ("1/long.x", long)] {
      try store.put(key, bytes)
      try store.put("1/_aside.y", [9])
      try store.move(key, to: "1/_aside.y")
      #expect(try store.list("").map(\.key) == ["1/_aside.y"], "\(key)")
      #expect(try store.byteCount("1/_aside.y") == bytes.count, "\(key)")
      // In ranges: moto gives a copy the checksum of the original's parts for its own.
      let ranges = stride(from: 0, to: bytes.count, by: 4 << 20).map {
        ObjectRange(key: "1/_aside.y", range: $0..<$0 + (4 << 20))
      }
      #expect(try store.get(ranges).flatMap { $0 } == bytes, "\(key)")
    }
    let none = #expect(throws: VarveError.self) { try store.move("1/none.x", to: "1/_aside.y") }
    #expect(none?.code == .notFound)
  }

  @Test func aLockKeepsOthersOutUntilItIsNotRenewed() throws {
    let moto = try Moto()
    let (one, other) = (try moto.store("s3://bucket/p"), try moto.store("s3://bucket/p", lockSeconds: 1))
    try moto.makeBucket(one)
    let lock = try one.lock("1/backup")
    let error = #expect(throws: VarveError.self) { try other.lock("1/backup") }
    #expect(error?.code == .directoryLocked)
    lock.release()
    // Renewed for longer than it holds.
    let short = try other.lock("1/backup")
    RetryPolicy().pause(2500)
    try short.check()
    #expect(throws: VarveError.self) { try one.lock("1/backup") }
    short.release()
    try one.lock("1/backup").release()
  }
}
