// The archive of a directory that a command opens in its own process.

import ArgumentParser
import Varve
import VarveIO
import VarveServer

/// The settings of `varve serve` of the same names.
struct ArchiveOptions: ParsableArguments {
  @Option(name: .customLong(Setting.archive.name), help: help(.archive)) var archive: String?
  @Option(name: .customLong(Setting.archiveCache.name), help: help(.archiveCache)) var archiveCache: String?
  @OptionGroup var stores: ObjectStoreOptions

  /// Whether any of them was given.
  var isGiven: Bool { archive != nil || archiveCache != nil || stores.isGiven }

  func validate(connect: String?) throws {
    if connect != nil && isGiven {
      throw ValidationError("A server has an archive and goes to S3 by its own settings; give them to `varve serve`.")
    }
  }

  /// Throws if what they or their variables say is no value.
  func apply(to options: inout Database.Options) throws {
    var flags: [String: String] = [:]
    flags[Setting.archive.name] = archive
    flags[Setting.archiveCache.name] = archiveCache
    let variables = [Setting.archive, .archiveCache].map(\.environmentVariable)
    let settings = try ServerSettings(
      EffectiveSettings(
        flags: flags, environment: ProcessEnvironment.variables().filter { variables.contains($0.key) }, file: nil,
        fileSystem: PosixFileSystem()))
    options.archive = settings.archive
    options.archiveCacheByteCount = settings.archiveCacheByteCount
    options.objectStores = try stores.schemes()
  }

  private static func help(_ setting: Setting) -> ArgumentHelp {
    let value = setting.kind == .textOrNone ? "" : " (default: \(setting.defaultValue.text))"
    return ArgumentHelp(
      "\(setting.help) Also \(setting.environmentVariable).\(value)", valueName: setting.valueName)
  }
}
