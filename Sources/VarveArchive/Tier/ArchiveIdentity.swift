// Which folder of an archive is this data directory's, and whether nobody else writes to it.
//
// The folder's name is random, and stands in `archive/identity` of the data directory; backups do not take it along, so
// a restored directory has a folder of its own, reads what the old one has, and never removes any of it. Of two copies
// of a directory with the same file the one that runs second is refused: each run puts a new random word into the
// folder's `archive.json`, and before that expects to find there one that it wrote itself.
//
//   identity:  three lines: "folder <32 digits>", "written <16 digits>", "writing <16 digits>"; then "crc32c <8 digits>"
//
// `writing` is durable before it is put, `written` after: a crash in between leaves both to be expected.

import VarveCore
import VarveFormat
import VarveIO

struct ArchiveIdentity: Equatable {
  static let fileName = "identity"

  let folder: String
  /// The word that the folder has for sure, and the one that it may have; "0…0" before the first.
  var written: String
  var writing: String

  /// That of the data directory with `folder` for it; made if there is none.
  static func open(_ directory: String, _ files: any FileSystem, random: () -> UInt64) throws -> ArchiveIdentity {
    if let known = try read(directory, files) { return known }
    let identity = ArchiveIdentity(
      folder: hexadecimal(random()) + hexadecimal(random()), written: hexadecimal(0), writing: hexadecimal(0))
    try identity.save(directory, files)
    return identity
  }

  /// Nil if there is none.
  static func read(_ directory: String, _ files: any FileSystem) throws -> ArchiveIdentity? {
    let path = "\(directory)/\(fileName)"
    guard try files.exists(path) else { return nil }
    let text = String(decoding: try files.readAll(path, limit: 4096), as: UTF8.self)
    guard let identity = ArchiveIdentity(text) else {
      throw VarveError(
        .corruption, "the file that says which folder of the archive is this directory's is damaged",
        hint: "remove it: the next run of the archive begins a folder of its own, and reads the old one on", place: path
      )
    }
    return identity
  }

  init(folder: String, written: String, writing: String) {
    self.folder = folder
    self.written = written
    self.writing = writing
  }

  /// Nil for anything that `text` does not write.
  init?(_ text: String) {
    var values: [String] = []
    for (line, name) in zip(text.split(separator: "\n"), ["folder", "written", "writing", "crc32c"]) {
      guard line.hasPrefix(name + " ") else { return nil }
      values.append(String(line.dropFirst(name.count + 1)))
    }
    guard values.count == 4 else { return nil }
    self.init(folder: values[0], written: values[1], writing: values[2])
    guard folder.count == 32, self.text == text else { return nil }
  }

  var text: String {
    let lines = "folder \(folder)\nwritten \(written)\nwriting \(writing)\n"
    let checksum = CRC32C.checksum(Array(lines.utf8))
    return lines + "crc32c \(hexadecimal(UInt64(checksum)).suffix(8))\n"
  }

  func save(_ directory: String, _ files: any FileSystem) throws {
    let path = "\(directory)/\(Self.fileName)"
    let temporary = path + ".new"
    if try files.exists(temporary) { try files.remove(temporary) }
    let file = try files.open(temporary, .createNew)
    do {
      defer { file.close() }
      try file.write(Array(text.utf8), at: 0)
      try file.sync()
    }
    try files.rename(temporary, to: path)
    try files.syncDirectory(directory)
  }

  /// Takes the folder for a run: throws if somebody else has written to it.
  mutating func claim(_ objects: any ObjectStore, _ directory: String, _ files: any FileSystem, word: UInt64) throws {
    let key = ArchiveKeys.state(folder)
    let found = try Self.word(objects, key)
    let place = objects.address(key)
    guard found != nil || written == hexadecimal(0) else {
      throw VarveError(
        .notFound, "the archive has nothing of this data directory, which has written to it before",
        hint: "is it another place, or a disk that is not mounted?", place: place)
    }
    guard found == nil || found == written || found == writing else {
      throw VarveError(
        .invalidArgument,
        "another copy of this data directory has written to folder \(folder) of the archive since this one did",
        hint:
          "remove \(directory)/\(Self.fileName) to go on in a folder of its own; what it shares with the other copy "
          + "goes seven days after that one has no need of it",
        place: place)
    }
    if let found { written = found }
    writing = hexadecimal(word)
    try save(directory, files)
    try objects.put(key, Array("{\"format\": 1, \"folder\": \"\(folder)\", \"word\": \"\(writing)\"}\n".utf8))
    written = writing
    try save(directory, files)
  }

  /// The word that the folder has; nil: it has none yet.
  private static func word(_ objects: any ObjectStore, _ key: String) throws -> String? {
    guard let byteCount = try objects.byteCount(key) else { return nil }
    let text = String(decoding: try objects.get(key, 0..<min(byteCount, 4096)), as: UTF8.self)
    guard let format = text.firstRange(of: "\"format\": "), let word = text.firstRange(of: "\"word\": \"") else {
      throw VarveError(.corruption, "this does not say who wrote to the archive", place: objects.address(key))
    }
    guard text[format.upperBound...].prefix(while: \.isNumber) == "1" else {
      throw VarveError(
        .unsupportedVersion, "the archive was written by a newer Varve", hint: "write to it with that one",
        place: objects.address(key))
    }
    return String(text[word.upperBound...].prefix(16))
  }
}
