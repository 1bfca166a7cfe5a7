// What commands that work with object stores take beside the address.

import ArgumentParser
import VarveArchive
import VarveIO
import VarveS3
import VarveServer

/// The settings of `varve serve` of the same names, for commands that open stores themselves.
struct ObjectStoreOptions: ParsableArguments {
  @Option(name: .customLong(Setting.s3Endpoint.name), help: help(.s3Endpoint)) var s3Endpoint: String?
  @Option(name: .customLong(Setting.s3Region.name), help: help(.s3Region)) var s3Region: String?
  @Flag(name: .customLong(Setting.s3PathStyle.name), help: help(.s3PathStyle)) var s3PathStyle = false
  @Option(name: .customLong(Setting.s3Timeout.name), help: help(.s3Timeout)) var s3Timeout: String?

  /// Whether any of them was given.
  var isGiven: Bool { s3Endpoint != nil || s3Region != nil || s3PathStyle || s3Timeout != nil }

  /// What opens the addresses that these options are for. What is to be told goes to standard error.
  func schemes() throws -> ObjectStoreSchemes {
    let environment = ProcessEnvironment.variables()
    var flags: [String: String] = [:]
    flags[Setting.s3Endpoint.name] = s3Endpoint
    flags[Setting.s3Region.name] = s3Region
    flags[Setting.s3PathStyle.name] = s3PathStyle ? "true" : nil
    flags[Setting.s3Timeout.name] = s3Timeout
    let effective = try EffectiveSettings(
      flags: flags, environment: environment.filter { $0.key.hasPrefix("VARVE_S3_") || $0.key.hasPrefix("AWS_") },
      file: nil, fileSystem: PosixFileSystem())
    return S3Schemes.schemes(
      S3Options(try ServerSettings(effective)), variables: environment, files: PosixFileSystem(), clock: SystemClock()
    ) { StandardStreams.note("varve: \($0)") }
  }

  private static func help(_ setting: Setting) -> ArgumentHelp {
    ArgumentHelp(setting.help, valueName: setting.valueName)
  }
}

extension S3Options {
  init(_ settings: ServerSettings) {
    self.init()
    endpoint = settings.s3Endpoint
    region = settings.s3Region
    isPathStyle = settings.isS3PathStyle
    idleMilliseconds = settings.s3IdleMilliseconds
  }
}
