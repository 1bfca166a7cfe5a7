// A TCP connection to a server, for the command line: calls block, but for those that say otherwise.

import CVarve
import Glibc
import VarveCore

package final class ClientSocket {
  let descriptor: Int32
  private let peer: String

  package init(host: String, port: Int) throws {
    peer = "\(host):\(port)"
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else {
      throw VarveError(.inputOutput, "cannot find \(host): \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(list) }
    var code: Int32 = 0
    var entry = list
    while let address = entry {
      let candidate = socket(address.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      if candidate >= 0 {
        if connect(candidate, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
          var one: Int32 = 1
          setsockopt(candidate, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
          descriptor = candidate
          return
        }
        code = errno
        close(candidate)
      } else {
        code = errno
      }
      entry = address.pointee.ai_next
    }
    throw VarveError(
      .inputOutput, "cannot connect to \(host):\(port): \(String(cString: strerror(code)))",
      hint: code == ECONNREFUSED ? "is `varve serve` running there?" : nil)
  }

  deinit { close(descriptor) }

  package func send(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let count = Glibc.send(descriptor, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw broken()
      }
    }
  }

  package func send(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try send($0) } }

  /// Appends what has come, waiting for at least a byte; false at the end of the stream.
  package func receive(into buffer: Buffer<UInt8>) throws -> Bool {
    buffer.reserve(64 * 1024)
    while true {
      let count = recv(descriptor, buffer.base + buffer.count, 64 * 1024, 0)
      if count > 0 {
        buffer.count += count
        return true
      }
      if count == 0 { return false }
      if errno != EINTR {
        throw broken()
      }
    }
  }
}

// MARK: without waiting

extension ClientSocket {
  package enum Received: Equatable, Sendable {
    case bytes
    case nothing
    case end
  }

  /// Sends what the kernel takes at once; 0 if that is nothing.
  package func sendSome(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    while true {
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      if count >= 0 { return count }
      if errno == EAGAIN { return 0 }
      if errno != EINTR { throw broken() }
    }
  }

  /// Appends what has come, at most 64 KiB.
  package func receiveSome(into buffer: Buffer<UInt8>) throws -> Received {
    buffer.reserve(64 * 1024)
    while true {
      let count = recv(descriptor, buffer.base + buffer.count, 64 * 1024, Int32(MSG_DONTWAIT))
      if count > 0 {
        buffer.count += count
        return .bytes
      }
      if count == 0 { return .end }
      if errno == EAGAIN { return .nothing }
      if errno != EINTR { throw broken() }
    }
  }

  fileprivate func broken() -> VarveError {
    VarveError(.inputOutput, "the connection to \(peer) broke: \(String(cString: strerror(errno)))")
  }
}

/// Waits for what happens first on some sockets.
package struct SocketWait: ~Copyable {
  private var entries: [pollfd] = []

  package init() {}

  package mutating func add(_ socket: ClientSocket, forSending: Bool) {
    entries.append(
      pollfd(fd: socket.descriptor, events: Int16(POLLIN) | (forSending ? Int16(POLLOUT) : 0), revents: 0))
  }

  /// Returns when there is something to read, room to send, or the time is over; forgets the sockets.
  package mutating func wait(nanoseconds: Int64) {
    // Interrupted or not: the caller looks at its sockets and comes back.
    _ = cvarve_poll(&entries, UInt64(entries.count), max(0, nanoseconds))
    entries.removeAll(keepingCapacity: true)
  }
}
