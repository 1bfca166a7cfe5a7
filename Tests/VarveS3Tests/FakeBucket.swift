// A bucket in memory that answers as S3 does, as far as the store asks; with faults before or behind what it does.

import Crypto
import Synchronization
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveWire

@testable import VarveS3

final class FakeBucket: HTTPTransport {
  enum Fault {
    /// Instead of doing it.
    case before(HTTPFailure)
    case beforeAnswer(Int, String)
    /// Having done it.
    case after(HTTPFailure)
    case afterAnswer(Int, String)
    /// What it answers, changed.
    case changed(@Sendable (HTTPMessageAnswer) -> HTTPMessageAnswer)
  }

  struct Object {
    var bytes: [UInt8]
    var tag: String
    var changed: Int64
    var checksum: String?
  }

  struct State {
    var objects: [String: Object] = [:]
    var uploads: [String: (key: String, parts: [Int: Object])] = [:]
    var nextUpload = 1
    var requests: [HTTPMessageRequest] = []
    var faults: [(HTTPMessageRequest) -> Fault?] = []
    var heedsConditions = true
    var pauses: [Int] = []
    var warnings: [String] = []
    var listLimit = 2
  }

  let state = Mutex(State())
  let clock: ManualClock
  init(clock: ManualClock = ManualClock()) { self.clock = clock }

  /// A store in it, under `prefix`; pauses are written down.
  func store(lockSeconds: Int = 60, attempts: Int = 4, variables: [String: String] = credentials) throws -> S3Store {
    guard let address = ObjectStoreAddress("s3://bucket/pre") else { preconditionFailure("an address") }
    let place = try S3Place(address, endpoint: "http://127.0.0.1:1", region: "us-east-1", isPathStyle: true)
    var retries = RetryPolicy()
    retries.attempts = attempts
    retries.chance = { 1 }
    retries.pause = { [self] milliseconds in state.withLock { $0.pauses.append(milliseconds) } }
    let client = try S3Client(
      place, S3Environment(variables, files: SimulatedFileSystem()), transport: self, clock: clock, retries: retries)
    return S3Store(client, clock: clock, lockSeconds: lockSeconds) { [self] text in
      state.withLock { $0.warnings.append(text) }
    }
  }

  static let credentials = ["AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"]

  /// The next request that `matches` gets it.
  func fault(_ fault: Fault, where matches: @escaping @Sendable (HTTPMessageRequest) -> Bool = { _ in true }) {
    state.withLock { $0.faults.append { matches($0) ? fault : nil } }
  }

  struct Exchange: HTTPExchange {
    let result: Result<HTTPMessageAnswer, HTTPFailure>
    func wait() throws(HTTPFailure) -> HTTPMessageAnswer { try result.get() }
    func end() {}
  }

  func start(_ request: HTTPMessageRequest) -> any HTTPExchange {
    state.withLock { state in
      state.requests.append(request)
      var fault: Fault?
      for (index, matches) in state.faults.enumerated() {
        if let found = matches(request) {
          state.faults.remove(at: index)
          fault = found
          break
        }
      }
      if case .before(let failure) = fault { return Exchange(result: .failure(failure)) }
      if case .beforeAnswer(let status, let body) = fault { return Exchange(result: .success(answer(status, body))) }
      var done = answer(to: request, &state)
      switch fault {
      case .after(let failure): return Exchange(result: .failure(failure))
      case .afterAnswer(let status, let body): done = answer(status, body)
      case .changed(let change): done = change(done)
      default: break
      }
      return Exchange(result: .success(done))
    }
  }

  // MARK: - S3

  private func answer(_ status: Int, _ body: String = "", _ headers: [String: String] = [:]) -> HTTPMessageAnswer {
    answer(status, Array(body.utf8), headers)
  }

  private func answer(_ status: Int, _ body: [UInt8], _ headers: [String: String]) -> HTTPMessageAnswer {
    HTTPMessageAnswer(
      status: status, headers: headers.merging(["date": Self.date(seconds)]) { old, _ in old }, body: body)
  }

  private var seconds: Int64 { clock.wallNanoseconds() / 1_000_000_000 }

  /// All on the fourteenth of November 2023 or soon after it.
  private static func date(_ seconds: Int64) -> String {
    let text = Array(HTTPDate.basic(seconds: seconds))
    return "Tue, \(String(text[6..<8])) Nov \(String(text[0..<4])) \(String(text[9..<11])):\(String(text[11..<13])):"
      + "\(String(text[13..<15])) GMT"
  }

