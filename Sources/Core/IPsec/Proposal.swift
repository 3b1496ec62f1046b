/// What a proposal is for: IKE's own messages, or the packets of the tunnel.
package enum ProposalUse: Sendable { case ike, esp }

/// One set of algorithms that is offered to a hub, in strongSwan's notation: `aes256gcm16-prfsha384-x25519`. Of a kind
/// there may be several, of which the hub takes one.
package struct Proposal: Hashable, Sendable, CustomStringConvertible {
  package let use: ProposalUse
  /// By kind; in a kind, the most wanted first.
  package let transforms: [Transform]

  /// Bytes of a proposal. All of charon's keywords together have not much more.
  private static let maximumLength = 512

  /// `transforms` must be complete: `parse` and `defaults` see to it.
  init(_ use: ProposalUse, _ transforms: [Transform]) {
    self.use = use
    var kinds: [Transform.Kind] = [.encryption, .integrity, .prf, .keyExchange]
    kinds += (1...7).map { .additionalKeyExchange($0) } + [.sequenceNumbers]
    self.transforms = kinds.flatMap { kind in transforms.filter { $0.kind == kind } }
  }

  /// As charon takes it. Two proposals that mean the same have the same text.
  package var text: String { transforms.map(\.keyword).joined(separator: "-") }

  package var description: String { text }

  package subscript(_ kind: Transform.Kind) -> [Transform] { transforms.filter { $0.kind == kind } }

  /// Why a text is no proposal, in an operator's words.
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
  }

  package static func parse(_ text: String, for use: ProposalUse) throws(Refusal) -> Proposal {
    guard text.utf8.count <= maximumLength else { throw Refusal("at most \(maximumLength) bytes") }
    guard !text.utf8.contains(UInt8(ascii: ",")) else { throw Refusal("one proposal, without commas") }
    var transforms: [Transform] = []
    for word in text.split(separator: "-", omittingEmptySubsequences: false).map(String.init) {
      guard !word.isEmpty else { throw Refusal("algorithms with one \"-\" between them") }
      guard let transform = Transform(word) else { throw Refusal(Transform.refusal(of: word)) }
      guard !transforms.contains(transform) else { throw Refusal("\(quoted(word)) is there twice") }
      transforms.append(transform)
    }
    let proposal = Proposal(use, transforms)
    if let fault = proposal.fault { throw Refusal(fault) }
    return proposal
  }

  /// What is missing or does not go together. Charon itself drops some of it without a word (check_proposal in
  /// libstrongswan's proposal.c), so that what runs would not be what was written.
  private var fault: String? {
    let ciphers = self[.encryption]
    let exchanges = self[.keyExchange]
    let aead = ciphers.first(where: \.isAEAD)?.keyword
    let plain = ciphers.first { !$0.isAEAD }?.keyword
    if ciphers.isEmpty { return "the encryption is missing, such as aes256gcm16" }
    if let aead, let plain { return "\(aead) has its own integrity and \(plain) has none: write two proposals" }
    if let aead, let integrity = self[.integrity].first?.keyword {
      return "\(aead) has its own integrity: "
        + (use == .ike ? "write prf\(integrity) for the PRF" : "leave \(integrity) out")
    }
    if let plain, self[.integrity].isEmpty { return "\(plain) needs an integrity algorithm, such as sha256" }
    let more = transforms.first { if case .additionalKeyExchange = $0.kind { true } else { false } }?.keyword
    switch use {
    case .ike:
      // Without one, charon takes the integrity algorithm's.
      if let aead, self[.prf].isEmpty { return "\(aead) needs a PRF in IKE, such as prfsha384" }
      if exchanges.isEmpty { return "the key exchange is missing, such as x25519" }
      if exchanges.contains(where: \.isNone) { return "IKE needs a key exchange: \"none\" is for ESP" }
      if let esn = self[.sequenceNumbers].first { return "\(quoted(esn.keyword)) is for ESP" }
    case .esp:
      if let prf = self[.prf].first { return "\(quoted(prf.keyword)): ESP has no PRF" }
      if let more, exchanges.allSatisfy(\.isNone) { return "\(more) needs a key exchange before it, such as x25519" }
    }
    return nil
  }
}

extension Transform {
  var isNone: Bool { name == "KE_NONE" }
}

extension Form where Value == Proposal {
  package static func proposal(for use: ProposalUse) -> Form {
    let expected =
      use == .ike
      ? "an IKE proposal such as aes256gcm16-prfsha384-x25519" : "an ESP proposal such as aes256gcm16-x25519"
    return Form(expected) { value in
      guard case .string(let text) = value else { return .refused() }
      do throws(Proposal.Refusal) {
        return .value(try .parse(text, for: use))
      } catch {
        return .refused(hint: error.description)
      }
    }
  }
}
