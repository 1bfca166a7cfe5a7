// Ids are types, so that one can never stand where another belongs.
// All are dense small integers: they name files and index arrays; user names do neither.

/// A table (measurement). Never reused after a drop.
@usableFromInline package struct TableID: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: UInt32
  @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A column (tag or field) of one table, numbered from 0 in order of creation. Never reused.
/// `time` is not a column: every row has it.
@usableFromInline package struct ColumnID: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: UInt16
  @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// One distinct tag set of one table: dense per table, from 0.
@usableFromInline package struct SeriesID: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: UInt32
  @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A file of the store: chunk, log segment, manifest and series file draw from one counter, so an id is never
/// seen twice in a data directory and can salt the checksums of the file that carries it.
@usableFromInline package struct FileID: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: UInt64
  @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The number of a commit. A snapshot is a sequence: it sees every commit up to and including it.
@usableFromInline package struct Sequence: Hashable, Comparable, Sendable, RawRepresentable {
  @usableFromInline package let rawValue: UInt64
  @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  package static let zero = Sequence(rawValue: 0)
  package var next: Sequence { Sequence(rawValue: rawValue + 1) }
}
