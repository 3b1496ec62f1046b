/// What a document writes of IPsec in place of a value.
extension Form where Value == SecretFileName {
  package static let secretFile = Form(
    .text(
      "secret_file", 1...SecretFileName.maximumLength,
      "the name of a file in the secrets directory (1 to \(SecretFileName.maximumLength) letters, digits, \".\", \"_\""
        + " and \"-\")")
  ) { value in
    guard case .string(let text) = value else { return .mayBeTheSecret }
    if let name = SecretFileName(text) { return .value(name) }
    if text.contains("/") { return .refusedSecret("a name and no path") }
    return text.hasPrefix(".") ? .refusedSecret("no \".\" at its beginning") : .mayBeTheSecret
  }
}

extension Form where Value == IKEIdentity {
  package static let identity = Form(
    .text("identity", 1...IKEIdentity.maximumLength, "an IKE identity such as hub.example")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    return IKEIdentity(text).map { .value($0) } ?? .refused(hint: IKEIdentity.fault(of: text))
  }
}

extension SecretFileName: Writable {}
extension IKEIdentity: Writable {}
extension Proposal: Writable {}
