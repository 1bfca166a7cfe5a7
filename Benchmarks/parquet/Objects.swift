// What an object of a chunk costs: its row blocks are decoded, written as an object, and read back page by page.

import Foundation
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

/// What a chunk does not say of its table.
struct ChunkTable {
  var schema: ObjectSchema
  var tagCells: (ColumnID, SeriesID) -> String?

  /// As the store has it.
  init(_ table: TableID, of snapshot: any ReadSnapshot) {
    let columns = snapshot.table(id: table)?.columns ?? []
    var tags: [ObjectSchema.Tag] = []
    var fields: [ObjectSchema.Field] = []
    for column in columns {
      switch column.kind {
      case .tag: tags.append(.init(id: column.id, name: column.name))
      case .field(let type): fields.append(.init(id: column.id, name: column.name, type: type))
      }
    }
    schema = ObjectSchema(tags: tags, fields: fields.sorted { $0.id < $1.id })
    let cells = Dictionary(uniqueKeysWithValues: tags.map { ($0.id, snapshot.tagColumn($0.id, of: table)) })
    tagCells = { column, series in
      guard let tag = cells[column] else { return nil }
      let code = tag.code(of: series)
      return code == 0 ? nil : tag.value(code)
    }
  }

  /// As many tags as the benchmark's data has.
  init(_ columns: [(id: ColumnID, type: FieldType)]) {
    schema = ObjectSchema(
      tags: (0..<10).map { ObjectSchema.Tag(id: ColumnID(rawValue: UInt16($0)), name: "tag_\($0)") },
      fields: columns.map { .init(id: $0.id, name: "field_\($0.id.rawValue)", type: $0.type) })
    tagCells = { tag, series in
      tag.rawValue < 2 ? "host_\(series.rawValue)" : "value_\(Int(series.rawValue) % (3 * Int(tag.rawValue)))"
    }
  }
}

/// A chunk's rows in memory.
private struct ChunkRows {
  var table: ChunkTable
  var blocks: [RowBlock] = []
  var valueCount = 0
  var byteCount: Int
  var identity: ChunkIdentity

  init(_ bytes: [UInt8], _ path: String, _ snapshot: (any ReadSnapshot)?) throws {
    let contents = try ChunkContents.open(bytes, file: nil, place: path)
    identity = contents.identity
    byteCount = bytes.count
    table = snapshot.map { ChunkTable(contents.identity.table, of: $0) } ?? ChunkTable(contents.index.columns)
    for block in contents.index.rowBlocks {
      valueCount += block.fields.reduce(0) { $0 + $1.zone.valueCount }
      blocks.append(try Self.decoded(block, of: bytes, identity.file, path))
    }
  }

  static func decoded(_ block: RowBlockEntry, of bytes: [UInt8], _ file: FileID, _ path: String) throws -> RowBlock {
    func page(_ place: PageReference) -> ArraySlice<UInt8> { bytes[place.offset..<(place.offset + place.byteCount)] }
    let runs = try page(block.seriesPage).withUnsafeBytes {
      try RowBlockReader.decodeSeries($0, block: block, file: file, place: path)
    }
    let times = try page(block.timesPage).withUnsafeBytes {
      try RowBlockReader.decodeTimes($0, block: block, file: file, place: path)
    }
    let fields = try block.fields.map { field in
      try page(field.page).withUnsafeBytes {
        (field.column, try RowBlockReader.decodeField($0, field: field, block: block, file: file, place: path))
      }
    }
    return RowBlock(runs: runs, times: times, fields: fields.map { (id: $0.0, column: $0.1) })
  }

  /// As archiving does: a row block at a time, from the chunk to the object.
  func archived(_ bytes: [UInt8], _ path: String) throws -> Int {
    let contents = try ChunkContents.open(bytes, file: nil, place: path)
    let writer = ObjectWriter(table.schema, keyValues: [], tagCells: table.tagCells)
    for entry in contents.index.rowBlocks {
      let block = try Self.decoded(entry, of: bytes, identity.file, path)
      try writer.begin(runs: block.runs, times: block.times)
      for (id, column) in block.fields { writer.append(id, column) }
      writer.end()
    }
    return writer.finish().bytes.count
  }

  func written() throws -> (bytes: [UInt8], rowBlocks: [ObjectRowBlock]) {
    let writer = ObjectWriter(table.schema, keyValues: [], tagCells: table.tagCells)
    for block in blocks {
      try writer.begin(runs: block.runs, times: block.times)
      for (id, column) in block.fields { writer.append(id, column) }
      writer.end()
    }
    return writer.finish()
  }

