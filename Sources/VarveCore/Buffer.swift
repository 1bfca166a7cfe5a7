// Growable memory for plain values.
//
// A buffer has one writer until it is handed over; from then on nobody writes it, and any thread may read it.
// That convention, not the compiler, makes it Sendable: batches pass from a connection's thread to the commit
// thread, stay in the head, and are read by queries, always without a copy.

/// Growable memory for trivially copyable elements; always keeps 64 readable bytes behind its end.
///
/// A package type's `@inlinable` members are inlined into other modules only if the type is `@usableFromInline` itself:
/// without it each access is a call of a generic function.
@usableFromInline package final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
  @usableFromInline package struct Header {
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var capacity: Int
    @usableFromInline var count: Int
    @usableFromInline init(base: UnsafeMutablePointer<Element>, capacity: Int, count: Int) {
      self.base = base
      self.capacity = capacity
      self.count = count
    }
  }
  /// Behind a pointer, since each access to a variable of a class from another module is checked for overlaps at
  /// run time (swift_beginAccess): three checks a byte would cost more than the byte.
  @usableFromInline let header: UnsafeMutablePointer<Header>

  @inlinable package var base: UnsafeMutablePointer<Element> { header.pointee.base }
  @inlinable package var capacity: Int { header.pointee.capacity }
  @inlinable package var count: Int {
    get { header.pointee.count }
    set { header.pointee.count = newValue }
  }

  @usableFromInline static var slack: Int { 64 / MemoryLayout<Element>.stride + 1 }

  @inlinable package convenience init() { self.init(capacity: 0) }

  @inlinable package init(capacity: Int) {
    header = .allocate(capacity: 1)
    header.initialize(
      to: Header(base: .allocate(capacity: capacity + Self.slack), capacity: capacity, count: 0))
  }

  @inlinable package convenience init(_ elements: some Collection<Element>) {
    self.init(capacity: elements.count)
    for element in elements { append(element) }
  }

  /// `count` copies of `element`.
  @inlinable package convenience init(repeating element: Element, count: Int) {
    self.init(capacity: count)
    base.initialize(repeating: element, count: count)
    self.count = count
  }

  deinit {
    base.deallocate()
    header.deallocate()
  }

  @inlinable package subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count, "buffer index out of bounds")
      return base[index]
    }
    set {
      precondition(index >= 0 && index < count, "buffer index out of bounds")
      base[index] = newValue
    }
  }

  /// Makes room for `additional` more elements; at least doubles when it must move.
  @inlinable package func reserve(_ additional: Int) {
    if count + additional > capacity { grow(to: count + additional) }
  }

  @usableFromInline func grow(to needed: Int) {
    let newCapacity = Swift.max(needed, capacity * 2, 16)
    let moved = UnsafeMutablePointer<Element>.allocate(capacity: newCapacity + Self.slack)
    moved.update(from: base, count: count)
    base.deallocate()
    header.pointee.base = moved
    header.pointee.capacity = newCapacity
  }

  @inlinable package func append(_ element: Element) {
    if count == capacity { grow(to: count + 1) }
    base[count] = element
    count &+= 1
  }

  @inlinable package func append(repeating element: Element, count n: Int) {
    reserve(n)
    (base + count).initialize(repeating: element, count: n)
    count += n
  }

  @inlinable package func append(_ source: UnsafeBufferPointer<Element>) {
    guard let start = source.baseAddress, source.count > 0 else { return }
    reserve(source.count)
    (base + count).update(from: start, count: source.count)
    count += source.count
  }

  @inlinable package func append(contentsOf other: Buffer<Element>) { append(other.span) }

  /// The elements. Valid while the buffer is alive and not appended to: never take the span of a temporary, whose
  /// buffer is gone before the span is read; bind it to a `let` that is used afterwards.
  @inlinable package var span: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }
  @inlinable package var mutableSpan: UnsafeMutableBufferPointer<Element> {
    UnsafeMutableBufferPointer(start: base, count: count)
  }

  package var array: [Element] { Array(span) }

  /// Memory held, in bytes.
  package var byteCount: Int { (capacity + Self.slack) * MemoryLayout<Element>.stride }
}
