// What went wrong with a request: whether trying again may help, and what is told to people if it does not.

import VarveCore
import VarveWire

enum S3Failure: Error {
  case transport(HTTPFailure)
  /// An answer that is not what was asked for; what its body says; and our time in seconds.
  case answer(HTTPMessageAnswer, S3ErrorAnswer?, seconds: Int64)
  case complaint(S3Client.Complaint)

  /// Whether it may be gone the next time.
  var isPassing: Bool {
    switch self {
    case .transport(let failure): failure.kind != .tooLong && failure.kind != .untrusted
    case .complaint: true
    case .answer(let answer, let error, _):
      if let error {
        Self.passingCodes.contains(error.code) || (answer.status >= 500 && answer.status != 501 && answer.status != 507)
      } else {
        [408, 429, 500, 502, 503, 504].contains(answer.status)
      }
    }
  }

  /// Whether the store has too much to do.
  var isThrottled: Bool {
    guard case .answer(let answer, let error, _) = self else { return false }
    return answer.status == 429 || answer.status == 503 || error.map { Self.throttlingCodes.contains($0.code) } == true
  }

  /// Whether the store may have done what it was asked for.
  var mayBeDone: Bool {
    switch self {
    case .transport(let failure): failure.kind != .unreachable && failure.kind != .untrusted
    case .answer(let answer, let error, _): answer.status >= 500 || (answer.status < 300 && error != nil)
    case .complaint: true
    }
  }

  var areCredentialsOld: Bool {
    guard case .answer(_, let error?, _) = self else { return false }
    return Self.oldTokenCodes.contains(error.code)
  }

