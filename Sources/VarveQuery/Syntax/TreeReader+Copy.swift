// COPY as written.

import VarveCore

extension TreeReader {
  func copy() throws -> CopySyntax {
    var copy = CopySyntax()
    var isOtherQuery = false
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
        try object { node in
          if node == "SelectStmt" {
            copy.query = try select()
          } else {
            isOtherQuery = true
            try json.skip()
          }
        }
      case "whereClause": filter = try expression()
      default: try json.skip()
      }
    }
    let location = copy.query != nil || isOtherQuery ? -1 : copy.table.location
    if isOtherQuery {
      copy.unsupported = ("COPY of what INSERT, UPDATE or DELETE return", location, "SELECT the rows afterwards.")
    } else if isProgram {
      copy.unsupported =
        copy.isFrom
        ? ("COPY … FROM PROGRAM", location, "Pipe the program's output into psql -c 'COPY … FROM STDIN'.")
        : ("COPY … TO PROGRAM", location, "Pipe what psql -c 'COPY … TO STDOUT' prints into the program.")
    } else if isFile {
      copy.unsupported =
        copy.isFrom
        ? (
          "COPY from a file of the server", location,
          "psql's \\copy sends a file of the client; or use COPY … FROM STDIN."
        )
        : (
          "COPY to a file of the server", location,
          "psql's \\copy writes a file of the client; or use COPY … TO STDOUT."
        )
    } else if let filter {
      copy.unsupported = (
        "COPY … WHERE", filter.location, "Leave rows out before they are sent, or DELETE them afterwards."
      )
    }
    return copy
  }
}
