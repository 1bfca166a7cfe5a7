// What stores that speak the S3 API answer with: lists, errors, and what came of uploads, copies and deletes. Each is made from
// the body of an answer, and is nil if the body is something else (docs.aws.amazon.com/AmazonS3/latest/API).

/// `ListBucketResult` of ListObjectsV2, asked for with `encoding-type=url`.
package struct S3ObjectList: Sendable, Equatable {
  package struct Object: Sendable, Equatable {
    package let key: String
    package let byteCount: Int
  }
  package let objects: [Object]
  /// Common prefixes, with their slash.
  package let prefixes: [String]
  /// Where the next list goes on; nil: this was the last.
  package let continuation: String?

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "ListBucketResult" else { return nil }
    let isEncoded = root.text(of: "EncodingType") == "url"
    var objects: [Object] = []
    for element in root.children("Contents") {
      guard let key = element.key(isEncoded: isEncoded), let size = element.text(of: "Size").flatMap({ Int($0) }),
        size >= 0
      else { return nil }
      objects.append(Object(key: key, byteCount: size))
    }
    var prefixes: [String] = []
    for element in root.children("CommonPrefixes") {
      guard let prefix = element.key("Prefix", isEncoded: isEncoded) else { return nil }
      prefixes.append(prefix)
    }
    self.objects = objects
    self.prefixes = prefixes
    guard root.text(of: "IsTruncated") == "true" else {
      continuation = nil
      return
    }
    guard let token = root.text(of: "NextContinuationToken"), !token.isEmpty else { return nil }
    continuation = token
  }
}

/// `ListMultipartUploadsResult`, asked for with `encoding-type=url`.
package struct S3UploadList: Sendable, Equatable {
  package struct Upload: Sendable, Equatable {
    package let key: String
    package let id: String
  }
  package let uploads: [Upload]
  /// Where the next list goes on; nil: this was the last.
  package let next: Upload?

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "ListMultipartUploadsResult" else { return nil }
    let isEncoded = root.text(of: "EncodingType") == "url"
    var uploads: [Upload] = []
    for element in root.children("Upload") {
      guard let key = element.key(isEncoded: isEncoded), let id = element.text(of: "UploadId"), !id.isEmpty else {
        return nil
      }
      uploads.append(Upload(key: key, id: id))
    }
    self.uploads = uploads
    guard root.text(of: "IsTruncated") == "true" else {
      next = nil
      return
    }
    guard let key = root.key("NextKeyMarker", isEncoded: isEncoded), let id = root.text(of: "NextUploadIdMarker"),
      !key.isEmpty
    else { return nil }
    next = Upload(key: key, id: id)
  }
}

/// `Error`, which also comes with status 200 where the store found out late.
package struct S3ErrorAnswer: Sendable, Equatable {
  package let code: String
  package let message: String
  package let region: String?
  package let endpoint: String?

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "Error" else { return nil }
    self.init(root)
  }

  fileprivate init?(_ element: XMLElement) {
    guard let code = element.text(of: "Code"), !code.isEmpty else { return nil }
    self.code = code
    message = element.text(of: "Message") ?? ""
    region = element.text(of: "Region")
    endpoint = element.text(of: "Endpoint")
  }
}

/// `DeleteResult` of DeleteObjects in quiet mode: what was not deleted, and why.
package struct S3DeleteAnswer: Sendable, Equatable {
  package struct Failure: Sendable, Equatable {
    package let key: String
    package let error: S3ErrorAnswer
  }
  package let failures: [Failure]

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "DeleteResult" else { return nil }
    var failures: [Failure] = []
    for element in root.children("Error") {
      guard let key = element.text(of: "Key"), let error = S3ErrorAnswer(element) else { return nil }
      failures.append(Failure(key: key, error: error))
    }
    self.failures = failures
  }
}

/// `InitiateMultipartUploadResult`: the id of an upload in parts.
package struct S3UploadAnswer: Sendable, Equatable {
  package let id: String

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "InitiateMultipartUploadResult",
      let id = root.text(of: "UploadId"), !id.isEmpty
    else { return nil }
    self.id = id
  }
}

/// `CompleteMultipartUploadResult`: what the parts came to.
package struct S3CompleteAnswer: Sendable, Equatable {
  package let tag: String?
  package let checksum: String?

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "CompleteMultipartUploadResult" else { return nil }
    tag = root.text(of: "ETag")
    checksum = root.text(of: "ChecksumCRC32C")
  }
}

/// `CopyObjectResult`.
package struct S3CopyAnswer: Sendable, Equatable {
  package let tag: String

  package init?(_ body: [UInt8]) {
    guard let root = XMLElement(body), root.name == "CopyObjectResult", let tag = root.text(of: "ETag"), !tag.isEmpty
    else { return nil }
    self.tag = tag
  }
}

/// `Content-Range: bytes 0-9/100`, or `bytes */100` where no byte of the object was meant.
package struct ContentRange: Sendable, Equatable {
  package let range: Range<Int>?
  package let objectByteCount: Int

  package init?(_ text: String) {
    guard text.hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Self.number(parts[1]) else { return nil }
    objectByteCount = count
    if parts[0] == "*" {
      range = nil
      return
    }
    let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]), first <= last,
      last < count
    else { return nil }
    range = first..<last + 1
  }

  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }
}

extension XMLElement {
  fileprivate func key(_ name: String = "Key", isEncoded: Bool) -> String? {
    guard let text = text(of: name) else { return nil }
    return isEncoded ? PercentText.decoded(text, plusIsSpace: true) : text
  }
}
