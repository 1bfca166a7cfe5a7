// A chunk in words, for people: what `varve inspect` prints.

import VarveCore

package enum ChunkDescription {
  /// Lines of header, index and, per column, codecs and bits a value; with `rowBlocks` also a line a row block and
  /// page. Reads every page. `names` gives the columns' names where they are known.
  package static func lines(
    fileByteCount: Int, file: FileID?, place: String, rowBlocks: Bool = false, names: [ColumnID: String] = [:],
    read: (PageReference) throws -> [UInt8]
  ) throws -> [String] {
    let contents = try ChunkContents.open(fileByteCount: fileByteCount, file: file, place: place, read: read)
    let (identity, footer, index) = (contents.identity, contents.footer, contents.index)
    let bytesPerValue = footer.valueCount > 0 ? decimal(Double(fileByteCount) / Double(footer.valueCount), 3) : "-"
    var lines = [
      "chunk \(identity.file.rawValue): format \(contents.version), table \(identity.table.rawValue), \(fileByteCount) bytes",
      "partition \(identity.partition) of \(identity.partitionNanoseconds) ns, sequences \(identity.firstSequence.rawValue)...\(identity.lastSequence.rawValue), written at \(identity.wallNanoseconds)",
      "\(footer.rowCount) rows, \(footer.valueCount) values, \(bytesPerValue) bytes a value; times \(footer.time.lower)...\(footer.time.upper); series \(footer.firstSeries.rawValue)...\(footer.lastSeries.rawValue)",
      "\(index.rowBlocks.count) row blocks, index \(footer.indexByteCount) bytes",
    ]
    var usage: [String: Usage] = [:]
    var order: [String] = ["series", "times"]
    for column in index.columns { order.append(label(column.id, names)) }
    var details: [String] = []
    for (number, block) in index.rowBlocks.enumerated() {
      details.append(
        "row block \(number): \(block.rowCount) rows, series \(block.firstSeries.rawValue)...\(block.lastSeries.rawValue) (\(block.runCount)), times \(block.time.lower)...\(block.time.upper), bytes \(block.extent.offset)+\(block.extent.byteCount)"
      )
      var pages = [("series", block.seriesPage), ("times", block.timesPage)]
      for field in block.fields { pages.append((label(field.column, names), field.page)) }
      for (name, page) in pages {
        let (header, label) = try placed("\(place), \(name), page at byte \(page.offset)") {
          try read(page).withUnsafeBytes { raw in
            (
              try PageHeader.decode(raw, file: identity.file, offset: page.offset),
              try PageDescription.label(raw, file: identity.file, offset: page.offset)
            )
          }
        }
        let values = name == "series" ? block.rowCount : header.valueCount
        usage[name, default: Usage()].add(label, values: values, byteCount: page.byteCount)
        details.append("  \(name): \(label), \(values) values, \(page.byteCount) bytes")
      }
    }
    if let summaries = index.summaries {
      let (line, more) = try summaryLines(summaries, identity, place, names, read: read)
      lines.append(line)
      details += more
    }
    for name in order {
      guard let used = usage[name] else { continue }
      let bits = used.values > 0 ? decimal(Double(used.byteCount * 8) / Double(used.values), 2) : "-"
      let codecs = used.codecs.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) × \($0.value)" }
      lines.append(
        "\(name): \(used.values) values, \(used.byteCount) bytes, \(bits) bits a value; \(codecs.joined(separator: ", "))"
      )
    }
    return rowBlocks ? lines + details : lines
  }

  /// One line of all summaries; one a block, one a column of it.
  private static func summaryLines(
    _ summaries: SummaryIndex, _ identity: ChunkIdentity, _ place: String, _ names: [ColumnID: String],
    read: (PageReference) throws -> [UInt8]
  ) throws -> (String, [String]) {
    var details: [String] = []
    var (count, byteCount) = (0, 0)
    for (number, block) in summaries.blocks.enumerated() {
      count += block.rowCount
      var keys: [(name: String, page: PageReference)] = [
        ("series", block.seriesPage), ("buckets", block.bucketsPage), ("row counts", block.rowCountsPage),
        ("first times", block.firstOffsetsPage), ("last times", block.lastOffsetsPage),
      ]
      details.append(
        "summary block \(number): \(block.rowCount) summaries, series \(block.firstSeries.rawValue)...\(block.lastSeries.rawValue) (\(block.runCount)), buckets \(block.buckets.lowerBound)...\(block.buckets.upperBound)"
      )
      for field in block.fields {
        for (statistic, page) in field.pages {
          keys.append(("\(label(field.column, names)), \(statistic.label)", page))
        }
      }
      for (name, page) in keys {
        let codec = try placed("\(place), summary of \(name), page at byte \(page.offset)") {
          try read(page).withUnsafeBytes { try PageDescription.label($0, file: identity.file, offset: page.offset) }
        }
        byteCount += page.byteCount
        details.append("  \(name): \(codec), \(page.byteCount) bytes")
      }
    }
    let line = "summaries: step \(summaries.step.label), \(count) of a series and bucket, \(byteCount) bytes"
    return (line, details)
  }

  private struct Usage {
    var values = 0
    var byteCount = 0
    var codecs: [String: Int] = [:]
    mutating func add(_ label: String, values: Int, byteCount: Int) {
      self.values += values
      self.byteCount += byteCount
      codecs[label, default: 0] += 1
    }
  }

  private static func label(_ column: ColumnID, _ names: [ColumnID: String]) -> String {
    names[column].map { "column \(column.rawValue) \"\($0)\"" } ?? "column \(column.rawValue)"
  }

  private static func decimal(_ value: Double, _ places: Int) -> String {
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((value * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
  }
}
