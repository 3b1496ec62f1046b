/// What a proposal is for: IKE's own messages, or the packets of the tunnel.
package enum ProposalUse: Sendable { case ike, esp }

/// One set of algorithms that is offered to a hub, in strongSwan's notation: `aes256gcm16-prfsha384-x25519`. Of a kind
/// there may be several, of which the hub takes one.
package struct Proposal: Hashable, Sendable, CustomStringConvertible {
  package let use: ProposalUse
  /// Ordered by kind; within a kind, the most wanted first.
  package let transforms: [Transform]

  /// Bytes of a proposal. All of charon's keywords together have not much more.
  static let maximumLength = 512

  /// `transforms` must be complete: `parse` and `defaults` see to it.
  package init(_ use: ProposalUse, _ transforms: [Transform]) {
    self.use = use
    var kinds: [Transform.Kind] = [.encryption, .integrity, .prf, .keyExchange]
    kinds += (1...7).map { .additionalKeyExchange($0) } + [.sequenceNumbers]
    self.transforms = kinds.flatMap { kind in transforms.filter { $0.kind == kind } }
  }

  /// The text for charon. Two proposals that mean the same have the same text.
  package var text: String { transforms.map(\.keyword).joined(separator: "-") }

  package var description: String { text }

  /// Its transforms of one kind, the most wanted first; empty where it has none.
  package subscript(_ kind: Transform.Kind) -> [Transform] { transforms.filter { $0.kind == kind } }

  /// Why a text is not a proposal, in an operator's words.
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
  }

  /// Throws everything that is wrong with it at once.
  package static func parse(_ text: String, for use: ProposalUse) throws(Refusal) -> Proposal {
    guard text.utf8.count <= maximumLength else { throw Refusal("at most \(maximumLength) bytes") }
    guard !text.utf8.contains(UInt8(ascii: ",")) else { throw Refusal("one proposal, without commas") }
    var transforms: [Transform] = []
    var faults: [String] = []
    func fault(_ text: String) { if !faults.contains(text) { faults.append(text) } }
    var isComplete = true
    for word in text.split(separator: "-", omittingEmptySubsequences: false).map(String.init) {
      if word.isEmpty {
        fault("algorithms with one \"-\" between them")
        isComplete = false
      } else if let transform = Transform(word) {
        if transforms.contains(transform) {
          fault("\(quoted(word)) is there twice")
        } else {
          transforms.append(transform)
        }
      } else {
        fault(Transform.refusal(of: word))
        isComplete = false
      }
    }
    let proposal = Proposal(use, transforms)
    proposal.misfits.forEach(fault)
    // What seems to be missing may be meant by a word that could not be read.
    if isComplete { proposal.gaps.forEach(fault) }
    guard faults.isEmpty else { throw Refusal(faults.joined(separator: "; ")) }
    return proposal
  }

  /// The first of the ciphers that bring their own integrity, and of those that do not.
  private var ciphers: (aead: String?, plain: String?) {
    let ciphers = self[.encryption]
    return (ciphers.first(where: \.isAEAD)?.keyword, ciphers.first { !$0.isAEAD }?.keyword)
  }

  /// What does not go together, or does not belong here. Charon itself drops some of it without a word (check_proposal in
  /// libstrongswan's proposal.c), so that what runs would not be what was written.
  private var misfits: [String] {
    var faults: [String] = []
    let (aead, plain) = ciphers
    if let aead, let plain {
      faults.append("\(aead) has its own integrity and \(plain) has none: write two proposals")
    } else if let aead, let integrity = self[.integrity].first?.keyword {
      faults.append(
        "\(aead) has its own integrity: "
          + (use == .ike ? "write prf\(integrity) for the PRF" : "leave \(integrity) out"))
    }
    switch use {
    case .ike:
      if self[.keyExchange].contains(where: \.isNone) { faults.append("IKE needs a key exchange: \"none\" is for ESP") }
      if let esn = self[.sequenceNumbers].first { faults.append("\(quoted(esn.keyword)) is for ESP") }
    case .esp:
      if let prf = self[.prf].first { faults.append("\(quoted(prf.keyword)): ESP has no PRF") }
    }
    return faults
  }

  /// What is missing.
  private var gaps: [String] {
    var faults: [String] = []
    let (aead, plain) = ciphers
    let exchanges = self[.keyExchange]
    if aead == nil && plain == nil { faults.append("the encryption is missing, such as aes256gcm16") }
    if aead == nil, let plain, self[.integrity].isEmpty {
      faults.append("\(plain) needs an integrity algorithm, such as sha256")
    }
    switch use {
    case .ike:
      // Without one, charon takes the integrity algorithm's.
      if let aead, self[.prf].isEmpty, self[.integrity].isEmpty {
        faults.append("\(aead) needs a PRF in IKE, such as prfsha384")
      }
      if exchanges.isEmpty { faults.append("the key exchange is missing, such as x25519") }
    case .esp:
      let more = transforms.first { if case .additionalKeyExchange = $0.kind { true } else { false } }?.keyword
      if let more, exchanges.allSatisfy(\.isNone) {
        faults.append("\(more) needs a key exchange before it, such as x25519")
      }
    }
    return faults
  }
}

extension Transform {
  package var isNone: Bool { name == "KE_NONE" }
}

extension Form where Value == Proposal {
  /// A string that `Proposal.parse` accepts; what it finds wrong becomes the hint of the complaint.
  package static func proposal(for use: ProposalUse) -> Form {
    let expected =
      use == .ike
      ? "an IKE proposal such as aes256gcm16-prfsha384-x25519" : "an ESP proposal such as aes256gcm16-x25519"
    return Form(.text(use == .ike ? "ike_proposal" : "esp_proposal", 1...Proposal.maximumLength, expected)) { value in
      guard case .string(let text) = value else { return .refused() }
      do throws(Proposal.Refusal) {
        return .value(try .parse(text, for: use))
      } catch {
        return .refused(hint: error.description)
      }
    }
  }
}
