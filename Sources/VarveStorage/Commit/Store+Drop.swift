// What a dropped table leaves is let go of at once: on a full disk that is what makes room again. The drop itself is in
// the log; here the manifest gives up the table's chunks, and their files go. A crash in between is settled by replay,
// which drops the table from whatever the manifest still says of it.

import VarveCore
import VarveFormat
import VarveIO

extension Store {
  /// Removes the chunks of tables whose drop is committed. What cannot be done now is done by the next seal or open.
  func removeFiles(of chunks: [ChunkHandle]) {
    guard let log, let manifest, failure == nil else { return }
    // A chunk may be installed with a table that has gone since: the next seal sees to it.
    let files = chunks.map(\.metadata.file).filter { manifest.state.chunks[$0] != nil }
    guard !files.isEmpty else { return }
    do {
      // In the weaker sync modes the drop may not be durable yet, and its chunks must not go before it.
      try log.sync()
      try commit(removal(of: files, manifest.state), to: manifest)
    } catch {
      let error = asVarveError(error)
      if !error.isWant { return fail(error) }
      return options.log(.warning, "a dropped table's files stay until the next seal: \(error)")
    }
    do {
      for file in files { try removeFile(file, paths.chunk(file)) }
    } catch {
      options.log(.warning, "cannot remove a dropped table's files; the next start does: \(error)")
    }
    reserve.restore()
  }

  private func removal(of chunks: [FileID], _ state: ManifestState) -> ManifestEdit {
    var edit = edit(behind: state)
    edit.removedChunks = chunks
    addTombstones(to: &edit, state)
    return edit
  }
  /// An edit that leaves the catalog and what is flushed as they are.
  func edit(behind state: ManifestState) -> ManifestEdit {
    ManifestEdit(
      wallNanoseconds: options.clock.wallNanoseconds(), flushed: state.flushed, logStart: state.logStart,
      seriesFile: state.seriesFile, seriesByteCount: state.seriesByteCount, nextFile: ids.next,
      nextTable: state.catalog.nextTable)
  }
}
