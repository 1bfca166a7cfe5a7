// How much memory this process may count on: the machine's, or its control group's if that is less.

import Glibc

package enum MemoryInformation {
  /// In bytes.
  package static func usableByteCount(_ files: any FileSystem = PosixFileSystem()) -> Int {
    let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    return groups.compactMap { limit($0, files) }.reduce(machine) { min($0, $1) }
  }

  /// "max", and files that are not there, mean no limit.
  private static func limit(_ path: String, _ files: any FileSystem) -> Int? {
    // Virtual files have no length, so `readAll` would read nothing.
    guard let file = try? files.open(path, .read), let bytes = try? file.read(count: 64, at: 0) else { return nil }
    return Int(String(decoding: bytes.prefix { $0 >= 48 && $0 <= 57 }, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
  }
}
