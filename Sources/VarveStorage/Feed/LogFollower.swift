// Reads commits behind an offset from the log's segments while the log goes on: for a follower that is further behind than
// what is in memory.
//
// A segment may be emptied and used again under the reader. Frames are salted with their file's id and place, so that
// what is no longer what was asked for fails its checksum: then the offset is gone. Commits are numbered without gaps, so
// that a frame of an earlier life of the file cannot pass for the next one.

import VarveCore
import VarveFormat
import VarveIO

package struct LogFollower: Sendable {
  private struct Place: Sendable {
    let segment: WriteAheadLog.Used
    let file: any File
    let version: UInt32
    var offset: Int
    /// The commit that stands before `offset`, or the one before the segment's first.
    var last: Sequence
  }

  private var place: Place?

  package init() {}

  /// Commits behind `offset` up to `last`, oldest first: at least one, and until they take `byteLimit`. `segments` begin
  /// with the one that holds the first of them. nil: they are there no more.
  mutating func read(
    after offset: Sequence, upTo last: Sequence, _ segments: [WriteAheadLog.Used], byteLimit: Int, _ catalog: Catalog,
    _ paths: StorePaths, _ files: any FileSystem
  ) throws -> [CommitContents]? {
    var found: [CommitContents] = []
    var byteCount = 0
    var next = offset.next
    while next <= last, byteCount < byteLimit {
      guard let record = try record(next, segments, paths, files) else {
        place?.file.close()
        place = nil
        return found.isEmpty ? nil : found
      }
      found.append(CommitContents(next, record, catalog))
      byteCount += found[found.count - 1].byteCount
      next = next.next
    }
    return found
  }

  package mutating func close() {
    place?.file.close()
    place = nil
  }

  private mutating func record(
    _ wanted: Sequence, _ segments: [WriteAheadLog.Used], _ paths: StorePaths, _ files: any FileSystem
  ) throws -> CommitRecord? {
    guard let segment = segments.last(where: { ($0.first ?? .zero) <= wanted }), let first = segment.first else {
      return nil
    }
    if place?.segment.id != segment.id || place.map({ $0.last >= wanted }) ?? true {
      place?.file.close()
      place = nil
      place = try open(segment, first, paths, files)
    }
    guard var place else { return nil }
    defer { self.place = place }
    while true {
      guard let header = try RecordFrame.readHeader(place.file, at: place.offset) else { return nil }
      if header.isCommit {
        guard header.sequence == place.last.next else { return nil }
        if header.sequence == wanted {
          guard let (frame, bytes) = try RecordFrame.read(place.file, at: place.offset, id: segment.id) else {
            return nil
          }
          place.offset += frame.frameByteCount
          place.last = wanted
          return try bytes.withUnsafeBytes {
            try CommitRecord.decode(UnsafeRawBufferPointer(rebasing: $0[frame.payload]), version: place.version)
          }
        }
        place.last = header.sequence
      }
      place.offset += header.frameByteCount
    }
  }

  /// nil: it is not that segment any more.
  private func open(
    _ segment: WriteAheadLog.Used, _ first: Sequence, _ paths: StorePaths, _ files: any FileSystem
  ) throws -> Place? {
    let file: any File
    do { file = try files.open(paths.segment(segment.id), .read) } catch let error as VarveError
      where error.code == .notFound
    { return nil }
    do {
      let head = try file.read(count: LogHeader.byteCount, at: 0)
      let header = try LogHeader.decode(head, expected: .segment, place: paths.segment(segment.id))
      guard header.file == segment.id else {
        file.close()
        return nil
      }
      return Place(
        segment: segment, file: file, version: header.version, offset: WriteAheadLog.firstRecordOffset,
        last: Sequence(rawValue: first.rawValue - 1))
    } catch let error as VarveError where error.code == .corruption {
      // Its header was being written anew, or is damaged: whoever asked looks which.
      file.close()
      return nil
    }
  }
}

extension RecordFrame {
  package var isCommit: Bool { kind == WriteAheadLog.Kind.commit.rawValue }

  /// How long the frame is that `bytes` begin with, if it is what it says; nil: none begins there.
  package static func byteCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= headerByteCount, UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == magic else {
      return nil
    }
    let payload = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    return frameByteCount(payload: Int(payload))
  }

  /// What a frame says of itself, not checked.
  struct Header {
    let isCommit: Bool
    let sequence: Sequence
    let frameByteCount: Int
  }

  static func readHeader(_ file: any File, at offset: Int) throws -> Header? {
    let bytes = try file.read(count: headerByteCount, at: offset)
    guard bytes.count == headerByteCount else { return nil }
    return bytes.withUnsafeBytes { raw in
      func word(_ at: Int) -> UInt32 { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
      guard word(0) == magic else { return nil }
      return Header(
        isCommit: raw[12] == WriteAheadLog.Kind.commit.rawValue,
        sequence: Sequence(rawValue: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))),
        frameByteCount: frameByteCount(payload: Int(word(8))))
    }
  }

  /// The frame at a place of a file, with the bytes that its payload is a range of; nil: there is no whole, valid one.
  static func read(_ file: any File, at offset: Int, id: FileID) throws -> (RecordFrame, [UInt8])? {
    guard let header = try readHeader(file, at: offset), try offset + header.frameByteCount <= file.byteCount() else {
      return nil
    }
    let bytes = try file.read(count: header.frameByteCount, at: offset)
    guard let frame = bytes.withUnsafeBytes({ decode($0, at: 0, base: offset, file: id) }) else { return nil }
    return (frame, bytes)
  }
}
