// Objects of a bucket over the S3 API: any store that speaks it, behind the contract of `ObjectStore`.
//
// Puts are whole or not at all, durable and seen by every later call: S3 promises that (since 2020 for lists too). What is
// sent carries its CRC-32C, which the store compares; what comes back is compared with the lengths that were asked for,
// and with the checksum where the whole object came. Keys are the store's prefix and the caller's key; what ends with
// `.lock`, and what has no dot in its last part (folders that other tools mark so), is no object.

import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveWire

package final class S3Store: ObjectStore {
  let client: S3Client
  let clock: any Clock
  /// Takes what is to be told once and is no error.
  let warn: @Sendable (String) -> Void
  let conditions = Gate(ConditionalPuts.unknown)
  let lockSeconds: Int

  package init(
    _ client: S3Client, clock: any Clock, lockSeconds: Int = Limits.objectLockSeconds,
    warn: @escaping @Sendable (String) -> Void
  ) {
    self.client = client
    self.clock = clock
    self.lockSeconds = lockSeconds
    self.warn = warn
  }

  package func address(_ key: String) -> String { client.place.address(key) }

  package func checkPlace() throws { _ = try list(S3ListRequest(prefix: client.place.prefix, limit: 1)) }

  // MARK: - One object

  package func put(_ key: String, _ bytes: [UInt8]) throws {
    guard bytes.count <= 2 * Limits.objectPartByteCount else { return try putInParts(key, bytes) }
    _ = try client.send(Self.putRequest(key, bytes))
  }

  static func putRequest(_ key: String, _ bytes: [UInt8]) -> S3Client.Request {
    var request = S3Client.Request(.put, key)
    request.body = bytes[...]
    request.headers = [("Content-Type", "application/octet-stream")]
    let checksum = Base64.text(bigEndian: CRC32C.checksum(bytes))
    request.complaint = { answer in
      // Whatever says yes to everything stores nothing.
      if answer.headers["etag"] == nil {
        return .init(code: .unavailable, message: "the object store gives what was put no tag")
      }
      guard let found = answer.headers["x-amz-checksum-crc32c"], found != checksum, !bytes.isEmpty else { return nil }
      return .init(code: .inputOutput, message: "the object store got other bytes than were sent")
    }
    return request
  }

  package func get(_ key: String, _ range: Range<Int>) throws -> [UInt8] {
    try get([ObjectRange(key: key, range: range)])[0]
  }

  package func get(_ requests: [ObjectRange]) throws -> [[UInt8]] {
    var results = [[UInt8]](repeating: [], count: requests.count)
    try client.send(count: requests.count, atATime: Limits.objectRequestsAtATime) {
      S3RangeRequest.request(requests[$0].key, requests[$0].range)
    } received: { index, answer in
      results[index] = S3RangeRequest.bytes(answer.message, requests[index].range)
    }
    return results
  }

  package func byteCount(_ key: String) throws -> Int? {
    guard let headers = try head(key) else { return nil }
    guard let count = headers["content-length"].flatMap({ Int($0) }), count >= 0 else {
      throw VarveError(
        .unavailable, "the object store does not say how long the object is", hint: "is it an S3 store?",
        place: address(key))
    }
    return count
  }

  /// What the store says of an object; nil if there is none.
  func head(_ key: String) throws -> [String: String]? {
    var request = S3Client.Request(.head, key)
    request.headers = [("x-amz-checksum-mode", "ENABLED")]
    request.statuses = [404]
    let answer = try client.send(request).message
    return answer.status == 404 ? nil : answer.headers
  }

  // MARK: - Many

  package func list(_ folder: String) throws -> [ObjectEntry] {
    let prefix = client.place.prefix
    var entries: [ObjectEntry] = []
    try lists(S3ListRequest(prefix: prefix + folder)) { list in
      for object in list.objects where object.key.hasPrefix(prefix) && Self.isObject(object.key) {
        entries.append(ObjectEntry(key: String(object.key.dropFirst(prefix.count)), byteCount: object.byteCount))
      }
    }
    return entries.sorted { $0.key < $1.key }
  }

  package func folders(_ folder: String) throws -> [String] {
    let prefix = client.place.prefix + folder
    // A list that goes on may name one again.
    var folders = Set<String>()
    try lists(S3ListRequest(prefix: prefix, delimiter: "/")) { list in
      for found in list.prefixes where found.hasPrefix(prefix) {
        let name = String(found.dropFirst(prefix.count).dropLast())
        if !name.isEmpty, !name.contains(".") { folders.insert(name) }
      }
    }
    return folders.sorted()
  }

  /// By the last part of the key.
  private static func isObject(_ key: String) -> Bool {
    let name = key[(key.lastIndex(of: "/").map(key.index(after:)) ?? key.startIndex)...]
    return name.contains(".") && !name.hasSuffix(".lock")
  }

  /// All of a list, as many at a time as the store gives.
  private func lists(_ request: S3ListRequest, _ body: (S3ObjectList) throws -> Void) throws {
    var request = request
    while true {
      let list = try list(request)
      try body(list)
      guard let continuation = list.continuation else { return }
      guard continuation != request.continuation else {
        throw VarveError(.unavailable, "the object store's list does not go on", place: address(""))
      }
      request.continuation = continuation
    }
  }

  private func list(_ request: S3ListRequest) throws -> S3ObjectList {
    guard let list = S3ObjectList(try client.send(request.request).message.body) else {
      preconditionFailure("an answer that is no list is complained of")
    }
    return list
  }
}