  private static let throttlingCodes: Set<String> = [
    "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "TooManyRequests",
    "RequestThrottledException", "RequestLimitExceeded", "BandwidthLimitExceeded", "ServiceUnavailable", "SlowDownRead",
    "SlowDownWrite",
  ]
  private static let passingCodes: Set<String> = throttlingCodes.union([
    "InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException", "OperationAborted",
    "ConditionalRequestConflict",
    // What came is not what was sent.
    "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
  ])
  private static let oldTokenCodes: Set<String> = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]

  // MARK: - In words

  /// `reason` asks why, where the answer cannot say.
  func error(
    _ request: S3Client.Request, _ place: S3Place, attempts: Int,
    reason: (S3Client.Request) -> (HTTPMessageAnswer, S3ErrorAnswer?)?
  ) -> VarveError {
    let often = attempts > 1 ? ", \(attempts) times" : ""
    var error: VarveError
    switch self {
    case .transport(let failure): error = Self.error(failure, place, often)
    case .complaint(let complaint):
      error = VarveError(
        complaint.code, complaint.message + often,
        hint: complaint.code == .corruption
          ? "bring the object back from another copy; others may be damaged too"
          : "see what stands between here and \(place.origin)")
    case .answer(var answer, var said, let seconds):
      if said == nil, let (fuller, reason) = reason(request) { (answer, said) = (fuller, reason) }
      error =
        said.map { Self.error(answer, $0, seconds: seconds, request, place, often) } ?? Self.error(answer, place, often)
    }
    error.place = place.address(request.key ?? "")
    return error
  }

  private static func error(_ failure: HTTPFailure, _ place: S3Place, _ often: String) -> VarveError {
    switch failure.kind {
    case .unreachable:
      VarveError(
        .unavailable, "the object store at \(place.origin) cannot be reached\(often): \(failure.message)",
        hint: "check the network and --s3-endpoint")
    case .timedOut, .broken:
      VarveError(
        .unavailable, "the object store at \(place.origin) did not answer\(often): \(failure.message)",
        hint: "try again later; --s3-timeout is how long it may take")
    case .untrusted:
      VarveError(
        .unavailable, "the object store at \(place.origin) is not trusted: \(failure.message)",
        hint: "AWS_CA_BUNDLE names a file with the certificates of who signed its own")
    case .tooLong: notS3(place, "it answers more than it was asked for")
    }
  }

  private static func notS3(_ place: S3Place, _ how: String) -> VarveError {
    VarveError(
      .unavailable, "\(place.origin) does not answer as an S3 store does: \(how)",
      hint: "--s3-endpoint takes the address of the S3 API, which is often another than that of the store's pages")
  }

  /// Of an answer that says nothing.
  private static func error(_ answer: HTTPMessageAnswer, _ place: S3Place, _ often: String) -> VarveError {
    switch answer.status {
    case 301, 302, 307, 308: return wrongRegion(answer, nil, place)
    case 403:
      return VarveError(.accessDenied, "the object store does not say why it refuses access", hint: keysHint)
    case 404: return VarveError(.notFound, "there is no such bucket or object", hint: bucketHint)
    case 429, 500...:
      return VarveError(
        .unavailable, "the object store at \(place.origin) fails with status \(answer.status)\(often)",
        hint: "try again later")
    default:
      let kind = answer.headers["content-type"].map { " and \($0)" } ?? ""
      return notS3(place, "with status \(answer.status)\(kind)")
    }
  }

  private static let keysHint = "see which keys and rights the bucket's owner gave"
  private static let bucketHint = "make the bucket first, or check its name and --s3-endpoint"

  private static func error(
    _ answer: HTTPMessageAnswer, _ said: S3ErrorAnswer, seconds: Int64, _ request: S3Client.Request, _ place: S3Place,
    _ often: String
  ) -> VarveError {
    let message = said.message.isEmpty ? said.code : "\(said.code): \(said.message)"
    switch said.code {
    case "InvalidAccessKeyId":
      return VarveError(.accessDenied, "the object store does not know this access key (\(message))", hint: keysHint)
    case "SignatureDoesNotMatch":
      return VarveError(
        .accessDenied, "the secret key does not belong to the access key (\(message))",
        hint: "check AWS_SECRET_ACCESS_KEY or the profile; a secret that was cut or has a space too many does that")
    case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken":
      return VarveError(
        .accessDenied, "the session token is of no use any more (\(message))", hint: "get new temporary credentials")
    case "RequestTimeTooSkewed", "RequestExpired":
      let difference = answer.headers["date"].flatMap(HTTPDate.seconds).map { seconds - $0 }
      let how = difference.map { " by \(abs($0)) s (\($0 > 0 ? "ahead" : "behind"))" } ?? ""
      return VarveError(
        .accessDenied, "this machine's clock differs\(how) from the object store's, which takes 15 minutes",
        hint: "set the clock")
    case "AccessDenied", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess":
      return VarveError(
        .accessDenied, "the access key has no right to \(right(request)) (\(message))", hint: keysHint)
    case "InvalidObjectState":
      return VarveError(
        .unavailable, "the object lies in a storage class that must be restored before it is read (\(message))",
        hint: "restore it there, and keep the bucket's rules from moving what Varve needs")
    case "NoSuchBucket":
      return VarveError(.notFound, "there is no bucket \"\(place.bucket)\"", hint: bucketHint)
    case "NoSuchKey": return VarveError(.notFound, "there is no such object")
    case "InvalidBucketName": return VarveError(.invalidArgument, "\"\(place.bucket)\" is no name of a bucket")
    case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
      "IncorrectEndpoint":
      return wrongRegion(answer, said, place)
    case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage",
      "StorageLimitExceeded":
      return VarveError(.diskFull, "the object store has no room (\(message))", hint: "make room there")
    case "EntityTooLarge":
      return VarveError(.limitExceeded, "the object is longer than the store takes (\(message))")
    case "NotImplemented":
      return VarveError(.unsupported, "the object store cannot \(right(request)) (\(message))")
    default:
      let isPassing = answer.status == 429 || answer.status >= 500 || answer.status < 300
      return VarveError(
        answer.status == 507 ? .diskFull : isPassing ? .unavailable : .inputOutput,
        "the object store at \(place.origin) refuses to \(right(request))\(often) (\(message))",
        hint: isPassing ? "try again later" : nil)
    }
  }

  private static func wrongRegion(_ answer: HTTPMessageAnswer, _ said: S3ErrorAnswer?, _ place: S3Place) -> VarveError {
    let region = answer.headers["x-amz-bucket-region"] ?? said?.region
    let endpoint = said?.endpoint ?? answer.headers["location"]
    let whither = region.map { "is in region \($0)" } ?? endpoint.map { "is at \($0)" } ?? "is elsewhere"
    return VarveError(
      .invalidArgument, "the bucket \"\(place.bucket)\" \(whither), and region \(place.region) was asked",
      hint: region.map { "say --s3-region \($0), or set AWS_REGION" } ?? "say --s3-region or --s3-endpoint")
  }

  /// What a request does, for messages.
  private static func right(_ request: S3Client.Request) -> String {
    switch request.method {
    case .get, .head: request.key == nil ? "list" : "read"
    case .put: request.isCopy ? "copy" : "write"
    case .delete: "delete"
    case .post: request.query.contains { $0.name == "delete" } ? "delete" : "write"
    }
  }
}
