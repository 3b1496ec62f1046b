/// Rule set → document, every default written out. What `RuleSetDecoder` reads back is the same rule set.
package enum RuleSetEncoder {
  /// The bytes of a JSON document.
  package static func encode(_ ruleSet: RuleSet, indented: Bool = false) -> [UInt8] {
    Array(document(ruleSet).jsonText(indented: indented).utf8)
  }

  /// The rule set as a document, with its keys in the order of their statements, which is that of etc/rule-set.md.
  package static func document(_ ruleSet: RuleSet) -> DocumentValue {
    RuleSetDraft(ruleSet).written(NameBook(ComplaintBook()))
  }

  /// Every field of a rule set: what it takes, and whether it must be there.
  package static var description: ObjectDescription { RuleSetDraft.description }
}
