// Long objects go in parts, some at a time: begin → parts, each with its checksum → put together, which makes the object.
//
// Until it is put together there is no object; a failure gives the parts up, and what a crash leaves `removeUnfinished`
// finds. Putting together cannot be told twice: where the answer to the first try was lost, the second is told that there
// is no such upload, and the object itself says whether it is ours, by its length and its checksum of checksums.

import Crypto
import VarveArchive
import VarveCore
import VarveFormat
import VarveWire

extension S3Store {
  private struct Part {
    let checksum: UInt32
    let tag: String
  }

  func putInParts(_ key: String, _ bytes: [UInt8]) throws {
    var begin = S3Client.Request(.post, key)
    begin.query = [("uploads", "")]
    begin.headers = [("Content-Type", "application/octet-stream"), ("x-amz-checksum-algorithm", "CRC32C")]
    begin.complaint = { answer in
      S3UploadAnswer(answer.body) == nil
        ? .init(code: .unavailable, message: "the object store does not say which upload it began") : nil
    }
    guard let upload = S3UploadAnswer(try client.send(begin).message.body)?.id else {
      preconditionFailure("an answer without an upload is complained of")
    }
    do {
      try complete(key, upload, try sendParts(key, upload, bytes), of: bytes)
    } catch {
      try giveUp(key, upload, after: error)
      throw error
    }
  }

  /// Those that are gone count as aborted.
  func abort(_ key: String, _ upload: String) throws {
    var request = S3Client.Request(.delete, key)
    request.query = [("uploadId", upload)]
    request.codes = ["NoSuchUpload"]
    _ = try client.send(request)
  }

  private func sendParts(_ key: String, _ upload: String, _ bytes: [UInt8]) throws -> [Part] {
    let least = (bytes.count + Limits.objectParts - 1) / Limits.objectParts
    let partByteCount = max(Limits.objectPartByteCount, least)
    let count = (bytes.count + partByteCount - 1) / partByteCount
    var parts: [Part] = []
    try client.send(count: count, atATime: Limits.objectPartsAtATime) { index in
      var request = S3Client.Request(.put, key)
      request.query = [("partNumber", "\(index + 1)"), ("uploadId", upload)]
      request.body = bytes[index * partByteCount..<min(bytes.count, (index + 1) * partByteCount)]
      let checksum = Base64.text(bigEndian: request.body.withUnsafeBytes { CRC32C.checksum($0) })
      request.complaint = { answer in
        if answer.headers["etag"] == nil {
          return .init(code: .unavailable, message: "the object store gives a part no tag")
        }
        guard let found = answer.headers["x-amz-checksum-crc32c"], found != checksum else { return nil }
        return .init(code: .inputOutput, message: "the object store got other bytes than were sent")
      }
      return request
    } received: { index, answer in
      let part = bytes[index * partByteCount..<min(bytes.count, (index + 1) * partByteCount)]
      parts.append(
        Part(checksum: part.withUnsafeBytes { CRC32C.checksum($0) }, tag: answer.message.headers["etag"] ?? ""))
    }
    return parts
  }

  private func complete(_ key: String, _ upload: String, _ parts: [Part], of bytes: [UInt8]) throws {
    let checksum =
      Base64.text(bigEndian: CRC32C.checksum(parts.flatMap { Base64.bytes(bigEndian: $0.checksum) }))
      + "-\(parts.count)"
    var request = S3Client.Request(.post, key)
    request.query = [("uploadId", upload)]
    let list = parts.enumerated().map { index, part in
      "<Part><ChecksumCRC32C>\(Base64.text(bigEndian: part.checksum))</ChecksumCRC32C><ETag>\(part.tag)</ETag>"
        + "<PartNumber>\(index + 1)</PartNumber></Part>"
    }
    let body =
      #"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"# + list.joined()
      + "</CompleteMultipartUpload>"
    request.body = Array(body.utf8)[...]
    request.headers = [("Content-Type", "application/xml")]
    request.codes = ["NoSuchUpload"]
    request.complaint = { answer in
      S3CompleteAnswer(answer.body) == nil
        ? .init(code: .unavailable, message: "the object store does not say what it put together") : nil
    }
    let answer = try client.send(request)
    let isOurs: Bool
    if answer.error == nil {
      let found = S3CompleteAnswer(answer.message.body)
      isOurs = found?.checksum.map { $0 == checksum || $0 == Base64.text(bigEndian: CRC32C.checksum(bytes)) } ?? true
    } else {
      isOurs = try answer.isRepeated && isThere(key, parts, checksum: checksum, byteCount: bytes.count)
    }
    guard isOurs else {
      throw VarveError(
        .inputOutput,
        answer.error == nil
          ? "the object store put the parts together to something else"
          : "the object store lost the upload before it was put together",
        hint: "try again", place: address(key))
    }
  }

  private func isThere(_ key: String, _ parts: [Part], checksum: String, byteCount: Int) throws -> Bool {
    guard let headers = try head(key), headers["content-length"] == "\(byteCount)" else { return false }
    if let found = headers["x-amz-checksum-crc32c"], found.contains("-") { return found == checksum }
    return headers["etag"].map(Self.unquoted) == Self.joinedTag(parts.map(\.tag))
  }

  /// The tag of an object of parts with these tags: the MD5 of their MD5s. nil if theirs are none.
  private static func joinedTag(_ tags: [String]) -> String? {
    var joined: [UInt8] = []
    for tag in tags.map(unquoted) {
      guard tag.utf8.count == 32 else { return nil }
      var rest = Array(tag.utf8)[...]
      while !rest.isEmpty {
        guard let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
        joined.append(byte)
        rest = rest.dropFirst(2)
      }
    }
    return Signature.hexadecimal(Insecure.MD5.hash(data: joined)) + "-\(tags.count)"
  }

  private static func unquoted(_ tag: String) -> String { tag.filter { $0 != "\"" } }

  /// What keeps the parts from being given up is told with what came before.
  private func giveUp(_ key: String, _ upload: String, after error: any Error) throws {
    do { try abort(key, upload) } catch let second as VarveError {
      var first = error as? VarveError ?? VarveError(.inputOutput, "\(error)", place: address(key))
      first.message += "; and the unfinished upload stays: \(second.message)"
      throw first
    }
  }
}
