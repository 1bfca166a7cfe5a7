// Zstandard's working memory kept from one call to the next: making it costs more than a page. A context takes 100 KiB
// for reading and up to some MiB for writing at high levels, so few are kept.

import Synchronization

final class ZstdContexts: Sendable {
  /// In the hands of one call at a time, which may be on any thread: the list gives each out once.
  private struct Context: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  /// More calls than this at a time make contexts of their own and free them.
  private static let keptCount = 4

  private let kept = Mutex<[Context]>([])
  private let make: @Sendable () -> OpaquePointer?
  private let free: @Sendable (OpaquePointer) -> Void

  init(make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer) -> Void) {
    self.make = make
    self.free = free
  }

  deinit { for context in kept.withLock({ $0 }) { free(context.pointer) } }

  func with<T>(_ body: (OpaquePointer) -> T) -> T {
    let context = take()
    defer { give(back: context) }
    return body(context.pointer)
  }

  private func take() -> Context {
    if let context = kept.withLock({ $0.popLast() }) { return context }
    guard let pointer = make() else { fatalError("no memory for a Zstandard context") }
    return Context(pointer: pointer)
  }

  private func give(back context: Context) {
    let isKept = kept.withLock { kept in
      guard kept.count < Self.keptCount else { return false }
      kept.append(context)
      return true
    }
    if !isKept { free(context.pointer) }
  }
}
