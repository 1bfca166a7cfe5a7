// Requests of the S3 API: signed, sent, tried again while that may help, and answered or refused with an error that says
// why. It knows nothing of what the requests are for.
//
// A request is begun (`start`) and waited for (`finish`), so that one thread can have several under way; `finish` tries
// again on the thread that waits. Every request may be repeated: who sends one that is not the same twice (a conditional
// put, the end of an upload) looks at `Answer.isRepeated` and finds out what became of it.

import VarveCore
import VarveFormat
import VarveIO
import VarveWire

package final class S3Client: Sendable {
  package struct Request: Sendable {
    var method: HTTPMessageRequest.Method
    /// Behind the place's prefix; nil: the bucket.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: ArraySlice<UInt8> = []
    var answerByteLimit = Limits.objectAnswerByteCount
    /// That the store reads and writes by itself before it answers.
    var workByteCount = 0
    /// Statuses beside 2xx, and codes of errors, that the caller wants to see.
    var statuses: Set<Int> = []
    var codes: Set<String> = []
    /// What is wrong with an answer that was wanted; such is asked for again.
    var complaint: @Sendable (HTTPMessageAnswer) -> Complaint? = { _ in nil }

    init(_ method: HTTPMessageRequest.Method, _ key: String?) {
      self.method = method
      self.key = key
    }
  }

  /// Of an answer that says it went well and cannot be right.
  package struct Complaint: Sendable {
    let code: VarveError.Code
    let message: String
  }

  package struct Answer: Sendable {
    let message: HTTPMessageAnswer
    /// What the store said was wrong, where the caller wanted to see that.
    let error: S3ErrorAnswer?
    /// Whether an earlier try may have been carried out.
    let isRepeated: Bool
  }

  private struct Running {
    let request: Request
    let exchange: any HTTPExchange
  }

  package let place: S3Place
  private let environment: S3Environment
  private let transport: any HTTPTransport
  private let clock: any Clock
  private let retries: RetryPolicy
  private let credentials: Gate<Credentials>

  package init(
    _ place: S3Place, _ environment: S3Environment, transport: any HTTPTransport, clock: any Clock,
    retries: RetryPolicy = RetryPolicy()
  ) throws {
    self.place = place
    self.environment = environment
    self.transport = transport
    self.clock = clock
    self.retries = retries
    credentials = Gate(try environment.credentials())
  }

  func send(_ request: Request) throws -> Answer { try finish(start(request)) }

  /// Sends requests, some at a time, and takes their answers in order. A failure ends all that are under way.
  func send(
    count: Int, atATime limit: Int, _ request: (Int) -> Request, received: (Int, Answer) throws -> Void
  ) throws {
    var running: [Running] = []
    var next = 0
    do {
      for index in 0..<count {
        while next < count, running.count < limit {
          running.append(start(request(next)))
          next += 1
        }
        try received(index, finish(running.removeFirst()))
      }
    } catch {
      for one in running { one.exchange.end() }
      throw error
    }
  }

  private func start(_ request: Request) -> Running {
    let credentials = credentials.read { $0 }
    let place = place
    var headers: [(name: String, value: String)] = [("Host", place.host)] + request.headers
    if !request.body.isEmpty {
      // The store checks what it got against this; over plain HTTP the signature covers every byte as well.
      let checksum = request.body.withUnsafeBytes { CRC32C.checksum($0) }
      headers.append(("x-amz-checksum-crc32c", Base64.text(bigEndian: checksum)))
      headers.append(("x-amz-sdk-checksum-algorithm", "CRC32C"))
    }
    let hash = place.isSecure && !request.body.isEmpty ? Signature.unsignedPayload : Signature.hash(request.body)
    let signed = Signature(region: place.region, credentials: credentials).signed(
      method: request.method.rawValue, path: place.path(request.key), query: request.query, headers: headers,
      payloadHash: hash, seconds: clock.wallNanoseconds() / 1_000_000_000)
    let query = Signature.canonicalQuery(request.query)
    let byteCount = request.body.count + request.answerByteLimit + request.workByteCount
    return Running(
      request: request,
      exchange: transport.start(
        HTTPMessageRequest(
          method: request.method, origin: place.origin,
          target: place.path(request.key) + (query.isEmpty ? "" : "?\(query)"),
          headers: signed, body: request.body, answerByteLimit: request.answerByteLimit,
          timeLimitMilliseconds: Limits.objectRequestMilliseconds + byteCount / Limits.objectBytesPerSecond * 1000)))
  }

  /// Waits for the answer, and tries again. Throws the last error.
  private func finish(_ running: Running) throws -> Answer {
    let request = running.request
    var exchange = running.exchange
    var isRepeated = false
    var hasNewCredentials = false
    var attempt = 1
    while true {
      let outcome = outcome(of: exchange, request)
      let failure: S3Failure
      switch outcome {
      case .success(let answer):
        return Answer(message: answer.message, error: answer.error, isRepeated: isRepeated)
      case .failure(let found): failure = found
      }
      isRepeated = isRepeated || failure.mayBeDone
      if failure.areCredentialsOld, !hasNewCredentials, try renewCredentials() {
        hasNewCredentials = true
      } else {
        guard failure.isPassing, attempt < retries.attempts else {
          throw failure.error(request, place, attempts: attempt, reason: reason)
        }
        retries.pause(retries.pauseMilliseconds(after: attempt, isThrottled: failure.isThrottled))
        attempt += 1
      }
      exchange = start(request).exchange
    }
  }

  // MARK: -

  private func outcome(
    of exchange: any HTTPExchange, _ request: Request
  ) -> Result<(message: HTTPMessageAnswer, error: S3ErrorAnswer?), S3Failure> {
    let answer: HTTPMessageAnswer
    do { answer = try exchange.wait() } catch { return .failure(.transport(error)) }
    // An upload that is put together may fail when its status is long on its way.
    let error = S3ErrorAnswer(answer.body)
    if (200..<300).contains(answer.status), error == nil {
      if let complaint = request.complaint(answer) { return .failure(.complaint(complaint)) }
      return .success((answer, nil))
    }
    if request.statuses.contains(answer.status) || error.map({ request.codes.contains($0.code) }) == true {
      return .success((answer, error))
    }
    return .failure(.answer(answer, error, seconds: clock.wallNanoseconds() / 1_000_000_000))
  }

  /// Of a HEAD, whose answer has no body that could say why: the answer to a GET of nothing but that.
  private func reason(of request: Request) -> (HTTPMessageAnswer, S3ErrorAnswer?)? {
    guard request.method == .head else { return nil }
    var asked = Request(.get, request.key)
    asked.headers = [("Range", "bytes=0-0")]
    switch outcome(of: start(asked).exchange, asked) {
    case .failure(.answer(let answer, let error, _)): return (answer, error)
    // It says nothing of why the first was refused, which is told as it is.
    case .failure, .success: return nil
    }
  }

  /// Temporary credentials are renewed by whoever writes the file that they are in.
  private func renewCredentials() throws -> Bool {
    let found = try environment.credentials()
    return credentials.update { known in
      defer { known = found }
      return known != found
    }
  }
}
