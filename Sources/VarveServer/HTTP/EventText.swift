// Server-sent events (html.spec.whatwg.org, 9.2): lines of fields, an empty line behind each event.
//
//   event: rows
//   id: 17
//   data: [
//   data: {"time":"2026-11-27 08:00:00+00","host":"a","usage":1.5}
//   data: ]

import VarveWire

struct EventText {
  private(set) var bytes: [UInt8] = []

  /// `data` may have several lines. An event without an id is a part: who breaks off behind it goes on before it.
  mutating func event(_ name: String, id: String?, data: some Collection<UInt8>) {
    bytes += "event: \(name)\n".utf8
    if let id { bytes += "id: \(id)\n".utf8 }
    bytes += "data: ".utf8
    for byte in data {
      bytes.append(byte)
      if byte == 0x0A { bytes += "data: ".utf8 }
    }
    bytes += "\n\n".utf8
  }

  /// Nothing to tell: readers pass over it, and take note of where they are.
  mutating func heartbeat(id: String) { bytes += ": heartbeat\nid: \(id)\n\n".utf8 }

  /// How long a client waits before it comes again when the connection is lost.
  mutating func retry(milliseconds: Int) { bytes += "retry: \(milliseconds)\n".utf8 }
}
