import Testing
import VarveCore
import VarveIO
import VarveSimulator

@testable import VarveS3

@Suite struct EnvironmentTests {
  private let disk = SimulatedFileSystem()

  private func write(_ path: String, _ text: String) throws {
    let file = try disk.open(path, .createNew)
    defer { file.close() }
    try file.write(Array(text.utf8), at: 0)
  }

  private func environment(_ variables: [String: String]) -> S3Environment { S3Environment(variables, files: disk) }

  @Test func variablesGoFirst() throws {
    try write("/sim/credentials", "[default]\naws_access_key_id = file\naws_secret_access_key = hidden\n")
    var variables = [
      "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
      "AWS_SHARED_CREDENTIALS_FILE": "/sim/credentials", "AWS_DEFAULT_REGION": "second", "AWS_REGION": "first",
      "AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3",
    ]
    let found = try environment(variables).credentials()
    #expect(found.accessKey == "key" && found.secretKey == "secret" && found.sessionToken == "token")
    #expect(try environment(variables).region() == "first" && environment(variables).endpoint() == "http://s3")
    variables["AWS_ACCESS_KEY_ID"] = ""
    #expect(try environment(variables).credentials().accessKey == "file")
    variables["AWS_ACCESS_KEY_ID"] = "key"
    variables["AWS_SECRET_ACCESS_KEY"] = nil
    let error = #expect(throws: VarveError.self) { try environment(variables).credentials() }
    #expect(error?.code == .accessDenied && error?.message.contains("AWS_SECRET_ACCESS_KEY") == true)
  }

  @Test func profilesAreReadAsAWSDoes() throws {
    try write(
      "/sim/credentials",
      """
      # a comment
      [default]
      aws_access_key_id=one ; a comment
      aws_secret_access_key = a#b;c=d==
      ; another
      [ backup ]\r
      aws_access_key_id = two\r
      aws_secret_access_key = two-secret
      aws_session_token = two-token

      """)
    try write(
      "/sim/config",
      "[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n[profile backup]\nregion = us-west-2\nendpoint_url = http://x\n[profile role]\nrole_arn = arn\n[profile other]\naws_access_key_id = three\naws_secret_access_key = three-secret\n"
    )
    var variables = ["AWS_SHARED_CREDENTIALS_FILE": "/sim/credentials", "AWS_CONFIG_FILE": "/sim/config"]
    #expect(try environment(variables).credentials().secretKey == "a#b;c=d==")
    #expect(try environment(variables).region() == "eu-west-1" && environment(variables).endpoint() == nil)
    variables["AWS_PROFILE"] = "backup"
    let found = try environment(variables).credentials()
    #expect(found.accessKey == "two" && found.secretKey == "two-secret" && found.sessionToken == "two-token")
    #expect(try environment(variables).region() == "us-west-2" && environment(variables).endpoint() == "http://x")
    variables["AWS_PROFILE"] = "other"
    #expect(try environment(variables).credentials().accessKey == "three")
    variables["AWS_PROFILE"] = "role"
    let error = #expect(throws: VarveError.self) { try environment(variables).credentials() }
    #expect(error?.message.contains("role_arn") == true && error?.hint?.contains("/sim/credentials") == true)
    variables["AWS_PROFILE"] = "missing"
    #expect(throws: VarveError.self) { try environment(variables).credentials() }
  }

  @Test func noCredentialsIsSaidWithAWayOut() {
    let error = #expect(throws: VarveError.self) { try environment(["HOME": "/sim/home"]).credentials() }
    #expect(error?.code == .accessDenied && error?.hint?.contains("/sim/home/.aws/credentials") == true)
    #expect(throws: VarveError.self) { try environment([:]).credentials() }
  }

  @Test func brokenFilesAreNamed() throws {
    for (number, text) in ["name = value\n", "[default\n", "[default]\nword\n", "[default]\nx = \u{0}\nword"]
      .enumerated()
    {
      try write("/sim/\(number)", text)
      let error = #expect(throws: VarveError.self) {
        try environment(["AWS_SHARED_CREDENTIALS_FILE": "/sim/\(number)"]).credentials()
      }
      #expect(error?.code == .syntax && error?.place == "/sim/\(number)", "\(text)")
    }
  }
}
