// Signature version 4 of AWS, as S3 takes it (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html):
// a request's method, path, query, headers and a hash of its body, under a key made of the secret, day and region. The
// path is encoded once, and its slashes are taken as they are.

import Crypto
import VarveWire

package struct Credentials: Sendable, Equatable {
  package let accessKey: String
  package let secretKey: String
  /// Of temporary credentials.
  package let sessionToken: String?
  /// Where they were found, for messages.
  package let source: String

  package init(accessKey: String, secretKey: String, sessionToken: String? = nil, source: String) {
    self.accessKey = accessKey
    self.secretKey = secretKey
    self.sessionToken = sessionToken
    self.source = source
  }
}

package struct Signature {
  /// In place of the body's hash where TLS carries it.
  static let unsignedPayload = "UNSIGNED-PAYLOAD"

  let region: String
  let credentials: Credentials

  package init(region: String, credentials: Credentials) {
    self.region = region
    self.credentials = credentials
  }

  /// The headers, with date, body hash, token and signature. `headers` has the host; all of them are signed. `path` is
  /// encoded, `query` is not.
  package func signed(
    method: String, path: String, query: [(name: String, value: String)], headers: [(name: String, value: String)],
    payloadHash: String, seconds: Int64
  ) -> [(name: String, value: String)] {
    let date = HTTPDate.basic(seconds: seconds)
    var headers = headers + [("x-amz-content-sha256", payloadHash), ("x-amz-date", date)]
    if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
    let canonical = headers.map { ($0.name.lowercased(), Self.trimmed($0.value)) }.sorted { $0.0 < $1.0 }
    let names = canonical.map(\.0).joined(separator: ";")
    let request = [
      method, path, Self.canonicalQuery(query), canonical.map { "\($0.0):\($0.1)\n" }.joined(), names, payloadHash,
    ].joined(separator: "\n")
    let day = String(date.prefix(8))
    let scope = "\(day)/\(region)/s3/aws4_request"
    let text = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(Self.hash(Array(request.utf8)[...]))"
    var key = Array("AWS4\(credentials.secretKey)".utf8)
    for part in [day, region, "s3", "aws4_request"] { key = Self.code(part, key) }
    let signature = Self.hexadecimal(Self.code(text, key))
    headers.append(
      (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
      ))
    return headers
  }

  /// As it is signed, and as it is sent.
  package static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
    query.map { (PercentText.encoded($0.name), PercentText.encoded($0.value)) }
      .sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  package static func hash(_ bytes: ArraySlice<UInt8>) -> String {
    hexadecimal(bytes.withUnsafeBytes { SHA256.hash(data: $0) })
  }

  private static func code(_ text: String, _ key: [UInt8]) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
  }

  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
      let text = String(byte, radix: 16)
      return byte < 16 ? "0" + text : text
    }.joined()
  }

  /// Without spaces at the ends, and with one where there are several.
  private static func trimmed(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }
}