/// ListObjectsV2.
struct S3ListRequest {
  let prefix: String
  var delimiter: String?
  var limit: Int?
  var continuation: String?

  init(prefix: String, delimiter: String? = nil, limit: Int? = nil) {
    self.prefix = prefix
    self.delimiter = delimiter
    self.limit = limit
  }

  var request: S3Client.Request {
    var request = S3Client.Request(.get, nil)
    request.query = [("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)]
    if let delimiter { request.query.append(("delimiter", delimiter)) }
    if let limit { request.query.append(("max-keys", "\(limit)")) }
    if let continuation { request.query.append(("continuation-token", continuation)) }
    request.complaint = { answer in
      S3ObjectList(answer.body) == nil
        ? .init(code: .unavailable, message: "the object store answers with something that is no list of objects") : nil
    }
    return request
  }
}

/// GetObject with a range.
enum S3RangeRequest {
  static func request(_ key: String, _ range: Range<Int>) -> S3Client.Request {
    var request = S3Client.Request(.get, key)
    // Of an empty range the first byte, to find out whether there is such an object.
    let asked = range.isEmpty ? range.lowerBound..<range.lowerBound + 1 : range
    request.headers = [
      ("Range", "bytes=\(asked.lowerBound)-\(asked.upperBound - 1)"), ("x-amz-checksum-mode", "ENABLED"),
    ]
    request.answerByteLimit = max(asked.count, 64 << 10)
    // No byte of the object is in the range.
    request.statuses = [416]
    request.complaint = { complaint($0, asked).map { .init(code: .corruption, message: $0) } }
    return request
  }

  /// The bytes of a good answer.
  static func bytes(_ answer: HTTPMessageAnswer, _ range: Range<Int>) -> [UInt8] {
    switch answer.status {
    case 206 where !range.isEmpty: answer.body
    // The store does not know ranges, and sent all.
    case 200: Array(answer.body[range.clamped(to: 0..<answer.body.count)])
    default: []
    }
  }

  private static func complaint(_ answer: HTTPMessageAnswer, _ range: Range<Int>) -> String? {
    let isWhole: Bool
    if answer.status == 206 {
      guard let content = answer.headers["content-range"].flatMap(ContentRange.init), let sent = content.range else {
        return "the object store does not say which bytes it sent"
      }
      let expected = range.lowerBound..<max(range.lowerBound, min(range.upperBound, content.objectByteCount))
      guard sent == expected, answer.body.count == sent.count else {
        return "the object store sent \(answer.body.count) bytes from \(sent.lowerBound) on where "
          + "\(expected.count) from \(expected.lowerBound) on were asked for"
      }
      isWhole = sent == 0..<content.objectByteCount
    } else {
      isWhole = true
    }
    // Of an object that was sent in parts it is a checksum of their checksums.
    guard isWhole, let checksum = answer.headers["x-amz-checksum-crc32c"], !checksum.contains("-"),
      checksum != Base64.text(bigEndian: CRC32C.checksum(answer.body))
    else { return nil }
    return "the object's bytes fail the checksum that the object store has of them"
  }
}
