// What libFuzzer calls. VARVE_FUZZ_TARGET names the target; whatever bytes come, a target returns.

import Foundation

private let targets: [String: @Sendable ([UInt8]) -> Void] = [
  "line-protocol": fuzzLineProtocol, "csv": fuzzCSV, "copy": fuzzCopy, "postgres": fuzzPostgres,
  "commit-record": fuzzCommitRecord,
  "manifest-edit": fuzzManifestEdit, "series-record": fuzzSeriesRecord, "log-file": fuzzLogFile,
  "dimension-file": fuzzDimensionFile, "chunk": fuzzChunk, "parquet": fuzzParquet, "s3": fuzzS3,
  "object-page": fuzzObjectPage,
]

private let target: @Sendable ([UInt8]) -> Void = {
  let name = ProcessInfo.processInfo.environment["VARVE_FUZZ_TARGET"] ?? ""
  guard let target = targets[name] else { fatalError("VARVE_FUZZ_TARGET is one of \(targets.keys.sorted())") }
  return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}
