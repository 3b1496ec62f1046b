package import RuleSets

/// What this router's charon can do: the answer of get-algorithms (vici_query.c), in charon's names.
package struct CharonAlgorithms: Equatable, Sendable {
  /// Ciphers of both sorts.
  package var encryption: Set<String> = []
  package var integrity: Set<String> = []
  package var prf: Set<String> = []
  package var keyExchange: Set<String> = []
  /// True since charon 6 (RFC 9370). An older charon refuses a connection that names them.
  package var hasAdditionalKeyExchanges = false

  package init(sections: [(name: String, algorithms: [String])]) {
    for (name, algorithms) in sections {
      switch name {
      case "encryption", "aead": encryption.formUnion(algorithms)
      case "integrity": integrity.formUnion(algorithms)
      case "prf": prf.formUnion(algorithms)
      case "dh": keyExchange.formUnion(algorithms)
      case "ke":
        // 5.9's `dh` was renamed when there was more than Diffie-Hellman.
        keyExchange.formUnion(algorithms)
        hasAdditionalKeyExchanges = true
      default: break
      }
    }
  }

  /// Whether charon can use this transform. Extended sequence numbers are always possible, and so is the absence of a
  /// key exchange.
  package func offers(_ transform: Transform) -> Bool {
    switch transform.kind {
    case .encryption: encryption.contains(transform.name)
    case .integrity: integrity.contains(transform.name)
    case .prf: prf.contains(transform.name)
    case .keyExchange: transform.isNone || keyExchange.contains(transform.name)
    case .additionalKeyExchange:
      hasAdditionalKeyExchanges && (transform.isNone || keyExchange.contains(transform.name))
    case .sequenceNumbers: true
    }
  }
}

extension Proposal {
  /// The transforms that charon does not offer, in words. For ESP it only does the key exchange: the kernel encrypts,
  /// and rejects what it cannot do when the first SA is installed.
  package func unsupported(by charon: CharonAlgorithms) -> [String] {
    transforms.compactMap { transform in
      let noun: String
      switch transform.kind {
      case .encryption, .integrity, .prf:
        if use == .esp { return nil }
        noun = "algorithm"
      case .keyExchange, .additionalKeyExchange: noun = "key exchange"
      case .sequenceNumbers: return nil
      }
      if charon.offers(transform) { return nil }
      if case .additionalKeyExchange = transform.kind, !charon.hasAdditionalKeyExchanges {
        return "charon has no additional key exchanges before version 6 (\(transform.keyword))"
      }
      return "charon lacks the \(noun) \(transform.keyword) (\(transform.name)): a plugin is missing"
    }
  }

  /// The default proposals, the strongest first, without anything that RFC 8221 and RFC 8247 discourage.
  ///
  /// - Parameter charon: nil if it has not been asked yet; then 5.9 is assumed.
  package static func defaults(for use: ProposalUse, offeredBy charon: CharonAlgorithms?) -> [Proposal] {
    // AES-GCM with its whole tag: what processors and the kernel's ESP are fastest at, and what every peer must have
    // (RFC 8221 section 5). ChaCha20-Poly1305 would be faster on processors without AES instructions, but many routers'
    // kernels lack it, and neither they nor charon say so before a hub has chosen it and the tunnel fails.
    var common = ["aes256gcm16", "aes128gcm16"]
    // Each PRF is at least as strong as its key's cipher.
    if use == .ike { common += ["prfsha384", "prfsha256"] }
    // x25519 first, as it is the fastest; the NIST curves are what every other vendor has. In ESP they give perfect
    // forward secrecy from the first rekeying on: the first CHILD_SA takes its keys from IKE's exchange.
    let classic = Proposal(use, common + ["x25519", "ecp256", "ecp384"], offeredBy: charon)
    guard let charon, let hybrid = Transform("ke1_mlkem768"), let first = Transform("x25519"),
      charon.offers(hybrid), charon.offers(first)
    else { return [classic] }
    // ML-KEM keeps what is recorded today from a future quantum computer; if ML-KEM is broken, x25519 still stands. A
    // hub without it takes the classic proposal. Both begin with x25519, so that costs no round trip.
    return [Proposal(use, common + ["x25519", "ke1_mlkem768"], offeredBy: charon), classic]
  }

  /// Without what charon lacks. If it lacks everything of one kind, all stay, and `unsupported(by:)` says what is
  /// missing.
  private init(_ use: ProposalUse, _ words: [String], offeredBy charon: CharonAlgorithms?) {
    let all = words.compactMap { Transform($0) }
    func isKept(_ transform: Transform) -> Bool {
      guard let charon, use == .ike || transform.kind == .keyExchange else { return true }
      return charon.offers(transform) || !all.contains { $0.kind == transform.kind && charon.offers($0) }
    }
    self.init(use, all.filter(isKept))
  }
}
