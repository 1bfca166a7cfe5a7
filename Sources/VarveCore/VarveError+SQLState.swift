// The SQLSTATE of every error (errcodes.txt of PostgreSQL 15): its own where SQL decided it, else that of its code.

extension VarveError {
  package var finalSQLState: String {
    if let sqlState, Self.isSQLState(sqlState) { return sqlState }
    return code.sqlState
  }

  private static func isSQLState(_ state: String) -> Bool {
    state.utf8.count == 5
      && state.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
      }
  }
}

extension VarveError.Code {
  package var sqlState: String {
    switch self {
    case .syntax: "42601"  // syntax_error
    case .invalidUTF8: "22021"  // character_not_in_repertoire
    case .invalidNumber: "22P02"  // invalid_text_representation
    case .invalidTimestamp: "22007"  // invalid_datetime_format
    case .timestampInFuture: "22008"  // datetime_field_overflow
    case .nameTooLong: "42622"  // name_too_long
    case .lineTooLong: "54000"  // program_limit_exceeded
    case .valueTooLong: "22001"  // string_data_right_truncation
    case .duplicateTag: "42701"  // duplicate_column
    case .reservedName: "42939"  // reserved_name
    case .nameConflict: "42701"  // duplicate_column
    case .typeConflict: "42804"  // datatype_mismatch
    case .limitExceeded: "54000"  // program_limit_exceeded
    case .invalidArgument: "22023"  // invalid_parameter_value
    case .notFound: "42P01"  // undefined_table
    case .alreadyExists: "42P07"  // duplicate_table
    case .notADataDirectory: "58P01"  // undefined_file
    case .directoryLocked: "55006"  // object_in_use
    case .readOnly: "25006"  // read_only_sql_transaction
    case .closed: "57P01"  // admin_shutdown
    case .overloaded: "53000"  // insufficient_resources
    case .diskFull: "53100"  // disk_full
    case .inputOutput: "58030"  // io_error
    case .corruption: "XX001"  // data_corrupted
    case .unsupportedVersion: "0A000"  // feature_not_supported
    case .unsupported: "0A000"  // feature_not_supported
    case .gone: "55000"  // object_not_in_prerequisite_state
    case .unavailable: "58000"  // system_error
    case .accessDenied: "42501"  // insufficient_privilege
    case .cancelled: "57014"  // query_canceled
    case .query: "XX000"  // internal_error
    }
  }
}
