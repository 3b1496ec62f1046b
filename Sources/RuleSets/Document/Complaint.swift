/// One thing that is wrong with a document: where, and what was expected there.
package struct Complaint: Error, Equatable, Sendable, CustomStringConvertible {
  /// As an operator would write it: `tunnels[1].inner.local`; empty for the document itself.
  package var field: String
  /// What was expected and what was found, in words; never a secret.
  package var text: String

  package init(field: String, _ text: String) {
    self.field = field
    self.text = text
  }

  package var description: String { field.isEmpty ? text : "\(field): \(text)" }
}

/// Everything that is wrong with a document; never empty.
package struct Complaints: Error, Equatable, Sendable, CustomStringConvertible {
  package var all: [Complaint]
  package init(_ all: [Complaint]) { self.all = all }
  package var description: String { all.map(\.description).joined(separator: "\n") }
}