  static func error(_ code: String) -> String { "<Error><Code>\(code)</Code><Message>so it is</Message></Error>" }

  private func answer(to request: HTTPMessageRequest, _ state: inout State) -> HTTPMessageAnswer {
    let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = PercentText.decoded(parts[0]) ?? ""
    guard path.hasPrefix("/bucket") else { return answer(404, Self.error("NoSuchBucket")) }
    let key = String(path.dropFirst("/bucket/".count))
    var query: [String: String] = [:]
    for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
      let sides = pair.split(separator: "=", omittingEmptySubsequences: false)
      query[String(sides[0])] = sides.count > 1 ? PercentText.decoded(sides[1]) : ""
    }
    let headers = Dictionary(request.headers.map { ($0.name.lowercased(), $0.value) }) { _, last in last }
    switch request.method {
    case .get where key.isEmpty && query["uploads"] != nil: return listUploads(query, state)
    case .get where key.isEmpty: return list(query, state)
    case .get, .head: return get(key, request.method == .head, headers, state)
    case .put where headers["x-amz-copy-source"] != nil: return copy(key, headers["x-amz-copy-source"] ?? "", &state)
    case .put where query["uploadId"] != nil: return putPart(request, query, &state)
    case .put: return put(key, request, headers, &state)
    case .delete where query["uploadId"] != nil:
      let there = state.uploads.removeValue(forKey: query["uploadId"] ?? "") != nil
      return there ? answer(204) : answer(404, Self.error("NoSuchUpload"))
    case .delete:
      state.objects[key] = nil
      return answer(204)
    case .post where query["delete"] != nil: return deleteMany(request, &state)
    case .post where query["uploads"] != nil:
      let id = "upload-\(state.nextUpload)"
      state.nextUpload += 1
      state.uploads[id] = (key, [:])
      return answer(
        200, "<InitiateMultipartUploadResult><UploadId>\(id)</UploadId></InitiateMultipartUploadResult>")
    case .post: return complete(key, query, &state)
    }
  }

  private func list(_ query: [String: String], _ state: State) -> HTTPMessageAnswer {
    let prefix = query["prefix"] ?? ""
    let keys = state.objects.keys.filter { $0.hasPrefix(prefix) && $0 > (query["continuation-token"] ?? "") }.sorted()
    let some = keys.prefix(state.listLimit)
    var body = "<ListBucketResult><IsTruncated>\(some.count < keys.count)</IsTruncated>"
    if some.count < keys.count, let last = some.last {
      body += "<NextContinuationToken>\(last)</NextContinuationToken>"
    }
    var prefixes = Set<String>()
    for key in some {
      let rest = key.dropFirst(prefix.count)
      if query["delimiter"] != nil, let slash = rest.firstIndex(of: "/") {
        if prefixes.insert(String(rest[...slash])).inserted {
          body += "<CommonPrefixes><Prefix>\(prefix)\(rest[...slash])</Prefix></CommonPrefixes>"
        }
      } else {
        body += "<Contents><Key>\(key)</Key><Size>\(state.objects[key]?.bytes.count ?? 0)</Size></Contents>"
      }
    }
    return answer(200, body + "</ListBucketResult>")
  }

  private func listUploads(_ query: [String: String], _ state: State) -> HTTPMessageAnswer {
    let prefix = query["prefix"] ?? ""
    let found = state.uploads.filter { $0.value.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
    return answer(
      200,
      "<ListMultipartUploadsResult>"
        + found.map { "<Upload><Key>\($0.value.key)</Key><UploadId>\($0.key)</UploadId></Upload>" }.joined()
        + "</ListMultipartUploadsResult>")
  }

  private func get(
    _ key: String, _ isHead: Bool, _ headers: [String: String], _ state: State
  ) -> HTTPMessageAnswer {
    guard let object = state.objects[key] else { return answer(404, isHead ? "" : Self.error("NoSuchKey")) }
    var known = ["etag": "\"\(object.tag)\"", "last-modified": Self.date(object.changed)]
    known["x-amz-checksum-crc32c"] = object.checksum
    if isHead {
      known["content-length"] = "\(object.bytes.count)"
      return answer(200, "", known)
    }
    guard let range = headers["range"]?.dropFirst("bytes=".count).split(separator: "-").compactMap({ Int($0) }),
      range.count == 2
    else { return answer(200, object.bytes, known) }
    guard range[0] < object.bytes.count else { return answer(416, Self.error("InvalidRange")) }
    let last = min(range[1], object.bytes.count - 1)
    known["content-range"] = "bytes \(range[0])-\(last)/\(object.bytes.count)"
    return answer(206, Array(object.bytes[range[0]...last]), known)
  }

  private func object(_ request: HTTPMessageRequest) -> Object {
    Object(
      bytes: Array(request.body), tag: Signature.hexadecimal(Insecure.MD5.hash(data: Array(request.body))),
      changed: seconds, checksum: Base64.text(bigEndian: CRC32C.checksum(Array(request.body))))
  }

  private func put(
    _ key: String, _ request: HTTPMessageRequest, _ headers: [String: String], _ state: inout State
  ) -> HTTPMessageAnswer {
    if state.heedsConditions {
      if headers["if-none-match"] == "*", state.objects[key] != nil {
        return answer(412, Self.error("PreconditionFailed"))
      }
      if let tag = headers["if-match"] {
        guard let known = state.objects[key] else { return answer(404, Self.error("NoSuchKey")) }
        guard tag == "\"\(known.tag)\"" else { return answer(412, Self.error("PreconditionFailed")) }
      }
    }
    let object = object(request)
    if let checksum = headers["x-amz-checksum-crc32c"], checksum != object.checksum {
      return answer(400, Self.error("BadDigest"))
    }
    state.objects[key] = object
    return answer(200, "", ["etag": "\"\(object.tag)\"", "x-amz-checksum-crc32c": object.checksum ?? ""])
  }

  private func copy(_ key: String, _ source: String, _ state: inout State) -> HTTPMessageAnswer {
    guard let path = PercentText.decoded(source), path.hasPrefix("/bucket/"),
      var object = state.objects[String(path.dropFirst("/bucket/".count))]
    else { return answer(404, Self.error("NoSuchKey")) }
    object.changed = seconds
    state.objects[key] = object
    return answer(200, "<CopyObjectResult><ETag>\"\(object.tag)\"</ETag></CopyObjectResult>")
  }

  private func putPart(
    _ request: HTTPMessageRequest, _ query: [String: String], _ state: inout State
  ) -> HTTPMessageAnswer {
    let object = object(request)
    guard let number = query["partNumber"].flatMap({ Int($0) }), let id = query["uploadId"], state.uploads[id] != nil
    else { return answer(404, Self.error("NoSuchUpload")) }
    state.uploads[id]?.parts[number] = object
    return answer(200, "", ["etag": "\"\(object.tag)\"", "x-amz-checksum-crc32c": object.checksum ?? ""])
  }

  private func complete(_ key: String, _ query: [String: String], _ state: inout State) -> HTTPMessageAnswer {
    guard let upload = state.uploads.removeValue(forKey: query["uploadId"] ?? "") else {
      return answer(404, Self.error("NoSuchUpload"))
    }
    let parts = upload.parts.sorted { $0.key < $1.key }.map(\.value)
    let checksums = parts.flatMap { Base64.bytes(bigEndian: CRC32C.checksum($0.bytes)) }
    let digests = parts.flatMap { Array(Insecure.MD5.hash(data: $0.bytes)) }
    let object = Object(
      bytes: parts.flatMap(\.bytes), tag: Signature.hexadecimal(Insecure.MD5.hash(data: digests)) + "-\(parts.count)",
      changed: seconds, checksum: Base64.text(bigEndian: CRC32C.checksum(checksums)) + "-\(parts.count)")
    state.objects[key] = object
    return answer(
      200,
      "<CompleteMultipartUploadResult><ETag>\"\(object.tag)\"</ETag><ChecksumCRC32C>\(object.checksum ?? "")"
        + "</ChecksumCRC32C></CompleteMultipartUploadResult>")
  }

  private func deleteMany(_ request: HTTPMessageRequest, _ state: inout State) -> HTTPMessageAnswer {
    guard let root = XMLElement(Array(request.body)) else { return answer(400, Self.error("MalformedXML")) }
    for object in root.children("Object") { state.objects[object.text(of: "Key") ?? ""] = nil }
    return answer(200, "<DeleteResult/>")
  }
}
