// HTTP by async-http-client, on two event loops of its own. Nothing here runs on them but the client itself: callers
// wait on their own threads.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import VarveIO

package final class HTTPClientTransport: HTTPTransport {
  private let group: MultiThreadedEventLoopGroup
  private let client: HTTPClient

  /// `idleMilliseconds`: how long a connection may take to be made, and a server to go on answering. `authorities`: the
  /// file with certificates to trust in place of the system's.
  package init(idleMilliseconds: Int, connectionCount: Int, authorities: String? = nil) {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let idle = TimeAmount.milliseconds(Int64(idleMilliseconds))
    var configuration = HTTPClient.Configuration(
      redirectConfiguration: .disallow, timeout: .init(connect: idle, read: idle, write: idle),
      connectionPool: .init(
        idleTimeout: .seconds(20), concurrentHTTP1ConnectionsPerHostSoftLimit: connectionCount))
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.httpVersion = .http1Only
    if let authorities {
      var security = TLSConfiguration.makeClientConfiguration()
      security.trustRoots = .file(authorities)
      configuration.tlsConfiguration = security
    }
    client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
  }

  deinit {
    // Whoever waits for an answer has the transport: nothing is under way any more.
    do {
      try client.syncShutdown()
      try group.syncShutdownGracefully()
    } catch {
      preconditionFailure("a client without requests can be shut down: \(error)")
    }
  }

  package func start(_ request: HTTPMessageRequest) -> any HTTPExchange {
    let deadline = NIODeadline.now() + .milliseconds(Int64(request.timeLimitMilliseconds))
    do {
      let message = try HTTPClient.Request(
        url: request.origin + request.target, method: HTTPMethod(rawValue: request.method.rawValue),
        headers: HTTPHeaders(request.headers.map { ($0.name, $0.value) }),
        body: request.body.isEmpty && request.method != .put && request.method != .post
          ? nil : .byteBuffer(ByteBuffer(bytes: request.body)))
      let accumulator = ResponseAccumulator(request: message, maxBodySize: request.answerByteLimit)
      return Exchange(client.execute(request: message, delegate: accumulator, deadline: deadline), self)
    } catch {
      return Refused(failure: HTTPFailure(.unreachable, "\(error)"))
    }
  }

  private struct Refused: HTTPExchange {
    let failure: HTTPFailure
    func wait() throws(HTTPFailure) -> HTTPMessageAnswer { throw failure }
    func end() {}
  }

  private struct Exchange: HTTPExchange {
    private let task: HTTPClient.Task<HTTPClient.Response>
    private let transport: HTTPClientTransport

    init(_ task: HTTPClient.Task<HTTPClient.Response>, _ transport: HTTPClientTransport) {
      self.task = task
      self.transport = transport
    }

    func wait() throws(HTTPFailure) -> HTTPMessageAnswer {
      let response: HTTPClient.Response
      do { response = try task.wait() } catch { throw HTTPFailure(error) }
      var headers: [String: String] = [:]
      for (name, value) in response.headers { headers[name.lowercased()] = value }
      return HTTPMessageAnswer(
        status: Int(response.status.code), headers: headers,
        body: response.body.map { Array($0.readableBytesView) } ?? [])
    }

    func end() {
      task.cancel()
      // What comes of it is of no matter any more.
      do { _ = try task.wait() } catch {}
    }
  }
}

extension HTTPFailure {
  fileprivate init(_ error: any Error) {
    switch error {
    case let error as HTTPClientError:
      switch error {
      case .connectTimeout, .getConnectionFromPoolTimeout:
        self.init(.unreachable, "no connection was made in time")
      case .tlsHandshakeTimeout: self.init(.unreachable, "the TLS handshake was not over in time")
      case .readTimeout, .writeTimeout, .deadlineExceeded: self.init(.timedOut, "there was no answer in time")
      case .remoteConnectionClosed, .requestStreamCancelled: self.init(.broken, "the connection was closed")
      default: self.init(.broken, error.shortDescription)
      }
    case is ResponseAccumulator.ResponseTooBigError:
      self.init(.tooLong, "the answer is longer than what was asked for")
    case let error as NIOConnectionError:
      self.init(.unreachable, Self.text(error))
    case let error as NIOSSLError:
      if case .handshakeFailed(let inner) = error {
        let text = "\(inner)"
        self.init(
          text.contains("CERTIFICATE") ? .untrusted : .unreachable, "the TLS handshake failed: \(text)")
      } else {
        self.init(.broken, "\(error)")
      }
    case let error as IOError:
      let code = error.errnoCode
      self.init(
        SystemErrorNumber.isUnreachable(code) ? .unreachable : .broken, SystemErrorNumber.text(code))
    case is ChannelError: self.init(.unreachable, "\(error)")
    default: self.init(.broken, "\(error)")
    }
  }

  private static func text(_ error: NIOConnectionError) -> String {
    if let first = error.connectionErrors.first {
      let reason = (first.error as? IOError).map { SystemErrorNumber.text($0.errnoCode) } ?? "\(first.error)"
      return "\(first.target): \(reason)"
    }
    if error.dnsAError != nil || error.dnsAAAAError != nil { return "there is no such host: \(error.host)" }
    return "\(error.host):\(error.port) does not answer"
  }
}
