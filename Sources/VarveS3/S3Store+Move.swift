// Giving objects another name: a copy that the store makes by itself (CopyObject), looked at, and then the first one goes.
//
// A copy may be asked for twice, where the answer to the first try was lost: the object is not changed meanwhile, and goes
// only behind the copy. The store may answer 200 long before it is done, and say in the body that it failed; `S3Client`
// takes that for the failure it is.

import VarveArchive
import VarveCore
import VarveWire

extension S3Store {
  package func move(_ key: String, to target: String) throws {
    guard let byteCount = try byteCount(key) else { throw isGone(key) }
    guard byteCount <= Limits.objectCopyByteCount else {
      throw VarveError(
        .limitExceeded,
        "the object has \(byteCount) bytes, and a store copies \(Limits.objectCopyByteCount) at the most",
        hint: "Varve writes none that are so long: what put it there?", place: address(key))
    }
    guard try copy(key, to: target, byteCount) else { throw isGone(key) }
    // What says yes to everything has copied nothing.
    let copied = try self.byteCount(target)
    guard copied == byteCount else {
      throw VarveError(
        .inputOutput,
        "the object store was to copy \(byteCount) bytes, and has \(copied.map { "\($0)" } ?? "none") of them",
        hint: "the object is still there under its first name", place: address(target))
    }
    try delete([key])
  }

  /// False if there is no such object.
  private func copy(_ key: String, to target: String, _ byteCount: Int) throws -> Bool {
    var request = S3Client.Request(.put, target)
    request.headers = [(S3Client.Request.copySource, client.place.copySource(key))]
    request.workByteCount = byteCount
    request.codes = ["NoSuchKey"]
    request.complaint = { answer in
      S3CopyAnswer(answer.body) == nil
        ? .init(code: .unavailable, message: "the object store does not say what it copied") : nil
    }
    return try client.send(request).error == nil
  }

  private func isGone(_ key: String) -> VarveError {
    VarveError(.notFound, "there is no such object", place: address(key))
  }
}

extension S3Client.Request {
  fileprivate static let copySource = "x-amz-copy-source"
  var isCopy: Bool { headers.contains { $0.name == Self.copySource } }
}
