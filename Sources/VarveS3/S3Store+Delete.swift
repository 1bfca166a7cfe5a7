// Deleting, many keys with a request, and what interrupted puts left: uploads whose parts take room and are no object.

import Crypto
import VarveArchive
import VarveCore
import VarveWire

extension S3Store {
  package func delete(_ keys: [String]) throws {
    var rest = keys[...]
    while !rest.isEmpty {
      let some = Array(rest.prefix(Limits.objectDeleteKeys))
      rest = rest.dropFirst(some.count)
      if some.count > 1, try deleteTogether(some) { continue }
      try deleteEach(some)
    }
  }

  /// False if the store cannot.
  private func deleteTogether(_ keys: [String]) throws -> Bool {
    let prefix = client.place.prefix
    var request = S3Client.Request(.post, nil)
    request.query = [("delete", "")]
    let body =
      #"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>"#
      + keys.map { "<Object><Key>\(Self.escaped(prefix + $0))</Key></Object>" }.joined() + "</Delete>"
    request.body = Array(body.utf8)[...]
    request.headers = [
      ("Content-Type", "application/xml"), ("Content-MD5", Base64.text(Array(Insecure.MD5.hash(data: request.body)))),
    ]
    request.codes = ["NotImplemented"]
    request.statuses = [501]
    request.complaint = { answer in
      S3DeleteAnswer(answer.body) == nil
        ? .init(code: .unavailable, message: "the object store does not say what it deleted") : nil
    }
    let answer = try client.send(request)
    if answer.error != nil || answer.message.status == 501 { return false }
    guard let deleted = S3DeleteAnswer(answer.message.body) else {
      preconditionFailure("an answer that does not say what was deleted is complained of")
    }
    // One by one they are tried again, and say why they fail.
    let failed = deleted.failures.filter { $0.error.code != "NoSuchKey" && $0.key.hasPrefix(prefix) }
    try deleteEach(failed.map { String($0.key.dropFirst(prefix.count)) })
    return true
  }

  private func deleteEach(_ keys: [String]) throws {
    try client.send(count: keys.count, atATime: Limits.objectRequestsAtATime) {
      var request = S3Client.Request(.delete, keys[$0])
      request.codes = ["NoSuchKey"]
      return request
    } received: { _, _ in
    }
  }

  package func removeUnfinished(_ folder: String) throws {
    let prefix = client.place.prefix
    var marker: S3UploadList.Upload?
    while true {
      var request = S3Client.Request(.get, nil)
      request.query = [("uploads", ""), ("encoding-type", "url"), ("prefix", prefix + folder)]
      if let marker { request.query += [("key-marker", marker.key), ("upload-id-marker", marker.id)] }
      request.codes = ["NotImplemented"]
      request.statuses = [501]
      request.complaint = { answer in
        S3UploadList(answer.body) == nil
          ? .init(code: .unavailable, message: "the object store answers with something that is no list of uploads")
          : nil
      }
      let answer = try client.send(request)
      // A store without uploads in parts has none that are unfinished.
      if answer.error != nil || answer.message.status == 501 { return }
      guard let list = S3UploadList(answer.message.body) else {
        preconditionFailure("an answer that is no list is complained of")
      }
      for upload in list.uploads where upload.key.hasPrefix(prefix + folder) {
        try abort(String(upload.key.dropFirst(prefix.count)), upload.id)
      }
      guard let next = list.next else { return }
      guard next != marker else {
        throw VarveError(.unavailable, "the object store's list does not go on", place: address(folder))
      }
      marker = next
    }
  }

  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      default: String(scalar)
      }
    }.joined()
  }
}
