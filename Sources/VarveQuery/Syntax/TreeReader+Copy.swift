// COPY as written.

import VarveCore

extension TreeReader {
  func copy() throws -> CopySyntax {
    var copy = CopySyntax()
    var isQuery = false
    var isProgram = false
    var isFile = false
    var filter: ExpressionSyntax?
    try object { key in
      switch key {
      case "relation": copy.table = try relation()
      case "attlist": copy.columns = try plainNames()
      case "options": copy.options = try options()
      case "is_from": copy.isFrom = try json.boolean()
      case "is_program": isProgram = try json.boolean()
      case "filename":
        isFile = true
        try json.skip()
      case "query":
        isQuery = true
        try json.skip()
      case "whereClause": filter = try expression()
      default: try json.skip()
      }
    }
    let location = isQuery ? -1 : copy.table.location
    if isQuery || !copy.isFrom {
      copy.unsupported = (
        "COPY … TO", location, "SELECT gives the rows; psql's \\g FILE and varve sql --format csv save them."
      )
    } else if isProgram {
      copy.unsupported = (
        "COPY … FROM PROGRAM", location, "Pipe the program's output into psql -c 'COPY … FROM STDIN'."
      )
    } else if isFile {
      copy.unsupported = (
        "COPY from a file of the server", location,
        "psql's \\copy sends a file of the client; or use COPY … FROM STDIN."
      )
    } else if let filter {
      copy.unsupported = (
        "COPY … WHERE", filter.location, "Leave rows out before they are sent, or DELETE them afterwards."
      )
    }
    return copy
  }
}
