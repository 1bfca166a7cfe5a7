// What the S3 API needs of HTTP: a request of known bytes, an answer of bounded bytes. The seam between what S3 means
// and what carries it; tests answer in its place.

package struct HTTPMessageRequest: Sendable {
  package enum Method: String, Sendable {
    case get = "GET", put = "PUT", post = "POST", head = "HEAD", delete = "DELETE"
  }

  package var method: Method
  /// Scheme, host and port: `https://bucket.s3.eu-west-1.amazonaws.com`.
  package var origin: String
  /// Path and query, percent-encoded as they are signed.
  package var target: String
  package var headers: [(name: String, value: String)]
  package var body: ArraySlice<UInt8>
  /// A longer answer is refused.
  package var answerByteLimit: Int
  /// From beginning to end.
  package var timeLimitMilliseconds: Int
}

package struct HTTPMessageAnswer: Sendable {
  package let status: Int
  /// Names in small letters.
  package let headers: [String: String]
  package let body: [UInt8]

  package init(status: Int, headers: [String: String], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}

/// Why there is no answer.
package struct HTTPFailure: Error, Sendable, Equatable {
  package enum Kind: Sendable {
    /// Nothing was sent.
    case unreachable
    /// The server may have done it.
    case timedOut, broken
    /// There is an answer, longer than any that was asked for.
    case tooLong
    /// Its certificate is not to be trusted.
    case untrusted
  }
  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

package protocol HTTPTransport: Sendable {
  /// Begins, and does not wait.
  func start(_ request: HTTPMessageRequest) -> any HTTPExchange
}

/// A request that is on its way.
package protocol HTTPExchange: Sendable {
  /// Blocks the thread until there is an answer, whatever its status.
  func wait() throws(HTTPFailure) -> HTTPMessageAnswer
  /// Ends it, and blocks the thread until nothing is sent any more. What the server made of it is anybody's guess.
  func end()
}
