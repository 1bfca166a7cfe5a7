// This executable run once more as a child process, and what the system says of a process's use of the machine.

import CVarve
import Glibc
import VarveCore
import VarveIO

/// A child that is killed when this process ends. Used by one thread, which is the process's main one: the system ties
/// the child's life to the thread that started it.
package final class ChildProcess {
  package let identifier: Int32
  private let output: Int32
  private var pending: [UInt8] = []
  private var ending: String?

  /// Runs this executable. Its standard error is written to the file `errorPath`.
  package init(arguments: [String], errorPath: String) throws {
    let log = open(errorPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else {
      throw VarveError(.inputOutput, "cannot write \(errorPath): \(String(cString: strerror(errno)))")
    }
    defer { close(log) }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw VarveError(.inputOutput, "the system refuses a pipe: \(String(cString: strerror(errno)))")
    }
    defer { close(ends[1]) }
    output = ends[0]
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let words = (["varve"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    identifier = cvarve_start_child("/proc/self/exe", words, ends[1], log)
    guard identifier > 0 else {
      throw VarveError(.inputOutput, "cannot start a process: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    kill()
    close(output)
  }

  /// The next line of its standard output, without the line break; nil when it has closed it.
  package func readLine() throws -> String? {
    while true {
      if let end = pending.firstIndex(of: 0x0A) {
        defer { pending.removeFirst(end + 1) }
        return String(decoding: pending[..<end], as: UTF8.self)
      }
      var piece = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &piece, piece.count)
      if count == 0 { return nil }
      if count > 0 {
        pending += piece[..<count]
      } else if errno != EINTR {
        throw VarveError(.inputOutput, "cannot read from a process: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// How it ended, such as "with signal 9"; nil if it still runs after so long.
  package func poll(milliseconds: Int = 0) -> String? {
    for _ in 0..<milliseconds {
      if let ending = ending ?? wait(WNOHANG) { return ending }
      usleep(1000)
    }
    return ending ?? wait(WNOHANG)
  }

  /// Ends it at once.
  package func kill() {
    guard poll() == nil else { return }
    Glibc.kill(identifier, SIGKILL)
    _ = wait(0)
  }

  private func wait(_ options: Int32) -> String? {
    var status: Int32 = 0
    var result = waitpid(identifier, &status, options)
    while result < 0, errno == EINTR { result = waitpid(identifier, &status, options) }
    guard result != 0 else { return nil }
    // Without a status somebody else has waited for it, which nobody here does.
    let signal = status & 0x7F
    ending = result < 0 ? "unseen" : signal != 0 ? "with signal \(signal)" : "with code \((status >> 8) & 0xFF)"
    return ending
  }
}

/// What a process has used so far.
package struct ProcessUsage: Sendable {
  /// Of all its threads, in the kernel or not.
  package var processorSeconds: Double
  /// The most it had in memory at a time.
  package var peakResidentByteCount: Int

  /// Of this process, or of another one; nil if the system does not say.
  package static func of(_ identifier: Int32? = nil) -> ProcessUsage? {
    let directory = "/proc/\(identifier.map { String($0) } ?? "self")"
    guard let status = text(directory + "/status"), let times = text(directory + "/stat") else { return nil }
    let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    // The name, which may have any characters, is in parentheses; utime and stime are fields 14 and 15.
    guard let kilobytes = peak?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }),
      let fields = times.split(separator: ")").last?.split(separator: " "), fields.count > 12,
      let user = Double(fields[11]), let system = Double(fields[12])
    else { return nil }
    return ProcessUsage(
      processorSeconds: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))), peakResidentByteCount: kilobytes << 10)
  }

  /// The beginning of a file that need not be there. Those of /proc have no length, and are gone with their process.
  package static func text(_ path: String, limit: Int = 1 << 14) -> String? {
    do {
      let file = try PosixFileSystem().open(path, .read)
      defer { file.close() }
      return String(decoding: try file.read(count: limit, at: 0), as: UTF8.self)
    } catch {
      return nil
    }
  }
}
