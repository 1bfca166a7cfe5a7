// How much memory this process may count on: the machine's, or that of a control group it lives in if that is less.

import Glibc
import VarveCore

package enum MemoryInformation {
  /// In bytes.
  package static func usableByteCount(_ files: any FileSystem = PosixFileSystem()) -> Int {
    limitFiles(files).compactMap { limit($0, files) }.reduce(machineByteCount) { min($0, $1) }
  }

  private static var machineByteCount: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let (bytes, overflow) = pages.multipliedReportingOverflow(by: sysconf(Int32(_SC_PAGESIZE)))
    precondition(pages > 0 && !overflow, "the system knows its memory")
    return bytes
  }

  /// The limits of the process's groups and of every group around them: each binds. In a container the path in
  /// /proc may be the host's and lead nowhere, but the roots are then the container's own.
  private static func limitFiles(_ files: any FileSystem) -> [String] {
    var paths: [String] = []
    func add(_ root: String, _ group: Substring, _ name: String) {
      var path = root
      paths.append(path + name)
      for part in group.split(separator: "/") {
        path += "/" + part
        paths.append(path + name)
      }
    }
    let lines = text("/proc/self/cgroup", files)?.split(separator: "\n") ?? []
    // Lines are `number:controllers:path`, without controllers in version 2.
    let groups = lines.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }.filter {
      $0.count == 3
    }
    func group(_ matches: (Substring) -> Bool) -> Substring { groups.first { matches($0[1]) }?[2] ?? "" }
    add("/sys/fs/cgroup", group(\.isEmpty), "/memory.max")
    add("/sys/fs/cgroup/unified", group(\.isEmpty), "/memory.max")
    add("/sys/fs/cgroup/memory", group { $0.split(separator: ",").contains("memory") }, "/memory.limit_in_bytes")
    return paths
  }

  /// "max" means no limit.
  private static func limit(_ path: String, _ files: any FileSystem) -> Int? {
    guard let text = text(path, files), let limit = Int(text.prefix { $0.isASCII && $0.isNumber }) else { return nil }
    return limit > 0 ? limit : nil
  }

  /// Virtual files have no length, so `readAll` would read nothing. One that is not there, or may not be read, sets
  /// no limit that could be known.
  private static func text(_ path: String, _ files: any FileSystem) -> String? {
    do {
      let file = try files.open(path, .read)
      defer { file.close() }
      return String(decoding: try file.read(count: 1 << 16, at: 0), as: UTF8.self)
    } catch {
      return nil
    }
  }
}
