// DECLARE, FETCH and MOVE as written.

import VarveCore

extension TreeReader {
  /// CURSOR_OPT_… of PostgreSQL's parsenodes.h.
  private enum CursorOption {
    static let binary = 0x01
    static let scroll = 0x02
    static let noScroll = 0x04
    static let hold = 0x20
  }

  func declareCursor() throws -> DeclareSyntax {
    var declare = DeclareSyntax()
    var options = 0
    try object { key in
      switch key {
      case "portalname": declare.name = try json.string()
      case "options": options = try json.integer()
      case "query":
        try object { node in
          if node == "SelectStmt" { declare.query = try select() } else { try json.skip() }
        }
      default: try json.skip()
      }
    }
    declare.isNeverScrolled = options & CursorOption.noScroll != 0
    if options & CursorOption.hold != 0 {
      declare.unsupported = ("WITH HOLD", "Keep the transaction open while the cursor is read.")
    } else if options & CursorOption.scroll != 0 {
      declare.unsupported = (
        "SCROLL", "Leave it out: a cursor goes forward, and MOVE BACKWARD ALL takes it back to its start."
      )
    } else if options & CursorOption.binary != 0 {
      declare.unsupported = ("BINARY", "Ask for binary results in the protocol, as drivers do for FETCH.")
    }
    return declare
  }

  func fetch() throws -> FetchSyntax {
    var fetch = FetchSyntax()
    // A count of 0 is left out.
    fetch.count = 0
    try object { key in
      switch key {
      case "portalname": fetch.cursor = try json.string()
      case "howMany": fetch.count = try json.integer()
      case "ismove": fetch.isMove = try json.boolean()
      case "direction":
        fetch.direction =
          switch try json.string() {
          case "FETCH_BACKWARD": .backward
          case "FETCH_ABSOLUTE": .absolute
          case "FETCH_RELATIVE": .relative
          default: .forward
          }
      default: try json.skip()
      }
    }
    return fetch
  }
}