  func read(_ object: (bytes: [UInt8], rowBlocks: [ObjectRowBlock])) throws {
    var dictionaries: [ObjectPiece: ObjectDictionary] = [:]
    func bytes(_ piece: ObjectPiece) -> [UInt8] { Array(object.bytes[piece.offset..<(piece.offset + piece.byteCount)]) }
    for (block, found) in zip(blocks, object.rowBlocks) {
      let times = try ObjectReader.times(found.times.pieces.map(bytes), rowCount: block.rowCount)
      precondition(times.span.elementsEqual(block.times.span), "times come back")
      for (field, (_, page)) in zip(block.fields, found.fields) {
        let known = try page.dictionaries.enumerated().map { number, place -> ObjectDictionary? in
          guard let place else { return nil }
          if let known = dictionaries[place] { return known }
          let made = try ObjectReader.dictionary(field.column.type, piece: number, bytes(place))
          dictionaries[place] = made
          return made
        }
        let column = try ObjectReader.field(
          field.column.type, page.pieces.map(bytes), known, rowCount: block.rowCount)
        precondition(
          column.type == .text || column.words.span.elementsEqual(field.column.words.span), "values come back")
      }
    }
  }
}

/// Chunk files, and directories of databases, whose chunks are taken. `directory`: where the objects are put; nil: nowhere.
func measureObjects(_ paths: [String], directory: String?) throws {
  var files: [(path: String, snapshot: (any ReadSnapshot)?)] = []
  for path in paths {
    guard !path.hasSuffix(".chunk") else {
      files.append((path, nil))
      continue
    }
    var options = StoreOptions(directory: path, fileSystem: PosixFileSystem(), clock: SystemClock())
    options.readOnly = true
    let snapshot = try Store.open(options).snapshot()
    let names = try FileManager.default.contentsOfDirectory(atPath: path + "/chunks")
    files += names.filter { $0.hasSuffix(".chunk") }.sorted().map { ("\(path)/chunks/\($0)", snapshot) }
  }
  let contents = try files.map { Array(try Data(contentsOf: URL(fileURLWithPath: $0.path))) }
  let chunks = try zip(files, contents).map { try ChunkRows($1, $0.path, $0.snapshot) }
  var objects: [(bytes: [UInt8], rowBlocks: [ObjectRowBlock])] = []
  var writing = Double.infinity
  var reading = Double.infinity
  var archiving = Double.infinity
  for _ in 0..<3 {
    archiving = min(
      archiving,
      try seconds {
        for (chunk, (file, bytes)) in zip(chunks, zip(files, contents)) { _ = try chunk.archived(bytes, file.path) }
      })
    writing = min(writing, try seconds { objects = try chunks.map { try $0.written() } })
    reading = min(reading, try seconds { for (chunk, object) in zip(chunks, objects) { try chunk.read(object) } })
  }
  let values = Double(chunks.reduce(0) { $0 + $1.valueCount })
  let rows = chunks.reduce(0) { $0 + $1.blocks.reduce(0) { $0 + $1.rowCount } }
  let (before, after) = (chunks.reduce(0) { $0 + $1.byteCount }, objects.reduce(0) { $0 + $1.bytes.count })
  func rate(_ seconds: Double) -> String {
    String(
      format: "%.0f M values/s, %.0f MB/s of values, %.1f MB/s of chunk", values / seconds / 1e6,
      values * 8 / seconds / 1e6, Double(before) / seconds / 1e6)
  }
  print(
    "\(chunks.count) chunks", "\(rows) rows, \(Int(values)) values",
    "chunks archived \(rate(archiving))", "objects written \(rate(writing))", "objects read \(rate(reading))",
    "\(before) bytes of chunks, \(after) of objects", String(format: "%.3f", Double(after) / Double(before)),
    separator: "\n  ")
  guard let directory else { return }
  for (chunk, object) in zip(chunks, objects) {
    let day = Date(
      timeIntervalSince1970: Double(chunk.identity.partition) * Double(chunk.identity.partitionNanoseconds) / 1e9)
    let date = day.formatted(.iso8601.year().month().day())
    let folder = "\(directory)/\(chunk.identity.table.rawValue)/varve_date=\(date)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = "\(folder)/\(chunk.identity.file.rawValue).parquet"
    try Data(object.bytes).write(to: URL(fileURLWithPath: path))
  }
}
