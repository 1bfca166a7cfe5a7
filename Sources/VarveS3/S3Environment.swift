// What the environment says of S3: credentials, region and endpoint, from variables or from the files of AWS's tools, in
// the order in which those take them. Secrets leave this file in `Credentials` only.

import VarveCore
import VarveIO

package struct S3Environment: Sendable {
  private let variables: [String: String]
  private let files: any FileSystem

  package init(_ variables: [String: String], files: any FileSystem) {
    // An empty variable is as good as none.
    self.variables = variables.filter { !$0.value.isEmpty }
    self.files = files
  }

  package static let endpointVariables = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
  package static let regionVariables = ["AWS_REGION", "AWS_DEFAULT_REGION"]

  /// Certificates to trust in place of the system's.
  var authorities: String? { variables["AWS_CA_BUNDLE"] }

  func endpoint() throws -> String? {
    if let given = Self.endpointVariables.lazy.compactMap({ variables[$0] }).first { return given }
    return try profileSettings("endpoint_url")
  }

  func region() throws -> String? {
    if let given = Self.regionVariables.lazy.compactMap({ variables[$0] }).first { return given }
    return try profileSettings("region")
  }

  /// Throws `.accessDenied` where there are none.
  func credentials() throws -> Credentials {
    if let accessKey = variables["AWS_ACCESS_KEY_ID"] {
      guard let secretKey = variables["AWS_SECRET_ACCESS_KEY"] else {
        throw VarveError(
          .accessDenied, "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not", hint: "set both, or neither")
      }
      return Credentials(
        accessKey: accessKey, secretKey: secretKey, sessionToken: variables["AWS_SESSION_TOKEN"],
        source: "AWS_ACCESS_KEY_ID")
    }
    // The credentials file goes before the config file.
    var known: [String] = []
    for path in [credentialsPath, configPath].compactMap({ $0 }) {
      guard let settings = try ProfileFile(path, files: files)?[profile] else { continue }
      if let accessKey = settings["aws_access_key_id"], let secretKey = settings["aws_secret_access_key"] {
        return Credentials(
          accessKey: accessKey, secretKey: secretKey, sessionToken: settings["aws_session_token"],
          source: "profile \(profile) of \(path)")
      }
      known += settings.keys
    }
    let other = Self.otherWays.first(where: known.contains)
    throw VarveError(
      .accessDenied,
      other.map { "profile \(profile) says how to get credentials by \($0), which Varve does not do" }
        ?? "there are no credentials for S3",
      hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them into "
        + "\(credentialsPath ?? "the file that AWS_SHARED_CREDENTIALS_FILE names") under [\(profile)]")
  }

  /// What profiles may have in place of keys.
  private static let otherWays = [
    "role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file", "login_session",
  ]

  private var profile: String { variables["AWS_PROFILE"] ?? variables["AWS_DEFAULT_PROFILE"] ?? "default" }

  private var credentialsPath: String? {
    variables["AWS_SHARED_CREDENTIALS_FILE"] ?? variables["HOME"].map { "\($0)/.aws/credentials" }
  }
  private var configPath: String? { variables["AWS_CONFIG_FILE"] ?? variables["HOME"].map { "\($0)/.aws/config" } }

  private func profileSettings(_ name: String) throws -> String? {
    for path in [configPath, credentialsPath].compactMap({ $0 }) {
      if let value = try ProfileFile(path, files: files)?[profile]?[name], !value.isEmpty { return value }
    }
    return nil
  }
}
