// Where objects are: bucket, prefix, endpoint, and how a request names them.

import VarveArchive
import VarveCore
import VarveWire

/// What a user may say of an S3 store beside its address; nil: what the environment, the profile or AWS says.
package struct S3Options: Sendable, Equatable {
  /// `https://host[:port]`.
  package var endpoint: String?
  package var region: String?
  /// The bucket in the path (`host/bucket/key`), never in the host.
  package var isPathStyle = false
  /// How long a connection may take to be made, and a store to go on answering.
  package var idleMilliseconds = Limits.objectIdleMilliseconds
  package init() {}
}

package struct S3Place: Sendable, Equatable {
  package let bucket: String
  /// Empty, or with a slash at its end.
  package let prefix: String
  /// `https://host:port`, with the bucket in the host or not.
  package let origin: String
  package let host: String
  package let region: String
  package let isSecure: Bool
  /// In front of keys, encoded: `/`, or `/bucket/`.
  package let root: String

  /// Throws `.invalidArgument`.
  package init(_ address: ObjectStoreAddress, endpoint: String?, region: String, isPathStyle: Bool) throws {
    let (bucket, prefix) = try Self.parts(address)
    let endpoint = try Endpoint(
      endpoint ?? "https://s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : ""))
    // A wildcard in a certificate stands for one name without dots.
    let isInPath =
      isPathStyle || endpoint.isNumeric || !Self.isHostName(bucket) || (endpoint.isSecure && bucket.contains("."))
    self.bucket = bucket
    self.prefix = prefix
    self.region = region
    isSecure = endpoint.isSecure
    host = isInPath ? endpoint.host : "\(bucket).\(endpoint.host)"
    origin = (endpoint.isSecure ? "https://" : "http://") + host
    root = isInPath ? "/\(PercentText.encoded(bucket))/" : "/"
  }

  /// For messages; of the store for an empty key.
  func address(_ key: String) -> String {
    let address = "s3://\(bucket)/\(prefix)\(key)"
    return key.isEmpty ? String(address.dropLast()) : address
  }

  /// Encoded, as it is signed and sent; of the bucket for nil.
  func path(_ key: String?) -> String {
    guard let key else { return root.count > 1 ? String(root.dropLast()) : root }
    return root + PercentText.encoded(prefix + key, keepingSlashes: true)
  }

  /// The object as a request names it that copies it to another key.
  func copySource(_ key: String) -> String {
    "/\(PercentText.encoded(bucket))/\(PercentText.encoded(prefix + key, keepingSlashes: true))"
  }

  private static func parts(_ address: ObjectStoreAddress) throws -> (bucket: String, prefix: String) {
    func refuse(_ what: String) -> VarveError {
      VarveError(
        .invalidArgument, "\"\(address.text)\" \(what)", hint: "write s3://bucket/prefix; the prefix may be left out")
    }
    let slash = address.rest.firstIndex(of: "/") ?? address.rest.endIndex
    let bucket = String(address.rest[..<slash])
    guard (3...255).contains(bucket.utf8.count), bucket.utf8.allSatisfy(isBucketByte) else {
      throw refuse("names no bucket")
    }
    guard let decoded = PercentText.decoded(address.rest[slash...]) else { throw refuse("has a broken %XX") }
    let prefix = decoded.split(separator: "/", omittingEmptySubsequences: true)
    guard decoded.utf8.count <= Limits.objectPrefixByteCount else {
      throw refuse("has a prefix of more than \(Limits.objectPrefixByteCount) bytes")
    }
    guard prefix.allSatisfy({ $0 != "." && $0 != ".." }), decoded.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw refuse("has a part in its prefix that HTTP would change")
    }
    return (bucket, prefix.map { $0 + "/" }.joined())
  }

  /// What stores take, capitals and underscores of old buckets among it.
  private static func isBucketByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func isHostName(_ bucket: String) -> Bool {
    bucket.utf8.count <= 63 && !bucket.contains("..")
      && bucket.utf8.allSatisfy { isBucketByte($0) && $0 != UInt8(ascii: "_") && !(65...90).contains($0) }
      && !"-.".contains(bucket.first ?? "-") && !"-.".contains(bucket.last ?? "-")
  }
}

private struct Endpoint {
  let isSecure: Bool
  /// With the port, if it is not the scheme's own.
  let host: String
  /// An address of numbers, or this machine: nothing can stand in front of it.
  let isNumeric: Bool

  init(_ text: String) throws {
    func refuse(_ what: String) -> VarveError {
      VarveError(
        .invalidArgument, "the S3 endpoint \"\(text)\" \(what)",
        hint: "write https://HOST, http://HOST:PORT or the like, without a bucket")
    }
    guard let colon = text.firstRange(of: "://") else { throw refuse("has no scheme") }
    switch text[..<colon.lowerBound].lowercased() {
    case "https": isSecure = true
    case "http": isSecure = false
    default: throw refuse("is neither http nor https")
    }
    var rest = text[colon.upperBound...]
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    guard !rest.contains("/"), !rest.contains("?"), !rest.contains("#") else { throw refuse("has a path") }
    guard !rest.contains("@") else { throw refuse("has credentials in it") }
    let bracket = rest.hasPrefix("[") ? rest.firstIndex(of: "]") : nil
    let end = rest[(bracket ?? rest.startIndex)...].firstIndex(of: ":") ?? rest.endIndex
    let name = rest[..<end].lowercased()
    guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "%") }) else {
      throw refuse("has no host")
    }
    var port = ""
    if end < rest.endIndex {
      let digits = rest[rest.index(after: end)...]
      guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt16(digits), number > 0 else {
        throw refuse("has a port that is none")
      }
      if number != (isSecure ? 443 : 80) { port = ":\(number)" }
    }
    host = name + port
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    isNumeric = bracket != nil || name == "localhost" || (parts.count == 4 && parts.allSatisfy { UInt8($0) != nil })
  }
}
