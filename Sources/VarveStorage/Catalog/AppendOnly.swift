// A column that one thread appends to, under a lock, while others read what was there when they took a view of it.
//
// What was appended is never changed, and memory that has become too small is left to its views, not reused: so a view
// costs a reference, and keeps nobody from appending. A copy of a column shares its memory: only one of them goes on.

import VarveCore

struct AppendOnly<Element: BitwiseCopyable>: Sendable {
  private var buffer = Buffer<Element>()

  var count: Int { buffer.count }
  var byteCount: Int { buffer.byteCount }
  var view: AppendOnlyView<Element> { AppendOnlyView(buffer) }
  subscript(index: Int) -> Element { buffer[index] }
  var base: UnsafeMutablePointer<Element> { buffer.base }

  mutating func append(_ element: Element) {
    reserve(1)
    buffer.append(element)
  }

  mutating func append(_ elements: UnsafeBufferPointer<Element>) {
    reserve(elements.count)
    buffer.append(elements)
  }

  mutating func append(repeating element: Element, count: Int) {
    reserve(count)
    buffer.append(repeating: element, count: count)
  }

  private mutating func reserve(_ additional: Int) {
    guard buffer.count + additional > buffer.capacity else { return }
    let larger = Buffer<Element>(capacity: max(buffer.count + additional, buffer.capacity + buffer.capacity / 2, 16))
    larger.append(buffer.span)
    buffer = larger
  }
}

/// The first elements of an append-only column.
package struct AppendOnlyView<Element: BitwiseCopyable>: Sendable {
  package let count: Int
  private let buffer: Buffer<Element>

  /// All of the buffer as it is now.
  package init(_ buffer: Buffer<Element>) {
    self.buffer = buffer
    count = buffer.count
  }

  package subscript(index: Int) -> Element {
    precondition(index >= 0 && index < count, "an index beyond the view")
    return buffer.base[index]
  }

  package func withSpan<T>(_ body: (UnsafeBufferPointer<Element>) throws -> T) rethrows -> T {
    defer { withExtendedLifetime(buffer) {} }
    return try body(UnsafeBufferPointer(start: buffer.base, count: count))
  }
}
