import Foundation
import Testing
import VarveCore
import VarveIO

/// A process that may open no more files. Each test is a process of its own: the limit is the process's.
@Suite struct DescriptorTests {
  @Test func withoutDescriptorsOpeningSaysHowToGetMore() async {
    await #expect(processExitsWith: .success) {
      let files = PosixFileSystem()
      var held = try useUp(files)
      do {
        held.append(try files.open("/proc/self/exe", .read))
        fatalError("there is no descriptor left")
      } catch let error as VarveError {
        precondition(error.code == .overloaded && error.isWant && error.place == "/proc/self/exe", "\(error)")
        precondition(error.hint?.contains("100 files") == true && error.hint?.contains("ulimit -n") == true, "\(error)")
      }
      // Whoever lets go of one lets others go on.
      held.removeLast().close()
      try files.open("/proc/self/exe", .read).close()
    }
  }

  @Test func openingWaitsForADescriptor() async {
    await #expect(processExitsWith: .success) {
      let files = PosixFileSystem()
      let last = try useUp(files)[0]
      let closing = WorkerThread(name: "closing") {
        usleep(100_000)
        last.close()
      }
      try files.open("/proc/self/exe", .read).close()
      closing.join()
    }
  }

  /// A log segment that could be created must get its name made sure.
  @Test func directoriesAreSyncedEvenWithoutDescriptors() async {
    await #expect(processExitsWith: .success) {
      let files = PosixFileSystem()
      let root = NSTemporaryDirectory() + "varve-descriptors-\(getpid())"
      try files.createDirectory(root)
      defer { rmdir(root) }
      let held = try useUp(files)
      try files.createDirectory(root + "/d")
      defer { rmdir(root + "/d") }
      for path in [root, root + "/d", root] { try files.syncDirectory(path) }
      withExtendedLifetime(held) {}
    }
  }
}

/// Opens files until the process may open no more than 100.
private func useUp(_ files: PosixFileSystem) throws -> [any File] {
  // What is opened once for the whole process is open before.
  try files.syncDirectory("/")
  var limit = rlimit(rlim_cur: 100, rlim_max: 100)
  precondition(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
  var held: [any File] = []
  do {
    while true { held.append(try files.open("/proc/self/exe", .read)) }
  } catch let error as VarveError where error.code == .overloaded {
    return held
  }
}
