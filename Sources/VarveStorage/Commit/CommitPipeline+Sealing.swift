// The head on its way to chunks: what the committing thread and the sealing thread do of it.

import VarveCore

extension CommitPipeline {
  // MARK: The committing thread

  func freezeIfDue() {
    guard gate.read({ $0.flushTarget > $0.flushed }) || store.shouldFreeze else { return }
    do {
      if try store.freeze() { gate.update(waking: .sealer) { $0.seal = .writing } }
    } catch {
      sealFailed(asVarveError(error))
    }
  }

  func install(_ chunks: SealedChunks) {
    do {
      try store.install(chunks)
      let flushed = store.flushed
      gate.update(waking: [.committer, .flushes]) { state in
        state.seal = .idle
        state.flushed = flushed
      }
      store.options.log(.info, "sealed \(chunks.rowCount) rows into \(chunks.chunks.count) chunks")
    } catch {
      let error = asVarveError(error)
      guard error.isWant else { return sealFailed(error) }
      // The chunks are good; only the manifest or the series file had no room or no descriptor.
      store.options.log(.warning, "no room to install chunks; trying again: \(error.message)")
      let again = store.options.clock.monotonicNanoseconds() + 500_000_000
      gate.update(waking: .committer) { $0.seal = .written(chunks, notBefore: again) }
    }
  }

  private func sealFailed(_ error: VarveError) {
    gate.update(waking: [.committer, .flushes]) { state in
      state.seal = .idle
      state.sealFailures += 1
      state.sealError = error
      // What failed for good is not tried again for those who wait.
      state.flushTarget = state.flushed
    }
  }

  // MARK: The sealing thread

  private enum SealingWork {
    case write, gather, stop
  }

  func sealLoop() {
    while true {
      let work = gate.wait(as: .sealer, milliseconds: 500, waking: []) { state -> SealingWork? in
        if state.committerDone { return .stop }
        switch state.seal {
        case .writing: return .write
        case .waiting(let time) where store.options.clock.monotonicNanoseconds() >= time: return .write
        case .waiting, .idle, .written: return store.mayGather ? .gather : nil
        }
      }
      switch work {
      case .write: writeChunks()
      case .gather: _ = store.gather()
      case .stop: return
      case nil: continue
      }
    }
  }

  private func writeChunks() {
    do {
      let chunks = try store.writeChunks()
      gate.update(waking: .committer) { $0.seal = .written(chunks, notBefore: 0) }
    } catch {
      let error = asVarveError(error)
      if error.isWant {
        store.options.log(.warning, "no room to seal; writers wait, trying again: \(error.message)")
        let again = store.options.clock.monotonicNanoseconds() + 500_000_000
        gate.update(waking: .committer) { $0.seal = .waiting(until: again) }
      } else {
        store.fail(
          VarveError(.readOnly, "sealing failed, so nothing more is accepted: \(error.message)", place: error.place))
        sealFailed(error)
      }
    }
  }
}
