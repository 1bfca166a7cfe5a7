// `_objects.json`: which objects hold a table's archived rows, for engines and people that do not want to list the store.
// Varve writes it and does not read it.

import VarveCore
import VarveFormat
import VarveStorage

enum ArchiveListing {
  static func json(_ chunks: [ArchivedChunkReference], _ table: TableSchema?, id: TableID) -> String {
    let objects = chunks.sorted { ($0.metadata.time.lower, $0.object.key) < ($1.metadata.time.lower, $1.object.key) }
      .map { chunk in
        let metadata = chunk.metadata
        return "    {\"key\": \(text(chunk.object.key)), \"bytes\": \(chunk.object.byteCount), "
          + "\"crc32c\": \"\(hexadecimal(UInt64(chunk.object.checksum)).suffix(8))\", \"rows\": \(metadata.rowCount), "
          + "\"from_ns\": \(metadata.time.lower), \"to_ns\": \(metadata.time.upper)}"
      }
    return """
      {
        "format": 1,
        "table": \(id.rawValue),
        "name": \(table.map { text($0.name) } ?? "null"),
        "objects": [
      \(objects.joined(separator: ",\n"))
        ]
      }

      """
  }

  private static func text(_ value: String) -> String {
    var out = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 32: out += "\\u" + hexadecimal(UInt64(scalar.value)).suffix(4)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
