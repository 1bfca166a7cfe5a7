// Threads that help the one that runs a query. The engine has none of its own: whoever opens a session may bring some.
// Work is cut into the same pieces whether somebody helps or not, so that no answer depends on it.

import VarveCore

package protocol QueryHelpers: AnyObject, Sendable {
  /// Calls `body` once with each number below `count`, on this thread and on others that are free, and returns when all
  /// calls have.
  func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void)
}

/// Of a session that has none.
package final class NoHelpers: QueryHelpers {
  package init() {}
  package func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) { for number in 0..<count { body(number) } }
}

extension ExecutionContext {
  /// What `body` gives for each number below `count`, in their order, made at the same time where somebody helps. Each
  /// call has a context of its own, and what else it touches is its own or constant. Throws what the first of those
  /// that failed threw.
  func concurrently<T>(_ count: Int, _ body: @escaping (Int, ExecutionContext) throws -> T) throws -> [T] {
    let calls = Calls(contexts: (0..<count).map { _ in forHelper() }, body: body)
    helpers.run(count) { calls.run($0) }
    return try calls.results()
  }

  /// The rows at these places; many of them column by column at the same time.
  func gather(_ batch: QueryBatch, _ rows: Buffer<UInt32>) throws -> QueryBatch {
    guard batch.columns.count > 1, rows.count * batch.columns.count >= 1 << 16 else { return batch.gather(rows.span) }
    let columns = batch.columns
    return QueryBatch(
      count: rows.count, columns: try concurrently(columns.count) { number, _ in columns[number].gather(rows.span) })
  }
}

/// Unchecked: a call touches the context and the place that have its number, and results are taken when all have
/// returned.
private final class Calls<T>: @unchecked Sendable {
  private let contexts: [ExecutionContext]
  private let body: (Int, ExecutionContext) throws -> T
  private let places: UnsafeMutablePointer<Result<T, any Error>?>

  init(contexts: [ExecutionContext], body: @escaping (Int, ExecutionContext) throws -> T) {
    self.contexts = contexts
    self.body = body
    places = .allocate(capacity: contexts.count)
    places.initialize(repeating: nil, count: contexts.count)
  }

  deinit {
    places.deinitialize(count: contexts.count)
    places.deallocate()
  }

  func run(_ number: Int) { places[number] = Result { try body(number, contexts[number]) } }

  func results() throws -> [T] {
    try contexts.indices.map { number in
      guard let result = places[number] else { preconditionFailure("all calls have returned") }
      return try result.get()
    }
  }
}
