// What makes `s3://` an address: programs that link this module hand it to whoever opens stores.

import VarveArchive
import VarveCore
import VarveIO

package enum S3Schemes {
  /// `variables`: the process's environment. `warn` takes what is no error and still to be told.
  package static func schemes(
    _ options: S3Options, variables: [String: String], files: any FileSystem, clock: any Clock,
    warn: @escaping @Sendable (String) -> Void
  ) -> ObjectStoreSchemes {
    let environment = S3Environment(variables, files: files)
    return ObjectStoreSchemes([
      "s3": { address in
        let place = try S3Place(
          address, endpoint: try options.endpoint ?? environment.endpoint(),
          region: try options.region ?? environment.region() ?? defaultRegion, isPathStyle: options.isPathStyle)
        let transport = HTTPClientTransport(
          idleMilliseconds: options.idleMilliseconds, connectionCount: Limits.objectConnections,
          authorities: environment.authorities)
        return S3Store(try S3Client(place, environment, transport: transport, clock: clock), clock: clock, warn: warn)
      }
    ])
  }

  /// As AWS's own tools; stores of others take any.
  private static let defaultRegion = "us-east-1"
}
