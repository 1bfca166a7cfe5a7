/// Where a string stands in its column's text bytes: 40 bits of offset, 24 bits of length, in one word, so that
/// text columns are columns of words like all others. Equal strings may have different refs.
@usableFromInline package struct TextRef: Equatable, Sendable {
  @usableFromInline package let word: UInt64
  @inlinable package init(word: UInt64) { self.word = word }
  @inlinable package init(offset: Int, length: Int) {
    precondition(offset >= 0 && offset < 1 << 40 && length >= 0 && length < 1 << 24, "text beyond 40-bit offsets")
    word = UInt64(offset) << 24 | UInt64(length)
  }
  @inlinable package var offset: Int { Int(word >> 24) }
  @inlinable package var length: Int { Int(word & 0xFF_FFFF) }
}
